"""What is tried: half of it proposed, half drawn."""

import numpy as np
import pytest

from handsight.agents.choosing import half_random, random_actions
from handsight.errors import HandsightError


def rng():
    return np.random.default_rng(3)


def test_random_actions_are_uniform_and_never_twice():
    cells, bins = random_actions(rng(), 75, 5)
    assert sorted(zip(*cells.T.tolist(), bins.tolist(), strict=True)) == [
        (row, column, force) for row in range(5) for column in range(5) for force in range(3)
    ]
    cells, bins = random_actions(rng(), 6000, 100)
    assert cells.min() == 0
    assert cells.max() == 99
    np.testing.assert_allclose(cells.mean(axis=0), 49.5, atol=2)
    np.testing.assert_allclose(np.bincount(bins) / 6000, 1 / 3, atol=0.03)


def test_half_is_proposed_and_half_is_drawn():
    proposed, bins = np.array([[1, 2], [3, 4], [5, 6]]), np.array([2, 1, 0])
    cells, drawn = half_random(rng(), proposed, bins, 5, 30)
    np.testing.assert_array_equal(cells[:2], proposed[:2])
    np.testing.assert_array_equal(drawn[:2], bins[:2])
    others = random_actions(rng(), 3, 30)
    np.testing.assert_array_equal(cells[2:], others[0])
    np.testing.assert_array_equal(drawn[2:], others[1])
    cells, drawn = half_random(rng(), proposed, bins, 20, 30)
    np.testing.assert_array_equal(cells[:3], proposed)
    assert cells.shape == (20, 2)
    assert drawn.shape == (20,)


def test_more_than_there_are_cannot_be_drawn():
    line = "13 different actions were asked for; 2 × 2 cells with 3 forces have 12"
    with pytest.raises(HandsightError, match=f"^{line}$"):
        random_actions(rng(), 13, 2)
