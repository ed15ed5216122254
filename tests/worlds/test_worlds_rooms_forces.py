"""Forces in rooms: what moves, what stays, and what happens when the simulation fails."""

import numpy as np
import pytest
from rooms_things import UP_AHEAD, middle, movable, moved_m, seen_things

from handsight.errors import HandsightError
from handsight.worlds import Rooms
from handsight.worlds.places import DIRECTIONS, LIGHT_KG, MEDIUM_KG, Location
from handsight.worlds.rooms import simulation as physics
from handsight.worlds.rooms.kinds import ROOM_KINDS
from handsight.worlds.rooms.simulation import Diverged, Simulation

SIZE = 64


@pytest.fixture(scope="module")
def rooms():
    """What is far off can be pushed, too, so that there is something everywhere."""
    place = Rooms(image_size=SIZE, reach_m=float("inf"))
    yield place
    place.close()


def test_a_strong_push_moves_what_is_light_and_its_mask_changes(rooms):
    for _, one, number in seen_things(rooms, 0.05, LIGHT_KG, 6):
        before = rooms.look().image
        distance, outcome = moved_m(rooms, number, middle(one.mask), 200.0)
        assert distance > 0.02, one.category
        assert (outcome.image != before)[one.mask].any()
        now = [other.mask for other in rooms.instances() if other.mass_kg == one.mass_kg]
        assert not now or not np.array_equal(now[0], one.mask)


def test_a_weak_push_does_not_move_what_is_heavy(rooms):
    for _, one, number in seen_things(rooms, 2 * MEDIUM_KG, 100.0, 6):
        distance, _ = moved_m(rooms, number, middle(one.mask), 5.0)
        assert distance < 0.02, one.category


