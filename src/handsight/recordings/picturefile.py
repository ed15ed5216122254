"""A copy of a camera's encoded pictures that can be read one by one.

Others write the pictures of a whole episode as one row group, hundreds of MB, all of which have to be read
for any of its frames. Our row groups are small, and need no copy.
"""

from __future__ import annotations

import logging
import os
import shutil
import weakref
from array import array
from collections.abc import Iterator
from pathlib import Path

import filelock
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.durable import partial, publish
from handsight.recordings.layout import shown

_log = logging.getLogger(__name__)


class PictureFile:
    """Encoded pictures, one after another in a file; beside it an array says where each ends, int64 `[N]`.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends = np.load(_ends(path), mmap_mode="r")
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def read(self, index: int) -> bytes:
        """Return an encoded picture.

        Raises:
            HandsightError: the file ends before it.
        """
        first = int(self._ends[index - 1]) if index else 0
        size = int(self._ends[index]) - first
        os.lseek(self._file, first, os.SEEK_SET)
        encoded = os.read(self._file, size)
        if len(encoded) < size:
            raise HandsightError(f"{shown(self._path)} ends before frame {index}; delete it")
        return encoded


def open_copy(path: Path) -> PictureFile | None:
    """Return the copy, where there is a whole one."""
    try:
        return PictureFile(path) if _ends(path).exists() else None
    except (OSError, ValueError):
        return None


def make_copy(path: Path, pictures: Iterator[list[bytes | None]], needed_bytes: int) -> PictureFile | None:
    """Return a copy, made unless another process has made it meanwhile.

    Args:
        path: where it goes.
        pictures: all of them, some at a time; None where one lies in a file of its own.
        needed_bytes: how much they take, about.

    Returns:
        None, with a warning, where there is no room for it or a picture lies in a file of its own.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            if _ends(path).exists():
                return PictureFile(path)
            if needed_bytes > shutil.disk_usage(path.parent).free:
                raise OSError(f"{needed_bytes / 1e6:.0f} MB are needed")
            _log.warning(
                "copying %.0f MB of pictures to %s, to read them one by one", needed_bytes / 1e6, shown(path)
            )
            ends = _write(partial(path), pictures)
            publish(path)
            with open(partial(_ends(path)), "wb") as file:
                np.save(file, ends)
            publish(_ends(path))
            return PictureFile(path)
    except (OSError, ValueError) as error:
        partial(path).unlink(missing_ok=True)
        _log.warning(
            "no copy of the pictures in %s (%s): reading them at random is slow", shown(path.parent), error
        )
        return None


def _write(path: Path, pictures: Iterator[list[bytes | None]]) -> npt.NDArray[np.int64]:
    sizes = array("q")
    with open(path, "wb") as file:
        for some in pictures:
            for encoded in some:
                if encoded is None:
                    raise ValueError("a picture lies in a file of its own")
                file.write(encoded)
                sizes.append(len(encoded))
    return np.cumsum(sizes, dtype=np.int64)


def _ends(path: Path) -> Path:
    return path.with_suffix(".ends.npy")
