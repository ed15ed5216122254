"""The tabletop's episodes: pictures, streams and facts belong together."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tabletop_bodies import BLACK, LIGHT, bench_with, body, long_axis

from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.worlds import collect
from handsight.worlds.objects import CATEGORIES, split_of
from handsight.worlds.shelf import FactoryShelf
from handsight.worlds.tabletop import Tabletop, scenes
from handsight.worlds.tabletop.bench import TABLE_M, Lost
from handsight.worlds.tabletop.bodies import saturation
from handsight.worlds.tabletop.streams import STREAMS
from handsight.worlds.tabletop.view import View, find_blobs, patch, patch_size, to_picture, to_table
from handsight.worlds.world import generator

SIZE = 128
CAMERA, PATCH = "observation.images.camera", "observation.images.patch"


@pytest.fixture(scope="module")
def view():
    view = View(SIZE, 1, 3072, antialias=True, closed=True)
    yield view
    view.close()


@pytest.fixture(scope="module")
def tabletop():
    world = Tabletop(image_size=64, views=3)
    yield world
    world.close()


@pytest.fixture(scope="module")
def episodes(tabletop):
    """One of each interaction."""
    made = [tabletop.episode(2, index) for index in range(4)]
    return {episode.facts["interaction"]: episode for episode in made}


def seen(view, bench):
    """Return the picture of a bench on a black table and what stands out in it."""
    empty = view.clear(BLACK, LIGHT)
    view.show(bench.bodies)
    picture = view.picture(bench)
    return picture, find_blobs(empty, picture)


def write_block(path, x, y, z):
    """Write a block as OBJ."""
    corners = [(a * x, b * y, c * z) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    faces = ["1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4"]
    path.write_text("".join("v {} {} {}\n".format(*corner) for corner in corners))
    with path.open("a") as file:
        file.writelines(f"f {face}\n" for face in faces)


def test_places_and_points_are_one_another():
    places = generator(1).uniform(-TABLE_M, TABLE_M, (50, 2))
    np.testing.assert_allclose(to_table(to_picture(places)), places, atol=1e-12)
    np.testing.assert_allclose(to_picture(np.array([-TABLE_M, TABLE_M])), [0, 0], atol=1e-12)


@pytest.mark.parametrize("place", [(0, 0), (0.15, 0.1), (-0.2, 0.05), (0.05, -0.2)])
def test_background_subtraction_finds_the_object_where_it_is(view, place):
    _, blobs = seen(view, bench_with(body("can", radius_m=0.04), place))
    assert len(blobs) == 1
    np.testing.assert_allclose(blobs[0].middle, place, atol=0.01)
    rng = generator(2)
    for _ in range(20):
        assert np.linalg.norm(blobs[0].draw_place(rng) - blobs[0].middle) <= blobs[0].radius_m
    assert find_blobs(BLACK, BLACK) == []


@pytest.mark.parametrize("turned", [0.3, 1.2, 2.4])
def test_angles_are_those_of_the_picture_and_change_sign_when_it_is_mirrored(view, turned):
    """A block turned anticlockwise by an angle lies at minus this angle in the picture, as x turns to y."""
    picture, blobs = seen(view, bench_with(body(), (0, 0), turned))
    empty = np.zeros_like(picture) + picture[0, 0]
    assert abs(np.sin(long_axis(blobs[0]) + turned)) < 0.06
    mirrored = find_blobs(empty, np.ascontiguousarray(picture[:, ::-1]))
    assert abs(np.sin(long_axis(mirrored[0]) - turned)) < 0.06


def test_a_patch_is_about_its_point():
    picture = generator(3).integers(256, size=(100, 100, 3)).astype(np.uint8)
    side = patch_size(100)
    assert side == 24
    inside = patch(picture, np.array([0.5, 0.4]))
    np.testing.assert_array_equal(inside, picture[28 : 28 + side, 38 : 38 + side])
    corner = patch(picture, np.array([0.0, 1.0]))
    assert corner.shape == (side, side, 3)
    np.testing.assert_array_equal(corner[:12, 12:], picture[88:, :12])
    np.testing.assert_array_equal(corner[-1, 0], picture[-1, 0])


def test_each_interaction_says_its_own_and_nothing_else(episodes):
    assert set(episodes) == {"grasp", "push", "poke", "identity"}
    for interaction, episode in episodes.items():
        for other, streams in STREAMS.items():
            for name in streams:
                values = episode.frames[name]
                assert (values == values[0]).all()
                if other != interaction:
                    assert (values == 0).all(), name
                elif name != "grasp.angle_rad":
                    assert (values != 0).any(), name
        assert episode.task == f"{interaction} the object"
    facts = episodes["grasp"].facts
    angle = episodes["grasp"].frames["grasp.angle_rad"][0, 0]
    assert angle == pytest.approx(np.radians(10 * facts["angle_bin"]))
    assert {len(episodes[name].frames[CAMERA]) for name in ("push", "poke")} == {2}
    assert len(episodes["identity"].frames[CAMERA]) == 3
    line, depth, volts = (episodes["poke"].frames[f"poke.{n}"][0] for n in ("line", "depth_m", "voltage_v"))
    np.testing.assert_allclose(np.polyfit(depth, volts, 1), line, rtol=1e-3)


def test_only_the_streams_of_chosen_interactions_are_there():
    world = Tabletop(interactions=("push",))
    assert set(world.features) == {CAMERA, PATCH, *STREAMS["push"]}
    assert set(Tabletop(interactions=("identity",)).features) == {CAMERA, PATCH}


def test_patches_are_about_where_the_hand_acts(episodes):
    for interaction, name in (("grasp", "grasp.point"), ("poke", "poke.point")):
        frames = episodes[interaction].frames
        np.testing.assert_array_equal(frames[PATCH][0], patch(frames[CAMERA][0], frames[name][0]))


def test_a_push_is_seen_to_move_the_object_along():
    """Over many pushes, what changed in the pictures moved as the action says."""
    world = Tabletop(image_size=64, interactions=("push",), finishes="plain", upright=1.0)
    along = []
    try:
        for index in range(25):
            episode = world.episode(4, index)
            before, after = episode.frames[CAMERA].astype(int)
            differs = np.abs(after - before).sum(-1) > 30
            if differs.sum() < 5 or episode.facts["moved_m"] < 0.02:
                continue
            # What is new in the second picture lies ahead, what is gone lies behind.
            table = np.median(before.reshape(-1, 3), 0)
            was, now = (np.abs(picture - table).sum(-1) > 60 for picture in (before, after))
            if was.sum() < 5 or now.sum() < 5:
                continue
            moved = np.argwhere(now).mean(0)[::-1] - np.argwhere(was).mean(0)[::-1]
            pushed = episode.frames["push.end"][0] - episode.frames["push.start"][0]
            along.append(moved @ pushed > 0)
    finally:
        world.close()
    assert len(along) > 8
    assert np.mean(along) > 0.9


@pytest.fixture(scope="module")
def grasps(tmp_path_factory):
    """Grasps at the middle of a long block, which fit across it alone."""
    folder = tmp_path_factory.mktemp("blocks")
    write_block(folder / "block.obj", 1, 0.35, 0.5)
    options = {"interactions": ("grasp",), "objects_dir": folder, "grasp_spread_m": 0.0, "upright": 1.0}
    world = Tabletop(image_size=48, **options)
    made = [world.episode(1, index) for index in range(40)]
    world.close()
    return made


def test_pictures_tell_of_softness():
    """The colour of what is seen where it is poked goes with the slope of what is felt."""
    world = Tabletop(image_size=128, interactions=("poke",))
    colours, slopes = [], []
    try:
        for index in range(60):
            frames = world.episode(6, index).frames
            x, y = (frames["poke.point"][0] * 128).astype(int)
            around = frames[CAMERA][0, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
            colours.append(saturation(around))
            slopes.append(np.log(max(float(frames["poke.line"][0, 0]), 1.0)))
    finally:
        world.close()
    assert np.corrcoef(colours, slopes)[0, 1] > 0.4


def test_what_is_held_is_shown_from_five_more_sides(grasps):
    held = [episode for episode in grasps if episode.facts["success"]]
    assert 5 < len(held) < 35
    for episode in grasps:
        assert len(episode.frames[CAMERA]) == (6 if episode.facts["success"] else 1)
    views = held[0].frames[CAMERA].astype(int)
    for one in range(6):
        for other in range(one):
            assert np.abs(views[one] - views[other]).sum() > 1000


@pytest.mark.parametrize("changes", ["clip", "frame"])
def test_the_table_tells_an_episodes_pictures_apart_from_others_unless_it_changes(changes):
    """Where it changes, two pictures of one episode are no nearer in their table's colour than of two."""
    world = Tabletop(
        image_size=64, views=4, interactions=("identity",), finishes="plain", background_changes=changes
    )
    try:
        made = [world.episode(8, index).frames[CAMERA] for index in range(6)]
    finally:
        world.close()
    tables = np.median(np.stack(made)[:, :, :3].reshape(6, 4, -1, 3), axis=2)
    within = np.linalg.norm(tables[:, :1] - tables[:, 1:], axis=-1)
    between = np.linalg.norm(tables[:-1] - tables[1:], axis=-1)
    if changes == "clip":
        assert within.max() < 5 < np.median(between)
    else:
        assert np.median(within) > 0.5 * np.median(between)


