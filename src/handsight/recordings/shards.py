"""Sealing: the journal's episodes become shards of a LeRobotDataset v3.0.

Which files a seal writes follows from what `info.json` has committed, so a seal that was killed is simply
done again, over what it left. `info.json` is replaced last; from then on the journal counts for nothing and
is removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings import journal
from handsight.recordings.columns import data_schema, to_numpy
from handsight.recordings.durable import partial, publish, write_json
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.layout import (
    DATA,
    EPISODES,
    INFO,
    MEGABYTE,
    PARTIAL,
    STATS,
    TASKS,
    VIDEO,
    next_file,
    read_info,
    shown,
)
from handsight.recordings.sealed import Sealed, read_sealed
from handsight.recordings.stats import Figures, Total, stream_figures, to_lists
from handsight.recordings.videos import JoinedVideo

_NUMBERED = re.compile(r"chunk-(\d+)/file-(\d+)\.\w+$")


def seal(root: Path) -> int:
    """Move the journal's episodes into shards, or finish doing so; return how many there were.

    Nobody else may be writing to the recording.

    Raises:
        HandsightError: the journal does not continue the recording.
        OSError: as on a full disk. The journal is whole and `seal` can be called again.
    """
    info = read_info(root)
    sealed = read_sealed(root, info)
    _remove_leftovers(root, sealed)
    count = _write(root, info, sealed)
    journal.remove(root)
    return count


def pending(root: Path, info: Mapping[str, Any]) -> Iterator[journal.Entry]:
    """Yield the journal's episodes that are not sealed.

    Raises:
        HandsightError: the journal's first episode is not the recording's next.
    """
    expected = int(info["total_episodes"])
    for entry in journal.read(root):
        if entry.episode < expected:
            continue  # sealed; the kill came before the journal was removed
        if entry.episode != expected:
            raise HandsightError(
                f"{shown(root)}: its journal goes on with episode {entry.episode}, but episode {expected} is "
                "next; "
                "meta/ and journal/ are not of the same recording, restore both from one copy"
            )
        expected += 1
        yield entry


def _write(root: Path, info: dict[str, Any], sealed: Sealed) -> int:
    features = sealed.features
    cameras = [name for name, feature in features.items() if feature.dtype == "video"]
    limit = float(info["video_files_size_in_mb"]) * MEGABYTE
    data = _DataShards(root, sealed, data_schema(features), float(info["data_files_size_in_mb"]) * MEGABYTE)
    videos = {key: _VideoShards(root, sealed, key, float(info["fps"]), limit) for key in cameras}
    tasks = list(sealed.tasks)
    totals = {name: Total(figures) for name, figures in sealed.totals().items()}
    rows: list[dict[str, Any]] = []
    frames = int(info["total_frames"])
    chunk, file = next_file(*sealed.last["meta/episodes"], int(info["chunks_size"]))
    for entry in pending(root, info):
        row: dict[str, Any] = {
            "episode_index": entry.episode,
            "tasks": [entry.task],
            "length": entry.batch.num_rows,
        }
        row |= data.add(entry.batch)
        row |= {"dataset_from_index": frames, "dataset_to_index": frames + entry.batch.num_rows}
        frames += entry.batch.num_rows
        for key in cameras:
            row |= videos[key].add(entry.videos[key], entry.batch.num_rows)
        row |= entry.facts
        for name, figures in _figures(entry, features).items():
            totals.setdefault(name, Total()).add(figures)
            row |= {f"stats/{name}/{key}": value for key, value in to_lists(figures).items()}
        row |= {"meta/episodes/chunk_index": chunk, "meta/episodes/file_index": file}
        if entry.task not in tasks:
            tasks.append(entry.task)
        rows.append(row)
    finished = data.close() + [path for shards in videos.values() for path in shards.close()]
    if not rows:
        return 0
    path = root / EPISODES.format(chunk_index=chunk, file_index=file)
    pq.write_table(_episode_table(rows, sealed.fact_types), partial(path))
    for done in [*finished, path]:
        publish(done)
    frame = pd.DataFrame(
        {"task_index": range(len(tasks))}, index=pd.Index(tasks, name="task", dtype="object")
    )
    frame.to_parquet(partial(root / TASKS))
    publish(root / TASKS)
    write_json(root / STATS, {n: to_lists(f) for n, t in totals.items() if (f := t.figures()) is not None})
    episodes = int(info["total_episodes"]) + len(rows)
    info |= {"total_episodes": episodes, "total_frames": frames, "total_tasks": len(tasks)}
    info["splits"] = {"train": f"0:{episodes}"}
    write_json(root / INFO, info)
    return len(rows)


def _figures(entry: journal.Entry, features: Mapping[str, Feature]) -> dict[str, Figures]:
    figures: dict[str, Figures] = {}
    for name, feature in {**features, **BOOKKEEPING_FEATURES}.items():
        if feature.is_camera:
            if name in entry.figures:
                figures[name] = entry.figures[name]
        elif feature.dtype != "string":
            figures[name] = stream_figures(to_numpy(entry.batch.column(name), feature, name))
    return figures


def _episode_table(rows: list[dict[str, Any]], fact_types: Mapping[str, pa.DataType]) -> pa.Table:
    arrays = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        kind = pa.list_(pa.string()) if name == "tasks" else fact_types.get(name)
        arrays[name] = pa.array([row.get(name) for row in rows], kind)
    return pa.table(arrays)


def _remove_leftovers(root: Path, sealed: Sealed) -> None:
    """Remove what a killed seal left behind: unnamed files, and files that `info.json` never counted."""
    for folder in ("data", "videos", "meta"):
        for path in sorted((root / folder).rglob("*")):
            if path.name.endswith(PARTIAL):
                path.unlink()
                continue
            place = path.relative_to(root).as_posix()
            numbered = _NUMBERED.search(place)
            if numbered is None or path.is_dir():
                continue
            kind = place[: numbered.start()].rstrip("/")
            if kind in sealed.last and (int(numbered[1]), int(numbered[2])) > sealed.last[kind]:
                path.unlink()


class _DataShards:
    """Parquet files, one row group an episode; a new one where the coming episode would reach the limit."""

    def __init__(self, root: Path, sealed: Sealed, schema: pa.Schema, limit: float) -> None:
        self._root, self._schema, self._limit = root, schema, limit
        self._place, self._chunks_size = sealed.last["data"], sealed.chunks_size
        self._writer: pq.ParquetWriter | None = None
        self._sink: Any = None
        self._finished: list[Path] = []

    def add(self, batch: pa.RecordBatch) -> dict[str, int]:
        if self._writer is None or self._sink.tell() + batch.nbytes >= self._limit:
            self._finish()
            self._place = next_file(*self._place, self._chunks_size)
            path = self._root / DATA.format(chunk_index=self._place[0], file_index=self._place[1])
            self._sink = pa.OSFile(str(partial(path)), "wb")
            # Column statistics would double the footer of a file of many one-frame episodes.
            self._writer = pq.ParquetWriter(
                self._sink, self._schema, compression="snappy", write_statistics=False
            )
            self._finished.append(path)
        self._writer.write_batch(batch, row_group_size=max(1, batch.num_rows))
        return {"data/chunk_index": self._place[0], "data/file_index": self._place[1]}

    def close(self) -> list[Path]:
        self._finish()
        return self._finished

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._sink.close()
            self._writer = None


class _VideoShards:
    """One camera's mp4 files; a new one where an episode would reach the limit or was encoded otherwise."""

    def __init__(self, root: Path, sealed: Sealed, key: str, fps: float, limit: float) -> None:
        self._root, self._key, self._fps, self._limit = root, key, fps, limit
        self._place, self._chunks_size = sealed.last[f"videos/{key}"], sealed.chunks_size
        self._video: JoinedVideo | None = None
        self._finished: list[Path] = []

    def add(self, source: Path, length: int) -> dict[str, Any]:
        video = self._video
        span = None
        if video is not None and video.size + source.stat().st_size < self._limit:
            span = video.add(source, length)
        if span is None:
            self.close()
            self._place = next_file(*self._place, self._chunks_size)
            chunk, file = self._place
            path = self._root / VIDEO.format(video_key=self._key, chunk_index=chunk, file_index=file)
            self._video = video = JoinedVideo(partial(path), self._fps)
            self._finished.append(path)
            span = video.add(source, length)
            assert span is not None, "an empty file takes any episode"
        return {
            f"videos/{self._key}/chunk_index": self._place[0],
            f"videos/{self._key}/file_index": self._place[1],
            f"videos/{self._key}/from_timestamp": span[0],
            f"videos/{self._key}/to_timestamp": span[1],
        }

    def close(self) -> list[Path]:
        if self._video is not None:
            self._video.close()
            self._video = None
        return self._finished
