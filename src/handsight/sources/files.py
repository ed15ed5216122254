"""Finding the files that shall become a recording, in the order a person would put them."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from handsight.errors import HandsightError
from handsight.recordings.layout import shown

_log = logging.getLogger(__name__)


def find_files(
    source: Path, suffixes: Sequence[str], kind: str, *, leave_out: Path, unreadable: Sequence[str] = ()
) -> tuple[Path, list[Path]]:
    """Return a folder and the files of one kind below it, naturally sorted: `2.png` stands before `10.png`.

    Hidden files and folders are left out; folders that are links are followed. A single file may have any
    ending.

    Args:
        source: a file, or a folder that is searched recursively.
        suffixes: endings of the files, in lower case, with the dot.
        kind: of the files, for the messages: `video`.
        leave_out: a folder that is not searched: the recording itself may lie below the source.
        unreadable: endings that are found too, so that they are refused by name and not passed over.

    Raises:
        HandsightError: the source is not there, or holds no such file.
    """
    source = source.expanduser()
    known = {*suffixes, *unreadable}
    if source.is_file():
        return source.parent, [source]
    if not source.is_dir():
        raise HandsightError(f"{shown(source)} is not there; give a file, or a folder of {kind} files")
    everything = list(_walk(source, leave_out.expanduser().resolve()))
    files = [path for path in everything if path.suffix.lower() in known]
    others = Counter(
        path.suffix.lower() or path.name for path in everything if path.suffix.lower() not in known
    )
    if not files:
        there = f"no {kind} files among its {len(everything)}" if everything else "no files"
        raise HandsightError(f"{shown(source)} holds {there}; known endings are {' '.join(suffixes)}")
    if others:
        kinds = ", ".join(f"{count} × {name}" for name, count in others.most_common(5))
        _log.info(
            "%s: %d files are no %s files and left out (%s)", shown(source), others.total(), kind, kinds
        )
    return source, sorted(files, key=lambda path: natural_key(place(path, source)))


def place(path: Path, root: Path) -> str:
    """Return where a file or folder lies below `root`, with `/` between the parts; the root by its name."""
    below = path.relative_to(root).as_posix()
    return root.resolve().name if below == "." else below


def natural_key(text: str) -> list[list[tuple[int, int, str]]]:
    """Return a sorting key by which numbers in names count as numbers and folders stay together."""
    return [
        [
            (0, int(part), "") if part.isdecimal() else (1, 0, part)
            for part in re.split(r"(\d+)", name)
            if part
        ]
        for name in text.split("/")
    ]


def categories(places: Iterable[str]) -> dict[str, str] | None:
    """Return the first folder on the way to each place; None where one of them lies outside of any folder."""
    parts = {where: where.split("/") for where in places}
    if not all(len(way) > 1 for way in parts.values()):
        return None
    return {where: way[0] for where, way in parts.items()}


def _walk(folder: Path, leave_out: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in seen or Path(real) == leave_out:
            folders.clear()  # a link back, or the recording that is being written
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where, name) for name in sorted(names) if not name.startswith("."))
