"""Finding frames of a video by their time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from handsight.errors import HandsightError, first_line
from handsight.recordings.layout import shown

_ONE_THREAD = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
"""From version 17 on, PyAV starts a thread for each core to convert even the smallest picture."""


class VideoFile:
    """Frames of one mp4, found by time; the decoder stays open and goes forward where it can.

    Args:
        path: of the file.
        threads: decode with several threads: faster in sequence. In jumps they cost more than they give: a
            decoder with several threads takes in several frames before it hands out the first.

    Raises:
        HandsightError: it cannot be opened as a video.
    """

    def __init__(self, path: Path, *, threads: bool = False) -> None:
        self._path = path
        try:
            self._container = av.open(str(path))
            self._stream = self._container.streams.video[0]
        except (OSError, IndexError, ValueError, OverflowError, av.error.FFmpegError) as error:
            raise HandsightError(f"{shown(path)} cannot be opened as a video ({first_line(error)})") from None
        if self._stream.codec_context is None or not self._stream.time_base:
            raise HandsightError(f"{shown(path)} is of a format that FFmpeg does not know")
        if threads:
            self._stream.thread_type = "AUTO"
        else:
            self._stream.codec_context.thread_count = 1
        self._tick_s = float(self._stream.time_base)
        self._index = getattr(self._stream, "index_entries", None)
        self._reformatter = VideoReformatter()
        self._frames: Iterator[Any] = iter(())
        self._current: Any = None

    @property
    def codec(self) -> str:
        """Format of the file, as in `av1` or `h264`, whatever `info.json` says."""
        return str(self._stream.codec_context.codec.canonical_name)

    def read(self, times_s: npt.NDArray[np.float64], tolerance_s: float) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the RGB frame `[H, W, 3]` nearest to each time, not contiguous; times ascend.

        Raises:
            HandsightError: no frame lies within the tolerance, or the file cannot be decoded.
        """
        picture: npt.NDArray[np.uint8] | None = None
        for time_s in times_s:
            before = self._current
            try:
                self._go_to(float(time_s), tolerance_s)
                if self._current is not None and (picture is None or before is not self._current):
                    picture = self._to_rgb(self._current)
            except (OSError, EOFError, TypeError, ValueError, OverflowError, av.error.FFmpegError) as error:
                self._current = None
                raise HandsightError(
                    f"{shown(self._path)} cannot be decoded at {time_s:.3f} s ({first_line(error)})"
                ) from None
            if self._current is None or abs(self._time_s(self._current) - time_s) > tolerance_s:
                self._current = None
                raise HandsightError(
                    f"{shown(self._path)} has no frame at {time_s:.4f} s (± {tolerance_s:.4f} s)"
                )
            assert picture is not None
            yield picture

    def close(self) -> None:
        """Close the file."""
        self._frames = iter(())
        self._current = None
        self._container.close()

    def _to_rgb(self, frame: Any) -> npt.NDArray[np.uint8]:
        """Return a frame's pixels where FFmpeg put them: no copy."""
        plane: Any = self._reformatter.reformat(frame, format="rgb24", **_ONE_THREAD).planes[0]
        rows: npt.NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : plane.width * 3].reshape(plane.height, plane.width, 3)

    def _time_s(self, frame: Any) -> float:
        return float(frame.pts * self._tick_s)

    def _go_to(self, time_s: float, tolerance_s: float) -> None:
        if self._current is None or not self._forward_is_shorter(time_s, tolerance_s):
            target = round((time_s + tolerance_s / 2) / self._tick_s)
            self._container.seek(max(target, 0), stream=self._stream, backward=True)
            self._frames = self._container.decode(self._stream)
            self._current = next(self._frames, None)
        while self._current is not None and self._time_s(self._current) < time_s - tolerance_s:
            self._current = next(self._frames, None)

    def _forward_is_shorter(self, time_s: float, tolerance_s: float) -> bool:
        now_s = self._time_s(self._current)
        if time_s < now_s - tolerance_s:
            return False
        if self._index is None:  # before PyAV 16
            return time_s - now_s < 1.0
        key = self._index.search_timestamp(int((time_s + tolerance_s) / self._tick_s))
        # The decoder has read a little ahead of the frame it gave; a keyframe close by is not worth a seek.
        return key < 0 or float(self._index[key].timestamp * self._tick_s) <= now_s + 8 * tolerance_s


def video_codec(path: Path) -> str:
    """Return the format a video file really has, as in `av1` or `h264`.

    Raises:
        HandsightError: it cannot be opened as a video.
    """
    file = VideoFile(path)
    try:
        return file.codec
    finally:
        file.close()
