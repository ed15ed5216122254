"""Preprocessing: from whatever picture an encoder is given to what its trunk takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

from handsight.errors import HandsightError

Fit = Literal["stretch", "crop"]
"""How a picture becomes square: all of it, stretched; or the middle of it, at the scale of its short side."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

RANGE_SLACK = 1e-4
"""How far outside [0, 1] a float image may lie: what a resize in half precision leaves, and no more."""


class Preprocessing(nn.Module):
    """Resize to `image_size` × `image_size` (bilinear, antialiased), then normalise by channel.

    It holds no parameters and adds nothing to a state dict: its settings belong to the encoder's metadata.

    Args:
        image_size: side of the trunk's input, pixels.
        mean: of each channel, RGB, images in [0, 1].
        std: of each channel, RGB, images in [0, 1].
        fit: what happens to images that are not square.

    Raises:
        HandsightError: where a setting is not one that images can be processed with.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_size: int,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        fit: Fit = "stretch",
    ) -> None:
        super().__init__()
        if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < 1:
            raise HandsightError(
                f"image_size is {image_size!r}; give the side of the encoder's input in pixels, such as 64"
            )
        if fit not in get_args(Fit):
            raise HandsightError(f"fit is {fit!r}; it can be one of {', '.join(get_args(Fit))}")
        self.image_size = image_size
        self.fit: Fit = fit
        self.channel_mean = _three_numbers("mean", mean)
        self.channel_std = _three_numbers("std", std)
        if min(self.channel_std) <= 0:
            raise HandsightError(f"std is {list(std)}; each channel's standard deviation must be above 0")
        self.register_buffer("mean", torch.tensor(self.channel_mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.channel_std).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images into the trunk's input.

        Args:
            images: uint8 `[B, 3, H, W]` or `[B, H, W, 3]`, or floats in [0, 1] of the same shapes; RGB. The
                range is not looked at, since the CPU would wait for the GPU at each step: see `check_range`.

        Returns:
            `[B, 3, image_size, image_size]`, normalised, channels last in memory; differentiable in floats.

        Raises:
            HandsightError: for another dtype or shape.
        """
        images = (self.resize(images) - self.mean) / self.std
        return images.to(self.mean.dtype).contiguous(memory_format=torch.channels_last)

    def resize(self, images: Tensor) -> Tensor:
        """Turn images, as `forward` takes them, into float32 `[B, 3, image_size, image_size]` in [0, 1].

        Raises:
            HandsightError: for another dtype or shape.
        """
        images = to_unit_range(images)
        size = self.image_size
        if images.shape[-2:] == (size, size):
            return images
        if self.fit == "stretch":
            resized: Tensor = transforms.resize(images, [size, size], antialias=True)
        else:
            resized = transforms.center_crop(transforms.resize(images, [size], antialias=True), [size, size])
        return resized


def to_unit_range(images: Tensor) -> Tensor:
    """Return images as float32 `[B, 3, H, W]` in [0, 1].

    Args:
        images: uint8 or float, `[B, 3, H, W]` or `[B, H, W, 3]`; the first where both readings are possible.

    Raises:
        HandsightError: for another dtype or shape.
    """
    if images.dtype != torch.uint8 and not images.is_floating_point():
        dtype = str(images.dtype).removeprefix("torch.")
        raise HandsightError(f"images are {dtype}; give uint8 (0 to 255) or floats in [0, 1]")
    if images.ndim != 4:
        hint = {
            3: "; put one image into a batch with images[None]",
            5: "; join the leading axes with images.flatten(0, 1)",
        }
        raise HandsightError(
            f"images have shape {list(images.shape)}; expected [B, 3, H, W] or [B, H, W, 3]"
            f"{hint.get(images.ndim, '')}"
        )
    if images.shape[1] != 3:
        if images.shape[3] != 3:
            raise HandsightError(
                f"images have shape {list(images.shape)}: no three channels on axis 1 or 3; give RGB images"
            )
        images = images.permute(0, 3, 1, 2)
    if 0 in images.shape[2:]:
        raise HandsightError(
            f"images have shape {list(images.shape)}: they hold no pixels; give images of at least 1 × 1"
        )
    return images.float().div(255) if images.dtype == torch.uint8 else images.float()


def picture_size(images: Tensor) -> tuple[int, int]:
    """Return height and width of images as `to_unit_range` takes them, pixels."""
    height, width = images.shape[2:] if images.shape[1] == 3 else images.shape[1:3]
    return height, width


def check_range(images: Tensor) -> None:
    """Refuse float images that do not lie in [0, 1]; on a GPU this waits for the device.

    Raises:
        HandsightError: naming the range that came.
    """
    if not images.is_floating_point() or images.numel() == 0:
        return
    low, high = (float(value) for value in torch.aminmax(images.detach()))
    if not (low >= -RANGE_SLACK and high <= 1 + RANGE_SLACK):  # written so that NaN is refused too
        advice = (
            "divide by 255, or give uint8"
            if high > 1 and low >= 0
            else "give images before any normalisation"
        )
        raise HandsightError(f"float images span {low:.4g} to {high:.4g}; expected [0, 1]: {advice}")


def _three_numbers(what: str, values: Sequence[float]) -> tuple[float, ...]:
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise HandsightError(
            f"{what} is {list(values)}; give three finite numbers, one for each of R, G and B"
        )
    return tuple(float(value) for value in values)
