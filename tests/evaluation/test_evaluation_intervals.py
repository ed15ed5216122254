from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from handsight.errors import HandsightError
from handsight.evaluation import intervals
from handsight.evaluation.intervals import (
    Interval,
    bootstrap_interval,
    bootstrap_means,
    expanded_tails,
    paired_bootstrap_interval,
    paired_seed_interval,
    percentile_interval,
    resampled_sums,
    seed_interval,
)


def clustered(
    generator: np.random.Generator, clusters_n: int, frames_n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Frames whose values share their cluster's own offset; the true mean is 0."""
    clusters = np.repeat(np.arange(clusters_n), frames_n)
    return generator.normal(size=clusters_n)[clusters] + 0.3 * generator.normal(size=len(clusters)), clusters


def test_one_frame_per_cluster_agrees_with_scipy():
    values = np.random.default_rng(0).exponential(size=40)
    ours = bootstrap_interval(values, np.arange(40), np.random.default_rng(1), resamples=20_000)
    low, high = expanded_tails(40)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        confidence_level=high - low,
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.mean == values.mean()
    assert ours.low == pytest.approx(theirs.low, abs=0.03 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.03 * width)


def test_clusters_of_unequal_size_are_a_ratio_of_sums():
    clusters = np.array([7, 7, 7, 3])
    values = np.array([1.0, 1.0, 0.0, 0.0])
    drawn = bootstrap_means(values[:, None], clusters, np.random.default_rng(0), 4000)[:, 0]
    # Both clusters twice, or one of each: 0, 2/3, (2 + 0) / 4.
    figures, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_allclose(figures, [0, 0.5, 2 / 3])
    np.testing.assert_allclose(counts / 4000, [0.25, 0.5, 0.25], atol=0.03)


def test_coverage_over_objects_where_frames_alone_would_deceive():
    generator = np.random.default_rng(3)
    held, held_by_frames, runs_n = 0, 0, 300
    for _ in range(runs_n):
        values, clusters = clustered(generator, 12, 10)
        interval = bootstrap_interval(values, clusters, generator, resamples=1000)
        held += interval.low <= 0 <= interval.high
        naive = bootstrap_interval(values, np.arange(len(values)), generator, resamples=300)
        held_by_frames += naive.low <= 0 <= naive.high
    assert 0.91 <= held / runs_n <= 0.98
    assert held_by_frames / runs_n < 0.7


def test_few_clusters_get_an_interval_about_as_wide_as_students():
    widths = []
    for seed in range(40):
        values = np.random.default_rng(seed).normal(size=6)
        ours = bootstrap_interval(values, np.arange(6), np.random.default_rng(seed), resamples=20_000)
        student = seed_interval(values)
        widths.append((ours.high - ours.low) / (student.high - student.low))
    assert 0.85 < np.mean(widths) < 1.1


def test_paired_is_narrower_than_unpaired_and_its_mean_is_the_difference():
    generator = np.random.default_rng(4)
    shared, clusters = clustered(generator, 30, 5)
    first = shared + 0.2 + 0.1 * generator.normal(size=len(shared))
    paired = paired_bootstrap_interval(first, shared, clusters, generator)
    alone = [bootstrap_interval(values, clusters, generator) for values in (first, shared)]
    assert paired.mean == pytest.approx(first.mean() - shared.mean())
    assert paired.excludes_zero
    assert paired.high - paired.low < 0.3 * min(one.high - one.low for one in alone)


def test_same_generator_same_interval_and_chunks_change_nothing(monkeypatch):
    values, clusters = clustered(np.random.default_rng(5), 20, 3)
    whole = bootstrap_interval(values, clusters, np.random.default_rng(6), resamples=999)
    assert bootstrap_interval(values, clusters, np.random.default_rng(6), resamples=999) == whole
    assert bootstrap_interval(values, clusters, np.random.default_rng(7), resamples=999) != whole
    monkeypatch.setattr(intervals, "_CHUNK", 100)
    chunked = bootstrap_interval(values, clusters, np.random.default_rng(6), resamples=999)
    assert chunked.low == pytest.approx(whole.low, rel=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.integers(0, 2**32 - 1))
def test_intervals_lie_within_the_values_and_hold_their_mean(values, seed):
    array = np.array(values)
    interval = bootstrap_interval(array, np.arange(len(array)), np.random.default_rng(seed), resamples=200)
    slack = 1e-9 * max(1, np.abs(array).max())
    assert array.min() - slack <= interval.low <= interval.high <= array.max() + slack


def test_columns_share_their_draws():
    sums = np.random.default_rng(8).normal(size=(9, 1)) * [1.0, 2.0]
    drawn = resampled_sums(sums, np.random.default_rng(0), 50)
    np.testing.assert_allclose(drawn[:, 1], 2 * drawn[:, 0])
    assert drawn[:, 0].std() > 0


def test_undefined_resamples_are_passed_over():
    drawn = np.array([np.nan, 1.0, 2.0, np.nan, 3.0])
    interval = percentile_interval(2.0, drawn, 1000)
    assert 1.0 <= interval.low < interval.high <= 3.0


def test_seed_interval_by_hand():
    # mean 3, standard deviation 1, t with 2 degrees of freedom 4.302653
    interval = seed_interval([2.0, 3.0, 4.0])
    assert (interval.mean, interval.low) == (3.0, pytest.approx(3 - 4.302653 / np.sqrt(3), abs=1e-6))
    paired = paired_seed_interval([2.0, 3.0, 4.0], [1.0, 2.1, 2.9])
    expected = stats.ttest_rel([2.0, 3.0, 4.0], [1.0, 2.1, 2.9]).confidence_interval()
    assert (paired.low, paired.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert paired.excludes_zero


def test_excludes_zero():
    assert Interval(1, 0.1, 2).excludes_zero
    assert Interval(-1, -2, -0.1).excludes_zero
    assert not Interval(0, 0, 0).excludes_zero


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda g: bootstrap_interval([1.0, 2.0], np.zeros(2, np.int64), g),
            "over 1 objects or episodes; expected at least 2",
        ),
        (
            lambda g: bootstrap_interval([1.0, np.nan], np.arange(2), g),
            "expected one object per value, and finite",
        ),
        (lambda g: bootstrap_interval([1.0], np.arange(2), g), "1 values came with 2 objects"),
        (
            lambda g: paired_bootstrap_interval([1.0], [1.0, 2.0], np.arange(2), g),
            "expected both on the same frames",
        ),
        (lambda g: seed_interval([1.0]), "got 1 seed; expected at least 2"),
        (lambda g: paired_seed_interval([1.0, 2.0], [1.0]), "expected the same seeds"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(HandsightError, match=message):
        call(np.random.default_rng(0))


def test_a_figure_that_no_resample_defines_is_refused():
    with pytest.raises(HandsightError, match="a figure of nan is undefined in all 5 resamples"):
        percentile_interval(float("nan"), np.full(5, np.nan), 3)
