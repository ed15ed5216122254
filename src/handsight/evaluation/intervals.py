"""Intervals: how sure a figure is, by resampling whole objects (or episodes), and over seeds.

Frames of one object resemble each other, so frames are not independent samples: objects are. The bootstrap
here draws objects with replacement and takes all their frames along (Davison and Hinkley 1997, section 3.8).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from handsight.errors import HandsightError

Doubles = NDArray[np.float64]

RESAMPLES = 10_000
LEVEL = 0.95
_CHUNK = 4_000_000  # drawn numbers held at once


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its interval, in the measure's own unit.

    Args:
        mean: the figure itself, on what was measured (not the mean of the resamples).
        low: lower end.
        high: upper end.
        level: how often such an interval holds the truth, in (0, 1).
    """

    mean: float
    low: float
    high: float
    level: float = LEVEL

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside: for a difference, whether it tells the two apart."""
        return self.low > 0 or self.high < 0


def resampled_sums(sums: Doubles, generator: np.random.Generator, resamples: int = RESAMPLES) -> Doubles:
    """Draw clusters with replacement and add up what each drawn one holds.

    Every column sees the same draws, so differences of columns are paired.

    Args:
        sums: `[C, M]`, one row per cluster: sums over its frames (of a score, of ones, of squares, …).
        generator: the draws are a function of its state, `C` and `resamples`.
        resamples: how many.

    Returns:
        `[resamples, M]`.
    """
    if len(sums) < 2:
        raise HandsightError(
            f"an interval was asked for over {len(sums)} objects or episodes; expected at least 2: evaluate "
            "on more"
        )
    chunks = [counts @ sums for counts in _draws(len(sums), generator, resamples)]
    return np.concatenate(chunks)


def cluster_sums(values: Doubles, clusters: NDArray[np.int64]) -> Doubles:
    """Sum rows `[N, M]` by cluster: `[C, M]`, clusters in ascending order."""
    _, place = np.unique(clusters, return_inverse=True)
    return np.stack([np.bincount(place, weights=column) for column in values.T], axis=1)


def bootstrap_means(
    values: ArrayLike, clusters: NDArray[np.int64], generator: np.random.Generator, resamples: int = RESAMPLES
) -> Doubles:
    """Resample clusters, and give each column's mean over all frames drawn.

    Args:
        values: `[N, M]`, finite.
        clusters: `[N]`, the object of each row.
        generator: source of the draws.
        resamples: how many.

    Returns:
        `[resamples, M]`; columns are paired.
    """
    table = np.asarray(values, dtype=np.float64)
    if len(table) != len(clusters) or not np.isfinite(table).all():
        raise HandsightError(
            f"{len(table)} values came with {len(clusters)} objects; expected one object per value, and "
            "finite values"
        )
    sums = cluster_sums(np.column_stack([table, np.ones(len(table))]), clusters)
    drawn = resampled_sums(sums, generator, resamples)
    return drawn[:, :-1] / drawn[:, -1:]


def percentile_interval(mean: float, drawn: Doubles, clusters_n: int, level: float = LEVEL) -> Interval:
    """Read an interval off resampled figures: the expanded percentile interval.

    The plain percentile interval is too narrow where clusters are few; its tails are widened so that a mean's
    interval is as wide as Student's t (Hesterberg 2015, "What teachers should know about the bootstrap"). It
    nears the plain one as clusters grow.

    Args:
        mean: the figure on all that was measured.
        drawn: `[resamples]`; a NaN, where a resample leaves the figure undefined, is passed over.
        clusters_n: how many clusters were drawn from.
        level: coverage, in (0, 1).

    Raises:
        HandsightError: every resample leaves the figure undefined.
    """
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        raise HandsightError(
            f"a figure of {mean} is undefined in all {len(drawn)} resamples; evaluate on more, so that there"
            " is something to divide by"
        )
    low, high = np.quantile(defined, expanded_tails(clusters_n, level))
    return Interval(mean, float(low), float(high), level)


def expanded_tails(clusters_n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the two quantiles that the expanded percentile interval reads."""
    t = stats.t.ppf((1 - level) / 2, clusters_n - 1)
    tail = float(stats.norm.cdf(math.sqrt(clusters_n / (clusters_n - 1)) * t))
    return tail, 1 - tail


def bootstrap_interval(
    values: ArrayLike,
    clusters: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Return the mean of `values` `[N]` with its interval over clusters (objects, episodes)."""
    column = np.asarray(values, dtype=np.float64)[:, None]
    drawn = bootstrap_means(column, clusters, generator, resamples)[:, 0]
    return percentile_interval(float(column.mean()), drawn, len(np.unique(clusters)), level)


def paired_bootstrap_interval(
    first: ArrayLike,
    second: ArrayLike,
    clusters: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Return mean(first) − mean(second) on the same frames `[N]`, with its interval over clusters."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        raise HandsightError(
            f"a paired difference got {one.shape} and {other.shape} values; expected both on the same frames"
        )
    return bootstrap_interval(one - other, clusters, generator, resamples=resamples, level=level)


def seed_interval(values: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Return the mean over seeds with Student's t interval; `values` is `[S]`, one figure per seed, S ≥ 2."""
    figures = np.asarray(values, dtype=np.float64)
    if len(figures) < 2:
        raise HandsightError(
            f"an interval over seeds got {len(figures)} seed; expected at least 2: run more seeds"
        )
    mean, error = float(figures.mean()), float(figures.std(ddof=1)) / math.sqrt(len(figures))
    half = float(stats.t.ppf((1 + level) / 2, len(figures) - 1)) * error
    return Interval(mean, mean - half, mean + half, level)


def paired_seed_interval(first: ArrayLike, second: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Return mean(first − second) with Student's t interval; entry s of both is from seed s."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        raise HandsightError(
            f"a paired difference got {len(one)} and {len(other)} seeds; expected the same seeds"
        )
    return seed_interval(one - other, level=level)


def _draws(clusters_n: int, generator: np.random.Generator, resamples: int) -> Iterator[Doubles]:
    """Yield how often each cluster is drawn, `[r, C]`, in chunks of bounded memory."""
    step = max(1, _CHUNK // clusters_n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, clusters_n, size=(rows, clusters_n))
        drawn += np.arange(rows)[:, None] * clusters_n
        counts = np.bincount(drawn.ravel(), minlength=rows * clusters_n)
        yield counts.reshape(rows, clusters_n).astype(np.float64)
