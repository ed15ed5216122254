"""What the hand does to things, and what it feels."""

import colorsys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.special import i0, i1
from tabletop_bodies import bench_with, body

from handsight.errors import HandsightError
from handsight.worlds.objects import CATEGORIES, make_object
from handsight.worlds.tabletop import bench as benches
from handsight.worlds.tabletop import interactions as acts
from handsight.worlds.tabletop.bench import TABLE_M, Bench, Lost
from handsight.worlds.tabletop.bodies import RADIUS_M, STIFFNESS_N_PER_M, THIN_M, body_of
from handsight.worlds.tabletop.interactions import Push, draw_push, fitted_line, grasp, poke, push, voltage_v
from handsight.worlds.world import generator

HERE = np.array([0.05, 0.02])


def beside(x, y, place=HERE):
    return place + np.array([x, y])


def degrees(number):
    return np.radians(10.0 * number)


class NoNoise:
    def normal(self, mean, spread, shape):
        return np.zeros(shape)


def test_a_well_placed_grasp_holds():
    """Across its narrow side the block fits between the fingers."""
    bench = bench_with(body())
    before = bench.pose(0)[0][2]
    assert grasp(bench, 0, HERE, degrees(9))
    assert bench.pose(0)[0][2] - before > 0.1
    assert bench.fingers_on(0) == 2


@pytest.mark.parametrize(
    ("offset", "number"), [((0, 0.09), 9), ((0.12, 0), 9), ((0, 0), 0)], ids=["beside", "behind", "too wide"]
)
def test_a_badly_placed_grasp_fails(offset, number):
    bench = bench_with(body())
    assert not grasp(bench, 0, beside(*offset), degrees(number))


def test_what_is_round_is_held_at_every_angle():
    for number in range(0, 18, 3):
        assert grasp(bench_with(body("can", radius_m=0.05)), 0, HERE, degrees(number)), number


@pytest.mark.parametrize("number", [2, 7, 13])
def test_the_angle_turns_with_the_block(number):
    """Bins count from the picture's x to its y, clockwise from above: the block is turned the same way."""
    made = body()
    across = (number + 9) % 18
    assert grasp(bench_with(made, HERE, -degrees(number)), 0, HERE, degrees(across))
    assert not grasp(bench_with(made, HERE, -degrees(number)), 0, HERE, degrees(number))


def test_what_slips_out_of_the_hand_is_not_held():
    bench = bench_with(body())
    bench._model.geom_friction[:, 0] = 0.01
    assert not grasp(bench, 0, HERE, degrees(9))


@pytest.mark.parametrize("angle", [0.1, -0.1, np.pi, np.radians(175), np.nan, np.inf])
def test_an_angle_that_is_none_of_the_bins_is_refused(angle):
    with pytest.raises(HandsightError, match=r"^a grasp's angle is .* rad; give one of the 18, 0 to 170°"):
        grasp(bench_with(body()), 0, HERE, angle)


def test_bins_and_angles_are_one_another():
    assert [acts.bin_of_angle(acts.bin_angle_rad(number)) for number in range(18)] == [*range(18)]
    for number in (-1, 18):
        with pytest.raises(HandsightError, match=rf"is bin {number}; there are 18"):
            acts.bin_angle_rad(number)


@pytest.mark.parametrize("towards", [0.0, 1.1, 2.5, 4.0, 5.6])
def test_a_push_moves_the_object_along_its_direction(towards):
    bench = bench_with(body("can", radius_m=0.045))
    direction = np.array([np.cos(towards), np.sin(towards)])
    push(bench, Push(HERE - 0.08 * direction, HERE + 0.05 * direction, 0.015))
    way = bench.pose(0)[0][:2] - HERE
    assert way @ direction > 0.04
    assert abs(way @ [-direction[1], direction[0]]) < 0.5 * (way @ direction)


def test_a_longer_push_moves_it_farther_and_one_beside_it_does_not():
    ways = []
    for offset, reach in ((0, 0.02), (0, 0.08), (0.1, 0.08)):
        bench = bench_with(body("can", radius_m=0.045))
        start = beside(-0.08, offset)
        push(bench, Push(start, beside(0.08 + reach, 0, start), 0.015))
        ways.append(float(np.linalg.norm(bench.pose(0)[0][:2] - HERE)))
    assert ways[1] > ways[0] + 0.03
    assert ways[2] < 1e-3


