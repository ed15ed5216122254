"""Rooms as places: what is seen, what is told of it, and what a location depends on."""

import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from rooms_things import movable
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.worlds import Rooms
from handsight.worlds.graphics import load_mujoco
from handsight.worlds.places import LIGHT_KG, MEDIUM_KG, VISIBLE_PIXELS_N, Location
from handsight.worlds.rooms.arrangement import arrange
from handsight.worlds.rooms.finishes import FINISHES, painted
from handsight.worlds.rooms.kinds import KINDS, ROOM_KINDS, kinds_of
from handsight.worlds.rooms.layouts import plan_of
from handsight.worlds.rooms.pieces import bounds, box, can, rod
from handsight.worlds.rooms.plans import overlap, room_names
from handsight.worlds.rooms.view import rays

SIZE = 48
HERE = Location("kitchen-04", 3)
SEVERAL = [Location(f"{kind}-{number:02d}", seed) for kind in ROOM_KINDS for number, seed in ((1, 0), (9, 5))]
OTHER_PROCESS = """
import hashlib, sys
from handsight.worlds import Rooms
from handsight.worlds.graphics import load_mujoco
from handsight.worlds.places import Location
rooms = Rooms(image_size=48)
rooms.enter(Location("bathroom-02", 1))
sight = rooms.enter(Location("kitchen-04", 3))
after = [rooms.apply_force(u, 30, 200.0, u % 8).image.tobytes() for u in range(4, 48, 8)]
print(hashlib.sha256(b"".join([sight.image.tobytes(), sight.depth_m.tobytes(), *after])).hexdigest())
"""


@pytest.fixture(scope="module")
def rooms():
    place = Rooms(image_size=SIZE)
    yield place
    place.close()


def everything(place, location=HERE):
    """Return all that is seen of a location, also after forces, as bytes."""
    sight = place.enter(location)
    after = [place.apply_force(u, 30, 200.0, u % 8).image.tobytes() for u in range(4, SIZE, 8)]
    return b"".join([sight.image.tobytes(), sight.depth_m.tobytes(), *after])


def test_a_location_looks_the_same_in_every_process_whatever_was_done_before(rooms):
    first = everything(rooms)
    rooms.enter(SEVERAL[5])
    rooms.apply_force(20, 40, 200.0, 1)
    assert everything(rooms) == first
    other = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS], capture_output=True, text=True, check=True, timeout=120
    )
    assert other.stdout.strip() == hashlib.sha256(first).hexdigest()


def test_two_places_in_one_process_do_not_disturb_each_other(rooms):
    alone = everything(rooms)
    other = Rooms(image_size=32, antialias=True)
    rooms.enter(HERE)
    before = other.enter(SEVERAL[3])
    np.testing.assert_array_equal(rooms.look().image, rooms.enter(HERE).image)
    assert everything(rooms) == alone
    other.close()
    assert everything(rooms) == alone
    np.testing.assert_array_equal(other.enter(SEVERAL[3]).image, before.image)
    del other  # never closed again
    assert everything(rooms) == alone


def test_averaged_pictures_have_depths_and_masks_of_the_same_pixels():
    fine, averaged = Rooms(image_size=64), Rooms(image_size=32, antialias=True)
    for location in SEVERAL[:3]:
        depth_m = fine.enter(location).depth_m
        np.testing.assert_array_equal(averaged.enter(location).depth_m, depth_m[1::2, 1::2])
        masks = [{each.category: each.mask for each in place.instances()} for place in (fine, averaged)]
        for category in masks[0].keys() & masks[1].keys():
            assert masks[1][category].shape == (32, 32)
        both = [np.any(list(found.values()), axis=0) for found in masks]
        np.testing.assert_array_equal(both[1], both[0][1::2, 1::2])
    fine.close()
    averaged.close()


def test_a_place_is_pickled_without_what_it_opened(rooms):
    rooms.enter(HERE)
    again = pickle.loads(pickle.dumps(rooms))
    assert again == rooms
    with pytest.raises(HandsightError, match="no location was entered; enter one first"):
        again.look()
    assert everything(again) == everything(rooms)
    again.close()
    again.close()


def test_what_is_seen_is_the_receivers(rooms):
    sight = rooms.enter(HERE)
    kept = sight.image.copy()
    sight.image[:] = 0
    sight.depth_m[:] = 0
    nothing = rooms.apply_force(*wall_pixel(rooms), 200.0, 0)
    np.testing.assert_array_equal(nothing.image, kept)
    nothing.image[:] = 0
    np.testing.assert_array_equal(rooms.look().image, kept)
    assert rooms.look().depth_m.min() > 0


def wall_pixel(rooms):
    """Return a pixel in which nothing movable is seen."""
    v, u = np.argwhere(~movable(rooms))[0]
    return int(u), int(v)