def test_the_room_itself_never_moves_and_nothing_is_simulated(rooms):
    for kind in ROOM_KINDS:
        sight = rooms.enter(Location(f"{kind}-05", 2))
        taken = movable(rooms)
        began = rooms._simulation.data.time
        for v, u in np.argwhere(~taken)[:: SIZE * SIZE // 12]:
            outcome = rooms.apply_force(u, v, 200.0, UP_AHEAD)
            assert outcome.touched
            np.testing.assert_array_equal(outcome.image, sight.image)
        assert rooms._simulation.data.time == began


def test_what_is_not_touched_does_not_move(rooms):
    """A push at one thing leaves all those far from it exactly where they are; nothing was about to fall."""
    for location, one, number in seen_things(rooms, 0.02, LIGHT_KG, 6):
        before = rooms._simulation.places().copy()
        moved_m(rooms, number, middle(one.mask), 5.0)
        after = rooms._simulation.places()
        low, high = (pick(before[number], after[number]) for pick in (np.minimum, np.maximum))
        far = ((before < low - 0.7) | (before > high + 0.7))[:, :2].any(1)
        assert far.any(), location
        np.testing.assert_array_equal(after[far], before[far])


def test_things_rest_where_they_were_laid(rooms):
    """Woken by nothing but a look at them, things hardly sink, slide or tip."""
    fell = []
    for number in range(8):
        rooms.enter(Location(f"{ROOM_KINDS[number % 4]}-{number + 7:02d}", 1))
        simulation = rooms._simulation
        before = simulation.places().copy()
        simulation.data.qvel[:] = 1e-6  # wakes everything
        simulation._mujoco.mj_step(simulation._model, simulation.data, 200)
        fell += list(np.linalg.norm(simulation.places() - before, axis=1) > 0.02)
    assert np.mean(fell) < 0.03


def test_reach_is_kept_to():
    near = Rooms(image_size=SIZE, reach_m=1.5)
    far = Rooms(image_size=SIZE, reach_m=float("inf"))
    location = Location("living-03", 4)
    sight = near.enter(location)
    np.testing.assert_array_equal(far.enter(location).image, sight.image)
    for v, u in np.ndindex(SIZE, SIZE):
        if (u + v) % 9 == 0 and abs(sight.depth_m[v, u] - 1.5) > 0.1:
            assert near.apply_force(u, v, 1e-3, 0).touched is bool(sight.depth_m[v, u] < 1.5)
            assert far.apply_force(u, v, 1e-3, 0).touched
    near.close()
    far.close()


def test_directions_are_the_agents():
    """To the right, up and ahead are the agent's, who stands upright, whatever the camera's tilt."""
    rooms = Rooms(image_size=SIZE, reach_m=float("inf"))
    for _, one, number in seen_things(rooms, 0.1, LIGHT_KG, 3):
        found, simulation = rooms._found, rooms._simulation
        pushed = []
        simulation.push = lambda thing, point, force_n, pushed=pushed: pushed.append((thing, force_n))
        for direction in range(8):
            rooms.apply_force(*middle(one.mask), 30.0, direction)
        heading = found.heading_rad
        ahead, right = (
            np.array([np.cos(heading), np.sin(heading)]),
            np.array([np.sin(heading), -np.cos(heading)]),
        )
        for (thing, force), expected in zip(pushed, DIRECTIONS, strict=True):
            assert thing == number
            np.testing.assert_allclose(
                [force[:2] @ right, force[2], force[:2] @ ahead], 30 * expected, atol=1e-9
            )
    rooms.close()


def test_forces_add_up_until_a_location_is_entered_again(rooms):
    location, one, number = next(seen_things(rooms, 0.05, LIGHT_KG, 1))
    begin = rooms.look().image
    first = rooms.apply_force(*middle(one.mask), 30.0, UP_AHEAD).image
    np.testing.assert_array_equal(rooms.look().image, first)
    np.testing.assert_array_equal(rooms.enter(location).image, begin)
    again = rooms.apply_force(*middle(one.mask), 30.0, UP_AHEAD).image
    np.testing.assert_array_equal(again, first)
    assert number >= 0


@pytest.mark.parametrize("fails", ["numbers", "speed", "leaves"])
def test_what_diverges_is_flagged_and_leaves_a_safe_state(rooms, monkeypatch, fails):
    location, one, number = next(seen_things(rooms, 0.05, LIGHT_KG, 1))
    before, places = rooms.look(), rooms._simulation.places().copy()
    real = Simulation._push

    def breaks(self, body, point, force_n):
        real(self, body, point, force_n)
        speed = self._model.body_dofadr[body]
        if fails == "numbers":
            self.data.qvel[speed] = np.nan
        elif fails == "speed":
            self.data.qvel[speed : speed + 3] = 1e5
        else:
            self.data.qpos[self._model.jnt_qposadr[self._model.body_jntadr[body]] + 2] = 40.0

    monkeypatch.setattr(Simulation, "_push", breaks)
    outcome = rooms.apply_force(*middle(one.mask), 30.0, UP_AHEAD)
    assert outcome.touched
    assert outcome.diverged
    np.testing.assert_array_equal(outcome.image, before.image)
    np.testing.assert_allclose(rooms._simulation.places(), places, atol=1e-9)
    monkeypatch.undo()
    distance, after = moved_m(rooms, number, middle(one.mask), 200.0)
    assert distance > 0.02
    assert not np.array_equal(after.image, before.image)
    np.testing.assert_array_equal(rooms.enter(location).image, before.image)


def test_a_force_ends_and_no_longer_than_so_everything_is_simulated(rooms):
    for _, one, number in seen_things(rooms, 0.02, 100.0, 8):
        moved_m(rooms, number, middle(one.mask), 200.0)
        data = rooms._simulation.data
        assert not data.xfrc_applied.any()
        assert data.time <= physics.DURATION_S + physics.REST_S + 1e-6
        assert np.abs(data.qvel).max(initial=0) < 0.1


def test_what_is_pushed_hard_is_not_shot_away(rooms):
    """A hand's speed is the limit: what weighs grams flies no further than across the room."""
    for _, one, number in seen_things(rooms, 0.02, 0.15, 3):
        distance, _ = moved_m(rooms, number, middle(one.mask), 200.0)
        assert distance < 2.5, one.category


@pytest.mark.parametrize(
    ("force", "message"),
    [
        ((-1, 0, 5.0, 0), r"pixel \(-1, 0\) is outside the picture; columns and rows go from 0 to 63"),
        ((0, 64, 5.0, 0), r"pixel \(0, 64\) is outside the picture"),
        ((float("nan"), 0, 5.0, 0), r"pixel \(nan, 0\) is outside"),
        ((0, 0, 0.0, 0), "a force of 0 N cannot be applied; give newtons above 0"),
        ((0, 0, float("inf"), 0), "a force of inf N cannot be applied"),
        ((0, 0, 5.0, 8), "there is no direction 8; give 0 to 7"),
    ],
)
def test_forces_that_cannot_be_applied_are_refused(rooms, force, message):
    before = rooms.enter(Location("bedroom-03", 0))
    with pytest.raises(HandsightError, match=message):
        rooms.apply_force(*force)
    np.testing.assert_array_equal(rooms.look().image, before.image)


def test_a_force_before_a_location_is_entered_is_refused():
    place = Rooms(image_size=32)
    for use in (lambda: place.apply_force(1, 1, 5.0, 0), place.instances, place.look):
        with pytest.raises(HandsightError, match="rooms: no location was entered; enter one first"):
            use()
    assert issubclass(Diverged, Exception)
