"""The experiment behind The Curious Robot's tables: a root learns from what a hand does, and is measured.

A cell records interactions on the tabletop (one recording for all cells of a seed), trains one root, and
measures it in every way that some table asks for: classification, fine-tuned and frozen, on three data sets
that stand in for the paper's, retrieval, what heads on the frozen root tell of interactions with novel
objects, what its units answer to, and its nearest neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handsight.encoders import Encoder, load_encoder
from handsight.encoders.encoder import POOLED
from handsight.evaluation import SPLITS, LabelledFrames, extract
from handsight.evaluation.activations import top_activations
from handsight.evaluation.finetune import finetune_accuracy
from handsight.evaluation.folds import Fold, leave_one_out, score_folds, take
from handsight.evaluation.linear import linear_accuracy
from handsight.evaluation.retrieval import recall
from handsight.methods import CuriousRobot
from handsight.methods.curious_robot import AS_IT_IS
from handsight.recordings import Recording
from handsight.studies.benchmark import labelled_frames
from handsight.studies.cells import Cell, Outcome, Score
from handsight.studies.controls import build_method
from handsight.studies.montage import draw_neighbours, draw_units
from handsight.studies.told_interactions import precision_recall_curve, tell
from handsight.studies.turned_objects import RANDOM, collected
from handsight.training import duration_s, pretrain, read_log
from handsight.worlds import Tabletop

GIVEN = "given"
"""Method's name of the cell whose weights come from a file, `init`."""

NEIGHBOURS = 5
"""Nearest pictures that are looked at."""

CURVE = "precision and recall"

TOP = 9
"""Pictures of a unit that are looked at."""


def run(cell: Cell, work: Path) -> Outcome:
    """Run a cell.

    Its settings: `world` (options of the tabletop), `episodes`, `method` (`name` and the constructor's
    arguments; of `random` and `given` the encoder's), `training` (fields of `Training`), `heads` (fields of
    `Training` for heads on the frozen root), `heads_flip_probability` (that these see a picture mirrored),
    `finetune` (`learning_rates`, `epochs`), and `benchmarks`: name → `world` (options of the turntable),
    `objects`, and `folds` of leave-one-out, 0 for the splits of the objects.
    """
    settings = cell.settings
    recording = collected(settings["world"], settings["episodes"], cell.seed, work, Tabletop)
    method, encoder, facts = _trained(cell, recording, work)
    scores: dict[str, Score] = {}
    seen: dict[str, Recording] = {}
    for number, (name, benchmark) in enumerate(settings["benchmarks"].items()):
        # Seeds of their own: none of its objects is one that the hand was given.
        seen[name] = collected(
            benchmark["world"], benchmark["objects"], 1000 * (number + 1) + cell.seed, work
        )
        if benchmark["folds"]:
            scores |= _left_out(name, encoder, seen[name], cell, benchmark["folds"])
        else:
            scores |= _split(name, encoder, seen[name], cell, facts)
    frozen = _heads(cell, encoder, recording, work)
    scores |= tell(frozen, recording)
    curves = {CURVE: precision_recall_curve(frozen, recording)}
    if isinstance(method, CuriousRobot) and {"grasp", "push", "poke"} <= set(method.tasks):
        scores |= {f"own: {measure}": score for measure, score in tell(method, recording).items()}
        curves[f"own: {CURVE}"] = precision_recall_curve(method, recording)
    pictures = labelled_frames([next(iter(seen.values()))], "test", encoder.image_size)
    scores |= _units(encoder, pictures, work / "pictures" / cell.key)
    scores |= _neighbours(encoder, pictures, work / "pictures" / cell.key)
    return Outcome(scores, curves, facts)


def _trained(
    cell: Cell, recording: Recording, work: Path
) -> tuple[torch.nn.Module | None, Encoder, dict[str, Any]]:
    """Return the method with its heads, the root, and what is worth keeping of the training."""
    arguments = dict(cell.settings["method"])
    name = arguments.pop("name")
    torch.manual_seed(cell.seed)
    if name in (RANDOM, GIVEN):
        root = Encoder(
            *(arguments["encoder"], arguments["image_size"]),
            options=arguments["encoder_options"],
            weights=arguments.get("init"),
        )
        return None, root, {}
    folder = work / f"run-{cell.key}"
    method = build_method(name, arguments)
    pretrain(method, recording, out=folder, seed=cell.seed, **cell.settings["training"])
    log = read_log(folder)
    losses = {key: value for key, value in log[-1].items() if key not in ("step", "seconds", "learning_rate")}
    return method.eval(), load_encoder(folder), {"losses": losses, "training seconds": duration_s(log)}


def _heads(cell: Cell, encoder: Encoder, recording: Recording, work: Path) -> CuriousRobot:
    """Train heads of grasp, push and poke on the root as it is, the same way on every row's."""
    torch.manual_seed(cell.seed)
    width = float(encoder.options.get("width", 1.0))
    root = Encoder(encoder.name, encoder.image_size, options=encoder.options)
    root.trunk.load_state_dict(encoder.trunk.state_dict())
    seen = replace(AS_IT_IS, flip_probability=cell.settings["heads_flip_probability"])
    method = CuriousRobot(
        root, augmentation=seen, tasks=("grasp", "push", "poke"), grasp_steps=0, head_width=width
    )
    method.encoder.requires_grad_(False)
    pretrain(method, recording, out=work / f"heads-{cell.key}", seed=cell.seed, **cell.settings["heads"])
    return method.eval()


