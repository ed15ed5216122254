"""Seeds: several runs of one experiment, brought together in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handsight.errors import HandsightError
from handsight.evaluation.intervals import LEVEL, paired_seed_interval, seed_interval
from handsight.evaluation.table import Difference, Table


def over_seeds(
    tables: Sequence[Table], compare: Sequence[tuple[str, str]] = (), *, level: float = LEVEL
) -> Table:
    """Bring the tables of several seeds together: mean over seeds with Student's t interval.

    Args:
        tables: one per seed, with the same rows and measures; table s of every row is from the same seed.
        compare: pairs of rows whose difference is taken seed by seed; without any, the pairs of the first
            table.
        level: of the intervals.

    Raises:
        HandsightError: where there are fewer than two, or rows or measures differ.
    """
    if len(tables) < 2:
        raise HandsightError(
            f"an interval over seeds got {len(tables)} table; expected at least 2: run more seeds"
        )
    first = tables[0]
    for number, table in enumerate(tables[1:], start=2):
        if {r: set(c) for r, c in table.cells.items()} != {r: set(c) for r, c in first.cells.items()}:
            raise HandsightError(
                f"table {number} of {len(tables)} has other rows or measures than the first; expected one "
                "experiment, run with several seeds"
            )
    pairs = list(compare) or list(dict.fromkeys((d.first, d.second) for d in first.differences))
    figures = {
        row: {name: np.array([table.cells[row][name].mean for table in tables]) for name in cells}
        for row, cells in first.cells.items()
    }
    unknown = {row for pair in pairs for row in pair} - set(figures)
    if unknown:
        raise HandsightError(
            f"no rows {', '.join(sorted(unknown))} to compare; there are {', '.join(figures)}"
        )
    return Table(
        title=first.title,
        measures=first.measures,
        cells={
            row: {name: seed_interval(values, level=level) for name, values in columns.items()}
            for row, columns in figures.items()
        },
        over=f"{len(tables)} seeds",
        differences=tuple(
            Difference(
                a, b, m.name, paired_seed_interval(figures[a][m.name], figures[b][m.name], level=level)
            )
            for a, b in pairs
            for m in first.measures
            if m.name in figures[a] and m.name in figures[b]
        ),
        published=first.published,
        notes=first.notes,
    )
