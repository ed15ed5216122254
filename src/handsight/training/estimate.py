"""What a run will cost, said before it starts: time, memory and disk."""

from __future__ import annotations

import copy
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from handsight.methods import Method
from handsight.recordings import FrameCache, Recording
from handsight.training.batches import Batches
from handsight.training.memory import freed_memory_kept
from handsight.training.optimisation import make_optimiser
from handsight.training.pretrain import Prepared, prepare
from handsight.training.settings import Training


@dataclass(frozen=True)
class Estimate:
    """What a run will cost.

    Attributes:
        steps: of the optimiser.
        steps_per_epoch: in one pass over the training frames.
        training_frames: frames of the training episodes, all cameras.
        step_s: one step, measured, without reading its frames; the mean of all steps, where stages differ.
        decode_s: to decode the frames that are not in the cache yet.
        total_s: both, for the whole run.
        memory_bytes: resident at most while those steps ran; on a GPU, allocated there.
        cache_bytes: decoded frames on disk when the run is under way.
        run_bytes: the run's folder at its end: one checkpoint and the encoder.
        parameters: trainable.
        device: where it ran.
    """

    steps: int
    steps_per_epoch: int
    training_frames: int
    step_s: float
    decode_s: float
    total_s: float
    memory_bytes: int
    cache_bytes: int
    run_bytes: int
    parameters: int
    device: str


def estimate(
    method: Method, recordings: Sequence[Recording], training: Training, timed_steps: int = 3
) -> Estimate:
    """Measure a few steps and say what the whole run would take; no run and no frames are written.

    The method stays as it is. Only a stream read for the first time is kept in the cache, as by any reading.

    Raises:
        HandsightError: what `pretrain` would raise.
    """
    # The steps below change weights, and `prepare` builds heads: the caller's method stays as it is.
    method = copy.deepcopy(method)
    # With no room in the cache, frames are decoded on demand: nothing is written, and decoding is timed by
    # itself.
    prepared = prepare(method, recordings, replace(training, cache_gb=0.0))
    fabric = prepared.fabric
    batches = Batches(prepared.sampler, method, training.seed, fabric.device)
    optimiser = make_optimiser(method, prepared.settings)
    method.train()
    timed = []
    try:
        for stage in method.stages:
            if stage.begins < prepared.steps:
                timed.append((stage.begins, *_time(prepared, batches, optimiser, stage.begins, timed_steps)))
    finally:
        batches.close()
    ends = [*(begins for begins, *_ in timed[1:]), prepared.steps]
    training_s = sum((end - begins) * step_s for end, (begins, step_s, *_) in zip(ends, timed, strict=True))
    read_s, frames_read = (sum(column) for column in list(zip(*timed, strict=True))[2:])
    limit = None if training.cache_gb is None else int(training.cache_gb * 1e9)
    caches = [
        FrameCache(recording, camera, training.frame_size or method.encoder.image_size, max_bytes=limit)
        for recording in prepared.sampler.clips.recordings
        for camera in recording.cameras
    ]
    to_decode = sum(cache.num_missing for cache in caches)
    decode_s = read_s / max(1, frames_read) * to_decode
    weights = sum(value.numel() * value.element_size() for value in method.state_dict().values())
    trainable = sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad)
    on_gpu = fabric.device.type == "cuda"
    # ru_maxrss is in KiB on Linux.
    memory = (
        torch.cuda.max_memory_allocated()
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return Estimate(
        steps=prepared.steps,
        steps_per_epoch=prepared.sampler.steps_per_epoch,
        training_frames=prepared.sampler.clips.num_frames,
        step_s=training_s / prepared.steps,
        decode_s=decode_s,
        total_s=decode_s + training_s,
        memory_bytes=memory,
        cache_bytes=sum(cache.nbytes if limit is None else min(cache.nbytes, limit) for cache in caches),
        # AdamW keeps two numbers for every trainable one; the encoder is written once more at the end.
        run_bytes=weights + 8 * trainable + weights,
        parameters=trainable,
        device=str(fabric.device),
    )


def _time(
    prepared: Prepared, batches: Batches, optimiser: torch.optim.Optimizer, step: int, timed_steps: int
) -> tuple[float, float, int]:
    """Return how long a step takes in s, how long its frames took to read in s, and how many they were."""
    fabric, method, accumulate = prepared.fabric, prepared.method, prepared.training.accumulate
    began = time.monotonic()
    first, parts = fabric.global_rank * accumulate, fabric.world_size * accumulate
    drawn = [batches.get(step, first + part, parts, None) for part in range(accumulate)]
    read_s = time.monotonic() - began
    frames_read = sum(
        batch["frames"].shape[0] * batch["frames"].shape[1] for part in drawn for batch in part.values()
    )
    durations = []
    with freed_memory_kept(fabric.device):
        for _ in range(timed_steps):
            began = time.monotonic()
            method.before_step(step)
            for part in drawn:
                with fabric.autocast():
                    for losses in method.losses(part):
                        fabric.backward(sum(losses.values()))
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            durations.append(time.monotonic() - began)
    # The first step also plans its kernels.
    return min(durations), read_s, frames_read
