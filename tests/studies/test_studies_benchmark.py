"""Encoders measured on objects of a recording."""

import numpy as np
import pytest
import torch

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation import OnlineCollapse, OnlineKNN
from handsight.recordings import FrameCache, Recording
from handsight.studies.benchmark import (
    RANDOM,
    category_names,
    labelled_frames,
    measure_objects,
    monitors,
    with_random,
)


@pytest.fixture
def encoder(tiny_network):
    torch.manual_seed(3)
    return Encoder("resnet18", 24, options=tiny_network["encoder_options"])


def test_labels_are_the_recordings(shapes):
    frames = labelled_frames([shapes], "validation", 24)
    assert len(frames) == 6 * 6
    episode = np.repeat([6, 7, 8, 18, 19, 20], 6)
    assert frames.object.tolist() == episode.tolist()
    names = category_names([shapes])
    assert names == ["bar", "cross", "ring"]
    wanted = np.asarray(shapes.facts["category"])[episode]
    assert [names[code] for code in frames.category] == wanted.tolist()
    assert frames.frame.tolist() == [*range(6)] * 6
    assert np.array_equal(frames.read(frames.index), shapes.frames(episode * 6 + frames.frame))


def test_objects_have_one_number_in_every_split_and_recording(shapes, shapes_folder):
    twice = [shapes, Recording(shapes_folder)]
    seen = {split: labelled_frames(twice, split, 24) for split in ("train", "validation", "test")}
    for split, frames in seen.items():
        alone = labelled_frames([shapes], split, 24)
        assert frames.object.tolist() == alone.object.tolist() * 2
        assert len(np.unique(frames.clip)) == 2 * len(np.unique(alone.clip))
    objects = [set(frames.object) for frames in seen.values()]
    assert not objects[0] & objects[1]
    assert not objects[1] & objects[2]
    assert set.union(*objects) == set(range(24))


def test_without_named_objects_every_episode_is_one(shapes, shapes_folder, monkeypatch):
    other = Recording(shapes_folder)
    for recording in (shapes, other):
        monkeypatch.setattr(
            recording, "facts", {name: recording.facts[name] for name in ("category", "split")}
        )
    frames = labelled_frames([shapes, other], "test", 24)
    episodes = [9, 10, 11, 21, 22, 23]
    assert np.unique(frames.object).tolist() == episodes + [24 + episode for episode in episodes]


def test_stride_and_most_thin_out_evenly(shapes):
    assert set(labelled_frames([shapes], "train", 24, stride=4).frame) == {0, 4}
    few = labelled_frames([shapes], "train", 24, most=30)
    assert len(few) == 30  # whole clips of 6, from the first to the last of 12
    clips = np.unique(few.clip)
    assert (clips[0], clips[-1], len(clips)) == (0, 11, 5)
    assert len(labelled_frames([shapes], "train", 24, most=72)) == 72
    assert len(labelled_frames([shapes], "train", 24, most=1)) == 6


def test_a_missing_category_is_refused(shapes):
    with pytest.raises(
        HandsightError,
        match=r"has no fact 'colour' about its episodes \(it has: .*category.*\); objects cannot be told",
    ):
        labelled_frames([shapes], "train", 24, category="colour")


def test_random_stands_in_front_and_changes_no_encoder(shapes, encoder):
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    rows = with_random({"mine": encoder}, [shapes], seed=0)
    assert list(rows) == [RANDOM, "mine"]
    assert rows["mine"] is encoder
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    assert rows[RANDOM].metadata["options"] == encoder.metadata["options"]
    again = with_random({"mine": encoder}, [shapes], seed=0)[RANDOM].state_dict()
    assert all(torch.equal(value, again[key]) for key, value in rows[RANDOM].state_dict().items())
    other = with_random({"mine": encoder}, [shapes], seed=1)[RANDOM].state_dict()
    assert any(not torch.equal(value, other[key]) for key, value in again.items())


def test_encoders_are_measured_beside_random(shapes, encoder):
    said = []
    found = measure_objects(
        {"mine": encoder, "same": encoder}, [shapes], compare=[("mine", "same")], say=said.append
    )
    table = found.benchmark.table
    assert list(found.test) == [RANDOM, "mine", "same"]
    assert all(len(features) == 36 for features in found.test.values())
    assert np.unique(found.frames.object).tolist() == [9, 10, 11, 21, 22, 23]
    for scores in found.benchmark.scores.values():
        assert list(scores.values) == [RANDOM, "mine", "same"]
        assert np.array_equal(scores.values["mine"], scores.values["same"], equal_nan=True)
    assert all(difference.interval.mean == 0 for difference in table.differences)
    assert said[:3] == ["embedding with random", "embedding with mine", "embedding with same"]
    again = measure_objects({"mine": encoder}, [shapes])
    for measure, scores in found.benchmark.scores.items():
        for row in (RANDOM, "mine"):
            assert np.array_equal(
                scores.values[row], again.benchmark.scores[measure].values[row], equal_nan=True
            )


def test_choices_made_on_validation_never_see_test(shapes, encoder, monkeypatch):
    read, real = set(), FrameCache.read

    def spy(self, indices):
        read.update(np.asarray(indices).reshape(-1).tolist())
        return real(self, indices)

    monkeypatch.setattr(FrameCache, "read", spy)
    found = measure_objects({"mine": encoder}, [shapes], evaluate_on="validation")
    split = np.asarray(shapes.facts["split"])[np.array(sorted(read)) // 6]
    assert set(split) == {"train", "validation"}
    # Half the validation objects choose, the other half is scored.
    assert set(found.test["mine"].object) == {7, 19}
    assert found.frames.object.tolist() == found.test["mine"].object.tolist()
    assert found.frames.frame.tolist() == found.test["mine"].frame.tolist()
    measure_objects({"mine": encoder}, [shapes])
    assert len(read) == shapes.num_frames
    with pytest.raises(
        HandsightError, match="encoders are measured on 'validation' or 'test'; 'train' is what"
    ):
        measure_objects({"mine": encoder}, [shapes], evaluate_on="train")


def test_monitors_are_what_the_recording_allows(shapes, monkeypatch):
    (watching,) = monitors([shapes], 24, most=12)
    assert isinstance(watching, OnlineKNN)
    assert set(watching.queries.object) <= {6, 7, 8, 18, 19, 20}
    assert len(watching.queries) == len(watching.bank) == 12
    facts = dict(shapes.facts)
    monkeypatch.setattr(shapes, "facts", {"split": facts["split"]})
    (watching,) = monitors([shapes], 24, most=12)
    assert isinstance(watching, OnlineCollapse)
    assert len(watching.index) == 12
    assert set(np.asarray(facts["split"])[watching.index // 6]) == {"validation"}


def test_a_recording_for_training_alone_has_no_monitors(shapes, monkeypatch):
    monkeypatch.setattr(shapes, "splits", lambda: np.array(["train"] * 24))
    assert monitors([shapes], 24) == []
