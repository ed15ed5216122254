from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.worlds.objects import CATEGORIES, FINISHES_N
from handsight.worlds.setting import SettingOptions, background_texture, draw_camera
from handsight.worlds.turntable import Turntable
from handsight.worlds.world import generator


def rotations(episode):
    return Rotation.from_quat(episode.frames["observation.pose"], scalar_first=True)


def test_a_clip_goes_once_around_in_even_steps(turntable):
    starts = []
    for index in range(5):
        episode = turntable.episode(0, index)
        angles = episode.frames["action"][:, 0]
        starts.append(angles[0])
        assert episode.facts["start_rad"] == pytest.approx(angles[0], abs=1e-6)
        assert (angles >= 0).all()
        assert (angles <= 2 * np.pi).all()
        np.testing.assert_allclose(np.diff(np.unwrap(angles)), 2 * np.pi / 6, atol=1e-5)
    assert np.ptp(starts) > 1


def test_the_pose_turns_by_what_the_action_says(turntable):
    """With a tilt that stays, the rotation between two frames is the turntable's."""
    episode = turntable.episode(0, 3)
    poses = rotations(episode)
    between = (poses[0].inv() * poses[1:]).as_rotvec()
    turned = np.arange(1, 6) * 2 * np.pi / 6
    np.testing.assert_allclose(
        np.linalg.norm(between, axis=1), np.minimum(turned, 2 * np.pi - turned), atol=1e-5
    )
    axis = between[0] / np.linalg.norm(between[0])
    assert np.arccos(axis[2]) == pytest.approx(episode.facts["tilt_rad"], abs=1e-5)
    assert (episode.frames["observation.pose"][:, 0] >= 0).all()


def test_the_vertical_is_upright_in_the_camera(turntable):
    """The axis that the object turns about points up (−y) and, as the camera looks down, towards it (−z)."""
    episode = turntable.episode(0, 3)
    poses = rotations(episode)
    about = (poses[1] * poses[0].inv()).as_rotvec()
    about /= np.linalg.norm(about)
    height = episode.facts["camera_height_rad"]
    np.testing.assert_allclose(about, [0, -np.cos(height), -np.sin(height)], atol=1e-5)


def write_obj(path, corners):
    """Write tetrahedra `[N, 4, 3]`."""
    lines = ["v {} {} {}".format(*corner) for corner in np.asarray(corners).reshape(-1, 3)]
    for start in range(1, 4 * len(corners), 4):
        a, b, c, d = range(start, start + 4)
        lines += [f"f {a} {c} {b}", f"f {a} {b} {d}", f"f {b} {c} {d}", f"f {a} {d} {c}"]
    path.write_text("\n".join(lines) + "\n")


def test_pictures_show_the_pose(tmp_path):
    """A needle along x, thick at its foot, points in the picture to where the pose says."""
    needle = [[[-1, -0.3, -0.3], [-1, 0.3, -0.3], [-1, 0, 0.4], [1, 0, 0]]]
    write_obj(tmp_path / "needle.obj", needle)
    world = Turntable(image_size=64, views=8, objects_dir=tmp_path, clutter=0, tilt_rad=0, space=(1, 1))
    try:
        for index in range(3):
            episode = world.episode(5, index)
            for slot in range(FINISHES_N):
                world._stage.show(slot, None)
            empty = world._stage.draw().astype(int)
            for frame, pose in zip(
                episode.frames["observation.images.camera"], rotations(episode), strict=True
            ):
                tip = pose.apply([1.0, 0, 0])
                if abs(tip[0]) < 0.6:
                    continue
                rows, columns = np.nonzero(np.abs(frame.astype(int) - empty).sum(-1) > 24)
                assert len(rows) > 20
                right = np.ptp(rows[columns >= columns.max() - 3])
                left = np.ptp(rows[columns <= columns.min() + 3])
                assert (right < left) == (tip[0] > 0)
    finally:
        world.close()


