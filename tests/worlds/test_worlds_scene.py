import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.worlds.graphics import load_mujoco, open_context
from handsight.worlds.objects import make_object
from handsight.worlds.objects.appearance import TEXTURE_SIZE, Finish
from handsight.worlds.objects.parts import Part
from handsight.worlds.objects.shapes import box
from handsight.worlds.objects.surface import surfaces_of
from handsight.worlds.scene import Camera, Light, Stage

SIZE = 96
WHITE = Finish(np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), 255, np.uint8), 1, 0, 0.5)
BLACK = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def stage():
    stage = Stage(SIZE, slots_n=2, triangles_n=100)
    yield stage
    stage.close()


@pytest.fixture
def dark(stage):
    """An empty black room with white light from the camera's side."""
    for slot in range(2):
        stage.show(slot, None)
    stage.background(BLACK, BLACK)
    stage.room(3)
    stage.light(Light(np.array([0.2, 1, -0.5]), np.full(3, 0.6), np.full(3, 0.4)))
    stage.look(Camera(np.array([0.3, -5, 2]), np.array([0, 0, 0.5]), 0.8))
    return stage


def cube():
    return surfaces_of([Part(box(1, 1, 1))])[0]


@pytest.mark.parametrize("place", [(0, 0, 0.5), (1.2, 0.5, 0.3), (-1, -1, 1.5), (0.5, 1, 1.6)])
@pytest.mark.parametrize("camera_at", [(0.3, -5, 2), (-2, -4, 0.6)])
def test_the_camera_projects_as_a_pinhole(dark, place, camera_at):
    camera = Camera(np.array(camera_at, float), np.array([0, 0, 0.5]), 0.8)
    dark.look(camera)
    dark.show(0, cube(), WHITE, size=0.08)
    dark.place(0, np.array(place), Rotation.identity())
    picture = dark.draw()
    rows, columns = np.nonzero(picture[..., 0] > 40)
    seen = camera.rotation.inv().apply(np.array(place) - camera.position)
    focal = SIZE / 2 / np.tan(camera.fov_rad / 2)
    expected = SIZE / 2 + focal * seen[:2] / seen[2]
    assert seen[2] > 0
    np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], expected, atol=0.75)


def test_an_empty_slot_shows_nothing(dark):
    assert dark.draw().max() < 3
    dark.show(1, cube(), WHITE)
    assert dark.draw().max() > 150
    dark.show(1, None)
    assert dark.draw().max() < 3


def test_a_smaller_surface_leaves_nothing_of_a_larger_one(dark):
    dark.show(0, cube(), WHITE, size=0.5)
    small = dark.draw()
    surface = next(s for s in make_object("table", 1).surfaces if 12 < len(s) <= 100)
    dark.show(0, surface, WHITE)
    assert not np.array_equal(dark.draw(), small)
    dark.show(0, cube(), WHITE, size=0.5)
    np.testing.assert_array_equal(dark.draw(), small)


def test_texture_rotation_light_and_wall_are_seen(dark):
    dark.show(0, cube(), WHITE)
    plain = dark.draw().astype(int)
    red = Finish(np.broadcast_to(np.array([255, 0, 0], np.uint8), (TEXTURE_SIZE, TEXTURE_SIZE, 3)), 1, 0, 0.5)
    dark.show(0, cube(), red)
    coloured = dark.draw().astype(int)
    np.testing.assert_allclose(coloured[..., 0], plain[..., 0], atol=2)
    assert coloured[..., 1:].max() < 3
    dark.place(0, np.zeros(3), Rotation.from_euler("z", 0.7))
    assert np.abs(dark.draw().astype(int) - coloured).max() > 50
    dark.light(Light(np.array([0.2, 1, -0.5]), np.zeros(3), np.full(3, 0.4)))
    assert dark.draw().max() < coloured.max() / 1.5
    dark.show(0, None)
    dark.background(BLACK, WHITE.texture)
    wall = dark.draw()
    assert wall[0].mean() > 60
    assert wall[-1].mean() < 3


