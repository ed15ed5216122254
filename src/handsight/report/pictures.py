"""Pictures of a page: uint8 frames as WebP data URIs, still and moving."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handsight.errors import HandsightError
from handsight.report.markup import Element, element

Frame = NDArray[np.uint8]

QUALITY = 78
MOVING_FPS = 6


def check_frames(frames: Frame, dimensions: int, what: str) -> None:
    """Refuse anything but uint8 RGB pictures.

    Args:
        frames: `[h, w, 3]` (`dimensions` 3) or `[T, h, w, 3]` (4).
        dimensions: how many axes are expected.
        what: who gave them, for the message.

    Raises:
        HandsightError: saying what came.
    """
    found = np.asarray(frames)
    if found.dtype != np.uint8 or found.ndim != dimensions or found.shape[-1] != 3 or not found.size:
        shape = "[h, w, 3]" if dimensions == 3 else "[T, h, w, 3]"
        raise HandsightError(
            f"{what} came as {found.dtype} {list(found.shape)}; expected uint8 {shape}, not empty"
        )


def still(frame: Frame, alt: str, size: int = 96, class_: str | None = None) -> Element:
    """Return an `img` of a frame uint8 `[h, w, 3]`, made no larger than `size` pixels on its short side."""
    picture = _shrunk(frame, size)
    return element(
        "img",
        src=_data_uri(_encode([picture])),
        alt=alt,
        width=str(picture.width),
        height=str(picture.height),
        class_=class_,
        loading="lazy",
    )


def moving(frames: Frame, alt: str, size: int = 160) -> Element:
    """Return frames uint8 `[T, h, w, 3]` as a picture that moves forth and back.

    Who asked for less motion sees the first frame.
    """
    pictures = [_shrunk(frame, size) for frame in frames]
    first = pictures[0]
    there_and_back = pictures + pictures[-2:0:-1]
    image = element(
        "img",
        src=_data_uri(_encode(there_and_back)),
        alt=alt,
        width=str(first.width),
        height=str(first.height),
        loading="lazy",
    )
    calm = element("source", media="(prefers-reduced-motion: reduce)", srcset=_data_uri(_encode([first])))
    return element("picture", calm, image)


def picture_uri(frame: Frame, size: int) -> str:
    """Return a frame uint8 `[h, w, 3]` as a data URI, its short side no more than `size` pixels."""
    return _data_uri(_encode([_shrunk(frame, size)]))


def _shrunk(frame: Frame, size: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(frame))
    scale = size / min(picture.size)
    if scale >= 1:
        return picture
    wanted = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(wanted, Image.Resampling.LANCZOS)


def _encode(pictures: Sequence[Image.Image]) -> bytes:
    out = io.BytesIO()
    if len(pictures) == 1:
        pictures[0].save(out, "WEBP", quality=QUALITY, method=4)
    else:
        pictures[0].save(
            out,
            "WEBP",
            quality=QUALITY,
            method=4,
            save_all=True,
            append_images=list(pictures[1:]),
            duration=1000 // MOVING_FPS,
            loop=0,
        )
    return out.getvalue()


def _data_uri(data: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")
