"""Viewpoint-wise alignment is whole for an encoder of viewpoints, and flat for one that says nothing."""

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.evaluation import Features, viewpoint_alignment

CLIPS, VIEWS = 12, 24


def frames(embed, seed: int = 0) -> tuple[Features, np.ndarray]:
    generator = np.random.default_rng(seed)
    clip = np.repeat(np.arange(CLIPS), VIEWS)
    angle = np.tile(np.arange(VIEWS) * 2 * np.pi / VIEWS, CLIPS)
    embeddings = embed(angle, clip, generator).astype(np.float32)
    return Features(embeddings, clip % 3, clip, clip, np.tile(np.arange(VIEWS), CLIPS)), angle


def of_viewpoint(angle, clip, generator):
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_an_encoder_of_the_viewpoint_alone_is_aligned():
    features, angle = frames(of_viewpoint)
    found = viewpoint_alignment(features, angle, np.random.default_rng(0))
    assert found.aligned == pytest.approx(np.ones(len(features)))
    # The cosine of two views is the cosine of the angle between them.
    assert found.similarity == pytest.approx(np.cos(found.difference_rad), abs=0.13)
    assert found.similarity[0] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "embed",
    [
        lambda angle, clip, generator: np.full((len(angle), 4), 3.7),
        lambda angle, clip, generator: np.eye(CLIPS)[clip],
    ],
    ids=["constant", "of the object alone"],
)
def test_an_encoder_that_knows_no_viewpoint_is_flat(embed):
    features, angle = frames(embed)
    found = viewpoint_alignment(features, angle, np.random.default_rng(0))
    assert found.aligned == pytest.approx(np.full(len(features), 0.5))
    assert np.ptp(found.similarity) == pytest.approx(0, abs=1e-6)


def test_noise_is_aligned_by_chance():
    features, angle = frames(lambda angle, clip, generator: generator.normal(size=(len(angle), 16)))
    found = viewpoint_alignment(features, angle, np.random.default_rng(0))
    assert found.aligned.mean() == pytest.approx(0.5, abs=0.03)


def test_the_scale_and_rotation_of_the_embedding_change_nothing():
    features, angle = frames(of_viewpoint, 1)
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(2, 2)))
    other = features.with_embeddings((features.embeddings @ turned * 50).astype(np.float32))
    one, two = (viewpoint_alignment(f, angle, np.random.default_rng(0)) for f in (features, other))
    assert one.similarity == pytest.approx(two.similarity, abs=1e-5)


def test_an_object_alone_in_its_category_has_no_answer():
    features, angle = frames(of_viewpoint)
    category = np.where(features.clip == 0, 9, features.category)
    alone = Features(features.embeddings, category, features.object, features.clip, features.frame)
    found = viewpoint_alignment(alone, angle, np.random.default_rng(0))
    assert np.isnan(found.aligned[:VIEWS]).all()
    assert found.answerable.sum() == len(features) - VIEWS


def test_every_frame_needs_its_viewpoint():
    features, angle = frames(of_viewpoint)
    with pytest.raises(HandsightError, match=r"288 frames came with \(5,\) viewpoints"):
        viewpoint_alignment(features, angle[:5], np.random.default_rng(0))
