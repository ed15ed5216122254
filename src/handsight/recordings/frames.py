"""Frames of one camera of a recording, by number: PNGs in the data files, or videos."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.episodes import Episodes
from handsight.recordings.layout import shown
from handsight.recordings.videofile import VideoFile

_OPEN_FILES = 4
"""So many files stay open; more would cost memory for little: indices are read in order."""


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
        for e in np.unique(episode):
            file = self._file(self._episodes.video_file(self._camera, int(e)))
            offsets = indices[episode == e] - self._episodes.starts[e]
            times_s = self._episodes.from_s[self._camera][e] + offsets / self._fps
            yield from file.read(times_s, 0.49 / self._fps)

    def _file(self, place: str) -> VideoFile:
        if place not in self._open:
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            path = self._root / place
            if not path.is_file():
                raise HandsightError(f"{shown(path)} is missing; restore it from a copy of the recording")
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
    """

    def __init__(self, root: Path, episodes: Episodes, camera: str) -> None:
        self._root, self._camera = root, camera
        self._files = episodes.data_files()
        self._first = np.array([first for _, first, _ in self._files])
        self._open: OrderedDict[int, tuple[pq.ParquetFile, npt.NDArray[np.int64]]] = OrderedDict()
        self._group: tuple[int, int] = (-1, -1)
        self._column: Any = None

    def read(self, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the RGB frame `[H, W, 3]` of each global frame number; numbers ascend."""
        for index in indices.tolist():
            number = int(np.searchsorted(self._first, index, side="right")) - 1
            place, first, _ = self._files[number]
            try:
                file, starts = self._file(number)
                group = int(np.searchsorted(starts, index - first, side="right")) - 1
                if (number, group) != self._group:
                    self._column = file.read_row_group(group, columns=[self._camera]).column(0)
                    self._group = (number, group)
                value = self._column[index - first - int(starts[group])].as_py()
            except (OSError, IndexError, pa.ArrowException) as error:
                raise HandsightError(
                    f"{shown(self._root / place)}, frame {index} cannot be read "
                    f"({(str(error).splitlines() or [''])[0]})"
                ) from None
            yield self._decode(value, place, index)

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
        encoded = value.get("bytes") if isinstance(value, dict) else value
        if encoded is None and isinstance(value, dict) and value.get("path"):
            path = self._root / value["path"]
            encoded = path.read_bytes() if path.is_file() else None
        picture = None
        if isinstance(encoded, bytes) and encoded:
            picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise HandsightError(
                f"{shown(self._root / place)}: the {self._camera!r} of frame {index} is no picture"
            )
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def close(self) -> None:
        """Close all files."""
        for file, _ in self._open.values():
            file.close()
        self._open.clear()
        self._group, self._column = (-1, -1), None


def open_data_file(root: Path, file: tuple[str, int, int]) -> pq.ParquetFile:
    """Open a data file that holds the frames from the second to before the third number.

    Raises:
        HandsightError: it is missing or torn, or holds another number of rows.
    """
    place, first, end = file
    path = root / place
    if not path.is_file():
        raise HandsightError(f"{shown(path)} is missing; restore it from a copy of the recording")
    try:
        opened = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise HandsightError(
            f"{shown(path)} cannot be read ({(str(error).splitlines() or [''])[0]}); restore it from a copy"
        ) from None
    if opened.metadata.num_rows != end - first:
        opened.close()
        raise HandsightError(
            f"{shown(path)} holds {opened.metadata.num_rows} frames; meta/episodes counts {end - first} there"
        )
    return opened
