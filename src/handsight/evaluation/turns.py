"""The action probe: which action lies between two views of an object that was never seen?

A ridge regression from frozen features of both views to what was done, fitted on training objects, its
strength chosen on validation objects, and measured once on test objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.evaluate import SPLITS, Split
from handsight.evaluation.features import Features, Standardiser

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTHS = tuple(float(10.0**power) for power in range(-5, 3))
"""The sweep of penalties, per row, for all encoders."""

COMPONENTS = 32
"""Principal components of which all products are taken."""

PAIRS_PER_CLIP = 24


@dataclass(frozen=True)
class TurnProbe:
    """What the probe found on test objects, pair by pair.

    Args:
        error_rad: float64 `[P]`, between the turn that was told and the one that was made, in [0, π].
        recalled: bool `[P]`: of the turns from the first view to each other view of the clip, the one that
            was made is nearest to the one that was told.
        chance: float64 `[P]`, what guessing among them recalls.
        object: int64 `[P]`.
        strength: chosen on validation objects.
    """

    error_rad: Doubles
    recalled: NDArray[np.bool_]
    chance: Doubles
    object: Ints
    strength: float


def turn_probe(
    features: Mapping[Split, Features],
    angles_rad: Mapping[Split, NDArray[np.float64]],
    generator: np.random.Generator,
    *,
    strengths: Sequence[float] = STRENGTHS,
    per_clip: int = PAIRS_PER_CLIP,
) -> TurnProbe:
    """Tell by how much an object was turned between two views.

    The target is sine and cosine of the turn, cos(b − a) = cos a cos b + sin a sin b: a bilinear function of
    the two views. So the input is `[r₀; r₁]`, standardised over training frames, and all products of the
    first `COMPONENTS` principal components of one with those of the other.

    Args:
        features: `train`, `validation` and `test`.
        angles_rad: of each frame of these, `[N]`.
        generator: draws pairs of frames of one clip.
        strengths: the sweep.
        per_clip: pairs of each clip.

    Raises:
        HandsightError: a split is missing, or has no clip of two frames.
    """
    missing = [split for split in SPLITS if split not in features]
    if missing:
        raise HandsightError(f"the action probe got no {missing[0]} frames; expected all three splits")
    pairs = {split: _pairs(features[split], generator, per_clip) for split in SPLITS}
    standardise = Standardiser.fit(features["train"].embeddings)
    components = _components(standardise(features["train"].embeddings).astype(np.float64))
    inputs: dict[Split, Doubles] = {}
    turns: dict[Split, Doubles] = {}
    for split in SPLITS:
        first, second = pairs[split]
        embedded = standardise(features[split].embeddings).astype(np.float64)
        angle = np.asarray(angles_rad[split], np.float64)
        inputs[split] = _compared(embedded[first], embedded[second], components)
        turns[split] = angle[second] - angle[first]
    targets = {split: _circle(turn) for split, turn in turns.items()}
    weights = _ridge_path(inputs["train"], targets["train"], strengths)
    errors = {
        strength: float(np.square(_predict(weight, inputs["validation"]) - targets["validation"]).mean())
        for strength, weight in weights.items()
    }
    chosen = min(errors, key=lambda strength: (errors[strength], -strength))
    told = _predict(weights[chosen], inputs["test"])
    first, second = pairs["test"]
    error = _apart(np.arctan2(told[:, 0], told[:, 1]), turns["test"])
    recalled, chance = _recall(told, features["test"].clip, angles_rad["test"], first, second)
    return TurnProbe(error, recalled, chance, features["test"].object[first], chosen)


def _pairs(features: Features, generator: np.random.Generator, per_clip: int) -> tuple[Ints, Ints]:
    """Draw two different frames of one clip, `per_clip` times for each clip."""
    firsts, seconds = [], []
    for clip in np.unique(features.clip):
        rows = np.flatnonzero(features.clip == clip)
        if len(rows) < 2:
            continue
        one = generator.integers(0, len(rows), per_clip)
        other = (one + generator.integers(1, len(rows), per_clip)) % len(rows)
        firsts.append(rows[one])
        seconds.append(rows[other])
    if not firsts:
        raise HandsightError("the action probe got clips of one frame each; expected clips of two or more")
    return np.concatenate(firsts).astype(np.int64), np.concatenate(seconds).astype(np.int64)


def _components(standardised: Doubles) -> Doubles:
    """Return the first principal components, scaled so that each varies by 1; `[D, ≤ COMPONENTS]`."""
    variance, axes = np.linalg.eigh(standardised.T @ standardised / len(standardised))
    kept = np.flatnonzero(variance > 1e-9 * variance.max(initial=1e-300))[::-1][:COMPONENTS]
    return np.asarray(axes[:, kept] / np.sqrt(variance[kept]), dtype=np.float64)


def _compared(first: Doubles, second: Doubles, components: Doubles) -> Doubles:
    one, other = first @ components, second @ components
    products = (one[:, :, None] * other[:, None, :]).reshape(len(first), -1)
    return np.concatenate([first, second, products], axis=1)


def _circle(angle: Doubles) -> Doubles:
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _apart(one: Doubles, other: Doubles) -> Doubles:
    return np.asarray(np.abs((one - other + np.pi) % (2 * np.pi) - np.pi), dtype=np.float64)


Weight = tuple[Doubles, Doubles, Doubles]
"""Coefficients `[D, T]`, mean of the inputs `[D]`, mean of the targets `[T]`."""


def _ridge_path(x: Doubles, y: Doubles, strengths: Sequence[float]) -> dict[float, Weight]:
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred, target = x - x_mean, y - y_mean
    squared, axes = np.linalg.eigh(centred.T @ centred / len(x))
    projected = axes.T @ (centred.T @ target / len(x))
    return {
        strength: (axes @ (projected / (np.maximum(squared, 0) + strength)[:, None]), x_mean, y_mean)
        for strength in strengths
    }


def _predict(weight: Weight, x: Doubles) -> Doubles:
    coefficients, x_mean, y_mean = weight
    return (x - x_mean) @ coefficients + y_mean


def _recall(
    told: Doubles, clip: Ints, angle_rad: NDArray[np.floating], first: Ints, second: Ints
) -> tuple[NDArray[np.bool_], Doubles]:
    """Among the turns from the first view to each other view of its clip, is the one made the nearest?"""
    angle = np.asarray(angle_rad, np.float64)
    recalled, chance = np.zeros(len(first), dtype=np.bool_), np.zeros(len(first))
    members = {int(c): np.flatnonzero(clip == c) for c in np.unique(clip[first])}
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        rows = members[int(clip[one])]
        rows = rows[rows != one]
        candidates = _circle(angle[rows] - angle[one])
        recalled[number] = rows[np.square(candidates - told[number]).sum(axis=1).argmin()] == other
        chance[number] = 1 / len(rows)
    return recalled, chance
