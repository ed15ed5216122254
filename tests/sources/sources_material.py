"""Videos and pictures that the tests of this room make."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

Frames = Sequence[np.ndarray] | np.ndarray


def make_video(
    path: Path,
    frames: Frames,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    fps: int | Fraction = 10,
    times_s: Sequence[float] | None = None,
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Write a video; `times_s` are the frames' times, `matrix` is the display matrix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"crf": "10"} if codec in ("libx264", "libvpx-vp9") else {"qscale": "2"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        base = Fraction(1, 1000) if times_s is not None else 1 / Fraction(fps)
        stream.codec_context.time_base = base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if matrix is not None:
            stream.set_display_matrix(list(matrix))
        for index, pixels in enumerate(frames):
            layout = "rgba" if pixels.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=layout)
            frame.pts = index if times_s is None else round(times_s[index] * 1000)
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def grey_ramp(count: int, height: int = 32, width: int = 48) -> np.ndarray:
    """Frames whose brightness says their number: 10, 20, 30, …; uint8 `[count, height, width, 3]`."""
    levels = (10 + 10 * np.arange(count)).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)).copy()


def numbers(frames: np.ndarray) -> list[int]:
    """Which frames of `grey_ramp` these are."""
    return [round((float(frame.mean()) - 10) / 10) for frame in frames]


def quarters(height: int = 32, width: int = 48) -> np.ndarray:
    """A picture of red and green quarters over blue and white ones."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (255, 0, 0)
    picture[: height // 2, width // 2 :] = (0, 255, 0)
    picture[height // 2 :, : width // 2] = (0, 0, 255)
    picture[height // 2 :, width // 2 :] = (255, 255, 255)
    return picture
