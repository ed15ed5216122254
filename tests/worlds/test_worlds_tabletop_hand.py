"""The hand as it is drawn, the angle of its grasps, and whoever watches it."""

import numpy as np
import pytest
import torch
from tabletop_bodies import BLACK, LIGHT, bench_with, body, long_axis

from handsight.objectives.grasp import angle_bins
from handsight.sources.grasps import angle_bin
from handsight.worlds.scene import Camera
from handsight.worlds.tabletop.interactions import Push, bin_angle_rad, push
from handsight.worlds.tabletop.view import View, find_blobs, to_picture


@pytest.fixture(scope="module")
def view():
    view = View(128, 1, 3072, antialias=True, closed=True)
    yield view
    view.close()


@pytest.mark.parametrize("number", [0, 4, 13])
def test_the_hand_is_drawn_where_it_is_along_the_angle_of_its_grasp_if_that_is_asked_for(view, number):
    bench = bench_with(body(), (0.1, 0.1))
    view.clear(BLACK, LIGHT)
    view.show(bench.bodies)
    without = view.picture(bench)
    angle = bin_angle_rad(number)
    bench.reach(np.array([-0.1, -0.05]), 0.05, -angle)
    (hand,) = find_blobs(without, view.picture(bench, hand=True))
    np.testing.assert_allclose(hand.middle, [-0.1, -0.05], atol=0.015)  # what is high seems farther out
    assert abs(np.sin(long_axis(hand) - angle)) < 0.06
    above = Camera(np.array([0, -1e-6, 40.0]), np.zeros(3), 0.3)
    assert not np.array_equal(view.picture(bench, camera=above), without)
    assert np.array_equal(view.picture(bench), without)


@pytest.mark.parametrize("number", range(18))
def test_the_fingers_lie_along_the_long_side_of_the_rectangle_that_the_source_grasps_has_its_angles_of(
    number,
):
    """A rectangle along the picture's x-axis is turned by the angle, as its authors draw it, y downwards."""
    bench, angle = bench_with(body()), bin_angle_rad(number)
    bench.reach(np.array([0.1, -0.05]), 0.1, -angle)
    left, right = (to_picture(bench._data.body(name).xpos[:2]) for name in ("left", "right"))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    side = turn @ [np.linalg.norm(right - left), 0]
    np.testing.assert_allclose(right - left, side, atol=1e-9)
    assert angle_bin(float(np.float32(angle))) == number
    assert angle_bins(torch.tensor([angle])).item() == number


def test_whoever_watches_changes_nothing(view):
    poses, seen = [], []
    for watched in (False, True):
        bench = bench_with(body("can", radius_m=0.045))
        view.clear(BLACK, LIGHT)
        view.show(bench.bodies)
        if watched:
            bench.watch = lambda bench=bench: seen.append(view.picture(bench, hand=True))
        push(bench, Push(np.array([-0.03, 0.02]), np.array([0.1, 0.02]), 0.015))
        poses.append(bench.pose(0))
    assert len(seen) > 20
    assert any(not np.array_equal(one, seen[0]) for one in seen)
    np.testing.assert_array_equal(poses[0][0], poses[1][0])
    np.testing.assert_array_equal(poses[0][1].as_quat(), poses[1][1].as_quat())
