"""Encoders measured on recordings of objects that they never saw, beside a random encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from handsight.encoders import Encoder, random_encoder_calibrated
from handsight.errors import HandsightError
from handsight.evaluation import (
    SPLITS,
    Features,
    LabelledFrames,
    ObjectBenchmark,
    OnlineCollapse,
    OnlineKNN,
    Split,
    extract,
    object_benchmark,
)
from handsight.recordings import Clips, Recording
from handsight.training import Monitor

RANDOM = "random"
"""The row of the random encoder."""

CALIBRATION_FRAMES = 1024
"""Training frames that a random encoder's batch norm is calibrated on."""

Say = Callable[[str], None]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def labelled_frames(
    recordings: Sequence[Recording],
    split: Split | None,
    size: int,
    *,
    category: str = "category",
    most: int | None = None,
    stride: int = 1,
) -> LabelledFrames:
    """Return the frames of one split with their categories and objects.

    Args:
        recordings: one or several, with an episode fact `category` and, where objects have several clips,
            `object`.
        split: which episodes; None takes all.
        size: short side of a frame in pixels.
        category: the fact that is the label.
        most: frames at most; whole clips are left out, evenly.
        stride: every how manieth frame of a clip is taken.

    Raises:
        HandsightError: where the fact is missing or the split is empty.
    """
    clips = Clips(recordings, split=split, size=size)
    clip, frames = clips.all_frames()
    within = frames - clips.start[clip]
    known = sorted({str(value) for recording in recordings for value in _fact(recording, category)})
    code = {name: number for number, name in enumerate(known)}
    categories = np.array([code[str(value)] for value in clips.fact(category)], dtype=np.int64)
    if all("object" in recording.facts for recording in recordings):
        # An object's number is the same in every recording of one world, and in every split.
        known_objects = np.unique(
            np.concatenate([np.asarray(recording.facts["object"]) for recording in recordings])
        )
        objects = np.searchsorted(known_objects, clips.fact("object"))
    else:
        # Without a name for the object, every episode is one of its own.
        before = np.cumsum([0, *(recording.num_episodes for recording in recordings)])
        which = np.array([list(recordings).index(track.recording) for track in clips.tracks])
        objects = before[which[clips.track]] + clips.episode
    keep = within % stride == 0
    if most is not None and keep.sum() > most:
        chosen = np.zeros(clips.num_clips, dtype=bool)
        share = max(1, int(clips.num_clips * most / keep.sum()))
        chosen[np.linspace(0, clips.num_clips - 1, share).round().astype(int)] = True
        keep &= chosen[clip]
    clip, frames, within = clip[keep], frames[keep], within[keep]
    return LabelledFrames(clips.read, frames, categories[clip], objects[clip].astype(np.int64), clip, within)


def category_names(recordings: Sequence[Recording], category: str = "category") -> list[str]:
    """Return the categories' names by their code in `labelled_frames`."""
    return sorted({str(value) for recording in recordings for value in _fact(recording, category)})


