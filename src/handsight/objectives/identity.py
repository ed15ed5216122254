"""Identity: pictures of one interaction lie close, others apart (The Curious Robot, ECCV 2016)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from handsight.errors import HandsightError


def identity_loss(first: Tensor, second: Tensor, same: Tensor, margin: float = 0.0) -> Tensor:
    """Return the mean cosine embedding loss of pairs (section 3.5).

    It is 1 − cos for a pair of one interaction, and what cos exceeds the margin by for other pairs. The
    paper names no margin; 0 is the usual one. After a ReLU it asks other pairs to share no feature at all.

    Args:
        first: `[B, D]`, of any length.
        second: `[B, D]`; row i is compared with row i of `first`.
        same: `[B]`, 1 or true where both come from one interaction, otherwise 0.
        margin: from −1 to 1.

    Returns:
        A scalar in [0, 2], in float32 (float64 for float64), also under autocast.

    Raises:
        HandsightError: where shapes do not belong together, there is no pair, or the margin is no cosine.
    """
    if first.ndim != 2 or first.shape != second.shape or same.shape != first.shape[:1] or not len(first):
        raise HandsightError(
            f"identity_loss got embeddings {list(first.shape)} and {list(second.shape)} with labels "
            f"{list(same.shape)}; give two of one shape [B, D] and a label for each of B pairs, B at least 1"
        )
    if not -1 <= margin <= 1:
        raise HandsightError(f"identity_loss's margin is {margin}; give a cosine, from -1 to 1")
    if bool(((same != 0) & (same != 1)).any()):
        raise HandsightError(f"labels of pairs are {same.min()} to {same.max()}; give 1 (same) or 0 (not)")
    with torch.autocast(first.device.type, enabled=False):
        precise = torch.promote_types(first.dtype, torch.float32)
        one, other = (functional.normalize(side.to(precise), dim=1) for side in (first, second))
        cosine = (one * other).sum(dim=1)
        return torch.where(same == 1, 1 - cosine, (cosine - margin).relu()).mean()
