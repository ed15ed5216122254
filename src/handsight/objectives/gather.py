"""Embeddings of all processes, with gradients that flow back to the process each came from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from handsight.errors import HandsightError


def world() -> tuple[int, int]:
    """Return this process's rank and the number of processes; (0, 1) outside distributed training."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def gather(rows: Tensor) -> Tensor:
    """Return the rows of all processes, in the order of their ranks.

    Backward, each process receives the sum of all processes' gradients for its own rows. Averaged over
    processes, as distributed data parallel training does, the gradients of losses that are means over a
    process's own rows are then those of one process that holds the whole batch.

    Args:
        rows: `[B, D]`, as many in every process.

    Returns:
        `[processes · B, D]`; `rows` itself where there is one process.

    Raises:
        HandsightError: in every process, where the processes' numbers of rows differ.
    """
    _, processes = world()
    if processes == 1:
        return rows
    # Unequal tensors would hang or corrupt the collective below, so the sizes go first.
    size = torch.tensor([rows.shape[0]], device=rows.device)
    sizes = [torch.empty_like(size) for _ in range(processes)]
    dist.all_gather(sizes, size)
    counts = [int(count) for count in sizes]
    if len(set(counts)) > 1:
        raise HandsightError(
            f"the processes hold {counts} embeddings; "
            "give each the same number (drop the last, incomplete batch)"
        )
    gathered: Tensor = _Gather.apply(rows)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        everyone = [
            torch.empty_like(rows, memory_format=torch.contiguous_format)
            for _ in range(dist.get_world_size())
        ]
        dist.all_gather(everyone, rows.contiguous())
        return torch.cat(everyone)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]
