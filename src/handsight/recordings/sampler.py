"""The sampler: batch s of a need is a function of the clips, the seed and s.

What ran before changes nothing, nor does the number of processes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handsight.errors import HandsightError
from handsight.recordings.clips import Clips
from handsight.recordings.features import Between
from handsight.recordings.needs import Needs, between_frames, resolve_between
from handsight.recordings.order import Order
from handsight.recordings.pairing import draw_contrast, draw_frames, opposite_angles, opposite_frames
from handsight.recordings.pieces import Pieces, check_quaternions, choose_clips, pieces_of

Batch = dict[str, Tensor]
"""One batch of a need.

`frames` uint8 `[B, F, 3, H, W]`, `frame_index` int64 `[B, F]`, `clip` int64 `[B]`, each stream float32
`[B, A]`, or `[B, *shape]` of what its first frame says, each fact int64 `[B]`; of pairing `contrast` also
`same` int64 `[B]`, 1 where both frames are of one clip.
"""


class Sampler:
    """Draws batches.

    An epoch is a permutation of all frames of all clips, computed and never held; each is the first frame of
    one sample, the others are drawn as `Needs.pairing` says (a window that would pass its clip's end is moved
    back). The last, incomplete batch of an epoch is left out. A clip ends where a stream that the sample
    needs is not finite: such frames are not drawn, nor pairs across them.

    Args:
        clips: what to draw from.
        needs: name → what one sample is.
        batch_size: samples in one batch, over all processes.
        seed: of the run.

    Attributes:
        ahead: True: a batch may be drawn before the steps that come first are taken.

    Raises:
        HandsightError: when the batch is larger than the data, the clips are too short, or a rotation is no
            unit quaternion.
    """

    ahead = True

    def __init__(self, clips: Clips, needs: Mapping[str, Needs], batch_size: int, seed: int) -> None:
        self.clips = clips
        self.needs = dict(needs)
        self.batch_size = batch_size
        self.seed = seed
        if batch_size < 1:
            raise HandsightError(f"the batch is {batch_size} samples; it must be at least 1")
        if batch_size > clips.num_frames:
            raise HandsightError(
                f"a batch of {batch_size} is larger than the data:"
                f" {clips.part} has {clips.num_frames} frames."
                f" Make it smaller (--batch-size {clips.num_frames}) or collect more"
            )
        self._chosen = {name: choose_clips(clips, name, need) for name, need in self.needs.items()}
        self.kinds: dict[tuple[str, str], Between] = {
            (name, stream): resolve_between(stream, clips.feature(stream), asked, need.frames)
            for name, need in self.needs.items()
            for stream, asked in need.between.items()
        }
        for (name, stream), kind in self.kinds.items():
            gap = self.needs[name].gap
            if kind == "stack" and (gap is None or gap[0] != gap[1]):
                raise HandsightError(
                    f"stream '{stream}' declares 'stack', and '{name}' has no fixed gap: its length varies."
                    " Give pairing 'window' with one fixed gap, as in (10, 10), or another --between"
                )
            if kind == "relative_rotation":
                check_quaternions(clips, stream)
        self._angles = {
            name: self._angle_of(name) for name, need in self.needs.items() if need.pairing == "opposite"
        }
        self._pieces = {name: self._usable(name) for name in self.needs}
        self._codes: dict[str, NDArray[np.int64]] = {}
        self.vocabulary: dict[str, list[str]] = {}
        for fact in {fact for need in self.needs.values() for fact in need.facts}:
            values = clips.fact(fact)
            known, self._codes[fact] = np.unique(values, return_inverse=True)
            self.vocabulary[fact] = [str(value) for value in known]

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over all frames that can be drawn."""
        frames = max((pieces.num_first for pieces in self._pieces.values()), default=self.clips.num_frames)
        return frames // self.batch_size

    def batch(self, need: str, step: int, rank: int = 0, world_size: int = 1) -> Batch:
        """Return this process's slice of batch `step`.

        Raises:
            HandsightError: when the batch does not divide by the number of processes.
        """
        if self.batch_size % world_size:
            raise HandsightError(
                f"a batch of {self.batch_size} does not divide by {world_size} processes; choose a multiple"
            )
        clip, frames = self._draw(need, step)
        share = self.batch_size // world_size
        mine = slice(rank * share, (rank + 1) * share)
        return self._gather(self.needs[need], need, clip[mine], frames[mine])

    def between_samples(self, need: str, stream: str, count: int = 8192) -> Tensor:
        """Return what lies between the frames of `count` samples, float32 `[count, A]`, to normalise by."""
        _, frames = self._draw_from(need, self._generator(need, "statistics", 0), None, count)
        return torch.from_numpy(self._between(need, stream, frames))

    def _generator(self, need: str, purpose: str, number: int) -> np.random.Generator:
        words = [self.seed, zlib.crc32(need.encode()), zlib.crc32(purpose.encode()), number]
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))

    def _angle_of(self, need: str) -> str | None:
        """Return the stream by which `opposite` finds the other side: the need's own, else a declared one."""
        own = [stream for (name, stream), kind in self.kinds.items() if (name, kind) == (need, "angle")]
        each = [recording.features for recording in self.clips.recordings]
        single = [
            stream
            for stream in (*own, *(name for name, feature in each[0].items() if feature.between == "angle"))
            if all(stream in features and features[stream].shape == (1,) for features in each)
        ]
        return single[0] if single else None

    def _usable(self, name: str) -> Pieces:
        """Return the runs of frames that a need's samples are drawn within."""
        need, angle = self.needs[name], self._angles.get(name)
        streams = dict.fromkeys((*need.between, *(() if angle is None else (angle,))))
        pieces = pieces_of(self.clips, list(streams), need.shortest_clip, self._chosen[name], need.at_start)
        if pieces.num_first < self.batch_size:
            where = (
                f"between the gaps of {', '.join(streams)}"
                if streams and not need.where
                else "of these clips"
            )
            raise HandsightError(
                f"a batch of {self.batch_size} is larger than the data: {where}, {pieces.num_first} frames"
                f" can be drawn for '{name}'. Make it smaller (--batch-size), or choose another stream"
            )
        if need.pairing == "contrast" and len(np.unique(pieces.clip)) < 2:
            raise HandsightError(
                f"'{name}' pairs frames of different clips, and there is one; record more, or give more data"
            )
        return pieces

    def _draw(self, need: str, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        frames = self._pieces[need].num_first
        epoch, within = divmod(step, frames // self.batch_size)
        places = np.arange(within * self.batch_size, (within + 1) * self.batch_size, dtype=np.int64)
        order = Order(frames, self._generator(need, "epoch", epoch)).at(places)
        return self._draw_from(need, self._generator(need, "step", step), order, self.batch_size)

    def _draw_from(
        self, need: str, generator: np.random.Generator, order: NDArray[np.int64] | None, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return clips `[count]` and frame numbers `[count, F]`."""
        needs, pieces = self.needs[need], self._pieces[need]
        if order is None:
            order = generator.integers(0, pieces.num_first, count)
        piece, first = pieces.locate(order)
        start, length = pieces.start[piece], pieces.length[piece]
        if needs.pairing == "opposite":
            frames = np.stack([first, self._opposite(self._angles[need], first, start, length)], axis=1)
        elif needs.pairing == "contrast":
            frames = np.stack([first, draw_contrast(pieces, generator, piece, first)], axis=1)
        else:
            frames = draw_frames(needs, generator, first, start, length)
        return pieces.clip[piece], frames

    def _opposite(
        self,
        angle: str | None,
        first: NDArray[np.int64],
        start: NDArray[np.int64],
        length: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        if angle is None:
            return opposite_frames(first, start, length)
        found = np.empty_like(first)
        for rows, values, local in self.clips.stream_rows(angle, first):
            offset = first[rows] - local
            found[rows] = offset + opposite_angles(values[:, 0], local, start[rows] - offset, length[rows])
        return found

    def _between(self, need: str, stream: str, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = [
            (
                rows,
                between_frames(
                    self.kinds[need, stream], values, local, local + frames[rows, -1] - frames[rows, 0]
                ),
            )
            for rows, values, local in self.clips.stream_rows(stream, frames[:, 0])
        ]
        found = np.empty((len(frames), parts[0][1].shape[1]), dtype=np.float32)
        for rows, part in parts:
            found[rows] = part
        return found

    def _gather(self, needs: Needs, name: str, clip: NDArray[np.int64], frames: NDArray[np.int64]) -> Batch:
        pictures = torch.from_numpy(self.clips.read(frames.reshape(-1)))
        batch: Batch = {
            "frames": pictures.view(*frames.shape, *pictures.shape[1:]).permute(0, 1, 4, 2, 3),
            "frame_index": torch.from_numpy(frames),
            "clip": torch.from_numpy(clip),
        }
        if needs.pairing == "contrast":
            batch["same"] = torch.from_numpy(self._pieces[name].of_one_clip(frames).astype(np.int64))
        for stream in needs.between:
            between = torch.from_numpy(self._between(name, stream, frames))
            whole = self.kinds[name, stream] == "first"
            shape = self.clips.feature(stream).shape if whole else between.shape[1:]
            batch[stream] = between.view(len(between), *shape)
        for fact in needs.facts:
            batch[fact] = torch.from_numpy(self._codes[fact][clip])
        return batch
