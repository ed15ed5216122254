from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handsight.evaluation.collapse import effective_rank, feature_spread, warning


def test_effective_rank_of_known_spectra():
    generator = np.random.default_rng(0)
    left = np.linalg.qr(np.column_stack([np.ones(200), generator.normal(size=(200, 6))]))[0][:, 1:]  # mean 0
    right = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    assert effective_rank(left @ right) == pytest.approx(6)
    assert effective_rank(left * [1, 1, 1, 0, 0, 0] @ right) == pytest.approx(3)
    share = np.array([4, 2, 1, 1, 0, 0]) / 8
    entropy = 0.5 * np.log(2) + 0.25 * np.log(4) + 2 * 0.125 * np.log(8)
    assert effective_rank(left * share @ right + 40) == pytest.approx(np.exp(entropy))


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 20), dimensions=st.integers(1, 20))
def test_effective_rank_lies_between_one_and_the_rank(seed, count, dimensions):
    rank = effective_rank(np.random.default_rng(seed).normal(size=(count, dimensions)))
    assert 1 - 1e-9 <= rank <= min(count - 1, dimensions) + 1e-9


def test_constant_embeddings_have_rank_one_and_no_spread():
    rows = np.tile(np.random.default_rng(0).normal(size=64), (30, 1))
    jitter = (rows * (1 + 1e-8 * np.random.default_rng(1).normal(size=rows.shape))).astype(np.float32)
    for constant in (rows, jitter, np.zeros((30, 64))):
        assert effective_rank(constant) == 1.0
        assert feature_spread(constant) < 1e-6
        assert "nearly the same of every image" in (warning(constant) or "")


def test_spread_of_random_directions_is_one_whatever_their_length():
    generator = np.random.default_rng(2)
    rows = generator.normal(size=(4000, 32)) * generator.uniform(0.1, 10, (4000, 1))
    assert feature_spread(rows) == pytest.approx(1, abs=0.01)
    assert warning(rows) is None


def test_a_line_is_called_a_line():
    generator = np.random.default_rng(3)
    line = generator.normal(size=(100, 1)) * generator.normal(size=(1, 64)) + 1e-4 * generator.normal(
        size=(100, 64)
    )
    assert feature_spread(line) > 0.5
    assert "collapsed onto a line" in (warning(line) or "")
    assert warning(generator.normal(size=(100, 1))) is None  # one dimension is all it has
