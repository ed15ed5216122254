"""AI2-THOR's door, against a stand-in that speaks its interface, and the authors' lists of locations."""

import json
import math
import pickle
import sys

import numpy as np
import pytest
import thor_stand_in
from pycocotools import mask as reference_mask
from thor_stand_in import FAR_M, NEAR_M, SIZE, THINGS, THINGS_M, WALL_M, Controller

from handsight.errors import HandsightError
from handsight.worlds.places import DIRECTIONS, Location, LocationError
from handsight.worlds.thor import Thor
from handsight.worlds.thor_lists import read_locations

KITCHEN = Location("FloorPlan1", 3)  # the stand-in's things are where they are listed
MUG, BOX, WALL, FRIDGE, PAINTING = (16, 26), (35, 32), (25, 30), (50, 46), (6, 6)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    thor_stand_in.install(monkeypatch)


@pytest.fixture
def place():
    return Thor(image_size=SIZE)


def log(place):
    return [entry for entry in Controller.started[-1].log if entry["action"] != "Pass"]


def test_a_location_is_entered_as_the_authors_do(place):
    place.enter(KITCHEN)
    reset, spawn, movable, reachable, stand = log(place)
    assert reset == {"action": "Reset", "scene": "FloorPlan1"}
    assert spawn == {
        "action": "InitialRandomSpawn",
        "randomSeed": 3,
        "forceVisible": True,
        "numPlacementAttempts": 5,
    }
    assert movable == {"action": "MakeAllObjectsMoveable"}
    assert reachable == {"action": "GetReachablePositions"}
    assert stand["action"] == "TeleportFull"
    assert stand["standing"] is True
    assert (stand["x"], stand["z"]) in {(x, z) for x in (0.25, 0.5) for z in (1, 2)}
    assert stand["rotation"]["y"] in {0, 90, 180, 270}
    assert stand["horizon"] in {-30, 0, 30, 60}
    options = Controller.started[-1].options
    assert (options["width"], options["height"], options["fieldOfView"]) == (SIZE, SIZE, 90)
    assert options["renderDepthImage"]
    assert options["renderInstanceSegmentation"]
    assert options["snapToGrid"] is False
    assert options["platform"].__name__ == "CloudRendering"


def test_the_seed_decides_where_the_agent_stands(place):
    def stands(seed):
        place.enter(Location("FloorPlan1", seed))
        return {key: str(value) for key, value in log(place)[-1].items()}

    assert stands(5) == stands(5)
    different = [stands(seed) for seed in range(40)]
    for key in ("x", "z", "rotation", "horizon"):
        assert len({one[key] for one in different}) == {"x": 2, "z": 2}.get(key, 4)
    assert len(Controller.started) == 1  # one simulator for all


def test_the_picture_is_the_right_way_up_and_depth_is_along_the_ray(place):
    sight = place.enter(KITCHEN)
    assert sight.image.shape == (SIZE, SIZE, 3)
    assert sight.image.dtype == np.uint8
    assert sight.image.flags.c_contiguous
    np.testing.assert_array_equal(sight.image[26, 16], (200, 40, 40))
    np.testing.assert_array_equal(sight.image[32, 35], (40, 40, 200))
    assert sight.depth_m.dtype == np.float32
    focal, centre = SIZE / 2 / math.tan(math.pi / 4), (SIZE - 1) / 2
    for (u, v), planar in ((MUG, THINGS_M), (WALL, WALL_M), (FRIDGE, FAR_M)):
        along = planar * math.dist((u, v, 0), (centre, centre, focal)) / focal
        assert sight.depth_m[v, u] == pytest.approx(along, rel=1e-5)
    raw = Thor(image_size=SIZE, depth_offset_m=0).enter(KITCHEN)
    assert raw.depth_m[30, 25] == pytest.approx(sight.depth_m[30, 25] * (WALL_M + NEAR_M) / WALL_M, rel=1e-3)


