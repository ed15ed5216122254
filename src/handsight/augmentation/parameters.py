"""The random parameters of an augmentation, drawn for a whole batch at once, one row per image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

CROP_TRIES = 10
"""Boxes tried per image before the central crop is taken, as in torchvision's
`RandomResizedCrop.get_params`."""


@dataclass(frozen=True)
class Parameters:
    """How each of N images is to be augmented.

    Where two views of a sample must be mirrored together (their label is what lies between them, and it moves
    under mirroring), give the second the first one's: `dataclasses.replace(second, flip=first.flip)`.

    Args:
        crop: int64 `[N, 4]`, top, left, height and width of the box in pixels of the original image.
        jitter: bool `[N]`, whether the colours change.
        factors: float32 `[N, 4]`, of brightness, contrast and saturation (1 changes nothing) and the turn of
            the hue (0 changes nothing).
        order: int64 `[N, 4]`, a permutation: which column of `factors` is applied first, second, third and
            fourth.
        grey: bool `[N]`, whether the image becomes grey.
        flip: bool `[N]`, whether it is mirrored left to right.
        blur: float32 `[N]`, standard deviation of the Gaussian blur in pixels of the result; 0 where there is
            none.
        height: of the original images, in pixels.
        width: of the original images, in pixels.
        may_flip: whether any draw with these settings could mirror, also where this one did not.
    """

    crop: Tensor
    jitter: Tensor
    factors: Tensor
    order: Tensor
    grey: Tensor
    flip: Tensor
    blur: Tensor
    height: int
    width: int
    may_flip: bool

    def __len__(self) -> int:
        return self.crop.shape[0]

    def slice(self, start: int, stop: int) -> Parameters:
        """Return rows `start` up to `stop`, exclusive: one process's part of the global batch."""
        return self._each(lambda rows: rows[start:stop])

    def select(self, index: Tensor) -> Parameters:
        """Return the rows at `index`, int64 `[M]` or bool `[N]`."""
        return self._each(lambda rows: rows[index])

    def to(self, device: torch.device | str) -> Parameters:
        """Return the parameters on a device.

        They may stay on the CPU: what is needed elsewhere is moved where it is applied, and the choice of
        rows then costs no synchronisation.
        """
        return self._each(lambda rows: rows.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Parameters:
        tensors: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: change(rows) for name, rows in tensors.items() if isinstance(rows, Tensor)}
        return replace(self, **(tensors | changed))


def draw_crops(
    generator: torch.Generator,
    count: int,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Tensor:
    """Draw the boxes of random resized crops (Szegedy et al., 2015).

    They are distributed as torchvision's `RandomResizedCrop.get_params` draws them.


    Args:
        generator: on the CPU.
        count: boxes to draw.
        height: of the image, in pixels.
        width: of the image, in pixels.
        scale: least and most area of the box, as parts of the image's area.
        ratio: least and most width / height of the box.

    Returns:
        int64 `[count, 4]`: top, left, height, width.
    """
    areas = height * width * uniform(generator, (count, CROP_TRIES), scale)
    ratios = uniform(generator, (count, CROP_TRIES), (math.log(ratio[0]), math.log(ratio[1]))).exp()
    place = uniform(generator, (count, 2), (0.0, 1.0))

    widths, heights = (areas * ratios).sqrt().round().long(), (areas / ratios).sqrt().round().long()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    # argmax finds the first try that fits: among equal values it takes the lowest index on the CPU.
    first = fits.int().argmax(dim=1, keepdim=True)
    size = torch.cat([heights.gather(1, first), widths.gather(1, first)], dim=1)
    room = torch.tensor([height, width]) - size + 1
    corner = torch.minimum((place * room).long(), room - 1)
    boxes = torch.cat([corner, size], dim=1)
    return torch.where(fits.any(dim=1, keepdim=True), boxes, torch.tensor(_central_box(height, width, ratio)))


def uniform(generator: torch.Generator, shape: tuple[int, ...], limits: tuple[float, float]) -> Tensor:
    """Draw float64 numbers between two limits."""
    return limits[0] + (limits[1] - limits[0]) * torch.rand(shape, generator=generator, dtype=torch.float64)


def _central_box(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    box_height, box_width = height, width
    if width / height < ratio[0]:
        box_height = round(width / ratio[0])
    elif width / height > ratio[1]:
        box_width = round(height * ratio[1])
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width
