"""Proposals: from scores and embeddings of cells to things, each with a point and a force to touch it with.

Learning about objects by learning to interact with them (NeurIPS 2020), section 4.1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from handsight.errors import HandsightError
from handsight.objectives.grouping import NEAR

MOST = 32
"""Things that are proposed in a picture at most; the released code's."""


class Proposals(NamedTuple):
    """What is proposed in each picture, best first.

    Args:
        points: int64 `[B, M, 2]`, row and column of the cell to touch.
        scores: `[B, M]`, how likely touching there moves something, 0 to 1.
        bins: int64 `[B, M]`, of the force that this takes.
        masks: bool `[B, M, G, G]`, the cells of the thing; those of one picture do not overlap.
        valid: bool `[B, M]`, false from where on there is nothing more; all else is 0 there.
    """

    points: Tensor
    scores: Tensor
    bins: Tensor
    masks: Tensor
    valid: Tensor


@torch.no_grad()
def propose(
    scores: Tensor, logits: Tensor, embeddings: Tensor, count: int = MOST, threshold: float = -math.inf
) -> Proposals:
    """Propose things in pictures, those of all pictures at once.

    Over and over: the cell of the highest score is the seed; those nearer to its embedding than a squared
    distance of 1 have a mean; those nearer to the mean than that are the thing, and out of the game (the
    paper sets their scores and embeddings to −∞). So is the seed, also where numbers are no numbers.

    Args:
        scores: `[B, G, G]`, logits.
        logits: `[B, F, G, G]`, of forces.
        embeddings: `[B, D, G, G]`.
        count: things in a picture at most, M.
        threshold: a logit, which a seed's score reaches; without it, all cells are shared out.

    Returns:
        At most `count` things for each picture; on the device of the scores.

    Raises:
        HandsightError: where shapes do not belong together, or the count is below 1.
    """
    _check(scores, logits, embeddings, count)
    batch, height, width = scores.shape
    left = scores.flatten(1).float().clone()
    cells = embeddings.flatten(2).transpose(1, 2).float().contiguous()
    forces = logits.flatten(2).argmax(dim=1)
    picture = torch.arange(batch, device=scores.device)
    found = Proposals(
        points=torch.zeros(batch, count, 2, dtype=torch.int64, device=scores.device),
        scores=left.new_zeros(batch, count),
        bins=torch.zeros(batch, count, dtype=torch.int64, device=scores.device),
        masks=torch.zeros(batch, count, height, width, dtype=torch.bool, device=scores.device),
        valid=torch.zeros(batch, count, dtype=torch.bool, device=scores.device),
    )
    free = torch.ones_like(left, dtype=torch.bool)
    for number in range(count):
        best, seed = left.max(dim=1)
        going = (best >= threshold) & (best > -math.inf)
        if not bool(going.any()):
            break
        around = _near(cells, cells[picture, seed]) & free
        mean = (around[:, None].float() @ cells)[:, 0] / around.sum(dim=1, keepdim=True)
        thing = _near(cells, mean) & free & going[:, None]
        taken = thing.clone()
        taken[picture, seed] = True
        free &= ~taken
        left.masked_fill_(taken, -math.inf)
        found.points[:, number] = torch.stack([seed // width, seed % width], dim=1) * going[:, None]
        found.scores[:, number] = best.sigmoid() * going
        found.bins[:, number] = forces[picture, seed] * going
        found.masks[:, number] = thing.view(batch, height, width)
        found.valid[:, number] = going
    return found


def _near(cells: Tensor, centre: Tensor) -> Tensor:
    """Return which cells `[B, G², D]` lie nearer to a centre `[B, D]` than 1, bool `[B, G²]`."""
    # Not by way of products, which lose the difference of embeddings that are large.
    apart = torch.cdist(cells, centre[:, None], compute_mode="donot_use_mm_for_euclid_dist")
    return apart[:, :, 0] < math.sqrt(NEAR)


def _check(scores: Tensor, logits: Tensor, embeddings: Tensor, count: int) -> None:
    if count < 1:
        raise HandsightError(f"{count} proposals were asked for; give at least 1")
    shapes = [(len(each), *each.shape[2:]) for each in (logits, embeddings)]
    if scores.ndim != 3 or any(shape != tuple(scores.shape) for shape in shapes):
        raise HandsightError(
            f"scores {list(scores.shape)} came with logits {list(logits.shape)} and embeddings "
            f"{list(embeddings.shape)}; give [B, G, G], [B, F, G, G] and [B, D, G, G]"
        )
