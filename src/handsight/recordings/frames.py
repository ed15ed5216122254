"""Frames of one camera of a recording, by number: PNGs in the data files, or videos."""

from __future__ import annotations

import io
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from handsight.errors import HandsightError
from handsight.recordings.episodes import Episodes
from handsight.recordings.layout import how_to_mend, is_inside, shown
from handsight.recordings.picturefile import PictureFile, make_copy, open_copy
from handsight.recordings.tables import reading
from handsight.recordings.videofile import VideoFile

_MOST_PIXELS = 2**26
"""Of one picture: beyond what cameras have, and 200 MB decoded."""
_OPEN_FILES = 16
"""So many files stay open: opening one takes as long as decoding ten frames, each holds a few MB."""
HELD_BYTES = 64 * 1024 * 1024
"""Of encoded pictures that stay in memory. They come by row groups, and others write large ones."""


_LARGE_BYTES = 2 * 1024 * 1024
"""A row group of more pictures than this takes longer to read than one of them to decode."""


class FrameReader(Protocol):
    """Reads frames of one camera."""

    def read(self, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the RGB frame `[H, W, 3]` of each global frame number; numbers ascend."""

    def close(self) -> None:
        """Close all files."""


class VideoFrames:
    """Frames of a video camera.

    Args:
        root: of the recording.
        episodes: where they lie.
        camera: as it is called on disk.
        fps: frames per second.
        threads: decode with several threads: faster in sequence, slower in jumps.
    """

    def __init__(
        self, root: Path, episodes: Episodes, camera: str, fps: float, *, threads: bool = False
    ) -> None:
        self._root, self._episodes, self._camera, self._fps, self._threads = (
            root,
            episodes,
            camera,
            fps,
            threads,
        )
        self._open: OrderedDict[str, VideoFile] = OrderedDict()

    def read(self, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the RGB frame `[H, W, 3]` of each global frame number; numbers ascend.

        A frame counts as found within less than half a frame's time: nothing else can be nearer, and
        LeRobot's own 1e-4 s would refuse the recordings whose from_timestamp has drifted.
        """
        episode = np.searchsorted(self._episodes.starts, indices, side="right") - 1
        for mine in np.split(np.arange(len(indices)), 1 + np.flatnonzero(np.diff(episode))):
            e = int(episode[mine[0]])
            file = self._file(self._episodes.video_file(self._camera, e))
            offsets = indices[mine] - self._episodes.starts[e]
            times_s = self._episodes.from_s[self._camera][e] + offsets / self._fps
            yield from file.read(times_s, 0.49 / self._fps)

    def _file(self, place: str) -> VideoFile:
        if place not in self._open:
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            path = self._root / place
            if not path.is_file():
                raise HandsightError(f"{shown(path)} is missing; {how_to_mend(self._root)}")
            self._open[place] = VideoFile(path, threads=self._threads)
        self._open.move_to_end(place)
        return self._open[place]

    def close(self) -> None:
        """Close all files."""
        for file in self._open.values():
            file.close()
        self._open.clear()


class ImageFrames:
    """Frames of an image camera: encoded pictures in the data files.

    Args:
        root: of the recording.
        episodes: where they lie.
        camera: as it is called on disk.
        held_bytes: of row groups that stay in memory beside the newest; 0 for reading in order.
        copy: says where a copy goes that can be read one by one; None for no copy. It is made when as much
            has been read from large row groups as there is in all.
    """

    def __init__(
        self,
        root: Path,
        episodes: Episodes,
        camera: str,
        held_bytes: int = HELD_BYTES,
        copy: Callable[[], Path] | None = None,
    ) -> None:
        self._root, self._camera, self._most_bytes = root, camera, held_bytes
        self._files = episodes.data_files()
        self._first = np.array([first for _, first, _ in self._files])
        self._open: OrderedDict[int, tuple[pq.ParquetFile, npt.NDArray[np.int64]]] = OrderedDict()
        self._held: OrderedDict[tuple[int, int], pa.ChunkedArray] = OrderedDict()
        self._held_bytes = 0
        self._new_copy = copy
        self._copy: PictureFile | None = None
        self._large_bytes = 0

    def read(self, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the RGB frame `[H, W, 3]` of each global frame number; numbers ascend."""
        if self._large_bytes and self._copy is None and self._new_copy is not None:
            self._copy = self._find_copy(self._new_copy())
        for index in indices.tolist():
            number = int(np.searchsorted(self._first, index, side="right")) - 1
            place, first, _ = self._files[number]
            with reading(f"{shown(self._root / place)}, frame {index}", how_to_mend(self._root)):
                if self._copy is not None:
                    value: Any = self._copy.read(index)
                else:
                    file, starts = self._file(number)
                    group = int(np.searchsorted(starts, index - first, side="right")) - 1
                    value = self._column(number, file, group)[index - first - int(starts[group])].as_py()
            yield self._decode(value, place, index)

    def _find_copy(self, path: Path) -> PictureFile | None:
        """Return the copy where there is one; make it where that is worth it by now, once."""
        found = open_copy(path)
        if found is None:
            in_all = sum((self._root / place).stat().st_size for place, _, _ in self._files)
            if self._large_bytes > in_all:
                self._new_copy = None
                found = make_copy(path, self._pictures(), in_all)
        return found

    def _pictures(self) -> Iterator[list[bytes | None]]:
        """Yield all encoded pictures in order; None for one that lies in a file of its own."""
        for file in self._files:
            with (
                reading(shown(self._root / file[0]), how_to_mend(self._root)),
                open_data_file(self._root, file) as opened,
            ):
                for batch in opened.iter_batches(64, columns=[self._camera]):
                    values = batch.column(0).to_pylist()
                    yield [value.get("bytes") if isinstance(value, dict) else value for value in values]

    def _column(self, number: int, file: pq.ParquetFile, group: int) -> pa.ChunkedArray:
        """Return the pictures of a row group, encoded; those used last stay in memory."""
        key = (number, group)
        if key not in self._held:
            column = file.read_row_group(group, columns=[self._camera], use_threads=False).column(0)
            self._held[key] = column
            self._held_bytes += column.nbytes
            self._large_bytes += column.nbytes if column.nbytes > _LARGE_BYTES else 0
            while self._held_bytes > self._most_bytes and len(self._held) > 1:
                self._held_bytes -= self._held.popitem(last=False)[1].nbytes
        self._held.move_to_end(key)
        return self._held[key]

    def _file(self, number: int) -> tuple[pq.ParquetFile, npt.NDArray[np.int64]]:
        if number not in self._open:
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1][0].close()
            file = open_data_file(self._root, self._files[number])
            groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            self._open[number] = (file, np.concatenate([[0], np.cumsum(groups)]).astype(np.int64))
        self._open.move_to_end(number)
        return self._open[number]

    def _decode(self, value: Any, place: str, index: int) -> npt.NDArray[np.uint8]:
        try:
            return read_picture(self._root, value)
        except ValueError as error:
            raise HandsightError(
                f"{shown(self._root / place)}: the {self._camera!r} of frame {index} is no picture "
                f"({error}); {how_to_mend(self._root)}"
            ) from None

    def close(self) -> None:
        """Close all files."""
        for file, _ in self._open.values():
            file.close()
        self._open.clear()
        self._held.clear()
        self._held_bytes = 0


def read_picture(root: Path, value: Any) -> npt.NDArray[np.uint8]:
    """Return a picture of a data file as RGB `[H, W, 3]`.

    Args:
        root: of the recording.
        value: its encoded bytes; or a dict of `bytes` and, where these are None, `path` below the recording.

    Raises:
        ValueError: it is none, or one of more pixels than any camera has, which would fill the memory.
    """
    encoded = value.get("bytes") if isinstance(value, dict) else value
    if encoded is None and isinstance(value, dict):
        encoded = _picture_beside(root, value.get("path"))
    if not isinstance(encoded, bytes) or not encoded:
        raise ValueError("empty")
    height, width = _size_of_picture(encoded)
    if height * width > _MOST_PIXELS:
        raise ValueError(f"of {height} × {width} pixels")
    try:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise ValueError("torn, or of an unknown format")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _size_of_picture(encoded: bytes) -> tuple[int, int]:
    """Return height and width as a picture's header says them."""
    if encoded[:8] == b"\x89PNG\r\n\x1a\n" and len(encoded) >= 24:  # nearly always: and Pillow takes longer
        return int.from_bytes(encoded[20:24], "big"), int.from_bytes(encoded[16:20], "big")
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            return picture.height, picture.width
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError, struct.error) as error:
        raise ValueError("torn, or of an unknown format") from error


def _picture_beside(root: Path, place: Any) -> bytes | None:
    """Return the content of a picture's own file below the recording; None where there is none."""
    if not isinstance(place, str) or not is_inside(place) or not (root / place).is_file():
        return None
    return (root / place).read_bytes()


def open_data_file(root: Path, file: tuple[str, int, int]) -> pq.ParquetFile:
    """Open a data file that holds the frames from the second to before the third number.

    Raises:
        HandsightError: it is missing or torn, or holds another number of rows.
    """
    place, first, end = file
    path = root / place
    if not path.is_file():
        raise HandsightError(f"{shown(path)} is missing; {how_to_mend(root)}")
    with reading(shown(path), how_to_mend(root)):
        opened = pq.ParquetFile(path, pre_buffer=False)  # else it holds whole files
        if opened.metadata.num_rows != end - first:
            opened.close()
            raise HandsightError(
                f"{shown(path)} holds {opened.metadata.num_rows} frames; meta/episodes counts {end - first} "
                f"there; {how_to_mend(root)}"
            )
    return opened
