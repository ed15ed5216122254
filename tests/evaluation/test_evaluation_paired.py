from __future__ import annotations

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.evaluation.intervals import percentile_interval
from handsight.evaluation.paired import check_rows, paired_table, ratio_table
from handsight.evaluation.table import Measure

MEASURES = (Measure("one"), Measure("two"))


def test_differences_are_of_the_same_draws():
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(2000, 2))
    drawn = {"a": shared + 1, "b": shared + generator.normal(size=(2000, 2)) * 0.01}
    figures = {"a": np.array([1.0, 1.0]), "b": np.array([0.0, 0.0])}
    table = paired_table("T", MEASURES, figures, drawn, 12, compare=(("a", "b"),), notes=("N.",))
    assert (table.title, table.over, table.notes) == ("T", "12 objects", ("N.",))
    for column, measure in enumerate(MEASURES):
        assert table.cells["b"][measure.name] == percentile_interval(0.0, drawn["b"][:, column], 12)
        difference = table.differences[column]
        assert (difference.first, difference.second, difference.measure) == ("a", "b", measure.name)
        assert difference.interval.mean == 1
        assert difference.interval.high - difference.interval.low < 0.1
        assert table.cells["a"][measure.name].high - table.cells["a"][measure.name].low > 3


def test_a_ratio_is_of_sums_over_objects():
    errors = {"a": np.array([[1.0, 2], [3, 2], [5, 0]])}
    scale = np.array([[1.0, 4], [1, 4], [2, 4]])
    instance = np.array([0, 0, 1])
    table = ratio_table("T", MEASURES, errors, scale, instance, np.random.default_rng(0), resamples=4000)
    one, two = (table.cells["a"][measure.name] for measure in MEASURES)
    assert one.mean == 9 / 4
    assert two.mean == 4 / 12
    # Object 0 twice, object 1 twice, or both: 4/2, 5/2 or 9/4.
    assert (one.low, one.high) == (2.0, 2.5)
    assert (two.low, two.high) == (0.0, 0.5)


def test_what_makes_no_table_is_refused():
    figures, drawn = {"a": np.zeros(2)}, {"a": np.stack([np.zeros(5), np.full(5, np.nan)], axis=1)}
    with pytest.raises(HandsightError, match="none of 5 resamples of 3 objects leaves two of 'a' defined"):
        paired_table("T", MEASURES, figures, drawn, 3)
    with pytest.raises(HandsightError, match="no rows b to compare; there are a"):
        paired_table("T", MEASURES, figures, drawn, 3, compare=(("a", "b"),))
    with pytest.raises(
        HandsightError, match=r"'a' told the weights by numbers \[2\]; expected finite ones, \[3\]"
    ):
        check_rows({"a": np.zeros(2)}, (3,), "weights")
