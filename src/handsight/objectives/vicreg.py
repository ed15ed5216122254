"""VICReg: two embeddings of one sample agree, each number varies, and no two say the same (ICLR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives.gather import gather


def vicreg(
    first: Tensor,
    second: Tensor,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Tensor:
    """Return invariance, variance and covariance, weighted (Bardes, Ponce and LeCun 2022, equations 1 to 6).

    Invariance is the mean squared difference; variance is how far each number's standard deviation over the
    batch stays below 1, averaged over both embeddings; covariance is the sum of the squared covariances of
    different numbers over D, added up over both. Deviations and covariances are those of the batch of all
    processes.

    Args:
        first: `[B, D]`.
        second: `[B, D]`; row i belongs to row i of `first`.
        invariance: weight λ.
        variance: weight μ.
        covariance: weight ν.

    Returns:
        A scalar in float32 (float64 for float64), also under autocast.

    Raises:
        HandsightError: where the shapes differ, or there is one pair and so no deviation.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise HandsightError(
            f"vicreg got embeddings {list(first.shape)} and {list(second.shape)};"
            " give two of one shape [B, D]"
        )
    with torch.autocast(first.device.type, enabled=False):
        precise = torch.promote_types(first.dtype, torch.float32)
        everyone = [gather(side.to(precise)) for side in (first, second)]
        if len(everyone[0]) < 2:
            raise HandsightError(
                f"vicreg got {len(everyone[0])} pair(s); a deviation takes at least 2: make the batch larger"
            )
        agree = functional.mse_loss(everyone[0], everyone[1])
        vary = torch.stack([_below_one(side) for side in everyone]).mean()
        differ = torch.stack([_covariance(side) for side in everyone]).sum()
        return invariance * agree + variance * vary + covariance * differ


def _below_one(embedding: Tensor) -> Tensor:
    """Return how far standard deviations stay below 1; the small addend keeps the root's slope finite."""
    return functional.relu(1 - torch.sqrt(embedding.var(dim=0) + 1e-4)).mean()


def _covariance(embedding: Tensor) -> Tensor:
    rows, size = embedding.shape
    centred = embedding - embedding.mean(dim=0)
    covariance = centred.T @ centred / (rows - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / size


class Expander(nn.Sequential):
    """The head between representation and VICReg: two hidden layers with batch norm and ReLU.

    The paper's is 8192 wide throughout.

    Args:
        features: D of the representation.
        hidden: width of the hidden layers.
        out: D of the embedding.
    """

    def __init__(self, features: int, hidden: int = 2048, out: int = 2048) -> None:
        super().__init__(
            *(nn.Linear(features, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            nn.Linear(hidden, out),
        )
