"""Reading single image files: upright, 8-bit RGB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from handsight.errors import HandsightError
from handsight.recordings.layout import shown
from handsight.sources.framing import Picture, over_white

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings by which a folder's image files are known."""

UNREADABLE_SUFFIXES = (".avif", ".cr2", ".cr3", ".dng", ".heic", ".heif", ".jxl", ".nef", ".arw")
"""Endings of pictures that have to be converted first; passing over them would lose data silently."""

_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
"""EXIF orientations by which height and width change places."""


def read_size(path: Path) -> tuple[int, int]:
    """Return height and width in px of the upright picture; only the file's header is read.

    Raises:
        HandsightError: the file cannot be read or holds several pictures.
    """
    with _opened(path) as image:
        width, height = image.size
        return (width, height) if image.getexif().get(_ORIENTATION) in _LYING else (height, width)


def read_picture(path: Path) -> Picture:
    """Return an image file as uint8 RGB `[H, W, 3]`, turned upright as its EXIF orientation says.

    Grey becomes three equal channels, transparency is laid over white, of 16 bits the upper eight are kept,
    palettes and CMYK are converted.

    Raises:
        HandsightError: the file cannot be read, holds several pictures, or more than 16 bits a channel.
    """
    with _opened(path) as image:
        picture = ImageOps.exif_transpose(image)
        if picture.mode.startswith("I;16"):
            grey = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2)
        if picture.mode in ("I", "F"):
            kind = "32-bit integers" if picture.mode == "I" else "floats"
            raise HandsightError(
                f"{shown(path)} holds {kind}, whose range is unknown; convert it to 8 or 16 bits"
            )
        if picture.has_transparency_data:
            return over_white(np.asarray(picture.convert("RGBA")))
        return np.asarray(picture.convert("RGB"))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if path.suffix.lower() in UNREADABLE_SUFFIXES:
        raise HandsightError(
            f"{shown(path)} is {path.suffix[1:].upper()}, which cannot be read; convert it to PNG or JPEG"
        )
    try:
        with Image.open(path) as image:
            # A phone's JPEG may carry a second picture (MPO); the first is the photograph.
            pictures_n = getattr(image, "n_frames", 1)
            if pictures_n > 1 and image.format != "MPO":
                raise HandsightError(
                    f"{shown(path)} holds {pictures_n} pictures; expected one, so split it first"
                )
            yield image
    except HandsightError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything at a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            reason = error.strerror
        elif isinstance(error, UnidentifiedImageError):
            reason = "it is none of the known image formats"
        else:
            reason = (str(error) or type(error).__name__).splitlines()[0]
        raise HandsightError(f"{shown(path)} cannot be read as an image ({reason})") from None
