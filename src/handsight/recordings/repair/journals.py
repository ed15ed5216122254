"""The journal of a recording that is mended: its whole episodes follow the sealed ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from handsight.errors import HandsightError
from handsight.recordings import journal
from handsight.recordings.columns import data_schema
from handsight.recordings.declarations import check_facts
from handsight.recordings.features import Feature
from handsight.recordings.layout import JOURNAL
from handsight.recordings.packets import check_video, read_packets
from handsight.recordings.repair.matching import Found
from handsight.recordings.repair.plan import Plan, Repair


@dataclass(frozen=True)
class Waiting:
    """Episodes of the journal that are not sealed.

    Args:
        entries: those that are whole, in order.
        damaged: why others are not.
        as_it_is: whether the journal holds nothing else.
    """

    entries: tuple[journal.Entry, ...]
    damaged: tuple[str, ...]
    as_it_is: bool

    @property
    def first(self) -> int | None:
        """Number of the first of them."""
        return self.entries[0].episode if self.entries else None

    def codecs(self, camera: str) -> list[str]:
        """Return the format of a camera's videos."""
        return [read_packets(entry.videos[camera]).codec for entry in self.entries[:1]]


def waiting_episodes(
    root: Path,
    info: dict[str, Any],
    features: Mapping[str, Feature],
    counted: int | None,
    found: Sequence[Found],
) -> Waiting:
    """Return the journal's episodes that are whole and not sealed.

    Args:
        root: of the recording.
        info: with usable streams; if it does not know the journal's facts, it learns them.
        features: of all streams.
        counted: how many episodes `info.json` counts; None where it does not say.
        found: episodes that are sealed.
    """
    schema = data_schema(features)
    read = journal.salvage(root, schema)
    _learn_facts(info, read)
    sealed = counted if counted is not None else 1 + max([-1, *(one.episode for one in found)])
    entries, damaged = [], []
    for entry in read:
        if entry.episode < sealed:
            continue
        why = _why_not(entry, info, features, schema)
        if why is None:
            entries.append(entry)
        else:
            damaged.append(f"episode {entry.episode}: {why}")
    size, in_order = journal.size_of(root), list(journal.read(root))
    end = in_order[-1].end if in_order else 0
    later = journal.later_episodes(root, end, size)
    if later and (lost := later + 1 - len(read) + len(in_order)) > 0:
        damaged.append(f"{lost} episode{'s' if lost > 1 else ''} cannot be read")
    as_it_is = not damaged and not later
    as_it_is &= [entry.episode for entry in in_order] == [entry.episode for entry in read]
    return Waiting(tuple(entries), tuple(damaged), as_it_is)


def _learn_facts(info: dict[str, Any], entries: Sequence[journal.Entry]) -> None:
    """Have the facts declared as the journal's episodes have them, where `info.json` says something else."""
    if not entries:
        return
    kinds = {"bool": "bool", "int": "int64", "float": "float64", "str": "string"}
    facts = {name: kinds.get(type(value).__name__, "string") for name, value in entries[0].facts.items()}
    ours = info.setdefault("handsight", {"streams": {}, "facts": {}, "world": None})
    if ours["facts"] != facts:
        ours["facts"] = facts


def _why_not(
    entry: journal.Entry, info: dict[str, Any], features: Mapping[str, Feature], schema: pa.Schema
) -> str | None:
    """Return why an episode of the journal cannot be sealed."""
    cameras = {name for name, feature in features.items() if feature.dtype == "video"}
    if not entry.batch.schema.equals(schema) or set(entry.videos) != cameras:
        return "it holds other streams than the recording"
    try:
        check_facts(info["handsight"]["facts"], entry.facts, entry.episode)
        for path in entry.videos.values():
            check_video(path, entry.batch.num_rows)
    except HandsightError as error:
        return str(error)
    except (KeyError, TypeError):
        return "the recording does not say what facts there are"
    return None


def stage_journal(
    root: Path,
    plan: Plan,
    waiting: Waiting,
    info: Mapping[str, Any],
    features: Mapping[str, Feature],
    tasks: Sequence[str],
    repairs: list[Repair],
) -> bool:
    """Make a journal of the whole episodes, numbered on from the sealed ones; return whether there are any.

    Args:
        root: of the recording.
        plan: takes the journal's place.
        waiting: the episodes.
        info: which counts the sealed ones.
        features: of all streams.
        tasks: of the recording, in order.
        repairs: told what is changed.
    """
    for why in waiting.damaged:
        repairs.append(Repair(JOURNAL, f"{why}: left out"))
    if not (root / JOURNAL).is_dir():
        return False
    if not waiting.entries:
        if plan.changes or waiting.damaged or any((root / JOURNAL).iterdir()):
            plan.remove(JOURNAL)
            repairs.append(Repair(JOURNAL, "no whole episode waits in it: put aside"))
        return False
    first, frame = int(info["total_episodes"]), int(info["total_frames"])
    begins = waiting.entries[0].batch.column("index")[0].as_py()
    numbers = {task: number for number, task in enumerate(tasks if first else ())}
    of_tasks = [numbers.setdefault(entry.task, len(numbers)) for entry in waiting.entries]
    said = [entry.batch.column("task_index")[0].as_py() for entry in waiting.entries]
    if waiting.as_it_is and (waiting.first, begins) == (first, frame) and said == of_tasks:
        return True
    old = [entry.episode for entry in waiting.entries]
    if old != list(range(first, first + len(old))):
        repairs.append(
            Repair(JOURNAL, f"episodes {old[0]} to {old[-1]} are now {first} to {first + len(old) - 1}")
        )
    _write(plan, waiting.entries, of_tasks, features, first, frame)
    return True


def _write(
    plan: Plan,
    entries: Sequence[journal.Entry],
    of_tasks: Sequence[int],
    features: Mapping[str, Feature],
    episode: int,
    frame: int,
) -> None:
    made = journal.Journal(plan.new(JOURNAL).parent, data_schema(features))
    for entry, task in zip(entries, of_tasks, strict=True):
        videos = {}
        for key, path in entry.videos.items():
            videos[key] = made.video(key, episode)
            videos[key].parent.mkdir(parents=True, exist_ok=True)
            _link(path, videos[key])
        batch = _numbered(entry.batch, episode, frame, task)
        made.append(replace(entry, episode=episode, videos=videos, batch=batch))
        episode, frame = episode + 1, frame + batch.num_rows
    made.close()


def _numbered(batch: pa.RecordBatch, episode: int, frame: int, task: int) -> pa.RecordBatch:
    rows = np.arange(batch.num_rows)
    columns = {
        "episode_index": np.full_like(rows, episode),
        "index": frame + rows,
        "task_index": np.full_like(rows, task),
    }
    arrays = [
        pa.array(columns[name], pa.int64()) if name in columns else batch.column(name)
        for name in batch.schema.names
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _link(path: Path, new: Path) -> None:
    try:
        os.link(path, new)
    except OSError:  # as on a file system without links
        shutil.copy(path, new)
