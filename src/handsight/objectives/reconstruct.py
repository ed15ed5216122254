"""Reconstruction: a picture is painted from what an encoder keeps of it (The Curious Robot, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from handsight.errors import HandsightError
from handsight.objectives.maps import OnMap, draw_gaussian, thinned

COLOURS_N = 3

CHANNELS = (256, 128, 64, 32, 16)
"""Maps at the decoder's smallest size, at twice that, and so on; beyond the last they are no fewer."""

SMALLEST_PX = 4
"""A decoder's smallest maps have this side, or less than twice of it."""


class PictureDecoder(nn.Sequential):
    """A picture from what lies at a tap, `[B, D]` or `[B, C, h, w]` → `[B, 3, size, size]`.

    A vector becomes a map of 4 to 7 pixels a side by a linear layer; a map keeps its pixels. Then the map is
    enlarged twofold, time and again, and convolved (3 × 3), with fewer channels at each size, up to the
    picture's. Colours are not bounded: a squashed output would have no gradient left where pictures are
    black or white.

    Args:
        shape: of the tap without the batch.
        size: side of the picture, pixels.
        width: factor on the number of channels.

    Raises:
        HandsightError: for a shape that no tap has, a picture without pixels, or a width not above 0.
    """

    def __init__(self, shape: Sequence[int], size: int, width: float = 1.0) -> None:
        if size < 1:
            raise HandsightError(f"a decoder's picture has a side of {size} px; give at least 1")
        foot = OnMap(shape)
        channels, height, breadth = foot.shape
        sides = _sides(size)
        maps = [thinned(CHANNELS[min(nth, len(CHANNELS) - 1)], width) for nth in range(len(sides))]
        layers: list[nn.Module] = [foot]
        if height == breadth == 1:
            grid = (maps[0], sides[0], sides[0])
            layers += [nn.Flatten(), nn.Linear(channels, maps[0] * sides[0] ** 2), nn.Unflatten(1, grid)]
        else:
            # What is finer than the smallest maps begins as far up as its own pixels are kept.
            while len(sides) > 1 and sides[0] < max(height, breadth):
                sides, maps = sides[1:], maps[1:]
            layers += [nn.Conv2d(channels, maps[0], 3, padding=1), nn.Upsample(sides[0])]
        layers.append(nn.ReLU())
        # By the nearest pixel: the gradient of a bilinear enlargement differs from run to run on GPUs.
        for side, (fewer, more) in zip(sides[1:], pairwise(maps), strict=True):
            layers += [nn.Upsample(side), nn.Conv2d(fewer, more, 3, padding=1), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(maps[-1], COLOURS_N, 3, padding=1))
        draw_gaussian(self)


def reconstruction_loss(painted: Tensor, picture: Tensor) -> Tensor:
    """Return the mean squared difference of two pictures, over samples, colours and pixels.

    Args:
        painted: `[B, 3, H, W]`, what the decoder gives.
        picture: `[B, 3, H, W]`, what it was to be, in [0, 1]; no gradient flows to it.

    Returns:
        A scalar in float32 (float64 for float64), also where what was painted is in half precision.

    Raises:
        HandsightError: where the shapes differ, are no pictures', or there is no picture.
    """
    if painted.ndim != 4 or painted.shape != picture.shape or not painted.numel():
        raise HandsightError(
            f"reconstruction_loss got pictures {list(painted.shape)} and {list(picture.shape)}; "
            "give two of one shape [B, 3, H, W], B at least 1"
        )
    precise = torch.promote_types(painted.dtype, torch.float32)
    return (painted.to(precise) - picture.detach().to(precise)).square().mean()


def _sides(size: int) -> list[int]:
    """Return the sides of a decoder's maps, pixels, from the smallest to the picture's, twofold each."""
    sides = [size]
    while sides[0] >= 2 * SMALLEST_PX:
        sides.insert(0, (sides[0] + 1) // 2)
    return sides