def test_the_object_stays_where_it_is_while_the_table_changes(view):
    """Background subtraction finds it on every table that is laid, and what is held is shown on another."""
    colours = iter([BLACK, BLACK + np.uint8(90), BLACK + np.uint8(180)])
    scene = scenes.Scene(
        bench_with(body("can", radius_m=0.04), (0.1, 0.05)), view, lambda: (next(colours), LIGHT), True
    )
    found = [scene.look() for _ in range(3)]
    brightness = [np.median(picture[:3]) for picture, _ in found]
    assert brightness[0] < brightness[1] - 20 < brightness[2] - 40
    for _, blob in found:
        np.testing.assert_allclose(blob.middle, found[0][1].middle, atol=0.005)


def test_interactions_take_turns_in_an_order_that_says_nothing_about_the_object():
    world = Tabletop()
    order = [world._interaction(0, index) for index in range(46 * 40)]
    for start in range(0, len(order), 4):
        assert len(set(order[start : start + 4])) == 4
    met = {(index % len(CATEGORIES), interaction) for index, interaction in enumerate(order)}
    assert len(met) == 4 * len(CATEGORIES)
    twice = Tabletop(interactions=("grasp", "grasp", "push"))
    assert [twice._interaction(0, index) for index in range(300)].count("grasp") == 200


