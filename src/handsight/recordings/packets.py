"""What a video file holds, without decoding it: its format, and when each frame is to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError, first_line
from handsight.recordings.layout import shown
from handsight.recordings.videofile import VideoFile

_NEAR_S = 1e-3


@dataclass(frozen=True)
class Packets:
    """The frames of a video file as they are coded.

    Args:
        codec: format, as in `av1` or `h264`.
        height: of a frame in pixels.
        width: of a frame in pixels.
        times_s: when each frame is shown; float64 `[n]`, ascending.
        keyframe: whether it can be decoded by itself; bool `[n]`.
        rate: frames per second, as the file says; None where it does not.
    """

    codec: str
    height: int
    width: int
    times_s: npt.NDArray[np.float64]
    keyframe: npt.NDArray[np.bool_]
    rate: Fraction | None


def read_packets(path: Path) -> Packets:
    """Read what a video file holds.

    Raises:
        HandsightError: it is missing, or is no video.
    """
    if not path.is_file():
        raise HandsightError(f"{shown(path)} is missing")
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            if context is None:
                raise ValueError("of a format that FFmpeg does not know")
            # Into an array at once: a list of a small camera's frames would take ten times the memory.
            found = np.fromiter(
                (
                    (float(packet.pts * stream.time_base), packet.is_keyframe)
                    for packet in container.demux(stream)
                    if packet.pts is not None
                ),
                dtype=[("time_s", np.float64), ("keyframe", np.bool_)],
            )
            header = (str(context.codec.canonical_name), int(stream.height), int(stream.width))
            rate = stream.average_rate
    except (OSError, LookupError, TypeError, ValueError, OverflowError, av.error.FFmpegError) as error:
        raise HandsightError(f"{shown(path)} cannot be read as a video ({first_line(error)})") from None
    found = found[np.argsort(found["time_s"], kind="stable")]
    times_s, keyframe = (np.ascontiguousarray(found[name]) for name in ("time_s", "keyframe"))
    return Packets(*header, times_s, keyframe, Fraction(rate) if rate else None)


def check_video(path: Path, frames: int) -> None:
    """Make sure that a video holds so many frames, and that the first can be decoded.

    Raises:
        HandsightError: it does not, or it cannot.
    """
    packets = read_packets(path)
    if len(packets.times_s) != frames:
        raise HandsightError(f"{shown(path)} holds {len(packets.times_s)} frames; its episode has {frames}")
    video = VideoFile(path)
    try:
        next(video.read(packets.times_s[:1], _NEAR_S))
    finally:
        video.close()
