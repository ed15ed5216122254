"""What a study is: rows of cells, measures, comparisons, the paper's figures; and the table it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handsight.evaluation import Interval, Measure, Published, Table
from handsight.evaluation.intervals import (
    bootstrap_means,
    paired_seed_interval,
    percentile_interval,
    seed_interval,
)
from handsight.evaluation.table import Difference
from handsight.studies.cells import Cell, CellStore, Outcome, Score, Settings

Scale = Literal["tiny", "small", "paper"]
"""How large: seconds a cell (does it run?), minutes on two cores (does it show?), the paper's own size."""

SEEDS_FOR_T = 3
"""From so many seeds on, intervals are Student's t over seeds; below, objects are resampled."""


@dataclass(frozen=True)
class Row:
    """One variant, with as many cells as seeds.

    Args:
        label: its name in the table.
        experiment: what runs its cells.
        settings: of its cells.
        seeds: how many, from 0 on.
        reference: a row that is there to compare with (it sees labels, say) and cannot be the best.
        part: what scores of this row are called in cells that hold several rows', as `PART: MEASURE`; empty
            where the cells are this row's own.
    """

    label: str
    experiment: str
    settings: Settings
    seeds: int
    reference: bool = False
    part: str = ""

    @property
    def cells(self) -> list[Cell]:
        """A cell for each seed."""
        return [Cell(self.experiment, self.settings, seed) for seed in range(self.seeds)]


@dataclass(frozen=True)
class Curve:
    """A drawing: what cells kept as a curve, one line for each row.

    Args:
        name: of the curve in `Outcome.curves`, with entries `x` and `y`.
        x: what is along the bottom, with its unit.
        y: what is up the side.
    """

    name: str
    x: str
    y: str


@dataclass(frozen=True)
class Study:
    """A table or figure of a paper, as a command.

    Args:
        name: on the command line, `paper/table`.
        title: of the table.
        question: what it is to show, in one sentence.
        rows: scale → the rows.
        measures: the columns; others that cells have kept are left out.
        compare: pairs of rows whose difference is wanted.
        published: the paper's figures.
        chance: what guessing scores, by measure, at a scale.
        curves: drawings.
        lines: row → (line, place along x), where rows are points of lines (a strength of noise, say).
        along: what the places along x are, with the unit.
        notes: sentences under the table.
        pictures: names of PNGs that cells leave in the folder `pictures/KEY` of their work.
        clusters: what each score is by, and intervals of few seeds resample.
        same_clusters: whether all seeds are scored on the same ones; otherwise each has its own.
        deviations: whether the standard deviation over the seeds is said under the table.
    """

    name: str
    title: str
    question: str
    rows: Callable[[Scale], Sequence[Row]]
    measures: Sequence[Measure]
    compare: Sequence[tuple[str, str]] = ()
    published: Sequence[Published] = ()
    chance: Callable[[Scale], Mapping[str, float]] = lambda scale: {}
    curves: Sequence[Curve] = ()
    lines: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    along: str = ""
    notes: Sequence[str] = ()
    pictures: Sequence[str] = ()
    clusters: str = "test objects"
    same_clusters: bool = False
    deviations: bool = False

    def rows_at(self, scale: Scale, seeds: int | None = None) -> list[Row]:
        """Return the rows with at most `seeds` seeds each."""
        rows = list(self.rows(scale))
        if seeds is None:
            return rows
        return [replace(row, seeds=min(row.seeds, seeds)) for row in rows]


@dataclass(frozen=True)
class Found:
    """What a study has found so far.

    Args:
        table: rows whose cells have all been run, with intervals.
        curves: curve → row → (x `[X]`, y of each seed `[S, X]`).
        references: rows that cannot be the best.
        missing: cells that have not been run.
        made: number of cells, hours and hardware.
    """

    table: Table
    curves: Mapping[str, Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]]
    references: tuple[str, ...]
    missing: int
    made: Mapping[str, Any]


