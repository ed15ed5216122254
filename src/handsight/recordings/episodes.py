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
from handsight.recordings.facts import Facts, Tasks
from handsight.recordings.layout import DATA, VIDEO, how_to_mend, is_fact, shown
from handsight.recordings.sealed import episode_files
from handsight.recordings.tables import reading

Place = tuple[int, int]
"""Chunk and file number."""
_LATEST_S = 1e9
"""Where in a video an episode can begin; beyond it, half a frame could not be told from another."""


@dataclass(frozen=True)
class Episodes:
    """Where the episodes of a recording lie.

    Args:
        starts: global number of each episode's first frame, and at the end the number of frames; int64 `[E +
            1]`.
        data: chunk and file of each episode's data; int64 `[E, 2]`.
        videos: the same for each video camera.
        from_s: where in its video each episode begins, by camera, in s; float64 `[E]`.
        facts: the extra columns.
        tasks: of each episode, in words.
        data_path: pattern of the data files.
        video_path: pattern of the video files.
    """

    starts: npt.NDArray[np.int64]
    data: npt.NDArray[np.int64]
    videos: Mapping[str, npt.NDArray[np.int64]]
    from_s: Mapping[str, npt.NDArray[np.float64]]
    facts: Facts
    tasks: Tasks
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

    def runs(self, camera: str | None = None) -> list[tuple[int, int]]:
        """Return the episodes of each data file, or video of a camera: first, and the one after the last."""
        places = self.data if camera is None else self.videos[camera]
        changes = 1 + np.flatnonzero((places[1:] != places[:-1]).any(axis=1))
        edges = [0, *changes.tolist(), len(places)]
        return list(itertools.pairwise(edges))


def read_episodes(root: Path, info: Mapping[str, Any], video_cameras: list[str]) -> Episodes:
    """Read meta/episodes as far as `info.json` counts it.

    Raises:
        HandsightError: a file is missing or torn, or its rows are not the episodes in order.
    """
    count = int(info["total_episodes"])
    where = f"{shown(root)}/meta/episodes"
    mend = how_to_mend(root)
    with reading(where, mend):
        table = _read_tables(root, count, video_cameras)
        if table.num_rows < count:
            raise HandsightError(
                f"{where} has {table.num_rows} episodes; meta/info.json counts {count}: a file is missing; "
                f"{mend}"
            )
        table = table.slice(0, count)
        if not np.array_equal(_integers(table, "episode_index"), np.arange(count)):
            raise HandsightError(f"{where}: row i is not episode i; {mend}")
        lengths = _integers(table, "length")
        starts = np.concatenate([[0], np.cumsum(lengths)])
        if ((lengths < 1) | (lengths > info["total_frames"])).any() or starts[-1] != info["total_frames"]:
            raise HandsightError(
                f"{where}: lengths from {lengths.min()} add up to {starts[-1]} frames; meta/info.json counts "
                f"{info['total_frames']}; {mend}"
            )
        return Episodes(
            starts=starts,
            data=_places(table, "data"),
            videos={key: _places(table, f"videos/{key}") for key in video_cameras},
            from_s={key: _times(table, f"videos/{key}/from_timestamp") for key in video_cameras},
            facts=Facts(table.select([name for name in table.column_names if is_fact(name)])),
            tasks=Tasks(table.column("tasks")),
            data_path=info.get("data_path") or DATA,
            video_path=info.get("video_path") or VIDEO,
        )


def _read_tables(root: Path, count: int, video_cameras: list[str]) -> pa.Table:
    places = ("data", *(f"videos/{key}" for key in video_cameras))
    needed = {"episode_index", "length", "tasks", *(f"videos/{key}/from_timestamp" for key in video_cameras)}
    needed |= {f"{place}/{part}_index" for place in places for part in ("chunk", "file")}
    tables, rows = [], 0
    for path in episode_files(root):
        if rows >= count:
            break  # not counted yet: a writer is at work
        with reading(shown(path), how_to_mend(root)), pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if is_fact(name) or name in needed]
            tables.append(file.read(columns=names))
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


def _times(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    times_s = np.asarray(table.column(name).to_numpy(), dtype=np.float64)
    if not (np.abs(times_s) < _LATEST_S).all():
        raise ValueError(f"column {name} holds {times_s[~(np.abs(times_s) < _LATEST_S)][0]} s")
    return times_s
