"""What of a recording is sealed: read before more is added to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.recordings.layout import INFO, STATS, TASKS, shown
from handsight.recordings.selection import read_features
from handsight.recordings.stats import Figures, Total, from_lists

FACT_TYPES = {"int64": pa.int64(), "float64": pa.float64(), "string": pa.string(), "bool": pa.bool_()}


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
        return int(self.info["chunks_size"])

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
        try:
            stats = {
                n: from_lists(f)
                for n, f in json.loads((self.root / STATS).read_text(encoding="utf-8")).items()
            }
            if int(stats["timestamp"]["count"][0]) == frames:
                return stats
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            pass  # missing or torn: taken again below
        return _totals_of_episodes(self.root, int(self.info["total_episodes"]))


def episode_files(root: Path) -> list[Path]:
    """Return the files of meta/episodes in order."""
    return sorted((root / "meta/episodes").glob("*/*.parquet"))


def read_sealed(root: Path, info: Mapping[str, Any]) -> Sealed:
    """Read what is sealed of a recording of ours.

    Raises:
        HandsightError: the recording was written by something else, or its meta files cannot be read.
    """
    ours = info.get("handsight")
    facts = ours.get("facts") if isinstance(ours, dict) else None
    known = isinstance(facts, dict) and all(kind in FACT_TYPES for kind in facts.values())
    if not known or not isinstance(ours, dict) or not isinstance(ours.get("streams"), dict):
        raise HandsightError(
            f"{shown(root)} was not written by Handsight; episodes can only be added to a recording of its "
            "own"
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
        try:
            row = _last_row(root, int(info["total_episodes"]) - 1, kinds)
            frame = pq.read_table(root / TASKS).to_pandas().sort_values("task_index")
        except (OSError, KeyError, pa.ArrowException) as error:
            raise HandsightError(
                f"{shown(root)}: what {INFO} counts cannot be found under meta/ "
                f"({str(error).splitlines()[0]}); "
                "restore it from a copy of the recording"
            ) from None
        last = {kind: (int(row[f"{kind}/chunk_index"]), int(row[f"{kind}/file_index"])) for kind in kinds}
        tasks = tuple(str(task) for task in frame.index[: int(info["total_tasks"])])
    return Sealed(root, info, features, tasks, last)


def _last_row(root: Path, episode: int, kinds: list[str]) -> dict[str, Any]:
    columns = ["episode_index", *(f"{kind}/{part}_index" for kind in kinds for part in ("chunk", "file"))]
    for path in reversed(episode_files(root)):
        table = pq.read_table(path, columns=columns)
        found = np.flatnonzero(table.column("episode_index").to_numpy() == episode)
        if len(found):
            row: dict[str, Any] = table.slice(int(found[0]), 1).to_pylist()[0]
            return row
    raise KeyError(f"episode {episode} is in no file of meta/episodes")


def _totals_of_episodes(root: Path, episodes: int) -> dict[str, Figures]:
    totals: dict[str, Total] = {}
    for path in episode_files(root):
        schema = pq.read_schema(path)
        columns = [name for name in schema.names if name.startswith("stats/")]
        for row in pq.read_table(path, columns=["episode_index", *columns]).to_pylist():
            if row.pop("episode_index") >= episodes:
                continue
            by_stream: dict[str, dict[str, Any]] = {}
            for column, value in row.items():
                name, key = column.removeprefix("stats/").rsplit("/", 1)
                by_stream.setdefault(name, {})[key] = value
            for name, taken in by_stream.items():
                totals.setdefault(name, Total()).add(from_lists(taken))
    return {name: figures for name, total in totals.items() if (figures := total.figures()) is not None}
