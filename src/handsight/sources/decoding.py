"""Decoding a video file frame by frame: upright, in square pixels, at its own times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.layout import shown
from handsight.sources.framing import Picture, over_white, resize

VIDEO_SUFFIXES = (
    ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".webm", ".wmv",
)  # fmt: skip
"""Endings by which a folder's video files are known."""

_LONGEST_GAP_S = 600
"""A longer gap comes from broken time stamps; filling it with copies of a frame would take for ever."""


@dataclass(frozen=True)
class VideoHeader:
    """What a video file says of itself, and its first frame.

    Args:
        height: of the upright picture in square pixels, px.
        width: the same, px.
        fps: frames per second, on average where it varies.
        duration_s: what the file declares; None where it does not.
        pixel_aspect: width of a pixel in the file over its height.
    """

    height: int
    width: int
    fps: Fraction
    duration_s: float | None
    pixel_aspect: Fraction


def read_header(path: Path) -> VideoHeader:
    """Open a video and decode its first frame.

    Raises:
        HandsightError: it cannot be opened, has no video stream, no frames or no frame times.
    """
    with _opened(path) as (container, stream), _decoding(path):
        frame = next(iter(container.decode(stream)), None)
        if frame is None:
            raise HandsightError(f"{shown(path)} has no frames")
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        if not Fraction(1, 8) <= aspect <= 8:
            raise HandsightError(f"{shown(path)} states pixels {float(aspect):.4g} times as wide as high")
        height, width = to_picture(frame, aspect).shape[:2]
        return VideoHeader(height, width, _frame_rate(path, stream), _duration_s(container, stream), aspect)


def decode(path: Path) -> Iterator[tuple[Fraction, Any]]:
    """Yield time in s and frame (of PyAV) in order of time; frames are decoded as they are asked for.

    Raises:
        HandsightError: at the first frame that cannot be decoded, or where the file ends before its declared
            duration.
    """
    with _opened(path) as (container, stream), _decoding(path):
        stream.thread_type = "AUTO"
        last: Fraction | None = None
        longest, end = Fraction(0), Fraction(0)
        for frame in container.decode(stream):
            if frame.pts is None:
                raise HandsightError(
                    f"{shown(path)} has frames without times; put it into an mp4 or mkv container first"
                )
            time = frame.pts * Fraction(frame.time_base)
            if frame.is_corrupt:
                raise HandsightError(f"{shown(path)} is damaged at {float(time):.2f} s")
            if last is not None and time <= last:
                continue  # a time that stands twice: the first frame has it
            if last is not None and time - last > _LONGEST_GAP_S:
                raise HandsightError(f"{shown(path)} jumps from {float(last):.2f} s to {float(time):.2f} s")
            longest = max(longest, time - last) if last is not None else longest
            last, end = time, time + (frame.duration or 0) * Fraction(frame.time_base)
            yield time, frame
        _check_end(path, container, stream, end, longest)


def to_picture(frame: Any, pixel_aspect: Fraction) -> Picture:
    """Return a frame as uint8 RGB `[H, W, 3]`, upright and in square pixels; transparency is laid over white.

    Args:
        frame: of PyAV, which knows its colour space and its display matrix.
        pixel_aspect: width of its pixels over their height.
    """
    if any(component.is_alpha for component in frame.format.components):
        picture = over_white(frame.to_ndarray(format="rgba"))
    else:
        picture = frame.to_ndarray(format="rgb24")
    if pixel_aspect != 1:
        picture = resize(picture, picture.shape[0], max(1, round(picture.shape[1] * pixel_aspect)))
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return picture if matrix is None else upright(picture, np.frombuffer(matrix, dtype=np.int32)[:5])


def upright(picture: Picture, matrix: Any) -> Picture:
    """Turn and mirror a picture by the entries a, b, u, c, d that begin its display matrix, by 90° steps.

    The matrix takes pixel (x, y) to (a·x + c·y, b·x + d·y), in 16.16 fixed point; turns between the steps go
    to the nearest.
    """
    a, b, _, c, d = (int(entry) for entry in matrix)
    if abs(a) < abs(b):
        picture, x_sign, y_sign = picture.swapaxes(0, 1), c, b
    else:
        x_sign, y_sign = a, d
    return picture[:: -1 if y_sign < 0 else 1, :: -1 if x_sign < 0 else 1]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        # An absolute path: FFmpeg takes what stands before a colon in a relative one for a protocol.
        container = av.open(str(path.absolute()), metadata_errors="replace")
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise HandsightError(f"{shown(path)} cannot be opened as a video ({_reason(error)})") from None
    with container:
        stream = container.streams.best("video")
        if stream is None:
            raise HandsightError(f"{shown(path)} has no video stream")
        yield container, stream


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, av.error.FFmpegError) as error:
        raise HandsightError(f"{shown(path)} cannot be decoded ({_reason(error)})") from None


def _frame_rate(path: Path, stream: Any) -> Fraction:
    """Return the frames per second: FFmpeg's guess if the average agrees, else the average."""
    average, guessed = stream.average_rate, stream.guessed_rate
    rate = guessed if average and guessed and abs(guessed / average - 1) < 0.01 else average or guessed
    if not rate:
        raise HandsightError(f"{shown(path)} does not say its frame rate")
    return Fraction(rate)


def _duration_s(container: Any, stream: Any) -> float | None:
    """Return the duration of the video stream itself; that of the whole file may be the sound's."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d*)?)", stream.metadata.get("DURATION", ""))
    if tag is not None:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    return (
        float(container.duration / av.time_base)
        if container.duration and len(container.streams) == 1
        else None
    )


def _check_end(path: Path, container: Any, stream: Any, end: Fraction, longest: Fraction) -> None:
    """Refuse a file that ends before its declared duration.

    The longest interval between two frames is granted, because files do not always say how long the last
    frame lasts.
    """
    declared_s = _duration_s(container, stream)
    end_s = float(end - (stream.start_time or 0) * stream.time_base)
    if declared_s is not None and end_s < declared_s - max(0.5, float(longest)):
        raise HandsightError(f"{shown(path)} breaks off after {end_s:.2f} s of {declared_s:.2f} s")


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]
