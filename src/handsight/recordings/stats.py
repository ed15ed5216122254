"""The figures of `stats.json` and of meta/episodes: minimum, maximum, mean, deviation, quantiles, count.

Episodes are aggregated as LeRobot does: exactly for minimum, maximum, mean and deviation, and by the mean
weighted by count for quantiles (its `aggregate_stats`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handsight.recordings.features import Feature

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
Figures = dict[str, npt.NDArray[Any]]
"""`min`, `max`, `mean`, `std`, `q01` … `q99` of a stream's shape (see `figures_shape`), and `count` `[1]`."""

_CHANNEL_OFFSETS = np.array([0, 256, 512])
PACK = 1024
"""Episodes whose figures are added up together; as Python objects they take much memory."""
_VALUES = 4_000_000
"""Numbers of an episode that are looked at together: the longest episodes take no more memory than that."""
MAP_NUMBERS = 1024
"""A stream with more numbers a frame has figures over all of them at once, of shape `[1, …]`, as a camera has
over its pixels. Those of each number and episode would take several times what they are of."""
_PIXELS = 32
"""A picture's short side is thinned to about this many pixels before it is counted."""


def quantile_name(quantile: float) -> str:
    """Return `q01` for 0.01."""
    return f"q{round(quantile * 100):02d}"


_NAMES = ("min", "max", "mean", "std", *map(quantile_name, QUANTILES))


def streams_figures(streams: Mapping[str, npt.NDArray[Any]]) -> dict[str, Figures]:
    """Return the figures of one episode's streams of numbers, each `[T, *shape]`, over T.

    They are taken of all streams at once: one by one would cost as much again for each, and short episodes
    come by the million. Those of maps (see `MAP_NUMBERS`) are taken over T and the shape.
    """
    narrow = {name: values for name, values in streams.items() if not _is_map(values.shape[1:])}
    found = _figures_together(narrow) if narrow else {}
    return {name: found[name] if name in found else _map_figures(streams[name]) for name in streams}


