"""Each way of pairing is drawn from the distribution that it says; and gaps in a stream end a clip."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from handsight.errors import HandsightError
from handsight.recordings import Clips, Feature, Needs, Recording, Sampler, Writer, camera
from handsight.recordings.pairing import draw_frames, opposite_angles

MODES = {
    "uniform": {"pairing": "uniform"},
    "window": {"pairing": "window", "gap": (1, 3)},
    "random-walk": {"pairing": "random-walk", "walk_steps": 4},
    "opposite": {"pairing": "opposite"},
}


def write(path, lengths, **streams):
    """Write black clips; each stream is given for all frames, and may be unlike what a writer accepts."""
    features = {name: feature for name, (feature, _) in streams.items()}
    with Writer(path, {"observation.images.c": camera(8, 8), **features}, fps=10) as writer:
        for length in lengths:
            fine = {
                name: np.tile(np.eye(*feature.shape, 1)[:, 0], (length, 1)).astype(np.float32)
                for name, feature in features.items()
            }
            writer.add_episode({"observation.images.c": np.zeros((length, 8, 8, 3), np.uint8), **fine})
    (data,) = (path / "data").rglob("*.parquet")
    table = pq.read_table(data)
    for name, (_, values) in streams.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        column = [row if len(row) > 1 else row[0] for row in np.asarray(values, np.float32).tolist()]
        table = table.set_column(place, field, pa.array(column, field.type))
    pq.write_table(table, data)
    return Recording(path)


def sampler(recording, need, batch_size, seed=0):
    return Sampler(Clips([recording], split=None, size=8), {"pair": need}, batch_size, seed)


def drawn(sampler, batches):
    """Return the frame numbers of many batches, `[n, F]`."""
    return np.concatenate([sampler.batch("pair", step)["frame_index"].numpy() for step in range(batches)])


@pytest.mark.parametrize("mode", MODES)
def test_pairs_are_a_function_of_seed_and_step(mode, shapes):
    need = Needs(frames=2, between={"action": None}, **MODES[mode])
    one, other, reseeded = (Sampler(Clips([shapes], size=16), {"pair": need}, 12, seed) for seed in (1, 1, 2))
    other.batch("pair", 0)
    assert torch.equal(one.batch("pair", 5)["frame_index"], other.batch("pair", 5)["frame_index"])
    assert not torch.equal(one.batch("pair", 5)["frame_index"], reseeded.batch("pair", 5)["frame_index"])
    parts = [one.batch("pair", 5, rank, 3)["frame_index"] for rank in range(3)]
    assert torch.equal(torch.cat(parts), one.batch("pair", 5)["frame_index"])


def steps_at_random(length: int) -> np.ndarray:
    """Return P `[length, length]`: one step forwards or backwards, or none where it would leave the clip."""
    step = np.zeros((length, length))
    for place in range(length):
        for to in (place - 1, place + 1):
            step[place, to if 0 <= to < length else place] += 0.5
    return step


@pytest.mark.parametrize(("length", "steps"), [(7, 1), (7, 4), (4, 25), (6, None)])
def test_a_random_walk_ends_where_its_steps_lead(length, steps):
    need = Needs(frames=2, pairing="random-walk", walk_steps=steps)
    first = np.repeat(np.arange(length), 3000)
    frames = draw_frames(
        need, np.random.default_rng(0), first + 50, np.full_like(first, 50), np.full_like(first, length)
    )
    expected = 3000 * np.linalg.matrix_power(steps_at_random(length), steps or length)
    counts = np.zeros((length, length))
    np.add.at(counts, tuple(frames.T - 50), 1)
    possible = expected > 0
    assert (counts[~possible] == 0).all()
    difference = (counts - expected)[possible] ** 2 / expected[possible]
    assert stats.chi2.sf(difference.sum(), possible.sum() - length) > 0.01


def test_a_walk_goes_on_from_frame_to_frame():
    need = Needs(frames=3, pairing="random-walk", walk_steps=1)
    first = np.full(4000, 5)
    frames = draw_frames(need, np.random.default_rng(0), first, 0 * first, 0 * first + 20)
    assert set(np.abs(np.diff(frames, axis=1)).ravel()) == {1}
    counts = np.unique(frames[:, 2], return_counts=True)
    assert counts[0].tolist() == [3, 5, 7]
    assert stats.chisquare(counts[1], [1000, 2000, 1000]).pvalue > 0.01


def test_each_gap_of_a_window_is_as_likely():
    need = Needs(frames=2, pairing="window", gap=(2, 5))
    first = np.random.default_rng(1).integers(0, 12, 4000)
    frames = draw_frames(need, np.random.default_rng(0), first, 0 * first, 0 * first + 12)
    counts = np.unique(np.diff(frames, axis=1), return_counts=True)
    assert counts[0].tolist() == [2, 3, 4, 5]
    assert stats.chisquare(counts[1]).pvalue > 0.01
    inside = frames[:, 0] == first  # the others are those that were moved back from the clip's end
    assert (frames[~inside, 1] == 11).all()


@given(st.lists(st.floats(0, 6.25, width=32), min_size=1, max_size=20), st.data())
@settings(max_examples=50, deadline=None)
def test_the_opposite_is_the_frame_nearest_to_half_a_turn_away(angles, data):
    angles = np.array(angles, np.float32)
    frame = data.draw(st.integers(0, len(angles) - 1))
    (found,) = opposite_angles(angles, np.array([frame]), np.array([0]), np.array([len(angles)]))
    directions = np.exp(1j * angles.astype(np.float64))
    # The most opposite direction has the least cosine with this one.
    cosines = (directions * directions[frame].conj()).real
    assert cosines[found] <= cosines.min() + 2e-4


def test_opposites_on_a_turntable_are_half_a_turn_apart_with_and_without_the_action(shapes):
    each = []
    for between in ({}, {"action": None}):
        need = Needs(frames=2, pairing="opposite", between=between)
        frames = drawn(Sampler(Clips([shapes], size=16), {"pair": need}, 24, 0), 3)
        turn = np.diff(shapes.stream("action")[:, 0][frames].astype(float), axis=1)
        np.testing.assert_allclose(np.cos(turn), -1, atol=1e-5)
        assert sorted(frames[:, 0]) == sorted(Clips([shapes], size=16).all_frames()[1])
        each.append(frames)
    np.testing.assert_array_equal(*each)


def test_without_an_angle_opposites_are_half_a_clip_apart(tmp_path):
    recording = write(tmp_path / "r", [6, 5, 1])
    frames = drawn(sampler(recording, Needs(frames=2, pairing="opposite"), 12), 1)
    pairs = {int(a): int(b) for a, b in frames}
    assert pairs == {0: 3, 1: 4, 2: 5, 3: 0, 4: 1, 5: 2, 6: 8, 7: 9, 8: 10, 9: 6, 10: 7, 11: 11}


ACTION = Feature("float32", (2,), between="difference")


@pytest.fixture
def gappy(tmp_path):
    """Clips of 8, 5 and 4 frames whose action is missing in frames 3, 5, 12 and 13."""
    values = np.stack([np.arange(17), np.arange(17) ** 2], axis=1).astype(np.float32)
    values[3, 0] = values[5, 1] = values[12] = np.nan
    values[13, 0] = np.inf
    return write(tmp_path / "r", [8, 5, 4], action=(ACTION, values))


PIECES = ({0, 1, 2}, {4}, {6, 7}, {8, 9, 10, 11}, {14, 15, 16})
GAPS = "ignore:'action' has gaps"


@pytest.mark.filterwarnings(GAPS)
@pytest.mark.parametrize("kind", ["difference", "sum"])
@pytest.mark.parametrize("mode", MODES)
def test_a_pair_never_spans_a_gap(mode, kind, gappy):
    need = Needs(frames=2, between={"action": kind}, **MODES[mode])
    one = sampler(gappy, need, 6)
    pieces = [piece for piece in PIECES if len(piece) > 1 or mode != "window"]
    assert one.steps_per_epoch == sum(map(len, pieces)) // 6
    frames = np.concatenate([drawn(one, 40), one.batch("pair", 99)["frame_index"].numpy()])
    seen = {frozenset(pair) for pair in frames.tolist()}
    assert all(any(pair <= piece for piece in pieces) for pair in seen)
    assert set(frames.ravel()) == set().union(*pieces)
    assert one.between_samples("pair", "action", 500).isfinite().all()


@pytest.mark.filterwarnings(GAPS)
def test_within_a_piece_pairs_are_uniform(gappy):
    one = sampler(gappy, Needs(frames=2, between={"action": None}), 13)
    frames = drawn(one, 300)
    counts = np.array([(frames == (a, b)).all(axis=1).sum() for p in PIECES for a in p for b in p])
    expected = np.array([300 / len(p) for p in PIECES for _ in range(len(p) ** 2)])
    assert counts.sum() == 13 * 300
    assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 13) > 0.01


@pytest.mark.filterwarnings(GAPS)
def test_a_stack_never_spans_a_gap(gappy):
    need = Needs(frames=2, pairing="window", gap=(2, 2), between={"action": "stack"})
    one = sampler(gappy, need, 4)
    frames = drawn(one, 20)
    assert {tuple(pair) for pair in frames.tolist()} == {(0, 2), (8, 10), (9, 11), (14, 16)}
    assert one.batch("pair", 3)["action"].isfinite().all()


def test_gaps_are_said_and_what_does_not_need_the_stream_is_left_alone(gappy, tmp_path):
    with pytest.warns(
        UserWarning,
        match=rf"^'action' has gaps: it is not finite in 4 of 17 frames of {tmp_path}/r;"
        " a clip ends there, and no pair spans one$",
    ):
        sampler(gappy, Needs(frames=2, between={"action": None}), 4)
    assert sampler(gappy, Needs(frames=2), 17).steps_per_epoch == 1


@pytest.mark.filterwarnings(GAPS)
def test_gaps_that_leave_too_little_are_refused(gappy):
    with pytest.raises(
        HandsightError,
        match=r"a batch of 14 is larger than the data: between the gaps of action, 13 frames can be drawn",
    ):
        sampler(gappy, Needs(frames=2, between={"action": None}), 14)


def test_a_quaternion_that_is_not_unit_is_refused_by_name(tmp_path):
    turned = Feature("float32", (4,), between="relative_rotation")
    values = np.tile(np.float32([0.6, 0, 0.8, 0]), (9, 1))
    values[2] = np.nan  # a gap, and no wrong quaternion
    values[7] *= 0.5
    recording = write(tmp_path / "r", [4, 5], turned=(turned, values))
    need = Needs(frames=2, between={"turned": None})
    with pytest.raises(
        HandsightError,
        match=r"r: 'turned' is \(0.3, 0, 0.4, 0\) in episode 1, frame 3, of length 0.5; expected a unit"
        r" quaternion wxyz. Leave that episode out with --hold-out, or say what the stream holds",
    ):
        sampler(recording, need, 2)
    clips = Clips([recording], split=None, size=8, hold_out=(1,))
    with pytest.warns(UserWarning, match="'turned' has gaps"):
        assert Sampler(clips, {"pair": need}, 2, 0).batch("pair", 0)["turned"].isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"walk_steps": 3}, "walk_steps 3 came with pairing 'uniform'; only 'random-walk' has steps"),
        (
            {"pairing": "random-walk", "walk_steps": 0},
            "walk_steps 0 .* only 'random-walk' has steps, at least 1",
        ),
        (
            {"pairing": "random-walk", "gap": (1, 2)},
            "came with pairing 'random-walk'; only 'window' has a gap",
        ),
        (
            {"pairing": "opposite", "frames": 3},
            "pairing 'opposite' came with 3 frames; a frame has one opposite",
        ),
    ],
)
def test_pairings_that_cannot_be_are_refused(options, message):
    with pytest.raises(HandsightError, match=message):
        Needs(**{"frames": 2, **options})
