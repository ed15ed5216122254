"""What can be read of meta/episodes, whatever of it is damaged."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from handsight.recordings.repair.files import Place, parquet_source
from handsight.recordings.repair.plan import Repair
from handsight.recordings.sealed import episode_files
from handsight.recordings.tables import DAMAGED


class Rows:
    """Rows of meta/episodes in the order in which they were found.

    Args:
        table: all columns that can be told apart.
        whole: whether that is all there was.
        files: chunk and file number of each row's file.

    Attributes:
        table: may be changed.
        as_read: as it was.
    """

    def __init__(self, table: pa.Table, whole: bool, files: list[Place]) -> None:
        self.table = self.as_read = table
        self.files = files
        self._whole = whole

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def is_as_read(self, table: pa.Table) -> bool:
        """Whether a table is just what the files hold: nothing was taken from it or set in it."""
        return self._whole and table is self.as_read

    def take(self, numbers: list[int]) -> pa.Table:
        """Return rows by their numbers; −1 is a row of which nothing is known."""
        if numbers == list(range(len(self))):
            return self.table
        return self.table.take(pa.array([number if number >= 0 else None for number in numbers], pa.int64()))

    def episodes(self) -> npt.NDArray[np.int64]:
        """Return the number of each row's episode.

        Where the frames that the rows name follow one another without a gap, that order is the episodes';
        else it is what episode_index says.
        """
        said = self.integers("episode_index")
        first, end = self.integers("dataset_from_index"), self.integers("dataset_to_index")
        order = np.argsort(first, kind="stable")
        begins = np.r_[0, end[order][:-1]]
        if len(said) and (end > first).all() and np.array_equal(first[order], begins):
            numbers = np.empty_like(said)
            numbers[order] = np.arange(len(said))
            return numbers
        return said

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """Return a column of whole numbers, −1 where it holds something else."""
        column = self._cast(name, pa.int64())
        return np.full(len(self), -1) if column is None else np.asarray(column.fill_null(-1).to_numpy())

    def times(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column of times, NaN where it holds something else."""
        column = self._cast(name, pa.float64())
        return np.full(len(self), np.nan) if column is None else np.asarray(column.to_numpy(), np.float64)

    def tasks(self) -> list[tuple[str, ...]]:
        """Return each row's tasks; none where nothing readable is said."""
        if "tasks" not in self.table.column_names:
            return [()] * len(self)
        return [_words(row) for row in self.table.column("tasks").to_pylist()]

    def _cast(self, name: str, kind: pa.DataType) -> pa.ChunkedArray | None:
        if name not in self.table.column_names:
            return None
        column = self.table.column(name)
        try:
            return column.cast(kind)
        except pa.ArrowException:
            return None


def _words(row: object) -> tuple[str, ...]:
    if isinstance(row, str):
        return (row,)
    return tuple(word for word in row if isinstance(word, str)) if isinstance(row, list) else ()


def read_rows(root: Path, repairs: list[Repair]) -> tuple[Rows, list[str]]:
    """Return the rows of all files of meta/episodes that can be read, and the places of those that cannot.

    Args:
        root: of the recording.
        repairs: told of columns that were brought to one type.
    """
    tables, torn, whole = [], [], True
    files: list[Place] = []
    for path in episode_files(root):
        place = path.relative_to(root).as_posix()
        try:
            source, trimmed = parquet_source(path)
            with pq.ParquetFile(source) as file:
                counts = Counter(file.schema_arrow.names)
                table, lost = _read([name for name, count in counts.items() if count == 1], file)
        except DAMAGED:
            torn.append(place)
            continue
        whole &= not trimmed and len(counts) == table.num_columns
        if lost:
            repairs.append(Repair(place, f"columns could not be read and are left out: {', '.join(lost)}"))
        tables.append(table)
        numbered = re.fullmatch(r"meta/episodes/chunk-(\d{1,9})/file-(\d{1,9})\.parquet", place)
        whole &= numbered is not None
        files += [(int(numbered[1]), int(numbered[2])) if numbered else (0, 0)] * table.num_rows
    if not tables:
        return Rows(pa.table({"episode_index": pa.array([], pa.int64())}), whole, []), torn
    try:
        return Rows(pa.concat_tables(tables, promote_options="permissive"), whole, files), torn
    except pa.ArrowException:
        return Rows(_of_one_type(tables, repairs), False, files), torn


def _read(names: list[str], file: pq.ParquetFile) -> tuple[pa.Table, list[str]]:
    """Return the columns that can be read, and the names of the others."""
    try:
        table = file.read(columns=names)
        table.validate(full=True)
        return table, []
    except DAMAGED:
        pass
    columns, lost = {}, []
    for name in names:
        try:
            column = file.read(columns=[name]).column(0)
            column.validate(full=True)
            if len(column) != file.metadata.num_rows:
                raise ValueError("has other rows")
            columns[name] = column
        except DAMAGED:
            lost.append(name)
    return pa.table(columns), lost


def _of_one_type(tables: list[pa.Table], repairs: list[Repair]) -> pa.Table:
    """Bring columns that differ in type between files to the type that most have."""
    kinds: dict[str, Counter[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, Counter())[field.type] += 1
    schema = pa.schema([(name, count.most_common(1)[0][0]) for name, count in kinds.items()])
    mixed = ", ".join(name for name, count in kinds.items() if len(count) > 1)
    repairs.append(
        Repair("meta/episodes", f"columns differed in type between files ({mixed}): brought to one")
    )
    return pa.concat_tables([_of_schema(table, schema) for table in tables])


def _of_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        column = table.column(field.name) if field.name in table.column_names else None
        try:
            columns.append(
                pc.cast(column, field.type) if column is not None else pa.nulls(len(table), field.type)
            )
        except pa.ArrowException:
            columns.append(pa.nulls(len(table), field.type))
    return pa.table(columns, schema=schema)