def test_a_force_is_asked_for_in_the_simulators_words(place):
    place.enter(KITCHEN)
    for direction, aim in enumerate(DIRECTIONS):
        place.apply_force(*MUG, 30.0, direction)
        asked = log(place)[-1]
        assert asked["action"] == "TouchThenApplyForce"
        assert (asked["x"], asked["y"]) == ((MUG[0] + 0.5) / SIZE, (MUG[1] + 0.5) / SIZE)
        assert (asked["moveMagnitude"], asked["handDistance"]) == (30.0, 1.5)
        assert [asked["direction"][axis] for axis in "xyz"] == pytest.approx(aim.tolist())


def test_released_forces_have_the_directions_of_the_released_code():
    place = Thor(image_size=SIZE, released_forces=True)
    place.enter(KITCHEN)
    asked = []
    for direction in range(8):
        place.apply_force(*WALL, 5.0, direction)
        asked.append(tuple(round(log(place)[-1]["direction"][axis], 9) for axis in "xyz"))
    assert asked == [(x, y, z) for x in (-1, 1) for y in (1, 2) for z in (-1, 1)]


TOUCHES = {
    # pixel, newtons: touched, moved
    (MUG, 4.0): (True, False),
    (MUG, 5.0): (True, True),
    (BOX, 5.0): (True, False),
    (BOX, 30.0): (True, True),
    (WALL, 200.0): (True, False),
    (PAINTING, 200.0): (False, False),  # on the wall, and out of reach: it is in the picture's corner
    (FRIDGE, 200.0): (False, False),
}


@pytest.mark.parametrize(("pixel", "newtons"), TOUCHES)
def test_what_was_touched_and_what_moved(place, pixel, newtons):
    before = place.enter(KITCHEN).image
    outcome = place.apply_force(*pixel, newtons, 3)
    touched, moved = TOUCHES[pixel, newtons]
    assert outcome.touched is touched
    assert not outcome.diverged
    assert (outcome.image != before).any() == moved


def test_forces_add_up_until_the_place_is_entered_again(place):
    first = place.enter(KITCHEN).image
    once = place.apply_force(*MUG, 30.0, 0).image
    twice = place.apply_force(20, 26, 30.0, 0).image
    assert (twice != once).any()
    again = place.enter(KITCHEN)
    np.testing.assert_array_equal(again.image, first)


def test_reach_is_no_more_than_what_things_are_told_of():
    place = Thor(image_size=SIZE, reach_m=math.inf)
    place.enter(KITCHEN)
    assert place.apply_force(*FRIDGE, 30.0, 0).touched
    assert log(place)[-1]["handDistance"] == 10
    assert json.loads(json.dumps(place.options()))["reach_m"] == 10
    assert all(one.in_reach for one in place.instances())


def test_instances_are_what_could_be_moved(place):
    sight = place.enter(KITCHEN)
    found = {one.category: one for one in place.instances()}
    assert list(found) == ["Mug", "Box", "Fridge"]  # no painting, no piano, nothing out of view
    assert [one.mass_class for one in found.values()] == [0, 2, 2]
    assert [one.in_reach for one in found.values()] == [True, True, False]
    top, left, height, width = THINGS["Mug|+00.10|+00.90|+01.00"][:4]
    assert found["Mug"].mask.dtype == bool
    assert found["Mug"].mask.sum() == height * width
    assert found["Mug"].mask[top, left]
    assert (sight.depth_m[found["Fridge"].mask] > 1.5).all()
    place.apply_force(*MUG, 30.0, 0)
    assert place.instances()[0].mask[top, left + width]


def test_the_simulator_that_breaks_down_is_stopped_and_started_again(place, monkeypatch):
    sight = place.enter(KITCHEN)
    monkeypatch.setattr(Controller, "crashes_on", "TouchThenApplyForce")
    outcome = place.apply_force(*MUG, 30.0, 0)
    assert outcome.diverged
    np.testing.assert_array_equal(outcome.image, sight.image)
    assert Controller.started[0].stopped
    with pytest.raises(HandsightError, match="no location was entered"):
        place.apply_force(*MUG, 30.0, 0)
    place.enter(KITCHEN)
    assert len(Controller.started) == 2


