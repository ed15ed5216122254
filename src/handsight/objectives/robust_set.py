"""Robust set loss: a noisy mask stands for every mask that overlaps it enough.

Learning instance segmentation by interaction (Pathak et al., CVPR workshops 2018), section "robust set loss".
What is predicted is compared with the mask nearest to it that overlaps the noisy mask by at least a bound.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from handsight.errors import HandsightError

OVERLAP = 0.75
"""The least intersection over union of the authors' released code."""

_ROUNDING = 1e-9  # of a bound times a number of cells: 0.7 · 10 is 7, not a little more


@torch.no_grad()
def nearest_masks(logits: Tensor, masks: Tensor, overlap: float = OVERLAP) -> Tensor:
    """Return the masks of least cross-entropy to what is predicted, of those near enough to noisy ones.

    The authors raise and lower the logits on and off the noisy mask in small steps until the bound holds.
    Here it is solved exactly: from how many cells off the noisy mask are added it follows how many on it have
    to be kept, and either way those of the highest logits are the best; every number is tried.

    Args:
        logits: `[N, h, w]`, of each cell lying on the thing.
        masks: `[N, h, w]`, the noisy ones, bool, or numbers of which those above 0.5 are on the mask.
        overlap: the least intersection over union with the noisy mask, in (0, 1]; 1 gives the noisy masks.

    Returns:
        bool `[N, h, w]`; empty where the noisy mask is.

    Raises:
        HandsightError: the shapes differ, or the bound is out of its range.
    """
    if logits.ndim != 3 or masks.shape != logits.shape:
        raise HandsightError(
            f"logits {list(logits.shape)} came with masks {list(masks.shape)}; give maps [N, h, w] of one "
            "shape"
        )
    if not 0 < overlap <= 1:
        raise HandsightError(f"overlap is {overlap}; give a bound above 0, at most 1")
    said, on = logits.flatten(1).double(), masks.flatten(1) > 0.5
    size = on.sum(1, keepdim=True)
    cells = said.shape[1]
    gain_on, rank_on = _best_first(said, on)
    gain_off, rank_off = _best_first(said, ~on)
    added = torch.arange(cells + 1, device=said.device).expand(len(said), -1)
    wanted = (said.gt(0) & on).sum(1, keepdim=True)
    needed = (overlap * (size + added) - _ROUNDING).ceil().long()
    kept = torch.maximum(wanted, needed)
    possible = (needed <= size) & (added <= cells - size)
    gain = gain_on.gather(1, kept.clamp(max=cells)) + gain_off
    best = gain.masked_fill(~possible, -torch.inf).argmax(1, keepdim=True)
    chosen = (on & (rank_on < kept.gather(1, best))) | (~on & (rank_off < best))
    return chosen.view_as(masks)


def robust_set_loss(logits: Tensor, masks: Tensor, overlap: float = OVERLAP) -> Tensor:
    """Return the mean cross-entropy of what is predicted with `nearest_masks`.

    Args:
        logits: `[N, h, w]`, of each cell lying on the thing.
        masks: `[N, h, w]`, the noisy ones.
        overlap: see `nearest_masks`.

    Returns:
        Scalar, float32.

    Raises:
        HandsightError: as `nearest_masks`, and for no masks at all.
    """
    if len(logits) == 0:
        raise HandsightError("the batch of masks is empty; give at least one")
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    targets = nearest_masks(logits, masks, overlap).to(logits)
    return functional.binary_cross_entropy_with_logits(logits, targets)


def _best_first(said: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """Return sums of the highest logits there, `[N, cells + 1]` by how many, and each cell's rank, from 0."""
    order = said.masked_fill(~where, -torch.inf).argsort(dim=1, descending=True, stable=True)
    places = torch.arange(said.shape[1], device=said.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, places)
    sums = said.where(where, 0).gather(1, order).cumsum(1)
    return torch.cat([sums.new_zeros(len(sums), 1), sums], 1), rank
