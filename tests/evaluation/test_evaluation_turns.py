"""The action probe reads the turn between two views where embeddings hold it, and only there."""

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.evaluation import Features, turn_probe

VIEWS = 12


def split(embed, clips: int, seed: int) -> tuple[Features, np.ndarray]:
    generator = np.random.default_rng(seed)
    clip = np.repeat(np.arange(clips), VIEWS) + 1000 * seed
    angle = generator.uniform(0, 2 * np.pi, clips * VIEWS)
    embeddings = embed(angle, generator).astype(np.float32)
    frame = np.tile(np.arange(VIEWS), clips)
    return Features(embeddings, np.zeros_like(clip), clip, clip, frame), angle


def splits(embed):
    made = {name: split(embed, 20, seed) for seed, name in enumerate(("train", "validation", "test"))}
    return {name: f for name, (f, _) in made.items()}, {name: a for name, (_, a) in made.items()}


def test_a_turn_that_embeddings_hold_is_read():
    def embed(angle, generator):
        signal = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ generator.normal(size=(2, 8))
        return signal

    def same(angle, _):
        return embed(angle, np.random.default_rng(5))

    found = turn_probe(*splits(same), np.random.default_rng(0))
    assert np.rad2deg(found.error_rad.mean()) < 5
    assert found.recalled.mean() > 0.8
    assert found.chance == pytest.approx(1 / (VIEWS - 1))
    assert len(found.object) == len(found.error_rad) == 20 * 24


def test_noise_tells_nothing():
    found = turn_probe(*splits(lambda angle, g: g.normal(size=(len(angle), 8))), np.random.default_rng(0))
    assert np.rad2deg(found.error_rad.mean()) == pytest.approx(90, abs=10)
    assert found.recalled.mean() == pytest.approx(1 / (VIEWS - 1), abs=0.05)
    assert found.strength > 1e-2  # what cannot be told is shrunk to the mean


def test_the_same_generator_gives_the_same_probe():
    features, angles = splits(lambda angle, g: np.stack([np.cos(angle), g.normal(size=len(angle))], axis=1))
    one, two = (turn_probe(features, angles, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(one.error_rad, two.error_rad)


def test_bad_input_is_named():
    features, angles = splits(lambda angle, g: g.normal(size=(len(angle), 4)))
    with pytest.raises(HandsightError, match="got no validation frames"):
        turn_probe({"train": features["train"], "test": features["test"]}, angles, np.random.default_rng(0))
    single = features["test"]
    lonely = Features(single.embeddings, single.category, single.object, np.arange(len(single)), single.frame)
    with pytest.raises(HandsightError, match="clips of one frame each"):
        turn_probe({**features, "test": lonely}, angles, np.random.default_rng(0))
