"""Dividing episodes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.recordings.splits import SPLITS, split_by_episode


@given(st.integers(3, 300), st.integers(-(2**40), 2**40))
def test_each_part_has_an_episode(count, seed):
    parts = split_by_episode(count, seed)
    assert len(parts) == count
    assert set(parts) == set(SPLITS)
    assert (parts == split_by_episode(count, seed)).all()


@given(st.integers(100, 300), st.integers(0, 200))
def test_growing_moves_nothing(count, more):
    before, after = split_by_episode(count), split_by_episode(count + more)
    assert (after[:count] == before).all()


def test_shares_are_those_asked_for():
    parts = split_by_episode(20_000, seed=5, fractions=(0.5, 0.2, 0.3))
    shares = [(parts == name).mean() for name in SPLITS]
    np.testing.assert_allclose(shares, (0.5, 0.2, 0.3), atol=0.015)
    assert (split_by_episode(1000, 1) != split_by_episode(1000, 2)).any()


def test_a_part_can_be_left_out():
    assert set(split_by_episode(50, fractions=(1, 0, 0))) == {"train"}
    assert set(split_by_episode(3, fractions=(0.5, 0.5, 0))) == {"train", "validation"}


def test_few_episodes_train():
    assert split_by_episode(0).shape == (0,)
    assert len(split_by_episode(2)) == 2


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.6, -0.1), (0.5, 0.2, 0.2)])
def test_wrong_fractions_are_refused(fractions):
    with pytest.raises(HandsightError, match="expected three of at least 0 that sum to 1"):
        split_by_episode(5, fractions=fractions)
