"""Finding frames of a video by their time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.layout import shown


class VideoFile:
    """Frames of one mp4, found by time; the decoder stays open and goes forward where it can."""

    def __init__(self, path: Path, *, threads: bool = False) -> None:
        self._path = path
        try:
            self._container = av.open(str(path))
            self._stream = self._container.streams.video[0]
        except (OSError, IndexError, av.error.FFmpegError) as error:
            raise HandsightError(f"{shown(path)} cannot be opened as a video ({_reason(error)})") from None
        if self._stream.codec_context is None:
            raise HandsightError(f"{shown(path)} is of a format that FFmpeg does not know")
        if threads:
            self._stream.thread_type = "AUTO"
        entries = getattr(self._stream, "index_entries", ())
        self._keyframes = np.array(
            [entry.timestamp for entry in entries if entry.is_keyframe], dtype=np.int64
        )
        self._frames: Iterator[Any] = iter(())
        self._current: Any = None

    @property
    def codec(self) -> str:
        """Format of the file, as in `av1` or `h264`, whatever `info.json` says."""
        return str(self._stream.codec_context.codec.canonical_name)

    def read(self, times_s: npt.NDArray[np.float64], tolerance_s: float) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the RGB frame `[H, W, 3]` nearest to each time; times ascend.

        Raises:
            HandsightError: no frame lies within the tolerance, or the file cannot be decoded.
        """
        picture: npt.NDArray[np.uint8] | None = None
        for time_s in times_s:
            before = self._current
            try:
                self._go_to(float(time_s), tolerance_s)
            except (OSError, EOFError, ValueError, av.error.FFmpegError) as error:
                raise HandsightError(
                    f"{shown(self._path)} cannot be decoded at {time_s:.3f} s ({_reason(error)})"
                ) from None
            if self._current is None or abs(self._time_s(self._current) - time_s) > tolerance_s:
                self._current = None
                raise HandsightError(
                    f"{shown(self._path)} has no frame at {time_s:.4f} s (± {tolerance_s:.4f} s)"
                )
            if picture is None or before is not self._current:
                picture = self._current.to_ndarray(format="rgb24")
            yield picture

    def close(self) -> None:
        """Close the file."""
        self._frames = iter(())
        self._current = None
        self._container.close()

    def _time_s(self, frame: Any) -> float:
        return float(frame.pts * self._stream.time_base)

    def _go_to(self, time_s: float, tolerance_s: float) -> None:
        if self._current is None or not self._forward_is_shorter(time_s, tolerance_s):
            target = round((time_s + tolerance_s / 2) / self._stream.time_base)
            self._container.seek(max(target, 0), stream=self._stream, backward=True)
            self._frames = self._container.decode(self._stream)
            self._current = next(self._frames, None)
        while self._current is not None and self._time_s(self._current) < time_s - tolerance_s:
            self._current = next(self._frames, None)

    def _forward_is_shorter(self, time_s: float, tolerance_s: float) -> bool:
        now_s = self._time_s(self._current)
        if time_s < now_s - tolerance_s:
            return False
        if not len(self._keyframes):
            return time_s - now_s < 1.0
        reach = (time_s + tolerance_s) / float(self._stream.time_base)
        key = int(np.searchsorted(self._keyframes, reach, side="right")) - 1
        # The decoder has read a little ahead of the frame it gave; a keyframe close by is not worth a seek.
        return key < 0 or float(self._keyframes[key] * self._stream.time_base) <= now_s + 8 * tolerance_s


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


def _reason(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
