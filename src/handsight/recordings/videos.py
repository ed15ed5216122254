"""Videos of a recording: encoding an episode, joining episodes without re-encoding.

And finding frames by time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
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
        self._container = av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"})
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
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def close(self) -> None:
        """Finish the file."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()

    def discard(self) -> None:
        """Give the file up."""
        self._container.close()
        self._path.unlink(missing_ok=True)


class JoinedVideo:
    """Joins episodes' mp4 files into one by copying packets; nothing is decoded."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._rate = frame_rate(fps)
        self._output = av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"})
        self._stream: Any = None
        self._template: tuple[Any, ...] = ()
        self.frames = 0
        self.size = 0

    def fits(self, source: Path) -> bool:
        """Whether an episode was encoded with the same settings, so that its packets can follow here."""
        with av.open(str(source)) as container:
            return self._stream is None or self._template == _settings(container.streams.video[0])

    def add(self, source: Path, length: int) -> tuple[float, float]:
        """Append an episode of `length` frames; return from_timestamp and to_timestamp in s.

        Both are frames so far / fps, never a sum of durations, which would drift.

        Raises:
            HandsightError: the file holds another number of frames.
        """
        with av.open(str(source)) as container:
            stream = container.streams.video[0]
            if self._stream is None:
                self._stream = self._output.add_stream_from_template(stream, opaque=True)
                self._template = _settings(stream)
            packets = [packet for packet in container.demux(stream) if packet.pts is not None]
            if len(packets) != length:
                raise HandsightError(f"{shown(source)} holds {len(packets)} frames; its episode has {length}")
            first = min(packet.pts for packet in packets)
            start = round(Fraction(self.frames) / self._rate / stream.time_base)
            for packet in packets:
                packet.dts += start - first
                packet.pts += start - first
                packet.stream = self._stream
                self._output.mux(packet)
        begin, self.frames = self.frames, self.frames + length
        self.size += source.stat().st_size
        fps = float(self._rate)
        return begin / fps, self.frames / fps

    def close(self) -> None:
        """Finish the file."""
        self._output.close()


def _settings(stream: Any) -> tuple[Any, ...]:
    context = stream.codec_context
    return (context.name, stream.width, stream.height, stream.time_base, bytes(context.extradata or b""))


class VideoFile:
    """Frames of one mp4, found by time; the decoder stays open and goes forward where it can."""

    def __init__(self, path: Path, *, threads: bool = False) -> None:
        self._path = path
        try:
            self._container = av.open(str(path))
            self._stream = self._container.streams.video[0]
        except (OSError, IndexError, av.error.FFmpegError) as error:
            raise HandsightError(f"{shown(path)} cannot be opened as a video ({_reason(error)})") from None
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


def count_frames(path: Path) -> int:
    """Return the number of frames of a video, without decoding it.

    Raises:
        HandsightError: it cannot be read as a video.
    """
    try:
        with av.open(str(path)) as container:
            return sum(packet.pts is not None for packet in container.demux(container.streams.video[0]))
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise HandsightError(f"{shown(path)} cannot be read as a video ({_reason(error)})") from None


def _reason(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
