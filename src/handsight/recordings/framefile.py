"""A file of frames of one size, one after another, read at any place."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.layout import shown


class FrameFile:
    """Reads frames straight into the caller's memory.

    Not memory-mapped: pages of a mapped file count as this process's own for as long as it lives, so that it
    would grow to the size of the file.

    Args:
        path: of the file.
        shape: of a frame, uint8.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path, self._shape = path, shape
        self._frame_bytes = int(np.prod(shape))
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def read(
        self, indices: npt.NDArray[np.int64], frames: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp]
    ) -> None:
        """Put frame `indices[i]` of the file into `frames[rows[i]]`; `frames` is contiguous.

        Raises:
            HandsightError: the file ends before a frame, or cannot be read.
        """
        places = frames.reshape(len(frames), self._frame_bytes)
        try:
            for index, row in zip(indices.tolist(), rows.tolist(), strict=True):
                if self._read_at(places[row], index * self._frame_bytes) < self._frame_bytes:
                    raise HandsightError(
                        f"{shown(self._path)} ends before frame {index}; delete it, and it is made again"
                    )
        except OSError as error:
            raise HandsightError(f"{shown(self._path)} cannot be read ({error.strerror})") from error

    def _read_at(self, place: npt.NDArray[np.uint8], offset: int) -> int:
        """Fill a place from the file; return how many bytes there were."""
        if hasattr(os, "preadv"):
            return os.preadv(self._file, (place.data,), offset)
        found = np.fromfile(self._path, np.uint8, len(place), offset=offset)  # Windows
        place[: len(found)] = found
        return len(found)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrameFile, (self._path, self._shape)