def _fact(recording: Recording, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    if name not in recording.facts:
        has = ", ".join(recording.facts) or "none"
        raise HandsightError(
            f"{recording.root} has no fact '{name}' about its episodes (it has: {has});"
            " objects cannot be told apart"
        )
    return np.asarray(recording.facts[name])


@dataclass(frozen=True)
class Measured:
    """Encoders measured on objects.

    Args:
        benchmark: the table, and every frame's score.
        test: encoder → features of the test frames.
        frames: the frames that were scored, row by row those of `test`, of the first encoder's size.
    """

    benchmark: ObjectBenchmark
    test: Mapping[str, Features]
    frames: LabelledFrames


def measure_objects(
    encoders: Mapping[str, Encoder],
    recordings: Sequence[Recording],
    *,
    compare: Sequence[tuple[str, str]] = (),
    seed: int = 0,
    most: int | None = 20_000,
    evaluate_on: Split = "test",
    title: str = "Novel objects",
    say: Say = lambda line: None,
) -> Measured:
    """Measure encoders on objects they never saw, beside the random encoder of the first one's make.

    Args:
        encoders: row → encoder; a row `random` is added in front.
        recordings: with facts `category`, `split` and, where objects have several clips, `object`.
        compare: pairs of rows whose difference is wanted.
        seed: of the random encoder and of the bootstrap.
        most: frames per split at most.
        evaluate_on: `test`; choices between settings are made on `validation`: half its objects choose the
            probes' settings, the others are scored.
        title: of the table.
        say: told what is being done.
    """
    if evaluate_on == "train":
        raise HandsightError(
            "encoders are measured on 'validation' or 'test'; 'train' is what the probes learn from"
        )
    frames: dict[int, dict[Split, LabelledFrames]] = {}
    features: dict[str, dict[Split, Features]] = {}
    for name, encoder in with_random(encoders, recordings, seed).items():
        say(f"embedding with {name}")
        size = encoder.image_size
        if size not in frames:
            wanted = SPLITS if evaluate_on == "test" else SPLITS[:2]
            frames[size] = {split: labelled_frames(recordings, split, size, most=most) for split in wanted}
        device = next(encoder.parameters()).device
        features[name] = {
            split: extract(encoder, frames[size][split], device=device) for split in frames[size]
        }
    scored = next(iter(frames.values()))[evaluate_on]
    if evaluate_on == "validation":
        scored = _of_frames(scored, ~_choosing(scored.object))
        features = {name: _halved(read) for name, read in features.items()}
    found = object_benchmark(
        features,
        np.random.default_rng(seed),
        compare=compare,
        title=title,
        progress=lambda name: say(f"probing {name}"),
    )
    return Measured(found, {name: read["test"] for name, read in features.items()}, scored)


def _halved(read: Mapping[Split, Features]) -> dict[Split, Features]:
    """Let half the validation objects choose the probes' settings, score the others; leave test alone."""
    validation = read["validation"]
    choosing = _choosing(validation.object)
    return {
        "train": read["train"],
        "validation": _rows(validation, choosing),
        "test": _rows(validation, ~choosing),
    }


def _choosing(objects: Ints) -> Mask:
    """Say which validation objects choose the probes' settings; the others are scored."""
    return np.asarray(objects % 2 == 0)


def _of_frames(frames: LabelledFrames, keep: Mask) -> LabelledFrames:
    return LabelledFrames(
        frames.read,
        frames.index[keep],
        frames.category[keep],
        frames.object[keep],
        frames.clip[keep],
        frames.frame[keep],
    )


def _rows(features: Features, keep: Mask) -> Features:
    return Features(
        features.embeddings[keep],
        features.category[keep],
        features.object[keep],
        features.clip[keep],
        features.frame[keep],
    )


def with_random(
    encoders: Mapping[str, Encoder], recordings: Sequence[Recording], seed: int
) -> dict[str, Encoder]:
    """Put the random encoder of the first one's make in front, calibrated on training frames."""
    model = next(iter(encoders.values()))
    clips = Clips(recordings, split="train", size=model.image_size)
    chosen = np.random.default_rng(seed).choice(
        clips.num_frames, min(CALIBRATION_FRAMES, clips.num_frames), replace=False
    )
    _, numbers = clips.locate(np.sort(chosen))
    pictures = torch.from_numpy(clips.read(numbers)).permute(0, 3, 1, 2)
    return {RANDOM: random_encoder_calibrated(model, pictures, seed=seed), **encoders}


def monitors(recordings: Sequence[Recording], size: int, most: int = 2_000) -> list[Monitor]:
    """Return what looks at an encoder while it learns.

    Collapse on validation frames, and where categories are known an online kNN.

    Args:
        recordings: that the encoder is trained on.
        size: of the encoder's image, in pixels.
        most: frames of a split at most.
    """
    splits = {str(split) for recording in recordings for split in recording.splits()}
    if "validation" not in splits:
        return []
    if "train" in splits and all("category" in recording.facts for recording in recordings):
        bank, queries = (labelled_frames(recordings, split, size, most=most) for split in SPLITS[:2])
        return [OnlineKNN(bank, queries)]
    clips = Clips(recordings, split="validation", size=size)
    _, numbers = clips.locate(
        np.linspace(0, clips.num_frames - 1, min(most, clips.num_frames)).astype(np.int64)
    )
    return [OnlineCollapse(clips.read, numbers)]
