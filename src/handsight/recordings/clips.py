"""Clips: the episodes, seen by the cameras, that one run works on, as one thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.recordings.cache import FrameCache
from handsight.recordings.features import Feature
from handsight.recordings.recording import Recording


@dataclass(frozen=True)
class Track:
    """One camera of one recording: its frames have the numbers `offset` … `offset + frames.shape[0] − 1`."""

    recording: Recording
    camera: str
    frames: FrameCache
    offset: int


class Clips:
    """Every episode of a split, once for each camera.

    Frames are numbered through all recordings and cameras; a clip is a run of such numbers.

    Args:
        recordings: one or several; they need the same streams.
        split: `train`, `validation` or `test`; None takes all episodes.
        max_episodes: only so many of each recording's first episodes; None takes all.
        hold_out: indices of episodes that are left out, in each recording.
        size: short side of a frame in pixels.
        max_cache_bytes: of frames kept decoded per camera; None keeps all.
        progress: called with frames done and frames in all while frames are decoded.

    Attributes:
        start: int64 `[C]`, number of a clip's first frame.
        length: int64 `[C]`, frames.
        track: int64 `[C]`, which of `tracks`.
        episode: int64 `[C]`, index in its recording.

    Raises:
        HandsightError: when there is no recording, no episode in the split, or the recordings disagree.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        split: str | None = "train",
        max_episodes: int | None = None,
        hold_out: Sequence[int] = (),
        size: int,
        max_cache_bytes: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        if not recordings:
            raise HandsightError("no recording was given; give at least one, as in --data PATH")
        self.split = split
        self.size = size
        self.recordings = tuple(recordings)
        self.tracks: list[Track] = []
        tables: list[tuple[NDArray[np.int64], ...]] = []
        offset = 0
        for recording in self.recordings:
            if not recording.cameras:
                raise HandsightError(f"{recording.root} has no camera; every method needs pictures")
            chosen = choose_episodes(recording, split, max_episodes, hold_out)
            starts, lengths = recording.episode_starts[:-1][chosen], np.diff(recording.episode_starts)[chosen]
            for name in recording.cameras:
                frames = FrameCache(recording, name, size, max_bytes=max_cache_bytes)
                frames.build(progress)
                tables.append(
                    (
                        starts + offset,
                        lengths,
                        np.full_like(starts, len(self.tracks)),
                        chosen.astype(np.int64),
                    )
                )
                self.tracks.append(Track(recording, name, frames, offset))
                offset += recording.num_frames
        self.start, self.length, self.track, self.episode = (
            np.concatenate(column) for column in zip(*tables, strict=True)
        )
        if not len(self.start):
            where = ", ".join(str(recording.root) for recording in self.recordings)
            raise HandsightError(
                f"{where}: no episode in the split '{split}'; collect more, or train on other data"
            )
        shapes = {track.frames.shape[1:3] for track in self.tracks}
        # Cameras of different shapes are brought to one square, since a batch has one shape.
        self.frame_shape: tuple[int, int] = next(iter(shapes)) if len(shapes) == 1 else (size, size)

    @property
    def part(self) -> str:
        """What an error calls the part of the recordings that these are."""
        return "the whole recording" if self.split is None else f"split '{self.split}'"

    @property
    def num_clips(self) -> int:
        """Clips: episodes times cameras."""
        return len(self.start)

    @property
    def num_frames(self) -> int:
        """Frames of all clips."""
        return int(self.frame_ends[-1])

    @cached_property
    def frame_ends(self) -> NDArray[np.int64]:
        """int64 `[C]`: how many frames the clips up to and including this one have."""
        return np.cumsum(self.length)

    def locate(self, position: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Turn positions in 0 … num_frames − 1 into (clip, number of the frame), both int64."""
        clip = np.searchsorted(self.frame_ends, position, side="right").astype(np.int64)
        within = position - (self.frame_ends[clip] - self.length[clip])
        return clip, self.start[clip] + within

    def all_frames(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return clip and number of every frame, in order, both int64 `[num_frames]`."""
        return self.locate(np.arange(self.num_frames, dtype=np.int64))

    def read(self, frames: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pictures with these numbers, uint8 `[n, h, w, 3]`."""
        if len(self.tracks) == 1:
            return self.tracks[0].frames.read(frames)
        pictures = np.empty((len(frames), *self.frame_shape, 3), dtype=np.uint8)
        for rows, track, local in self._by_track(frames):
            read = track.frames.read(local)
            if read.shape[1:3] != self.frame_shape:
                height, width = self.frame_shape
                read = np.stack(
                    [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in read]
                )
            pictures[rows] = read
        return pictures

    def feature(self, name: str) -> Feature:
        """Return the feature of a stream, the same in every recording.

        Raises:
            HandsightError: where a recording lacks it, or two differ.
        """
        found: list[Feature] = []
        for recording in self.recordings:
            if name not in recording.features:
                streams = ", ".join(recording.features)
                raise HandsightError(
                    f"{recording.root} has no stream '{name}' (it has: {streams})."
                    f" Say which to use: --{name} NAME"
                )
            found.append(recording.features[name])
        if any(
            (f.dtype, f.shape, f.between, f.names)
            != (found[0].dtype, found[0].shape, found[0].between, found[0].names)
            for f in found
        ):
            shapes = "; ".join(
                f"{r.root}: {f.dtype}{list(f.shape)}" for r, f in zip(self.recordings, found, strict=True)
            )
            raise HandsightError(
                f"stream '{name}' differs between recordings ({shapes}); train on recordings that agree"
            )
        return found[0]

    def stream_rows(
        self, name: str, frames: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.int64]]]:
        """Return, recording by recording, (positions in `frames`, the whole stream `[N, D]`, rows of it)."""
        found = []
        for rows, track, local in self._by_track(frames):
            values = track.recording.stream(name)
            found.append((rows, values.reshape(len(values), -1), local))
        return found

    def fact(self, name: str) -> NDArray[np.generic]:
        """Return an episode fact of every clip, `[C]`.

        Raises:
            HandsightError: where a recording does not have it.
        """
        columns = []
        for track in self.tracks:
            if name not in track.recording.facts:
                has = ", ".join(track.recording.facts) or "none"
                raise HandsightError(
                    f"{track.recording.root} has no fact '{name}' about its episodes (it has: {has})"
                )
            columns.append(np.asarray(track.recording.facts[name]))
        values = np.empty(self.num_clips, dtype=np.result_type(*columns))
        for index, column in enumerate(columns):
            mine = self.track == index
            values[mine] = column[self.episode[mine]]
        return values

    def _by_track(self, frames: NDArray[np.int64]) -> list[tuple[NDArray[np.intp], Track, NDArray[np.int64]]]:
        offsets = np.array([track.offset for track in self.tracks])
        which = np.searchsorted(offsets, frames, side="right") - 1
        return [
            (rows, track, frames[rows] - track.offset)
            for index, track in enumerate(self.tracks)
            if len(rows := np.flatnonzero(which == index))
        ]


def choose_episodes(
    recording: Recording, split: str | None, max_episodes: int | None = None, hold_out: Sequence[int] = ()
) -> NDArray[np.int64]:
    """Return the indices of a recording's episodes that belong to a split; arguments as `Clips`'."""
    numbers = np.arange(recording.num_episodes, dtype=np.int64)[:max_episodes]
    wanted = ~np.isin(numbers, np.asarray(hold_out, dtype=np.int64))
    if split is not None:
        wanted &= recording.splits()[numbers] == split
    return numbers[wanted]
