"""Files that are either wholly there or not there at all, whatever moment a process dies at."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handsight.errors import HandsightError
from handsight.recordings.layout import PARTIAL, shown


def partial(path: Path) -> Path:
    """Return where a file is written before `publish` gives it its name; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(path.name + PARTIAL)


def publish(path: Path) -> None:
    """Give the file written at `partial(path)` its name, on the disk for good."""
    temporary = partial(path)
    synchronise(temporary)
    os.replace(temporary, path)
    synchronise(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file atomically."""
    partial(path).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    publish(path)


def synchronise(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def one_line(root: Path, doing: str) -> Iterator[None]:
    """Turn an error of the file system into one line about `root`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            advice = "the disk is full; free some space and run again: saved episodes are kept"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = "it may not be written to; choose another folder or change its permissions"
        elif error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
            advice = f"there can be no such folder ({error.strerror}); choose another"
        else:
            advice = f"{error.strerror or error}; saved episodes are kept, run again once it is mended"
        raise HandsightError(f"{shown(root)}: {doing} failed: {advice}") from error