def test_pictures_and_depths_are_as_the_contract_says(rooms):
    for location in SEVERAL:
        sight = rooms.enter(location)
        assert sight.image.shape == (SIZE, SIZE, 3)
        assert sight.image.dtype == np.uint8
        assert sight.depth_m.shape == (SIZE, SIZE)
        assert sight.depth_m.dtype == np.float32
        assert np.isfinite(sight.depth_m).all()
        assert sight.depth_m.min() > 0.02
        assert sight.depth_m.max() < 10
        assert 40 < sight.image.mean() < 220, "neither in the dark nor blown out"
        assert sight.image.std() > 8


def test_a_ray_meets_what_is_seen_in_its_pixel_and_depth_is_how_far_away(rooms):
    """Against MuJoCo's own ray casting, in each pixel; edges may fall to either side."""
    for location in SEVERAL[::3]:
        sight = rooms.enter(location)
        seen = rooms._view.things()
        model, data = rooms._simulation.built.model, rooms._simulation.data
        axes = data.cam_xmat[0].reshape(3, 3) * [1, 1, -1]  # right, up, ahead
        distance, thing = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE), int)
        for v, u in np.ndindex(SIZE, SIZE):
            along = axes @ rays(SIZE)[v, u]
            along /= np.linalg.norm(along)
            np.testing.assert_allclose(along, rooms._ray(rooms._found, u + 0.7, v + 0.2), atol=1e-6)
            geom = np.zeros(1, np.int32)
            distance[v, u] = load_mujoco().mj_ray(
                model, data, data.cam_xpos[0], along, None, 1, -1, geom, None
            )
            thing[v, u] = rooms._simulation.built.thing_of_geom[geom[0]]
        assert (thing == seen).mean() > 0.97
        near = np.abs(distance - sight.depth_m) < 0.01 + 0.02 * distance
        assert near.mean() > 0.95


def test_instances_are_what_is_movable_and_seen(rooms):
    found = 0
    for location in SEVERAL:
        sight = rooms.enter(location)
        instances = rooms.instances()
        categories = {thing.category: thing for thing in arrange(location).things}
        for one in instances:
            found += 1
            assert one.mask.shape == (SIZE, SIZE)
            assert one.mask.dtype == np.bool_
            assert one.mask.any()
            assert one.category in categories
            near = np.count_nonzero(one.mask & (sight.depth_m <= rooms.reach_m))
            assert one.in_reach is bool(near >= VISIBLE_PIXELS_N)
            light, heavy = KINDS[one.category].mass_kg
            assert light * 0.99 <= one.mass_kg <= heavy * 1.01
        assert np.sum([one.mask for one in instances], axis=0).max(initial=0) <= 1, "a pixel is of two"
    assert found > 20


def test_masses_are_those_that_are_simulated(rooms):
    rooms.enter(HERE)
    built = rooms._simulation.built
    masses = [thing.mass_kg for thing in rooms._found.things]
    np.testing.assert_allclose(built.model.body_mass[built.body_of_thing], masses, rtol=1e-6)


def test_there_are_many_kinds_in_all_kinds_of_room_and_of_all_weights():
    assert len(KINDS) >= 60
    in_bedrooms = [set(kind.rooms) for kind in KINDS.values() if "bedroom" in kind.rooms]
    new_in_bedrooms = [rooms for rooms in in_bedrooms if not rooms & {"kitchen", "living"}]
    assert len(new_in_bedrooms) > 0.8 * len(in_bedrooms)
    for room in ROOM_KINDS:
        masses = [mass for kind in KINDS.values() if room in kind.rooms for mass in kind.mass_kg]
        assert min(masses) < LIGHT_KG
        assert max(masses) > MEDIUM_KG
        assert any(LIGHT_KG <= mass < MEDIUM_KG for mass in masses)
        assert kinds_of(room, "top")
    every = [mass for kind in KINDS.values() for mass in kind.mass_kg]
    assert min(every) >= 0.02
    assert max(every) <= 60


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_can_be_built_in_every_size(name):
    rng = np.random.default_rng(0)
    for size in (0.0, 0.5, 1.0):
        pieces = KINDS[name].build(rng, size)
        assert len(pieces) <= 16
        assert any(piece.solid for piece in pieces)
        low, high = bounds(pieces)
        assert 0.01 < (high - low).max() < 2
        for piece in pieces:
            assert piece.finish in FINISHES
            assert min(piece.half_m) > 0
            assert 0 <= min(piece.colour) <= max(piece.colour) <= 1
            assert np.linalg.norm(piece.turn) == pytest.approx(1)


