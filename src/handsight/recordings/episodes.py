"""The table of a recording's episodes: where each one lies, and its facts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.layout import DATA, VIDEO, is_fact, shown
from handsight.recordings.sealed import episode_files

Place = tuple[int, int]
"""Chunk and file number."""


@dataclass(frozen=True)
class Episodes:
    """Where the episodes of a recording lie.

    Args:
        starts: global number of each episode's first frame, and at the end the number of frames; int64 `[E +
            1]`.
        data: chunk and file of each episode's data; int64 `[E, 2]`.
        videos: the same for each video camera.
        from_s: where in its video each episode begins, by camera, in s; float64 `[E]`.
        facts: the extra columns, each `[E]`.
        tasks: of each episode, in words.
        data_path: pattern of the data files.
        video_path: pattern of the video files.
    """

    starts: npt.NDArray[np.int64]
    data: npt.NDArray[np.int64]
    videos: Mapping[str, npt.NDArray[np.int64]]
    from_s: Mapping[str, npt.NDArray[np.float64]]
    facts: Mapping[str, npt.NDArray[Any]]
    tasks: tuple[tuple[str, ...], ...]
    data_path: str
    video_path: str

    def data_files(self) -> list[tuple[str, int, int]]:
        """Return the data files in order: path below the root, first frame, frame after the last."""
        return [
            (self.data_file(first), int(self.starts[first]), int(self.starts[end]))
            for first, end in self.runs()
        ]

    def data_file(self, episode: int) -> str:
        """Return where an episode's data lies, below the root."""
        chunk, file = self.data[episode]
        return self.data_path.format(chunk_index=int(chunk), file_index=int(file))

    def video_file(self, camera: str, episode: int) -> str:
        """Return where an episode's video lies, below the root."""
        chunk, file = self.videos[camera][episode]
        return self.video_path.format(video_key=camera, chunk_index=int(chunk), file_index=int(file))

    def runs(self) -> list[tuple[int, int]]:
        """Return the episodes of each data file: first, and the one after the last."""
        changes = 1 + np.flatnonzero((self.data[1:] != self.data[:-1]).any(axis=1))
        edges = [0, *changes.tolist(), len(self.data)]
        return list(itertools.pairwise(edges))


def read_episodes(root: Path, info: Mapping[str, Any], video_cameras: list[str]) -> Episodes:
    """Read meta/episodes as far as `info.json` counts it.

    Raises:
        HandsightError: a file is missing or torn, or its rows are not the episodes in order.
    """
    count = int(info["total_episodes"])
    table = _read_tables(root, count)
    where = f"{shown(root)}/meta/episodes"
    if table.num_rows < count:
        raise HandsightError(
            f"{where} has {table.num_rows} episodes; meta/info.json counts {count}: a file is missing"
        )
    table = table.slice(0, count)
    try:
        if not np.array_equal(_integers(table, "episode_index"), np.arange(count)):
            raise HandsightError(f"{where}: row i is not episode i; the files are not of one recording")
        lengths = _integers(table, "length")
        starts = np.concatenate([[0], np.cumsum(lengths)])
        if (lengths < 1).any() or starts[-1] != int(info["total_frames"]):
            raise HandsightError(
                f"{where}: lengths from {lengths.min()} add up to {starts[-1]} frames; meta/info.json counts "
                f"{info['total_frames']}"
            )
        return Episodes(
            starts=starts,
            data=_places(table, "data"),
            videos={key: _places(table, f"videos/{key}") for key in video_cameras},
            from_s={
                key: table.column(f"videos/{key}/from_timestamp").to_numpy().astype(np.float64)
                for key in video_cameras
            },
            facts={name: _fact(table.column(name)) for name in table.column_names if is_fact(name)},
            tasks=tuple(tuple(str(task) for task in row or ()) for row in table.column("tasks").to_pylist()),
            data_path=info.get("data_path") or DATA,
            video_path=info.get("video_path") or VIDEO,
        )
    except (KeyError, pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(error, HandsightError):
            raise
        raise HandsightError(
            f"{where} cannot be used ({str(error).splitlines()[0]}); restore it from a copy"
        ) from None


def _read_tables(root: Path, count: int) -> pa.Table:
    tables, rows = [], 0
    for path in episode_files(root):
        if rows >= count:
            break  # not counted yet: a writer is at work
        try:
            with pq.ParquetFile(path) as file:
                names = [name for name in file.schema_arrow.names if not name.startswith("stats/")]
                tables.append(file.read(columns=names))
        except (OSError, pa.ArrowException) as error:
            raise HandsightError(
                f"{shown(path)} cannot be read ({(str(error).splitlines() or [''])[0]}); restore it from a "
                "copy"
            ) from None
        rows += tables[-1].num_rows
    if not tables:
        raise HandsightError(
            f"{shown(root)} has no files in meta/episodes; meta/info.json counts {count} episodes"
        )
    return pa.concat_tables(tables, promote_options="permissive")


def _integers(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    column = table.column(name)
    if column.null_count or not pa.types.is_integer(column.type):
        raise ValueError(f"column {name} is {column.type} with {column.null_count} missing; expected int64")
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _places(table: pa.Table, kind: str) -> npt.NDArray[np.int64]:
    return np.stack([_integers(table, f"{kind}/{part}_index") for part in ("chunk", "file")], axis=1)


def _fact(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(["" if value is None else value for value in column.to_pylist()], dtype=np.str_)
    return np.asarray(column.to_numpy())
