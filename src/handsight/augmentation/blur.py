"""Gaussian blur with a standard deviation per image, as one matrix per image for both axes."""

from __future__ import annotations

import torch
from torch import Tensor


def kernel_radius(size: int) -> int:
    """Return the radius of the blur's kernel in pixels, at least 1.

    The whole kernel, odd, spans 10 % of the image's side (SimCLR, appendix A).
    """
    return max(1, size // 20)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Return the images blurred as torchvision's `gaussian_blur` does: normalised kernel, edges reflected.

    Args:
        images: float32 `[N, C, S, S]` in [0, 1], S ≥ 2.
        sigma: float32 `[N]`, standard deviation in pixels, > 0.

    Returns:
        float32 `[N, C, S, S]`.
    """
    size = images.shape[-1]
    radius = kernel_radius(size)
    offset = torch.arange(-radius, radius + 1, device=images.device)
    kernel = torch.softmax(-0.5 * (offset / sigma[:, None]) ** 2, dim=1)
    source = (torch.arange(size, device=images.device)[:, None] + offset).abs()
    source = (size - 1) - ((size - 1) - source).abs()
    weights = kernel.new_zeros(len(sigma), size, size)
    weights.scatter_add_(2, source.expand(len(sigma), -1, -1), kernel[:, None].expand(-1, size, -1))
    blurred = torch.matmul(torch.matmul(weights[:, None], images), weights[:, None].transpose(2, 3))
    # The kernel sums to 1 only up to rounding.
    return blurred.clamp_(0.0, 1.0)
