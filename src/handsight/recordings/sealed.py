"""What of a recording is sealed: read before more is added to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.layout import (
    CHUNKS_SIZE,
    DATA,
    INFO,
    STATS,
    VIDEO,
    how_to_mend,
    read_json,
    shown,
)
from handsight.recordings.selection import read_features
from handsight.recordings.stats import PACK, Figures, Totals, are_whole, figures_shape, from_lists, over_all
from handsight.recordings.tables import read_tasks, reading

FACT_TYPES = {"int64": pa.int64(), "float64": pa.float64(), "string": pa.string(), "bool": pa.bool_()}

_LEAST_DEVIATION, _MOST_ALIKE = 1e-9, 1e-3
"""A deviation this small of values this far apart would take 10¹² of them."""


@dataclass(frozen=True)
class Sealed:
    """The sealed part of a recording of ours.

    Args:
        root: of the recording.
        info: its `info.json`.
        features: its streams, without the bookkeeping.
        tasks: in the order of their task_index.
        last: chunk and file number of the last file of `data`, of `meta/episodes` and of each
            `videos/<camera>`.
    """

    root: Path
    info: Mapping[str, Any]
    features: Mapping[str, Feature]
    tasks: tuple[str, ...]
    last: Mapping[str, tuple[int, int]]

    @property
    def chunks_size(self) -> int:
        """Files in a chunk's folder."""
        return int(self.info.get("chunks_size") or CHUNKS_SIZE)

    @property
    def fact_types(self) -> dict[str, pa.DataType]:
        """Arrow type of each episode fact."""
        return {name: FACT_TYPES[kind] for name, kind in self.info["handsight"]["facts"].items()}

    def totals(self) -> dict[str, Figures]:
        """Return each stream's figures over exactly the sealed episodes.

        `stats.json` is replaced just before `info.json`, so after a kill between the two it has counted too
        much already; then the figures are taken from the episodes' own.
        """
        frames = self.info["total_frames"]
        if frames == 0:
            return {}
        features = {**self.features, **BOOKKEEPING_FEATURES}
        stats = read_stats(self.root, features)
        if "timestamp" in stats and stats["timestamp"]["count"][0] == frames:
            return stats
        return totals_of_episodes(self.root, int(self.info["total_episodes"]), features)


def read_stats(root: Path, features: Mapping[str, Feature]) -> dict[str, Figures]:
    """Return of `stats.json` what are a stream's figures; nothing where it is missing or torn."""
    try:
        stats = read_json(root / STATS)
    except (OSError, ValueError):
        return {}
    return _whole_figures(stats, features) if isinstance(stats, dict) else {}


def wrong_stats(root: Path, features: Mapping[str, Feature], frames: int) -> dict[str, str]:
    """Return the streams whose figures in `stats.json` cannot be those of so many frames: name → why."""
    stats = read_stats(root, features)
    wrong = {}
    for name, feature in features.items():
        if feature.dtype == "string":
            continue
        figures = stats.get(name)
        if figures is None:
            wrong[name] = "has no figures"
        elif not feature.is_camera and figures["count"][0] != frames:
            wrong[name] = f"counts {figures['count'][0]} frames of {frames}"
        elif ((figures["std"] < _LEAST_DEVIATION) & (figures["max"] - figures["min"] > _MOST_ALIKE)).any():
            wrong[name] = "differs between frames, and its deviation is zero"
    return wrong


def _whole_figures(taken: Mapping[str, Any], features: Mapping[str, Feature]) -> dict[str, Figures]:
    whole = {}
    for name, values in taken.items():
        if name not in features or not isinstance(values, dict):
            continue
        try:
            figures = over_all(from_lists(values), features[name])
        except (ValueError, OverflowError):  # lists of different lengths
            continue
        if are_whole(figures, figures_shape(features[name])):
            whole[name] = figures
    return whole


def episode_files(root: Path) -> list[Path]:
    """Return the files of meta/episodes in order."""
    return sorted(path for path in (root / "meta/episodes").glob("*/*.parquet") if path.is_file())


def read_sealed(root: Path, info: Mapping[str, Any]) -> Sealed:
    """Read what is sealed of a recording of ours.

    Raises:
        HandsightError: the recording was written by something else, or its meta files cannot be read.
    """
    ours = info.get("handsight")
    facts = ours.get("facts") if isinstance(ours, dict) else None
    known = isinstance(facts, dict) and all(str(kind) in FACT_TYPES for kind in facts.values())
    if not known or not isinstance(ours, dict) or not isinstance(ours.get("streams"), dict):
        raise HandsightError(
            f"{shown(root)} was not written by Handsight; episodes can only be added to a recording of its "
            "own"
        )
    for key, usual in (("data_path", DATA), ("video_path", VIDEO)):
        if info.get(key) not in (None, usual):
            raise HandsightError(
                f"{shown(root)}: {key!r} is {info[key]!r}; Handsight writes {usual}; {how_to_mend(root)}"
            )
    features = read_features(root, info).on_disk
    kinds = [
        "data",
        "meta/episodes",
        *(f"videos/{name}" for name, f in features.items() if f.dtype == "video"),
    ]
    last = dict.fromkeys(kinds, (0, -1))
    tasks: tuple[str, ...] = ()
    if info["total_episodes"]:
        with reading(
            f"{shown(root)}: what {INFO} counts, under meta/,",
            how_to_mend(root),
        ):
            row = _last_row(root, int(info["total_episodes"]) - 1, kinds)
            last = {kind: (int(row[f"{kind}/chunk_index"]), int(row[f"{kind}/file_index"])) for kind in kinds}
        tasks = tuple(read_tasks(root, info.get("total_tasks")))
    return Sealed(root, info, features, tasks, last)


def _last_row(root: Path, episode: int, kinds: list[str]) -> dict[str, Any]:
    columns = ["episode_index", *(f"{kind}/{part}_index" for kind in kinds for part in ("chunk", "file"))]
    for path in reversed(episode_files(root)):
        with pq.ParquetFile(path) as file:
            table = file.read(columns=columns)
        found = np.flatnonzero(table.column("episode_index").to_numpy() == episode)
        if len(found):
            row: dict[str, Any] = table.slice(int(found[0]), 1).to_pylist()[0]
            return row
    raise KeyError(f"episode {episode} is in no file of meta/episodes")


def totals_of_episodes(root: Path, episodes: int, features: Mapping[str, Feature]) -> dict[str, Figures]:
    """Return each stream's figures over the first episodes, from the episodes' own figures."""
    totals = Totals({})
    for path in episode_files(root):
        for rows in _rows_of_figures(path):
            counted = [row for row in rows if isinstance(row["episode_index"], int)]
            counted = [row for row in counted if row["episode_index"] < episodes]
            totals.add([_whole_figures(_by_stream(row), features) for row in counted])
    return totals.figures()


def _by_stream(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures in a row of meta/episodes: stream → figure → value."""
    found: dict[str, dict[str, Any]] = {}
    for column, value in row.items():
        if column.startswith("stats/"):
            name, _, key = column.removeprefix("stats/").rpartition("/")
            found.setdefault(name, {})[key] = value
    return found


def _rows_of_figures(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the figures of a file's episodes as they were added up when they were written."""
    with reading(shown(path)), pq.ParquetFile(path) as file:
        columns = [name for name in file.schema_arrow.names if name.startswith("stats/")]
        for batch in file.iter_batches(PACK, columns=["episode_index", *columns]):
            yield batch.to_pylist()
