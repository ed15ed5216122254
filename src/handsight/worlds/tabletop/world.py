"""The tabletop: a hand grasps, pushes and pokes objects under a camera (The Curious Robot, ECCV 2016)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.recordings.features import Feature
from handsight.worlds.objects import Object, Split
from handsight.worlds.objects.appearance import Finishes
from handsight.worlds.scene import Light
from handsight.worlds.setting import background_texture, draw_light
from handsight.worlds.shelf import FactoryShelf, MeshShelf, Shelf
from handsight.worlds.tabletop.bench import Bench, Lost
from handsight.worlds.tabletop.bodies import Body, body_of
from handsight.worlds.tabletop.interactions import lie_down
from handsight.worlds.tabletop.scenes import Done, Scene
from handsight.worlds.tabletop.streams import FACTS, STREAMS, Interaction, cameras, nothing
from handsight.worlds.tabletop.summary import summary
from handsight.worlds.tabletop.view import View, patch
from handsight.worlds.world import Episode, FactType, generator

TABLETOP, TURN = 9, 10
"""What the numbers drawn from a recording's seed are for; see `world.generator`."""

ATTEMPTS_N = 40
"""How often an interaction is begun anew before its object is given up."""

FAR = 1_000_003
"""Between an episode's object and those that lie beside it, so that each is new."""

LIMITS = {
    "image_size": (32, 4096),
    "episodes_per_object": (1, 2**31),
    "objects": (1, 4),
    "views": (2, 1000),
    "upright": (0, 1),
    "grasp_spread_m": (0, 0.15),
    "backgrounds": (1, 2**31),
}
"""Lowest and highest value of each option that is a number."""


