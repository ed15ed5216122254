"""Pieces: the runs of frames that samples are drawn within; and what of a stream cannot be used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.recordings.clips import Clips, Track
from handsight.recordings.needs import Needs

UNIT_TOLERANCE = 1e-3
"""By so much a quaternion's length may be off: more than half precision and text lose."""

_CHUNK_VALUES = 4_000_000
"""Of a stream, looked at together."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Runs of frames: whole clips, or what the gaps of a stream leave of them.

    Args:
        clip: int64 `[P]`, which clip each is of.
        start: int64 `[P]`, number of its first frame.
        length: int64 `[P]`, frames, at least 1.
        at_start: whether a sample begins with a piece's first frame; otherwise with any.
    """

    clip: Ints
    start: Ints
    length: Ints
    at_start: bool = False

    @property
    def num_first(self) -> int:
        """Frames that a sample may begin with."""
        if self.at_start:
            return len(self.start)
        return int(self.ends[-1]) if len(self.ends) else 0

    @cached_property
    def ends(self) -> Ints:
        """int64 `[P]`: how many frames the pieces up to and including this one have."""
        return np.cumsum(self.length)

    def locate(self, position: Ints) -> tuple[Ints, Ints]:
        """Turn positions in 0 … num_first − 1 into (piece, number of the frame), both int64."""
        if self.at_start:
            return position, self.start[position]
        piece = np.searchsorted(self.ends, position, side="right").astype(np.int64)
        return piece, self.start[piece] + position - (self.ends[piece] - self.length[piece])

    def of_one_clip(self, frames: Ints) -> NDArray[np.bool_]:
        """Say of samples' frames `[B, F]` whether all of a sample's are of one clip, `[B]`."""
        clip = self.clip[np.searchsorted(self.start, frames, side="right") - 1]
        return np.asarray((clip == clip[:, :1]).all(axis=1))


def choose_clips(clips: Clips, name: str, need: Needs) -> NDArray[np.bool_]:
    """Say which clips a need's samples are drawn from, `[C]`: all, but for what it restricts itself to.

    Raises:
        HandsightError: clips are too short for it, or none is left.
    """
    chosen = np.ones(len(clips.length), dtype=np.bool_)
    if need.camera is not None:
        tracks = [number for number, track in enumerate(clips.tracks) if track.camera == need.camera]
        chosen &= np.isin(clips.track, tracks)
        if not chosen.any():
            cameras = ", ".join(dict.fromkeys(track.camera for track in clips.tracks))
            raise HandsightError(
                f"'{name}' takes frames of camera '{need.camera}', which is not in use (in use: {cameras})"
            )
    for fact, values in need.where.items():
        found = clips.fact(fact).astype(str)
        chosen &= np.isin(found, values)
        if not chosen.any():
            there = ", ".join(np.unique(found).tolist())
            raise HandsightError(
                f"'{name}' takes episodes whose {fact} is {' or '.join(values)}; {clips.part} has"
                f" none (it has: {there})"
            )
    short = clips.length < need.shortest_clip
    before = chosen
    if need.where or need.pairing == "contrast":
        chosen = chosen & ~short
    if not chosen.any():
        raise HandsightError(
            f"'{name}' needs clips of {need.shortest_clip} frames; of the episodes that it takes, in split"
            f" '{clips.split}', the longest has {int(clips.length[before].max())}. Record longer ones"
        )
    if (short & chosen).any():
        raise HandsightError(
            f"the shortest clip has {int(clips.length.min())} frames; '{name}' needs {need.shortest_clip}."
            " Make the gap smaller"
        )
    return chosen


