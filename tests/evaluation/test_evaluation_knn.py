from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from handsight.errors import HandsightError
from handsight.evaluation import knn
from handsight.evaluation.features import Features, LabelledFrames, standardise
from handsight.evaluation.knn import OnlineKNN, knn_accuracy, knn_correct


def reference(bank: Features, queries: Features, k: int) -> np.ndarray:
    """The same vote by scikit-learn: for unit vectors, cosine distance is 1 − cosine."""
    classifier = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / 0.07)
    )
    classifier.fit(bank.embeddings.astype(np.float64), bank.category)
    return classifier.predict(queries.embeddings.astype(np.float64)) == queries.category


@pytest.mark.parametrize("chunk", [1, 1000, 10**9])
def test_agrees_with_scikit_learn_at_every_k_and_whatever_the_chunk(make_features, monkeypatch, chunk):
    monkeypatch.setattr(knn, "_CHUNK", chunk)
    generator = np.random.default_rng(0)
    bank, queries = standardise(
        make_features(generator, 30, signal=0.5), make_features(generator, 20, first_object=100, signal=0.5)
    )
    neighbours = [7, 1, 3, 50]
    correct = knn_correct(bank, queries, neighbours)
    for column, k in enumerate(neighbours):
        np.testing.assert_array_equal(correct[:, column], reference(bank, queries, k))
    assert 0.3 < correct.mean() < 0.95


def test_close_neighbours_outvote_many_far_ones():
    bank = Features(
        np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.float32),
        np.array([5, 9, 9, 9]),
        *(np.arange(4) for _ in range(3)),
    )
    query = Features(
        np.array([[1, 0.1]], np.float32), np.array([5]), *(np.zeros(1, np.int64) for _ in range(3))
    )
    assert knn_correct(bank, query, [4])[0, 0]
    assert not knn_correct(bank, query, [4], temperature=10.0)[0, 0]


def test_k_is_chosen_on_validation_and_test_labels_change_nothing(make_features):
    generator = np.random.default_rng(2)
    splits = [make_features(generator, 24, first_object=100 * i, signal=0.4) for i in range(3)]
    train, validation, test = splits
    result = knn_accuracy(train, validation, test, neighbours=(1, 5, 20, 10_000))
    assert result.validation[result.neighbours] == max(result.validation.values())
    assert set(result.validation) == {1, 5, 20, len(train)}
    relabelled = Features(test.embeddings, test.category[::-1].copy(), test.object, test.clip, test.frame)
    assert (
        knn_accuracy(train, validation, relabelled).neighbours
        == knn_accuracy(train, validation, test).neighbours
    )
    bank, queries = standardise(train, test)
    np.testing.assert_array_equal(result.correct, reference(bank, queries, result.neighbours))


def test_of_equally_good_k_the_smallest_is_taken(make_features):
    generator = np.random.default_rng(3)
    splits = [make_features(generator, 24, first_object=100 * i, signal=30.0) for i in range(3)]
    result = knn_accuracy(*splits, neighbours=(20, 5, 1))
    assert result.neighbours == 1
    assert result.correct.all()


def test_shuffled_labels_are_at_chance(make_features):
    generator = np.random.default_rng(4)
    splits = [make_features(generator, 100, first_object=1000 * i, signal=0.0) for i in range(3)]
    assert abs(knn_accuracy(*splits).correct.mean() - 0.25) < 0.1


def test_refuses_k_of_zero(make_features):
    features = make_features(np.random.default_rng(0), 4)
    with pytest.raises(HandsightError, match=r"got k = \[0\]; expected one or more numbers from 1"):
        knn_correct(features, features, [0])


class Pixels(torch.nn.Module):
    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).float()


def test_monitor_measures_validation_objects_against_training_objects():
    generator = np.random.default_rng(5)
    patterns = generator.integers(0, 200, (3, 4, 4, 3))
    count = 30
    category = np.arange(count) % 3
    pictures = (patterns[category] + generator.integers(0, 20, (count, 4, 4, 3))).astype(np.uint8)
    place = np.arange(count)

    def split(rows: np.ndarray) -> LabelledFrames:
        return LabelledFrames(
            lambda i: pictures[i],
            rows,
            category[rows],
            place[rows],
            place[rows],
            np.zeros(len(rows), np.int64),
        )

    monitor = OnlineKNN(split(place[:18]), split(place[18:]), neighbours=5, batch_size=7)
    measured = monitor(Pixels(), 100)
    assert measured["knn_accuracy"] == 1.0
    assert set(measured) == {"knn_accuracy", "effective_rank", "feature_spread"}
    assert 1 < measured["effective_rank"] < 12
