from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from handsight.errors import HandsightError
from handsight.evaluation.features import Features, standardise
from handsight.evaluation.linear import STRENGTHS, fit_path, linear_accuracy


def regularised_loss(features: Features, weight: np.ndarray, bias: np.ndarray, strength: float) -> float:
    logits = features.embeddings.astype(np.float64) @ weight.T + bias
    likelihood = log_softmax(logits, axis=1)[np.arange(len(features)), features.category]
    return -likelihood.mean() + strength / 2 * np.square(weight).sum()


@pytest.mark.parametrize("dimensions", [12, 300])  # fewer and more than there are frames
def test_every_strength_agrees_with_scikit_learn(make_features, dimensions):
    generator = np.random.default_rng(0)
    train, test = standardise(
        make_features(generator, 40, dimensions=dimensions),
        make_features(generator, 20, first_object=100, dimensions=dimensions),
    )
    for strength, ours in fit_path(train, (1.0, 1e-2, 1e-3), tolerance=1e-9, iterations=1000).items():
        # scikit-learn adds up losses where ours takes their mean
        theirs = LogisticRegression(
            C=1 / (strength * len(train)), solver="newton-cg", tol=1e-8, max_iter=5000
        )
        theirs.fit(train.embeddings.astype(np.float64), train.category)
        weight = ours.weight.numpy()
        np.testing.assert_allclose(weight, theirs.coef_, atol=1e-3 * np.abs(theirs.coef_).max())
        # Where training frames are all but certain the bias hardly matters; the loss says whether it does.
        best = regularised_loss(train, theirs.coef_, theirs.intercept_, strength)
        assert regularised_loss(train, weight, ours.bias.numpy(), strength) == pytest.approx(best, rel=1e-4)
        agreement = (
            ours.predict(test.embeddings) == theirs.predict(test.embeddings.astype(np.float64))
        ).mean()
        assert agreement >= 0.99


def test_warm_starts_end_where_a_cold_start_does(make_features):
    (train,) = standardise(make_features(np.random.default_rng(1), 40))
    warm = fit_path(train, tolerance=1e-9, iterations=1000)[1e-3]
    cold = fit_path(train, (1e-3,), tolerance=1e-9, iterations=1000)[1e-3]
    np.testing.assert_allclose(warm.weight.numpy(), cold.weight.numpy(), atol=1e-3)


def test_strength_is_chosen_on_validation_objects_only(make_features):
    generator = np.random.default_rng(2)
    train, validation, test = (
        make_features(generator, 24, first_object=100 * i, signal=0.5) for i in range(3)
    )
    result = linear_accuracy(train, validation, test)
    assert set(result.validation) == set(STRENGTHS)
    assert result.validation[result.strength] == max(result.validation.values())
    assert 0.3 < result.correct.mean() < 1
    relabelled = Features(test.embeddings, (test.category + 1) % 4, test.object, test.clip, test.frame)
    other = linear_accuracy(train, validation, relabelled)
    assert other.strength == result.strength
    assert not (other.correct & result.correct).any()


def test_categories_need_not_be_numbered_from_zero(make_features):
    generator = np.random.default_rng(3)
    splits = [make_features(generator, 24, first_object=100 * i, signal=5.0) for i in range(3)]
    renamed = [Features(s.embeddings, s.category * 7 + 40, s.object, s.clip, s.frame) for s in splits]
    assert linear_accuracy(*renamed).correct.all()


def test_a_dead_and_a_repeated_dimension_do_no_harm(make_features):
    generator = np.random.default_rng(4)
    splits = [make_features(generator, 24, first_object=100 * i, signal=5.0) for i in range(3)]
    spoilt = [
        s.with_embeddings(
            np.column_stack([s.embeddings, s.embeddings[:, :1], np.full(len(s), 3.0)]).astype(np.float32)
        )
        for s in splits
    ]
    assert linear_accuracy(*spoilt).correct.all()


def test_refuses_one_category_and_no_strength(make_features):
    features = make_features(np.random.default_rng(0), 4, categories_n=1)
    with pytest.raises(HandsightError, match="got 1 category; expected at least 2"):
        fit_path(features)
    with pytest.raises(HandsightError, match=r"L2 strengths \[0.0\]; expected one or more above 0"):
        fit_path(features, (0.0,))
