"""What oracles tell: the truth at a point, and a point for each thing in reach."""

import numpy as np
import pytest
from blocks_place import AT, Block, Blocks

from handsight.agents.attempts import Acting, Feedback, arrive
from handsight.agents.feedback import SelfSupervision
from handsight.agents.oracles import told_experience, told_masks, told_points
from handsight.errors import HandsightError

RED, BLUE, FAR = (220, 40, 40), (40, 40, 220), (230, 230, 40)


def three():
    """Two blocks in reach, at cells 4 to 9 and 18 to 23 of rows 4 to 9, and one out of reach below them."""
    near = Block(12, 12, 30, RED), Block(12, 54, 30, BLUE)
    return Blocks((*near, Block(60, 12, 30, FAR, distance_m=1.8)))


def truth(place):
    sight = place.enter(AT)
    return place.instances(), sight.depth_m, place.reach_m


def rng():
    return np.random.default_rng(0)


def test_one_point_on_each_thing_stays_and_others_are_not_affected():
    points = np.array(
        [(5, 5), (0, 0), (9, 9), (22, 6), (5, 6)]
    )  # two too many on the first; none on the second
    got, which = told_points(rng(), points, *truth(three()))
    np.testing.assert_array_equal(got[:3], [(5, 5), (0, 0), (22, 6)])
    assert which.tolist() == [0, 1, 3, -1]
    row, column = got[3]
    assert 4 <= row <= 9
    assert 18 <= column <= 23


def test_where_all_have_their_point_nothing_is_added():
    points = np.array([(5, 5), (5, 20)])
    got, which = told_points(rng(), points, *truth(three()))
    np.testing.assert_array_equal(got, points)
    assert which.tolist() == [0, 1]


def test_added_points_are_anywhere_on_the_thing_and_the_draws_decide():
    generator = rng()
    drawn = {
        tuple(told_points(generator, np.array([(0, 0), (5, 5)]), *truth(three()), most=3)[0][2].tolist())
        for _ in range(300)
    }
    assert drawn == {(row, column) for row in range(4, 10) for column in range(18, 24)}
    twice = [told_points(rng(), np.array([(0, 0), (5, 5)]), *truth(three()), most=3)[0] for _ in range(2)]
    np.testing.assert_array_equal(*twice)


def test_no_more_points_than_were_given_unless_asked_for():
    points = np.array([(0, 0), (0, 1)])
    _, which = told_points(rng(), points, *truth(three()))
    assert which.tolist() == [-1, -1]
    assert len(told_points(rng(), points, *truth(three()), most=9)[0]) == 4
    _, which = told_points(rng(), points, *truth(three()), most=3)
    assert which.tolist() == [0, -1, -1]
    assert len(told_points(rng(), points, *truth(three()), most=1)[0]) == 1
    assert len(told_points(rng(), points[:0], *truth(three()), most=5)[0]) == 2


def test_with_infinite_reach_the_far_thing_is_one_too():
    instances, depth_m, _ = truth(three())
    _, which = told_points(rng(), np.array([(22, 6), (23, 6)]), instances, depth_m, np.inf, most=9)
    assert which.tolist() == [0, -1, -1]


def test_the_true_mask_is_that_of_what_is_at_the_point():
    masks = told_masks(np.array([(5, 5), (5, 20), (0, 0), (22, 6)]), *truth(three()))
    expected = np.zeros((4, 30, 30), bool)
    expected[0, 4:10, 4:10] = expected[1, 4:10, 18:24] = True
    np.testing.assert_array_equal(masks, expected)
    instances, depth_m, _ = truth(three())
    assert told_masks(np.array([(22, 6)]), instances, depth_m, np.inf).sum() == 36


def test_the_part_of_a_thing_that_is_out_of_reach_belongs_to_its_mask_but_is_not_touched():
    instances, depth_m, reach_m = truth(three())
    depth_m = depth_m.copy()
    depth_m[:, 60:] = 2.0  # of the second thing, cells 20 to 23
    masks = told_masks(np.array([(5, 19), (5, 21)]), instances, depth_m, reach_m)
    assert masks.sum(axis=(1, 2)).tolist() == [36, 0]
    got, which = told_points(rng(), np.array([(5, 5), (5, 21)]), instances, depth_m, reach_m, most=5)
    assert which.tolist() == [0, 1, -1]
    assert got[2][1] in (18, 19)


def test_what_is_told_is_learned_from_as_if_it_had_been_seen():
    place = three()
    arrival = arrive(place, AT, Acting())
    points = np.array([(5, 5), (0, 0), (22, 6)])
    told = told_experience(arrival, points, place.instances(), place.reach_m, SelfSupervision())
    assert told.feedback.tolist() == [Feedback.RIGHT, Feedback.FAILED, Feedback.FAILED]
    np.testing.assert_array_equal(
        told.masks, told_masks(points, place.instances(), arrival.sight.depth_m, place.reach_m)
    )
    assert told.tries_n.tolist() == [0, 0, 0]
    assert place.forces == []
    np.testing.assert_array_equal(told.image, arrival.sight.image)


def test_the_mass_class_of_what_is_touched_is_told_as_the_bin():
    masses = (0.2, 0.5, 7.0)
    blocks = (Block(12, 12 + 24 * n, 30, RED, mass_kg=mass) for n, mass in enumerate(masses))
    place = Blocks(tuple(blocks), reach_m=3.0)
    points = np.array([(5, 5), (5, 13), (5, 21), (20, 5)])
    told = told_experience(
        arrive(place, AT, Acting()), points, place.instances(), place.reach_m, SelfSupervision()
    )
    assert told.feedback.tolist() == [*[Feedback.RIGHT] * 3, Feedback.FAILED]
    assert told.bins.tolist() == [0, 1, 2, 0]


def test_what_is_too_small_to_be_judged_fails_and_leaves_no_mask():
    place = Blocks((Block(12, 12, 30, RED, size=3),))
    arrival = arrive(place, AT, Acting())
    told = told_experience(arrival, np.array([(4, 4)]), place.instances(), place.reach_m, SelfSupervision())
    assert told.feedback.tolist() == [Feedback.FAILED]
    assert not told.masks.any()


def test_a_point_outside_the_grid_is_named():
    with pytest.raises(HandsightError, match=r"^point \(30, 0\) is outside the grid of \(30, 30\) cells$"):
        told_masks(np.array([(30, 0)]), *truth(three()))
