"""The mended recording: data files with the right numbers in them, and the table of episodes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.columns import arrow_type
from handsight.recordings.features import BOOKKEEPING, BOOKKEEPING_FEATURES
from handsight.recordings.layout import DATA, EPISODES, next_file
from handsight.recordings.repair.choose import Chosen
from handsight.recordings.repair.files import DataFile, Place
from handsight.recordings.repair.matching import Found
from handsight.recordings.repair.plan import Plan, Repair
from handsight.recordings.repair.table import Rows
from handsight.recordings.repair.tasks import Tasks
from handsight.recordings.tables import DAMAGED

_TOLERANCE_S = 1e-4
_EPISODES_IN_A_FILE = 50_000


@dataclass
class Shard:
    """A data file of the mended recording.

    Args:
        number: chunk and file.
        file: that its rows come from.
        episodes: (new number, first frame, episode), in order.
    """

    number: Place
    file: DataFile
    episodes: list[tuple[int, int, Found]]


def shards(kept: list[Found], chunks_size: int) -> list[Shard]:
    """Divide episodes into data files: as they are, unless their order asks for other numbers."""
    made: list[Shard] = []
    frame = 0
    for number, one in enumerate(kept):
        if not made or made[-1].file is not one.file:
            made.append(Shard(one.file.number, one.file, []))
        made[-1].episodes.append((number, frame, one))
        frame += one.length
    if any(later.number <= shard.number for shard, later in itertools.pairwise(made)):
        place = (0, -1)
        for shard in made:
            shard.number = place = next_file(*place, chunks_size)
    return made


def stage_data(
    plan: Plan, made: list[Shard], data_path: str, fps: float, tasks: Tasks, repairs: list[Repair]
) -> set[str]:
    """Write the data files that have to change; return the places of all that the mended recording has."""
    places = set()
    for shard in made:
        place = data_path.format(chunk_index=shard.number[0], file_index=shard.number[1])
        places.add(place)
        wrong = _wrong(shard, place, fps, tasks)
        if wrong:
            _write(plan, shard, place, fps, tasks)
            repairs.append(Repair(place, f"{wrong}: written anew"))
        shard.file.close()
    return places


def _wrong(shard: Shard, place: str, fps: float, tasks: Tasks) -> str | None:
    """Return why a data file cannot stay as it is."""
    ends = [one.end for _, _, one in shard.episodes]
    firsts = [one.first for _, _, one in shard.episodes]
    if shard.file.trimmed:
        return "bytes followed it that are not its own"
    if shard.file.doubled:
        return "several columns had one name"
    if place != shard.file.place:
        return f"{shard.file.place} comes here in the episodes' order"
    if [0, *ends[:-1]] != firsts or ends[-1] != shard.file.rows:
        return "it held rows that are no episode's, or in another order"
    wanted = _bookkeeping(shard.episodes, fps, tasks)
    for name in BOOKKEEPING:
        if name == "timestamp":
            if not _keeps_time(shard.file, wanted[name]):
                return "timestamp was not frame_index / fps"
        elif (there := shard.file.whole_numbers(name)) is None or not np.array_equal(there, wanted[name]):
            return f"{name} was wrong or missing"
    return None


def _keeps_time(file: DataFile, wanted: npt.NDArray[np.float64]) -> bool:
    try:
        column = file.read("timestamp")
        if pa.types.is_list(column.type) or not (
            pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        ):
            return False
        time_s = np.asarray(column.to_numpy(), np.float64)
    except DAMAGED:
        return False
    return bool((np.abs(time_s - wanted) <= np.maximum(_TOLERANCE_S, 1e-6 * wanted)).all())


def _bookkeeping(
    episodes: list[tuple[int, int, Found]], fps: float, tasks: Tasks
) -> dict[str, npt.NDArray[Any]]:
    frames = [np.arange(one.length) for _, _, one in episodes]
    frame = np.concatenate(frames)
    return {
        "timestamp": frame / fps,
        "frame_index": frame,
        "episode_index": np.concatenate([np.full(one.length, number) for number, _, one in episodes]),
        "index": np.concatenate([first + rows for (_, first, _), rows in zip(episodes, frames, strict=True)]),
        "task_index": np.concatenate([tasks.numbers(one) for _, _, one in episodes]),
    }


def _write(plan: Plan, shard: Shard, place: str, fps: float, tasks: Tasks) -> None:
    names = _readable(shard)
    path = plan.new(place)
    writer: pq.ParquetWriter | None = None
    try:
        for number, first, one in shard.episodes:
            table = _of_episode(shard.file, names, one)
            for name, values in _bookkeeping([(number, first, one)], fps, tasks).items():
                kind = arrow_type(BOOKKEEPING_FEATURES[name])
                column = pa.array(values.astype(kind.to_pandas_dtype()), kind)
                at = table.column_names.index(name) if name in table.column_names else None
                table = (
                    table.append_column(name, column) if at is None else table.set_column(at, name, column)
                )
            writer = writer or pq.ParquetWriter(
                path, table.schema, compression="snappy", write_statistics=False
            )
            writer.write_table(table, row_group_size=one.length)
    finally:
        if writer is not None:
            writer.close()


def _readable(shard: Shard) -> list[str]:
    """Return the columns that can be read of all episodes; that others can be missed is decided by now."""
    try:
        for _, _, one in shard.episodes:
            shard.file.rows_of(None, one.first, one.end)
    except HandsightError:
        return [name for name in shard.file.columns if _can_read(shard, name)]
    return list(shard.file.columns)


def _can_read(shard: Shard, name: str) -> bool:
    try:
        for _, _, one in shard.episodes:
            shard.file.rows_of(name, one.first, one.end)
    except HandsightError:
        return False
    return True


def _of_episode(file: DataFile, names: list[str], one: Found) -> pa.Table:
    if names == list(file.columns):
        return file.rows_of(None, one.first, one.end)
    parts = [file.rows_of(name, one.first, one.end) for name in names]
    table = pa.table([part.column(0) for part in parts], names=names)
    return table.replace_schema_metadata(file.schema.metadata)


def table_of(rows: Rows, made: list[Shard], chosen: Chosen, tasks: Tasks, fps: float, ours: bool) -> pa.Table:
    """Return the table of the mended recording's episodes: all columns there were, and the right places."""
    kept = chosen.kept
    shard_of = [shard.number for shard in made for _ in shard.episodes]
    starts = np.cumsum([0, *(one.length for one in kept)])
    table = rows.take([one.row for one in kept])
    columns: dict[str, Any] = {
        "episode_index": np.arange(len(kept)),
        "tasks": pa.array([list(tasks.of_episode[one.episode]) for one in kept], pa.list_(pa.string())),
        "length": np.diff(starts),
        "data/chunk_index": [number[0] for number in shard_of],
        "data/file_index": [number[1] for number in shard_of],
        "dataset_from_index": starts[:-1],
        "dataset_to_index": starts[1:],
    }
    for camera, placed in chosen.placed.items():
        if camera in chosen.dropped or camera in chosen.hopeless:
            continue
        at = [placed[one.episode] for one in kept]
        from_s = np.array([one.from_s for one in at])
        columns[f"videos/{camera}/chunk_index"] = [one.number[0] for one in at]
        columns[f"videos/{camera}/file_index"] = [one.number[1] for one in at]
        columns[f"videos/{camera}/from_timestamp"] = from_s
        columns[f"videos/{camera}/to_timestamp"] = from_s + np.diff(starts) / fps
    if ours and len(rows.files) == len(kept):  # where a writer goes on; `stage_table` writes them anew
        columns["meta/episodes/chunk_index"] = [number[0] for number in rows.files]
        columns["meta/episodes/file_index"] = [number[1] for number in rows.files]
    for camera in chosen.dropped:
        table = table.select(
            [name for name in table.column_names if not name.startswith(f"videos/{camera}/")]
        )
    for name, values in columns.items():
        kind = {"from_timestamp": pa.float64(), "to_timestamp": pa.float64()}.get(
            name.split("/")[-1], pa.int64()
        )
        table = _with(table, name, values if name == "tasks" else pa.array(values, kind))
    return table


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """Return a table with other values in a column, unless they say the same."""
    if name not in table.column_names:
        return table.append_column(name, values)
    at = table.column_names.index(name)
    before = table.column(name)
    same = before.type == values.type or name.endswith("to_timestamp") or name == "tasks"
    if same and before.to_pylist() == values.to_pylist():
        return table
    if name.endswith("to_timestamp") and _close(before, values):
        return table
    return table.set_column(at, name, values)


