"""Reading single pictures, from files or from encoded bytes: upright, 8-bit RGB."""

from __future__ import annotations

import io
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
    with _opened_file(path) as image:
        return _upright_size(image)


def read_picture(path: Path) -> Picture:
    """Return an image file as uint8 RGB `[H, W, 3]`, turned upright as its EXIF orientation says.

    Grey becomes three equal channels, transparency is laid over white, of 16 bits the upper eight are kept,
    palettes and CMYK are converted.

    Raises:
        HandsightError: the file cannot be read, holds several pictures, or more than 16 bits a channel.
    """
    with _opened_file(path) as image:
        return _rgb(image, shown(path))


def encoded_size(encoded: bytes, where: str) -> tuple[int, int]:
    """Return height and width in px of an encoded picture once it is upright; `where` names it in messages.

    Raises:
        HandsightError: as `decode_picture`.
    """
    with _opened(io.BytesIO(encoded), where) as image:
        return _upright_size(image)


def decode_picture(encoded: bytes, where: str) -> tuple[Picture, bool]:
    """Return an encoded picture as `read_picture` does, and whether its bytes may be recorded as they are.

    They may where every reader sees the same in them: a PNG or JPEG in RGB that is upright and opaque.

    Args:
        encoded: bytes of an image file.
        where: what the messages call it.

    Raises:
        HandsightError: as `read_picture`.
    """
    with _opened(io.BytesIO(encoded), where) as image:
        plain = (
            image.format in ("PNG", "JPEG")
            and image.mode == "RGB"
            and image.getexif().get(_ORIENTATION, 1) == 1
            and not image.has_transparency_data
        )
        return _rgb(image, where), plain


def _upright_size(image: Any) -> tuple[int, int]:
    width, height = image.size
    return (width, height) if image.getexif().get(_ORIENTATION) in _LYING else (height, width)


def _rgb(image: Any, where: str) -> Picture:
    picture = ImageOps.exif_transpose(image)
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.mode in ("I", "F"):
        kind = "32-bit integers" if picture.mode == "I" else "floats"
        raise HandsightError(f"{where} holds {kind}, whose range is unknown; convert it to 8 or 16 bits")
    if picture.has_transparency_data:
        return over_white(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture.convert("RGB"))


@contextmanager
def _opened_file(path: Path) -> Iterator[Any]:
    if path.suffix.lower() in UNREADABLE_SUFFIXES:
        raise HandsightError(
            f"{shown(path)} is {path.suffix[1:].upper()}, which cannot be read; convert it to PNG or JPEG"
        )
    with _opened(path, shown(path)) as image:
        yield image


@contextmanager
def _opened(source: Path | io.BytesIO, where: str) -> Iterator[Any]:
    try:
        with Image.open(source) as image:
            # A phone's JPEG may carry a second picture (MPO); the first is the photograph.
            pictures_n = getattr(image, "n_frames", 1)
            if pictures_n > 1 and image.format != "MPO":
                raise HandsightError(f"{where} holds {pictures_n} pictures; expected one, so split it first")
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
        raise HandsightError(f"{where} cannot be read as an image ({reason})") from None
