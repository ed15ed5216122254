"""The object benchmark: nearest neighbours, linear probe and retrieval on novel objects, alike for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.features import Features, standardise
from handsight.evaluation.intervals import LEVEL, RESAMPLES, Interval, bootstrap_means, percentile_interval
from handsight.evaluation.knn import knn_accuracy
from handsight.evaluation.linear import linear_accuracy
from handsight.evaluation.retrieval import recall
from handsight.evaluation.table import Difference, Measure, Table

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Scores:
    """One measure of every encoder on the same frames.

    Args:
        values: encoder → float64 `[N]`, the score of each frame (0 or 1).
        object: int64 `[N]`, the object each frame is of.
    """

    values: Mapping[str, NDArray[np.float64]]
    object: NDArray[np.int64]


@dataclass(frozen=True)
class ObjectBenchmark:
    """What the benchmark found.

    Args:
        table: means with intervals over objects, and paired differences.
        scores: measure → every encoder's score on every test frame, for other intervals than the table's.
        chosen: encoder → what validation chose (`k`, `l2_strength`) and the validation accuracy at it.
    """

    table: Table
    scores: Mapping[str, Scores]
    chosen: Mapping[str, Mapping[str, float]]


def object_benchmark(
    features: Mapping[str, Mapping[Split, Features]],
    generator: np.random.Generator,
    *,
    compare: Sequence[tuple[str, str]] = (),
    title: str = "Novel objects",
    apart: int = 1,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    progress: Callable[[str], None] | None = None,
) -> ObjectBenchmark:
    """Measure every encoder on the same test frames, with the same sweeps.

    Choices (k, L2 strength) are made on the validation split; test frames are scored once. Intervals resample
    test objects, the same draws for every encoder, so differences are paired.

    Args:
        features: encoder's name → split → raw features; frames and labels of a split are the same for all
            encoders.
        generator: source of the bootstrap's draws.
        compare: pairs of encoders whose difference (first less second) is wanted.
        title: of the table.
        apart: see `handsight.evaluation.retrieval.recall`.
        resamples: of the bootstrap.
        level: of the intervals.
        progress: told which encoder is being measured.

    Raises:
        HandsightError: where a split is missing, encoders saw different frames, an object is in two splits,
            or a test category was never trained on.
    """
    _check(features, compare)
    scores: dict[str, dict[str, NDArray[np.float64]]] = {}
    asked: dict[str, NDArray[np.bool_]] = {}
    chosen: dict[str, dict[str, float]] = {}
    for name, splits in features.items():
        if progress is not None:
            progress(name)
        measured, chosen[name] = _measure(splits, apart)
        for measure, (values, answerable) in measured.items():
            scores.setdefault(measure, {})[name] = values[answerable].astype(np.float64)
            asked[measure] = answerable
    objects = next(iter(features.values()))["test"].object
    results = {measure: Scores(values, objects[asked[measure]]) for measure, values in scores.items()}
    return ObjectBenchmark(_table(results, compare, title, generator, resamples, level), results, chosen)


Measured = dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]


def _measure(splits: Mapping[Split, Features], apart: int) -> tuple[Measured, dict[str, float]]:
    """Return measure → (score, whether it was asked) per test frame, and what validation chose."""
    train, validation, test = (splits[split] for split in SPLITS)
    nearest = knn_accuracy(train, validation, test)
    linear = linear_accuracy(train, validation, test)
    every = np.ones(len(test), dtype=np.bool_)
    measured: Measured = {"linear probe": (linear.correct, every), "kNN": (nearest.correct, every)}
    _, standard = standardise(train, test)
    for by in ("instance", "category"):
        found = recall(standard, by, apart=apart)
        for column, k in enumerate(found.depths):
            measured[f"{by} recall@{k}"] = (found.hits[:, column], found.answerable)
    choices = {
        "k": float(nearest.neighbours),
        "kNN validation accuracy": nearest.validation[nearest.neighbours],
        "l2_strength": linear.strength,
        "linear validation accuracy": linear.validation[linear.strength],
    }
    return measured, choices


def _table(
    results: Mapping[str, Scores],
    compare: Sequence[tuple[str, str]],
    title: str,
    generator: np.random.Generator,
    resamples: int,
    level: float,
) -> Table:
    cells: dict[str, dict[str, Interval]] = {}
    differences = []
    seed = int(
        generator.integers(2**63)
    )  # every measure with the same draws: adding one changes no other's interval
    for measure, scores in results.items():
        names = list(scores.values)
        values = np.stack([scores.values[name] for name in names], axis=1)
        drawn = bootstrap_means(values, scores.object, np.random.default_rng(seed), resamples)
        means, objects_n = values.mean(axis=0), len(np.unique(scores.object))
        for column, name in enumerate(names):
            interval = percentile_interval(float(means[column]), drawn[:, column], objects_n, level)
            cells.setdefault(name, {})[measure] = interval
        for first, second in compare:
            a, b = names.index(first), names.index(second)
            interval = percentile_interval(
                float(means[a] - means[b]), drawn[:, a] - drawn[:, b], objects_n, level
            )
            differences.append(Difference(first, second, measure, interval))
    objects_n = max(len(np.unique(scores.object)) for scores in results.values())
    return Table(
        title=title,
        measures=tuple(Measure(measure) for measure in results),
        cells=cells,
        over=f"{objects_n} test objects",
        differences=tuple(differences),
    )


def _check(features: Mapping[str, Mapping[Split, Features]], compare: Sequence[tuple[str, str]]) -> None:
    if not features:
        raise HandsightError("the object benchmark got no encoders; expected at least one")
    unknown = {name for pair in compare for name in pair} - set(features)
    if unknown:
        raise HandsightError(
            f"no encoders {', '.join(sorted(unknown))} to compare; there are {', '.join(features)}"
        )
    reference_name, reference = next(iter(features.items()))
    for name, splits in features.items():
        missing = [split for split in SPLITS if split not in splits]
        if missing:
            raise HandsightError(
                f"encoder {name!r} has no features of split {', '.join(missing)}; expected train, validation "
                "and test"
            )
        for split in SPLITS:
            for label in ("category", "object", "clip", "frame"):
                if not np.array_equal(getattr(splits[split], label), getattr(reference[split], label)):
                    raise HandsightError(
                        f"encoders {reference_name!r} and {name!r} saw different {split} frames ({label} "
                        "differs); expected the same frames in the same order"
                    )
    _check_splits(reference)


def _check_splits(splits: Mapping[Split, Features]) -> None:
    pairs: tuple[tuple[Split, Split], ...] = (
        ("train", "validation"),
        ("train", "test"),
        ("validation", "test"),
    )
    for first, second in pairs:
        shared = np.intersect1d(splits[first].object, splits[second].object)
        if len(shared):
            raise HandsightError(
                f"object {shared[0]} is in both {first} and {second} ({len(shared)} such); expected every "
                "object in one split: split by object"
            )
    novel = np.setdiff1d(splits["test"].category, splits["train"].category)
    if len(novel):
        raise HandsightError(
            f"test category {novel[0]} has no training object ({len(novel)} such); expected every category "
            "in training"
        )
