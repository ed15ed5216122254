"""Attempted: what a network is to say of a picture where something was attempted at a few points of it.

Learning about objects by learning to interact with them (NeurIPS 2020), section 4.3 and appendix B. Nothing
is said of cells that nothing was attempted near.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from handsight.errors import HandsightError

FAILED, RIGHT, TOO_SMALL, TOO_LARGE = range(4)
"""What came of an attempt: nothing moved; or of the predicted force, where something did."""

UNUSED = -1
"""In the place of what came of it: a row that holds no attempt, in a batch where some have fewer."""

UNTESTED = -1
"""In the place of a predicted force's bin: the force was not tested, and nothing is known of it."""

FORCES = 3
"""Bins of the forces, from the smallest to the largest."""

RADIUS = 2
"""How many cells around a point learn from what was attempted there."""

Form = Literal["exponential", "gaussian"]
"""How what is learned at a point falls off around it.

`exponential`, exp(−√(u² + v²)), is the authors' released code; `gaussian`, exp(−u² − v²), what equation 1
prints.
"""


def kernel(form: Form = "exponential") -> Tensor:
    """Return how much a cell learns from an attempt u rows and v columns away, float64 `[5, 5]`.

    Raises:
        HandsightError: there is no such form.
    """
    if form not in get_args(Form):
        raise HandsightError(f"there is no kernel {form!r}; it can be one of {', '.join(get_args(Form))}")
    along = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64).square()
    squared = along[:, None] + along
    return (-(squared.sqrt() if form == "exponential" else squared)).exp()


def spread(points: Tensor, weights: Tensor, grid: int, form: Form = "exponential") -> Tensor:
    """Put weights at points, and spread them around: each a `kernel`, cut off by the edges, all summed.

    Args:
        points: int64 `[B, N, 2]`, row and column; where the weight is 0, of any value.
        weights: float `[B, N]`, or `[B, N, C]` for C maps.
        grid: cells a side, G.
        form: of the kernel.

    Returns:
        `[B, G, G]`, or `[B, C, G, G]`; of the weights' type and on their device.

    Raises:
        HandsightError: where shapes do not belong together, or a point with a weight is outside the grid.
    """
    if points.ndim != 3 or points.shape[2] != 2 or weights.shape[:2] != points.shape[:2]:
        raise HandsightError(
            f"points {list(points.shape)} came with weights {list(weights.shape)}; give [B, N, 2] and [B, N]"
        )
    of_several = weights if weights.ndim == 3 else weights[:, :, None]
    _check_points(points[(of_several != 0).any(dim=2)], grid)
    batch, maps = len(points), of_several.shape[2]
    cell = (points[..., 0] * grid + points[..., 1]).clamp(0, grid * grid - 1)
    placed = of_several.new_zeros(batch, maps, grid * grid)
    placed.scatter_add_(2, cell[:, None].expand(batch, maps, -1), of_several.transpose(1, 2))
    around = kernel(form).to(placed)[None, None]
    with torch.autocast(placed.device.type, enabled=False):
        each = functional.conv2d(placed.view(batch * maps, 1, grid, grid), around, padding=RADIUS)
    return each.view(batch, maps, grid, grid) if weights.ndim == 3 else each.view(batch, grid, grid)


def score_targets(
    points: Tensor, feedback: Tensor, grid: int, form: Form = "exponential"
) -> tuple[Tensor, Tensor]:
    """Return where scores are to rise and where to fall: fg and bg of equation 2.

    Args:
        points: int64 `[B, N, 2]`, row and column of each attempt.
        feedback: int64 `[B, N]`: `FAILED`, `RIGHT`, `TOO_SMALL` or `TOO_LARGE`; `UNUSED` for no attempt.
        grid: cells a side, G.
        form: of the kernel.

    Returns:
        The foreground and the background, float32 `[B, G, G]`, at least 0.

    Raises:
        HandsightError: where shapes do not belong together, feedback is none of these, or a point is outside.
    """
    _check_feedback(feedback)
    succeeded, failed = (feedback >= RIGHT).float(), (feedback == FAILED).float()
    both = spread(points, torch.stack([succeeded, failed], dim=2), grid, form)
    return both[:, 0], both[:, 1]


