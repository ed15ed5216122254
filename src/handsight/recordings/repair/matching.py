"""Which rows of which data file an episode is: by meta/episodes where that fits, else by the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handsight.recordings.repair.files import DataFile, Files
from handsight.recordings.repair.table import Rows

Spans = list[tuple[int, int, int]]
"""Episode, its first row in a file, and the row after its last."""


@dataclass
class Found:
    """An episode whose data are there.

    Args:
        episode: its number, as found.
        file: that holds it.
        first: its first row there.
        end: the row after its last.
        row: of meta/episodes that tells of it; −1 for none.
    """

    episode: int
    file: DataFile
    first: int
    end: int
    row: int

    @property
    def length(self) -> int:
        """Frames."""
        return self.end - self.first


def match(files: Files, rows: Rows) -> list[Found]:
    """Return the episodes whose data can be told, in the order of their numbers, each once."""
    numbers = rows.episodes()
    lengths = rows.integers("length")
    places = np.stack([rows.integers(f"data/{part}_index") for part in ("chunk", "file")], axis=1)
    first_row = {int(e): int(i) for i, e in reversed(list(enumerate(numbers))) if e >= 0}
    said = {file.place: _by_table(file, numbers, lengths, places, first_row) for file in files.data}
    seen = {file.place: _by_data(file) for file in files.data}
    # A writer that counted episodes anew in each file: then only the table tells them apart.
    counted = [e for spans in seen.values() for e, _, _ in spans or ()]
    trusted = len(set(counted)) == len(counted)
    found: dict[int, Found] = {}
    for file in files.data:
        by_table, by_data = said[file.place], seen[file.place]
        spans = by_table
        if by_data is not None and (
            by_table is None or (trusted and {e for e, _, _ in by_data} <= set(first_row))
        ):
            spans = by_data  # as where two files changed places
        for episode, first, end in _in_part(file) if spans is None else spans:
            if end > first and episode not in found:
                found[episode] = Found(episode, file, first, end, first_row.get(episode, -1))
    return [found[episode] for episode in sorted(found)]


def _by_table(
    file: DataFile,
    numbers: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    first_row: dict[int, int],
) -> Spans | None:
    """Return what meta/episodes says of a file; None where that does not fit the file's number of rows."""
    mine = [
        int(i)
        for i in np.flatnonzero((places == file.number).all(axis=1))
        if first_row.get(int(numbers[i])) == i
    ]
    mine.sort(key=lambda i: int(numbers[i]))
    if (
        not mine
        or (lengths[mine] < 1).any()
        or (lengths[mine] > file.rows).any()
        or lengths[mine].sum() != file.rows
    ):
        return None
    ends = np.cumsum(lengths[mine])
    return [(int(numbers[i]), int(end - lengths[i]), int(end)) for i, end in zip(mine, ends, strict=True)]


def _by_data(file: DataFile) -> Spans | None:
    """Return the runs of one episode_index whose frame_index counts from 0; None if other rows are left."""
    spans = _runs(file)
    whole = spans is not None and sum(end - first for _, first, end in spans) == file.rows
    return spans if whole else None


def _in_part(file: DataFile) -> Spans:
    """Return the runs that are whole, of a file that nothing fits."""
    return _runs(file) or []


def _runs(file: DataFile) -> Spans | None:
    episode, frame = (file.whole_numbers(name) for name in ("episode_index", "frame_index"))
    if episode is None or not len(episode):
        return None
    if frame is None:
        changes = np.flatnonzero(np.r_[True, episode[1:] != episode[:-1]])
        frame = np.arange(len(episode)) - np.repeat(changes, np.diff(np.r_[changes, len(episode)]))
    starts = np.flatnonzero(np.r_[True, (episode[1:] != episode[:-1]) | (frame[1:] != frame[:-1] + 1)])
    ends = np.r_[starts[1:], len(episode)]
    good = (frame[starts] == 0) & (episode[starts] >= 0)
    runs = zip(episode[starts[good]].tolist(), starts[good].tolist(), ends[good].tolist(), strict=True)
    seen: set[int] = set()
    spans = []
    for number, first, end in runs:
        if number in seen:
            continue  # a second piece of the same episode: which is right cannot be told; the first is kept
        seen.add(number)
        spans.append((number, first, end))
    return spans
