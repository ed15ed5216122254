from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.evaluation.evaluate import object_benchmark
from handsight.evaluation.intervals import bootstrap_interval
from handsight.evaluation.knn import knn_accuracy
from handsight.evaluation.table import in_words


@pytest.fixture
def splits(make_features):
    generator = np.random.default_rng(0)
    return {
        split: make_features(generator, 24, first_object=100 * place, signal=0.8)
        for place, split in enumerate(("train", "validation", "test"))
    }


@pytest.fixture
def encoders(splits):
    """One that sees well, and one whose features are mostly noise."""
    noise = np.random.default_rng(1)
    blurred = {
        name: s.with_embeddings((s.embeddings + 6 * noise.normal(size=s.embeddings.shape)).astype(np.float32))
        for name, s in splits.items()
    }
    return {"good": splits, "bad": blurred}


def test_table_words_and_scores_agree(encoders):
    told: list[str] = []
    result = object_benchmark(
        encoders, np.random.default_rng(2), compare=[("good", "bad")], resamples=2000, progress=told.append
    )
    assert told == ["good", "bad"]
    assert result.table.rows == ("good", "bad")
    assert result.table.over == "24 test objects"
    knn = result.scores["kNN"]
    expected = knn_accuracy(*(encoders["good"][s] for s in ("train", "validation", "test")))
    np.testing.assert_array_equal(knn.values["good"], expected.correct)
    assert result.chosen["good"]["k"] == expected.neighbours
    cell = result.table.cells["good"]["kNN"]
    again = bootstrap_interval(knn.values["good"], knn.object, np.random.default_rng(3), resamples=2000)
    assert cell.mean == again.mean
    assert cell.low == pytest.approx(again.low, abs=0.03)
    said = [line for line in in_words(result.table) if "linear probe" in line]
    assert said[0].startswith("good is above bad on linear probe by ")


def test_an_encoder_does_not_differ_from_itself_and_the_draws_are_paired(encoders):
    same = {"a": encoders["good"], "b": encoders["good"]}
    result = object_benchmark(same, np.random.default_rng(2), compare=[("a", "b")], resamples=500)
    assert all((d.interval.low, d.interval.high) == (0, 0) for d in result.table.differences)
    assert all(
        result.table.cells["a"][m.name] == result.table.cells["b"][m.name] for m in result.table.measures
    )


def test_an_encoders_figures_do_not_depend_on_its_company(encoders):
    both = object_benchmark(encoders, np.random.default_rng(2), resamples=500)
    alone = object_benchmark({"bad": encoders["bad"]}, np.random.default_rng(2), resamples=500)
    assert alone.table.cells["bad"] == both.table.cells["bad"]


def test_test_labels_cannot_reach_the_choices(encoders):
    swapped = {
        name: {**s, "test": replace(s["test"], category=(s["test"].category + 1) % 4)}
        for name, s in encoders.items()
    }
    plain, other = (object_benchmark(e, np.random.default_rng(2), resamples=100) for e in (encoders, swapped))
    assert plain.chosen == other.chosen


def test_queries_without_an_answer_are_left_out(encoders):
    # One object of a category of its own has no other object to find.
    lonely = {}
    for name, splits in encoders.items():
        train, test = splits["train"], splits["test"]
        kept = (test.category != 3) | (test.object == 203)
        smaller = replace(
            test, **{f: getattr(test, f)[kept] for f in ("embeddings", "category", "object", "clip", "frame")}
        )
        lonely[name] = {**splits, "train": train, "test": smaller}
    result = object_benchmark(lonely, np.random.default_rng(2), resamples=100)
    assert len(result.scores["kNN"].object) == 19 * 5
    assert len(result.scores["category recall@1"].object) == 18 * 5
    assert len(result.scores["instance recall@1"].object) == 19 * 5


def test_refusals(encoders, splits):
    generator = np.random.default_rng(0)
    with pytest.raises(HandsightError, match="got no encoders"):
        object_benchmark({}, generator)
    with pytest.raises(HandsightError, match="no encoders MoCo to compare; there are good, bad"):
        object_benchmark(encoders, generator, compare=[("good", "MoCo")])
    with pytest.raises(
        HandsightError, match="'a' has no features of split test; expected train, validation and test"
    ):
        object_benchmark({"a": {k: v for k, v in splits.items() if k != "test"}}, generator)
    shifted = {**splits, "test": replace(splits["test"], frame=splits["test"].frame + 1)}
    with pytest.raises(HandsightError, match=r"'good' and 'b' saw different test frames \(frame differs\)"):
        object_benchmark({"good": splits, "b": shifted}, generator)
    leaking = {**splits, "test": replace(splits["test"], object=splits["test"].object - 200)}
    with pytest.raises(HandsightError, match=r"object 0 is in both train and test \(24 such\)"):
        object_benchmark({"a": leaking}, generator)
    novel = {**splits, "test": replace(splits["test"], category=splits["test"].category + 1)}
    with pytest.raises(HandsightError, match=r"test category 4 has no training object \(1 such\)"):
        object_benchmark({"a": novel}, generator)
