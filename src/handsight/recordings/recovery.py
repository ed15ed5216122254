"""One writer at a time, and what is done about one that was killed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock

from handsight.errors import HandsightError
from handsight.recordings import journal
from handsight.recordings.declarations import differences
from handsight.recordings.durable import one_line, write_json
from handsight.recordings.layout import INFO, JOURNAL, LOCK, PARTIAL, read_info, shown
from handsight.recordings.sealed import read_sealed
from handsight.recordings.shards import seal

_log = logging.getLogger(__name__)


def lock(root: Path) -> filelock.BaseFileLock:
    """Take the recording's lock for writing; the operating system frees it however the process ends.

    Raises:
        HandsightError: another process writes to the recording, or the folder cannot be written to.
    """
    taken = _try_lock(root)
    if taken is None:
        raise HandsightError(f"{shown(root)} is being written to by another writer; wait until it is closed")
    return taken


def unlock(root: Path, taken: filelock.BaseFileLock) -> None:
    """Give the lock back and remove its file."""
    (root / LOCK).unlink(missing_ok=True)
    taken.release()


def begin(root: Path, info: Mapping[str, Any]) -> dict[str, Any]:
    """Start the recording that `info` describes, or go on with it where it is; return its `info.json`.

    Args:
        root: its folder, locked.
        info: of the recording that is wanted, without episodes.

    Raises:
        HandsightError: the folder holds something else, or a recording that began differently.
    """
    if not (root / INFO).exists():
        found = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
        found = [path for path in found if not path.name.endswith(PARTIAL)]
        if found:
            raise HandsightError(
                f"{shown(root)} holds {found[0].relative_to(root)} and no {INFO}; give a new or empty folder"
            )
        write_json(root / INFO, info)
        return dict(info)
    there = read_info(root)
    read_sealed(root, there)
    disagreements = differences(there, info)
    if disagreements:
        raise HandsightError(
            f"{shown(root)} goes on only as it began: it has {disagreements[0]}; use the same or a new folder"
        )
    if there["handsight"].get("left_out") and info["handsight"]["world"] is not None:
        raise HandsightError(
            f"{shown(root)} lost episodes in a repair, and its world makes each by its number: going on "
            "would make some twice; give a new folder, and train on both"
        )
    limits = {key: info[key] for key in ("data_files_size_in_mb", "video_files_size_in_mb")}
    if not limits.items() <= there.items():
        there |= limits
        write_json(root / INFO, there)
    return there


def recover(path: str | Path) -> int:
    """Seal what a killed writer left in a recording's journal; return the number of its episodes.

    Raises:
        HandsightError: the recording cannot be written to, or a writer is at work on it.
    """
    root = Path(path).expanduser()
    taken = lock(root)
    try:
        with one_line(root, "sealing its journal"):
            return seal(root)
    finally:
        unlock(root, taken)


def recover_if_killed(root: Path) -> None:
    """Seal what a killed writer left, before reading; leave a writer at work alone.

    Raises:
        HandsightError: there are episodes in the journal and they cannot be sealed.
    """
    if not (root / JOURNAL).is_dir() and not (root / LOCK).exists():
        return
    waiting = sum(1 for _ in journal.read(root))
    try:
        taken = _try_lock(root)
        if taken is None:
            if waiting:
                _log.warning(
                    "%s: %d episodes of a writer at work are not sealed yet: left out", shown(root), waiting
                )
            return
        unlock(root, taken)
        sealed = recover(root)
    except HandsightError as error:
        if waiting:
            raise HandsightError(
                f"{waiting} episodes lie in a killed writer's journal and cannot be sealed: {error}"
            ) from error
        return  # nothing is lost by reading on, as from a disk that is read-only
    if sealed:
        _log.warning("%s: %d episodes of a killed writer were sealed from its journal", shown(root), sealed)


def _try_lock(root: Path) -> filelock.BaseFileLock | None:
    with one_line(root, "opening for writing"):
        if root.exists() and not root.is_dir():
            raise HandsightError(f"{shown(root)} is a file; give a folder")
        root.mkdir(parents=True, exist_ok=True)
        taken = filelock.FileLock(root / LOCK)
        try:
            taken.acquire(timeout=0)
        except filelock.Timeout:
            return None
        return taken
