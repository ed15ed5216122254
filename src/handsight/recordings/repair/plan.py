"""What a repair changes, so that a kill at any moment only delays it, and nothing that was there is lost.

New files are made in a folder of their own inside the recording. Then a plan is written that says whose
places they take; from then on it is carried out, by this process or by the next repair. What was in those
places moves into the same folder and stays there.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handsight.recordings.durable import synchronise, write_json
from handsight.recordings.layout import BACKUPS, INFO, PLAN, is_inside, read_json

_NEW = "new"
_SAID = "mended.txt"


@dataclass(frozen=True)
class Repair:
    """One thing that was mended.

    Args:
        where: the file or folder, below the recording's.
        what: what was wrong there, and what was done about it.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"mended: {self.where}: {self.what}"


class Plan:
    """Collects what takes whose place, and carries it out.

    Args:
        root: of the recording, locked.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = root / f"{BACKUPS}{1 + max([0, *map(_number, root.glob(f'{BACKUPS}*'))])}"
        self._replaced: list[str] = []
        self._removed: list[str] = []

    def new(self, place: str) -> Path:
        """Return where to write what shall be at `place`, a file or a folder; its parent is made."""
        path = self.folder / _NEW / place
        path.parent.mkdir(parents=True, exist_ok=True)
        self._replaced.append(place)
        return path

    def new_json(self, place: str, value: Any) -> None:
        """Have a JSON file at `place`."""
        write_json(self.new(place), value)

    def remove(self, place: str) -> None:
        """Have nothing at `place`: what is there is only kept in the plan's folder."""
        self._removed.append(place)

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._replaced or self._removed)

    def carry_out(self, repairs: list[Repair]) -> None:
        """Do it; when this returns, everything is in its place, on the disk for good.

        Args:
            repairs: what was mended, kept in words beside what was replaced.
        """
        for path in (self.folder / _NEW).rglob("*"):
            synchronise(path)
        self.folder.mkdir(exist_ok=True)
        plan = {"replaced": self._replaced, "removed": self._removed, "mended": list(map(str, repairs))}
        write_json(self.folder / PLAN, plan)
        _carry_out(self._root, self.folder)
        self._replaced, self._removed = [], []


def finish(root: Path) -> list[Repair]:
    """Carry out the plans of killed repairs; what had no plan yet changed nothing and is removed."""
    repairs = []
    for folder in sorted(root.glob(f"{BACKUPS}*"), key=_number):
        if (folder / PLAN).is_file():
            _carry_out(root, folder)
            repairs.append(Repair(folder.name, "the repair that was interrupted is finished"))
        shutil.rmtree(folder / _NEW, ignore_errors=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return repairs


def _carry_out(root: Path, folder: Path) -> None:
    """Carry out a plan from its beginning or from wherever it was interrupted.

    `info.json` leaves first and comes last: nobody reads a recording that is half mended.
    """
    plan = read_json(folder / PLAN)
    replaced = [place for place in plan["replaced"] if is_inside(place)]
    waiting = [place for place in replaced if (folder / _NEW / place).exists()]
    for place in sorted(waiting, key=lambda place: place != INFO):
        _set_aside(root, folder, place)
    for place in plan["removed"]:
        if is_inside(place):
            _set_aside(root, folder, place)
    for place in sorted(waiting, key=lambda place: place == INFO):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder / _NEW / place, root / place)
        synchronise((root / place).parent)
    with open(folder / _SAID, "a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in plan["mended"])
    synchronise(folder / _SAID)
    (folder / PLAN).unlink()
    shutil.rmtree(folder / _NEW, ignore_errors=True)
    synchronise(folder)


def _set_aside(root: Path, folder: Path, place: str) -> None:
    """Move what is at `place` into the plan's folder; what this repair itself had put there is removed."""
    path, kept = root / place, folder / place
    if not os.path.lexists(path):
        return
    if os.path.lexists(kept):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, kept)
    synchronise(kept.parent)


def _number(folder: Path) -> int:
    found = re.fullmatch(rf"{BACKUPS}(\d+)", folder.name)
    return int(found[1]) if found else 0