def gather(study: Study, rows: Sequence[Row], store: CellStore) -> Found:
    """Bring a study's outcomes together.

    With three seeds or more an interval is Student's t over the seeds, and differences are paired by seed
    (one seed gives all rows the same data); with fewer, objects (or the study's other clusters) are
    resampled, pooled over the seeds, the same draws for all rows. Rows with different numbers of seeds are
    compared on those they share.
    """
    outcomes: dict[str, list[Outcome]] = {}
    known = {cell: store.get(cell) for row in rows for cell in row.cells}
    for row in rows:
        found = [known[cell] for cell in row.cells]
        # A row is shown with the seeds that are there, in order; a gap ends it, so that pairs stay pairs.
        whole = found[: found.index(None)] if None in found else found
        if whole:
            outcomes[row.label] = [outcome.part(row.part) for outcome in whole if outcome is not None]
    cells: dict[str, dict[str, Interval]] = {
        label: {
            measure.name: _interval([each.scores[measure.name] for each in several], study.same_clusters)
            for measure in study.measures
            if all(measure.name in outcome.scores for outcome in several)
        }
        for label, several in outcomes.items()
    }
    differences = [
        Difference(
            first,
            second,
            measure.name,
            _difference(outcomes[first], outcomes[second], measure.name, study.same_clusters),
        )
        for first, second in study.compare
        if first in cells and second in cells
        for measure in study.measures
        if measure.name in cells[first] and measure.name in cells[second]
    ]
    table = Table(
        title=study.title,
        measures=tuple(m for m in study.measures if any(m.name in columns for columns in cells.values())),
        cells=cells,
        over=_over({label: len(several) for label, several in outcomes.items()}, study.clusters),
        differences=tuple(differences),
        published=tuple(study.published),
        notes=(*study.notes, *(_deviations(study.measures, outcomes) if study.deviations else ())),
    )
    return Found(
        table,
        {curve.name: _curves(curve.name, outcomes) for curve in study.curves},
        tuple(row.label for row in rows if row.reference),
        sum(outcome is None for outcome in known.values()),
        store.made(list(known)),
    )


def _interval(scores: Sequence[Score], same_clusters: bool) -> Interval:
    values = [score.value for score in scores]
    if len(scores) >= SEEDS_FOR_T:
        return seed_interval(values)
    drawn, clusters_n = _resampled([scores], same_clusters)
    return percentile_interval(float(np.mean(values)), drawn[0], clusters_n)


def _difference(
    first: Sequence[Outcome], second: Sequence[Outcome], measure: str, same_clusters: bool
) -> Interval:
    shared = min(len(first), len(second))
    one, other = ([outcome.scores[measure] for outcome in side[:shared]] for side in (first, second))
    values = np.array([[score.value for score in side] for side in (one, other)])
    if shared >= SEEDS_FOR_T:
        return paired_seed_interval(values[0], values[1])
    drawn, clusters_n = _resampled([one, other], same_clusters)
    return percentile_interval(float((values[0] - values[1]).mean()), drawn[0] - drawn[1], clusters_n)


def _resampled(rows: Sequence[Sequence[Score]], same_clusters: bool) -> tuple[NDArray[np.float64], int]:
    """Resample objects, the same draws for every row; `[rows, resamples]`, and how many objects there are.

    Seeds that share their objects share the draws too: what is chance of the objects is not less for two.
    """
    totals, objects = [], []
    for seed, scores in enumerate(zip(*rows, strict=True)):
        sums = np.column_stack([score.mean for score in scores])
        weights = scores[0].count
        objects.append(len(weights))
        # Repeating a row by its weight is what `bootstrap_means` expects; sums and counts say the same.
        drawn = bootstrap_means(
            np.column_stack([sums * weights[:, None], weights]),
            np.arange(len(weights)),
            np.random.default_rng(0 if same_clusters else seed),
        )
        totals.append((drawn[:, :-1] / drawn[:, -1:]).T)
    return np.mean(totals, axis=0), max(objects) if same_clusters else sum(objects)


def _over(seeds: Mapping[str, int], clusters: str) -> str:
    several = {label: count for label, count in seeds.items() if count >= SEEDS_FOR_T}
    few = {label: count for label, count in seeds.items() if count < SEEDS_FOR_T}
    if not few:
        counts = sorted(set(several.values()))
        return f"{' or '.join(map(str, counts))} seeds" if counts else "nothing yet"
    words = [f"{clusters}, {count} seed{'s' if count > 1 else ''}" for count in sorted(set(few.values()))]
    if not several:
        return " or ".join(words)
    named = ", ".join(f"{label} ({count} seed{'s' if count > 1 else ''})" for label, count in few.items())
    return f"{max(several.values())} seeds; over {clusters} for {named}"


def _deviations(measures: Sequence[Measure], outcomes: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Return a sentence for each row of several seeds: how far they lie apart."""
    sentences = []
    for label, several in outcomes.items():
        values = {
            measure: [outcome.scores[measure.name].value for outcome in several]
            for measure in measures
            if len(several) > 1 and all(measure.name in outcome.scores for outcome in several)
        }
        written = [
            f"{measure.heading} {measure.write(float(np.mean(each)))} ± "
            f"{measure.write(float(np.std(each, ddof=1)))}"
            for measure, each in values.items()
        ]
        if written:
            sentences.append(
                f"Mean and standard deviation of {label} over {len(several)} seeds: {', '.join(written)}."
            )
    return sentences


def _curves(
    name: str, outcomes: Mapping[str, Sequence[Outcome]]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    found = {}
    for label, several in outcomes.items():
        drawn = [outcome.curves[name] for outcome in several if name in outcome.curves]
        if drawn:
            x = np.array(drawn[0]["x"], dtype=np.float64)
            found[label] = (x, np.array([curve["y"] for curve in drawn], dtype=np.float64))
    return found