def pieces_of(
    clips: Clips,
    streams: Sequence[str],
    shortest: int,
    chosen: NDArray[np.bool_] | None = None,
    at_start: bool = False,
) -> Pieces:
    """Return the runs of frames in which all these streams are finite; where they are, that is every clip.

    Said aloud where there are gaps.

    Args:
        clips: what is drawn from.
        streams: that a sample needs; float.
        shortest: frames that a run must have to give a sample; shorter ones between gaps are left out.
        chosen: bool `[C]`, which clips; None takes all.
        at_start: whether samples begin with a run's first frame alone.
    """
    taken = np.arange(len(clips.length)) if chosen is None else np.flatnonzero(chosen)
    gaps = [_gap_frames(clips, stream) for stream in streams]
    broken = np.unique(np.concatenate(gaps)) if gaps else np.zeros(0, np.int64)
    if not len(broken):
        return Pieces(taken, clips.start[taken], clips.length[taken], at_start)
    starts = np.sort(np.concatenate([clips.start, broken + 1]))
    ends = np.sort(np.concatenate([clips.start + clips.length, broken]))
    clip = np.searchsorted(clips.start, starts, side="right").astype(np.int64) - 1
    kept = (ends - starts >= max(1, shortest)) & np.isin(clip, taken)
    return Pieces(clip[kept], starts[kept], (ends - starts)[kept], at_start)


def check_quaternions(clips: Clips, stream: str) -> None:
    """Refuse a stream of rotations in which a quaternion is not of length 1.

    Raises:
        HandsightError: naming the recording, the episode and the frame.
    """
    for track, first, values in _chunks(clips, stream):
        length = np.linalg.norm(values.astype(np.float64), axis=1)
        wrong = first + np.flatnonzero(np.abs(length - 1) > UNIT_TOLERANCE)
        wrong = wrong[_in_clips(clips, wrong + track.offset)]
        if len(wrong):
            row = int(wrong[0])
            listed = ", ".join(f"{value:.4g}" for value in values[row - first])
            episode = int(np.searchsorted(track.recording.episode_starts, row, side="right")) - 1
            raise HandsightError(
                f"{track.recording.root}: '{stream}' is ({listed}) in episode {episode}, frame"
                f" {row - int(track.recording.episode_starts[episode])}, of length {length[row - first]:.4g};"
                " expected a unit quaternion wxyz. Leave that episode out with --hold-out, or say what the"
                " stream holds with --between"
            )


def _gap_frames(clips: Clips, stream: str) -> Ints:
    """Return the numbers of the clips' frames in which a stream is not finite, rising."""
    found = [
        first + track.offset + np.flatnonzero(~np.isfinite(values).all(axis=1))
        for track, first, values in _chunks(clips, stream)
    ]
    gaps = np.concatenate(found)
    gaps = gaps[_in_clips(clips, gaps)]
    if len(gaps):
        roots = [str(t.recording.root) for t in clips.tracks if _within(t, gaps)]
        warnings.warn(
            f"'{stream}' has gaps: it is not finite in {len(gaps)} of {int(clips.length.sum())} frames of"
            f" {', '.join(dict.fromkeys(roots))}; a clip ends there, and no pair spans one",
            stacklevel=2,
        )
    return gaps


def _within(track: Track, frames: Ints) -> bool:
    end = track.offset + track.recording.num_frames
    return bool(((frames >= track.offset) & (frames < end)).any())


def _in_clips(clips: Clips, frames: Ints) -> NDArray[np.bool_]:
    """Say which frame numbers lie in a clip."""
    clip = np.searchsorted(clips.start, frames, side="right") - 1
    ends = clips.start + clips.length
    return np.asarray((clip >= 0) & (frames < ends[np.maximum(clip, 0)]))


def _chunks(clips: Clips, stream: str) -> Iterator[tuple[Track, int, NDArray[Any]]]:
    """Yield (track, first row, rows `[n, D]`) of a stream, a little at a time."""
    for track in clips.tracks:
        values = track.recording.stream(stream)
        rows = values.reshape(len(values), -1)
        step = max(1, _CHUNK_VALUES // rows.shape[1])
        for first in range(0, len(rows), step):
            yield track, first, rows[first : first + step]