def _close(before: pa.ChunkedArray, values: pa.Array) -> bool:
    if before.null_count or not pa.types.is_floating(before.type):
        return False
    return bool(np.allclose(before.to_numpy(), values.to_numpy(), rtol=0, atol=_TOLERANCE_S))


def stage_table(plan: Plan, table: pa.Table) -> None:
    """Write the table of episodes in place of the files of meta/episodes."""
    folder = plan.new("meta/episodes")
    count = max(1, -(-table.num_rows // _EPISODES_IN_A_FILE))
    for file in range(count):
        part = table.slice(file * _EPISODES_IN_A_FILE, _EPISODES_IN_A_FILE)
        for name, value in (("meta/episodes/chunk_index", 0), ("meta/episodes/file_index", file)):
            column = pa.array([value] * part.num_rows, pa.int64())
            at = part.column_names.index(name) if name in part.column_names else None
            part = part.append_column(name, column) if at is None else part.set_column(at, name, column)
        path = folder / EPISODES.removeprefix("meta/episodes/").format(chunk_index=0, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part, path)


def usable_pattern(info: Mapping[str, Any], made: list[Shard]) -> str:
    """Return the pattern of data files: the recording's own, unless it cannot tell the mended files apart."""
    pattern = str(info.get("data_path") or DATA)
    places = {pattern.format(chunk_index=shard.number[0], file_index=shard.number[1]) for shard in made}
    return pattern if len(places) == len(made) else DATA