def test_objects_beside_are_of_the_same_split():
    world, shelf = Tabletop(objects=4), FactoryShelf(None, 1)
    for index in range(6):
        shown, split = shelf.take(0, index)
        others = world._others(0, index, split, 3)
        assert len(others) == 3
        assert {split_of(one.seed) for one in others} == {split}
        assert shown.seed not in {one.seed for one in others}


def test_what_goes_wrong_is_discarded_counted_and_reported(tmp_path, monkeypatch):
    real, times = scenes.acts.push, []

    def falls(bench, done):
        times.append(done)
        if len(times) % 3:
            raise Lost("it fell")
        real(bench, done)

    monkeypatch.setattr(scenes.acts, "push", falls)
    world = Tabletop(image_size=48, interactions=("push",))
    collect(world, tmp_path / "out", 3, seed=1)
    recording = Recording(tmp_path / "out")
    discarded = recording.facts["discarded"]
    assert sum(discarded) >= 6
    said = world.report(recording)
    assert "push: 3 episodes, " in said
    assert f" by more than 5 mm; {sum(discarded)} discarded\n" in said
    assert f"discarded and done anew: {sum(discarded)} of {sum(discarded) + 3} interactions" in said


def test_an_object_that_always_fails_is_named_in_one_line(monkeypatch):
    def falls(bench, done):
        raise Lost("an object left the table")

    monkeypatch.setattr(scenes.acts, "push", falls)
    world = Tabletop(image_size=48, interactions=("push",), categories=("mug",))
    with pytest.raises(HandsightError, match=r"^tabletop: the mug of episode 0 came to nothing 40 times"):
        world.episode(0, 0)
    world.close()


def test_random_grasps_seldom_hold_and_the_report_says_how_often(tmp_path):
    world = Tabletop(image_size=32, interactions=("grasp",), finishes="plain", antialias=False)
    collect(world, tmp_path / "out", 100, seed=3)
    recording = Recording(tmp_path / "out")
    held = int(np.sum(recording.facts["success"]))
    assert 1 <= held <= 25
    assert f"grasp: 100 episodes, {held} held ({held}.0%)" in world.report(recording)


def test_the_wrist_turns_what_it_holds(view):
    """Shown in the middle, hand and block turn in the picture as the wrist does."""
    bench = bench_with(body(), (0.1, 0.1))
    empty = view.clear(BLACK, LIGHT)
    view.show(bench.bodies)
    bench.reach(np.array([0.1, 0.1]), 0.02, 0.0)
    for turned in (0.0, 0.7, 1.4):
        ((picture, point),) = view.held(bench, 0, [Rotation.from_euler("z", turned)])
        np.testing.assert_allclose(point, [0.5, 0.5], atol=0.02)
        assert abs(np.sin(long_axis(find_blobs(empty, picture)[0]) + turned)) < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 16}, "tabletop: image_size is 16; it lies between 32 and 4096"),
        ({"interactions": ()}, r"tabletop: interactions is \[\]; name some of grasp, push, poke, identity"),
        ({"interactions": ("lick",)}, r"tabletop: interactions is \['lick'\]; name some of grasp"),
        ({"objects": 5}, "tabletop: objects is 5; it lies between 1 and 4"),
        ({"views": 1}, "tabletop: views is 1; it lies between 2 and 1000"),
        ({"upright": 1.5}, "tabletop: upright is 1.5; it lies between 0 and 1"),
        ({"upright": float("nan")}, "tabletop: upright is nan; it lies between 0 and 1"),
        ({"grasp_spread_m": 1.0}, "tabletop: grasp_spread_m is 1.0; it lies between 0 and 0.15"),
        ({"finishes": "gold"}, "tabletop: finishes is 'gold'; it is patterned or plain"),
        ({"objects_up": "x"}, "tabletop: objects_up is 'x'; it is y or z"),
        ({"background_changes": "step"}, "tabletop: background_changes is 'step'; it is clip or frame"),
        ({"categories": ("mugs",)}, "there is no category 'mugs'; there are mug, cup"),
        ({"objects_dir": Path("no/such")}, "objects_dir no/such is not a folder; give one that holds"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(HandsightError, match=message):
        Tabletop(**options)


def test_a_mesh_that_cannot_be_read_is_named_in_one_line(tmp_path):
    (tmp_path / "bad.obj").write_text("v 0 0\nf 1 2 3\n")
    with pytest.raises(
        HandsightError, match=r"^.*bad\.obj cannot be read as a mesh \(.*\); mend it or"
    ) as said:
        Tabletop(objects_dir=tmp_path)
    assert "\n" not in str(said.value)
