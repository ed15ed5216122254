"""Tables of studies: seeds paired, objects resampled where seeds are few, missing cells said."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from handsight.evaluation import Measure
from handsight.studies.cells import CellStore, Outcome, Score
from handsight.studies.study import Curve, Row, Study, gather

MADE = {"torch": "2", "processor": "x"}


def study(seeds: int) -> Study:
    def rows(scale):
        return [Row(label, "e", {"row": label}, seeds, label == "c") for label in ("a", "b", "c")]

    return Study(
        "p/t", "Title", "Question?", rows, (Measure("s"), Measure("never")), (("a", "b"), ("a", "gone")),
        curves=(Curve("k", "x", "y"),),
    )  # fmt: skip


def keep(store: CellStore, row: Row, seed: int, means: list[float], curve: list[float] | None = None) -> None:
    curves = {} if curve is None else {"k": {"x": [0, 1], "y": curve}}
    store.put(
        row.cells[seed], Outcome({"s": Score(np.array(means), np.ones(len(means)))}, curves), 36.0, MADE
    )


def test_three_seeds_give_student_t_paired_by_seed(tmp_path):
    store, one = CellStore(tmp_path), study(3)
    rows = one.rows_at("small")
    a, b = [0.5, 0.6, 0.8], [0.4, 0.55, 0.6]
    for seed in range(3):
        keep(store, rows[0], seed, [a[seed], a[seed]], [seed, 1])
        keep(store, rows[1], seed, [b[seed]])
    found = gather(one, rows, store)
    assert found.table.rows == ("a", "b")
    assert found.missing == 3
    assert found.references == ("c",)
    assert [m.name for m in found.table.measures] == ["s"]
    expected = stats.t.interval(0.95, 2, np.mean(a), stats.sem(a))
    interval = found.table.cells["a"]["s"]
    assert (interval.low, interval.high) == pytest.approx(expected)
    (difference,) = found.table.differences
    gap = np.subtract(a, b)
    assert difference.interval.mean == pytest.approx(gap.mean())
    assert difference.interval.low == pytest.approx(stats.t.interval(0.95, 2, gap.mean(), stats.sem(gap))[0])
    assert found.table.over == "3 seeds"
    x, y = found.curves["k"]["a"]
    assert x.tolist() == [0, 1]
    assert y.mean(axis=0).tolist() == [1, 1]
    assert found.made["cells"] == 9
    assert found.made["core-hours"] == "0.06 in 6 cells"


def test_one_seed_resamples_objects_and_pairs_them(tmp_path):
    store, one = CellStore(tmp_path), study(1)
    rows = one.rows_at("small")
    generator = np.random.default_rng(0)
    means = generator.uniform(0, 1, 60)
    keep(store, rows[0], 0, (means + 0.1).tolist())
    keep(store, rows[1], 0, means.tolist())
    found = gather(one, rows, store)
    interval = found.table.cells["b"]["s"]
    half = stats.t.ppf(0.975, 59) * stats.sem(means)
    assert interval.mean == pytest.approx(means.mean(), abs=1e-5)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.1)
    (difference,) = found.table.differences
    # Every object gained the same: paired, nothing is left to chance.
    assert (difference.interval.low, difference.interval.high) == pytest.approx((0.1, 0.1), abs=1e-5)
    assert found.table.over == "test objects, 1 seed"


def test_two_seeds_on_the_same_objects_are_no_surer_of_them_than_one(tmp_path):
    store, means = CellStore(tmp_path), np.random.default_rng(0).uniform(0, 1, 60)
    own = study(2)
    rows = own.rows_at("small")
    for seed in range(2):
        keep(store, rows[0], seed, (means + 0.2 * means**2).tolist())
        keep(store, rows[1], seed, means.tolist())
    shared = replace(own, same_clusters=True)
    half = stats.t.ppf(0.975, 59) * stats.sem(means)
    gap = 0.2 * means**2
    for one, narrower in ((shared, 1), (own, np.sqrt(2))):
        table = gather(one, rows, store).table
        interval, difference = table.cells["b"]["s"], table.differences[0].interval
        assert interval.high - interval.low == pytest.approx(2 * half / narrower, rel=0.1)
        wide = 2 * stats.t.ppf(0.975, 59) * stats.sem(gap) / narrower
        assert difference.high - difference.low == pytest.approx(wide, rel=0.1)
        assert interval.mean == pytest.approx(means.mean(), abs=1e-5)


def test_how_far_seeds_lie_apart_is_said_where_that_is_the_question(tmp_path):
    store, one = CellStore(tmp_path), replace(study(3), deviations=True)
    rows = one.rows_at("small")
    for seed, value in enumerate((0.1, 0.2, 0.6)):
        keep(store, rows[0], seed, [value, value])
    keep(store, rows[1], 0, [0.5, 0.5])
    (said,) = gather(one, rows, store).table.notes
    deviation = 100 * np.std([0.1, 0.2, 0.6], ddof=1)
    assert said == f"Mean and standard deviation of a over 3 seeds: s (%) 30.0 ± {deviation:.1f}."


def test_a_row_with_a_gap_stands_on_the_seeds_before_it(tmp_path):
    store, one = CellStore(tmp_path), study(3)
    rows = one.rows_at("small")
    keep(store, rows[0], 0, [0.2, 0.4])
    keep(store, rows[0], 2, [0.9, 0.9])
    found = gather(one, rows, store)
    assert found.table.cells["a"]["s"].mean == pytest.approx(0.3)
    assert found.missing == 7


def test_fewer_seeds_may_be_asked_for():
    assert [row.seeds for row in study(5).rows_at("small", 2)] == [2, 2, 2]
    assert [row.seeds for row in study(1).rows_at("small", 2)] == [1, 1, 1]


def test_rows_of_few_seeds_are_marked_beside_rows_of_many(tmp_path):
    store, one = CellStore(tmp_path), study(3)
    rows = one.rows_at("small")
    for seed in range(3):
        keep(store, rows[0], seed, [0.1 * seed, 0.5])
    keep(store, rows[1], 0, [0.3, 0.4])
    assert gather(one, rows, store).table.over == "3 seeds; over test objects for b (1 seed)"
