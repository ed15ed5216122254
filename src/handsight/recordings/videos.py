"""Videos of a recording: encoding an episode, joining episodes without re-encoding.

And finding frames by time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.layout import frame_rate, shown

CODEC_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libsvtav1": {"g": "2", "crf": "30", "preset": "12"},
    "libx264": {"g": "2", "crf": "23", "preset": "veryfast"},
    "libx265": {"g": "2", "crf": "28", "preset": "veryfast"},
}
"""What each encoder is told where the caller says nothing.

A keyframe every second frame, for random access.
"""


_SAME_BYTES = {"fflags": "+bitexact"}
"""The same packets give the same file: no versions, no dates."""


class EpisodeVideo:
    """Encodes one episode of one camera into an mp4 of its own, beginning on a keyframe, without B-frames."""

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        fps: float,
        codec: str,
        options: Mapping[str, str] | None = None,
    ) -> None:
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes its settings to stderr otherwise
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._rate = frame_rate(fps)
        self._container = av.open(str(path), "w", format="mp4", options=_SAME_BYTES)
        try:
            self._stream = self._container.add_stream(
                codec,
                rate=self._rate,
                options=dict(CODEC_OPTIONS.get(codec, {}) if options is None else options),
            )
        except Exception as error:
            self._container.close()
            raise HandsightError(
                f"this installation of FFmpeg has no encoder {codec!r}; use libx264"
            ) from error
        self._stream.height, self._stream.width = shape[:2]
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.max_b_frames = 0
        self._count = 0

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Encode one RGB frame `[H, W, 3]`."""
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = self._count
        picture.time_base = 1 / self._rate
        self._count += 1
        with _writing():
            self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Finish the file."""
        with _writing():
            self._container.mux(self._stream.encode(None))
            self._container.close()

    def discard(self) -> None:
        """Give the file up."""
        self._container.close()
        self._path.unlink(missing_ok=True)


class JoinedVideo:
    """Joins episodes' videos into one mp4 by copying packets; nothing is decoded."""

    def __init__(self, path: Path, fps: float) -> None:
        self._rate = frame_rate(fps)
        self._output = av.open(str(path), "w", format="mp4", options=_SAME_BYTES)
        self._stream: Any = None
        self._template: tuple[Any, ...] = ()
        self._last_dts = -math.inf
        self.frames = 0
        self.size = 0

    def add(self, source: Path, length: int) -> tuple[float, float] | None:
        """Append an episode of `length` frames.

        Returns:
            from_timestamp and to_timestamp in s: frames so far / fps, never a sum of durations, which would
            drift. None, and nothing is appended, where the episode was encoded otherwise than the first, or
            with more reordering than fits behind the one before.

        Raises:
            HandsightError: the file holds another number of frames, or cannot be read.
            OSError: the joined file cannot be written.
        """
        try:
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                template = _settings(stream)
                packets = [packet for packet in container.demux(stream) if packet.pts is not None]
                if self._stream is None:
                    self._stream = self._output.add_stream_from_template(stream, opaque=True)
                    self._template = template
        except (IndexError, ValueError, av.error.FFmpegError) as error:
            raise HandsightError(f"{shown(source)} cannot be read as a video ({_reason(error)})") from None
        if len(packets) != length:
            raise HandsightError(f"{shown(source)} holds {len(packets)} frames; its episode has {length}")
        first = min(packet.pts for packet in packets)
        shift = round(Fraction(self.frames) / self._rate / packets[0].time_base) - first
        if template != self._template or packets[0].dts + shift <= self._last_dts:
            return None
        self._last_dts = packets[-1].dts + shift
        for packet in packets:
            packet.dts += shift
            packet.pts += shift
            packet.stream = self._stream
        with _writing():
            self._output.mux(packets)
        begin, self.frames = self.frames, self.frames + length
        self.size += source.stat().st_size
        fps = float(self._rate)
        return begin / fps, self.frames / fps

    def close(self) -> None:
        """Finish the file."""
        with _writing():
            self._output.close()


def _settings(stream: Any) -> tuple[Any, ...]:
    context = stream.codec_context
    if context is None:
        raise ValueError("of a format that FFmpeg does not know")
    return (context.name, stream.width, stream.height, stream.time_base, bytes(context.extradata or b""))


@contextmanager
def _writing() -> Iterator[None]:
    """Raise what FFmpeg says of the disk as Python's own OSError."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise OSError(error.errno, error.strerror or str(error)) from error


def _reason(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
