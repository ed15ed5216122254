"""A setting: camera, light, floor, wall and clutter around what is looked at, drawn anew for each clip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.worlds.objects.appearance import Finishes, draw_colour, draw_finish, draw_texture
from handsight.worlds.objects.parts import Part
from handsight.worlds.objects.shapes import Mesh, box, cylinder, ellipsoid, hoop, lathe
from handsight.worlds.objects.surface import surfaces_of
from handsight.worlds.scene import Camera, Light, Stage
from handsight.worlds.world import generator

BACKGROUND = 4
"""What the seeds of background textures are for; see `world.generator`."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class SettingOptions:
    """The ranges that settings are drawn from; each interval is (lowest, highest).

    Args:
        backgrounds: size of the pool of textures that floor and wall are taken from.
        clutter: highest number of other things standing around.
        camera_height_rad: angle above the horizon from which the camera looks down.
        fov_rad: field of view.
        space: radius of what the camera has in view around the middle, for things of radius 1.
        finishes: how floor, wall and clutter are painted.
    """

    backgrounds: int
    clutter: int
    camera_height_rad: Interval
    fov_rad: Interval
    space: Interval
    finishes: Finishes = "patterned"


@lru_cache(maxsize=512)
def background_texture(number: int, finishes: Finishes = "patterned") -> NDArray[np.uint8]:
    """Return background texture `number` of the pool that all clips of all recordings share."""
    return draw_texture(generator(number, BACKGROUND), finishes)


def draw_camera(rng: np.random.Generator, options: SettingOptions, height: float) -> Camera:
    """Return a camera at azimuth −y that sees the unit sphere about (0, 0, height) whole."""
    elevation, fov = rng.uniform(*options.camera_height_rad), rng.uniform(*options.fov_rad)
    space = rng.uniform(*options.space)
    middle = np.array([0, 0, height])
    # Off the middle by at most the spare space, so that the sphere stays in the picture.
    target = middle + rng.uniform(-1, 1, 3) * max(space - 1, 0) * 0.5
    backwards = np.array([0, -np.cos(elevation), np.sin(elevation)])
    return Camera(target + backwards * space / np.sin(fov / 2), target, float(fov))


def draw_light(rng: np.random.Generator) -> Light:
    """Return light from above, from the camera's side."""
    azimuth, elevation = rng.uniform(-1.2, 1.2), rng.uniform(0.4, 1.3)
    direction = -np.array(
        [np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)]
    )
    tint = 1 + 0.2 * (draw_colour(rng) - 0.5)
    return Light(direction, rng.uniform(0.5, 0.9) * tint, rng.uniform(0.35, 0.6) * np.ones(3))


def paint_background(stage: Stage, rng: np.random.Generator, options: SettingOptions) -> None:
    """Take floor and wall from the pool and put the wall at a drawn distance."""
    floor, wall = rng.integers(options.backgrounds, size=2)
    stage.background(
        background_texture(int(floor), options.finishes), background_texture(int(wall), options.finishes)
    )
    stage.room(rng.uniform(1.8, 4.0))


def scatter_clutter(stage: Stage, rng: np.random.Generator, options: SettingOptions, first_slot: int) -> None:
    """Stand simple shapes around the origin, in `options.clutter` slots from `first_slot` on."""
    count = int(rng.integers(options.clutter + 1))
    for index in range(options.clutter):
        slot = first_slot + index
        if index >= count:
            stage.show(slot, None)
            continue
        around = rng.uniform(0, 2 * np.pi)
        in_front = np.sin(around) < 0.2
        size = rng.uniform(0.15, 0.25) if in_front else rng.uniform(0.2, 0.6)
        distance = 1.05 + size + rng.uniform(0, 0.5 if in_front else 1.0)
        surface = surfaces_of([Part(_simple_shape(rng))])[0]
        stage.show(slot, surface, draw_finish(rng, options.finishes), size)
        lift = -float(surface.corners[..., 2].min()) * size
        place = np.array([distance * np.cos(around), distance * np.sin(around), lift])
        stage.place(slot, place, Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)))


def _simple_shape(rng: np.random.Generator) -> Mesh:
    """Return a block, a can, a cone, a ball, a ring or a prism."""
    x, y, z = rng.uniform(0.4, 1.0, 3)
    shapes: tuple[Any, ...] = (
        lambda: box(x, y, z),
        lambda: cylinder(x / 2, z),
        lambda: cylinder(x / 2, z, 0.05),
        lambda: ellipsoid(x, y, z),
        lambda: hoop(x, 0.3 * y),
        lambda: lathe([[x / 2, 0], [x / 2, z]], int(rng.integers(3, 8))),
    )
    mesh: Mesh = shapes[rng.integers(len(shapes))]()
    return mesh
