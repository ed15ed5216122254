"""What lies between two frames, against independent references; and what a sample cannot be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.recordings import Feature, Needs, resolve_between
from handsight.recordings.needs import between_frames

ROWS = 40


def stream(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ROWS, size)).astype(np.float32)


def quaternions(seed: int) -> np.ndarray:
    """Return rotations as wxyz, half of them with w < 0."""
    rotations = Rotation.random(ROWS, rng=np.random.default_rng(seed)).as_quat(scalar_first=True)
    rotations[::2] *= -np.sign(rotations[::2, :1])
    return rotations.astype(np.float32)


pairs = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1)), min_size=1, max_size=20)


def columns(chosen):
    first, second = np.array(chosen, dtype=np.int64).T
    return first, second


@given(pairs, st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_difference_is_second_less_first(chosen, seed):
    values, (first, second) = stream(seed, 3), columns(chosen)
    found = between_frames("difference", values, first, second)
    assert found.dtype == np.float32
    for row, (a, b) in zip(found, chosen, strict=True):
        assert row.tolist() == [values[b, d] - values[a, d] for d in range(3)]


@given(pairs, st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_angle_is_sine_and_cosine_of_the_turn_whatever_the_winding(chosen, seed):
    values, (first, second) = stream(seed, 2) * 3, columns(chosen)
    found = between_frames("angle", values, first, second)
    assert found.shape == (len(chosen), 4)
    turn = np.exp(1j * values[second].astype(complex)) / np.exp(1j * values[first].astype(complex))
    np.testing.assert_allclose(found, np.concatenate([turn.imag, turn.real], axis=1), atol=1e-6)
    wound = values + np.float32(2 * np.pi) * np.arange(ROWS)[:, None].astype(np.float32)
    np.testing.assert_allclose(between_frames("angle", wound, first, second), found, atol=1e-4)


@given(pairs, st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_relative_rotation_is_scipys(chosen, seed):
    values, (first, second) = quaternions(seed), columns(chosen)
    found = between_frames("relative_rotation", values, first, second)
    before, after = (Rotation.from_quat(values[rows], scalar_first=True) for rows in (first, second))
    wanted = (before.inv() * after).as_quat(canonical=True, scalar_first=True)
    assert (found[:, 0] >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    # Half turns have two codes with w = 0: as rotations they agree.
    turned = Rotation.from_quat(found, scalar_first=True)
    off = (turned.inv() * Rotation.from_quat(wanted, scalar_first=True)).magnitude()
    np.testing.assert_allclose(off, 0, atol=2e-3)
    sure = wanted[:, 0] > 1e-3
    np.testing.assert_allclose(found[sure], wanted[sure], atol=1e-5)


def test_relative_rotations_compose():
    values = quaternions(3)
    a, b, c = (np.arange(start, start + 30) for start in (0, 4, 9))
    ab, bc, ac = (
        Rotation.from_quat(between_frames("relative_rotation", values, x, y), scalar_first=True)
        for x, y in ((a, b), (b, c), (a, c))
    )
    np.testing.assert_allclose(((ab * bc).inv() * ac).magnitude(), 0, atol=2e-3)


def test_relative_rotation_does_not_mind_length_or_sign_of_a_quaternion():
    values, first, second = quaternions(4), np.arange(20), np.arange(20, 40)
    found = between_frames("relative_rotation", values, first, second)
    scaled = values * np.where(np.arange(ROWS) % 3, -2.5, 0.3)[:, None].astype(np.float32)
    np.testing.assert_allclose(between_frames("relative_rotation", scaled, first, second), found, atol=1e-5)


@given(pairs, st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_sum_adds_steps_and_takes_them_back(chosen, seed):
    values, (first, second) = stream(seed, 2), columns(chosen)
    found = between_frames("sum", values, first, second)
    position = np.concatenate([np.zeros((1, 2)), np.cumsum(values.astype(np.float64), axis=0)])
    np.testing.assert_allclose(found, position[second] - position[first], atol=1e-5)
    np.testing.assert_allclose(between_frames("sum", values, second, first), -found, atol=1e-6)


def test_stack_lists_what_was_done_on_the_way():
    values = stream(5, 2)
    found = between_frames("stack", values, np.array([0, 7]), np.array([3, 10]))
    assert found.tolist() == [
        [*values[0], *values[1], *values[2]],
        [*values[7], *values[8], *values[9]],
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, "a sample has 0 frames and 1 views; each must be at least 1"),
        ({"views": 0}, "a sample has 1 frames and 0 views; each must be at least 1"),
        ({"pairing": "near"}, "pairing is 'near'; it can be one of uniform, window, random-walk, opposite"),
        (
            {"frames": 2, "pairing": "window"},
            r"pairing 'window' came with gap None; give least and most frames, as in \(1, 30\)",
        ),
        ({"frames": 2, "pairing": "window", "gap": (0, 3)}, r"came with gap \(0, 3\)"),
        ({"frames": 2, "pairing": "window", "gap": (4, 3)}, r"came with gap \(4, 3\)"),
        ({"frames": 2, "gap": (1, 3)}, r"gap \(1, 3\) came with pairing 'uniform'; only 'window' has a gap"),
        (
            {"frames": 3, "between": {"action": None}},
            "what lies between frames was asked of a sample of 3 frames; it takes 2",
        ),
        (
            {"frames": 2, "between": {"action": "stack"}},
            r"'stack' needs pairing 'window' with one fixed gap, as in \(10, 10\)",
        ),
        (
            {"frames": 2, "pairing": "window", "gap": (1, 3), "between": {"action": "stack"}},
            "'stack' needs pairing 'window' with one fixed gap",
        ),
    ],
)
def test_impossible_samples_are_refused(options, message):
    with pytest.raises(HandsightError, match=message):
        Needs(**options)


def test_between_is_what_was_asked_else_declared_else_difference():
    bare, declared = Feature("float32", (3,)), Feature("float32", (3,), between="sum")
    assert resolve_between("action", bare, None) == "difference"
    assert resolve_between("action", declared, None) == "sum"
    assert resolve_between("action", declared, "angle") == "angle"


@pytest.mark.parametrize(
    ("feature", "asked", "message"),
    [
        (
            Feature("int64", (1,)),
            None,
            "stream 'action' is int64; what lies between two frames takes a float",
        ),
        (Feature("string", (1,)), None, "stream 'action' is string"),
        (
            Feature("float32", (3,)),
            "relative_rotation",
            "stream 'action' has 3 entries; a relative rotation takes a quaternion wxyz, 4 of them",
        ),
        (Feature("float32", (3,)), "ratio", "between is 'ratio'; it can be one of difference, angle"),
    ],
)
def test_streams_that_have_no_between_are_refused(feature, asked, message):
    with pytest.raises(HandsightError, match=message):
        resolve_between("action", feature, asked)


def test_missing_names_streams_then_facts():
    needs = Needs(frames=2, between={"action": None, "state": None}, facts=("category", "split"))
    features = {"state": Feature("float32", (2,))}
    assert needs.missing(features, {"split": 0}) == ["action", "category"]
    assert needs.missing({**features, "action": features["state"]}, {"split": 0, "category": 1}) == []


def test_shortest_clip_is_reached_by_the_smallest_gaps():
    assert Needs(frames=2).shortest_clip == 1
    assert Needs(frames=2, pairing="window", gap=(5, 9)).shortest_clip == 6
    assert Needs(frames=4, pairing="window", gap=(5, 9)).shortest_clip == 16
