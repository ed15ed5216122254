"""The files of a recording as they are, whatever its meta files say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError, first_line
from handsight.recordings.layout import JOURNAL, shown
from handsight.recordings.packets import Packets, read_packets
from handsight.recordings.tables import DAMAGED

Place = tuple[int, int]
"""Chunk and file number."""
_MAGIC = b"PAR1"


def parquet_source(path: Path) -> tuple[Any, bool]:
    """Return what pyarrow can open of a parquet file: all, or what comes before bytes of something else.

    Raises:
        OSError: as where it is a folder.
    """
    try:
        pq.ParquetFile(path).close()
    except DAMAGED:
        content = path.read_bytes()
        end = content.rfind(_MAGIC) + len(_MAGIC)
        if len(_MAGIC) < end < len(content):
            return pa.py_buffer(content[:end]), True
    return path, False


class DataFile:
    """A parquet file whose footer can be read.

    Args:
        root: of the recording.
        place: below it.
        number: chunk and file.

    Attributes:
        schema: of its columns.
        columns: their names.
        doubled: whether several have one name; then the first counts.
        rows: how many.
        trimmed: whether it is followed by bytes that do not belong to it.

    Raises:
        HandsightError: it cannot be opened.
    """

    def __init__(self, root: Path, place: str, number: Place) -> None:
        self.path, self.place, self.number = root / place, place, number
        try:
            self._source, self.trimmed = parquet_source(self.path)
            with pq.ParquetFile(self._source) as file:
                self.schema: pa.Schema = file.schema_arrow
                names = self.schema.names
                groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        except DAMAGED as error:
            raise HandsightError(f"{shown(self.path)} cannot be read ({first_line(error)})") from None
        self.columns = tuple(dict.fromkeys(names))
        self.doubled = len(self.columns) < len(names)
        self._ends = np.cumsum(groups, dtype=np.int64)
        self.rows = int(self._ends[-1]) if groups else 0
        self._open: pq.ParquetFile | None = None
        self._held: tuple[Any, pa.Table] | None = None

    def close(self) -> None:
        """Close the file and forget what was read; reading opens it again."""
        if self._open is not None:
            self._open.close()
        self._open = self._held = None

    def read(self, name: str) -> pa.ChunkedArray:
        """Return a column of the whole file.

        Raises:
            HandsightError: it is missing or cannot be read.
        """
        return self._read(None, name)

    def whole_numbers(self, name: str) -> npt.NDArray[np.int64] | None:
        """Return a column of whole numbers, `[rows]`; None where it is not one."""
        try:
            column = self._read(None, name)
            if column.null_count or not pa.types.is_integer(column.type):
                return None
            return np.asarray(column.cast(pa.int64()).to_numpy())
        except DAMAGED:  # HandsightError is a ValueError
            return None

    def rows_of(self, name: str | None, first: int, end: int) -> pa.Table:
        """Return rows of one column, or of all that can be told apart.

        Raises:
            HandsightError: they cannot be read.
        """
        groups = np.flatnonzero((self._ends > first) & (np.r_[0, self._ends[:-1]] < end)).tolist()
        key = (name, groups)
        if self._held is None or self._held[0] != key:
            self._held = (key, self._read(groups, name, table=True))
        begin = first - int(self._ends[groups[0] - 1] if groups[0] else 0)
        part = self._held[1].slice(begin, end - first)
        if part.num_rows != end - first:
            raise HandsightError(f"{shown(self.path)} has fewer rows than it says")
        return part

    def _read(self, groups: list[int] | None, name: str | None, table: bool = False) -> Any:
        names = list(self.columns) if name is None else [name]
        if not set(names) <= set(self.columns):
            raise HandsightError(f"{shown(self.path)} has no column {name!r}")
        try:
            self._open = self._open or pq.ParquetFile(self._source)
            if groups is None:
                read = self._open.read(columns=names)
            else:
                read = self._open.read_row_groups(groups, columns=names)
            if self.doubled:
                read = read.select([read.schema.names.index(name) for name in names])
            read.validate(full=True)
        except DAMAGED as error:
            raise HandsightError(f"{shown(self.path)} cannot be read ({first_line(error)})") from None
        if groups is None and read.num_rows != self.rows:
            raise HandsightError(f"{shown(self.path)} has fewer rows than it says")
        return read if table else read.column(0)


@dataclass(frozen=True)
class Files:
    """Everything that lies in a recording's folders.

    Args:
        root: of the recording.
        data: the data files that can be opened, in order.
        torn: place of the other data files → why they cannot.
        videos: for each camera that has a folder, chunk and file → what it holds, or why it cannot be read.
        video_places: camera, chunk and file → place below the recording.
        waiting: for each camera, the videos in the journal.
    """

    root: Path
    data: tuple[DataFile, ...]
    torn: Mapping[str, str]
    videos: Mapping[str, Mapping[Place, Packets | str]]
    video_places: Mapping[tuple[str, Place], str]
    waiting: Mapping[str, Sequence[Packets]]

    def path(self, camera: str, number: Place) -> Path:
        """Return a video's path."""
        return self.root / self.video_places[camera, number]


def look(root: Path, data_path: str, video_path: str) -> Files:
    """Open every data file and every video of a recording."""
    data, torn = [], {}
    for number, place in sorted(numbered(root, data_path)):
        try:
            data.append(DataFile(root, place, number))
        except HandsightError as error:
            torn[place] = str(error)
    videos: dict[str, dict[Place, Packets | str]] = {}
    places = {}
    folder = root / "videos"
    for camera in sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ():
        videos[camera] = {}
        for number, place in sorted(numbered(root, video_path, camera)):
            places[camera, number] = place
            try:
                videos[camera][number] = read_packets(root / place)
            except HandsightError as error:
                videos[camera][number] = str(error)
    return Files(root, tuple(data), torn, videos, places, _waiting(root))


def _waiting(root: Path) -> dict[str, list[Packets]]:
    found: dict[str, list[Packets]] = {}
    for path in sorted((root / JOURNAL / "videos").glob("*/*.mp4")):
        try:
            found.setdefault(path.parent.name, []).append(read_packets(path))
        except HandsightError:
            continue
    return found


def numbered(root: Path, pattern: str, camera: str = "") -> Iterator[tuple[Place, str]]:
    """Yield the files that a pattern of `info.json` names: chunk and file number, and place."""
    expression = ""
    for words, field, _, _ in Formatter().parse(pattern):
        expression += re.escape(words)
        if field == "video_key":
            expression += re.escape(camera)
        elif field is not None:
            expression += f"(?P={field})" if f"?P<{field}>" in expression else rf"(?P<{field}>\d+)"
    named = re.compile(expression)
    first = pattern.split("/")[0]
    top = root if "{" in first or "/" not in pattern else root / first
    for path in sorted(top.rglob("*")):
        place = path.relative_to(root).as_posix()
        found = named.fullmatch(place)
        if found is None:
            continue
        numbers = found.groupdict()
        number = (int(numbers.get("chunk_index", 0)), int(numbers.get("file_index", 0)))
        values = {"chunk_index": number[0], "file_index": number[1], "video_key": camera}
        if pattern.format(**values) == place:
            yield number, place
