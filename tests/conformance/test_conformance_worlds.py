"""What every world keeps to: each has a line in `worlds_table.WORLDS` and goes through all of this."""

import gc
import inspect
import json
import math
import pickle
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from conformance_checks import (
    TURN_RAD,
    check_arguments,
    check_range,
    global_randomness,
    resident_bytes,
    same_content,
)
from worlds_table import WORLDS

from handsight.augmentation import Augmentation, move_labels
from handsight.recordings import Recording, check, resolve_between
from handsight.recordings.needs import between_frames
from handsight.worlds import WORLDS as KNOWN
from handsight.worlds import collect

FACT_TYPES = {"int64": int, "string": str, "float64": float, "bool": bool}


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    world = WORLDS[request.param]()
    yield world
    world.close()


@pytest.fixture(scope="module")
def episode(world):
    """An episode to look at, not to be changed."""
    return world.episode(seed=3, index=5)


def same(one, other):
    assert one.facts == other.facts
    assert one.task == other.task
    assert one.frames.keys() == other.frames.keys()
    for name in one.frames:
        np.testing.assert_array_equal(one.frames[name], other.frames[name], err_msg=name)


def moving_streams(world):
    return {name: feature for name, feature in world.features.items() if not feature.is_camera}


def test_every_world_has_a_line_in_the_table():
    made = [WORLDS[name]() for name in WORLDS]
    assert set(KNOWN.values()) <= {type(world) for world in made}, "add it to worlds_table.WORLDS"
    for name, world in KNOWN.items():
        assert world.name == name


def test_every_option_is_documented_typed_and_has_a_default(world):
    check_arguments(type(world))


def test_streams_are_as_declared(world, episode):
    assert episode.frames.keys() == world.features.keys()
    lengths = {len(values) for values in episode.frames.values()}
    assert len(lengths) == 1
    assert lengths.pop() > 0
    for name, feature in world.features.items():
        if feature.is_camera:
            assert episode.frames[name].shape[1:] == feature.shape, name
            assert episode.frames[name].dtype == np.uint8, name
    assert world.fps > 0


def test_numbers_are_as_declared_and_lie_in_the_range_that_this_names(world, episode):
    for name, feature in moving_streams(world).items():
        check_range(name, feature, episode.frames[name])


def test_every_stream_says_what_mirroring_does_to_it_and_what_lies_between_two_frames(world):
    for name, feature in moving_streams(world).items():
        assert feature.moves is not None, name
        if feature.dtype.startswith("float"):
            assert feature.between is not None, name


def test_mirrored_labels_are_labels_of_the_same_kind(world, episode):
    """They keep dtype, shape and range; twice mirrored they are as before."""
    streams = moving_streams(world)
    moves = {name: feature.moves for name, feature in streams.items()}
    names = {name: feature.names for name, feature in streams.items() if feature.names is not None}
    labels = {name: torch.from_numpy(episode.frames[name]) for name in streams}
    length = len(next(iter(episode.frames.values())))
    flips = Augmentation(size=16, crop_scale=(1, 1), crop_ratio=(1, 1), flip_probability=1)
    parameters = flips.draw(torch.Generator().manual_seed(0), length, 16, 16)
    once = move_labels(labels, moves, parameters, names).streams
    twice = move_labels(once, moves, parameters, names).streams
    for name, feature in streams.items():
        assert once[name].dtype == labels[name].dtype
        assert once[name].shape == labels[name].shape
        torch.testing.assert_close(twice[name], labels[name], msg=name)
        if feature.dtype.startswith("float"):
            between_moves_alike(name, feature, labels[name], once[name], parameters)


def between_moves_alike(name, feature, labels, mirrored, parameters):
    """What lies between two mirrored frames is what lies between them, mirrored."""
    kind = resolve_between(name, feature, None)
    first, second = np.zeros(1, np.int64), np.array([len(labels) - 1])
    of = [
        torch.from_numpy(
            between_frames(kind, values.reshape(len(values), -1).numpy().astype(np.float32), first, second)
        )
        for values in (labels, mirrored)
    ]
    if kind == "first":  # in the shape that batches have
        of = [values.view(1, *feature.shape) for values in of]
    names = {} if feature.names is None else {name: feature.names}
    moved = move_labels(
        {name: of[0]}, {name: feature.moves}, parameters.slice(0, 1), names, {name: kind}
    ).streams
    torch.testing.assert_close(moved[name], of[1], atol=1e-5, rtol=1e-5, msg=name)