def _figures_together(streams: Mapping[str, npt.NDArray[Any]]) -> dict[str, Figures]:
    length = len(next(iter(streams.values())))
    width = max(1, _VALUES // length)
    wide = [values.reshape(length, -1) for values in streams.values()]
    pieces = [values[:, i : i + width] for values in wide for i in range(0, values.shape[1], width)]
    if sum(piece.shape[1] for piece in pieces) <= width:
        pieces = [np.concatenate(pieces, axis=1, dtype=np.float64)]
    rows = np.concatenate([_over_frames(piece.astype(np.float64)) for piece in pieces], axis=1)
    ends = np.cumsum([values.shape[1] for values in wide])
    return {
        name: _figures(mine, values.shape[1:], length)
        for (name, values), mine in zip(streams.items(), np.split(rows, ends[:-1], axis=1), strict=True)
    }


def _map_figures(maps: npt.NDArray[Any]) -> Figures:
    """Return the figures of maps `[T, *shape]` over all their numbers, some frames at a time."""
    numbers = math.prod(maps.shape[1:])
    frames = max(1, _VALUES // numbers)
    total = Total()
    for first in range(0, len(maps), frames):
        piece = maps[first : first + frames]
        rows = _over_frames(piece.astype(np.float64).reshape(-1, 1))
        total.add(_figures(rows, (1,) * (maps.ndim - 1), len(piece)))
    figures = total.figures()
    assert figures is not None, "an episode has frames"
    return figures


def _over_frames(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return minimum, maximum, mean, deviation and the quantiles of each column, a row each."""
    place = np.array(QUANTILES)[:, None] * (len(numbers) - 1)
    below = place.astype(np.intp)
    ordered = np.sort(numbers, axis=0)
    lower, upper = ordered[below[:, 0]], ordered[np.minimum(below[:, 0] + 1, len(numbers) - 1)]
    moments = [numbers.min(axis=0), numbers.max(axis=0), numbers.mean(axis=0), numbers.std(axis=0)]
    return np.concatenate([np.stack(moments), lower + (upper - lower) * (place - below)])


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
        moments = [each.reshape(3, 1, 1) for each in (lowest, highest, mean, deviation)]
        return _figures(np.stack([*moments, *quantiles]), (3, 1, 1), self._frames)


def _figures(rows: npt.NDArray[Any], shape: tuple[int, ...], count: int) -> Figures:
    """Return rows of numbers, in the order of `_NAMES`, as figures of a shape."""
    named = zip(_NAMES, rows.reshape(len(_NAMES), *shape), strict=True)
    return {**dict(named), "count": np.array([count])}


class Total:
    """Figures of many episodes, aggregated as they come."""

    def __init__(self, start: Figures | None = None) -> None:
        self._total = start

    def add(self, episode: Figures) -> None:
        """Take one more episode in, or several that are aggregated."""
        if self._total is None:
            self._total = episode
        else:
            both = self._total.keys() & episode.keys()
            self._total = aggregate({name: np.stack([self._total[name], episode[name]]) for name in both})

    def figures(self) -> Figures | None:
        """Return the figures of all episodes so far, or None without one."""
        return self._total


class Totals:
    """Figures of many episodes by stream, added up `PACK` at a time.

    Args:
        start: of the episodes before.
    """

    def __init__(self, start: Mapping[str, Figures]) -> None:
        self._totals = {name: Total(figures) for name, figures in start.items()}

    def add(self, episodes: Sequence[Mapping[str, Figures]]) -> dict[str, tuple[list[int], Figures]]:
        """Take in some episodes' figures.

        Returns:
            For each stream which of the episodes have figures of it, and those, `[E, *shape]`.
        """
        packed = {}
        for stream in dict.fromkeys(name for figures in episodes for name in figures):
            known = [number for number, figures in enumerate(episodes) if stream in figures]
            taken = [episodes[number][stream] for number in known]
            stacked = {
                key: np.stack([figures[key] for figures in taken])
                for key in taken[0]
                if all(key in figures for figures in taken)
            }
            self._totals.setdefault(stream, Total()).add(aggregate(stacked))
            packed[stream] = (known, stacked)
        return packed

    def figures(self) -> dict[str, Figures]:
        """Return each stream's figures over all episodes so far."""
        return {name: whole for name, total in self._totals.items() if (whole := total.figures()) is not None}


def aggregate(stacked: Mapping[str, npt.NDArray[Any]]) -> Figures:
    """Return the figures of several episodes as one.

    Args:
        stacked: of each episode, `[E, *shape]`; their count `[E, 1]`.
    """
    counts = stacked["count"][:, 0]
    shares = (counts / counts.sum()).reshape(-1, *[1] * (stacked["mean"].ndim - 1))
    mean = (shares * stacked["mean"]).sum(axis=0)
    variance = (shares * (stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2)).sum(axis=0)
    whole = {
        "min": stacked["min"].min(axis=0),
        "max": stacked["max"].max(axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([counts.sum()]),
    }
    for name in map(quantile_name, QUANTILES):
        if name in stacked:  # v2.1 had no quantiles
            whole[name] = (shares * stacked[name]).sum(axis=0)
    return whole


def are_whole(figures: Figures, shape: tuple[int, ...]) -> bool:
    """Whether figures are those of a stream whose frames have this shape: finite numbers, none missing."""
    count = figures.get("count")
    return (
        all(name in figures for name in ("min", "max", "mean", "std"))
        and count is not None
        and count.shape == (1,)
        and count.dtype.kind == "i"
        and count[0] > 0
        and all(
            value.dtype.kind in "biuf" and value.shape == shape and bool(np.isfinite(value).all())
            for name, value in figures.items()
            if name != "count"
        )
    )


def figures_shape(feature: Feature) -> tuple[int, ...]:
    """Return the shape of a stream's figures: its own, `(3, 1, 1)` for a camera, `(1, …)` for a map."""
    if feature.is_camera:
        return (3, 1, 1)
    return (1,) * len(feature.shape) if _is_map(feature.shape) else feature.shape


def over_all(figures: Figures, feature: Feature) -> Figures:
    """Return figures of each number of a map, as others write them, over all its numbers; or as they are."""
    shape = figures_shape(feature)
    if shape == feature.shape or feature.is_camera or not are_whole(figures, feature.shape):
        return figures
    numbers = math.prod(feature.shape)
    apart = {name: each.reshape(numbers, *shape) for name, each in figures.items() if name != "count"}
    return {**aggregate({**apart, "count": np.ones((numbers, 1))}), "count": figures["count"]}


def _is_map(shape: tuple[int, ...]) -> bool:
    return math.prod(shape) > MAP_NUMBERS


def to_lists(figures: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return figures as JSON keeps them."""
    return {name: np.asarray(value).tolist() for name, value in figures.items()}


def from_lists(figures: Mapping[str, Any]) -> Figures:
    """Return figures from JSON."""
    return {str(name): np.asarray(value) for name, value in figures.items()}
