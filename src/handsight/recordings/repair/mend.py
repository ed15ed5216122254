"""Mending a recording: what a kill, a full disk or another program left of it becomes whole again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from handsight.errors import HandsightError
from handsight.recordings.durable import one_line
from handsight.recordings.layout import (
    CHUNKS_SIZE,
    DATA,
    INFO,
    PARTIAL,
    STATS,
    TASKS,
    codec_name,
    read_json,
    shown,
)
from handsight.recordings.packets import Packets
from handsight.recordings.recovery import lock, unlock
from handsight.recordings.repair.choose import Chosen, choose, mend_facts
from handsight.recordings.repair.compose import (
    Shard,
    shards,
    stage_data,
    stage_table,
    table_of,
    usable_pattern,
)
from handsight.recordings.repair.counts import count, say_lost
from handsight.recordings.repair.files import Files
from handsight.recordings.repair.info import mended_info
from handsight.recordings.repair.journals import Waiting, stage_journal, waiting_episodes
from handsight.recordings.repair.matching import match
from handsight.recordings.repair.plan import Plan, Repair, finish
from handsight.recordings.repair.statistics import mend_statistics
from handsight.recordings.repair.table import Rows, read_rows
from handsight.recordings.repair.tasks import Tasks, mended_tasks
from handsight.recordings.selection import read_features
from handsight.recordings.shards import seal
from handsight.recordings.tables import write_tasks


@dataclass(frozen=True)
class Repaired:
    """What a repair did.

    Args:
        repairs: what was mended.
        folder: where what was replaced is kept; None where nothing was.
    """

    repairs: tuple[Repair, ...]
    folder: Path | None


def repair(path: str | Path, *, thorough: bool = False) -> Repaired:
    """Mend what of a recording can be mended; what is replaced is kept in a folder inside it.

    Episodes that cannot be read are left out and the others move up; everything else stays. A repair that is
    killed is finished by the next one.

    Args:
        path: folder of the recording, ours or another LeRobotDataset v3.0.
        thorough: look at every frame, not only at the first of each episode.

    Returns:
        What was mended; nothing, where there was nothing to do. What is left is for `check` to say.

    Raises:
        HandsightError: there is no such folder, it is of another version, a writer is at work on it, nothing
            of it can be read, or it cannot be written to.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise HandsightError(f"{shown(root)} does not exist or is no folder; give the folder of a recording")
    with one_line(root, "repairing"):
        taken = lock(root)
        try:
            before = finish(root)
            done = _repair(root, thorough)
            return Repaired((*before, *done.repairs), done.folder)
        finally:
            unlock(root, taken)


def _repair(root: Path, thorough: bool) -> Repaired:
    repairs: list[Repair] = []
    plan = Plan(root)
    try:
        waiting = _mend(root, plan, repairs, thorough)
        if plan.changes:
            plan.carry_out(repairs)
        if waiting:
            sealed = seal(root)
            repairs.append(Repair("journal", f"{sealed} saved episodes are sealed into shards"))
        mend_statistics(root, plan, repairs)
    except BaseException:
        finish(root)  # takes what has no plan yet away
        raise
    return Repaired(tuple(repairs), plan.folder if plan.folder.exists() else None)


def _mend(root: Path, plan: Plan, repairs: list[Repair], thorough: bool) -> bool:
    """Make the mended recording beside the old one; return whether the journal holds episodes."""
    rows, torn = read_rows(root, repairs)
    info, files = mended_info(root, rows, repairs)
    features = dict(read_features(root, info).on_disk)
    found = match(files, rows)
    counted = info.get("total_episodes")
    counted = counted if isinstance(counted, int) and not isinstance(counted, bool) and counted >= 0 else None
    journal = waiting_episodes(root, info, features, counted, found)
    if journal.first is not None:
        found = [one for one in found if one.episode < journal.first]
    more = bool(journal.entries)
    mend_facts(info, rows, found, more, repairs)
    chosen = choose(root, files, rows, found, info, features, more, thorough)
    empty = counted == 0 and not (found or len(rows) or files.torn)
    if not chosen.kept and not journal.entries and not empty:
        why = next(iter(chosen.lost.values()), None) or next(iter(files.torn.values()), "its data are gone")
        raise HandsightError(
            f"{shown(root)}: no episode is whole ({why}): nothing was changed; restore a copy of it"
        )
    lost = say_lost(chosen, found, counted, files, torn, repairs)
    for name in chosen.dropped:
        repairs.append(Repair(INFO, f"nothing of {name!r} can be read: no longer declared; the rest stays"))
        del info["features"][name]
    _mend_codecs(info, files, chosen, journal, repairs)
    tasks = mended_tasks(root, rows, chosen.kept, info, repairs)
    made = shards(chosen.kept, int(info.get("chunks_size") or CHUNKS_SIZE))
    pattern = usable_pattern(info, made)
    if pattern != (info.get("data_path") or DATA):
        info["data_path"] = pattern
    places = stage_data(plan, made, pattern, float(info["fps"]), tasks, repairs)
    ours = bool(info.get("handsight"))
    _stage_table(plan, rows, torn, made, chosen, tasks, float(info["fps"]), ours, repairs)
    if tasks.changed:
        write_tasks(plan.new(TASKS), tasks.words)
    _put_away(root, plan, files, places, chosen, repairs)
    count(info, chosen, counted, lost, tasks, repairs)
    staged = stage_journal(root, plan, journal, info, features, tasks.words, repairs)
    if plan.changes or info != _on_disk(root):
        plan.new_json(INFO, info)
    return staged


