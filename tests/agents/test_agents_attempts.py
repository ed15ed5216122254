"""Acting at a location, in a place that is a picture: every branch of the force test, and its order."""

import pickle

import numpy as np
import pytest
from blocks_place import AT, Block, Blocks, one

from handsight.agents.attempts import (
    Acting,
    Experience,
    Feedback,
    arrive,
    explore,
    unpack_masks,
)
from handsight.agents.choosing import random_actions
from handsight.agents.feedback import SelfSupervision
from handsight.errors import HandsightError
from handsight.objectives import attempted
from handsight.objectives.attempted import UNTESTED
from handsight.worlds.places import DIRECTIONS

ON = (12, 8)
"""The cell in the middle of the one block: rows 30 to 47, columns 18 to 35."""


def rng():
    return np.random.default_rng(3)


TESTS = {
    # (predicted bin, newtons that move it): (feedback, forces tried)
    (0, 1): (Feedback.RIGHT, [5]),
    (0, 30): (Feedback.TOO_SMALL, [5, 5, 200]),
    (0, 999): (Feedback.FAILED, [5, 5, 200]),
    (1, 1): (Feedback.TOO_LARGE, [5]),
    (1, 30): (Feedback.RIGHT, [5, 30]),
    (1, 200): (Feedback.TOO_SMALL, [5, 30, 200]),
    (1, 999): (Feedback.FAILED, [5, 30, 200]),
    (2, 30): (Feedback.TOO_LARGE, [30]),
    (2, 200): (Feedback.RIGHT, [30, 200]),
    (2, 999): (Feedback.FAILED, [30, 200]),
}


def test_feedback_is_told_in_the_numbers_that_are_learned_from():
    for name in ("FAILED", "RIGHT", "TOO_SMALL", "TOO_LARGE"):
        assert Feedback[name] == getattr(attempted, name)


@pytest.mark.parametrize(("predicted", "needed"), TESTS)
def test_a_predicted_force_is_tested_in_up_to_three_steps(predicted, needed):
    place = one(needed)
    told = explore(place, AT, [ON], [predicted], rng())
    feedback, forces = TESTS[predicted, needed]
    assert place.forces == forces
    assert told.feedback.tolist() == [feedback]
    assert told.bins.tolist() == [predicted]
    assert told.tries_n.tolist() == [len(forces)]
    assert told.masks.any() == (feedback != Feedback.FAILED)
    assert not told.dropped


def test_the_smallest_force_is_tried_once_where_that_is_asked_for():
    place = one(30)
    told = explore(place, AT, [ON], [0], rng(), Acting(smallest_twice=False))
    assert place.forces == [5, 200]
    assert told.feedback.tolist() == [Feedback.TOO_SMALL]


@pytest.mark.parametrize(("needed", "feedback"), [(200, Feedback.RIGHT), (201, Feedback.FAILED)])
def test_where_forces_are_not_tested_the_largest_is_applied_once(needed, feedback):
    place = one(needed)
    told = explore(place, AT, [ON], None, rng(), Acting(weigh=False))
    assert place.forces == [200]
    assert told.feedback.tolist() == [feedback]
    assert told.bins.tolist() == [UNTESTED]


def test_the_mask_is_what_the_thing_covered_and_the_sight_is_that_before_anything_was_done():
    place = one(30)
    sight = place.enter(AT)
    told = explore(place, AT, [ON], [1], rng())
    expected = np.zeros((30, 30), bool)
    expected[10:16, 6:12] = True
    # A superpixel of the ground is cleared: little of it changed.
    np.testing.assert_array_equal(told.masks[0], expected)
    np.testing.assert_array_equal(told.image, sight.image)
    np.testing.assert_array_equal(told.depth_m, sight.depth_m)
    assert (told.room, told.seed) == ("table", 7)


def test_without_superpixels_the_mask_has_the_ground_that_was_covered_and_lacks_what_looks_the_same():
    told = explore(one(30), AT, [ON], [1], rng(), Acting(senses=SelfSupervision(superpixels=False)))
    expected = np.zeros((30, 30), bool)
    expected[10:16, 6:10] = expected[10:16, 12:16] = True  # it moved by two thirds of its width
    assert told.feedback.tolist() == [Feedback.RIGHT]
    np.testing.assert_array_equal(told.masks[0], expected)


def test_the_cells_middle_pixel_is_pushed_and_one_attempt_has_one_direction():
    place = one(999)
    explore(place, AT, [ON, (0, 0), (29, 19)], [1, 1, 0], rng())
    pushes = [entry for entry in place.log if len(entry) == 4]
    assert [(u, v) for u, v, *_ in pushes[::3]] == [(25, 37), (1, 1), (58, 88)]
    directions = np.array([direction for *_, direction in pushes]).reshape(3, 3)
    assert (directions == directions[:, :1]).all()
    np.testing.assert_array_equal(directions[:, 0], rng().integers(len(DIRECTIONS), size=3))


def test_directions_are_spread_over_all_eight():
    place = one(999)
    explore(place, AT, [ON] * 200, None, rng(), Acting(weigh=False))
    counts = np.bincount([entry[3] for entry in place.log if len(entry) == 4], minlength=8)
    assert counts.min() > 10


