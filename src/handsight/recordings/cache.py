"""The frame cache: one camera's frames, decoded once, at training size."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import cv2
import filelock
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.decoding import in_stretches, usable_cores
from handsight.recordings.durable import one_line
from handsight.recordings.framefile import FrameFile
from handsight.recordings.layout import shown
from handsight.recordings.recording import Recording
from handsight.recordings.streams import cache_root


class FrameCache:
    """Frames `[N, h, w, 3]`, uint8 RGB, short side = `size`, aspect kept.

    On disk it is one file of frames that is only ever appended to: after a kill, building goes on at the last
    whole frame. Frames beyond `max_bytes`, and all frames before `build`, are decoded on demand and come out
    the same, bit for bit.

    Args:
        recording: whose frames.
        camera: which of its cameras.
        size: short side in pixels.
        max_bytes: at most this much is kept; None keeps all frames.

    Raises:
        HandsightError: there is no such camera, or the size is not positive.
    """

    def __init__(self, recording: Recording, camera: str, size: int, *, max_bytes: int | None = None) -> None:
        if camera not in recording.cameras:
            has = ", ".join(recording.cameras) or "none"
            raise HandsightError(f"{shown(recording.root)} has no camera {camera!r} in use (it has: {has})")
        if size < 1:
            raise HandsightError(
                f"the cache's frames have a short side of {size}; it must be at least 1 pixel"
            )
        self.recording = recording
        self.camera = camera
        self.size = size
        height, width, _ = recording.features[camera].shape
        short = min(height, width)
        if size > short:
            warnings.warn(
                f"{shown(recording.root)}: frames of {camera!r} are {height} × {width} and are enlarged to a "
                "short "
                f"side of {size}; nothing is gained by more than {short}",
                stacklevel=2,
            )
        self._height, self._width = round(height * size / short), round(width * size / short)
        self._frame_bytes = self._height * self._width * 3
        fitting = recording.num_frames if max_bytes is None else max(0, max_bytes) // self._frame_bytes
        self.num_cached = min(recording.num_frames, fitting)
        name = f"{quote(recording.name_on_disk(camera), safe='')}-{size}.frames"
        self.path: Path = cache_root() / recording.fingerprint / name
        self._file: FrameFile | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """`(N, h, w, 3)`, of all frames, cached or not."""
        return (self.recording.num_frames, self._height, self._width, 3)

    @property
    def nbytes(self) -> int:
        """Bytes of all frames, cached or not."""
        return self.recording.num_frames * self._frame_bytes

    @property
    def num_missing(self) -> int:
        """Frames that `build` would decode."""
        return max(0, self.num_cached - self._bytes_there() // self._frame_bytes)

    def build(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Decode what is not in the cache yet; of several processes that do, one works and the others wait.

        Args:
            progress: called with the number of frames done and to do.

        Raises:
            HandsightError: the disk is too full, the cache cannot be written, or a frame cannot be decoded.
        """
        if self._bytes_there() < self.num_cached * self._frame_bytes:
            with one_line(cache_root(), "caching frames"):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with filelock.FileLock(self.path.with_suffix(".lock")):
                    self._append_missing(progress)

    def read(self, indices: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return frames `[n, h, w, 3]` by global number, in any order; a copy.

        Raises:
            HandsightError: a number is out of range, or a frame cannot be decoded.
        """
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < self.recording.num_frames):
            raise HandsightError(
                f"frames {wanted.min()} to {wanted.max()} were asked for; there are "
                f"{self.recording.num_frames}"
            )
        frames = np.empty((len(wanted), *self.shape[1:]), dtype=np.uint8)
        file = self._built_file()
        inside = wanted < (self.num_cached if file is not None else 0)
        if file is not None:
            file.read(wanted[inside], frames, np.flatnonzero(inside))
        if not inside.all():
            frames[~inside] = self._resize(self.recording.frames(wanted[~inside], self.camera))
        return frames

    def _built_file(self) -> FrameFile | None:
        """Return the file where it is whole: this process or another may have built it meanwhile."""
        needed = self.num_cached * self._frame_bytes
        if self._file is None and needed and self._bytes_there() >= needed:
            self._file = FrameFile(self.path, self.shape[1:])
        return self._file

    def _bytes_there(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _append_missing(self, progress: Callable[[int, int], None] | None) -> None:
        done = self._bytes_there() // self._frame_bytes
        needed = (self.num_cached - done) * self._frame_bytes
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise self._too_full(needed, free)
        with open(self.path, "ab") as file:
            file.truncate(done * self._frame_bytes)  # a kill may have left part of a frame
            try:
                self._append(file, done, progress)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise self._too_full(needed, shutil.disk_usage(self.path.parent).free) from error
                raise

    def _append(self, file: BinaryIO, done: int, progress: Callable[[int, int], None] | None) -> None:
        for first, frames in self.recording.scan(self.camera, start=done):
            resized = self._resize(frames[: self.num_cached - first])
            file.write(resized.tobytes())
            done = first + len(resized)
            if progress is not None:
                progress(done, self.num_cached)
            if done >= self.num_cached:
                break
        file.flush()
        os.fsync(file.fileno())

    def _too_full(self, needed: int, free: int) -> HandsightError:
        return HandsightError(
            f"{shown(cache_root())}: caching {self.camera!r} at {self.size} pixels needs {needed / 1e6:.1f} "
            "MB and "
            f"{free / 1e6:.1f} MB are free; free some, bound the cache, or set HANDSIGHT_CACHE to another "
            "disk"
        )

    def _resize(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        height, width = frames.shape[1:3]
        if (height, width) == (self._height, self._width):
            return frames
        how = cv2.INTER_AREA if self._height <= height else cv2.INTER_LINEAR
        resized = np.empty((len(frames), self._height, self._width, 3), dtype=np.uint8)

        def stretch(_: int, first: int, end: int) -> None:
            for place in range(first, end):
                cv2.resize(frames[place], (self._width, self._height), dst=resized[place], interpolation=how)

        in_stretches(len(frames), usable_cores(), stretch)
        return resized
