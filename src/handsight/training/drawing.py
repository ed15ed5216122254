"""What batches are drawn from: recordings, or the memory of an agent that acts meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric

from handsight.agents import Memory, make_memory
from handsight.augmentation import check_moves
from handsight.errors import HandsightError
from handsight.methods import METHODS, Method
from handsight.methods.acting import ActingMethod
from handsight.recordings import Clips, Recording, Sampler
from handsight.training.batches import Source
from handsight.training.fitness import check_needs
from handsight.training.processes import told_when_left
from handsight.training.settings import Training
from handsight.worlds.places import Place

Data = Recording | Sequence[Recording] | Place
"""What a method learns from: recordings, or a place where it acts."""

log = logging.getLogger("handsight")


def is_place(data: Data) -> bool:
    """Whether these data are a place where an agent acts."""
    return hasattr(data, "apply_force")


def check_data(method: Method, data: Data, out: Path | None) -> None:
    """Refuse data that a method cannot learn from, before anything is read.

    Raises:
        HandsightError: saying what is missing, and what would work.
    """
    if not is_place(data):
        for recording in _recordings(data):
            check_needs(method, recording)
        return
    if not isinstance(method, ActingMethod):
        acting = ", ".join(name for name, other in METHODS.items() if issubclass(other, ActingMethod))
        raise HandsightError(
            f"{method.name} does not act while it learns, it takes recordings; give it some, or take a method"
            f" that acts: {acting}"
        )
    if out is None:
        raise HandsightError("what an agent goes through is kept in the run's folder; say which, with out")


def source_of(
    method: Method,
    data: Data,
    training: Training,
    fabric: Fabric,
    out: Path | None,
    decoding: Callable[[int, int], None] | None = None,
) -> Source:
    """Return what a method's batches are drawn from; data as `check_data` lets through."""
    settings = training.settings(method)
    if is_place(data):
        assert isinstance(method, ActingMethod)
        assert out is not None
        source: Source = make_memory(
            method,
            data,  # type: ignore[arg-type]
            out,
            batch_size=settings.batch_size,
            seed=training.seed,
            split=training.split,
            workers=training.workers,
            first_process=fabric.is_global_zero,
            share=fabric.broadcast if fabric.world_size > 1 else None,
        )
    else:
        with told_when_left(), fabric.rank_zero_first():
            clips = Clips(
                _recordings(data),
                split=None if training.split == "all" else training.split,
                max_episodes=training.max_episodes,
                hold_out=training.hold_out,
                size=training.frame_size or method.encoder.image_size,
                max_cache_bytes=None if training.cache_gb is None else int(training.cache_gb * 1e9),
                progress=decoding if fabric.is_global_zero else None,
            )
        source = Sampler(clips, method.needs, settings.batch_size, training.seed)
    if settings.batch_size % (fabric.world_size * training.accumulate):
        raise HandsightError(
            f"a batch of {settings.batch_size} does not divide by {fabric.world_size} processes ×"
            f" {training.accumulate} slices; choose a multiple with --batch-size"
        )
    _tell(method, source)
    return source


def described(data: Data, source: Source) -> dict[str, Any]:
    """Return what has to be the same for a run to go on; files may have been copied meanwhile."""
    if isinstance(source, Memory):
        place = source.exploration.place
        return {place.name: place.options()}
    return {str(recording.root): _identity(recording) for recording in _recordings(data)}


def _recordings(data: Data) -> list[Recording]:
    return [data] if isinstance(data, Recording) else list(data)  # type: ignore[arg-type]


def _tell(method: Method, source: Source) -> None:
    """Say what lies between the frames of a sample, and refuse what cannot be mirrored."""
    for (need, stream), kind in source.kinds.items():
        feature = source.clips.feature(stream)
        said = feature.between is not None or method.needs[need].between[stream] is not None
        assumed = (
            ""
            if said
            else f" ('{stream}' is taken as absolute positions:"
            " say --between sum if it holds per-frame deltas)"
        )
        if kind != "first":
            log.info("between two frames: %s of '%s'%s", kind, stream, assumed)
        elif not isinstance(source, Memory):
            log.info("'%s' says what holds throughout a sample", stream)
        check_moves(
            {stream: feature.moves},
            method.augmentation.flip_probability > 0,
            {} if feature.names is None else {stream: feature.names},
        )


def _identity(recording: Recording) -> dict[str, Any]:
    streams = {
        name: recording.name_on_disk(name)
        for name, feature in recording.features.items()
        if not feature.is_camera
    }
    return {
        "cameras": list(recording.cameras),
        "renamed": {name: on_disk for name, on_disk in streams.items() if name != on_disk},
        "episodes": recording.num_episodes,
        "frames": recording.num_frames,
    }
