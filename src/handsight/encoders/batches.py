"""Batches: images as users hold them, a bite at a time, on the encoder's device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from handsight.encoders.preprocessing import Preprocessing, check_range
from handsight.errors import HandsightError

Images = Tensor | np.ndarray[Any, Any] | Sequence[Any]
"""A batch `[B, 3, H, W]` or `[B, H, W, 3]`, or a list of single images of any sizes.

Tensors, arrays, or PIL images in a list; RGB; uint8, or float in [0, 1].
"""


def batches(images: Images, batch_size: int, preprocessing: Preprocessing) -> Iterator[Tensor]:
    """Yield images as tensors on the device of `preprocessing`, `batch_size` at a time, their range checked.

    Raises:
        HandsightError: for what is no batch of images, or for floats outside [0, 1].
    """
    if batch_size < 1:
        raise HandsightError(f"batch_size is {batch_size}; give at least 1")
    if not isinstance(images, (Tensor, np.ndarray, list, tuple)) or getattr(images, "ndim", 1) == 0:
        raise HandsightError(
            f"images came as {type(images).__name__}; give a tensor, an array or a list of images"
        )
    device = preprocessing.mean.device
    for start in range(0, len(images), batch_size):
        chunk = images[start : start + batch_size]
        if isinstance(chunk, (Tensor, np.ndarray)):
            yield _checked(chunk).to(device)
        else:  # the images of a list may differ in size, so each is resized before they are joined
            yield torch.cat([preprocessing.resize(_checked(image)[None].to(device)) for image in chunk])


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluate a module without gradients; afterwards each of its parts is back in its own mode."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:  # one by one: some may be frozen in evaluation mode
            part.training = mode


def _checked(images: Any) -> Tensor:
    if not isinstance(images, Tensor):
        array = np.asarray(images)
        try:  # a copy: arrays of a file are read-only, and views may run backwards
            images = torch.from_numpy(np.array(array, order="C"))
        except TypeError as error:
            raise HandsightError(
                f"images are {array.dtype}; give uint8 (0 to 255) or floats in [0, 1]"
            ) from error
    check_range(images)
    return images  # type: ignore[no-any-return]