def test_pieces_just_fit_into_their_bounds():
    rng = np.random.default_rng(1)
    for make in (lambda: box(0.2, 0.3, 0.4, (0, 0, 0)), lambda: can(0.1, 0.5, (0, 0, 0))):
        piece = make().turned(*rng.uniform(-3, 3, 3)).about(0.7, 1, 2, 3)
        rows = np.array(_corners(piece))
        low, high = bounds([piece])
        np.testing.assert_allclose(rows.min(0), low, atol=2e-3)
        np.testing.assert_allclose(rows.max(0), high, atol=2e-3)
    bar = rod((0, 0, 0), (0.3, 0.4, 0), 0.05, (0, 0, 0))
    np.testing.assert_allclose(bounds([bar]), [[-0.05] * 3, [0.35, 0.45, 0.05]], atol=1e-9)


def _corners(piece):
    """Return points of a piece's surface, in the room."""
    angle = np.linspace(0, 2 * np.pi, 200)
    round_ = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    square = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    flat = square if piece.form == "box" else round_
    points = [[a, b, c] for a, b in flat for c in (-1, 1)]
    turn = Rotation.from_quat(piece.turn, scalar_first=True)
    return turn.apply(np.array(points) * piece.half_m) + piece.at_m


def test_rooms_differ_by_name_and_what_lies_in_them_by_seed():
    one, other = plan_of("living-01"), plan_of("living-02")
    assert one.size_m != other.size_m
    assert plan_of("living-01") is one, "the plan follows from the name alone"
    first, second = (arrange(Location("living-01", seed)) for seed in (0, 1))
    assert first.plan is second.plan
    assert [thing.category for thing in first.things] != [thing.category for thing in second.things]
    assert first.eye_m != second.eye_m
    assert not np.array_equal(first.lamp, second.lamp)


def test_nothing_stands_in_anything_else():
    for location in SEVERAL:
        found = arrange(location)
        x, y = found.eye_m[:2]
        assert not any(overlap((x, y, x, y), other) for other in found.plan.blocked)
        assert abs(x) < found.plan.size_m[0] / 2
        assert abs(y) < found.plan.size_m[1] / 2


def test_something_can_be_reached_at_most_locations(rooms):
    reached = []
    for seed in range(24):
        rooms.enter(Location(f"{ROOM_KINDS[seed % 4]}-{seed + 1:02d}", seed))
        reached.append(any(one.in_reach for one in rooms.instances()))
    assert np.mean(reached) > 0.5


@pytest.mark.parametrize("splits", ["novel-spaces", "novel-objects"])
def test_splits_are_disjoint_and_complete(splits):
    place = Rooms(splits=splits)
    parts = {split: list(place.rooms(split)) for split in ("train", "validation", "test")}
    everyone = [name for names in parts.values() for name in names]
    assert sorted(everyone) == sorted(name for kind in ROOM_KINDS for name in room_names(kind))
    assert len(set(everyone)) == 120
    kinds = {split: {name.split("-")[0] for name in names} for split, names in parts.items()}
    if splits == "novel-spaces":
        assert [len(parts[split]) for split in parts] == [80, 20, 20]
        assert all(found == set(ROOM_KINDS) for found in kinds.values())
    else:
        assert kinds == {"train": {"kitchen", "living"}, "validation": {"bathroom"}, "test": {"bedroom"}}


def test_textures_wrap_nothing_outside_their_range():
    for finish in FINISHES.values():
        if finish.pattern is not None:
            texture = painted(finish.pattern)
            assert texture.dtype == np.uint8
            assert texture.std() > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 8}, "rooms: image_size is 8; it lies between 16 and 2048"),
        ({"reach_m": 0.0}, "rooms: reach_m is 0; it lies above 0, and may be infinite"),
        ({"reach_m": float("nan")}, "rooms: reach_m is nan; it lies above 0"),
        ({"splits": "all"}, "rooms: splits is 'all'; it is novel-spaces or novel-objects"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(HandsightError, match=message):
        Rooms(**options)


@pytest.mark.parametrize("name", ["garage-01", "kitchen-00", "kitchen-31", "kitchen-1", "kitchen", ""])
def test_a_room_that_is_not_there_is_named(rooms, name):
    before = rooms.enter(HERE)
    with pytest.raises(
        HandsightError, match=r"there is no room .*; there are kitchen-01 to kitchen-30, living-01"
    ):
        rooms.enter(Location(name, 0))
    np.testing.assert_array_equal(rooms.look().image, before.image, err_msg="it is where it was")


def test_splits_and_seeds_that_cannot_be_are_refused(rooms):
    with pytest.raises(HandsightError, match="there is no split 'dev'; there are train, validation and test"):
        rooms.rooms("dev")
    with pytest.raises(HandsightError, match="rooms: a location's seed is -1; it is 0 or more"):
        rooms.enter(Location("kitchen-01", -1))
