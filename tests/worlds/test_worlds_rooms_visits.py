"""Visits to rooms: what the streams say is what was done."""

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.worlds import WORLDS, Rooms, RoomVisits
from handsight.worlds.places import DIRECTIONS, FORCES_N, Location

EYE = "observation.images.eye"
SIZE, ATTEMPTS_N = 32, 20


@pytest.fixture(scope="module")
def visits():
    world = RoomVisits(attempts=ATTEMPTS_N, image_size=SIZE, reach_m=float("inf"))
    yield world
    world.close()


def direction_of(heading, rise):
    """Return the number of the direction with these angles."""
    told = [np.cos(rise) * np.sin(heading), np.sin(rise), np.cos(rise) * np.cos(heading)]
    distances = np.linalg.norm(DIRECTIONS - told, axis=1)
    assert distances.min() < 1e-6
    return int(distances.argmin())


def test_the_same_forces_in_the_same_place_give_the_same_pictures(visits):
    place, changed = Rooms(image_size=SIZE, reach_m=float("inf")), 0
    for index in range(6):
        episode = visits.episode(3, index)
        frames, facts = episode.frames, episode.facts
        assert len(frames[EYE]) == ATTEMPTS_N + 1
        sight = place.enter(Location(facts["room"], facts["room_seed"]))
        np.testing.assert_array_equal(frames[EYE][0], sight.image)
        touched = 0
        for nth in range(ATTEMPTS_N):
            u, v = frames["force.point"][nth] * SIZE - 0.5
            direction = direction_of(frames["force.heading_rad"][nth, 0], frames["force.rise_rad"][nth, 0])
            newtons = float(frames["force.newtons"][nth, 0])
            assert newtons in FORCES_N
            outcome = place.apply_force(round(float(u)), round(float(v)), newtons, direction)
            touched += outcome.touched
            np.testing.assert_array_equal(frames[EYE][nth + 1], outcome.image)
        assert facts["touched_n"] == touched
        assert facts["diverged_n"] == 0
        assert facts["changed_n"] == np.count_nonzero((frames[EYE][1:] != frames[EYE][:-1]).any((1, 2, 3)))
        changed += facts["changed_n"]
        for name in ("force.point", "force.newtons", "force.heading_rad", "force.rise_rad"):
            assert not frames[name][-1].any(), "nothing is done after the last frame"
    place.close()
    assert changed > 0


@pytest.mark.parametrize("splits", ["novel-spaces", "novel-objects"])
def test_facts_name_the_room_and_its_split(splits):
    world, place = RoomVisits(attempts=1, image_size=16, splits=splits), Rooms(splits=splits)
    kinds = set()
    for index in range(12):
        facts = world.episode(0, index).facts
        assert facts["room"] in place.rooms(facts["split"])
        assert facts["room"].startswith(facts["room_kind"] + "-")
        kinds.add(facts["room_kind"])
    world.close()
    assert len(kinds) > 2


def test_the_command_line_knows_it():
    assert WORLDS["rooms"] is RoomVisits
    assert RoomVisits(video=True).features[EYE].dtype == "video"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attempts": 0}, "rooms: attempts is 0; it lies between 1 and 10000"),
        ({"image_size": 8}, "rooms: image_size is 8; it lies between 16 and 2048"),
        ({"reach_m": -1.0}, "rooms: reach_m is -1; it lies above 0, and may be infinite"),
        ({"splits": "mine"}, "rooms: splits is 'mine'; it is novel-spaces or novel-objects"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(HandsightError, match=message):
        RoomVisits(**options)
