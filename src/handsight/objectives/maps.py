"""Maps: what the heads share that stand on a tap of an encoder, whatever its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from handsight.errors import HandsightError

QUIET = 0.1
"""How large the last layer of a head is drawn, beside the others."""


def nearest(maps: Tensor, side: int) -> Tensor:
    """Return maps `[B, …, h, w]` with sides of this length: recordings may have been made at another size."""
    if maps.shape[-2:] == (side, side):
        return maps
    channels = maps.reshape(len(maps), -1, *maps.shape[-2:])
    resized = functional.interpolate(channels, (side, side), mode="nearest-exact")
    return resized.view(*maps.shape[:-2], side, side)


class OnMap(nn.Module):
    """The foot of a head: what lies at a tap, `[B, C, h, w]` or `[B, D]`, as a map.

    Args:
        shape: of the tap without the batch: `(C, h, w)`, or `(D,)` for a vector, a map of one pixel.

    Attributes:
        shape: C, h and w of the maps that it gives.

    Raises:
        HandsightError: for a shape that no map has.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise HandsightError(
                f"a head was to stand on features of shape {list(shape)}; "
                "give [C, h, w] of a map or [D] of a vector, without the batch"
            )
        self.shape = (shape[0], *(shape[1:] or (1, 1)))

    @property
    def size(self) -> int:
        """Numbers in a map."""
        return math.prod(self.shape)

    def forward(self, features: Tensor) -> Tensor:
        """Return `[B, C, h, w]`."""
        maps = features[:, :, None, None] if features.ndim == 2 else features
        if maps.shape[1:] != self.shape:
            raise HandsightError(
                f"features of shape {list(features.shape)} came to a head for maps {list(self.shape)}; "
                "take them from the tap, and at the image size, that it was built for"
            )
        return maps


class _Shared(torch.autograd.Function):
    """Hands features on as they are, and a part of their gradient back."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, share: float) -> Tensor:
        ctx.share = share
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.share, None


def share_gradient(features: Tensor, share: float) -> Tensor:
    """Return features as they are; of their gradient only this share goes back into what made them.

    With a share of 1 / tasks, a root that several tasks stand on takes the mean of their gradients, and their
    heads take their own whole (The Curious Robot, section 3.5).

    Args:
        features: of any shape.
        share: from 0 to 1.

    Raises:
        HandsightError: where the share lies outside.
    """
    if not 0 <= share <= 1:
        raise HandsightError(f"a root's share of a gradient is {share}; give 0 to 1, as 1 / tasks")
    shared: Tensor = _Shared.apply(features, share)
    return shared


def thinned(count: int, width: float) -> int:
    """Return how many channels or neurons a layer has at a factor on all of them; at least 1.

    Raises:
        HandsightError: where the factor is not above 0.
    """
    if not 0 < width < math.inf:
        raise HandsightError(f"a head's width is {width}; give a factor above 0, such as 0.25")
    return max(1, round(count * width))


def draw_gaussian(head: nn.Module) -> None:
    """Draw the weights of a head from Gaussians, and set its biases to 0.

    The Curious Robot says no more than "Gaussian initialization" (section 3.5). The deviation is
    √(2 / inputs of a neuron), which hands the size of numbers on through ReLUs, at any width and on any
    backbone; and a tenth of that in the last layer, or what a head says before it has learned would be
    further off than saying the mean, and the first gradients into the root noise.
    """
    layers = [layer for layer in head.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        quiet = QUIET if layer is layers[-1] else 1.0
        nn.init.normal_(layer.weight, std=quiet * math.sqrt(2 / layer.weight[0].numel()))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