def test_where_a_force_reaches_nothing_no_stronger_one_is_tried():
    place = one(1, distance_m=1.6)
    told = explore(place, AT, [ON, (5, 25)], [1, 0], rng())
    assert place.forces == [5, 5]
    assert told.feedback.tolist() == [Feedback.FAILED] * 2
    assert not told.masks.any()


def test_forces_add_up_and_each_view_is_compared_with_the_one_before_it():
    place = one(1)
    # The block is at columns 18 to 35, after one push at 30 to 47, after two at 42 to 59. Superpixels are
    # those of the first view: the second push changes a third of where it was then, the third nothing of it.
    told = explore(place, AT, [ON, (12, 12), (12, 18)], None, rng(), Acting(weigh=False))
    assert place.left == [54]
    assert told.feedback.tolist() == [Feedback.RIGHT, Feedback.RIGHT, Feedback.FAILED]
    assert sum(entry == ("enter", AT) for entry in place.log) == 1
    np.testing.assert_array_equal(told.masks[0], told.masks[1])
    assert told.masks.sum(axis=(1, 2)).tolist() == [36, 36, 0]


def test_another_thing_is_told_from_the_first():
    place = Blocks((Block(12, 12, 1, (220, 40, 40)), Block(54, 12, 200, (40, 40, 220))))
    told = explore(place, AT, [(6, 6), (20, 6), (13, 6)], [0, 1, 2], rng())
    assert told.feedback.tolist() == [Feedback.RIGHT, Feedback.TOO_SMALL, Feedback.FAILED]
    assert not (told.masks[0] & told.masks[1]).any()
    assert told.masks[0, 6, 6]
    assert told.masks[1, 20, 6]
    assert not told.masks[2].any()


def test_what_came_before_a_failed_simulation_is_kept_and_marked():
    place = one(1)
    place.diverges_at = 3
    told = explore(place, AT, [ON, (25, 3), (0, 0)], [1, 0, 0], rng())
    assert told.dropped
    assert told.feedback.tolist() == [Feedback.TOO_LARGE]
    assert len(place.forces) == 3  # nothing is pushed after it


def test_one_who_has_arrived_does_not_enter_again():
    settings = Acting()
    place = one(30)
    arrival = arrive(place, AT, settings)
    told = explore(place, arrival, [ON], [1], rng(), settings)
    assert sum(entry[0] == "enter" for entry in place.log) == 1
    again = explore(one(30), AT, [ON], [1], rng(), settings)
    for name in ("image", "depth_m", "points", "bins", "feedback", "masks", "tries_n"):
        np.testing.assert_array_equal(getattr(told, name), getattr(again, name))


def test_the_same_draws_give_the_same_experience_and_others_others():
    cells, bins = random_actions(np.random.default_rng(0), 12, 30)
    logs = []
    for seed in (1, 1, 2):
        place = one(30)
        explore(place, AT, cells, bins, np.random.default_rng(seed))
        logs.append(place.log)
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


def test_nothing_may_be_tried():
    told = explore(one(), AT, np.zeros((0, 2), int), np.zeros(0, int), rng())
    assert told.masks.shape == (0, 30, 30)
    assert told.points.shape == (0, 2)
    assert told.packed_masks.shape == (0, 113)
    assert unpack_masks(told.packed_masks, 30).shape == (0, 30, 30)


def test_masks_are_packed_and_come_back_and_an_experience_travels():
    told = explore(one(30), AT, [ON, (0, 0)], [1, 2], rng())
    assert told.packed_masks.shape == (2, 113)
    np.testing.assert_array_equal(unpack_masks(told.packed_masks, 30), told.masks)
    back = pickle.loads(pickle.dumps(told))
    assert isinstance(back, Experience)
    np.testing.assert_array_equal(back.masks, told.masks)


MISTAKES = {
    "forces_n is [5.0, 5.0]; give two or more newtons above 0, in ascending order": lambda: Acting(
        (5.0, 5.0)
    ),
    "forces_n is [0.0, 5.0]; give two or more newtons above 0, in ascending order": lambda: Acting(
        (0.0, 5.0)
    ),
    "forces_n is [5.0]; give two or more newtons above 0, in ascending order": lambda: Acting((5.0,)),
    "2 points came with 1 predicted forces; give one for each": lambda: explore(
        one(), AT, [ON, ON], [1], rng()
    ),
    "1 points came with 0 predicted forces; give one for each": lambda: explore(one(), AT, [ON], None, rng()),
    "points came as 8 to 30; expected integers from 0 to 29": lambda: explore(
        one(), AT, [(8, 30)], [1], rng()
    ),
    "points came as float64; expected integers from 0 to 29": lambda: explore(
        one(), AT, [(8.0, 3)], [1], rng()
    ),
    "bins came as 3 to 3; expected integers from 0 to 2": lambda: explore(one(), AT, [ON], [3], rng()),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_named(line):
    with pytest.raises(HandsightError) as said:
        MISTAKES[line]()
    assert str(said.value) == line
