"""Whether a recording is whole: every file is opened and held against the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings import journal
from handsight.recordings.check_files import check_data, check_frames, check_videos
from handsight.recordings.episodes import Episodes, read_episodes
from handsight.recordings.layout import INFO, JOURNAL, PARTIAL, STATS, TASKS, read_info, shown
from handsight.recordings.problems import Problem
from handsight.recordings.selection import read_features
from handsight.recordings.splits import SPLITS


def check(path: str | Path, *, thorough: bool = False) -> list[Problem]:
    """Look for everything that would make a recording fail later, changing nothing.

    Args:
        path: its folder.
        thorough: decode every frame, not only the first of each episode.

    Returns:
        What is wrong; an empty list for a clean recording.

    Raises:
        HandsightError: there is no such folder.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise HandsightError(f"{shown(root)} does not exist or is no folder; give the folder of a recording")
    return list(_check(root, thorough))


def _check(root: Path, thorough: bool) -> Iterator[Problem]:
    yield from _check_leftovers(root)
    try:
        info = read_info(root)
        selection = read_features(root, info)
    except HandsightError as error:
        yield Problem("error", INFO, str(error), "restore it from a copy of the recording")
        return
    for name, reason in selection.unsupported.items():
        yield Problem(
            "warning", INFO, f"stream {name!r} cannot be used: {reason}", "nothing, if it is not needed"
        )
    if info["total_episodes"] == 0:
        yield Problem("warning", INFO, "the recording has no episodes", "record some")
        return
    videos = [name for name, feature in selection.on_disk.items() if feature.dtype == "video"]
    try:
        episodes = read_episodes(root, info, videos)
    except HandsightError as error:
        yield Problem("error", "meta/episodes", str(error), "restore meta/ from a copy of the recording")
        return
    tasks = _read_tasks(root)
    yield from _check_tasks(tasks, info, episodes)
    yield from _check_facts(root, info, episodes)
    yield from _check_stats(root)
    yield from check_data(root, episodes, selection.on_disk, float(info["fps"]), len(tasks or ()))
    for name in videos:
        yield from check_videos(root, episodes, name, selection.on_disk[name], info)
    for name, feature in selection.on_disk.items():
        if feature.is_camera:
            yield from check_frames(root, episodes, name, feature, float(info["fps"]), thorough)


def _check_leftovers(root: Path) -> Iterator[Problem]:
    mend = (
        "close the writer at work; if it was killed, open the recording once (reading it seals the journal)"
    )
    if (root / JOURNAL).is_dir():
        count = sum(1 for _ in journal.read(root))
        if count:
            yield Problem("warning", JOURNAL, f"{count} saved episodes are not sealed into shards yet", mend)
    for path in sorted(root.rglob(f"*{PARTIAL}")):
        yield Problem("warning", path.relative_to(root).as_posix(), "a file that was never finished", mend)


def _read_tasks(root: Path) -> list[str] | None:
    """Return the tasks in the order of their task_index, or None where they cannot be read."""
    try:
        frame = pq.read_table(root / TASKS).to_pandas()
        order = np.argsort(frame["task_index"].to_numpy())
        return [str(task) for task in frame.index.to_numpy()[order]]
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        return None


def _check_tasks(tasks: list[str] | None, info: Mapping[str, Any], episodes: Episodes) -> Iterator[Problem]:
    if tasks is None:
        yield Problem("error", TASKS, "missing, or cannot be read", "restore it from a copy of the recording")
        return
    if info.get("total_tasks", len(tasks)) != len(tasks):
        what = f"holds {len(tasks)} tasks; {INFO} counts {info['total_tasks']}"
        yield Problem("warning", TASKS, what, "correct total_tasks")
    unknown = {task for row in episodes.tasks for task in row} - set(tasks)
    if unknown:
        what = f"lacks the task {min(unknown)!r}, which meta/episodes names"
        yield Problem("error", TASKS, what, "restore it from a copy of the recording")


def _check_facts(root: Path, info: Mapping[str, Any], episodes: Episodes) -> Iterator[Problem]:
    where, remedy = "meta/episodes", "restore it from a copy of the recording"
    declared = (info.get("handsight") or {}).get("facts") or {}
    if isinstance(declared, dict):
        for name, kind in declared.items():
            if name not in episodes.facts:
                yield Problem("error", where, f"lacks the fact {name!r}, which {INFO} declares", remedy)
            elif kind != _kind(episodes.facts[name]):
                what = f"fact {name!r} is {episodes.facts[name].dtype}; {INFO} declares {kind}"
                yield Problem("error", where, what, remedy)
    for name, values in episodes.facts.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            first = int(np.flatnonzero(~np.isfinite(values))[0])
            yield Problem("warning", where, f"fact {name!r} is not finite from episode {first}", "fill it in")
    unknown = sorted(set(map(str, episodes.facts.get("split", np.array([])).tolist())) - set(SPLITS))
    if unknown:
        what = f"fact 'split' holds {unknown[0]!r}; expected {', '.join(SPLITS)}"
        yield Problem("error", where, what, "rename the column or its values")


def _kind(values: npt.NDArray[Any]) -> str:
    """Return a fact's type as `info.json` names it."""
    return "string" if values.dtype.kind == "U" else str(values.dtype)


def _check_stats(root: Path) -> Iterator[Problem]:
    if not (root / STATS).is_file():
        yield Problem(
            "warning", STATS, "missing: LeRobot cannot normalise without it", "nothing, for Handsight"
        )
        return
    try:
        json.loads((root / STATS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield Problem(
            "warning", STATS, f"cannot be read ({str(error).splitlines()[0]})", "restore or delete it"
        )
