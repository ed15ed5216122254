"""Contrast: two embeddings of one sample attract, all others of the batch repel (SimCLR, ICML 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives.gather import gather, world


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """Return the normalised temperature-scaled cross-entropy (SimCLR, equation 1).

    Every embedding, of either kind, is an anchor once: −log of the softmax share of its partner among the
    cosine similarities to all other embeddings, those of its own kind included. With several processes the
    others come from all of them and the mean is over this process's anchors, so that the processes' mean
    gradient is that of one process with the whole batch.

    Args:
        first: `[B, D]`, of any length (they are normalised here).
        second: `[B, D]`; row i belongs to row i of `first`.
        temperature: > 0.

    Returns:
        A scalar in float32 (float64 for float64), also under autocast.

    Raises:
        HandsightError: where the shapes differ, the temperature is not positive, or there is one pair and so
        nothing to contrast it with.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise HandsightError(
            f"nt_xent got embeddings {list(first.shape)} and {list(second.shape)}; "
            "give two of one shape [B, D]"
        )
    if not temperature > 0:
        raise HandsightError(f"nt_xent's temperature is {temperature}; give a number above 0")
    rank, processes = world()
    batch = first.shape[0]
    if batch * processes < 2:
        raise HandsightError(
            f"nt_xent got {batch} pair(s); each is contrasted with the others, so give a batch of at least 2"
        )

    with torch.autocast(first.device.type, enabled=False):
        precise = torch.promote_types(first.dtype, torch.float32)
        anchors = [functional.normalize(side.to(precise), dim=1) for side in (first, second)]
        others = torch.cat([gather(side) for side in anchors])
        similarity = torch.cat(anchors) @ others.T / temperature
        # `others` holds everyone's first, then everyone's second embeddings; ours begin at rank · batch.
        row = torch.arange(2 * batch, device=first.device)
        own = rank * batch + torch.where(row < batch, row, row + (processes - 1) * batch)
        partner = (own + processes * batch) % (2 * processes * batch)
        similarity = similarity.scatter(1, own[:, None], float("-inf"))
        return functional.cross_entropy(similarity, partner)


class Projector(nn.Sequential):
    """The head between representation and contrast: one hidden layer with batch norm and ReLU.

    Action-aware SSL's is 512 → 256 → 128.

    Args:
        features: D of the representation.
        hidden: width of the hidden layer.
        out: D of the embedding.
    """

    def __init__(self, features: int, hidden: int = 256, out: int = 128) -> None:
        super().__init__(
            nn.Linear(features, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out)
        )