def test_objects_stay_in_the_picture():
    """Around a picture there is a border that no object reaches, however it is turned."""
    options = SettingOptions(4, 0, (0.0, 1.5), (0.3, 1.2), (1.0, 1.6))
    directions = generator(1).normal(size=(400, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for seed in range(50):
        camera = draw_camera(generator(seed), options, 0.9)
        seen = camera.rotation.inv().apply(directions + np.array([0, 0, 0.9]) - camera.position)
        assert (seen[:, 2] > 0).all()
        assert np.abs(seen[:, :2] / seen[:, 2:]).max() <= np.tan(camera.fov_rad / 2) * 1.001


def test_every_category_is_seen():
    """With and without its object a picture differs in many pixels."""
    world = Turntable(image_size=32, views=1, clutter=0, antialias=False)
    try:
        for index in range(len(CATEGORIES)):
            frame = world.episode(11, index).frames["observation.images.camera"][0].astype(int)
            for slot in range(FINISHES_N):
                world._stage.show(slot, None)
            differs = np.abs(frame - world._stage.draw()).sum(-1) > 12
            assert differs.mean() > 0.015, list(CATEGORIES)[index]
    finally:
        world.close()


def test_categories_take_turns_and_objects_are_new(turntable):
    facts = [turntable.episode(2, index).facts for index in range(len(CATEGORIES) + 2)]
    assert [fact["category"] for fact in facts] == [*CATEGORIES, *list(CATEGORIES)[:2]]
    assert len({fact["object"] for fact in facts}) == len(facts)


def test_clips_of_one_object_differ_in_all_but_the_object():
    world = Turntable(image_size=16, views=2, clips_per_object=3, categories=("mug", "car"))
    try:
        clips = [world.episode(0, index) for index in range(6)]
        assert [clip.facts["category"] for clip in clips] == ["mug"] * 3 + ["car"] * 3
        assert len({clip.facts["object"] for clip in clips[:3]}) == 1
        assert len({clip.facts["start_rad"] for clip in clips[:3]}) == 3
        assert len({clip.facts["split"] for clip in clips[:3]}) == 1
    finally:
        world.close()


def test_tilt_and_background_change_when_asked_to():
    still = Turntable(image_size=24, views=4, clutter=0)
    moving = Turntable(image_size=24, views=4, clutter=0, tilt_changes="frame", background_changes="frame")
    try:
        corners = still.episode(0, 9).frames["observation.images.camera"][:, :2, :2]
        assert np.ptp(corners.astype(int), axis=0).max() == 0
        episode = moving.episode(0, 9)
        corners = episode.frames["observation.images.camera"][:, :2, :2]
        assert np.ptp(corners.astype(int), axis=0).max() > 5
        poses = rotations(episode)
        turned = (poses[0].inv() * poses[1:]).magnitude()
        assert np.abs(turned - np.array([1, 2, 1]) * np.pi / 2).max() > 0.005
    finally:
        still.close()
        moving.close()


def test_light_changes_when_asked_to():
    """A background of one colour is then seen in several; nothing else is drawn otherwise."""
    options = {"image_size": 24, "views": 4, "clutter": 0, "finishes": "plain"}
    still, moving = Turntable(**options), Turntable(**options, light_changes="frame")
    try:
        one, other = still.episode(0, 9), moving.episode(0, 9)
    finally:
        still.close()
        moving.close()
    pictures = [clip.frames["observation.images.camera"].astype(int) for clip in (one, other)]
    assert np.ptp(pictures[0][:, :2, :2], axis=0).max() == 0
    assert np.ptp(pictures[1][:, :2, :2], axis=0).max() > 5
    np.testing.assert_array_equal(pictures[0][0], pictures[1][0])
    np.testing.assert_array_equal(one.frames["observation.pose"], other.frames["observation.pose"])
    assert one.facts == other.facts


def test_backgrounds_come_from_one_pool():
    np.testing.assert_array_equal(background_texture(3), background_texture(3))
    assert not np.array_equal(background_texture(3), background_texture(4))
    world = Turntable(image_size=16, views=1, backgrounds=1, clutter=0, antialias=False)
    drawn = Counter()
    world._opened()
    world._stage.background = lambda floor, wall: drawn.update([floor.tobytes(), wall.tobytes()])
    try:
        for index in range(4):
            world.episode(index, index)
    finally:
        world.close()
    assert set(drawn) == {background_texture(0).tobytes()}


def colours(texture):
    return len(np.unique(texture.reshape(-1, 3), axis=0))


def test_plain_finishes_are_one_colour_each_and_turn_as_the_patterned_do(turntable):
    plain = Turntable(image_size=32, views=6, finishes="plain")
    finishes, backgrounds = [], []
    plain._opened()
    plain._stage.background = lambda floor, wall: backgrounds.extend([floor, wall])
    plain._stage.show = lambda slot, surface, finish=None, size=1: finishes.append(finish)
    try:
        episodes = [plain.episode(0, index) for index in range(6)]
    finally:
        plain.close()
    shown = [finish.texture for finish in finishes if finish is not None]
    assert len(shown) > 6 * FINISHES_N  # things standing around too
    assert {colours(texture) for texture in (*shown, *backgrounds)} == {1}
    assert len({texture.tobytes() for texture in shown}) > 0.9 * len(shown)
    for index, episode in enumerate(episodes):
        patterned = turntable.episode(0, index)
        assert episode.facts["object"] == patterned.facts["object"]
        np.testing.assert_array_equal(episode.frames["action"], patterned.frames["action"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 4}, "turntable: image_size is 4; it lies between 8 and 4096"),
        ({"views": 0}, "turntable: views is 0; it lies between 1 and 100000"),
        ({"tilt_rad": float("nan")}, "turntable: tilt_rad is nan; it lies between 0 and 3.1415927"),
        ({"clutter": -1}, "turntable: clutter is -1; it lies between 0 and 20"),
        (
            {"fov_rad": (0.9, 0.5)},
            "turntable: fov_rad is \\(0.9, 0.5\\); it lies between 0.05 and 2.5, the lower end first",
        ),
        (
            {"space": (0.5, 1)},
            "turntable: space is \\(0.5, 1\\); it lies between 1 and 10, the lower end first",
        ),
        ({"tilt_changes": "never"}, "turntable: tilt_changes is 'never'; it is clip or frame"),
        ({"light_changes": "never"}, "turntable: light_changes is 'never'; it is clip or frame"),
        ({"finishes": "gold"}, "turntable: finishes is 'gold'; it is patterned or plain"),
        ({"objects_up": "x"}, "turntable: objects_up is 'x'; it is y or z"),
        ({"categories": ("mugs",)}, "there is no category 'mugs'; there are mug, cup"),
        (
            {"objects_dir": Path("no/such/folder")},
            "objects_dir no/such/folder is not a folder; give one that holds",
        ),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(HandsightError, match=message):
        Turntable(**options)
