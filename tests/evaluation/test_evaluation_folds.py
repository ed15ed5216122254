from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.evaluation import bootstrap_interval
from handsight.evaluation.features import LabelledFrames
from handsight.evaluation.folds import Fold, FoldScores, instance_folds, leave_one_out, score_folds, take
from handsight.evaluation.linear import linear_accuracy


def layout(counts: dict[int, int], views: int = 3, within: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Give rows of categories with so many instances each, in scattered order."""
    pairs = [(c, i) for c, count in counts.items() for i in range(count) for _ in range(views)]
    rows = np.array([(c, i if within else 100 * c + i) for c, i in pairs], dtype=np.int64)
    rows = np.random.default_rng(len(rows)).permutation(rows)
    return rows[:, 0], rows[:, 1]


def instances(category: np.ndarray, instance: np.ndarray, rows: np.ndarray) -> set[tuple[int, int]]:
    return {(int(category[row]), int(instance[row])) for row in rows}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    counts=st.lists(st.integers(2, 6), min_size=2, max_size=6),
    folds=st.integers(2, 7),
    within=st.booleans(),
    kind=st.sampled_from([leave_one_out, instance_folds]),
)
def test_a_fold_divides_instances_and_keeps_every_category_in_training(seed, counts, folds, within, kind):
    counts = dict(enumerate(counts, start=3))
    category, instance = layout(counts, within=within)
    folds = min(folds, sum(counts.values()))
    made = list(kind(category, instance, np.random.default_rng(seed), folds=folds))
    assert len(made) == folds
    tested = []
    for fold in made:
        parts = [instances(category, instance, part) for part in (fold.train, fold.validation, fold.test)]
        rows = np.concatenate([fold.train, fold.validation, fold.test])
        np.testing.assert_array_equal(np.sort(rows), np.arange(len(category)))  # each row once
        assert sum(map(len, parts)) == sum(counts.values())  # and each instance whole
        assert {c for c, _ in parts[0]} == set(counts)
        for one, count in counts.items():
            trained, validated, held = (sum(c == one for c, _ in part) for part in parts)
            assert validated == (count - held >= 2)
            assert (one in fold.unvalidated) == (validated == 0)
            assert trained + validated + held == count
            if kind is leave_one_out:
                assert held == 1
        tested.append(parts[2])
    if kind is instance_folds:
        assert sum(map(len, tested)) == len(set().union(*tested)) == sum(counts.values())
        assert max(map(len, tested)) - min(map(len, tested)) <= 1


def test_the_instance_left_out_is_drawn_evenly_and_by_the_generator():
    category, instance = layout({0: 4, 1: 3}, views=1)

    def drawn(seed: int) -> list[tuple[int, ...]]:
        made = leave_one_out(category, instance, np.random.default_rng(seed), folds=600)
        return [tuple(sorted(instance[fold.test])) for fold in made]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    found, count = np.unique(drawn(0), axis=0, return_counts=True)
    assert len(found) == 12  # every pair
    assert (np.abs(count - 50) < 4.5 * np.sqrt(50)).all()


def test_a_category_with_one_instance_is_refused_or_left_out():
    category, instance = layout({0: 3, 1: 1, 2: 2, 5: 1})
    with pytest.raises(
        HandsightError,
        match=r"2 of 4 categories have one instance \(1, 5\); expected at least 2, .*"
        r'leave them out with single="leave out"',
    ):
        leave_one_out(category, instance, np.random.default_rng(0))
    for kind in (leave_one_out, instance_folds):
        for fold in kind(category, instance, np.random.default_rng(0), folds=3, single="leave out"):
            rows = np.concatenate([fold.train, fold.validation, fold.test])
            assert set(category[rows]) == {0, 2}
            assert len(rows) == 15


def test_categories_without_validation_are_said(caplog):
    category, instance = layout({0: 3, 4: 2, 7: 2})
    with caplog.at_level(logging.WARNING, logger="handsight"):
        fold = next(leave_one_out(category, instance, np.random.default_rng(0)))
    assert "2 of 3 categories have two instances (4, 7)" in caplog.text
    assert fold.unvalidated.tolist() == [4, 7]
    assert set(category[fold.validation]) == {0}


@pytest.mark.parametrize(
    ("category", "instance", "options", "message"),
    [
        ([], [], {}, r"got categories int64 \[0\] and instances int64 \[0\]; expected integers \[N\]"),
        ([0, 1], [0], {}, r"categories int64 \[2\] and instances int64 \[1\]"),
        ([0, 0], [0, 1], {}, "1 of 1 categories have two instances or more; expected at least 2"),
        ([0, 0, 1, 1], [0, 1, 0, 1], {"folds": 0}, "got 0 folds; expected at least 1"),
    ],
)
def test_labels_that_make_no_folds_are_refused(category, instance, options, message):
    labels = np.array(category, dtype=np.int64), np.array(instance, dtype=np.int64)
    with pytest.raises(HandsightError, match=message):
        leave_one_out(*labels, np.random.default_rng(0), **options)


def test_labels_are_integers_and_folds_no_more_than_instances():
    category, instance = layout({0: 2, 1: 3})
    with pytest.raises(HandsightError, match=r"got categories float64 \[15\]"):
        leave_one_out(category.astype(np.float64), instance, np.random.default_rng(0))
    for folds in (1, 6):
        with pytest.raises(HandsightError, match=rf"5 instances .* into {folds} folds; give 2 to 5 folds"):
            instance_folds(category, instance, np.random.default_rng(0), folds=folds)


def test_scores_come_with_the_instances_that_intervals_resample():
    category, instance = layout({2: 3, 9: 4}, within=True)
    folds = list(leave_one_out(category, instance, np.random.default_rng(1), folds=5))
    found = score_folds(folds, lambda fold: instance[fold.test] % 2 == 0, category, instance)
    assert isinstance(found, FoldScores)
    np.testing.assert_array_equal(found.row, np.concatenate([fold.test for fold in folds]))
    np.testing.assert_array_equal(found.fold, np.repeat(np.arange(5), [len(fold.test) for fold in folds]))
    np.testing.assert_array_equal(found.score, instance[found.row] % 2 == 0)
    pairs = {
        (int(n), int(category[r]), int(instance[r])) for n, r in zip(found.instance, found.row, strict=True)
    }
    assert len(pairs) == len({n for n, _, _ in pairs}) == len({(c, i) for _, c, i in pairs})
    interval = bootstrap_interval(found.score, found.instance, np.random.default_rng(0), resamples=500)
    assert interval.mean == found.score.mean()
    assert interval.low < interval.mean < interval.high


def test_a_linear_probe_goes_through_folds_of_its_features(make_features):
    features = make_features(np.random.default_rng(0), 16, categories_n=4, signal=4.0)
    folds = instance_folds(features.category, features.object, np.random.default_rng(1), folds=3)

    def correct(fold: Fold) -> np.ndarray:
        parts = (take(features, part) for part in (fold.train, fold.validation, fold.test))
        return linear_accuracy(*parts, strengths=(1e-2,)).correct

    found = score_folds(folds, correct, features.category, features.object)
    np.testing.assert_array_equal(np.sort(found.row), np.arange(len(features)))
    assert found.score.mean() > 0.9


def test_frames_that_are_read_are_taken_alike():
    labels = [np.arange(6) * factor for factor in (1, 2, 3, 4)]
    pictures = np.random.default_rng(0).integers(0, 255, (20, 4, 4, 3), dtype=np.uint8)
    frames = LabelledFrames(pictures.__getitem__, np.arange(6) + 10, *labels)
    taken = take(frames, np.array([4, 1]))
    np.testing.assert_array_equal(taken.read(taken.index), pictures[[14, 11]])
    assert [taken.category.tolist(), taken.frame.tolist()] == [[4, 1], [16, 4]]


def test_scores_that_do_not_fit_are_refused():
    category, instance = layout({0: 2, 1: 2})
    folds = list(leave_one_out(category, instance, np.random.default_rng(0), folds=2))
    with pytest.raises(HandsightError, match=r"fold 0 was scored with \[2\] numbers for 6 test rows"):
        score_folds(folds, lambda fold: np.ones(2), category, instance)
    with pytest.raises(HandsightError, match="expected a finite number for each"):
        score_folds(folds, lambda fold: np.full(len(fold.test), np.nan), category, instance)
    with pytest.raises(HandsightError, match="no folds to score; expected at least one"):
        score_folds([], lambda fold: np.ones(len(fold.test)), category, instance)