def _split(
    name: str, encoder: Encoder, recording: Recording, cell: Cell, facts: dict[str, Any]
) -> dict[str, Score]:
    """Score classification of novel objects: fine-tuned, and by a linear probe on the frozen embedding.

    What validation chose is put into `facts`.
    """
    train, validation, test = (labelled_frames([recording], split, encoder.image_size) for split in SPLITS)
    tuned = finetune_accuracy(
        encoder, train, validation, test, torch.Generator().manual_seed(cell.seed), **_sweep(cell)
    )
    facts[f"{name}, learning rate"], facts[f"{name}, epochs"] = tuned.learning_rate, tuned.epochs
    frozen = linear_accuracy(*(extract(encoder, frames) for frames in (train, validation, test)))
    return {
        f"{name}, fine-tuned": Score.of(tuned.correct.astype(np.float64), test.object),
        f"{name}, frozen": Score.of(frozen.correct.astype(np.float64), test.object),
    }


def _left_out(name: str, encoder: Encoder, recording: Recording, cell: Cell, count: int) -> dict[str, Score]:
    """Score classification by leave-one-out, and retrieval among all pictures by the embedding's cosine.

    Retrieval takes the embedding as it is, as the paper does: many of fc7's units fire on few pictures, and
    standardised these few would decide.
    """
    frames = labelled_frames([recording], None, encoder.image_size)
    features = extract(encoder, frames)
    folds = list(leave_one_out(frames.category, frames.object, np.random.default_rng(cell.seed), folds=count))

    def tuned(fold: Fold) -> NDArray[np.bool_]:
        train, validation, test = (take(frames, rows) for rows in (fold.train, fold.validation, fold.test))
        generator = torch.Generator().manual_seed(cell.seed)
        return finetune_accuracy(encoder, train, validation, test, generator, **_sweep(cell)).correct

    def frozen(fold: Fold) -> NDArray[np.bool_]:
        parts = (take(features, rows) for rows in (fold.train, fold.validation, fold.test))
        return linear_accuracy(*parts).correct

    scores = {}
    for way, score in (("fine-tuned", tuned), ("frozen", frozen)):
        found = score_folds(folds, score, frames.category, frames.object)
        scores[f"{name}, {way}"] = Score.of(found.score, found.instance)
    for by in ("instance", "category"):
        answers = recall(features, by)
        for column, depth in enumerate(answers.depths):
            hits = answers.hits[answers.answerable, column].astype(np.float64)
            scores[f"{by} recall@{depth}"] = Score.of(hits, frames.object[answers.answerable])
    return scores


def _units(encoder: Encoder, frames: LabelledFrames, folder: Path) -> dict[str, Score]:
    """Score how much of one category the pictures are that a unit answers to most, and draw some."""
    category = dict(zip(frames.index.tolist(), frames.category.tolist(), strict=True))
    scores = {}
    for tap in ("conv4", "conv5"):
        found = top_activations(encoder, tap, frames.read, frames.index, count=TOP)
        labels = np.vectorize(category.__getitem__)(found.picture)
        purity = np.array([np.bincount(row).max() / len(row) for row in labels])
        # A unit that is never above zero answers to nothing: its pictures are any.
        purity[found.value[:, 0] <= 0] = 1 / found.picture.shape[1]
        scores[f"{tap} units of one category"] = Score(purity, np.ones(len(purity)))
        draw_units(found, frames.read, folder / f"{tap}.png")
    return scores


def _neighbours(encoder: Encoder, frames: LabelledFrames, folder: Path) -> dict[str, Score]:
    """Score how many of the pictures nearest in conv5, and in the embedding, are of the same category.

    Queries are a picture of each category; pictures of the query's own object do not count.
    """
    images = torch.from_numpy(frames.read(frames.index)).permute(0, 3, 1, 2)
    features = encoder.features(images)
    _, queries = np.unique(frames.category, return_index=True)
    scores, near = {}, {}
    for tap in ("conv5", POOLED):
        unit = torch.nn.functional.normalize(features[tap].flatten(1), dim=1)
        cosine = (unit[queries] @ unit.T).numpy()
        cosine[frames.object[queries][:, None] == frames.object] = -np.inf
        near[tap] = np.argsort(-cosine, axis=1, kind="stable")[:, :NEIGHBOURS]
        same = frames.category[near[tap]] == frames.category[queries][:, None]
        what = "embedding" if tap == POOLED else tap
        scores[f"{what} neighbours of the category"] = Score.of(same.mean(axis=1), frames.object[queries])
    draw_neighbours(images, queries, near["conv5"], folder / "neighbours.png")
    return scores


def _sweep(cell: Cell) -> Mapping[str, Any]:
    return {name: tuple(values) for name, values in cell.settings["finetune"].items()}
