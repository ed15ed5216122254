"""Grouping: cells of what moved together have one embedding, all others another (NeurIPS 2020, section 4.3).

"Learning about objects by learning to interact with them", appendices B (equation 5) and C.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from handsight.errors import HandsightError
from handsight.objectives.interaction import descending

SCALE = 1.5
"""Of distances: there both sides of equation 5 are as strong at a distance of 1 (equation 6)."""

NEAR = 1.0
"""A squared distance below which cells are taken for parts of one thing."""

AREA = 200.0
"""A mask of so many cells weighs 1, larger ones less. The paper says "inversely to the area" and no more;
this is the released code's, on a grid of 100. It is the same on any grid: what a mask pulls with in all is
then the same, as what an attempt's score pulls with is."""

UNKNOWN = 0.5
"""The score of a picture without any mask."""

TRUNCATED = 1.0
"""The largest gradient of the squared distance by a number of an embedding."""


def distance_gradient(distances: Tensor, mask: Tensor) -> Tensor:
    """Return in which direction squared distances to the mask's mean are to go: equation 5, an ascent.

    Off the mask exp(−(d / 1.5)⁴), on it −1.5 · d / (1 + d).

    Args:
        distances: at least 0, of any shape.
        mask: bool, of the same shape.
    """
    on = SCALE * (1 - 1 / (1 + distances))  # finite at any distance
    off = (-(distances / SCALE).square().square()).exp()
    return torch.where(mask, -on, off)


def embedding_loss(embeddings: Tensor, masks: Tensor, area_cells: float = AREA) -> Tensor:
    """Return the loss of the embeddings; see `embedding_loss_and_ious`."""
    return embedding_loss_and_ious(embeddings, masks, area_cells)[0]


def embedding_loss_and_ious(
    embeddings: Tensor, masks: Tensor, area_cells: float = AREA
) -> tuple[Tensor, Tensor]:
    """Return the loss of the embeddings, and how well each mask is found by them.

    For each mask: the squared distance of each cell's embedding to the mask's mean, its gradient from
    `distance_gradient`, and from there on to the cell's embedding and, as in the released code, through the
    mean to all embeddings on the mask. The gradient of the squared distance by each number is truncated to
    magnitude 1 (appendix B; the released code does not truncate it here). The value is the integral of
    `distance_gradient`, 0 where all is on its side. It is summed over masks by inverse area and over cells,
    and the mean over pictures.

    Args:
        embeddings: `[B, D, G, G]`.
        masks: bool `[B, N, G, G]`, of what moved; one without any cell (no attempt, or one that failed)
            counts for nothing.
        area_cells: cells of a mask that weighs 1.

    Returns:
        The loss, a scalar in float32 (float64 for float64), also under autocast; and the IoU of each mask
        with the cells within a distance of 1 of its mean, without gradient, float32 `[B, N]`, NaN where there
        is no mask.

    Raises:
        HandsightError: where the batch is empty, or shapes do not belong together.
    """
    _check(embeddings, masks)
    learned = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    ious = torch.full(masks.shape[:2], math.nan, device=masks.device)
    with torch.no_grad():
        value, ascent = learned.new_zeros(()), torch.zeros_like(learned)
        for number, rows, mask, away, area in _each(learned, masks):
            distances = away.square().sum(dim=1)
            weight = (area_cells / area)[:, None]
            value += (weight * _integral(distances, mask)).sum()
            by_distance = (weight * distance_gradient(distances, mask))[:, None]
            by_cell = by_distance * (2 * away).clamp(-TRUNCATED, TRUNCATED)
            by_mean = by_cell.sum(dim=2, keepdim=True) / area[:, None, None]
            ascent.flatten(2).index_add_(0, rows, by_cell - by_mean * mask[:, None])
            ious[rows, number] = _iou(distances < NEAR, mask)
    batch = len(embeddings)
    return descending(learned, value / batch, ascent / batch), ious


@torch.no_grad()
def mask_ious(embeddings: Tensor, masks: Tensor) -> Tensor:
    """Return how well each mask is found, as `embedding_loss_and_ious` does, without the loss.

    Raises:
        HandsightError: where the batch is empty, or shapes do not belong together.
    """
    _check(embeddings, masks)
    learned = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    ious = torch.full(masks.shape[:2], math.nan, device=masks.device)
    for number, rows, mask, away, _ in _each(learned, masks):
        ious[rows, number] = _iou(away.square().sum(dim=1) < NEAR, mask)
    return ious


def picture_scores(ious: Tensor) -> Tensor:
    """Return how well a picture's masks are found: the smallest IoU, 0.5 where there is none (appendix C).

    Args:
        ious: float `[B, N]`, NaN where there is no mask.

    Returns:
        float `[B]`.
    """
    if ious.shape[1] == 0:
        return ious.new_full(ious.shape[:1], UNKNOWN)
    smallest = ious.nan_to_num(nan=math.inf).amin(dim=1)
    return torch.where(smallest.isfinite(), smallest, torch.full_like(smallest, UNKNOWN))


def priority(score: Tensor) -> Tensor:
    """Return how often a picture is to be drawn from memory: (score − 0.5)² + 0.02 (equation 7)."""
    return (score - 0.5).square() + 0.02


def _each(embeddings: Tensor, masks: Tensor) -> Iterator[tuple[int, Tensor, Tensor, Tensor, Tensor]]:
    """Go over the masks by number, those pictures at a time that have one of this number.

    Yields:
        The number; which pictures `[b]`; their masks `[b, G²]`; how far each cell's embedding lies from the
        mean over the mask, `[b, D, G²]`; and the masks' areas `[b]`, cells.
    """
    flat, cells = masks.flatten(2), embeddings.flatten(2)
    areas = flat.sum(dim=2)
    for number in range(masks.shape[1]):
        rows = areas[:, number].nonzero()[:, 0]
        if len(rows) == 0:
            continue
        mask, area = flat[rows, number], areas[rows, number].to(embeddings.dtype)
        mine = cells[rows]
        mean = (mine * mask[:, None]).sum(dim=2, keepdim=True) / area[:, None, None]
        yield number, rows, mask, mine - mean, area


def _iou(said: Tensor, mask: Tensor) -> Tensor:
    return (said & mask).sum(dim=1) / (said | mask).sum(dim=1)


def _integral(distances: Tensor, mask: Tensor) -> Tensor:
    """Return on the mask ∫ 1.5 · t / (1 + t) dt from 0 to d, off it ∫ exp(−(t / 1.5)⁴) dt from d to ∞."""
    on = SCALE * (distances - distances.log1p())
    quarter = torch.full_like(distances, 0.25)
    whole = SCALE * math.gamma(1.25)
    off = whole * torch.special.gammaincc(quarter, (distances / SCALE).square().square())
    return torch.where(mask, on, off)


def _check(embeddings: Tensor, masks: Tensor) -> None:
    fits = embeddings.ndim == masks.ndim == 4 and masks.shape[::2] == (len(embeddings), embeddings.shape[2])
    if not fits or masks.shape[3] != embeddings.shape[3] or masks.dtype != torch.bool:
        dtype = str(masks.dtype).removeprefix("torch.")
        raise HandsightError(
            f"embeddings {list(embeddings.shape)} came with masks {dtype} {list(masks.shape)}; "
            "give [B, D, G, G] and bool [B, N, G, G]"
        )
    if len(embeddings) == 0:
        raise HandsightError("the batch of pictures is empty; give at least one")
