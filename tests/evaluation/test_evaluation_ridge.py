from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut

from handsight.errors import HandsightError
from handsight.evaluation import ridge
from handsight.evaluation.ridge import held_out_predictions, leave_one_out_error


def problem(seed: int, dimensions: int, episodes_n: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    episode = np.repeat(np.arange(episodes_n), generator.integers(6, 12, episodes_n))
    x = generator.normal(2, 3, (len(episode), dimensions))
    y = x[:, :3] @ generator.normal(size=(3, 2)) + 2 * generator.normal(size=(len(episode), 2)) + 7
    return x, y, episode


def reference(x, y, episode, strengths):
    """The same nested scheme, refitting scikit-learn's Ridge every time."""
    predicted, chosen = np.empty_like(y), []
    for train, test in LeaveOneGroupOut().split(x, y, episode):
        mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
        inner_x, inner_y, inner = (x[train] - mean) / deviation, y[train], episode[train]
        variance = np.square(inner_y - inner_y.mean(axis=0)).sum(axis=0)
        errors = []
        for strength in strengths:
            error = np.zeros(y.shape[1])
            for a, b in LeaveOneGroupOut().split(inner_x, inner_y, inner):
                model = Ridge(alpha=strength * len(train), solver="svd").fit(inner_x[a], inner_y[a])
                error += np.square(model.predict(inner_x[b]) - inner_y[b]).sum(axis=0)
            errors.append((error / variance).mean())
        chosen.append(strengths[int(np.argmin(errors))])
        model = Ridge(alpha=chosen[-1] * len(train), solver="svd").fit(inner_x, inner_y)
        predicted[test] = model.predict((x[test] - mean) / deviation)
    return predicted, tuple(chosen)


@pytest.mark.parametrize("dimensions", [4, 30, 120])  # primal, near the number of rows, dual
def test_agrees_with_refitting_scikit_learn(dimensions):
    x, y, episode = problem(dimensions, dimensions)
    strengths = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    ours = held_out_predictions(x, y, episode, strengths=strengths)
    predicted, chosen = reference(x, y, episode, strengths)
    assert ours.strengths == chosen
    np.testing.assert_allclose(ours.predicted, predicted, rtol=1e-8, atol=1e-8)


def test_left_out_errors_need_no_refitting():
    x, y, episode = problem(0, 6)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    error = np.zeros(2)
    for a, b in LeaveOneGroupOut().split(x, y, episode):
        model = Ridge(alpha=0.3 * len(x), solver="svd").fit(x[a], y[a])
        error += np.square(model.predict(x[b]) - y[b]).sum(axis=0)
    expected = (error / np.square(y - y.mean(axis=0)).sum(axis=0)).mean()
    assert leave_one_out_error(left, singular**2, y, episode, 0.3) == pytest.approx(expected)


def test_a_held_out_episodes_own_targets_never_reach_its_prediction():
    x, y, episode = problem(3, 10)
    before = held_out_predictions(x, y, episode).predicted
    changed = y.copy()
    changed[episode == 2] += 1000
    after = held_out_predictions(x, changed, episode).predicted
    np.testing.assert_array_equal(before[episode == 2], after[episode == 2])
    assert not np.allclose(before[episode == 1], after[episode == 1])


def test_without_features_the_prediction_is_the_mean_of_the_others():
    _, y, episode = problem(4, 3)
    for x in (np.empty((len(y), 0)), np.full((len(y), 2), 3.0)):
        predicted = held_out_predictions(x, y, episode).predicted
        np.testing.assert_allclose(
            predicted[episode == 0],
            np.tile(y[episode != 0].mean(axis=0), (6, 1))[:1].repeat((episode == 0).sum(), 0),
        )


def test_many_episodes_are_left_out_in_folds_of_whole_episodes():
    x, y, episode = problem(5, 4, episodes_n=9)
    result = held_out_predictions(x, y, episode, folds=3)
    assert len(result.strengths) == 3
    changed = y.copy()
    changed[episode == 0] += 1000  # episodes 0, 1 and 2 share a fold
    after = held_out_predictions(x, changed, episode, folds=3).predicted
    np.testing.assert_array_equal(result.predicted[episode == 1], after[episode == 1])


def test_dead_dimensions_and_repeated_rows_do_no_harm():
    x, y, episode = problem(6, 4)
    spoilt = np.column_stack([x, x[:, 0], np.full(len(x), 5.0)])
    spoilt[episode == 1, -1] += 1e-9
    assert np.isfinite(held_out_predictions(spoilt, y, episode).predicted).all()


def test_refuses_two_episodes():
    with pytest.raises(HandsightError, match="got 2 episodes; expected at least 3"):
        held_out_predictions(np.ones((4, 1)), np.ones((4, 1)), np.array([0, 0, 1, 1]))


def test_sweep_reaches_from_hardly_any_to_almost_all_shrinkage():
    assert min(ridge.STRENGTHS) <= 1e-4
    assert max(ridge.STRENGTHS) >= 1e3
