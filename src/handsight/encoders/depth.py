"""Depth: how far away what a picture shows is, for trunks that take it beside the colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from handsight.encoders.batches import Images
from handsight.encoders.preprocessing import Preprocessing, picture_size
from handsight.errors import HandsightError

Depths = Tensor | np.ndarray[Any, Any] | Sequence[Any]
"""Depth in metres of a batch of images, float `[B, H, W]`; or a list of `[H, W]`, one for each image."""

FARTHEST_M = 100.0
"""A median above it is no depth in metres of anything that a hand could reach."""


def check_depth(depth_m: Tensor) -> None:
    """Refuse what is no depth in metres; on a GPU this waits for the device.

    Args:
        depth_m: of any shape; 0 where nothing was measured.

    Raises:
        HandsightError: for integers, numbers that are not finite or negative, and millimetres.
    """
    check_metres(depth_m)
    if depth_m.numel() == 0:
        return
    low, high = (float(value) for value in torch.aminmax(depth_m.detach()))
    if not (low >= 0 and high < float("inf")):  # written so that NaN is refused too
        raise HandsightError(
            f"depth spans {low:.4g} to {high:.4g} m; give finite metres, and 0 where nothing was measured"
        )
    median = float(depth_m.detach().float().median())
    if median > FARTHEST_M:
        raise HandsightError(
            f"depth has a median of {median:.4g} m; it looks like millimetres: divide by 1000"
        )


def check_metres(depth_m: Tensor) -> None:
    """Refuse depth that is not in floats, without looking at the numbers.

    Raises:
        HandsightError: naming the type that came.
    """
    if not depth_m.is_floating_point():
        dtype = str(depth_m.dtype).removeprefix("torch.")
        raise HandsightError(
            f"depth is {dtype}; give floats in metres: where it is in millimetres, divide by 1000"
        )


def check_shape(depth_m: Tensor, images: Tensor) -> None:
    """Refuse depth that is not of these images, a number for each pixel.

    Raises:
        HandsightError: naming both shapes.
    """
    wanted = [len(images), *picture_size(images)]
    if list(depth_m.shape) != wanted:
        raise HandsightError(
            f"depth has shape {list(depth_m.shape)} for images {list(images.shape)}; "
            f"give {wanted}, a number for each pixel"
        )


def fit_depth(depth_m: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Resize depth as `preprocessing` resizes pictures, each pixel taken from the nearest one.

    Depths are not mixed: between a cup's and the wall's lies nothing.

    Args:
        depth_m: float `[B, H, W]`.
        preprocessing: of the pictures.

    Returns:
        float32 `[B, 1, image_size, image_size]`.

    Raises:
        HandsightError: for another dtype or shape.
    """
    check_metres(depth_m)
    if depth_m.ndim != 3:
        raise HandsightError(f"depth has shape {list(depth_m.shape)}; give [B, H, W], one for each picture")
    size, depth = preprocessing.image_size, depth_m[:, None].float()
    if depth.shape[-2:] == (size, size):
        return depth
    nearest = InterpolationMode.NEAREST_EXACT
    if preprocessing.fit == "stretch":
        resized: Tensor = transforms.resize(depth, [size, size], nearest)
    else:
        resized = transforms.center_crop(transforms.resize(depth, [size], nearest), [size, size])
    return resized


def depth_batches(
    depth_m: Depths | None, images: Images, batch_size: int, preprocessing: Preprocessing
) -> Iterator[Tensor | None]:
    """Yield depth as tensors on the device of `preprocessing`, `batch_size` at a time, checked.

    Args:
        depth_m: of the images; None where there is none, and then each batch is None, without end.
        images: that it belongs to.
        batch_size: in a batch.
        preprocessing: of the images; what comes as a list is resized one by one, as the images are.

    Raises:
        HandsightError: where it is not depth in metres, or not of as many images.
    """
    if depth_m is None:
        yield from repeat(None)
        return
    if not isinstance(depth_m, (Tensor, np.ndarray, list, tuple)) or getattr(depth_m, "ndim", 1) == 0:
        raise HandsightError(
            f"depth came as {type(depth_m).__name__}; give a tensor, an array or a list, in metres"
        )
    if len(depth_m) != len(images):
        raise HandsightError(f"depth of {len(depth_m)} came for {len(images)} images; give one for each")
    device = preprocessing.mean.device
    for start in range(0, len(images), batch_size):
        chunk = depth_m[start : start + batch_size]
        if isinstance(chunk, (Tensor, np.ndarray)):
            yield _checked(chunk).to(device)
        else:
            each = [fit_depth(_checked(depth)[None].to(device), preprocessing)[:, 0] for depth in chunk]
            yield torch.cat(each)


def _checked(depth_m: Any) -> Tensor:
    if not isinstance(depth_m, Tensor):
        array = np.asarray(depth_m)
        try:  # a copy: arrays of a file are read-only, and views may run backwards
            depth_m = torch.from_numpy(np.array(array, order="C"))
        except TypeError as error:
            raise HandsightError(f"depth is {array.dtype}; give floats in metres") from error
    check_depth(depth_m)
    return depth_m  # type: ignore[no-any-return]
