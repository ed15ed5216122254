"""Slow copies: a network that follows another as an exponential moving average of its weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from handsight.errors import HandsightError


class SlowCopy(nn.Module):
    """A copy of a module whose weights follow it as an exponential moving average.

    Its weights take no gradient, and its batch norms see their own batches.

    Args:
        module: what is copied.
        momentum: share of the copy that is kept at each update, in [0, 1].
    """

    def __init__(self, module: nn.Module, momentum: float) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise HandsightError(f"momentum is {momentum}; it lies between 0 and 1")
        self.momentum = momentum
        self.module = copy.deepcopy(module).requires_grad_(False)

    def forward(self, *arguments: Any) -> Any:
        """Call the copy, without gradients."""
        with torch.no_grad():
            return self.module(*arguments)

    @torch.no_grad()
    def follow(self, module: nn.Module) -> None:
        """Move the copy's weights towards the module's."""
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self.momentum)
