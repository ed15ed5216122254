"""Ridge regression in closed form, evaluated on episodes it never saw.

The penalty is strength · n · ‖w‖² on features standardised over the training episodes, the intercept free.
For each held-out fold the strength is the one with the smallest leave-one-episode-out error *within* the
training episodes. That inner error needs no refitting: for a linear smoother with hat matrix H, the errors of
a left-out block g are (I − H_gg)⁻¹ (y_g − ŷ_g) (Hastie, Tibshirani and Friedman 2009, section 7.10, for
single rows).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from handsight.errors import HandsightError

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTHS = tuple(float(10.0**power) for power in range(-4, 4))
"""The sweep of strengths, for all encoders and controls. The largest all but gives the mean."""

FOLDS = 10
"""Up to this many episodes, each is left out alone; beyond, they are left out whole in this many folds."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions for every row by a regression that never saw its episode.

    Args:
        predicted: float64 `[N, T]`.
        strengths: what each fold chose, `[folds]`.
    """

    predicted: Doubles
    strengths: tuple[float, ...]


@dataclass(frozen=True)
class _Spectrum:
    """Thin singular value decomposition: `left` `[n, r]`, squared singular values `[r]`, `right` `[D, r]`."""

    left: Doubles
    squared: Doubles
    right: Doubles

    @classmethod
    def of(cls, x: Doubles) -> _Spectrum:
        # Whichever Gram matrix is smaller; the penalty bounds the condition, so squaring it costs nothing
        # here.
        dual = x.shape[1] > x.shape[0]
        squared, vectors = linalg.eigh(x @ x.T if dual else x.T @ x)
        kept = squared > max(x.shape) * np.finfo(np.float64).eps * max(squared.max(initial=0.0), 1e-300)
        squared, vectors = squared[kept], vectors[:, kept]
        other = (x.T if dual else x) @ vectors / np.sqrt(squared)
        return cls(vectors, squared, other) if dual else cls(other, squared, vectors)


def held_out_predictions(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    episode: Ints,
    *,
    strengths: Sequence[float] = STRENGTHS,
    folds: int = FOLDS,
) -> HeldOut:
    """Predict every row from a ridge regression fitted to other episodes.

    Args:
        x: features `[N, D]`; with D = 0 the prediction is the training episodes' mean.
        y: targets `[N, T]`.
        episode: `[N]`.
        strengths: the sweep.
        folds: most outer folds; see `FOLDS`.

    Raises:
        HandsightError: with fewer than three episodes (one to leave out, two to choose the strength on).
    """
    episodes = np.unique(episode)
    if len(episodes) < 3:
        raise HandsightError(
            f"a robot probe got {len(episodes)} episodes; expected at least 3, since it leaves one out and "
            "chooses on the rest"
        )
    predicted = np.empty(y.shape, dtype=np.float64)
    chosen: list[float] = []
    for left_out in np.array_split(episodes, min(folds, len(episodes))):
        test = np.isin(episode, left_out)
        predicted[test], strength = _fit_predict(x[~test], y[~test], episode[~test], x[test], strengths)
        chosen.append(strength)
    return HeldOut(predicted, tuple(chosen))


def _fit_predict(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    episode: Ints,
    x_new: NDArray[np.floating],
    strengths: Sequence[float],
) -> tuple[Doubles, float]:
    x64, y64 = x.astype(np.float64), y.astype(np.float64)
    x_mean, y_mean = x64.mean(axis=0), y64.mean(axis=0)
    deviation = x64.std(axis=0)
    alive = deviation > 1e-6 * np.abs(x64).max(axis=0, initial=0.0)
    if not alive.any():
        return np.broadcast_to(y_mean, (len(x_new), y.shape[1])).copy(), max(strengths)
    scale = np.where(alive, 1.0 / np.where(alive, deviation, 1.0), 0.0)
    spectrum = _Spectrum.of((x64 - x_mean) * scale)
    projected = spectrum.left.T @ (y64 - y_mean)
    errors = [leave_one_out_error(spectrum.left, spectrum.squared, y64, episode, s) for s in strengths]
    strength = strengths[int(np.argmin(errors))]
    shrunk = np.sqrt(spectrum.squared) / (spectrum.squared + strength * len(x64))
    weight = spectrum.right @ (shrunk[:, None] * projected)
    return (x_new.astype(np.float64) - x_mean) * scale @ weight + y_mean, strength


def leave_one_out_error(left: Doubles, squared: Doubles, y: Doubles, episode: Ints, strength: float) -> float:
    """Return the mean squared error of leaving each episode out in turn, in units of each target's variance.

    Args:
        left: left singular vectors of the centred features, `[n, r]`.
        squared: squared singular values, `[r]`.
        y: targets `[n, T]`.
        episode: `[n]`.
        strength: of the penalty, per row.
    """
    n = len(y)
    filtered = left * (squared / (squared + strength * n))
    centred = y - y.mean(axis=0)
    residual = centred - filtered @ (left.T @ centred)
    total = np.zeros(y.shape[1])
    for one in np.unique(episode):
        rows = np.flatnonzero(episode == one)
        hat = filtered[rows] @ left[rows].T + 1.0 / n
        left_out = linalg.solve(np.eye(len(rows)) - hat, residual[rows], assume_a="pos")
        total += np.square(left_out).sum(axis=0)
    variance = np.square(centred).sum(axis=0)
    varying = variance > 0
    return float((total[varying] / variance[varying]).mean()) if varying.any() else 0.0
