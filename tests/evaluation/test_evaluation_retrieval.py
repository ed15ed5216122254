from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.evaluation import retrieval
from handsight.evaluation.features import Features
from handsight.evaluation.retrieval import recall


def brute_force(
    features: Features, by: str, depths: tuple[int, ...], apart: int
) -> tuple[np.ndarray, np.ndarray]:
    """Query by query, sort the gallery and look at the first k."""
    unit = features.embeddings.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    hits, answerable = [], []
    for q in range(len(features)):
        gallery = []
        for g in range(len(features)):
            same_object = features.object[q] == features.object[g]
            near = features.clip[q] == features.clip[g] and abs(features.frame[q] - features.frame[g]) < apart
            if (g == q or near) if by == "instance" else same_object:
                continue
            right = same_object if by == "instance" else features.category[q] == features.category[g]
            gallery.append((-(unit[q] @ unit[g]), right))
        gallery.sort(key=lambda entry: entry[0])
        hits.append([any(right for _, right in gallery[:k]) for k in depths])
        answerable.append(any(right for _, right in gallery))
    return np.array(hits), np.array(answerable)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(4, 40),
    objects_n=st.integers(2, 8),
    apart=st.integers(1, 3),
    by=st.sampled_from(["instance", "category"]),
)
def test_agrees_with_brute_force(seed, count, objects_n, apart, by):
    generator = np.random.default_rng(seed)
    instance = generator.integers(0, objects_n, count)
    features = Features(
        generator.normal(size=(count, 5)).astype(np.float32),
        instance % 3,
        instance,
        instance * 2 + generator.integers(0, 2, count),
        generator.integers(0, 6, count),
    )
    depths = (1, 3, 10)
    hits, answerable = brute_force(features, by, depths, apart)
    if not answerable.any():
        with pytest.raises(HandsightError, match="found no query with an answer"):
            recall(features, by, depths=depths, apart=apart)
        return
    found = recall(features, by, depths=depths, apart=apart)
    np.testing.assert_array_equal(found.hits, hits)
    np.testing.assert_array_equal(found.answerable, answerable)
    assert found.mean()[3] == hits[answerable, 1].mean()


def test_chunks_change_nothing(make_features, monkeypatch):
    features = make_features(np.random.default_rng(0), 12)
    whole = recall(features, "category")
    monkeypatch.setattr(retrieval, "_CHUNK", 1)
    np.testing.assert_array_equal(recall(features, "category").hits, whole.hits)


def test_a_collapsed_encoder_finds_nothing(make_features):
    features = make_features(np.random.default_rng(0), 12)
    same = features.with_embeddings(np.ones_like(features.embeddings))
    for by in ("instance", "category"):
        assert not recall(same, by).hits.any()


def test_the_query_never_answers_itself_and_neighbouring_frames_can_be_left_out():
    # Frames of a clip drift slowly: the next frame is the nearest, the other clip of the object is far.
    angle = np.concatenate([np.linspace(0, 0.5, 6), np.linspace(2, 2.5, 6), np.linspace(0.7, 1.2, 6)])
    features = Features(
        np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32),
        np.zeros(18, np.int64),
        np.repeat([0, 0, 1], 6),
        np.repeat([0, 1, 2], 6),
        np.tile(np.arange(6), 3),
    )
    assert recall(features, "instance", depths=(1,)).mean()[1] == 1.0
    first = recall(features, "instance", depths=(1,), apart=6).hits[:12]
    assert not first.any()  # only the far clip is left, and object 1 lies between


def test_refuses_depths_and_gaps_below_one(make_features):
    features = make_features(np.random.default_rng(0), 4)
    with pytest.raises(HandsightError, match=r"k = \[0\] and apart = 1; expected numbers from 1"):
        recall(features, "instance", depths=(0,))
    with pytest.raises(HandsightError, match="apart = 0"):
        recall(features, "instance", apart=0)
