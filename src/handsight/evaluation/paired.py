"""Paired tables: rows that were measured on the same samples, with intervals over objects and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.intervals import (
    LEVEL,
    RESAMPLES,
    Interval,
    cluster_sums,
    percentile_interval,
    resampled_sums,
)
from handsight.evaluation.table import Difference, Measure, Table

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


def paired_table(
    title: str,
    measures: Sequence[Measure],
    figures: Mapping[str, Doubles],
    drawn: Mapping[str, Doubles],
    objects_n: int,
    *,
    compare: Sequence[tuple[str, str]] = (),
    level: float = LEVEL,
    notes: Sequence[str] = (),
) -> Table:
    """Make a table of figures and of what they are when objects are drawn again, the same for all rows.

    Args:
        title: of the table.
        measures: M columns.
        figures: row → `[M]`.
        drawn: row → `[resamples, M]`, NaN where a resample leaves a figure undefined.
        objects_n: how many objects were drawn from.
        compare: pairs of rows whose difference (first less second) is wanted.
        level: of the intervals.
        notes: sentences that belong under the table.

    Raises:
        HandsightError: a pair names a row that there is not, or a figure is defined in no resample.
    """
    unknown = {name for pair in compare for name in pair} - set(figures)
    if unknown:
        raise HandsightError(
            f"no rows {', '.join(sorted(unknown))} to compare; there are {', '.join(figures)}"
        )

    def interval(column: int, first: str, second: str | None = None) -> Interval:
        mean, samples = figures[first][column], drawn[first][:, column]
        if second is not None:
            mean, samples = mean - figures[second][column], samples - drawn[second][:, column]
        if np.isnan(samples).all():
            raise HandsightError(
                f"none of {len(samples)} resamples of {objects_n} objects leaves {measures[column].name} of "
                f"{first!r} defined; give more resamples, or evaluate on more objects"
            )
        return percentile_interval(float(mean), samples, objects_n, level)

    return Table(
        title=title,
        measures=tuple(measures),
        cells={
            row: {measure.name: interval(column, row) for column, measure in enumerate(measures)}
            for row in figures
        },
        over=f"{objects_n} objects",
        differences=tuple(
            Difference(first, second, measure.name, interval(column, first, second))
            for first, second in compare
            for column, measure in enumerate(measures)
        ),
        notes=tuple(notes),
    )


def ratio_table(
    title: str,
    measures: Sequence[Measure],
    errors: Mapping[str, Doubles],
    scale: Doubles,
    instance: Ints,
    generator: np.random.Generator,
    *,
    compare: Sequence[tuple[str, str]] = (),
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    notes: Sequence[str] = (),
) -> Table:
    """Make a table whose figures are the sum of errors over the sum of a scale: a mean where that is ones.

    Args:
        title: of the table.
        measures: M columns.
        errors: row → float64 `[N, M]`, of the same N samples.
        scale: float64 `[N, M]`, of a sum above 0.
        instance: int64 `[N]`, the object of each sample; objects are resampled, the same for all rows.
        generator: source of the draws.
        compare: see `paired_table`.
        resamples: of the bootstrap.
        level: of the intervals.
        notes: see `paired_table`.
    """
    seed = int(generator.integers(2**63))
    figures, drawn = {}, {}
    for row, values in errors.items():
        sums = cluster_sums(np.concatenate([values, scale], axis=1), instance)
        again = resampled_sums(sums, np.random.default_rng(seed), resamples)
        (figures[row],), drawn[row] = _ratio(sums.sum(axis=0, keepdims=True)), _ratio(again)
    objects_n = len(np.unique(instance))
    return paired_table(title, measures, figures, drawn, objects_n, compare=compare, level=level, notes=notes)


def _ratio(sums: Doubles) -> Doubles:
    """Return the first half of the columns over the second; NaN over 0."""
    upper, lower = np.split(sums, 2, axis=1)
    ratio: Doubles = np.divide(upper, lower, out=np.full(upper.shape, np.nan), where=lower > 0)
    return ratio


def check_rows(rows: Mapping[str, NDArray[np.floating]], shape: tuple[int, ...], what: str) -> None:
    """Refuse predictions that do not belong to what was measured.

    Args:
        rows: row → predictions.
        shape: that each should have.
        what: is predicted, for the message.

    Raises:
        HandsightError: there are none, or one is of another shape or not finite.
    """
    if not rows:
        raise HandsightError(f"no row told the {what}; expected at least one")
    for name, values in rows.items():
        if np.shape(values) != shape or not np.isfinite(values).all():
            raise HandsightError(
                f"{name!r} told the {what} by numbers {list(np.shape(values))}; expected finite ones, "
                f"{list(shape)}"
            )
