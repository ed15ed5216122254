from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from handsight.errors import HandsightError
from handsight.evaluation.intervals import Interval
from handsight.evaluation.seeds import over_seeds
from handsight.evaluation.table import Difference, Measure, Published, Table, in_words

LINEAR, ERROR = Measure("linear probe"), Measure("error", percent=False, higher_is_better=False, decimals=3)


@pytest.fixture
def table() -> Table:
    return Table(
        title="Novel objects",
        measures=(LINEAR, ERROR),
        cells={
            "AA-SimCLR": {
                "linear probe": Interval(0.748, 0.731, 0.765),
                "error": Interval(0.5, 0.41, 0.61),
            },
            "SimCLR-TT": {"linear probe": Interval(0.727, 0.7, 0.75)},
        },
        over="120 objects",
        differences=(Difference("AA-SimCLR", "SimCLR-TT", "linear probe", Interval(0.021, 0.004, 0.038)),),
        published=(Published("AA-SimCLR", "linear probe", "74.8 %", "RT4K", "a paper"),),
        notes=("One note.",),
    )


def test_words_say_what_an_interval_shows(table):
    assert in_words(table) == [
        "AA-SimCLR is above SimCLR-TT on linear probe by 2.1 points "
        "(95 % interval of the difference 0.4 to 3.8)."
    ]


def test_words_say_what_an_interval_does_not_show(table):
    cells = {"a": {"error": Interval(1, 0, 2)}, "b": {"error": Interval(1, 0, 2)}}
    unsure = Difference("a", "b", "error", Interval(0.01, -0.011, 0.02, level=0.9))
    below = Difference("a", "b", "error", Interval(-0.03, -0.05, -0.01))
    said = in_words(replace(table, cells=cells, differences=(unsure, below), published=()))
    assert said == [
        "The 90 % interval (−0.011 to 0.020) does not tell a from b on error.",
        "a is below b on error by 0.030 (95 % interval of the difference −0.050 to −0.010), "
        "lower being better.",
        "Each interval is over 120 objects and stands alone: none is widened for the 2 comparisons made.",
    ]


def test_json_gives_the_same_table_back(table):
    assert Table.from_json(table.to_json()) == table


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"title": 3, "measures": [{"nme": 1}]}'])
def test_other_json_is_refused(text):
    with pytest.raises(HandsightError, match="not a table of results"):
        Table.from_json(text)


def test_markdown(table):
    assert table.to_markdown().splitlines() == [
        "|  | linear probe (%) | error | published: linear probe, RT4K |",
        "| --- | ---: | ---: | ---: |",
        "| AA-SimCLR | 74.8 [73.1, 76.5] | 0.500 [0.410, 0.610] | 74.8 % (a paper) |",
        "| SimCLR-TT | 72.7 [70.0, 75.0] | – | – |",
    ]


def test_csv_keeps_every_digit(table):
    odd = replace(table, cells={'a, "b"': {"error": Interval(1 / 3, 0.1, 0.7)}}, differences=(), published=())
    rows = list(csv.DictReader(io.StringIO(odd.to_csv())))
    assert rows[0]["row"] == 'a, "b"'
    assert float(rows[0]["mean"]) == 1 / 3
    assert len(list(csv.DictReader(io.StringIO(table.to_csv())))) == 3


def test_small_negatives_are_not_minus_zero():
    assert LINEAR.write(-0.0001) == "0.0"
    assert LINEAR.write(-0.001) == "−0.1"


def test_unknown_rows_and_measures_are_refused(table):
    with pytest.raises(
        HandsightError, match="row 'MoCo', measure 'linear probe'; it has rows AA-SimCLR, SimCLR-TT"
    ):
        replace(table, differences=(Difference("MoCo", "SimCLR-TT", "linear probe", Interval(0, 0, 0)),))
    with pytest.raises(HandsightError, match="measure 'kNN'"):
        replace(table, cells={"a": {"kNN": Interval(0, 0, 0)}}, differences=())
    with pytest.raises(HandsightError, match="no measure 'kNN'"):
        table.measure("kNN")


def seed_table(figures: dict[str, float]) -> Table:
    cells = {row: {"linear probe": Interval(mean, mean - 0.1, mean + 0.1)} for row, mean in figures.items()}
    return Table("t", (LINEAR,), cells, "objects")


def test_over_seeds_is_students_interval_and_paired_by_seed():
    first, second = np.array([0.5, 0.6, 0.7]), np.array([0.45, 0.56, 0.64])
    tables = [seed_table({"a": a, "b": b}) for a, b in zip(first, second, strict=True)]
    together = over_seeds(tables, [("a", "b")])
    assert together.over == "3 seeds"
    assert together.cells["a"]["linear probe"].mean == pytest.approx(0.6)
    expected = stats.ttest_rel(first, second).confidence_interval()
    difference = together.differences[0].interval
    assert (difference.low, difference.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    cell = together.cells["a"]["linear probe"]
    assert difference.high - difference.low < 0.2 * (cell.high - cell.low)


def test_over_seeds_refuses_one_seed_and_different_experiments():
    one = seed_table({"a": 0.5})
    with pytest.raises(HandsightError, match="got 1 table; expected at least 2"):
        over_seeds([one])
    with pytest.raises(HandsightError, match="table 2 of 2 has other rows or measures"):
        over_seeds([one, seed_table({"b": 0.5})])
    with pytest.raises(HandsightError, match="no rows c to compare; there are a"):
        over_seeds([one, one], [("a", "c")])
