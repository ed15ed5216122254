"""Several processes: gradients averaged, batch norm over the global batch, on CPUs too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed
import torch.distributed.nn.functional as collective
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from handsight.errors import HandsightError


def world_size() -> int:
    """Return how many processes train together."""
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if ready else 1


@contextmanager
def told_when_left() -> Iterator[None]:
    """Say in one line that another of the processes that train together has ended.

    Raises:
        HandsightError: in place of what the collective operation that waited for it raised.
    """
    try:
        yield
    except RuntimeError as error:
        # Gloo raises a bare RuntimeError that names its source file.
        if world_size() == 1 or not (isinstance(error, torch.distributed.DistError) or "gloo" in str(error)):
            raise
        raise HandsightError(
            f"another of the {world_size()} processes of this run has ended; it said why, or it was killed."
            " Give the same command again to go on from the last checkpoint"
        ) from error


def same_everywhere(number: int, device: torch.device) -> bool:
    """Return whether every process has the same number; each of them has to ask."""
    if world_size() == 1:
        return True
    extremes = torch.tensor([number, -number], device=device)
    torch.distributed.all_reduce(extremes, torch.distributed.ReduceOp.MAX)
    return int(extremes[0]) == -int(extremes[1])


def average_gradients(module: nn.Module) -> None:
    """Replace every gradient by its mean over the processes, in one message."""
    size = world_size()
    if size == 1:
        return
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= size
    means = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))


def synchronise_batch_norm(module: nn.Module) -> None:
    """Make every batch norm of a module use the statistics of the global batch.

    `torch.nn.SyncBatchNorm` refuses CPU tensors; this works over gloo as over NCCL. Parameters and buffers
    stay the same objects.
    """
    if world_size() == 1:
        return
    for parent in module.modules():
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, _SynchronisedNorm):
                setattr(parent, name, _SynchronisedNorm(child))


def _summed(value: Tensor) -> Tensor:
    """Return the sum over the processes, differentiable."""
    total: Tensor = collective.all_reduce(value)  # type: ignore[no-untyped-call]
    return total


class _SynchronisedNorm(_BatchNorm):
    """A batch norm over all processes, with the parameters, buffers and activation of the one it replaces."""

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self._parameters.update(norm._parameters)
        self._buffers.update(norm._buffers)
        # timm folds dropout and activation into its norm; they go on after ours.
        folded: Any = norm if isinstance(norm, BatchNormAct2d) else None
        self.drop: nn.Module = nn.Identity() if folded is None else folded.drop
        self.act: nn.Module = nn.Identity() if folded is None else folded.act
        self.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape `[N, C, …]` will do."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return self._activated(super().forward(input))
        axes = [0, *range(2, input.dim())]
        shape = [1, -1, *[1] * (input.dim() - 2)]
        exact = input.float()
        count = input.numel() / input.shape[1] * world_size()
        # Two passes, mean first: the sum of squares alone loses digits where the mean is large.
        mean = _summed(exact.sum(axes)) / count
        centred = exact - mean.view(shape)
        variance = _summed(centred.square().sum(axes)) / count
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            self._update(mean.detach(), variance.detach() * count / max(1.0, count - 1))
        normalised = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return self._activated(normalised.to(input.dtype))

    def _update(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        momentum = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        assert momentum is not None
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)

    def _activated(self, value: Tensor) -> Tensor:
        result: Any = self.act(self.drop(value))
        assert isinstance(result, Tensor)
        return result
