"""Results: the figures shown are the table's, and bold is earned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handsight.evaluation.intervals import Interval
from handsight.evaluation.table import Difference, Measure, Published, Table, in_words
from handsight.report import table_section
from handsight.report.results import best_row

KNN, ERROR = Measure("kNN"), Measure("error", percent=False, higher_is_better=False, decimals=2)


def cell(mean, half=0.02):
    return Interval(mean, mean - half, mean + half)


def make(differences=(), **fields):
    cells = {
        "random": {"kNN": cell(0.2), "error": cell(1.5)},
        "SimCLR": {"kNN": cell(0.5), "error": cell(1.2)},
        "supervised": {"kNN": cell(0.9)},
    }
    return Table(
        **(
            {
                "title": "Novel",
                "measures": (KNN, ERROR),
                "cells": cells,
                "over": "72 test objects",
                "differences": differences,
            }
            | fields
        )
    )


def told(first, second, measure, low, high):
    return Difference(first, second, measure, Interval((low + high) / 2, low, high))


def test_figures_are_the_table(read):
    page = read(table_section(make(), chance={"kNN": 1 / 24}, counts="72 objects, 864 frames."))
    assert page.rows[:5] == [
        ["Encoder", "kNN (%)", "error, lower is better"],
        ["random", "20.0 18.0 to 22.0", "1.50 1.48 to 1.52"],
        ["SimCLR", "50.0 48.0 to 52.0", "1.20 1.18 to 1.22"],
        ["supervised", "90.0 88.0 to 92.0", "–"],
        ["chance", "4.2", "–"],
    ]
    assert "Small figures: 95 % interval over 72 test objects." in page.text
    assert "72 objects, 864 frames." in page.text
    assert page.count("svg", "plot") == 2
    assert page.count("path", "mark") == 1


def test_dots_lie_in_their_intervals(read):
    page = read(
        table_section(
            make(measures=(KNN,), cells={"a": {"kNN": Interval(0.3, 0.1, 0.4)}, "b": {"kNN": cell(0.6)}})
        )
    )
    dot = float(next(a["cx"] for tag, a in page.tags if tag == "circle"))
    whisker = next(a["d"] for tag, a in page.tags if a.get("class") == "whisker")
    low, high = float(whisker[1:].split()[0]), float(whisker.partition("H")[2])
    assert (dot - low) / (high - low) == pytest.approx(2 / 3, abs=0.01)


def test_sentences_are_in_words_and_the_caution_is_seen(read):
    table = make(tuple(told("SimCLR", "random", "kNN", 0.1 + n / 100, 0.4) for n in range(9)))
    page = read(table_section(table))
    for sentence in in_words(table):
        assert sentence in page.text
    assert "3 more differences" in page.text
    assert page.text.index("none is widened") > page.text.index("3 more differences")


BEST = [
    ((told("SimCLR", "random", "kNN", 0.1, 0.4),), "SimCLR"),
    ((told("random", "SimCLR", "kNN", -0.4, -0.1),), "SimCLR"),
    ((told("SimCLR", "random", "kNN", -0.1, 0.4),), None),
    ((told("SimCLR", "random", "error", 0.1, 0.4),), None),
    ((told("SimCLR", "random", "kNN", -0.4, -0.1),), None),
    ((), None),
]


@pytest.mark.parametrize(("differences", "best"), BEST)
def test_bold_only_where_paired_differences_say_so(read, differences, best):
    table = make(differences)
    assert best_row(table, KNN, ("supervised",)) == best
    page = read(table_section(table, references=("supervised",)))
    assert page.count("strong") == (best is not None)
    assert page.count("em") == 1
    assert best_row(table, KNN) is None  # supervised is on top, and nobody compared it


def test_lower_is_better_turns_it_round():
    table = make((told("SimCLR", "random", "error", -0.4, -0.2),))
    assert best_row(table, ERROR) == "SimCLR"
    assert best_row(make((told("SimCLR", "random", "error", 0.2, 0.4),)), ERROR) is None


def test_one_row_is_not_the_best_and_nothing_is_said_of_bold(read):
    page = read(table_section(make(cells={"a": {"kNN": cell(0.5)}})))
    assert page.count("strong") == 0
    assert "bold" not in page.text.lower()


def test_figures_that_are_no_numbers_are_said(read):
    nan = float("nan")
    cells = {"a": {"kNN": Interval(nan, nan, nan), "error": Interval(1.0, nan, nan)}, "b": {"kNN": cell(0.4)}}
    page = read(table_section(make(cells=cells)))
    assert page.rows[1] == ["a", "not a number", "1.00 no interval"]
    assert "nan" not in "".join(a.get("d", "") + a.get("cx", "") for _, a in page.tags)
    assert best_row(make(cells=cells), KNN) is None


def test_a_table_without_rows(read):
    assert read(table_section(make(cells={}))).rows == [["Encoder", "kNN (%)", "error, lower is better"]]


def test_depths_of_recall_fold_away(read):
    measures = tuple(Measure(f"recall@{k}") for k in (1, 5, 10))
    cells = {"a": {m.name: cell(0.1 * (n + 1)) for n, m in enumerate(measures)}}
    page = read(table_section(make(measures=measures, cells=cells)))
    assert page.rows == [
        ["Encoder", "recall@1 (%)"],
        ["a", "10.0 8.0 to 12.0"],
        ["Encoder", "recall@5 (%)", "recall@10 (%)"],
        ["a", "20.0 18.0 to 22.0", "30.0 28.0 to 32.0"],
    ]
    assert "All other measures" in page.text
    chosen = read(table_section(make(measures=measures, cells=cells), headline=["recall@5"]))
    assert chosen.rows[0] == ["Encoder", "recall@5 (%)"]


def test_published_figures_stand_apart(read):
    published = (Published("SimCLR", "linear", "72.3 %", "MVImgNet", "a paper, table 1"),)
    page = read(table_section(make(published=published)))
    assert page.rows[-1] == ["SimCLR", "linear", "72.3 %", "MVImgNet", "a paper, table 1"]
    assert "they are not compared" in page.text


@given(st.floats(-1, 1), st.floats(0, 1))
def test_any_figure_is_written_as_the_measure_writes_it(mean, half):
    section = table_section(make(measures=(KNN,), cells={"a": {"kNN": cell(mean, half)}}))
    words = [text for part in section.body for text in part.itertext()]
    assert KNN.write(mean) in words
    assert f"{KNN.write(mean - half)} to {KNN.write(mean + half)}" in words
