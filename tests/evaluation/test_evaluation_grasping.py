from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from handsight.errors import HandsightError
from handsight.evaluation import GraspBenchmark, bootstrap_interval, grasp_benchmark
from handsight.evaluation.grasping import CONTROLS, GUESS, MAJORITY, precision_recall


def grasps(
    seed: int, count: int = 200, levels: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-odds that know something, outcomes of which few hold, and 20 objects; with equals where levels."""
    generator = np.random.default_rng(seed)
    success = generator.random(count) < 0.25
    success[:2] = True, False
    log_odds = generator.normal(size=count) + success
    if levels is not None:
        log_odds = np.round(log_odds * levels) / levels
    return log_odds, success, generator.integers(0, 20, count)


def run(rows: dict, success: np.ndarray, instance: np.ndarray, **settings) -> GraspBenchmark:
    return grasp_benchmark(
        rows, success, instance, np.random.default_rng(0), **({"resamples": 400} | settings)
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 1, 3]), st.integers(4, 60))
def test_figures_and_curves_agree_with_scikit_learn(seed, levels, count):
    log_odds, success, instance = grasps(seed, count, levels)
    instance[:2] = 0, 1
    found = run({"a": log_odds}, success, instance, resamples=60)
    cells = {name: interval.mean for name, interval in found.table.cells["a"].items()}
    assert cells["balanced accuracy"] == pytest.approx(metrics.balanced_accuracy_score(success, log_odds > 0))
    assert cells["accuracy"] == pytest.approx(metrics.accuracy_score(success, log_odds > 0))
    average = metrics.average_precision_score(success, log_odds)
    assert cells["average precision"] == pytest.approx(average)
    curve = found.curves["a"]
    assert curve.average_precision == pytest.approx(average)
    precision, recall, threshold = metrics.precision_recall_curve(success, log_odds)
    np.testing.assert_allclose(curve.threshold, threshold[::-1])
    np.testing.assert_allclose(curve.precision, precision[-2::-1])
    np.testing.assert_allclose(curve.recall, recall[-2::-1])


def test_intervals_draw_objects_and_agree_with_scikit_learns_weights():
    log_odds, success, instance = grasps(1, 120, 2)
    objects, place = np.unique(instance, return_inverse=True)
    generator = np.random.default_rng(5)
    drawn = []
    for _ in range(1000):
        counts = np.bincount(generator.integers(0, len(objects), len(objects)), minlength=len(objects))
        weight = counts[place]
        balanced = metrics.balanced_accuracy_score(success, log_odds > 0, sample_weight=weight)
        drawn.append((balanced, metrics.average_precision_score(success, log_odds, sample_weight=weight)))
    found = run({"a": log_odds}, success, instance, resamples=6000).table.cells["a"]
    for column, name in enumerate(("balanced accuracy", "average precision")):
        low, high = np.quantile([row[column] for row in drawn], (0.025, 0.975))
        # Ours are widened for 20 objects, by less than a tenth on either side.
        width = high - low
        assert low - 0.16 * width < found[name].low < low + 0.08 * width
        assert high - 0.08 * width < found[name].high < high + 0.16 * width
    right = ((log_odds > 0) == success).astype(float)
    plain = bootstrap_interval(right, instance, np.random.default_rng(3), resamples=6000)
    assert found["accuracy"].mean == plain.mean
    assert found["accuracy"].low == pytest.approx(plain.low, abs=0.01)
    assert found["accuracy"].high == pytest.approx(plain.high, abs=0.01)


def test_controls_stand_beside_and_know_nothing():
    log_odds, success, instance = grasps(2)
    found = run({"a": log_odds}, success, instance, compare=(("a", MAJORITY), ("a", GUESS)))
    table, share = found.table, success.mean()
    assert table.rows == ("a", *CONTROLS)
    for row in CONTROLS:
        assert table.cells[row]["balanced accuracy"].mean == 0.5
        assert table.cells[row]["average precision"].mean == pytest.approx(share)
    assert table.cells[MAJORITY]["accuracy"].mean == pytest.approx(1 - share)
    guess = table.cells[GUESS]["accuracy"]
    assert (guess.low, guess.mean, guess.high) == (0.5, 0.5, 0.5)
    draws = np.random.default_rng(0).normal(size=(300, len(success)))
    scores = [metrics.average_precision_score(success, draw) for draw in draws]
    assert np.mean(scores) == pytest.approx(share, abs=0.03)  # what a guess is expected to have
    # Paired: balanced accuracy less a constant one half has an interval as wide as its own.
    own = table.cells["a"]["balanced accuracy"]
    difference = next(d for d in table.differences if (d.second, d.measure) == (GUESS, "balanced accuracy"))
    assert difference.interval.high - difference.interval.low == pytest.approx(own.high - own.low)
    assert list(found.curves) == ["a"]
    assert f"{success.sum()} of the 200 grasps held." in table.notes
    mostly = run({"a": -log_odds}, ~success, instance)
    assert mostly.table.cells[MAJORITY]["accuracy"].mean == pytest.approx(1 - share)


def test_order_scale_and_a_second_row_change_nothing():
    log_odds, success, instance = grasps(3)
    alone = run({"a": log_odds}, success, instance).table
    both = run({"b": -log_odds, "a": log_odds}, success, instance, compare=(("a", "b"),)).table
    assert both.cells["a"] == alone.cells["a"]
    scaled = run({"a": log_odds * 7}, success, instance).table
    assert scaled.cells["a"] == alone.cells["a"]
    order = np.random.default_rng(0).permutation(len(success))
    shuffled = run({"a": log_odds[order]}, success[order], instance[order]).table
    for name, interval in alone.cells["a"].items():
        assert shuffled.cells["a"][name].low == pytest.approx(interval.low)
    assert {d.measure for d in both.differences} == {m.name for m in both.measures}
    certain = run({"a": np.where(success, 5.0, -5.0)}, success, instance).table.cells["a"]
    assert all((i.low, i.mean, i.high) == (1, 1, 1) for i in certain.values())


def test_objects_that_all_fail_leave_a_resample_out_where_nothing_is_to_be_said():
    """One object in four has all the successes: resamples without it have no balanced accuracy."""
    log_odds, success = np.array([1.0, -1, -1, -1, -1, 2]), np.array([1, 0, 0, 0, 0, 0])
    table = run({"a": log_odds}, success, np.array([0, 0, 1, 1, 2, 3]), resamples=2000).table
    for interval in table.cells["a"].values():
        assert 0 <= interval.low <= interval.mean <= interval.high <= 1


@pytest.mark.parametrize(
    ("rows", "success", "instance", "message"),
    [
        (
            {"a": np.zeros(3)},
            [0, 1],
            [0, 1],
            r"'a' told the grasps by numbers \[3\]; expected finite ones, \[2\]",
        ),
        ({"a": np.array([0, np.nan])}, [0, 1], [0, 1], "expected finite ones"),
        ({}, [0, 1], [0, 1], "no row told the grasps; expected at least one"),
        ({"a": np.zeros(2)}, [0, 2], [0, 1], r"outcomes of grasps are int64 \[2\]; expected true or false"),
        (
            {"a": np.zeros(2)},
            [1, 1],
            [0, 1],
            "2 of 2 grasps held; expected some that did and some that did not",
        ),
        ({"a": np.zeros(2)}, [0, 1], [0], r"2 grasps came with \[1\] objects; expected one each"),
        ({"a": np.zeros(2)}, [0, 1], [4, 4], "over 1 objects or episodes; expected at least 2"),
        ({GUESS: np.zeros(2)}, [0, 1], [0, 1], "a row is called 'random guess', as a control is"),
    ],
)
def test_what_cannot_be_judged_is_refused(rows, success, instance, message):
    with pytest.raises(HandsightError, match=message):
        run(rows, np.array(success), np.array(instance))


def test_a_row_that_there_is_not_cannot_be_compared_and_a_curve_needs_both_outcomes():
    log_odds, success, instance = grasps(0)
    with pytest.raises(HandsightError, match=r"no rows c to compare; there are a, always the more frequent"):
        run({"a": log_odds}, success, instance, compare=(("a", "c"),))
    with pytest.raises(HandsightError, match="0 of 2 grasps held"):
        precision_recall(np.zeros(2), np.zeros(2))
