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

Batch = dict[str, Tensor]
"""One batch of a need.

`frames` uint8 `[B, F, 3, H, W]`, `frame_index` int64 `[B, F]`, `clip` int64 `[B]`, each stream float32
`[B, A]`, each fact int64 `[B]`.
"""


class Sampler:
    """Draws batches.

    An epoch is a permutation of all frames of all clips; each is the first frame of one sample, the others
    are drawn as `Needs.pairing` says (a window that would pass its clip's end is moved back). The last,
    incomplete batch of an epoch is left out.

    Args:
        clips: what to draw from.
        needs: name → what one sample is.
        batch_size: samples in one batch, over all processes.
        seed: of the run.

    Raises:
        HandsightError: when the batch is larger than the data, or the clips are too short.
    """

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
                f" split '{clips.split}' has {clips.num_frames} frames."
                f" Make it smaller (--batch-size {clips.num_frames}) or collect more"
            )
        for name, need in self.needs.items():
            if clips.length.min() < need.shortest_clip:
                short = int(clips.length.min())
                raise HandsightError(
                    f"the shortest clip has {short} frames; '{name}' needs {need.shortest_clip}."
                    " Make the gap smaller"
                )
        self.kinds: dict[tuple[str, str], Between] = {
            (name, stream): resolve_between(stream, clips.feature(stream), asked)
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
        self._orders: dict[str, tuple[int, NDArray[np.int64]]] = {}
        self._codes: dict[str, NDArray[np.int64]] = {}
        self.vocabulary: dict[str, list[str]] = {}
        for fact in {fact for need in self.needs.values() for fact in need.facts}:
            values = clips.fact(fact)
            known, self._codes[fact] = np.unique(values, return_inverse=True)
            self.vocabulary[fact] = [str(value) for value in known]

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over all frames."""
        return self.clips.num_frames // self.batch_size

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

    def _draw(self, need: str, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        epoch, within = divmod(step, self.steps_per_epoch)
        order = self._epoch(need, epoch)[within * self.batch_size : (within + 1) * self.batch_size]
        return self._draw_from(need, self._generator(need, "step", step), order, self.batch_size)

    def _epoch(self, need: str, epoch: int) -> NDArray[np.int64]:
        held = self._orders.get(need)
        if held is None or held[0] != epoch:
            held = self._orders[need] = (
                epoch,
                self._generator(need, "epoch", epoch).permutation(self.clips.num_frames),
            )
        return held[1]

    def _draw_from(
        self, need: str, generator: np.random.Generator, order: NDArray[np.int64] | None, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return clips `[count]` and frame numbers `[count, F]`."""
        needs, clips = self.needs[need], self.clips
        if order is None:
            order = generator.integers(0, clips.num_frames, count)
        clip, first = clips.locate(order)
        start, end = clips.start[clip], clips.start[clip] + clips.length[clip]
        if needs.pairing == "uniform":
            later = generator.integers(start[:, None], end[:, None], (count, needs.frames - 1))
            return clip, np.concatenate([first[:, None], later], axis=1)
        assert needs.gap is not None
        low, high = needs.gap
        # A gap is drawn only as wide as the clip allows, and the first frame moves back where the others
        # would pass the clip's end.
        widest = np.minimum(high, (clips.length[clip] - 1) // max(1, needs.frames - 1))
        gaps = generator.integers(low, widest[:, None] + 1, (count, needs.frames - 1))
        offsets = np.concatenate([np.zeros((count, 1), dtype=np.int64), np.cumsum(gaps, axis=1)], axis=1)
        first = np.minimum(first, end - 1 - offsets[:, -1])
        return clip, first[:, None] + offsets

    def _between(self, need: str, stream: str, frames: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = [
            (
                rows,
                between_frames(
                    self.kinds[need, stream], values, local, local + frames[rows, 1] - frames[rows, 0]
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
        for stream in needs.between:
            batch[stream] = torch.from_numpy(self._between(name, stream, frames))
        for fact in needs.facts:
            batch[fact] = torch.from_numpy(self._codes[fact][clip])
        return batch