def force_rows(bins: Tensor, feedback: Tensor) -> Tensor:
    """Return what the forces of each attempt are to be, before it is spread: equation 3, normalised.

    The right force is to rise, or all above one that was too small, or all below one that was too large; then
    the mean is taken away and the sum of magnitudes made 1, so that the others fall. (Equation 3 prints < for
    too small and > for too large, the opposite of section 4.2 and of the released code; this is the latter.)

    The bins end somewhere: what is lighter than the lightest and what is heavier than the heaviest can say
    count as right. An agent that tries a smaller force, the predicted one and the largest one reports
    neither. Where an attempt failed, where there was none, and where no force was tested, all is zero.

    Args:
        bins: int64 `[…]`, of the force that was predicted, 0 to 2, or `UNTESTED`.
        feedback: int64 of the same shape; see `score_targets`.

    Returns:
        float32 `[…, 3]`.

    Raises:
        HandsightError: where the shapes differ, or a number is none of these.
    """
    if bins.shape != feedback.shape:
        raise HandsightError(
            f"bins {list(bins.shape)} came with feedback {list(feedback.shape)}; give one for each attempt"
        )
    _check_feedback(feedback)
    used = (feedback >= RIGHT) & (bins != UNTESTED)
    if bool(((bins < 0) | (bins >= FORCES))[used].any()):
        low, high = bins[used].min(), bins[used].max()
        raise HandsightError(
            f"bins of forces are {low} to {high}; give int64, 0 to {FORCES - 1}, or "
            f"{UNTESTED} for one that was not tested"
        )
    force, bin_ = torch.arange(FORCES, device=bins.device), bins[..., None]
    too_small = (feedback == TOO_SMALL)[..., None] & (bin_ < FORCES - 1)
    too_large = (feedback == TOO_LARGE)[..., None] & (bin_ > 0)
    rise = torch.where(too_small, force > bin_, torch.where(too_large, force < bin_, force == bin_)).float()
    centred = rise - rise.mean(dim=-1, keepdim=True)
    rows = centred / centred.abs().sum(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return torch.where(used[..., None], rows, torch.zeros_like(rows))


def force_targets(
    points: Tensor, bins: Tensor, feedback: Tensor, grid: int, form: Form = "exponential"
) -> Tensor:
    """Return which forces are to rise and which to fall around successful attempts: ft of equation 3.

    Args:
        points: int64 `[B, N, 2]`, row and column of each attempt.
        bins: int64 `[B, N]`, of the force that was predicted; see `force_rows`.
        feedback: int64 `[B, N]`; see `score_targets`.
        grid: cells a side, G.
        form: of the kernel.

    Returns:
        float32 `[B, 3, G, G]`; over its three bins the mean is 0.

    Raises:
        HandsightError: see `force_rows` and `spread`.
    """
    return spread(points, force_rows(bins, feedback), grid, form)


def _check_feedback(feedback: Tensor) -> None:
    if feedback.dtype != torch.int64 or bool(((feedback < UNUSED) | (feedback > TOO_LARGE)).any()):
        dtype = str(feedback.dtype).removeprefix("torch.")
        raise HandsightError(
            f"feedback is {dtype}, {feedback.min()} to {feedback.max()}; give int64: {FAILED} failed, "
            f"{RIGHT} right, {TOO_SMALL} too small, {TOO_LARGE} too large, {UNUSED} for no attempt"
        )


def _check_points(points: Tensor, grid: int) -> None:
    """Refuse points `[n, 2]` outside the grid."""
    if points.dtype != torch.int64 or bool(((points < 0) | (points >= grid)).any()):
        dtype = str(points.dtype).removeprefix("torch.")
        raise HandsightError(
            f"points are {dtype}, {points.min()} to {points.max()}; give int64 rows and columns, "
            f"0 to {grid - 1}"
        )
