"""The tasks in words and in numbers, brought together again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.layout import TASKS
from handsight.recordings.repair.matching import Found
from handsight.recordings.repair.plan import Repair
from handsight.recordings.repair.table import Rows
from handsight.recordings.tables import read_tasks


@dataclass(frozen=True)
class Tasks:
    """What was to be done.

    Args:
        words: in the order of their numbers.
        of_episode: an episode's old number → its tasks.
        changed: whether the file of tasks has to be written.
    """

    words: list[str]
    of_episode: Mapping[int, tuple[str, ...]]
    changed: bool

    def numbers(self, one: Found) -> npt.NDArray[np.int64]:
        """Return the number of each frame's task: as the data say, or where they name none, the episode's."""
        said = _said(one)
        own = self.of_episode[one.episode]
        usual = self.words.index(own[0]) if own else 0
        return np.where((said >= 0) & (said < len(self.words)), said, usual)


def mended_tasks(
    root: Path, rows: Rows, kept: list[Found], info: Mapping[str, Any], repairs: list[Repair]
) -> Tasks:
    """Return all episodes' tasks; if their file is lost, as meta/episodes names and the data number them."""
    in_rows = rows.tasks()
    named = {one.episode: in_rows[one.row] if one.row >= 0 else () for one in kept}
    changed = False
    try:
        words = read_tasks(root)
    except HandsightError:
        words = _from_data(kept, named)
        changed = bool(kept)
        if changed:
            repairs.append(Repair(TASKS, "missing or torn: made anew from meta/episodes and the data"))
    for one in kept:
        if not named[one.episode]:
            numbers = np.unique(_said(one))
            named[one.episode] = tuple(words[n] for n in numbers.tolist() if 0 <= n < len(words))
    lacking = [
        word for word in dict.fromkeys(word for own in named.values() for word in own) if word not in words
    ]
    if not words and kept and not lacking:
        lacking = [""]
    if lacking and not changed:
        repairs.append(Repair(TASKS, f"lacked {', '.join(map(repr, lacking))}: added"))
    words += lacking
    for one in kept:
        named[one.episode] = named[one.episode] or (words[0],)
    return Tasks(words, named, changed or bool(lacking))


def _from_data(kept: list[Found], named: Mapping[int, tuple[str, ...]]) -> list[str]:
    """Return the tasks numbered as the data number them: where an episode has one task and one number."""
    distinct = dict.fromkeys(word for own in named.values() for word in own)
    numbered: dict[int, str] = {}
    for one in kept:
        said, own = np.unique(_said(one)), named[one.episode]
        if len(said) == 1 and len(own) == 1 and 0 <= said[0] < len(distinct):
            numbered.setdefault(int(said[0]), own[0])
    left = [word for word in distinct if word not in numbered.values()]
    return [
        numbered[n] if n in numbered else left.pop(0) for n in range(len(distinct)) if n in numbered or left
    ]


def _said(one: Found) -> npt.NDArray[np.int64]:
    try:
        column = one.file.rows_of("task_index", one.first, one.end).column(0)
        return np.asarray(column.cast("int64").fill_null(-1).to_numpy())
    except (HandsightError, ValueError, NotImplementedError):
        return np.full(one.length, -1)
