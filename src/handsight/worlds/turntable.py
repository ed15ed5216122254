"""The turntable: an object is turned about the vertical before a camera, and by how much is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.recordings.features import Feature, camera
from handsight.worlds.meshes import MeshObject, read_objects
from handsight.worlds.objects import CATEGORIES, Object, Split, make_object, split_of
from handsight.worlds.objects.factory import dress
from handsight.worlds.objects.parts import FINISHES_N
from handsight.worlds.scene import Stage
from handsight.worlds.setting import (
    Interval,
    SettingOptions,
    draw_camera,
    draw_light,
    paint_background,
    scatter_clutter,
)
from handsight.worlds.world import Episode, FactType, generator

OBJECT, CLIP = 5, 6
"""What the numbers drawn from a recording's seed are for; see `world.generator`."""

SPLIT_ORDER: tuple[Split, ...] = (
    *("train", "test", "train", "train", "validation", "train", "train", "test", "train", "train"),
)
"""Splits of a category's successive objects, so that every ten have the factory's shares exactly."""


@dataclass
class Turntable:
    """Clips of one object each, turned once around in even steps, with the turntable's angle and the object's pose.

    An episode depends on these options, the recording's seed and its index alone. Categories take turns. Colours, textures,
    light, camera and background are drawn without knowing the category.

    Streams: `observation.images.camera`; `action` `[1]`, the turntable's angle in rad, anticlockwise seen from above;
    `observation.pose` `[4]`, the object's rotation as a quaternion wxyz in the camera's frame (x right, y down, z into the picture).
    Facts: `category`; `object`, the object's seed; `split`; `start_rad`, the angle of the first frame; `tilt_rad`, the object's greatest
    tilt from upright; `camera_height_rad`, the camera's angle above the horizon.

    Args:
        image_size: width and height of the frames, pixels.
        views: frames of a clip, evenly spaced over 360°.
        categories: names of the object factory's categories to show; all by default.
        objects_dir: folder of your own meshes (OBJ, STL, MJCF) to show in place of the factory's objects: each file or sub-folder is a
            category, each mesh or MJCF in it an object. Sizes are brought to one; colours are drawn.
        objects_up: the axis that points up in your own meshes.
        clips_per_object: successive clips of the same object, otherwise lit and placed.
        tilt_rad: greatest angle by which an object is tilted before it is turned.
        tilt_changes: whether the tilt stays for a clip or swings while the object turns (`frame`).
        backgrounds: size of the pool of textures that floor and wall are taken from. A pool shared by all clips: a background
            of its own would tell a clip apart without a look at its object.
        background_changes: whether floor, wall and clutter stay for a clip or change with every frame.
        clutter: highest number of other things standing around.
        camera_height_rad: interval of the camera's angle above the horizon.
        fov_rad: interval of the field of view.
        space: interval of the radius that the camera has in view, for objects of radius 1: 1 fills the picture.
        antialias: draws at twice the size and averages.
        video: stores mp4 in place of PNG.

    Raises:
        HandsightError: an option is out of its range; a category is unknown; a mesh cannot be read.
    """

    image_size: int = 64
    views: int = 12
    categories: tuple[str, ...] | None = None
    objects_dir: Path | None = None
    objects_up: Literal["y", "z"] = "z"
    clips_per_object: int = 1
    tilt_rad: float = 0.3
    tilt_changes: Literal["clip", "frame"] = "clip"
    backgrounds: int = 64
    background_changes: Literal["clip", "frame"] = "clip"
    clutter: int = 2
    camera_height_rad: Interval = (0.1, 0.8)
    fov_rad: Interval = (0.5, 0.9)
    space: Interval = (1.0, 1.35)
    antialias: bool = True
    video: bool = False

    _stage: Stage | None = field(default=None, init=False, repr=False, compare=False)
    _meshes: list[list[MeshObject]] | None = field(default=None, init=False, repr=False, compare=False)

    name = "turntable"
    fps = 10

    def __post_init__(self) -> None:
        for option, lowest in (
            ("image_size", 8),
            ("views", 1),
            ("clips_per_object", 1),
            ("backgrounds", 1),
            ("clutter", 0),
        ):
            if not lowest <= getattr(self, option):
                raise HandsightError(f"turntable: {option} is {getattr(self, option)}; it starts at {lowest}")
        if self.image_size > 4096:
            raise HandsightError(f"turntable: image_size is {self.image_size}; it ends at 4096")
        limits = {
            "tilt_rad": (0, np.pi),
            "camera_height_rad": (0, 1.5),
            "fov_rad": (0.05, 2.5),
            "space": (1, 10),
        }
        for option, (lowest_at, highest_at) in limits.items():
            interval = np.atleast_1d(getattr(self, option))
            if (
                not (np.diff(interval) >= 0).all()
                or not ((interval >= lowest_at) & (interval <= highest_at)).all()
            ):
                raise HandsightError(
                    f"turntable: {option} is {getattr(self, option)}; it lies between {lowest_at} and {highest_at:.4g}, the lower end first"
                )
        for option, allowed in (
            ("tilt_changes", "clip, frame"),
            ("background_changes", "clip, frame"),
            ("objects_up", "y, z"),
        ):
            if getattr(self, option) not in allowed.split(", "):
                raise HandsightError(f"turntable: {option} is {getattr(self, option)!r}; it can be {allowed}")
        if self.categories is not None:
            self.categories = tuple(self.categories)
            known = self._mesh_objects() if self.objects_dir is not None else None
            names = (
                [of_category[0].category for of_category in known] if known is not None else list(CATEGORIES)
            )
            for category in self.categories or ("",):
                if category not in names:
                    raise HandsightError(
                        f"turntable: there is no category {category!r}; there are: {', '.join(names)}"
                    )

    @property
    def features(self) -> dict[str, Feature]:
        """The streams of a clip."""
        return {
            "observation.images.camera": camera(self.image_size, self.image_size, self.video),
            "action": Feature("float32", (1,), ("turntable",), moves="angle", between="angle", unit="rad"),
            "observation.pose": Feature(
                "float32", (4,), ("w", "x", "y", "z"), moves="rotation", between="relative_rotation"
            ),
        }

    @property
    def facts(self) -> dict[str, FactType]:
        """The facts of a clip."""
        numbers: dict[str, FactType] = dict.fromkeys(
            ("start_rad", "tilt_rad", "camera_height_rad"), "float64"
        )
        return {"category": "string", "object": "int64", "split": "string", **numbers}

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it."""
        values = {key: value for key, value in asdict(self).items() if not key.startswith("_")}
        return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}

    def episode(self, seed: int, index: int) -> Episode:
        """Return clip `index` of the recording with this seed.

        Raises:
            HandsightError: there is no OpenGL; a mesh cannot be read.
        """
        shown, split = self._object(seed, index)
        stage = self._opened()
        rng = generator(seed, index, CLIP)
        angles, rotations, tilt = self._motion(rng)
        corners = np.concatenate([surface.corners.reshape(-1, 3) for surface in shown.surfaces])
        # Standing on the floor: turning about the vertical leaves the lowest point as low.
        lifts = np.array([-(corners @ rotation.as_matrix()[2]).min() for rotation in rotations])
        options = SettingOptions(
            self.backgrounds, self.clutter, self.camera_height_rad, self.fov_rad, self.space
        )
        viewpoint = draw_camera(rng, options, float(lifts.mean()))
        stage.look(viewpoint)
        stage.light(draw_light(rng))
        for slot, (surface, finish) in enumerate(zip(shown.surfaces, shown.finishes, strict=True)):
            stage.show(slot, surface, finish)
        pictures, poses = [], []
        for view, (rotation, lift) in enumerate(zip(rotations, lifts, strict=True)):
            if view == 0 or self.background_changes == "frame":
                paint_background(stage, rng, options)
                scatter_clutter(stage, rng, options, FINISHES_N)
            for slot in range(FINISHES_N):
                stage.place(slot, np.array([0, 0, lift]), rotation)
            pictures.append(stage.draw())
            poses.append((viewpoint.rotation.inv() * rotation).as_quat(canonical=True, scalar_first=True))
        frames: dict[str, NDArray[Any]] = {
            "observation.images.camera": np.stack(pictures),
            "action": angles.astype(np.float32)[:, None],
            "observation.pose": np.stack(poses).astype(np.float32),
        }
        height = -(viewpoint.target - viewpoint.position) / np.linalg.norm(
            viewpoint.target - viewpoint.position
        )
        facts = {
            "category": shown.category,
            "object": shown.seed,
            "split": split,
            "start_rad": float(angles[0]),
        }
        return Episode(
            frames,
            facts | {"tilt_rad": tilt, "camera_height_rad": float(np.arcsin(height[2]))},
            "turn the object",
        )

    @property
    def device(self) -> str:
        """Name of the graphics device that draws; opens it."""
        return self._opened().device

    def close(self) -> None:
        """Give the graphics context back."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_stage": None, "_meshes": None}

    def _motion(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], list[Rotation], float]:
        """Draw the turntable's angles `[views]`, the object's rotations in the world, and its greatest tilt."""
        start, tilt, axis, phase = (
            rng.uniform(0, 2 * np.pi),
            rng.uniform(0, self.tilt_rad),
            *rng.uniform(0, 2 * np.pi, 2),
        )
        steps = np.arange(self.views) * 2 * np.pi / self.views
        tilts = tilt * np.cos(phase + steps) if self.tilt_changes == "frame" else np.full(self.views, tilt)
        about = np.array([np.cos(axis), np.sin(axis), 0])
        angles = (start + steps) % (2 * np.pi)
        rotations = [
            Rotation.from_euler("z", a) * Rotation.from_rotvec(about * t)
            for a, t in zip(angles, tilts, strict=True)
        ]
        return angles, rotations, float(np.abs(tilts).max())

    def _object(self, seed: int, index: int) -> tuple[Object, Split]:
        """Return the object of clip `index`, and the clip's split."""
        number = index // self.clips_per_object
        if self.objects_dir is not None:
            return self._own_object(number, seed, index)
        names = self.categories or tuple(CATEGORIES)
        turn, place = divmod(number, len(names))
        wanted = SPLIT_ORDER[(turn + 3 * place) % len(SPLIT_ORDER)]
        rng = generator(seed, number, OBJECT)
        while split_of(object_seed := int(rng.integers(2**62))) != wanted:
            pass
        return make_object(names[place], object_seed), wanted

    def _own_object(self, number: int, seed: int, index: int) -> tuple[Object, Split]:
        """Return an object from `objects_dir`. A category of a single object cannot be split by objects: its clips are."""
        known = [
            of for of in self._mesh_objects() if self.categories is None or of[0].category in self.categories
        ]
        turn, place = divmod(number, len(known))
        mesh = known[place][turn % len(known[place])]
        split_seed = (
            mesh.seed if len(known[place]) > 1 else int(generator(seed, index, OBJECT).integers(2**62))
        )
        return dress(mesh.category, mesh.seed, mesh.parts), split_of(split_seed)

    def _mesh_objects(self) -> list[list[MeshObject]]:
        """Return the user's objects, a list per category."""
        if self._meshes is None:
            assert self.objects_dir is not None
            self._meshes = read_objects(self.objects_dir, self.objects_up)
        return self._meshes

    def _opened(self) -> Stage:
        if self._stage is None:
            largest = 3072
            if self.objects_dir is not None:
                largest = max(
                    mesh.triangles_n for of_category in self._mesh_objects() for mesh in of_category
                )
            self._stage = Stage(
                self.image_size,
                FINISHES_N + self.clutter,
                max(largest, 3072),
                self.antialias,
                self.objects_dir is None,
            )
        return self._stage
