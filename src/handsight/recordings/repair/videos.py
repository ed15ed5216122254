"""Where in its video an episode begins: as meta/episodes says if the video bears it out, else by counting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handsight.recordings.packets import Packets
from handsight.recordings.repair.files import Files, Place
from handsight.recordings.repair.matching import Found
from handsight.recordings.repair.table import Rows

_TOLERANCE_S = 1e-4
"""LeRobot's own."""


@dataclass
class Placed:
    """An episode's place in a camera's videos.

    Args:
        number: chunk and file.
        from_s: where it begins in that file, in s.
        first: number of its first frame in that file.
    """

    number: Place
    from_s: float
    first: int


def place(files: Files, camera: str, found: list[Found], rows: Rows, fps: float) -> dict[int, Placed]:
    """Return the place of each episode whose frames are all there, by its number."""
    videos = {number: one for number, one in files.videos.get(camera, {}).items() if isinstance(one, Packets)}
    numbers = np.stack([rows.integers(f"videos/{camera}/{part}_index") for part in ("chunk", "file")], axis=1)
    from_s = rows.times(f"videos/{camera}/from_timestamp")
    placed: dict[int, Placed] = {}
    by_file: dict[Place, list[Found]] = {}
    for one in found:
        number = (int(numbers[one.row, 0]), int(numbers[one.row, 1])) if one.row >= 0 else (-1, -1)
        if number in videos:
            by_file.setdefault(number, []).append(one)
            if (at := _as_said(videos[number].times_s, float(from_s[one.row]), one.length, fps)) is not None:
                placed[one.episode] = Placed(number, at[1], at[0])
    for number, mine in by_file.items():
        _untangle(number, videos[number].times_s, mine, placed, fps)
    _count_on(videos, found, placed, fps)
    return placed


def _as_said(
    times_s: npt.NDArray[np.float64], from_s: float, length: int, fps: float
) -> tuple[int, float] | None:
    """Return number and time of an episode's first frame, where its frames lie as meta/episodes says."""
    if not np.isfinite(from_s) or not len(times_s):
        return None
    right = int(np.searchsorted(times_s, from_s).clip(1, max(len(times_s) - 1, 1)))
    first = (
        right if right < len(times_s) and times_s[right] - from_s < from_s - times_s[right - 1] else right - 1
    )
    gap = _gap(times_s, first, from_s, length, fps)
    if not gap <= 0.49 / fps:
        return None
    if gap > _TOLERANCE_S and _gap(times_s, first, float(times_s[first]), length, fps) <= _TOLERANCE_S:
        return first, float(times_s[first])
    return first, from_s


def _gap(times_s: npt.NDArray[np.float64], first: int, from_s: float, length: int, fps: float) -> float:
    """Return how far frames lie from where they should in s; infinity where there are too few."""
    if first + length > len(times_s):
        return float("inf")
    wanted = from_s + np.arange(length) / fps
    return float(np.abs(times_s[first : first + length] - wanted).max())


def _untangle(
    number: Place, times_s: npt.NDArray[np.float64], mine: list[Found], placed: dict[int, Placed], fps: float
) -> None:
    """Place a file's episodes in order, where its frames are just theirs and some are said elsewhere."""
    said = [placed[one.episode].first if one.episode in placed else -1 for one in mine]
    ends = np.cumsum([one.length for one in mine])
    starts = ends - [one.length for one in mine]
    if said == starts.tolist():
        return
    overlapping = len(placed.keys() & {one.episode for one in mine}) < len(mine) or _overlap(said, mine)
    if overlapping and ends[-1] == len(times_s):
        for one, first in zip(mine, starts.tolist(), strict=True):
            if _gap(times_s, first, float(times_s[first]), one.length, fps) <= 0.49 / fps:
                placed[one.episode] = Placed(number, float(times_s[first]), first)


def _overlap(said: list[int], mine: list[Found]) -> bool:
    order = np.argsort(said)
    ends = np.array([said[i] + mine[i].length for i in order])
    return bool((np.array(said)[order][1:] < ends[:-1]).any())


def _count_on(
    videos: dict[Place, Packets], found: list[Found], placed: dict[int, Placed], fps: float
) -> None:
    """Place what is left behind the episode before it, in the same file or at the next one's beginning."""
    order = sorted(videos)
    taken = {(one.number, one.first) for one in placed.values()}
    before: Placed | None = None
    end = 0
    for position, one in enumerate(found):
        if one.episode not in placed and (before is not None or position == 0) and order:
            number = order[0] if before is None else before.number
            if end == len(videos[number].times_s) and number != order[-1]:
                number, end = order[order.index(number) + 1], 0
            packets = videos[number]
            if (
                end < len(packets.times_s)
                and packets.keyframe[end]
                and not any((number, end + offset) in taken for offset in range(one.length))
                and _gap(packets.times_s, end, float(packets.times_s[end]), one.length, fps) <= 0.49 / fps
            ):
                placed[one.episode] = Placed(number, float(packets.times_s[end]), end)
                taken.add((number, end))
        before = placed.get(one.episode)
        end = before.first + one.length if before is not None else 0