def test_pushes_lead_to_the_middle_by_a_von_mises_distribution():
    rng, place = generator(1), np.array([0.12, -0.1])
    away = []
    for _ in range(2000):
        done = draw_push(rng, place, 0.04)
        way = done.end - done.start
        angle = np.arctan2(way[1], way[0])
        away.append(angle - np.arctan2(-place[1], -place[0]))
        assert np.linalg.norm(done.start - place) == pytest.approx(0.07)
        assert np.linalg.norm(np.cross([*way, 0], [*(place - done.start), 0])) < 1e-9
        assert 0 < done.height_m < 0.03
    mean = np.exp(1j * np.array(away)).mean()
    assert abs(np.angle(mean)) < 0.05
    assert abs(mean) == pytest.approx(i1(4.0) / i0(4.0), abs=0.02)


def test_what_is_pushed_off_the_table_is_lost():
    edge = np.array([TABLE_M - 0.03, 0])
    bench = bench_with(body("can", radius_m=0.04), edge)
    with pytest.raises(Lost, match="left the table"):
        push(bench, Push(beside(-0.08, 0, edge), beside(0.028, 0, edge), 0.015))
    with pytest.raises(Lost, match="leaves the table"):
        push(bench, Push(edge, beside(0.1, 0, edge), 0.015))


def test_what_explodes_is_lost_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bench = bench_with(body())
    bench._data.qvel[4:] = 1e3
    with pytest.raises(Lost, match="flew off"):
        bench.settle()
    bench.reset()
    bench._data.qpos[4] = np.nan
    with pytest.raises(Lost, match="flew off"):
        bench.settle()
    assert not list(tmp_path.iterdir())


