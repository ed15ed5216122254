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
import pyarrow.compute as pc
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings import journal
from handsight.recordings.columns import data_schema, to_numpy
from handsight.recordings.declarations import check_facts
from handsight.recordings.durable import partial, publish, write_json
from handsight.recordings.episode_rows import EpisodeRows
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.layout import (
    DATA_FILES_SIZE_IN_MB,
    EPISODES,
    INFO,
    MEGABYTE,
    PARTIAL,
    STATS,
    TASKS,
    VIDEO_FILES_SIZE_IN_MB,
    how_to_mend,
    next_file,
    read_info,
    repair_command,
    shown,
)
from handsight.recordings.sealed import Sealed, read_sealed
from handsight.recordings.selection import read_features
from handsight.recordings.shard_files import DataShards, VideoShards
from handsight.recordings.stats import Figures, are_whole, figures_shape, streams_figures, to_lists
from handsight.recordings.tables import DAMAGED

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
    for folder in ("data", "videos", "meta"):
        for path in (root / folder).rglob(f"*{PARTIAL}"):
            path.unlink()
    count = _write(root, info, sealed)
    journal.remove(root)
    return count


def pending(root: Path, info: Mapping[str, Any]) -> Iterator[journal.Entry]:
    """Yield the journal's episodes that are not sealed.

    Raises:
        HandsightError: the journal's first episode is not the recording's next, its episodes are not what
            `info.json` describes, or one is damaged that is not the last.
    """
    expected, frame = int(info["total_episodes"]), int(info["total_frames"])
    features = read_features(root, info).on_disk
    schema = data_schema(features)
    cameras = {name for name, feature in features.items() if feature.dtype == "video"}
    facts = info["handsight"]["facts"]
    end, size = 0, journal.size_of(root)
    for entry in journal.read(root):
        end = entry.end
        if entry.episode < expected:
            continue  # sealed; the kill came before the journal was removed
        if entry.episode != expected:
            raise HandsightError(
                f"{shown(root)}: its journal goes on with episode {entry.episode}, but episode {expected} is "
                "next; "
                "meta/ and journal/ are not of the same recording, restore both from one copy"
            )
        first = entry.batch.column("index")[0].as_py() if entry.batch.schema.equals(schema) else None
        fits = set(entry.videos) == cameras and check_facts(facts, entry.facts, expected) == entry.facts
        if first != frame or not fits:
            what = "other streams" if first is None else f"frame {first} where frame {frame} is next"
            raise HandsightError(
                f"{shown(root)}: its journal holds {what}: {INFO} was changed meanwhile; {how_to_mend(root)}"
            )
        expected, frame = expected + 1, frame + entry.batch.num_rows
        yield entry
    if later := journal.later_episodes(root, end, size):
        raise HandsightError(
            f"{shown(root)}: an episode in its journal is damaged, and {later} stand behind it; to keep "
            f"those: {repair_command(root)}"
        )


def refuse_uncounted(root: Path, sealed: Sealed, end: int) -> None:
    """Refuse to write over files that `info.json` never counted, unless the journal holds their episodes too.

    Args:
        root: of the recording.
        sealed: what `info.json` counts.
        end: number of the episode behind the journal's last.

    Raises:
        HandsightError: a file holds a later episode.
    """
    for path in _uncounted(root, sealed):
        try:
            with pq.ParquetFile(path) as file:
                last = pc.max(file.read(columns=["episode_index"]).column(0)).as_py() or 0
        except DAMAGED:
            continue  # a video, or nothing that could be lost
        if last >= end:
            raise HandsightError(
                f"{shown(path)} holds episode {last}, which {INFO} does not count; to have it counted: "
                f"{repair_command(root)}"
            )


def _write(root: Path, info: dict[str, Any], sealed: Sealed) -> int:
    features = sealed.features
    cameras = [name for name, feature in features.items() if feature.dtype == "video"]
    limit = float(info.get("video_files_size_in_mb") or VIDEO_FILES_SIZE_IN_MB) * MEGABYTE
    data_limit = float(info.get("data_files_size_in_mb") or DATA_FILES_SIZE_IN_MB) * MEGABYTE
    data = DataShards(root, sealed, data_schema(features), data_limit)
    videos = {key: VideoShards(root, sealed, key, float(info["fps"]), limit) for key in cameras}
    tasks = dict.fromkeys(sealed.tasks)
    rows = EpisodeRows(sealed.fact_types, sealed.totals())
    frames = int(info["total_frames"])
    chunk, file = next_file(*sealed.last["meta/episodes"], sealed.chunks_size)
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
        row |= {"meta/episodes/chunk_index": chunk, "meta/episodes/file_index": file}
        tasks.setdefault(entry.task)
        rows.add(row, _figures(entry, features))
    finished = data.close() + [path for shards in videos.values() for path in shards.close()]
    if not rows.count:
        return 0
    refuse_uncounted(root, sealed, int(info["total_episodes"]) + rows.count)
    for path in _uncounted(root, sealed):
        path.unlink()
    path = root / EPISODES.format(chunk_index=chunk, file_index=file)
    pq.write_table(rows.table(), partial(path))
    for done in [*finished, path]:
        publish(done)
    frame = pd.DataFrame(
        {"task_index": range(len(tasks))}, index=pd.Index(list(tasks), name="task", dtype="object")
    )
    frame.to_parquet(partial(root / TASKS))
    publish(root / TASKS)
    write_json(root / STATS, {name: to_lists(figures) for name, figures in rows.totals().items()})
    episodes = int(info["total_episodes"]) + rows.count
    info |= {"total_episodes": episodes, "total_frames": frames, "total_tasks": len(tasks)}
    info["splits"] = {"train": f"0:{episodes}"}
    write_json(root / INFO, info)
    return rows.count


def _figures(entry: journal.Entry, features: Mapping[str, Feature]) -> dict[str, Figures]:
    cameras = {
        name: entry.figures[name]
        for name, feature in features.items()
        if name in entry.figures and are_whole(entry.figures[name], figures_shape(feature))
    }
    streams = {
        name: to_numpy(entry.batch.column(name), feature, name)
        for name, feature in {**features, **BOOKKEEPING_FEATURES}.items()
        if not feature.is_camera and feature.dtype != "string"
    }
    return cameras | streams_figures(streams)


def _uncounted(root: Path, sealed: Sealed) -> list[Path]:
    """Return the shards that `info.json` never counted: what a killed seal left behind."""
    found = []
    for folder in ("data", "videos", "meta"):
        for path in sorted((root / folder).rglob("*")):
            place = path.relative_to(root).as_posix()
            numbered = _NUMBERED.search(place)
            if numbered is None or not path.is_file():
                continue
            kind = place[: numbered.start()].rstrip("/")
            if kind in sealed.last and (int(numbered[1]), int(numbered[2])) > sealed.last[kind]:
                found.append(path)
    return found
