"""What the turntable's streams declare under mirroring is true of its pictures.

The scene is mirrored, not its picture: shapes, textures, clutter and light change sides, the camera does, and
the object is turned the other way. What the world then draws is the mirrored picture, and what it then says
are the mirrored labels.
"""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from handsight.augmentation import Augmentation, move_labels
from handsight.worlds import turntable
from handsight.worlds.objects.surface import Surface
from handsight.worlds.scene import Camera, Light, Stage
from handsight.worlds.turntable import Turntable

SIDES = np.array([-1.0, 1, 1])
"""Changes the sides of the plane x = 0, which the camera looks along."""

OPTIONS = {"image_size": 48, "views": 5, "tilt_changes": "frame", "turns": "uneven"}
CAMERA = "observation.images.camera"


def other_way(rotation):
    return Rotation.from_matrix(np.diag(SIDES) @ rotation.as_matrix() @ np.diag(SIDES))


def other_side(surface):
    order = [2, 1, 0]  # of the corners, so that the front of a triangle stays its front
    corners, normals = (
        (values[:, order] * SIDES).astype(np.float32) for values in (surface.corners, surface.normals)
    )
    return Surface(corners, normals, surface.texture[:, order])


class OtherStage(Stage):
    """Shapes, textures, clutter and light on the other side; the object's rotation and the camera as told."""

    def show(self, slot, surface, finish=None, size=1):
        super().show(slot, None if surface is None else other_side(surface), finish, size)

    def place(self, slot, position, rotation):
        clutter = slot >= turntable.FINISHES_N
        super().place(slot, position * SIDES, other_way(rotation) if clutter else rotation)

    def background(self, floor, wall):
        super().background(*(np.ascontiguousarray(texture[:, ::-1]) for texture in (floor, wall)))

    def light(self, light):
        super().light(Light(light.direction * SIDES, light.colour, light.ambient))


class OtherTurntable(Turntable):
    """Turns the same objects the other way, on the other stage."""

    def _motion(self, rng):
        angles, rotations, tilt = super()._motion(rng)
        return -angles, [other_way(rotation) for rotation in rotations], tilt


@pytest.fixture
def mirrored(monkeypatch):
    """Episodes 0 to 3 of the mirrored world."""
    draw_camera, standing = turntable.draw_camera, turntable._standing

    def other_camera(*given):
        seen = draw_camera(*given)
        return Camera(seen.position * SIDES, seen.target * SIDES, seen.fov_rad)

    with monkeypatch.context() as patched:
        patched.setattr(turntable, "Stage", OtherStage)
        patched.setattr(turntable, "draw_camera", other_camera)
        patched.setattr(
            turntable, "_standing", lambda shown, rotations: standing(shown, list(map(other_way, rotations)))
        )
        world = OtherTurntable(**OPTIONS)
        episodes = [world.episode(3, index) for index in range(4)]
        world.close()
    return episodes


def test_a_mirrored_scene_gives_the_mirrored_picture_and_the_labels_that_mirroring_makes(mirrored):
    world = Turntable(**OPTIONS)
    flips = Augmentation(size=48, crop_scale=(1, 1), crop_ratio=(1, 1), flip_probability=1)
    parameters = flips.draw(torch.Generator().manual_seed(0), OPTIONS["views"], 48, 48)
    for index, other in enumerate(mirrored):
        episode = world.episode(3, index)
        pictures = episode.frames[CAMERA].astype(int)
        wrong = np.abs(pictures[:, :, ::-1] - other.frames[CAMERA])
        # Where an edge runs through the middle of a pixel it falls to either side.
        assert np.median(wrong) == 0
        assert wrong.mean() < 0.1
        assert np.abs(pictures - other.frames[CAMERA]).mean() > 5
        streams = [name for name in world.features if name != CAMERA]
        moved = move_labels(
            {name: torch.from_numpy(episode.frames[name]) for name in streams},
            {name: world.features[name].moves for name in streams},
            parameters,
        ).streams
        for name in streams:
            np.testing.assert_allclose(moved[name], other.frames[name], atol=1e-5, err_msg=name)
    world.close()