def test_a_trace_rises_as_the_body_is_stiff():
    """Between touch and limit the force per way is the stiffness that the body has."""
    for stiffness in (250.0, 1000.0, 3500.0):
        trace = poke(bench_with(body(stiffness_n_per_m=stiffness)), 0, HERE)
        late = slice(acts.SAMPLES_N // 3, None)
        rise = np.polyfit(trace.depth_m[late], trace.force_n[late], 1)[0]
        assert rise == pytest.approx(stiffness, rel=0.2)  # the contact gives a little too
        assert (np.diff(trace.force_n) > -0.05).all()
        assert acts.POKE_LIMIT_N < trace.force_n[-1] < acts.POKE_LIMIT_N + 1
        assert trace.depth_m[0] == 0
        assert len(trace.depth_m) == len(trace.force_n) == acts.SAMPLES_N


def test_a_soft_objects_line_is_flatter():
    lines = []
    for stiffness in (300.0, 1000.0, 3000.0):
        trace = poke(bench_with(body(stiffness_n_per_m=stiffness)), 0, HERE)
        lines.append(fitted_line(trace.depth_m, voltage_v(generator(2), trace.force_n)))
    assert lines[0][0] * 2 < lines[1][0] < lines[2][0] / 2


def test_a_poke_that_meets_the_table_is_lost():
    with pytest.raises(Lost, match="missed"):
        poke(bench_with(body()), 0, beside(0, 0.12))


def test_a_poke_that_slips_off_is_lost():
    """At the edge of a can that lies there the finger goes down its side."""
    made = body("can", radius_m=0.05)
    bench = Bench([made])
    lying = Rotation.from_euler("x", np.pi / 2)
    bench.put(0, np.array([*HERE, made.height_below_m(lying) + 0.001]), lying)
    bench.settle()
    with pytest.raises(Lost, match="slipped off"):
        poke(bench, 0, beside(0.023, 0))


def test_the_skin_sensors_voltage_rises_with_the_force_and_is_noisy():
    force = np.linspace(0, 20, 50)
    quiet = voltage_v(NoNoise(), force)
    assert (np.diff(quiet) > 0).all()
    assert quiet[0] == acts.REST_V
    assert quiet[-1] < acts.SUPPLY_V
    away = voltage_v(generator(3), np.tile(force, 100)) - np.tile(quiet, 100)
    assert away.std() == pytest.approx(acts.NOISE_V, rel=0.05)


def test_the_line_is_that_of_least_squares():
    rng = generator(4)
    depth, volts = np.sort(rng.uniform(0, 0.02, 24)), rng.normal(2, 1, 24)
    both = np.linalg.lstsq(np.column_stack([depth, np.ones(24)]), volts, rcond=None)[0]
    np.testing.assert_allclose(fitted_line(depth, volts), both)


def test_objects_of_every_category_come_to_rest_on_the_table():
    lost = 0
    for number, category in enumerate(CATEGORIES):
        made = body_of(make_object(category, number))
        bench = Bench([made])
        try:
            acts.lie_down(generator(5, number), bench, upright=bool(number % 2))
        except Lost:
            lost += 1
            continue
        place, rotation = bench.pose(0)
        assert abs(place[2] - made.height_below_m(rotation)) < 0.004, category
    assert lost < 4


def test_bodies_lie_apart():
    made = [body(), body("can"), body("can", radius_m=0.04)]
    bench = Bench(made)
    acts.lie_down(generator(6), bench, upright=True)
    for one in range(3):
        for other in range(one):
            away = np.linalg.norm(bench.pose(one)[0][:2] - bench.pose(other)[0][:2])
            assert away > 0.06


def test_sizes_and_softness_are_in_range_and_what_is_pale_is_soft():
    made = [body_of(make_object("mug", seed)) for seed in range(60)]
    assert all(RADIUS_M[0] <= one.radius_m <= RADIUS_M[1] for one in made)
    low, high = STIFFNESS_N_PER_M
    stiffness = np.log([one.stiffness_n_per_m for one in made])
    assert (stiffness > np.log(low) - 1).all()
    assert (stiffness < np.log(high) + 1).all()
    colour = []
    for one in made:
        pairs = zip(one.shown.surfaces, one.shown.finishes, strict=True)
        texture = max(pairs, key=lambda pair: len(pair[0]))[1].texture
        colour.append(np.mean([colorsys.rgb_to_hsv(*pixel)[1] for pixel in texture[::8, ::8].reshape(-1, 3)]))
    expected = np.log(low) + np.array(colour) * (np.log(high) - np.log(low))
    assert abs((stiffness - expected).mean()) < 0.1
    assert 0.1 < (stiffness - expected).std() < 0.3
    assert np.corrcoef(colour, stiffness)[0, 1] > 0.8
    assert made[0].stiffness_n_per_m == body_of(make_object("mug", 0)).stiffness_n_per_m


def test_softness_is_that_of_the_object_not_of_its_category():
    """One seed looks alike in every category, but for which of its finishes covers most of it."""
    stiffness = {
        category: np.log([body_of(make_object(category, seed)).stiffness_n_per_m for seed in range(40)])
        for category in ("mug", "apple", "house", "fork")
    }
    means = [values.mean() for values in stiffness.values()]
    assert np.ptp(means) < 0.7 * np.mean([values.std() for values in stiffness.values()])


def test_what_is_thin_is_a_box():
    for category in ("fork", "spoon", "umbrella", "eyeglasses"):
        for piece in body_of(make_object(category, 1)).pieces:
            middle = piece.points - piece.points.mean(0)
            thickness = np.ptp(middle @ np.linalg.svd(middle, full_matrices=False)[2].T, axis=0).min()
            assert thickness > 0.999 * THIN_M
            if piece.box is not None:
                half, centre, rotation = piece.box
                np.testing.assert_allclose(
                    np.abs(rotation.inv().apply(piece.points - centre)), np.tile(half, (8, 1)), atol=1e-9
                )


def test_a_body_that_mujoco_cannot_make_solid_is_named_in_one_line(monkeypatch):
    def refuse(*given):
        raise ValueError("Error: mesh volume is too small: mesh 1\nElement name 'x'")

    monkeypatch.setattr(benches, "compiled", refuse)
    with pytest.raises(
        HandsightError, match=r"^block cannot be simulated \(mesh volume .*; mend the mesh or"
    ):
        Bench([body()])


def test_nothing_touches_what_the_hand_is_far_from():
    bench = bench_with(body())
    assert bench.fingers_on(0) == 0
    assert (bench.touch_n == 0).all()
    bench.reach(HERE, 0.2, degrees(4))
    place, angle, fingers = bench.hand_pose
    np.testing.assert_allclose(place, [*HERE, 0.2], atol=1e-9)
    assert Rotation.from_euler("z", angle).approx_equal(Rotation.from_euler("z", degrees(4)))
    np.testing.assert_allclose(fingers, 0.04)
