"""Any recording comes back as it was written, whatever its streams, lengths, gaps and interruptions.

Frames of videos carry their number in blocks of pixels that survive any codec: each must be in its place.
"""

import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings_samples import content

from handsight.errors import HandsightError
from handsight.recordings import Feature, Recording, Writer, camera, check
from handsight.recordings.features import NUMBERS

HEIGHT, WIDTH, BITS = 16, 48, 12
FACTS = {"number": "int64", "weight": "float64", "word": "string", "done": "bool"}
LETTERS = st.characters(codec="utf-8", exclude_characters="/\\\0", exclude_categories=("C", "Z"))
NAMES = st.text(LETTERS, min_size=1, max_size=6)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12)


def numbered(number):
    """Return a picture that says a number: two rows of blocks of 8 × 8 pixels, each white or black."""
    bits = (number >> np.arange(BITS)) & 1
    return np.kron(bits.reshape(2, 6, 1) * 160 + 48, np.ones((8, 8, 3))).astype(np.uint8)


def read_number(picture):
    bits = picture.reshape(2, 8, 6, 8, 3).mean(axis=(1, 3, 4)).reshape(-1) > 128
    return int((bits << np.arange(BITS)).sum())


@dataclass
class Case:
    """A recording to write: streams, and how its episodes are written one after another."""

    features: dict[str, Feature]
    fps: float
    options: dict[str, float]
    lengths: list[int]
    ways: list[str]
    facts: list[dict[str, Any]]
    tasks: list[str]
    seed: int
    written: list[dict[str, np.ndarray]] = field(default_factory=list)


@st.composite
def cases(draw):
    shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
    kinds = st.sampled_from([*NUMBERS, "bool", "string"])
    features = {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind = draw(kinds)
        features[f"s{name}"] = Feature(kind, (1,) if kind == "string" else draw(shapes))
    for number in range(draw(st.integers(0 if features else 1, 3))):
        video = draw(st.booleans())
        size = (HEIGHT, WIDTH) if video else draw(st.sampled_from([(1, 1), (7, 3), (HEIGHT, WIDTH)]))
        features[f"camera.{number}"] = camera(*size, video=video)
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=8))
    count = len(lengths)
    # Between episodes: nothing, a take that is given up, a frame that is refused, a new writer, a killed one.
    ways = st.sampled_from(
        ["whole", "frames", "whole", "frames", "after a discarded take", "reopened", "killed"]
    )
    facts = st.fixed_dictionaries(
        {
            "number": st.integers(-(2**63), 2**63 - 1),
            "weight": st.floats(allow_nan=False, allow_infinity=False),
            "word": WORDS,
            "done": st.booleans(),
        }
    )
    sizes = st.sampled_from([1e-4, 2e-3, 0.02, 100.0])
    return Case(
        features,
        draw(st.sampled_from([1, 10, 12.5, 29.97, 30, 1000])),
        {f"{what}_size_in_mb": draw(sizes) for what in ("data_files", "video_files", "journal")},
        lengths,
        draw(st.lists(ways, min_size=count, max_size=count)),
        draw(st.lists(facts, min_size=count, max_size=count)),
        draw(st.lists(WORDS, min_size=count, max_size=count)),
        draw(st.integers(0, 2**32 - 1)),
    )


def values(feature, first, length, random):
    """Return `length` frames of a stream; those of videos say their numbers from `first` on."""
    shape = (length, *feature.shape)
    if feature.dtype == "video":
        return np.stack([numbered(first + t) for t in range(length)])
    if feature.dtype == "image":
        return random.integers(0, 256, shape, dtype=np.uint8)
    if feature.dtype == "string":
        return np.array([f"{number}→\u00e9\n" for number in random.integers(0, 99, length)])
    if feature.dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    kind = np.dtype(feature.dtype)
    if kind.kind == "f":
        return (random.normal(size=shape) * 10.0 ** random.integers(-6, 4)).astype(kind)
    extremes = np.iinfo(kind)
    drawn = random.integers(extremes.min, extremes.max, shape, dtype=kind, endpoint=True)
    drawn.reshape(-1)[:2] = np.array([extremes.max, extremes.min], kind)[: drawn.size]
    return drawn


def write(case, path):
    random = np.random.default_rng(case.seed)
    writer = new_writer(case, path)
    first = 0
    for index, (length, way) in enumerate(zip(case.lengths, case.ways, strict=True)):
        frames = {name: values(feature, first, length, random) for name, feature in case.features.items()}
        writer = disturb(writer, case, path, way, frames)
        facts, task = case.facts[index], case.tasks[index]
        if way == "whole":
            assert writer.add_episode(frames, facts, task) == index
        else:
            for t in range(length):
                writer.add_frame({name: some[t] for name, some in frames.items()})
            assert writer.save_episode(facts, task) == index
        case.written.append(frames)
        first += length
    writer.close()


def new_writer(case, path):
    options = {"codec": "libx264", "facts": FACTS} | case.options
    return Writer(path, case.features, case.fps, **options)


def disturb(writer, case, path, way, frames):
    """Do what shall leave no trace; return the writer to go on with."""
    one = {name: some[0] for name, some in frames.items()}
    if way == "after a discarded take":
        writer.add_frame(one)
        writer.discard_episode()
        with pytest.raises(HandsightError):
            writer.add_frame({})
    elif way == "reopened":
        writer.close()
        return new_writer(case, path)
    elif way == "killed":
        writer.add_frame(one)
        writer._journal.close()
        writer._lock.release()
        return new_writer(case, path)
    return writer


def together(case, name):
    return np.concatenate([frames[name] for frames in case.written])


@pytest.mark.slow
@given(cases())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_recording_comes_back_as_it_was_written(case):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r"
        write(case, path)
        assert check(path, thorough=True) == []
        recording = Recording(path)
        assert np.diff(recording.episode_starts).tolist() == case.lengths
        assert list(recording.tasks) == [(task,) for task in case.tasks]
        for name in FACTS:
            assert recording.facts[name].tolist() == [facts[name] for facts in case.facts]
        order = np.random.default_rng(case.seed).permutation(recording.num_frames)[:20]
        for name, feature in case.features.items():
            expected = together(case, name)
            if not feature.is_camera:
                np.testing.assert_array_equal(recording.stream(name).reshape(expected.shape), expected)
                continue
            scanned = np.concatenate([frames for _, frames in recording.scan(name)])
            if feature.dtype == "image":
                np.testing.assert_array_equal(scanned, expected)
            else:
                assert [read_number(frame) for frame in scanned] == list(range(recording.num_frames))
            np.testing.assert_array_equal(recording.frames(order, name), scanned[order])
        recording.close()
        assert_others_find_it(case, path)


def assert_others_find_it(case, path):
    """Assert the same with pyarrow and PyAV alone."""
    there = content(path)
    for name, feature in case.features.items():
        if feature.dtype == "video":
            assert [read_number(frame) for frame in there["videos"][name]] == list(range(sum(case.lengths)))
        elif not feature.is_camera and feature.shape == (1,):
            assert there["data"][name].tolist() == together(case, name).reshape(-1).tolist()
    places = [(row["data/chunk_index"], row["data/file_index"]) for _, row in there["episodes"].iterrows()]
    assert all(one <= other for one, other in itertools.pairwise(places))
