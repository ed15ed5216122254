from __future__ import annotations

import math

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.evaluation import bootstrap_interval, poke_table, push_errors, push_table
from handsight.evaluation.pushing import MEAN, POKE_MEASURES, PUSH_MEASURES
from handsight.evaluation.table import Table


def pushes(seed: int, count: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What was done, what was told of it, and 8 objects."""
    generator = np.random.default_rng(seed)
    done = np.column_stack([generator.random((count, 4)), generator.uniform(0.004, 0.025, count)])
    return done, done + 0.05 * generator.normal(size=done.shape), generator.integers(0, 8, count)


@pytest.mark.parametrize("picture_m", [0.8, (0.8, 0.5)])
def test_errors_agree_with_points_one_by_one(picture_m):
    done, told, _ = pushes(0)
    errors = push_errors(told, done, picture_m)
    wide, high = picture_m if isinstance(picture_m, tuple) else (picture_m, picture_m)
    for row, (a, b) in enumerate(zip(done.tolist(), told.tolist(), strict=True)):
        assert errors.start_m[row] == pytest.approx(math.hypot((a[0] - b[0]) * wide, (a[1] - b[1]) * high))
        assert errors.end_m[row] == pytest.approx(math.hypot((a[2] - b[2]) * wide, (a[3] - b[3]) * high))
        first, second = (math.degrees(math.atan2((p[3] - p[1]) * high, (p[2] - p[0]) * wide)) for p in (a, b))
        wrapped = min(abs(first - second), 360 - abs(first - second))
        assert errors.angle_deg[row] == pytest.approx(wrapped, abs=1e-9)
        assert errors.height_m[row] == pytest.approx(abs(a[4] - b[4]))
    np.testing.assert_array_equal(errors.stacked()[:, 2], errors.angle_deg)
    assert errors.stacked().shape == (40, len(PUSH_MEASURES))


@pytest.mark.parametrize(
    ("done_deg", "told_deg", "wanted"),
    [(10, 350, 20), (179, -179, 2), (0, 180, 180), (-170, 170, 20), (90, 90, 0), (45, 45 + 1e-6, 1e-6)],
)
def test_directions_wrap(done_deg, told_deg, wanted):
    def push(degrees: float) -> np.ndarray:
        way = 0.2 * np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
        return np.array([[0.5, 0.5, *(0.5 + way), 0.01]])

    found = push_errors(push(told_deg), push(done_deg), 0.7).angle_deg[0]
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_turning_moving_and_mirroring_both_leave_errors_as_they_are():
    done, told, _ = pushes(1)
    errors = push_errors(told, done, 1.0).stacked()
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    for points in (lambda p: p @ turn, lambda p: p + np.array([0.3, -1]), lambda p: p * [-1, 1]):
        moved = [
            np.concatenate([points(push[:, :2]), points(push[:, 2:4]), push[:, 4:]], axis=1)
            for push in (done, told)
        ]
        np.testing.assert_allclose(push_errors(moved[1], moved[0], 1.0).stacked(), errors, atol=1e-9)
    larger = push_errors(told, done, 3.0)
    np.testing.assert_allclose(larger.start_m, 3 * errors[:, 0])
    np.testing.assert_allclose(larger.angle_deg, errors[:, 2], atol=1e-9)


def test_a_push_told_to_go_nowhere_is_as_a_guess():
    done, told, _ = pushes(2)
    told[3, 2:4] = told[3, :2]
    assert push_errors(told, done, 1.0).angle_deg[3] == 90


def run_pushes(rows: dict, done: np.ndarray, instance: np.ndarray, **settings) -> Table:
    mean = settings.pop("mean", np.full(5, 0.4))
    arguments = (rows, done, mean, instance, np.random.default_rng(0))
    return push_table(*arguments, **({"picture_m": 0.8, "resamples": 500} | settings))


def test_a_table_has_means_intervals_over_objects_and_the_control():
    done, told, instance = pushes(3)
    table = run_pushes({"a": told, "b": done}, done, instance, compare=(("a", MEAN), ("a", "b")))
    assert table.rows == ("a", "b", MEAN)
    assert table.over == "8 objects"
    errors = push_errors(told, done, 0.8).stacked()
    for column, measure in enumerate(PUSH_MEASURES):
        found = table.cells["a"][measure.name]
        plain = bootstrap_interval(errors[:, column], instance, np.random.default_rng(4), resamples=4000)
        assert found.mean == pytest.approx(plain.mean)
        assert found.low == pytest.approx(plain.low, abs=0.15 * (plain.high - plain.low))
        assert found.high == pytest.approx(plain.high, abs=0.15 * (plain.high - plain.low))
        exact = table.cells["b"][measure.name]
        assert (exact.low, exact.mean, exact.high) == (0, 0, 0)
        nothing = push_errors(np.broadcast_to(np.full(5, 0.4), done.shape), done, 0.8).stacked()
        assert table.cells[MEAN][measure.name].mean == pytest.approx(nothing[:, column].mean())
    paired = {(d.second, d.measure): d.interval for d in table.differences}
    own = table.cells["a"]["end error (m)"]  # less an exact row: the same draws give the same interval
    assert paired["b", "end error (m)"].low == pytest.approx(own.low)
    assert "start error (m)" in table.to_markdown()


def test_pokes_are_measured_in_errors_of_the_training_mean():
    generator = np.random.default_rng(5)
    measured = generator.normal(size=(30, 2)) * [900.0, 0.02] + [3000.0, 0.1]
    mean = np.array([2900.0, 0.11])
    instance = np.arange(30) % 6
    halfway = (measured + mean) / 2
    table = poke_table(
        *({"half": halfway, "same": np.broadcast_to(mean, (30, 2))}, measured, mean, instance, generator),
        compare=(("half", MEAN),),
        resamples=300,
    )
    for measure in POKE_MEASURES:
        half, same = table.cells["half"][measure.name], table.cells["same"][measure.name]
        assert (half.low, half.mean, half.high) == pytest.approx((0.5, 0.5, 0.5))
        assert same == table.cells[MEAN][measure.name]
        assert (same.low, same.mean, same.high) == (1, 1, 1)
    told = measured + generator.normal(size=measured.shape) * [300.0, 0.03]
    found = poke_table({"a": told}, measured, mean, instance, generator, resamples=300).cells["a"]
    for column, measure in enumerate(POKE_MEASURES):
        wanted = np.abs(told - measured)[:, column].mean() / np.abs(mean - measured)[:, column].mean()
        assert found[measure.name].mean == pytest.approx(wanted)
        assert found[measure.name].low < wanted < found[measure.name].high


def test_pushes_that_cannot_be_compared_are_refused():
    done, told, _ = pushes(6, 4)
    with pytest.raises(HandsightError, match=r"'this row' told the pushes by numbers \[3, 5\]; .* \[4, 5\]"):
        push_errors(told[:3], done, 1.0)
    with pytest.raises(HandsightError, match=r"pushes that were done came as \[4, 4\]; expected .* \[N, 5\]"):
        push_errors(told, done[:, :4], 1.0)
    for picture_m in (0.0, (0.5, float("nan"))):
        with pytest.raises(HandsightError, match="expected a width and a height above 0"):
            push_errors(told, done, picture_m)
    still = done.copy()
    still[2, 2:4] = still[2, :2]
    with pytest.raises(HandsightError, match=r"1 of 4 pushes end where they began \(the first is row 2\)"):
        push_errors(told, still, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": {}}, "no row told the pushes"),
        ({"rows": {MEAN: None}}, "a row is called 'training mean', as the control is"),
        (
            {"mean": np.zeros(4)},
            r"'training mean' told the pushes by numbers \[4\]; expected finite ones, \[5\]",
        ),
        ({"instance": np.zeros(3, np.int64)}, r"4 pushes came with \[3\] objects; expected one each"),
        ({"instance": np.zeros(4, np.int64)}, "over 1 objects or episodes; expected at least 2"),
        ({"compare": (("a", "z"),)}, "no rows z to compare; there are a, training mean"),
    ],
)
def test_tables_of_pushes_that_cannot_be_are_refused(change, message):
    done, told, instance = pushes(7, 4)
    instance[:2] = 0, 1
    rows = {name: told for name in change.pop("rows", {"a": 0})}
    with pytest.raises(HandsightError, match=message):
        run_pushes(rows, done, change.pop("instance", instance), **change)


def test_pokes_that_are_all_alike_are_refused():
    measured = np.ones((4, 2))
    with pytest.raises(
        HandsightError, match="the training mean tells the slope or the intercept of every poke"
    ):
        poke_table({"a": measured}, measured, np.ones(2), np.arange(4), np.random.default_rng(0))
    with pytest.raises(HandsightError, match=r"pokes that were done came as \[0, 2\]"):
        poke_table({"a": measured}, measured[:0], np.ones(2), np.arange(4), np.random.default_rng(0))
