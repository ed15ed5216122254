"""Batches: a function of seed and step, drawn fairly, and never from another clip."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from handsight.errors import HandsightError
from handsight.recordings import Clips, Feature, Needs, Recording, Sampler, Writer, camera

NEEDS = {
    "image": Needs(facts=("category",)),
    "pair": Needs(frames=2, between={"action": None}),
    "window": Needs(frames=3, pairing="window", gap=(1, 2)),
}
ACTION = Feature("float32", (1,), between="difference")


@pytest.fixture
def clips(shapes):
    return Clips([shapes], size=24)


def same(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key


@pytest.mark.parametrize("need", NEEDS)
def test_a_batch_depends_on_seed_and_step_alone(clips, need):
    fresh = Sampler(clips, NEEDS, 8, seed=3).batch(need, 11)
    used = Sampler(clips, NEEDS, 8, seed=3)
    for step, name in ((0, need), (30, need), (11, "pair"), (4, "image"), (12, need)):
        used.batch(name, step)
    used.between_samples("pair", "action", 50)
    same(used.batch(need, 11), fresh)
    other = Sampler(clips, NEEDS, 8, seed=4).batch(need, 11)
    assert not torch.equal(other["frame_index"], fresh["frame_index"])
    assert not torch.equal(used.batch(need, 12)["frame_index"], fresh["frame_index"])


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_slices_of_processes_are_the_batch(clips, world_size):
    sampler = Sampler(clips, NEEDS, 12, seed=0)
    for need in NEEDS:
        whole = sampler.batch(need, 2)
        parts = [sampler.batch(need, 2, rank, world_size) for rank in range(world_size)]
        same({key: torch.cat([part[key] for part in parts]) for key in whole}, whole)


def test_an_epoch_visits_every_frame_once_and_epochs_differ(clips):
    sampler = Sampler(clips, NEEDS, 9, seed=0)
    assert sampler.steps_per_epoch == clips.num_frames // 9 == 8
    orders = []
    for epoch in range(2):
        steps = range(epoch * 8, epoch * 8 + 8)
        orders.append(torch.cat([sampler.batch("image", step)["frame_index"][:, 0] for step in steps]))
    _, numbers = clips.all_frames()
    for order in orders:
        assert sorted(order.tolist()) == numbers.tolist()
    assert not torch.equal(*orders)


def test_frames_are_the_recordings(clips, shapes):
    batch = Sampler(clips, NEEDS, 10, seed=1).batch("pair", 0)
    assert batch["frames"].dtype == torch.uint8
    assert batch["frames"].shape == (10, 2, 3, 24, 24)
    assert batch["frame_index"].dtype == batch["clip"].dtype == torch.int64
    wanted = shapes.frames(batch["frame_index"].flatten().numpy())
    assert np.array_equal(batch["frames"].flatten(0, 1).permute(0, 2, 3, 1).numpy(), wanted)
    angle = shapes.stream("action")[batch["frame_index"].numpy(), 0]
    turn = angle[:, 1] - angle[:, 0]
    np.testing.assert_allclose(batch["action"].numpy(), np.stack([np.sin(turn), np.cos(turn)], 1), atol=1e-6)


def test_facts_come_as_codes_of_the_vocabulary(clips, shapes):
    sampler = Sampler(clips, NEEDS, 20, seed=0)
    batch = sampler.batch("image", 0)
    assert sampler.vocabulary == {"category": ["bar", "cross", "ring"]}
    episode = clips.episode[batch["clip"].numpy()]
    named = [sampler.vocabulary["category"][code] for code in batch["category"]]
    assert named == np.asarray(shapes.facts["category"])[episode].tolist()


def test_second_frames_are_uniform_within_the_first_ones_clip(clips):
    sampler = Sampler(clips, NEEDS, 60, seed=5)
    counts = np.zeros((6, 6))
    for step in range(60):
        batch = sampler.batch("pair", step)
        start = clips.start[batch["clip"].numpy()][:, None]
        within = batch["frame_index"].numpy() - start
        assert ((within >= 0) & (within < 6)).all()
        np.add.at(counts, (within[:, 0], within[:, 1]), 1)
    # Every place follows every place equally often: 36 cells of a hundred expected each.
    assert counts.sum() == 3600
    assert stats.chisquare(counts.reshape(-1)).pvalue > 0.01


class Lengths:
    """Stands for clips of these lengths where no picture is read."""

    split = "train"

    def __init__(self, lengths):
        self.length = np.array(lengths, dtype=np.int64)
        self.start = np.cumsum(self.length) - self.length + 100
        self.num_frames = int(self.length.sum())
        self.frame_ends = np.cumsum(self.length)

    locate = Clips.locate

    def read(self, frames):
        return np.zeros((len(frames), 1, 1, 3), np.uint8)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_windows_stay_within_gap_and_clip(data):
    frames = data.draw(st.integers(2, 4))
    low = data.draw(st.integers(1, 5))
    high = low + data.draw(st.integers(0, 30))
    shortest = 1 + low * (frames - 1)
    lengths = data.draw(st.lists(st.integers(shortest, shortest + 40), min_size=1, max_size=6))
    clips = Lengths(lengths)
    needs = {"window": Needs(frames=frames, pairing="window", gap=(low, high))}
    sampler = Sampler(clips, needs, clips.num_frames, seed=data.draw(st.integers(0, 9)))
    batch = sampler.batch("window", 0)
    index, clip = batch["frame_index"].numpy(), batch["clip"].numpy()
    gaps = np.diff(index, axis=1)
    assert gaps.min() >= low
    assert gaps.max() <= high
    assert (index[:, 0] >= clips.start[clip]).all()
    assert (index[:, -1] < clips.start[clip] + clips.length[clip]).all()


def test_every_gap_of_a_window_occurs(clips):
    sampler = Sampler(clips, {"window": Needs(frames=2, pairing="window", gap=(2, 5))}, 72, seed=0)
    gaps = np.concatenate(
        [np.diff(sampler.batch("window", step)["frame_index"].numpy())[:, 0] for step in range(5)]
    )
    assert set(gaps) == {2, 3, 4, 5}


@pytest.mark.parametrize(
    ("needs", "batch_size", "message"),
    [
        (
            {"image": Needs()},
            73,
            r"a batch of 73 is larger than the data: split 'train' has 72 frames."
            r" Make it smaller \(--batch-size 72\) or collect more",
        ),
        ({"image": Needs()}, 0, "the batch is 0 samples; it must be at least 1"),
        (
            {"pair": Needs(frames=2, pairing="window", gap=(6, 9))},
            8,
            "the shortest clip has 6 frames; 'pair' needs 7. Make the gap smaller",
        ),
        ({"image": Needs(facts=("colour",))}, 8, r"has no fact 'colour' .* \(it has: .*category.*\)"),
        ({"pair": Needs(frames=2, between={"force": None})}, 8, r"has no stream 'force' \(it has: .*action"),
    ],
)
def test_what_the_data_cannot_give_is_refused(clips, needs, batch_size, message):
    with pytest.raises(HandsightError, match=message):
        Sampler(clips, needs, batch_size, seed=0)


def test_an_error_about_all_episodes_names_no_split(shapes):
    clips = Clips([shapes], size=24, split=None)
    with pytest.raises(HandsightError, match="larger than the data: the whole recording has 144 frames"):
        Sampler(clips, {"image": Needs()}, 145, seed=0)
    with pytest.raises(HandsightError, match="category is nothing; the whole recording has none"):
        Sampler(clips, {"image": Needs(where={"category": ("nothing",)})}, 8, seed=0)


def test_a_batch_that_does_not_divide_is_refused(clips):
    with pytest.raises(
        HandsightError, match="a batch of 8 does not divide by 3 processes; choose a multiple"
    ):
        Sampler(clips, NEEDS, 8, seed=0).batch("image", 0, 0, 3)


def test_declared_stack_without_a_fixed_gap_is_refused(tmp_path):
    action = Feature("float32", (2,), between="stack")
    with Writer(tmp_path / "r", {"observation.images.c": camera(8, 8), "action": action}, fps=10) as writer:
        frames = np.zeros((5, 8, 8, 3), np.uint8)
        actions = np.arange(10, dtype=np.float32).reshape(5, 2)
        writer.add_episode({"observation.images.c": frames, "action": actions})
    clips = Clips([Recording(tmp_path / "r")], split=None, size=8)
    need = Needs(frames=2, between={"action": None})
    with pytest.raises(HandsightError, match="stream 'action' declares 'stack', and 'pair' has no fixed gap"):
        Sampler(clips, {"pair": need}, 2, seed=0)
    need = Needs(frames=2, pairing="window", gap=(2, 2), between={"action": None})
    batch = Sampler(clips, {"pair": need}, 2, seed=0).batch("pair", 0)
    first = batch["frame_index"][:, 0]
    assert batch["action"].tolist() == [actions[a : a + 2].reshape(-1).tolist() for a in first]


def test_batches_share_no_memory(clips):
    sampler = Sampler(clips, NEEDS, 8, seed=0)
    for need in NEEDS:
        first, kept = sampler.batch(need, 3), sampler.batch(need, 3)
        for value in first.values():
            value.zero_()
        same(sampler.batch(need, 3), kept)


def test_statistics_are_of_training_pairs_and_repeatable(clips, shapes):
    found = Sampler(clips, NEEDS, 8, seed=0).between_samples("pair", "action", 4000)
    assert found.shape == (4000, 2)
    assert torch.equal(found, Sampler(clips, NEEDS, 16, seed=0).between_samples("pair", "action", 4000))
    # Six views evenly around: every turn of a sixth is as likely.
    turns = torch.atan2(found[:, 0], found[:, 1]).div(2 * np.pi / 6).round().long() % 6
    assert stats.chisquare(np.bincount(turns, minlength=6)).pvalue > 0.01


def write_marked(path, heights, episodes, first, fps=10):
    """Write episodes of 5 frames; pictures and action tell recording, camera and frame."""
    names = [f"observation.images.{name}" for name in ("left", "right")[: len(heights)]]
    features = {name: camera(height, 16) for name, height in zip(names, heights, strict=True)}
    with Writer(path, {**features, "action": ACTION}, fps=fps) as writer:
        for episode in range(episodes):
            number = first + episode * 5 + np.arange(5)
            pictures = {
                name: np.full((5, height, 16, 3), 100 * which, np.uint8)
                + number[:, None, None, None].astype(np.uint8)
                for which, (name, height) in enumerate(zip(names, heights, strict=True))
            }
            writer.add_episode({**pictures, "action": (number**2)[:, None].astype(np.float32)})
    return Recording(path)


@pytest.mark.parametrize("heights", [(16, 16), (16, 24)])
def test_two_recordings_and_two_cameras_are_one_run(tmp_path, heights):
    one = write_marked(tmp_path / "one", heights, 3, first=0)
    two = write_marked(tmp_path / "two", heights[:1], 2, first=50)
    clips = Clips([one, two], split=None, size=16)
    assert clips.num_clips == 3 * 2 + 2
    assert clips.num_frames == 40
    sampler = Sampler(clips, {"pair": Needs(frames=2, between={"action": None})}, 40, seed=0)
    batch = sampler.batch("pair", 0)
    assert batch["frames"].shape == (40, 2, 3, 16, 16)
    track = clips.track[batch["clip"].numpy()]
    assert set(track) == {0, 1, 2}
    # The grey of a picture is its number, and 100 more where the second camera took it.
    grey = batch["frames"][:, :, 0, 8, 8].numpy().astype(int)
    assert (batch["frames"].amax((2, 3, 4)) == batch["frames"].amin((2, 3, 4))).all()
    number = grey - 100 * (track == 1)[:, None]
    assert ((number >= 50) == (track == 2)[:, None]).all()
    assert sorted(number[:, 0].tolist()) == sorted([*range(15)] * 2 + [*range(50, 60)])
    assert (number[:, 0] // 5 == number[:, 1] // 5).all()
    np.testing.assert_array_equal(batch["action"][:, 0].numpy(), number[:, 1] ** 2 - number[:, 0] ** 2)


def test_streams_that_differ_between_recordings_are_refused(tmp_path, shapes):
    other = write_marked(tmp_path / "one", (16,), 3, first=0)
    clips = Clips([shapes, other], split=None, size=16)
    with pytest.raises(
        HandsightError, match=r"stream 'action' differs between recordings .*train on recordings"
    ):
        Sampler(clips, {"pair": Needs(frames=2, between={"action": None})}, 4, seed=0)