def _mend_codecs(
    info: dict[str, Any], files: Files, chosen: Chosen, waiting: Waiting, repairs: list[Repair]
) -> None:
    """Declare a format that a camera's videos have."""
    for camera, placed in chosen.placed.items():
        if camera in chosen.dropped or camera in chosen.hopeless:
            continue
        used = {placed[one.episode].number for one in chosen.kept}
        videos = [video for number, video in files.videos.get(camera, {}).items() if number in used]
        codecs = [video.codec for video in videos if isinstance(video, Packets)] + waiting.codecs(camera)
        described = info["features"][camera].get("info")
        said = described.get("video.codec") if isinstance(described, dict) else None
        if isinstance(said, str) and codecs and codec_name(said) not in codecs:
            described["video.codec"] = codecs[0]
            repairs.append(Repair(INFO, f"videos of {camera!r} were declared {said}: now {codecs[0]}"))


def _stage_table(
    plan: Plan,
    rows: Rows,
    torn: list[str],
    made: list[Shard],
    chosen: Chosen,
    tasks: Tasks,
    fps: float,
    ours: bool,
    repairs: list[Repair],
) -> None:
    if not chosen.kept:
        if torn or len(rows):
            plan.remove("meta/episodes")
        return
    table = table_of(rows, made, chosen, tasks, fps, ours)
    if torn:
        missing = sum(one.row < 0 for one in chosen.kept)
        repairs.append(
            Repair(
                "meta/episodes",
                f"{', '.join(torn)} could not be read: {missing} rows are made anew from the data",
            )
        )
    elif rows.is_as_read(table):
        return
    else:
        repairs.append(Repair("meta/episodes", _differing(rows.as_read, table)))
    stage_table(plan, table)


def _differing(before: pa.Table, after: pa.Table) -> str:
    if before.num_rows != after.num_rows:
        return f"{before.num_rows} rows: now {after.num_rows}"
    names = [
        name
        for name in dict.fromkeys([*before.column_names, *after.column_names])
        if not (
            name in before.column_names
            and name in after.column_names
            and before.column(name).equals(after.column(name))
        )
    ]
    return f"corrected: {', '.join(names)}" if names else "columns of one name: now apart"


def _put_away(
    root: Path, plan: Plan, files: Files, places: set[str], chosen: Chosen, repairs: list[Repair]
) -> None:
    """Have everything that no episode uses moved aside."""
    unused = [file.place for file in files.data if file.place not in places] + sorted(
        set(files.torn) - places
    )
    for camera, placed in chosen.placed.items():
        if camera not in chosen.hopeless:
            used = {placed[one.episode].number for one in chosen.kept if camera not in chosen.dropped}
            unused += [
                place
                for (of, number), place in files.video_places.items()
                if of == camera and number not in used
            ]
    for folder in ("data", "videos", "meta"):
        unused += [path.relative_to(root).as_posix() for path in sorted((root / folder).rglob(f"*{PARTIAL}"))]
    for place in unused:
        plan.remove(place)
        repairs.append(Repair(place, "no episode uses it: put aside"))
    # Where a file will be written, now or when the journal's episodes are sealed.
    shards = [
        path.relative_to(root).as_posix()
        for pattern in ("data/*/*.parquet", "meta/episodes/*/*.parquet", "videos/*/*/*.mp4")
        for path in sorted(root.glob(pattern))
    ]
    for place in (STATS, TASKS, *(place for place in shards if place not in {*unused, *places})):
        if (root / place).is_dir():
            plan.remove(place)
            repairs.append(Repair(place, "was a folder: put aside"))


def _on_disk(root: Path) -> Any:
    try:
        return read_json(root / INFO)
    except (OSError, ValueError):
        return None
