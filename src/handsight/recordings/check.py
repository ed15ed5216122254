"""Whether a recording is whole: every file is opened and held against the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError, first_line
from handsight.recordings import journal
from handsight.recordings.check_files import check_data, check_frames
from handsight.recordings.check_videos import check_videos
from handsight.recordings.episodes import Episodes, read_episodes
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.layout import (
    FOLDERS,
    INFO,
    JOURNAL,
    PARTIAL,
    STATS,
    TASKS,
    read_info,
    read_json,
    shown,
)
from handsight.recordings.packets import check_video
from handsight.recordings.problems import MEND, Problem, damaged
from handsight.recordings.sealed import read_sealed, wrong_stats
from handsight.recordings.selection import read_features
from handsight.recordings.shards import pending
from handsight.recordings.splits import SPLITS, unknown_parts
from handsight.recordings.tables import read_tasks


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
        yield damaged(root, INFO, error)
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
        yield damaged(root, "meta/episodes", error)
        return
    tasks, reason = None, ""
    try:
        tasks = read_tasks(root)
    except HandsightError as error:
        reason = str(error)
    yield from _check_tasks(tasks, reason, info, episodes)
    yield from _check_facts(root, info, episodes)
    yield from _check_stats(root, {**selection.on_disk, **BOOKKEEPING_FEATURES}, info["total_frames"])
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
        yield from _check_journal(root)
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob(f"*{PARTIAL}")):
        yield Problem("warning", path.relative_to(root).as_posix(), "a file that was never finished", mend)


def _check_journal(root: Path) -> Iterator[Problem]:
    """Yield why the journal cannot be sealed."""
    try:
        info = read_info(root)
        read_sealed(root, info)
        for entry in pending(root, info):
            for path in entry.videos.values():
                check_video(path, entry.batch.num_rows)
        for place in (STATS, TASKS):
            if (root / place).is_dir():
                raise HandsightError(f"{shown(root / place)} is a folder: it cannot be replaced")
    except HandsightError as error:
        yield damaged(root, JOURNAL, error)


def _check_tasks(
    tasks: list[str] | None, reason: str, info: Mapping[str, Any], episodes: Episodes
) -> Iterator[Problem]:
    if tasks is None:
        yield Problem("error", TASKS, reason, MEND)
        return
    if info.get("total_tasks", len(tasks)) != len(tasks):
        what = f"holds {len(tasks)} tasks; {INFO} counts {info['total_tasks']}"
        yield Problem("warning", TASKS, what, "--repair corrects total_tasks")
    unknown = set(episodes.tasks.counts()) - set(tasks)
    if unknown:
        what = f"lacks the task {min(unknown)!r}, which meta/episodes names"
        yield Problem("error", TASKS, what, MEND)


def _check_facts(root: Path, info: Mapping[str, Any], episodes: Episodes) -> Iterator[Problem]:
    where, remedy = "meta/episodes", MEND
    declared = (info.get("handsight") or {}).get("facts") or {}
    if isinstance(declared, dict):
        for name, kind in declared.items():
            if name not in episodes.facts:
                yield Problem("error", where, f"lacks the fact {name!r}, which {INFO} declares", remedy)
            elif kind != episodes.facts.kind(name):
                what = f"fact {name!r} is {episodes.facts.kind(name)}; {INFO} declares {kind}"
                yield Problem("error", where, what, remedy)
    for name in episodes.facts:
        if episodes.facts.kind(name).startswith("float") and not np.isfinite(episodes.facts[name]).all():
            first = int(np.flatnonzero(~np.isfinite(episodes.facts[name]))[0])
            yield Problem("warning", where, f"fact {name!r} is not finite from episode {first}", "fill it in")
    unknown = unknown_parts(episodes.facts["split"]) if "split" in episodes.facts else []
    if unknown:
        what = f"fact 'split' holds {unknown[0]!r}; expected {', '.join(SPLITS)}"
        yield Problem("error", where, what, "rename the column or its values")


def _check_stats(root: Path, features: Mapping[str, Feature], frames: int) -> Iterator[Problem]:
    if not (root / STATS).exists():
        yield Problem(
            "warning", STATS, "missing: LeRobot cannot normalise without it", "--repair takes it again"
        )
        return
    try:
        read_json(root / STATS)
    except (OSError, ValueError) as error:
        yield Problem("warning", STATS, f"cannot be read ({first_line(error)})", "--repair takes it again")
        return
    wrong = wrong_stats(root, features, frames)
    if wrong:
        name, why = next(iter(wrong.items()))
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        yield Problem("warning", STATS, f"{name!r} {why}{more}", "--repair takes the figures again")
