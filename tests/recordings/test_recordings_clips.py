"""Clips: which episodes a run works on, and how their frames are numbered."""

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.recordings import Clips, Feature, Recording, Writer


def test_a_split_has_its_episodes_and_no_others(shapes):
    split = np.asarray(shapes.facts["split"])
    found = {name: Clips([shapes], split=name, size=24).episode for name in ("train", "validation", "test")}
    for name, episodes in found.items():
        assert episodes.tolist() == np.flatnonzero(split == name).tolist()
    everything = Clips([shapes], split=None, size=24)
    assert everything.episode.tolist() == list(range(24))
    assert everything.num_frames == shapes.num_frames


def test_first_episodes_are_counted_before_the_split(shapes):
    # Of the first 10 episodes 6 are for training.
    clips = Clips([shapes], max_episodes=10, size=24)
    assert clips.episode.tolist() == [0, 1, 2, 3, 4, 5]
    assert Clips([shapes], max_episodes=99, size=24).num_clips == 12


def test_held_out_episodes_are_left_out_of_every_recording(shapes, shapes_folder):
    clips = Clips([shapes, Recording(shapes_folder)], hold_out=(1, 4, 1000), size=24)
    assert clips.episode[clips.track == 0].tolist() == [0, 2, 3, 5, *range(12, 18)]
    assert clips.episode[clips.track == 1].tolist() == clips.episode[clips.track == 0].tolist()


def test_locate_counts_through_all_frames(shapes):
    clips = Clips([shapes], split="test", size=24)
    clip, numbers = clips.all_frames()
    assert clip.tolist() == np.repeat(np.arange(6), 6).tolist()
    wanted = [clips.start[c] + frame for c in range(6) for frame in range(6)]
    assert numbers.tolist() == wanted
    some = np.array([35, 0, 7])
    assert clips.locate(some)[1].tolist() == [wanted[position] for position in some]


def test_frames_beyond_the_cache_are_the_same(shapes):
    _, numbers = Clips([shapes], size=24).all_frames()
    kept, decoded = (Clips([shapes], size=24, max_cache_bytes=most).read(numbers) for most in (None, 0))
    assert np.array_equal(kept, decoded)
    assert np.array_equal(kept, shapes.frames(numbers))


def test_facts_of_clips_are_their_episodes(shapes, shapes_folder):
    clips = Clips([shapes, Recording(shapes_folder)], split="validation", size=24)
    assert clips.fact("object").tolist() == clips.episode.tolist()
    assert clips.fact("object").dtype == np.int64
    assert clips.fact("category").tolist() == ["bar", "cross", "ring"] * 4


def test_refusals(shapes, tmp_path):
    with pytest.raises(HandsightError, match="no recording was given; give at least one, as in --data PATH"):
        Clips([], size=24)
    with pytest.raises(
        HandsightError, match="no episode in the split 'test'; collect more, or train on other"
    ):
        Clips([shapes], split="test", max_episodes=3, size=24)
    with Writer(tmp_path / "blind", {"action": Feature("float32", (1,))}, fps=10) as writer:
        writer.add_episode({"action": np.zeros((3, 1), np.float32)})
    with pytest.raises(HandsightError, match="blind has no camera; every method needs pictures"):
        Clips([Recording(tmp_path / "blind")], size=24)
    with pytest.raises(HandsightError, match=r"has no fact 'colour' about its episodes \(it has: .*object"):
        Clips([shapes], size=24).fact("colour")
