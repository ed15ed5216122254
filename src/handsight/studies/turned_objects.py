"""The experiment behind action-aware SSL's tables: an encoder learns from turning objects, and is measured.

A cell collects its objects (one recording for all cells of a seed), trains one encoder, and measures it in
every way that some table asks for, so that tables share cells: category recognition on novel objects, from
all sides and from fixed ones, alignment of viewpoints, the action probe, and transfer to categories that were
never shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
from numpy.typing import NDArray

from handsight.encoders import Encoder, load_encoder, random_encoder_calibrated
from handsight.evaluation import (
    SPLITS,
    Features,
    Split,
    extract,
    turn_probe,
    viewpoint_alignment,
)
from handsight.evaluation.features import standardise
from handsight.evaluation.knn import knn_accuracy
from handsight.evaluation.linear import linear_accuracy
from handsight.evaluation.retrieval import recall
from handsight.recordings import Clips, Recording
from handsight.studies.benchmark import CALIBRATION_FRAMES, labelled_frames
from handsight.studies.cells import Cell, Outcome, Score
from handsight.studies.controls import build_method
from handsight.training import duration_s, pretrain, read_log
from handsight.worlds import Tabletop, Turntable, collect

RANDOM = "random"
"""Method's name of the cell that trains nothing."""

PROBE_FRAMES = 12_000
"""Frames of a split that probes see at most."""

SIDES_RAD: Mapping[str, tuple[float, ...]] = {
    "face": (0.0,),
    "side": (np.pi / 2, -np.pi / 2),
    "three-quarter": (np.pi / 4, -np.pi / 4),
}
"""Fixed views, as angles about the vertical at which an object's front is seen."""

WITHIN_RAD = np.deg2rad(20)
"""How far from a fixed view a frame may be taken and still count."""

Ints = NDArray[np.int64]


def run(cell: Cell, work: Path) -> Outcome:
    """Run a cell.

    Its settings: `world` (options of the turntable), `objects` (clips), `method` (`name` and the
    constructor's arguments), `training` (fields of `Training`), and `transfer` (options of the world that
    differ, and `objects`) or None.
    """
    settings = cell.settings
    recording = collected(settings["world"], settings["objects"], cell.seed, work)
    encoder, facts = _encoder(cell, recording, work)
    features, angles = _features(encoder, recording)
    scores, chosen = recognition(features)
    scores |= _fixed_views(scores["linear probe, by frame"], angles["test"], features["test"])
    alignment = viewpoint_alignment(features["test"], angles["test"], np.random.default_rng(cell.seed))
    test, asked = features["test"], alignment.answerable
    curves: dict[str, Any] = {}
    if asked.any():
        scores["alignment"] = Score.of(alignment.aligned[asked], test.object[asked])
        curves["alignment"] = {
            "x": np.rad2deg(alignment.difference_rad),
            "y": alignment.similarity,
        }
    turns = turn_probe(features, angles, np.random.default_rng(cell.seed))
    scores["turn error (°)"] = Score.of(np.rad2deg(turns.error_rad), turns.object)
    scores["turn recall@1"] = Score.of(turns.recalled.astype(np.float64), turns.object)
    facts |= chosen | {"turn recall@1, chance": float(turns.chance.mean()), "turn strength": turns.strength}
    if settings["transfer"] is not None:
        world = {**settings["world"], **settings["transfer"]["world"]}
        other = collected(world, settings["transfer"]["objects"], cell.seed, work)
        found, _ = recognition(_features(encoder, other)[0])
        scores["transfer linear probe"], scores["transfer kNN"] = found["linear probe"], found["kNN"]
    scores.pop("linear probe, by frame")
    return Outcome(scores, curves, facts)


def collected(
    world: Mapping[str, Any],
    episodes: int,
    seed: int,
    work: Path,
    kind: type[Turntable] | type[Tabletop] = Turntable,
) -> Recording:
    """Return the recording of a world's options and a seed, collected by whichever cell is first."""
    said = json.dumps([kind.name, world, episodes, seed], sort_keys=True)
    folder = work / f"recording-{hashlib.blake2b(said.encode(), digest_size=6).hexdigest()}"
    with filelock.FileLock(folder.with_suffix(".lock")):
        collect(kind(**world), folder, episodes, seed=seed)
    return Recording(folder)


def _encoder(cell: Cell, recording: Recording, work: Path) -> tuple[Encoder, dict[str, Any]]:
    arguments = dict(cell.settings["method"])
    name = arguments.pop("name")
    torch.manual_seed(cell.seed)
    if name == RANDOM:
        model = Encoder(arguments["encoder"], arguments["image_size"], options=arguments["encoder_options"])
        clips = Clips([recording], split="train", size=model.image_size)
        chosen = np.random.default_rng(cell.seed).choice(
            clips.num_frames, min(CALIBRATION_FRAMES, clips.num_frames), replace=False
        )
        pictures = torch.from_numpy(clips.read(clips.locate(np.sort(chosen))[1])).permute(0, 3, 1, 2)
        return random_encoder_calibrated(model, pictures, seed=cell.seed), {}
    folder = work / f"run-{cell.key}"
    pretrain(
        build_method(name, arguments), recording, out=folder, seed=cell.seed, **cell.settings["training"]
    )
    log = read_log(folder)
    losses = {
        name: value for name, value in log[-1].items() if name not in ("step", "seconds", "learning_rate")
    }
    return load_encoder(folder), {"losses": losses, "training seconds": duration_s(log)}


def _features(
    encoder: Encoder, recording: Recording
) -> tuple[dict[Split, Features], dict[Split, NDArray[np.float64]]]:
    device = next(encoder.parameters()).device
    angle = np.asarray(recording.stream("action"), dtype=np.float64)[:, 0]
    features: dict[Split, Features] = {}
    angles: dict[Split, NDArray[np.float64]] = {}
    for split in SPLITS:
        frames = labelled_frames([recording], split, encoder.image_size, most=PROBE_FRAMES)
        features[split] = extract(encoder, frames, device=device)
        angles[split] = angle[frames.index]
    return features, angles


def recognition(features: Mapping[Split, Features]) -> tuple[dict[str, Score], dict[str, Any]]:
    """Score category recognition; choices are made on validation objects, test objects are scored once."""
    train, validation, test = (features[split] for split in SPLITS)
    nearest = knn_accuracy(train, validation, test)
    linear = linear_accuracy(train, validation, test)
    _, standard = standardise(train, test)
    found = recall(standard, "category", apart=1)
    scores = {
        "linear probe": Score.of(linear.correct.astype(np.float64), test.object),
        "kNN": Score.of(nearest.correct.astype(np.float64), test.object),
        "linear probe, by frame": Score(linear.correct.astype(np.float64), np.ones(len(test))),
    }
    if found.answerable.any():
        hits = found.hits[found.answerable, 0].astype(np.float64)
        scores["category recall@1"] = Score.of(hits, test.object[found.answerable])
    return scores, {
        "k": nearest.neighbours,
        "l2 strength": linear.strength,
        "test objects": len(np.unique(test.object)),
    }


def _fixed_views(by_frame: Score, angle_rad: NDArray[np.float64], test: Features) -> dict[str, Score]:
    """Return the linear probe on the test frames that show an object from a fixed side."""
    scores = {}
    for name, sides in SIDES_RAD.items():
        apart = [np.abs((angle_rad - side + np.pi) % (2 * np.pi) - np.pi) for side in sides]
        near = np.min(apart, axis=0) <= WITHIN_RAD
        if near.any():
            scores[f"{name} view"] = Score.of(by_frame.mean[near], test.object[near])
    return scores
