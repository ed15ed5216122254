"""The figures of `stats.json` and of meta/episodes: minimum, maximum, mean, deviation, quantiles, count.

Episodes are aggregated as LeRobot does: exactly for minimum, maximum, mean and deviation, and by the mean
weighted by count for quantiles (its `aggregate_stats`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
Figures = dict[str, npt.NDArray[Any]]
"""`min`, `max`, `mean`, `std`, `q01` … `q99` of a stream's shape, and `count` `[1]`."""

_CHANNEL_OFFSETS = np.array([0, 256, 512])
_PIXELS = 32
"""A picture's short side is thinned to about this many pixels before it is counted."""


def quantile_name(quantile: float) -> str:
    """Return `q01` for 0.01."""
    return f"q{round(quantile * 100):02d}"


def stream_figures(values: npt.NDArray[Any]) -> Figures:
    """Return the figures of one episode of numbers `[T, *shape]`, over T."""
    numbers = values.astype(np.float64, copy=False)
    if len(numbers) == 1:  # one-frame episodes come by the million
        first = numbers[0]
        return _figures(first, first, first, np.zeros_like(first), [first] * len(QUANTILES), 1)
    quantiles = np.quantile(numbers, QUANTILES, axis=0)
    return _figures(
        numbers.min(axis=0),
        numbers.max(axis=0),
        numbers.mean(axis=0),
        numbers.std(axis=0),
        list(quantiles),
        len(numbers),
    )


class PictureFigures:
    """Counts a camera's levels, frame by frame, on every k-th pixel; memory does not grow."""

    def __init__(self) -> None:
        self._counts = np.zeros(3 * 256, dtype=np.int64)
        self._frames = 0

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Count one frame `[H, W, 3]`."""
        stride = max(1, min(frame.shape[:2]) // _PIXELS)
        levels = frame[::stride, ::stride].astype(np.int64) + _CHANNEL_OFFSETS
        self._counts += np.bincount(levels.reshape(-1), minlength=3 * 256)
        self._frames += 1

    def figures(self) -> Figures:
        """Return the figures of the frames so far, in [0, 1], each `[3, 1, 1]`."""
        counts = self._counts.reshape(3, 256)
        total = counts.sum(axis=1)
        level = np.arange(256) / 255
        mean = counts @ level / total
        deviation = np.sqrt(np.maximum(counts @ level**2 / total - mean**2, 0))
        reached = np.cumsum(counts, axis=1)

        def at(quantile: float) -> npt.NDArray[Any]:
            rank = np.ceil(quantile * total).clip(1, total)
            return np.asarray(level[(reached >= rank[:, None]).argmax(axis=1)]).reshape(3, 1, 1)

        lowest = level[(counts > 0).argmax(axis=1)].reshape(3, 1, 1)
        highest = level[255 - (counts[:, ::-1] > 0).argmax(axis=1)].reshape(3, 1, 1)
        quantiles = [at(quantile) for quantile in QUANTILES]
        shape = (3, 1, 1)
        return _figures(
            lowest, highest, mean.reshape(shape), deviation.reshape(shape), quantiles, self._frames
        )


def _figures(
    lowest: npt.NDArray[Any],
    highest: npt.NDArray[Any],
    mean: npt.NDArray[Any],
    deviation: npt.NDArray[Any],
    quantiles: list[npt.NDArray[Any]],
    count: int,
) -> Figures:
    figures = {"min": lowest, "max": highest, "mean": mean, "std": deviation, "count": np.array([count])}
    return figures | {quantile_name(q): value for q, value in zip(QUANTILES, quantiles, strict=True)}


class Total:
    """Figures of many episodes, aggregated as they come."""

    def __init__(self, start: Figures | None = None) -> None:
        self._total = start

    def add(self, episode: Figures) -> None:
        """Take one more episode in."""
        self._total = episode if self._total is None else _merge(self._total, episode)

    def figures(self) -> Figures | None:
        """Return the figures of all episodes so far, or None without one."""
        return self._total


def _merge(one: Figures, other: Figures) -> Figures:
    n, m = int(one["count"][0]), int(other["count"][0])
    share = m / (n + m)
    gap = other["mean"] - one["mean"]
    mean = one["mean"] + gap * share
    variance = (1 - share) * one["std"] ** 2 + share * other["std"] ** 2 + share * (1 - share) * gap**2
    merged = {
        "min": np.minimum(one["min"], other["min"]),
        "max": np.maximum(one["max"], other["max"]),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([n + m]),
    }
    for name in one.keys() & other.keys() & set(map(quantile_name, QUANTILES)):  # v2.1 had no quantiles
        merged[name] = (1 - share) * one[name] + share * other[name]
    return merged


def to_lists(figures: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return figures as JSON keeps them."""
    return {name: np.asarray(value).tolist() for name, value in figures.items()}


def from_lists(figures: Mapping[str, Any]) -> Figures:
    """Return figures from JSON."""
    return {name: np.asarray(value) for name, value in figures.items()}
