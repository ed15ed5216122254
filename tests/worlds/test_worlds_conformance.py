"""What every world keeps to: each is listed in WORLDS here and goes through all of this."""

import json
import pickle

import numpy as np
import pytest

from handsight.worlds.turntable import Turntable

WORLDS = {
    "turntable": lambda: Turntable(image_size=24, views=4),
    "turntable, everything changes": lambda: Turntable(
        image_size=16,
        views=3,
        tilt_changes="frame",
        background_changes="frame",
        clips_per_object=2,
        antialias=False,
    ),
    "turntable, video": lambda: Turntable(
        image_size=16, views=2, clutter=0, video=True, categories=("mug", "chair")
    ),
}
FACT_TYPES = {"int64": int, "string": str, "float64": float, "bool": bool}


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    world = WORLDS[request.param]()
    yield world
    world.close()


def same(one, other):
    assert one.facts == other.facts
    assert one.task == other.task
    assert one.frames.keys() == other.frames.keys()
    for name in one.frames:
        np.testing.assert_array_equal(one.frames[name], other.frames[name], err_msg=name)


def test_streams_are_as_declared(world):
    episode = world.episode(seed=3, index=5)
    assert episode.frames.keys() == world.features.keys()
    lengths = {len(values) for values in episode.frames.values()}
    assert len(lengths) == 1
    assert lengths.pop() > 0
    for name, feature in world.features.items():
        values = episode.frames[name]
        assert values.shape[1:] == feature.shape, name
        assert values.dtype == ("uint8" if feature.is_camera else feature.dtype), name
        assert np.isfinite(values).all(), name


def test_a_camera_sees_something(world):
    for name, feature in world.features.items():
        if feature.is_camera:
            for frame in world.episode(seed=3, index=5).frames[name]:
                assert frame.std() > 2
                assert 5 < frame.mean() < 250


def test_facts_are_as_declared(world):
    facts = world.episode(seed=3, index=5).facts
    assert facts.keys() == world.facts.keys()
    for name, kind in world.facts.items():
        assert type(facts[name]) is FACT_TYPES[kind], name
        if kind == "int64":
            assert -(2**63) <= facts[name] < 2**63
    assert facts.get("split", "train") in ("train", "validation", "test")


def test_an_episode_depends_on_seed_and_index_alone(world):
    first = world.episode(seed=1, index=4)
    for seed, index in ((1, 0), (2, 4), (1, 9)):
        world.episode(seed, index)
    same(first, world.episode(seed=1, index=4))
    fresh = pickle.loads(pickle.dumps(world))
    try:
        same(first, fresh.episode(seed=1, index=4))
    finally:
        fresh.close()


def test_episodes_differ_by_seed_and_by_index(world):
    camera = next(name for name, feature in world.features.items() if feature.is_camera)
    frames = [world.episode(seed, index).frames[camera] for seed, index in ((1, 4), (2, 4), (1, 5))]
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])


def test_an_episode_is_its_receivers(world):
    first = world.episode(seed=1, index=4)
    kept = {name: values.copy() for name, values in first.frames.items()}
    second = world.episode(seed=1, index=5)
    for name in first.frames:
        assert not np.shares_memory(first.frames[name], second.frames[name])
        np.testing.assert_array_equal(first.frames[name], kept[name])
        first.frames[name][:] = 0
    again = world.episode(seed=1, index=4)
    for name in kept:
        np.testing.assert_array_equal(again.frames[name], kept[name])


def test_a_closed_world_opens_again(world):
    first = world.episode(seed=1, index=2)
    world.close()
    world.close()
    same(first, world.episode(seed=1, index=2))


def test_options_are_json_and_make_the_same_world(world):
    options = world.options()
    read = json.loads(json.dumps(options))
    assert json.loads(json.dumps(type(world)(**read).options())) == read
    assert world.fps > 0
    assert world.name
