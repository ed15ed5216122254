"""Crop, resize and mirror as one linear map: a matrix per axis and image, by batched products."""

from __future__ import annotations

import torch
from torch import Tensor


def axis_weights(
    start: Tensor, length: Tensor, input_size: int, output_size: int, flip: Tensor | None = None
) -> Tensor:
    """Return the matrices that cut `length` pixels from `start` out of an axis and resize them.

    The filter is the antialiased triangle of Pillow and of `torch.nn.functional.interpolate(mode="bilinear",
    antialias=True)`: as wide as the reduction where the cut shrinks, plain linear interpolation where it
    grows, cut off at the box's edge and normalised.

    Args:
        start: int64 `[N]`, first pixel of the cut.
        length: int64 `[N]`, pixels of the cut, ≥ 1.
        input_size: pixels of the axis before.
        output_size: pixels of the axis after.
        flip: bool `[N]`, where the result is to be mirrored.

    Returns:
        float32 `[N, output_size, input_size]`, rows sum to 1.
    """
    scale = (length.float() / output_size)[:, None, None]
    reach = scale.clamp(min=1.0)
    out = torch.arange(output_size, device=start.device).expand(start.shape[0], -1)
    if flip is not None:
        out = torch.where(flip[:, None], output_size - 1 - out, out)
    centre = scale * (out[:, :, None] + 0.5)
    pixel = torch.arange(input_size, device=start.device)[None] - start[:, None]
    weights = ((pixel[:, None] + 0.5 - centre).abs_() / reach).neg_().add_(1.0).clamp_(min=0.0)
    weights *= ((pixel >= 0) & (pixel < length[:, None]))[:, None]
    return weights.div_(weights.sum(dim=2, keepdim=True))


def resample(images: Tensor, crop: Tensor, flip: Tensor, size: int, out: Tensor | None = None) -> Tensor:
    """Cut a box out of each image, resize it to `size` × `size` pixels and mirror where asked.

    Args:
        images: uint8 `[N, 3, H, W]`, or float in [0, 1].
        crop: int64 `[N, 4]`, top, left, height, width, inside the image.
        flip: bool `[N]`.
        size: of the result, in pixels.
        out: where the result goes, if not into a new tensor.

    Returns:
        float32 `[N, 3, size, size]` in [0, 1].
    """
    count, channels, height, width = images.shape
    top, left, box_height, box_width = crop.unbind(dim=1)
    vertical = axis_weights(top, box_height, height, size)
    horizontal = axis_weights(left, box_width, width, size, flip)
    if images.dtype == torch.uint8:
        horizontal /= 255.0
    rows = images.to(torch.float32, memory_format=torch.contiguous_format).view(
        count, channels * height, width
    )
    rows = torch.bmm(rows, horizontal.transpose(1, 2)).view(count, channels, height, size)
    # Rows of weights sum to 1 only up to rounding.
    return torch.matmul(vertical[:, None], rows, out=out).clamp_(0.0, 1.0)