@dataclass
class Tabletop:
    """Objects on a table are grasped, pushed, poked and looked at again by a hand that feels.

    An episode is one interaction with one object. Of a list of interactions each comes as often as it is
    named, in drawn order. An episode depends on these options, the recording's seed and its index alone.
    What goes wrong (an object falls off the table, flies off, is not seen, a poke misses it or slips off) is
    discarded and begun anew; the fact `discarded` counts it.

    Every episode has `observation.images.camera`, the table from above, and `observation.images.patch`,
    0.234 of the picture's side about where the hand acts. Each interaction has streams of its own, the same
    in all frames of its episode; in episodes of other interactions they are zero (`poke.voltage_v` and all).
    Record one interaction at a time where that is in the way: then only its own streams are there. Points are
    x, y in [0, 1] from the top left of `observation.images.camera`.

    - `grasp`: `grasp.point`; `grasp.angle_rad`, one of 18 (0°, 10° … 170°), of the line between the fingers,
      from the picture's x-axis to its y-axis, which is clockwise. The first frame is before the grasp; if it
      holds, five more show the object in the hand, its wrist turned without physics. Whether it holds is
      measured after the lift, by touch and by height: the fact `success`. The fact `angle_bin` is 0 to 17.
    - `push`: `push.start`, `push.end`, `push.height_m`; a frame before and one after. The fact `moved_m`.
    - `poke`: `poke.point`; the trace `poke.depth_m`, `poke.voltage_v` of 24 samples from touch to 6 N; and
      `poke.line`, slope (V/m) and intercept (V) of the line through it. A frame before and one after.
    - `identity`: pushes of one object, a frame before each and one after the last.

    The facts are `interaction`, `category`, `object` (the object's seed), `split`, `objects_n` on the table,
    `discarded`, `success` (of a grasp), `angle_bin` (−1 without a grasp), `moved_m` and `stiffness_n_per_m`,
    the object's.

    Args:
        interactions: which, of grasp, push, poke and identity.
        image_size: width and height of the pictures, pixels.
        categories: names of the object factory's categories to use; all by default.
        objects_dir: folder of your own meshes (OBJ, STL, MJCF) to use in place of the factory's objects; as
            for the turntable.
        objects_up: the axis that points up in your own meshes, `y` or `z`.
        episodes_per_object: successive episodes with the same object.
        objects: highest number of objects on the table; the hand acts on one.
        views: frames of an `identity` episode.
        upright: share of episodes in which objects stand as they should; in the others they lie as they fall.
        grasp_spread_m: how far from the object's middle a grasp is tried, along x and along y.
        finishes: whether objects and table are painted with patterns, or each surface in one colour.
        backgrounds: size of the pool of textures that the table's is taken from.
        background_changes: whether table and light stay for an episode (`clip`) or are drawn anew for every
            picture (`frame`): where they stay, the table's colour alone tells whether two pictures are of one
            episode, and nothing need be learned of the object.
        antialias: draws at twice the size and averages.
        video: stores mp4 in place of PNG.

    Raises:
        HandsightError: an option is out of its range; a category is unknown; a mesh cannot be read.
    """

    interactions: tuple[Interaction, ...] = ("grasp", "push", "poke", "identity")
    image_size: int = 256
    categories: tuple[str, ...] | None = None
    objects_dir: Path | None = None
    objects_up: Literal["y", "z"] = "z"
    episodes_per_object: int = 1
    objects: int = 1
    views: int = 5
    upright: float = 0.5
    grasp_spread_m: float = 0.08
    finishes: Finishes = "patterned"
    backgrounds: int = 64
    background_changes: Literal["clip", "frame"] = "clip"
    antialias: bool = True
    video: bool = False

    _shelf: Shelf = field(init=False, repr=False, compare=False)
    _solid: dict[int, Body] = field(default_factory=dict, init=False, repr=False, compare=False)
    _view: View | None = field(default=None, init=False, repr=False, compare=False)

    name = "tabletop"
    fps = 1

    def __post_init__(self) -> None:
        known = get_args(Interaction)
        if not self.interactions or not set(self.interactions) <= set(known):
            raise HandsightError(
                f"tabletop: interactions is {list(self.interactions)}; name some of {', '.join(known)}"
            )
        for option, (lowest, highest) in LIMITS.items():
            if not lowest <= getattr(self, option) <= highest:
                raise HandsightError(
                    f"tabletop: {option} is {getattr(self, option)}; "
                    f"it lies between {lowest} and {highest:.8g}"
                )
        if self.finishes not in get_args(Finishes):
            raise HandsightError(f"tabletop: finishes is {self.finishes!r}; it is patterned or plain")
        if self.background_changes not in ("clip", "frame"):
            raise HandsightError(
                f"tabletop: background_changes is {self.background_changes!r}; it is clip or frame"
            )
        if self.objects_up not in ("y", "z"):
            raise HandsightError(f"tabletop: objects_up is {self.objects_up!r}; it is y or z")
        each = self.episodes_per_object
        if self.objects_dir is None:
            self._shelf = FactoryShelf(self.categories, each, self.finishes)
        else:
            folder = Path(self.objects_dir)
            self._shelf = MeshShelf(folder, self.objects_up, self.categories, each, self.finishes)

    @property
    def features(self) -> dict[str, Feature]:
        """The streams of an episode."""
        chosen = [one for one in STREAMS if one in self.interactions]
        return cameras(self.image_size, self.video) | {
            name: feature for one in chosen for name, feature in STREAMS[one].items()
        }

    @property
    def facts(self) -> dict[str, FactType]:
        """The facts of an episode."""
        return dict(FACTS)

    @property
    def device(self) -> str:
        """Name of the graphics device that draws; opens it."""
        return self._opened().stage.device

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if not name.startswith("_")}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    def episode(self, seed: int, index: int) -> Episode:
        """Return episode `index` of the recording with this seed.

        Raises:
            HandsightError: there is no OpenGL to draw with; MuJoCo cannot make a solid of an object, or it is
                lost from the table time and again.
        """
        shown, split = self._shelf.take(seed, index)
        interaction = self._interaction(seed, index)
        rng = generator(seed, index, TABLETOP)
        others = self._others(seed, index, split, int(rng.integers(self.objects)))
        bench = Bench([self._body(one) for one in (shown, *others)])
        discarded, why = 0, ""
        while discarded < ATTEMPTS_N:
            try:
                done = self._done(rng, interaction, self._laid(rng, bench))
                break
            except Lost as lost:
                discarded, why = discarded + 1, str(lost)
        else:
            raise HandsightError(
                f"tabletop: the {shown.category} of episode {index} came to nothing {ATTEMPTS_N} times,"
                f" at last as {why}; leave {shown.category} out (--categories)"
            )
        facts: dict[str, Any] = {
            "interaction": interaction,
            "category": shown.category,
            "object": shown.seed,
            "split": split,
            "objects_n": len(bench.bodies),
            "discarded": discarded,
            "success": False,
            "angle_bin": -1,
            "moved_m": 0.0,
            "stiffness_n_per_m": bench.bodies[0].stiffness_n_per_m,
        }
        return Episode(self._frames(done), facts | done.facts, f"{interaction} the object")

    @staticmethod
    def report(recording: Recording) -> str:
        """Return what came of the interactions, in lines."""
        return summary(recording)

    def close(self) -> None:
        """Give the graphics context back."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_solid": {}, "_view": None}

    def _interaction(self, seed: int, index: int) -> Interaction:
        """Return an episode's interaction: every so many episodes each one comes once, in drawn order."""
        turn, place = divmod(index, len(self.interactions))
        order = generator(seed, turn, TURN).permutation(len(self.interactions))
        return self.interactions[int(order[place])]

    def _body(self, shown: Object) -> Body:
        """Return an object's body; your own meshes come again and again, and theirs are kept."""
        if self.objects_dir is None:
            return body_of(shown)
        if shown.seed not in self._solid:
            self._solid[shown.seed] = body_of(shown)
        return self._solid[shown.seed]

    def _others(self, seed: int, index: int, split: Split, count: int) -> list[Object]:
        """Return objects to lie beside the episode's own: of the same split, so that none is shown before."""
        taken = (self._shelf.take(seed, index + FAR * nth) for nth in range(1, 100))
        same = (shown for shown, its in taken if its == split)
        return [shown for shown, _ in zip(same, range(count), strict=False)] if count else []

    def _laid(self, rng: np.random.Generator, bench: Bench) -> Scene:
        """Lay the objects on a newly drawn table.

        Raises:
            Lost: one does not stay there.
        """
        lie_down(rng, bench, upright=bool(rng.random() < self.upright))

        def table() -> tuple[NDArray[np.uint8], Light]:
            texture = background_texture(int(rng.integers(self.backgrounds)), self.finishes)
            return texture, draw_light(rng)

        return Scene(bench, self._opened(), table, self.background_changes == "frame")

    def _done(self, rng: np.random.Generator, interaction: Interaction, scene: Scene) -> Done:
        """Do what an episode is about.

        Raises:
            Lost: it came to nothing.
        """
        if interaction == "grasp":
            return scene.grasp(rng, self.grasp_spread_m)
        if interaction == "push":
            return scene.push(rng)
        return scene.poke(rng) if interaction == "poke" else scene.look_again(rng, self.views)

    def _frames(self, done: Done) -> dict[str, NDArray[Any]]:
        """Return the streams of an episode: each value in every frame, zeros where it has none."""
        pairs = zip(done.pictures, done.points, strict=True)
        frames: dict[str, NDArray[Any]] = {
            "observation.images.camera": np.stack(done.pictures),
            "observation.images.patch": np.stack([patch(picture, point) for picture, point in pairs]),
        }
        for name, feature in self.features.items():
            if not feature.is_camera:
                value = nothing(feature)
                value[:] = done.streams.get(name, 0)
                frames[name] = np.tile(value, (len(done.pictures), 1))
        return frames

    def _opened(self) -> View:
        if self._view is None:
            triangles_n = max(self._shelf.triangles_n, 64)
            self._view = View(
                self.image_size, self.objects, triangles_n, self.antialias, closed=self._shelf.closed
            )
        return self._view