def test_a_place_travels_without_its_simulator_and_may_be_closed_at_any_time(place):
    place.close()
    first = place.enter(KITCHEN)
    other = pickle.loads(pickle.dumps(place))
    np.testing.assert_array_equal(other.enter(KITCHEN).image, first.image)
    assert other.options() == place.options()
    assert len(Controller.started) == 2
    for one in (place, other, place):
        one.close()
    assert all(one.stopped for one in Controller.started)


@pytest.mark.parametrize("chosen", ["novel-spaces", "novel-objects"])
def test_rooms_of_the_splits_have_none_in_common(chosen):
    place = Thor(splits=chosen)
    splits = [place.rooms(split) for split in ("train", "validation", "test")]
    sizes = {"novel-spaces": [80, 20, 20], "novel-objects": [60, 30, 30]}
    assert [len(rooms) for rooms in splits] == sizes[chosen]
    assert len(set().union(*splits)) == 120
    kinds = [{int(room.removeprefix("FloorPlan")) // 100 for room in rooms} for rooms in splits]
    assert kinds == {"novel-spaces": [{0, 2, 3, 4}] * 3, "novel-objects": [{0, 2}, {4}, {3}]}[chosen]


def entry(image_id=7, scene="FloorPlan301_physics", rotation=90.0, **changes):
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[10:20, 30:45] = 1
    code = reference_mask.encode(np.asfortranarray(mask))
    annotation = {
        "segmentation": {"size": code["size"], "counts": code["counts"].decode()},
        "category_id": 1,
        "min_force": 30,
        "gt_mass": 1.2,
    }
    meta = {
        "scene": scene,
        "position": {"x": 1.0, "y": 0.9, "z": -2.0},
        "rotation": rotation,
        "horizon": 30,
        "seed": 9,
    }
    return {
        "image_id": image_id,
        "width": SIZE,
        "height": SIZE,
        "thor_meta": meta,
        "annotations": [annotation],
        **changes,
    }


def written(tmp_path, entries):
    path = tmp_path / "list.json"
    path.write_text(json.dumps(entries))
    return path


def test_a_list_tells_where_and_what_is_true_there(tmp_path):
    first, second = read_locations(
        written(tmp_path, [entry(), entry(8, rotation={"x": 0, "y": 180, "z": 0})])
    )
    assert (first.image_id, first.room, first.seed, first.size) == (7, "FloorPlan301", 9, (SIZE, SIZE))
    assert (first.position_m, first.rotation_deg, first.horizon_deg) == ((1.0, 0.9, -2.0), 90.0, 30.0)
    assert second.rotation_deg == 180
    (thing,) = first.truth
    assert (thing.mass_class, thing.mass_kg, thing.force_n) == (1, 1.2, 30)
    assert thing.mask.dtype == bool
    assert thing.mask[10:20, 30:45].all()
    assert thing.mask.sum() == 150


def test_a_listed_location_is_entered_as_it_is_listed(tmp_path):
    entries = [entry(1), entry(2, rotation=270.0), entry(3, scene="FloorPlan2")]
    place = Thor(image_size=SIZE, locations=written(tmp_path, entries))
    assert place.rooms("test") == ("FloorPlan301", "FloorPlan2")
    assert [place.listed(Location("FloorPlan301", seed)).image_id for seed in range(3)] == [1, 2, 1]
    place.enter(Location("FloorPlan301", 5))
    _, spawn, _, stand = log(place)
    assert spawn["randomSeed"] == 9
    assert stand == {
        "action": "TeleportFull",
        "x": 1.0,
        "y": 0.9,
        "z": -2.0,
        "rotation": {"x": 0.0, "y": 270.0, "z": 0.0},
        "horizon": 30.0,
        "standing": True,
    }
    with pytest.raises(HandsightError, match=r"^the list of locations has no room 'FloorPlan1'$"):
        place.enter(KITCHEN)


LISTS = {
    "it lacks 'seed'": [
        entry(),
        entry(thor_meta={k: v for k, v in entry()["thor_meta"].items() if k != "seed"}),
    ],
    "it lacks 'annotations'": [entry(), {k: v for k, v in entry().items() if k != "annotations"}],
    "category_id 3 is none of": [
        entry(),
        entry(annotations=[entry()["annotations"][0] | {"category_id": 3}]),
    ],
    "a segmentation is no run-length code": [
        entry(),
        entry(annotations=[entry()["annotations"][0] | {"segmentation": [[1, 2, 3, 4]]}]),
    ],
    "indices must be integers": [entry(), "FloorPlan1"],
}


@pytest.mark.parametrize("reason", LISTS)
def test_an_entry_that_is_no_location_is_named(tmp_path, reason):
    with pytest.raises(HandsightError, match=rf"list\.json: entry 1 is no location \(.*{reason}") as said:
        read_locations(written(tmp_path, LISTS[reason]))
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3"])
def test_what_is_no_list_is_refused(tmp_path, text):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(HandsightError, match=r"list\.json (cannot be read as a|is no) list of locations"):
        Thor(locations=tmp_path / "list.json")
    with pytest.raises(HandsightError, match="cannot be read as a list of locations"):
        Thor(locations=tmp_path / "none.json")


MISTAKES = {
    "thor: image_size is 10; it starts at 30": lambda: Thor(image_size=10),
    "thor: splits is 'all'; it is novel-spaces or novel-objects": lambda: Thor(splits="all"),
    "thor: reach_m is 0; it lies above 0": lambda: Thor(reach_m=0),
    "thor: depth_offset_m is -1; it lies in [0, 1)": lambda: Thor(depth_offset_m=-1),
    "there is no split 'all'; there are train, validation and test": lambda: Thor().rooms("all"),
    "thor has no room 'Attic'; it has FloorPlan1 to FloorPlan430": lambda: Thor().enter(Location("Attic", 0)),
    "no location was entered; call enter first": lambda: Thor().instances(),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_named(line):
    with pytest.raises(HandsightError) as said:
        MISTAKES[line]()
    assert str(said.value) == line


def test_a_force_that_cannot_be_applied_is_refused(place):
    place.enter(KITCHEN)
    for wrong in ((SIZE, 0, 5.0, 0), (0, 0, 0.0, 0), (0, 0, 5.0, 8)):
        with pytest.raises(HandsightError):
            place.apply_force(*wrong)
    assert log(place)[-1]["action"] == "TeleportFull"


def test_what_the_simulator_refuses_is_said(place, monkeypatch):
    monkeypatch.setattr(Controller, "refuses", "TeleportFull")
    line = r"^AI2-THOR refused TeleportFull \(it collides with Chair\); choose another location$"
    with pytest.raises(LocationError, match=line):
        place.enter(KITCHEN)
    with pytest.raises(HandsightError, match="no location was entered"):
        place.instances()
    monkeypatch.setattr(Controller, "refuses", "")
    monkeypatch.setattr(Controller, "nowhere", True)
    with pytest.raises(
        LocationError, match=r"^AI2-THOR has nowhere to stand in FloorPlan1; choose another room$"
    ):
        place.enter(KITCHEN)


@pytest.mark.parametrize("action", ["reset", "InitialRandomSpawn", "GetReachablePositions"])
def test_a_simulator_that_breaks_down_on_the_way_in_is_stopped(place, monkeypatch, action):
    monkeypatch.setattr(Controller, "crashes_on", action)
    line = rf"^AI2-THOR broke down at {action} \(Restarting unity due to crash\); try again$"
    with pytest.raises(LocationError, match=line):
        place.enter(KITCHEN)
    assert Controller.started[0].stopped
    monkeypatch.setattr(Controller, "crashes_on", "")
    place.enter(KITCHEN)


def test_without_ai2thor_the_error_says_how_to_install_it(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai2thor.controller", None)
    with pytest.raises(HandsightError, match=r"^AI2-THOR is not installed; pip install 'handsight\[thor\]'$"):
        place.enter(KITCHEN)


def test_a_simulator_that_does_not_start_says_what_it_needs(place, monkeypatch):
    monkeypatch.setattr(Controller, "cannot_start", "Vulkan is missing\nmore lines")
    with pytest.raises(
        HandsightError, match=r"^AI2-THOR did not start \(Vulkan is missing\); it needs"
    ) as said:
        place.enter(KITCHEN)
    assert "\n" not in str(said.value)
    place.close()
