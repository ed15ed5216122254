"""From a step number to augmented tensors on the device."""

from __future__ import annotations

import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from handsight.agents import Memory
from handsight.augmentation import Parameters, move_labels
from handsight.methods import Method
from handsight.recordings import Batch, Sampler


def generator_for(seed: int, purpose: str, step: int) -> torch.Generator:
    """Return a CPU generator that depends on nothing but the run's seed, a purpose and the step."""
    word = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(word) >> 1)


Source = Sampler | Memory
"""Where batches come from: recordings, or what an agent goes through meanwhile."""


class Batches:
    """Draws a step's batches, one step ahead in a thread where that can be, and augments them on the device.

    Args:
        sampler: where batches come from.
        method: its augmentation and needs.
        seed: of the run.
        device: where to augment.
    """

    def __init__(self, sampler: Source, method: Method, seed: int, device: torch.device) -> None:
        self.sampler = sampler
        self.method = method
        self.seed = seed
        self.device = device
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="handsight-batches")
        self._ahead: dict[tuple[int, int, int], Future[dict[str, Batch]]] = {}

    def get(self, step: int, part: int, parts: int, then: tuple[int, int] | None) -> dict[str, Batch]:
        """Return the augmented batches of one step; `then` (step, part) is fetched meanwhile.

        Args:
            step: which batch.
            part: this process's (or micro-batch's) place, 0 … parts − 1.
            parts: processes times micro-batches; each gets its slice of the same global batch.
            then: what will be asked for next.
        """
        key = (step, part, parts)
        waiting = self._ahead.pop(key, None) or self._thread.submit(self._draw, *key)
        drawn = waiting.result()
        if then is not None and self.sampler.ahead:
            ahead = (*then, parts)
            self._ahead[ahead] = self._thread.submit(self._draw, *ahead)
        return {name: self._augment(name, batch, step, part, parts) for name, batch in drawn.items()}

    def close(self) -> None:
        """Stop fetching."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _draw(self, step: int, part: int, parts: int) -> dict[str, Batch]:
        return {name: self.sampler.batch(name, step, part, parts) for name in self.method.needs_at(step)}

    def _augment(self, name: str, batch: Batch, step: int, part: int, parts: int) -> Batch:
        moved = {key: value.to(self.device, non_blocking=True) for key, value in batch.items()}
        frames, needs = moved["frames"], self.method.needs[name]
        count, height, width = (
            frames.shape[0] * frames.shape[1] * needs.views,
            frames.shape[3],
            frames.shape[4],
        )
        # Drawn for the whole global batch and then sliced, so that the number of processes changes nothing.
        parameters = self.method.augmentation.draw(
            generator_for(self.seed, f"augment {name}", step), count * parts, height, width
        )
        mine = parameters.slice(part * count, (part + 1) * count)
        if self._labels_move(name, mine):
            mine = _mirrored_together(mine, count // frames.shape[0])
            moved |= self._moved_labels(name, moved, mine, count // frames.shape[0])
        mine = mine.to(self.device)
        pictures = frames.flatten(0, 1)
        if needs.views > 1:
            pictures = pictures.repeat_interleave(needs.views, dim=0)
        views = self.method.augmentation(pictures, mine)
        moved["views"] = views.view(frames.shape[0], frames.shape[1] * needs.views, *views.shape[1:])
        return moved

    def _labels_move(self, need: str, parameters: Parameters) -> bool:
        """Whether anything that comes with the pictures changes with them."""
        moves = {self.sampler.clips.feature(stream).moves for stream in self.method.needs[need].between}
        return bool(moves) and (parameters.may_flip or not moves.isdisjoint(("point", "map")))

    def _moved_labels(self, need: str, batch: Batch, parameters: Parameters, per_sample: int) -> Batch:
        first = torch.arange(0, len(parameters), per_sample)
        streams = {stream: batch[stream] for stream in self.method.needs[need].between}
        features = {stream: self.sampler.clips.feature(stream) for stream in streams}
        return move_labels(
            streams,
            {stream: feature.moves for stream, feature in features.items()},
            parameters.select(first).to(self.device),
            {stream: feature.names for stream, feature in features.items() if feature.names is not None},
            {stream: self.sampler.kinds[need, stream] for stream in streams},
        ).streams


def _mirrored_together(parameters: Parameters, per_sample: int) -> Parameters:
    """Mirror all pictures of a sample or none: what lies between a frame and a mirrored one means nothing."""
    return replace(parameters, flip=parameters.flip[::per_sample].repeat_interleave(per_sample))
