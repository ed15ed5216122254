"""Checking the video files of a recording: what they are, and where their frames lie in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.episodes import Episodes
from handsight.recordings.features import Feature
from handsight.recordings.layout import codec_name
from handsight.recordings.packets import Packets, read_packets
from handsight.recordings.problems import MEND, Problem, damaged

_TOLERANCE_S = 1e-4
"""LeRobot's own reader refuses a frame that lies further than this from its time."""
_FRAMES = 65_536
"""Frames whose times are looked for at once: memory stays flat however many a file holds."""


def check_videos(
    root: Path, episodes: Episodes, camera: str, feature: Feature, info: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield what is wrong with one camera's video files."""
    runs: dict[str, list[tuple[int, int]]] = {}
    for first, end in episodes.runs(camera):
        runs.setdefault(episodes.video_file(camera, first), []).append((first, end))
    for place, mine in runs.items():
        try:
            packets = read_packets(root / place)
        except HandsightError as error:
            yield damaged(root, place, error)
            continue
        yield from _check_header(place, packets, camera, feature, info)
        numbers = np.concatenate([np.arange(first, end) for first, end in mine])
        yield from _check_times(place, packets.times_s, numbers, episodes, camera, info["fps"])


def _check_header(
    place: str, packets: Packets, camera: str, feature: Feature, info: Mapping[str, Any]
) -> Iterator[Problem]:
    codec = packets.codec
    described = info["features"][camera].get("info")
    declared = described.get("video.codec") if isinstance(described, dict) else None
    if isinstance(declared, str) and codec_name(declared) != codec:
        yield Problem(
            "warning",
            place,
            f"is {codec}; meta/info.json says {declared}",
            "it is read as it is; or --repair",
        )
    if (packets.height, packets.width) != feature.shape[:2]:
        said = f"{feature.shape[0]} × {feature.shape[1]}"
        what = f"is {packets.height} × {packets.width}; meta/info.json says {said}"
        yield Problem("error", place, what, "correct the shape in meta/info.json, or mend it with --repair")


def _check_times(
    place: str,
    times_s: npt.NDArray[np.float64],
    numbers: npt.NDArray[np.int64],
    episodes: Episodes,
    camera: str,
    fps: float,
) -> Iterator[Problem]:
    lengths = episodes.starts[numbers + 1] - episodes.starts[numbers]
    for e in np.flatnonzero(lengths > len(times_s)):
        what = f"holds {len(times_s)} frames; episode {numbers[e]} alone has {lengths[e]}"
        yield Problem("error", place, what, MEND)
    numbers, lengths = numbers[lengths <= len(times_s)], lengths[lengths <= len(times_s)]
    from_s, ends = episodes.from_s[camera][numbers], np.cumsum(lengths)
    lost, worst_s = np.zeros(len(numbers), dtype=np.int64), np.zeros(len(numbers))
    for begin in range(0, int(lengths.sum()), _FRAMES):
        row = np.arange(begin, min(begin + _FRAMES, ends[-1]))
        which = np.searchsorted(ends, row, side="right")
        away_s = _away_s(times_s, from_s[which] + (row - ends[which] + lengths[which]) / fps)
        np.add.at(lost, which[~(away_s <= 0.49 / fps)], 1)
        np.maximum.at(worst_s, which, away_s)
    for e in np.flatnonzero((lost > 0) | (worst_s > _TOLERANCE_S)):
        if lost[e]:
            what = f"episode {numbers[e]} lacks {lost[e]} of its {lengths[e]} frames"
            yield Problem("error", place, what, MEND)
        else:
            what = (
                f"frames of episode {numbers[e]} lie up to {worst_s[e]:.4f} s off: LeRobot would refuse them"
            )
            remedy = "--repair corrects from_timestamp, where the video shows it"
            yield Problem("warning", place, what, remedy)


def _away_s(times_s: npt.NDArray[np.float64], wanted_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how far from each wanted time the nearest of the times lies; they ascend, one at least."""
    after = np.searchsorted(times_s, wanted_s).clip(max=len(times_s) - 1)
    before = (after - 1).clip(min=0)
    away_s: npt.NDArray[np.float64] = np.minimum(
        np.abs(times_s[after] - wanted_s), np.abs(times_s[before] - wanted_s)
    )
    return away_s
