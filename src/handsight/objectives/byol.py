"""BYOL: from one view, tell what a slow copy of the network says of the other (NeurIPS 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from handsight.errors import HandsightError


def byol(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of two embeddings brought to unit length (Grill et al. 2020, eq. 2).

    Args:
        prediction: `[B, D]`, of the network that learns.
        target: `[B, D]`, of its slow copy; no gradient flows to it.

    Returns:
        A scalar in [0, 4], in float32 (float64 for float64), also under autocast.

    Raises:
        HandsightError: where the shapes differ or there is no row.
    """
    if prediction.ndim != 2 or prediction.shape != target.shape or not len(prediction):
        raise HandsightError(
            f"byol got embeddings {list(prediction.shape)} and {list(target.shape)};"
            " give two of one shape [B, D], B at least 1"
        )
    with torch.autocast(prediction.device.type, enabled=False):
        precise = torch.promote_types(prediction.dtype, torch.float32)
        one, other = (functional.normalize(side.to(precise), dim=1) for side in (prediction, target.detach()))
        return (2 - 2 * (one * other).sum(dim=1)).mean()
