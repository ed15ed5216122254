"""The turntable: an object is turned about the vertical before a camera, and by how much is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.recordings.features import Feature, camera
from handsight.worlds.objects import FINISHES_N, Object
from handsight.worlds.objects.appearance import Finishes
from handsight.worlds.scene import Stage
from handsight.worlds.setting import (
    Interval,
    SettingOptions,
    draw_camera,
    draw_light,
    paint_background,
    scatter_clutter,
)
from handsight.worlds.shelf import FactoryShelf, MeshShelf, Shelf
from handsight.worlds.world import Episode, FactType, generator

CLIP = 7
"""What the numbers drawn from a recording's seed are for; see `world.generator`."""

Turns = Literal["even", "uneven"]
Changes = Literal["clip", "frame"]

LIMITS = {
    "image_size": (8, 4096),
    "views": (1, 100_000),
    "clips_per_object": (1, 2**31),
    "tilt_rad": (0, np.pi),
    "backgrounds": (1, 2**31),
    "clutter": (0, 20),
    "camera_height_rad": (0, 1.5),
    "fov_rad": (0.05, 2.5),
    "space": (1, 10),
}
"""Lowest and highest value of each option that is a number or an interval."""


@dataclass
class Turntable:
    """Clips of one object each, turned once around in even steps, with the turntable's angle and the pose.

    An episode depends on these options, the recording's seed and its index alone. Categories take turns.
    Colours, textures, light, camera and background are drawn without knowing the category.

    The streams are `observation.images.camera`; `action` `[1]`, the turntable's angle in rad, anticlockwise
    seen from above; and `observation.pose` `[4]`, the object's rotation in the camera's frame (x right,
    y down, z into the picture) as a quaternion wxyz, w ≥ 0.

    The facts are `category`, `object` (the object's seed), `split`, `start_rad` (the turntable's angle in the
    first frame), `tilt_rad` (the object's greatest tilt from upright) and `camera_height_rad`.

    Args:
        image_size: width and height of the frames, pixels.
        views: frames of a clip, over 360°.
        turns: whether they are spaced evenly or at random. Even steps give few different actions: pairs
            of a batch share theirs, and a contrast between actions then pushes apart what is alike.
        categories: names of the object factory's categories to show; all by default.
        objects_dir: folder of your own meshes (OBJ, STL, MJCF) to show in place of the factory's objects:
            each file or sub-folder is a category, each mesh or MJCF in it an object. Sizes are brought to
            one; colours are drawn.
        objects_up: the axis that points up in your own meshes, `y` or `z`.
        clips_per_object: successive clips of the same object, otherwise lit and placed.
        finishes: whether objects, floor and wall are painted with patterns, or each surface in one colour:
            then their shapes are what tells them apart, which small encoders learn sooner.
        tilt_rad: greatest angle by which an object is tilted before it is turned.
        tilt_changes: whether the tilt stays for a clip or swings while the object turns (`frame`).
        backgrounds: size of the pool of textures that floor and wall are taken from. All clips share
            them: a background of its own would tell a clip apart without a look at its object.
        background_changes: whether floor, wall and clutter stay for a clip or change with every frame.
        light_changes: the same of the light; one for each clip tells two pictures of a clip from others.
        clutter: highest number of other things standing around.
        camera_height_rad: interval of the camera's angle above the horizon.
        fov_rad: interval of the field of view.
        space: interval of the radius that the camera has in view, for objects of radius 1.
        antialias: draws at twice the size and averages.
        video: stores mp4 in place of PNG.

    Raises:
        HandsightError: an option is out of its range; a category is unknown; a mesh cannot be read.
    """

    image_size: int = 64
    views: int = 12
    turns: Turns = "even"
    categories: tuple[str, ...] | None = None
    objects_dir: Path | None = None
    objects_up: Literal["y", "z"] = "z"
    clips_per_object: int = 1
    finishes: Finishes = "patterned"
    tilt_rad: float = 0.3
    tilt_changes: Changes = "clip"
    backgrounds: int = 64
    background_changes: Changes = "clip"
    light_changes: Changes = "clip"
    clutter: int = 2
    camera_height_rad: Interval = (0.1, 0.8)
    fov_rad: Interval = (0.5, 0.9)
    space: Interval = (1.0, 1.35)
    antialias: bool = True
    video: bool = False

    _shelf: Shelf = field(init=False, repr=False, compare=False)
    _stage: Stage | None = field(default=None, init=False, repr=False, compare=False)

    name = "turntable"
    fps = 10

    def __post_init__(self) -> None:
        for option, (lowest, highest) in LIMITS.items():
            value = np.atleast_1d(getattr(self, option))
            if not ((value >= lowest) & (value <= highest)).all() or not (np.diff(value) >= 0).all():
                order = ", the lower end first" if len(value) > 1 else ""
                raise HandsightError(
                    f"turntable: {option} is {getattr(self, option)}; "
                    f"it lies between {lowest} and {highest:.8g}{order}"
                )
        for option in ("tilt_changes", "background_changes", "light_changes"):
            if getattr(self, option) not in get_args(Changes):
                raise HandsightError(f"turntable: {option} is {getattr(self, option)!r}; it is clip or frame")
        if self.turns not in get_args(Turns):
            raise HandsightError(f"turntable: turns is {self.turns!r}; it is even or uneven")
        if self.finishes not in get_args(Finishes):
            raise HandsightError(f"turntable: finishes is {self.finishes!r}; it is patterned or plain")
        if self.objects_up not in ("y", "z"):
            raise HandsightError(f"turntable: objects_up is {self.objects_up!r}; it is y or z")
        if self.objects_dir is None:
            self._shelf = FactoryShelf(self.categories, self.clips_per_object, self.finishes)
        else:
            self._shelf = MeshShelf(
                Path(self.objects_dir), self.objects_up, self.categories, self.clips_per_object, self.finishes
            )

    @property
    def features(self) -> dict[str, Feature]:
        """The streams of a clip."""
        quaternion = ("w", "x", "y", "z")
        return {
            "observation.images.camera": camera(self.image_size, self.image_size, self.video),
            "action": Feature("float32", (1,), ("turntable",), moves="angle", between="angle", unit="rad"),
            "observation.pose": Feature(
                "float32", (4,), quaternion, moves="rotation", between="relative_rotation"
            ),
        }

    @property
    def facts(self) -> dict[str, FactType]:
        """The facts of a clip."""
        return {
            "category": "string",
            "object": "int64",
            "split": "string",
            "start_rad": "float64",
            "tilt_rad": "float64",
            "camera_height_rad": "float64",
        }

    @property
    def device(self) -> str:
        """Name of the graphics device that draws; opens it."""
        return self._opened().device

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if not name.startswith("_")}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    def episode(self, seed: int, index: int) -> Episode:
        """Return clip `index` of the recording with this seed.

        Raises:
            HandsightError: there is no OpenGL to draw with.
        """
        shown, split = self._shelf.take(seed, index)
        rng = generator(seed, index, CLIP)
        angles, rotations, tilt = self._motion(rng)
        lifts = _standing(shown, rotations)
        options = self._setting()
        stage = self._opened()
        viewpoint = draw_camera(rng, options, float(lifts.mean()))
        stage.look(viewpoint)
        stage.light(draw_light(rng))
        for slot, (surface, finish) in enumerate(zip(shown.surfaces, shown.finishes, strict=True)):
            stage.show(slot, surface, finish)
        slots = range(FINISHES_N)
        moving = slots if self.background_changes == self.light_changes == "clip" else ()
        pictures = []
        for view, (rotation, lift) in enumerate(zip(rotations, lifts, strict=True)):
            if view > 0 and self.light_changes == "frame":
                stage.light(draw_light(rng))
            if view == 0 or self.background_changes == "frame":
                paint_background(stage, rng, options)
                scatter_clutter(stage, rng, options, FINISHES_N)
            for slot in slots:
                stage.place(slot, np.array([0, 0, lift]), rotation)
            pictures.append(stage.draw(moving))
        poses = viewpoint.rotation.inv() * Rotation.concatenate(rotations)
        return Episode(
            frames={
                "observation.images.camera": np.stack(pictures),
                "action": angles.astype(np.float32)[:, None],
                "observation.pose": poses.as_quat(canonical=True, scalar_first=True).astype(np.float32),
            },
            facts={
                "category": shown.category,
                "object": shown.seed,
                "split": split,
                "start_rad": float(angles[0]),
                "tilt_rad": tilt,
                "camera_height_rad": viewpoint.height_rad,
            },
            task="turn the object",
        )

    def close(self) -> None:
        """Give the graphics context back."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_stage": None}

    def _motion(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[Rotation], float]:
        """Draw the turntable's angles `[views]`, the object's rotations and its greatest tilt."""
        start, axis, phase = rng.uniform(0, 2 * np.pi, 3)
        tilt = rng.uniform(0, self.tilt_rad)
        steps = np.arange(self.views) * 2 * np.pi / self.views
        if self.turns == "uneven":
            steps = np.sort(rng.uniform(0, 2 * np.pi, self.views))
        tilts = tilt * np.cos(phase + steps) if self.tilt_changes == "frame" else np.full(self.views, tilt)
        angles = (start + steps) % (2 * np.pi)
        tilted = Rotation.from_rotvec(tilts[:, None] * [np.cos(axis), np.sin(axis), 0])
        return angles, list(Rotation.from_euler("z", angles[:, None]) * tilted), float(np.abs(tilts).max())

    def _setting(self) -> SettingOptions:
        return SettingOptions(
            self.backgrounds, self.clutter, self.camera_height_rad, self.fov_rad, self.space, self.finishes
        )

    def _opened(self) -> Stage:
        if self._stage is None:
            slots_n, triangles_n = FINISHES_N + self.clutter, max(self._shelf.triangles_n, 3072)
            self._stage = Stage(
                self.image_size, slots_n, triangles_n, self.antialias, closed=self._shelf.closed
            )
        return self._stage


def _standing(shown: Object, rotations: list[Rotation]) -> NDArray[np.float64]:
    """Return the height of the object's middle at each rotation, so that its lowest point is on the floor."""
    corners = np.concatenate([surface.corners.reshape(-1, 3) for surface in shown.surfaces])
    return np.array([-(corners @ rotation.as_matrix()[2]).min() for rotation in rotations])