def test_antialiasing_averages_the_larger_picture(dark):
    plain = Stage(2 * SIZE, slots_n=2, triangles_n=100, antialias=False)
    try:
        for stage in (dark, plain):
            stage.background(BLACK, WHITE.texture)
            stage.room(3)
            stage.light(Light(np.array([0.2, 1, -0.5]), np.full(3, 0.6), np.full(3, 0.4)))
            stage.look(Camera(np.array([0.3, -5, 2]), np.array([0, 0, 0.5]), 0.8))
            stage.show(0, cube(), WHITE)
        large = plain.draw().astype(float)
        averaged = large.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
        np.testing.assert_allclose(dark.draw(), averaged, atol=1)
    finally:
        plain.close()


def test_two_stages_do_not_disturb_each_other(dark):
    dark.show(0, cube(), WHITE)
    before = dark.draw()
    other = Stage(16, slots_n=1, triangles_n=12)
    other.draw()
    other.close()
    np.testing.assert_array_equal(dark.draw(), before)


def test_a_surface_beyond_the_slots_is_refused(dark):
    surface = max(make_object("armchair", 1).surfaces, key=len)
    with pytest.raises(
        HandsightError, match=f"a surface has {len(surface)} triangles; this stage was built for 100"
    ):
        dark.show(0, surface, WHITE)


def test_the_device_is_named(stage):
    assert len(stage.device) > 3


def run(code, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"} | environment
    source = os.pathsep.join([*sys.path])
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": source},
        check=False,
    )


def test_without_opengl_one_line_says_what_to_install():
    code = (
        "from handsight.errors import HandsightError\n"
        "from handsight.worlds.turntable import Turntable\n"
        "try:\n    Turntable().episode(0, 0)\nexcept HandsightError as error:\n    print(error)\n"
    )
    done = run(code, MUJOCO_GL="nonsense")
    assert done.stdout.startswith("no OpenGL to draw with (MUJOCO_GL=nonsense: "), done.stderr
    assert "libegl1 and libgl1-mesa-dri, or libosmesa6 and set MUJOCO_GL=osmesa" in done.stdout
    assert done.stdout.count("\n") == 1


def test_a_context_that_cannot_be_made_is_one_line(monkeypatch):
    def refuse(width, height):
        raise RuntimeError("no EGL\ndisplay")

    monkeypatch.setattr(load_mujoco(), "GLContext", refuse)
    with pytest.raises(
        HandsightError, match=r"no OpenGL to draw with \(MUJOCO_GL=.*: no EGL display\); on Debian"
    ):
        open_context(8, 8)


def test_importing_does_nothing():
    code = "import sys, handsight.worlds; print('mujoco' in sys.modules or 'OpenGL' in sys.modules)"
    assert run(code).stdout == "False\n"


def test_what_moves_over_what_stands_gives_the_picture_drawn_at_once(dark):
    dark.show(0, cube(), WHITE)
    dark.place(0, np.array([-0.5, 0, 0.2]), Rotation.identity())  # sunk into the floor
    dark.show(1, cube(), WHITE, size=0.5)
    for step in range(3):
        dark.place(1, np.array([0.1 - 0.4 * step, -0.7 + 0.7 * step, 0.3]), Rotation.from_euler("z", step))
        at_once = dark.draw()
        np.testing.assert_array_equal(dark.draw(moving=[1]), at_once)
        np.testing.assert_array_equal(dark.draw(moving=[0]), at_once)
        np.testing.assert_array_equal(dark.draw(moving=[0, 1]), at_once)


@pytest.mark.parametrize(
    "change",
    [
        lambda stage: stage.show(0, None),
        lambda stage: stage.place(0, np.array([1.0, 0, 0.5]), Rotation.identity()),
        lambda stage: stage.background(WHITE.texture, BLACK),
        lambda stage: stage.room(2),
        lambda stage: stage.light(Light(np.array([0.2, 1, -0.5]), np.zeros(3), np.full(3, 0.4))),
        lambda stage: stage.look(Camera(np.array([1, -5, 2.0]), np.array([0, 0, 0.5]), 0.7)),
    ],
    ids=["show", "place", "background", "room", "light", "look"],
)
def test_what_stands_is_drawn_anew_once_it_changes(dark, change):
    dark.background(BLACK, WHITE.texture)
    dark.show(0, cube(), WHITE)
    dark.show(1, cube(), WHITE, size=0.3)
    before = dark.draw(moving=[1])
    change(dark)
    after = dark.draw(moving=[1])
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(after, dark.draw())
