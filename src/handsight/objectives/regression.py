"""Regression: numbers that were measured are told from what was seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from handsight.errors import HandsightError


def mean_squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference, over samples and numbers.

    Args:
        prediction: `[B, N]`.
        target: `[B, N]`, normalised as `TargetNormalisation` does it, so that each number counts as much as
            any other; no gradient flows to it.

    Returns:
        A scalar in float32 (float64 for float64), also where the prediction is in half precision.

    Raises:
        HandsightError: where the shapes differ or there is no row.
    """
    if prediction.ndim != 2 or prediction.shape != target.shape or not len(prediction):
        raise HandsightError(
            f"mean_squared_error got a prediction {list(prediction.shape)} and a target "
            f"{list(target.shape)}; give two of one shape [B, N], B at least 1"
        )
    precise = torch.promote_types(prediction.dtype, torch.float32)
    return (prediction.to(precise) - target.detach().to(precise)).square().mean()


class TargetNormalisation(nn.Module):
    """Brings each number of a target to mean 0 and standard deviation 1 over the training set.

    A number that never changes is only shifted, to 0: a head keeps its outputs whatever the data are. Mean
    and deviation are buffers: they are saved with the checkpoint and move with the module. An instance to
    load a checkpoint into is made with `TargetNormalisation.identity(size)`.

    Args:
        mean: `[N]`.
        std: `[N]`, > 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.float())
        self.register_buffer("std", std.float())

    @classmethod
    def identity(cls, size: int) -> TargetNormalisation:
        """Return a normalisation that changes nothing."""
        return cls(torch.zeros(size), torch.ones(size))

    @classmethod
    def of(cls, targets: Tensor, names: Sequence[str] | None = None) -> TargetNormalisation:
        """Measure the targets of a training set; a number that never changes is said in a warning.

        Args:
            targets: `[M, N]`.
            names: of the N numbers, for what is said about them.

        Raises:
            HandsightError: where there are fewer than two targets, one is not finite, or none of their
            numbers ever changes.
        """
        if targets.ndim != 2 or targets.shape[0] < 2:
            raise HandsightError(
                f"targets to normalise by have shape {list(targets.shape)}; "
                "give [M, N] with at least 2 of them"
            )
        called = [str(n) if names is None else f"{n} ('{names[n]}')" for n in range(targets.shape[1])]
        broken = (~targets.isfinite()).any(dim=0)
        if broken.any():
            raise HandsightError(
                f"target number {called[int(broken.nonzero()[0])]} is not finite somewhere; "
                "repair or leave out those episodes"
            )
        precise = targets.double()
        mean, std = precise.mean(dim=0), precise.std(dim=0, correction=0)
        # Less than this is float32's rounding, not a change.
        changes = std > 1e-6 * precise.abs().amax(dim=0)
        if not changes.any():
            raise HandsightError(
                f"none of the {len(called)} target numbers ever changes in the training set; "
                "there is nothing to learn from them"
            )
        still = [called[int(n)] for n in (~changes).nonzero()[:, 0]]
        if still:
            warnings.warn(
                f"of the target's numbers {', '.join(still)} never changes in the training set; "
                "nothing is learned from it",
                stacklevel=2,
            )
        return cls(mean, torch.where(changes, std, 1.0))

    def forward(self, targets: Tensor) -> Tensor:
        """Normalise targets, `[B, N]` → the same."""
        if targets.shape[-1] != len(self.mean):
            raise HandsightError(
                f"a target has {targets.shape[-1]} numbers; "
                f"the normalisation was measured on {len(self.mean)}"
            )
        return (targets - self.mean) / self.std

    def undo(self, predictions: Tensor) -> Tensor:
        """Bring what a head tells back to the units of what was measured, `[B, N]` → the same."""
        return predictions * self.std + self.mean
