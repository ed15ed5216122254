"""The computed shuffle: every place once, all orders alike, and no memory."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from handsight.recordings.order import Order


def order(count, seed):
    return Order(count, np.random.default_rng(seed))


@given(st.integers(1, 3000), st.integers(0, 9))
def test_everything_stands_somewhere_once(count, seed):
    assert sorted(order(count, seed).at(np.arange(count)).tolist()) == list(range(count))


def test_a_place_does_not_depend_on_what_else_is_asked_for():
    shuffled = order(1000, 0).at(np.arange(1000))
    some = np.array([7, 7, 999, 0])
    np.testing.assert_array_equal(order(1000, 0).at(some), shuffled[some])
    assert not np.array_equal(order(1000, 1).at(np.arange(1000)), shuffled)


@pytest.mark.parametrize("count", [5, 9, 72])
def test_everything_stands_everywhere_equally_often(count):
    times = np.zeros((count, count))
    gaps = np.zeros(count)
    for seed in range(2000):
        shuffled = order(count, seed).at(np.arange(count))
        times[np.arange(count), shuffled] += 1
        gaps[np.diff(shuffled) % count] += 1
    assert stats.chisquare(times.ravel(), ddof=2 * count - 2).pvalue > 0.01
    assert stats.chisquare(gaps[1:]).pvalue > 0.01  # nor does what follows on what


def test_all_orders_of_a_few_things_occur_equally_often():
    known = {found: number for number, found in enumerate(permutations(range(4)))}
    times = np.bincount([known[tuple(order(4, seed).at(np.arange(4)).tolist())] for seed in range(2400)])
    assert stats.chisquare(times).pvalue > 0.01


def test_a_thousand_billion_take_no_time_and_no_memory():
    found = order(10**12, 0).at(np.arange(10**12 - 5000, 10**12))
    assert len(np.unique(found)) == 5000
    assert stats.kstest(found / 10**12, "uniform").pvalue > 0.01
