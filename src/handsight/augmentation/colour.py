"""Colour jitter and grey, with a factor and an order per image, without a loop over images."""

from __future__ import annotations

import torch
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
"""Columns of the jitter's factors, in torchvision's order."""

GREY = (0.2989, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601, rounded as torchvision does)."""


def grey_of(images: Tensor) -> Tensor:
    """Return the grey of images `[N, 3, H, W]` as `[N, H, W]`."""
    red, green, blue = images.unbind(dim=1)
    return (red * GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])


def jitter_(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue in place, as torchvision's `adjust_*` do.

    The first three are all ratio · image + (1 − ratio) · base, clamped, with the base 0, the image's mean
    grey or each pixel's grey: each of the four steps is one such blend for the whole batch, and a turn of the
    hue for the images whose turn it is.

    Args:
        images: float32 `[N, 3, H, W]` in [0, 1]; changed.
        factors: float32 `[N, 4]`: brightness, contrast and saturation ≥ 0, hue in [−0.5, 0.5] turns of the
            colour wheel.
        order: int64 `[N, 4]`, the permutation in which they are applied; on the same device as `factors`,
            best the CPU.

    Returns:
        The same tensor.
    """
    for step in order.unbind(dim=1):
        factor = factors.gather(1, step[:, None])
        ratio = torch.where(step[:, None] == HUE, 1.0, factor)
        # One row per coefficient: of the image, of its mean grey, of its pixels' grey.
        mean_share = torch.where(step[:, None] == CONTRAST, 1.0 - factor, 0.0)
        grey_share = torch.where(step[:, None] == SATURATION, 1.0 - factor, 0.0)
        shares = torch.cat([ratio, mean_share, grey_share], dim=1).to(images.device)[:, :, None, None]
        grey = grey_of(images)
        mean = grey.mean(dim=(1, 2), keepdim=True)
        base = grey.mul_(shares[:, 2]).add_(mean.mul_(shares[:, 1]))
        images.mul_(shares[:, :1]).add_(base[:, None]).clamp_(0.0, 1.0)

        turned = ((step == HUE) & (factors[:, HUE] != 0)).nonzero()[:, 0]
        if len(turned):
            turn = factors[turned, HUE].to(images.device)
            turned = turned.to(images.device)
            images[turned] = turn_hue(images[turned], turn)
    return images


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Return the images with their hues turned.

    The same map as through hue, saturation and value, without its cases: with h the hue in sixths of a turn,
    red, green and blue are lowest + chroma · (|h − 3| − 1, 2 − |h − 2|, 2 − |h − 4|), the brackets clamped to
    [0, 1].

    Args:
        images: float32 `[N, 3, H, W]` in [0, 1].
        turn: float32 `[N]`, in turns of the colour wheel.

    Returns:
        float32 `[N, 3, H, W]`.
    """
    red, green, blue = images.unbind(dim=1)
    highest = torch.maximum(torch.maximum(red, green), blue)
    lowest = torch.minimum(torch.minimum(red, green), blue)
    chroma = highest - lowest
    # Grey pixels have no hue: any does, as their chroma is 0.
    scale = chroma.clamp(min=1e-12).reciprocal_()
    of_green = (blue - red).mul_(scale).add_(2.0)
    of_blue = (red - green).mul_(scale).add_(4.0)
    hue = torch.where(highest == green, of_green, of_blue)
    hue = torch.where(highest == red, (green - blue).mul_(scale), hue)
    hue.add_(6.0 * turn[:, None, None]).remainder_(6.0)
    turned = torch.empty_like(images)
    brackets = (
        (hue - 3.0).abs_().sub_(1.0),
        (hue - 2.0).abs_().neg_().add_(2.0),
        (hue - 4.0).abs_().neg_().add_(2.0),
    )
    for channel, bracket in enumerate(brackets):
        torch.addcmul(lowest, chroma, bracket.clamp_(0.0, 1.0), out=turned[:, channel])
    return turned