def test_a_camera_sees_something(world, episode):
    for name, feature in world.features.items():
        if feature.is_camera:
            for frame in episode.frames[name]:
                assert frame.std() > 2
                assert 5 < frame.mean() < 250


def test_facts_and_task_are_as_declared(world, episode):
    facts = episode.facts
    assert facts.keys() == world.facts.keys()
    for name, kind in world.facts.items():
        assert type(facts[name]) is FACT_TYPES[kind], name
        if kind == "int64":
            assert -(2**63) <= facts[name] < 2**63
        if kind == "float64":
            assert math.isfinite(facts[name]), name
        if name.endswith("_rad"):
            assert abs(facts[name]) <= TURN_RAD, name
    assert facts.get("split", "train") in ("train", "validation", "test")
    assert re.fullmatch(r"\S.*\S", episode.task), "the task is one line of words"


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


def test_worlds_in_one_process_do_not_disturb_each_other(world):
    alone = [world.episode(seed=1, index=index) for index in (6, 7, 8)]
    others = [make() for make in WORLDS.values()]
    for other in others:
        other.episode(seed=2, index=0)
    same(alone[0], world.episode(seed=1, index=6))
    for other in others[::2]:
        other.close()
    same(alone[1], world.episode(seed=1, index=7))
    del other, others  # the rest were never closed
    gc.collect()
    same(alone[2], world.episode(seed=1, index=8))


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


def test_what_a_world_says_of_itself_is_the_receivers(world):
    said = world.features, world.facts, world.options()
    kept = [dict(one) for one in said]
    for one in said:
        one.clear()
    assert [dict(world.features), dict(world.facts), world.options()] == kept


def test_a_closed_world_opens_again(world):
    first = world.episode(seed=1, index=2)
    world.close()
    world.close()
    same(first, world.episode(seed=1, index=2))


def test_a_world_that_was_never_opened_closes(request, world):
    pickle.loads(pickle.dumps(world)).close()


def test_options_are_json_and_make_the_same_world(world):
    options = world.options()
    read = json.loads(json.dumps(options))
    again = type(world)(**read)
    assert json.loads(json.dumps(again.options())) == read
    assert list(options) == list(inspect.signature(type(world)).parameters)
    try:
        same(again.episode(seed=1, index=2), world.episode(seed=1, index=2))
    finally:
        again.close()


def test_randomness_is_the_worlds_own(world):
    before = global_randomness()
    world.episode(seed=8, index=1)
    assert global_randomness() == before


def test_memory_does_not_grow_with_episodes(world):
    """The same episodes again: whatever may be kept of them is kept already."""

    def again(times: int) -> None:
        for index in [*range(3)] * times:
            world.episode(seed=0, index=index)
        gc.collect()

    again(1)
    resident = resident_bytes()
    tracemalloc.start()
    try:
        again(1)
        first = tracemalloc.get_traced_memory()[0]
        again(3)
        assert tracemalloc.get_traced_memory()[0] - first < 20_000
    finally:
        tracemalloc.stop()
    assert resident_bytes() - resident < 16e6


@pytest.fixture(scope="module")
def recordings(world, tmp_path_factory):
    """The same four episodes, made here in one go, and in two goes of which one had two workers."""
    folder = tmp_path_factory.mktemp("collected")
    collect(world, folder / "here", 4, seed=6)
    collect(world, folder / "workers", 1, seed=6)
    collect(world, folder / "workers", 4, seed=6, workers=2)
    return folder / "here", folder / "workers"


def test_workers_in_other_processes_make_the_same_recording(recordings: tuple[Path, Path]):
    same_content(*recordings)


def test_a_recording_holds_what_the_world_made(world, recordings):
    path = recordings[0]
    assert check(path, thorough=True) == []
    recording = Recording(path)
    assert recording.num_episodes == 4
    assert recording.fps == world.fps
    assert recording.features == world.features
    for index in range(4):
        made = world.episode(seed=6, index=index)
        rows = range(*recording.episode_starts[index : index + 2])
        assert {name: values[index] for name, values in recording.facts.items()} == made.facts
        assert list(recording.tasks[index]) == [made.task]
        for name, feature in world.features.items():
            values = made.frames[name]
            if feature.dtype == "video":
                difference = np.abs(recording.frames(rows, name).astype(int) - values)
                assert difference.mean() < 12, name
            elif feature.is_camera:
                np.testing.assert_array_equal(recording.frames(rows, name), values)
            else:
                np.testing.assert_array_equal(recording.stream(name)[rows.start : rows.stop], values)
