"""Curves: the lines are the log."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handsight.report import curves_section
from handsight.report.curves import last_figures, thinned
from handsight.report.plots import axis, short

LOG = [
    {"step": 0, "contrast": 4.0, "action": 1.0, "learning_rate": 1e-3, "seconds": 1.0},
    {"step": 1, "contrast": 3.0, "action": 0.5, "learning_rate": 5e-4, "seconds": 2.0},
    {"step": 1, "knn_accuracy": 0.61, "effective_rank": 12.5, "feature_deviation": 0.9},
]


def test_every_logged_key_has_a_panel_and_its_last_figure(read):
    page = read(curves_section({"aa": LOG}))
    assert page.count("svg", "plot") == 6
    heading, row = page.rows
    figures = dict(zip(heading, row, strict=True))
    assert figures["Run"] == "aa"
    assert figures["Loss: contrast"] == "3"
    assert figures["Loss: action"] == "0.5"
    assert figures["Nearest neighbours, accuracy on validation objects (%)"] == "61.0"
    assert figures["Effective rank of the embeddings"] == "12.5"
    assert figures["Learning rate"] == "0.0005"
    assert page.count("ul", "legend") == 0


def test_runs_share_panels_and_a_legend(read):
    page = read(curves_section({"aa": LOG, "simclr": [{"step": 0, "contrast": 5.0}]}))
    assert page.count("svg", "plot") == 6
    assert page.count("ul", "legend") == 1
    assert page.rows[2] == ["simclr", "5", *["–"] * 5]
    dashes = {a["stroke-dasharray"] for tag, a in page.tags if a.get("class") == "line"}
    assert len(dashes) == 2  # told apart without colour


def test_lines_lie_where_the_values_are(read):
    log = [{"step": step, "loss": value} for step, value in enumerate([0.0, 1.0, 0.5])]
    page = read(curves_section({"a": log}))
    line = next(a["d"] for tag, a in page.tags if a.get("class") == "line")
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, p.split())) for p in re.split("[ML]", line)[1:]]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 > y2 > y1  # up is less in a drawing
    assert (y0 - y2) == pytest.approx((y0 - y1) / 2, abs=0.11)


def test_values_that_are_no_numbers_leave_a_gap(read):
    values = [1.0, float("nan"), 2.0, 3.0, float("inf")]
    page = read(
        curves_section({"a": [{"step": n, "loss": v, "note": "x", "on": True} for n, v in enumerate(values)]})
    )
    line = next(a["d"] for tag, a in page.tags if a.get("class") == "line")
    assert (line.count("M"), line.count("L")) == (2, 1)
    assert "nan" not in line
    assert page.rows[1] == ["a", "not a number"]
    assert page.count("svg", "plot") == 1


@pytest.mark.parametrize(
    "runs", [{}, {"a": []}, {"a": [{"loss": 1.0}]}, {"a": [{"step": 3, "seconds": 1.0}]}]
)
def test_nothing_logged_is_said(read, runs):
    assert "Nothing was logged yet." in read(curves_section(runs)).text


@pytest.mark.parametrize("value", [0.0, -3.5, 1e300, 1e-300, float("nan")])
def test_one_point_is_a_dot(read, value):
    page = read(curves_section({"a": [{"step": 0, "loss": value}]}))
    assert page.count("circle") == (value == value)


def test_last_figures_are_the_last_finite_ones():
    log = [{"step": 0, "knn_accuracy": 0.4}, {"step": 5, "knn_accuracy": float("nan")}]
    assert last_figures(log) == {"knn_accuracy": 0.4}


@given(st.integers(1, 2000))
def test_thinning_keeps_the_mean_and_the_short_lines(count):
    x, y = np.arange(count, dtype=float), np.random.default_rng(count).normal(size=count)
    few_x, few_y = thinned(x, y, 50)
    assert len(few_x) == min(count, 50)
    if count <= 50 or count % 50 == 0:
        assert few_y.mean() == pytest.approx(y.mean())
    assert (np.diff(few_x) > 0).all()


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20))
def test_an_axis_holds_its_values_and_round_ticks(values):
    scale = axis(values, 0, 100)
    for value in values:
        assert -1e-6 <= scale.place(value) <= 100 + 1e-6
    ticks = scale.ticks()
    assert ticks == sorted(ticks)
    assert all(-1e-3 <= scale.place(tick) <= 100.001 for tick in ticks)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12000, "12k"),
        (2.5e6, "2.5M"),
        (-3, "−3"),
        (0.0005, "0.0005"),
        (2e-5, "2e−5"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_numbers_of_an_axis(value, text):
    assert short(value) == text
