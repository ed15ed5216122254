"""Which clips a need's samples come from, by camera, facts and place; and pairs of one clip or two."""

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.recordings import Clips, Feature, Needs, Recording, Sampler, Writer, camera

KINDS = ("a", "b", "c")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """12 clips of 1 to 4 frames, of two cameras; each frame says its episode and its place."""
    path = tmp_path_factory.mktemp("recordings") / "kinds"
    features = {
        "observation.images.near": camera(8, 8),
        "observation.images.far": camera(8, 8),
        "place": Feature("float32", (2,), ("episode", "frame"), moves="nothing", between="first"),
        "turn": Feature("float32", (1,), ("turn",), moves="nothing", between="difference"),
    }
    generator = np.random.default_rng(0)
    with Writer(path, features, fps=1, facts={"kind": "string", "good": "bool"}) as writer:
        for episode in range(12):
            length = 1 + episode % 4
            pictures = generator.integers(0, 255, (2, length, 8, 8, 3), dtype=np.uint8)
            place = np.stack([np.full(length, episode), np.arange(length)], 1).astype(np.float32)
            writer.add_episode(
                {
                    "observation.images.near": pictures[0],
                    "observation.images.far": pictures[1],
                    "place": place,
                    "turn": place[:, 1:],
                },
                {"kind": KINDS[episode % 3], "good": episode % 2 == 0},
            )
    return path


@pytest.fixture
def clips(folder):
    return Clips([Recording(folder)], split=None, size=8)


def drawn(clips, batches=8, batch_size=4, **need):
    """Return what batches hold, one after another."""
    sampler = Sampler(clips, {"it": Needs(**need)}, batch_size, seed=3)
    each = [sampler.batch("it", step) for step in range(batches)]
    return {name: np.concatenate([batch[name].numpy() for batch in each]) for name in each[0]}


def test_only_episodes_with_the_fact_and_frames_of_the_camera_are_drawn(clips):
    found = drawn(clips, between={"place": None}, camera="observation.images.far", where={"kind": ("a", "c")})
    episodes = {int(episode) for episode in found["place"][:, 0]}
    assert episodes == {e for e in range(12) if e % 3 != 1}
    assert {clips.tracks[clips.track[clip]].camera for clip in found["clip"]} == {"observation.images.far"}


def test_facts_that_are_no_text_are_told_as_text(clips):
    found = drawn(clips, between={"place": None}, where={"good": ("True",)})
    assert set(found["place"][:, 0] % 2) == {0}


def test_from_the_start_each_clip_comes_once_an_epoch(clips):
    sampler = Sampler(clips, {"it": Needs(between={"place": None}, at_start=True)}, 6, seed=0)
    assert sampler.steps_per_epoch == 24 // 6
    epoch = [sampler.batch("it", step) for step in range(4)]
    assert sorted(np.concatenate([batch["clip"].numpy() for batch in epoch])) == list(range(24))
    assert all((batch["place"][:, 1] == 0).all() for batch in epoch)


def test_a_sample_of_one_frame_comes_with_what_it_says(clips):
    found = drawn(clips, between={"place": None, "turn": "first"})
    frames = found["frame_index"][:, 0] % 30
    recorded = clips.recordings[0].stream("place")
    np.testing.assert_array_equal(found["place"], recorded[frames])
    np.testing.assert_array_equal(found["turn"][:, 0], recorded[frames, 1])


def test_pairs_are_by_turns_of_one_clip_and_of_two(clips):
    found = drawn(clips, batches=40, frames=2, pairing="contrast", where={"kind": KINDS})
    first, second = found["frame_index"].T
    own, clip = clips_of(clips, second) == found["clip"], clips_of(clips, first)
    np.testing.assert_array_equal(clip, found["clip"])
    np.testing.assert_array_equal(found["same"], own)
    np.testing.assert_array_equal(found["same"], np.tile([1, 0], 80))
    assert (first != second).all()
    # Each other frame of a clip of four is as likely, and any frame of the others.
    four = (clips.length[clip] == 4) & own
    apart = (second - first)[four] % 4
    assert set(apart) == {1, 2, 3}
    longer = clips.length >= 2
    assert set(clips_of(clips, second[~own])) == set(np.flatnonzero(longer))


def clips_of(clips, frames):
    return np.searchsorted(clips.start, frames, side="right") - 1


def test_other_clips_frames_are_all_as_likely(clips):
    found = drawn(clips, batches=1500, frames=2, pairing="contrast", where={"kind": ("a",)})
    first, second = found["frame_index"][found["same"] == 0].T
    usable = (clips.length >= 2) & (clips.fact("kind") == "a")
    lengths = np.where(usable, clips.length, 0)
    for clip in np.flatnonzero(usable):
        mine = clips_of(clips, second[clips_of(clips, first) == clip])
        expected = lengths / (lengths.sum() - lengths[clip]) * (np.arange(len(lengths)) != clip)
        seen = np.bincount(mine, minlength=len(lengths)) / len(mine)
        np.testing.assert_allclose(seen, expected, atol=0.08)


def test_slices_of_several_processes_are_the_whole_batch(clips):
    sampler = Sampler(clips, {"it": Needs(frames=2, pairing="contrast", where={"kind": KINDS})}, 8, seed=1)
    whole = sampler.batch("it", 5)
    halves = [sampler.batch("it", 5, rank, 2) for rank in (0, 1)]
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([half[name] for half in halves]), values)


@pytest.mark.parametrize(
    ("need", "message"),
    [
        ({"camera": "top"}, r"'it' takes frames of camera 'top', which is not in use \(in use: obs"),
        ({"where": {"kind": ("z", "y")}}, r"episodes whose kind is z or y; .* none \(it has: a, b, c\)"),
        ({"where": {"colour": ("red",)}}, "no fact 'colour'"),
        (
            {"frames": 2, "pairing": "window", "gap": (9, 9), "where": {"kind": ("a",)}},
            "'it' needs clips of 10 frames; .* the longest has 4",
        ),
        ({"between": {"turn": None}}, "stream 'turn' declares 'difference', which lies between two frames"),
    ],
)
def test_what_leaves_nothing_is_refused(clips, need, message):
    with pytest.raises(HandsightError, match=message):
        Sampler(clips, {"it": Needs(**need)}, 4, seed=0)


@pytest.mark.parametrize(
    ("need", "message"),
    [
        ({"frames": 3, "pairing": "contrast"}, "'contrast' came with 3 frames; a pair is of one clip or of"),
        (
            {"frames": 2, "pairing": "contrast", "between": {"turn": None}},
            r"\(turn\) was asked of pairing 'contrast'; nothing lies between frames of two clips",
        ),
        ({"between": {"turn": "difference"}}, "between frames was asked of a sample of 1 frames"),
    ],
)
def test_needs_that_cannot_be_are_refused(need, message):
    with pytest.raises(HandsightError, match=message):
        Needs(**need)


def test_a_single_clip_has_no_other_to_pair_with(clips):
    one = Clips(clips.recordings, split=None, size=8, max_episodes=2)
    with pytest.raises(HandsightError, match="pairs frames of different clips, and there is one"):
        Sampler(one, {"it": Needs(frames=2, pairing="contrast", camera="observation.images.far")}, 2, seed=0)
