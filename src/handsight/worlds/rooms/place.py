"""Rooms to stand in, to look at and to apply forces in: the place that stands in for AI2-THOR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.worlds.graphics import load_mujoco
from handsight.worlds.places import (
    DIRECTIONS,
    FILM_FRAMES,
    FILM_STEP_S,
    REACH_M,
    VISIBLE_PIXELS_N,
    Film,
    Instance,
    Location,
    Outcome,
    Sight,
    check_film,
    check_force,
)
from handsight.worlds.rooms.arrangement import Arrangement, arrange, frame
from handsight.worlds.rooms.kinds import ROOM_KINDS, RoomKind
from handsight.worlds.rooms.model import build
from handsight.worlds.rooms.plans import ROOMS_N, room_names
from handsight.worlds.rooms.simulation import Diverged, Simulation
from handsight.worlds.rooms.view import View

Splits = Literal["novel-spaces", "novel-objects"]

VALIDATION_N, TEST_N = 5, 5
"""Rooms of each kind that `novel-spaces` keeps apart; the last ones."""

OBJECTS_SPLITS: dict[str, tuple[RoomKind, ...]] = {
    "train": ("kitchen", "living"),
    "validation": ("bathroom",),
    "test": ("bedroom",),
}
"""Kinds of room in the splits of `novel-objects`."""


@dataclass
class Rooms:
    """120 rooms: kitchens, living rooms, bedrooms and bathrooms, 30 of each, with movable things in them.

    What a room looks like follows from its name (`kitchen-01` … `bathroom-30`); what lies where in it, the
    light, and where the agent stands and looks, from the location. The field of view is 90°, the camera
    stands 1.45 m high. Sections 3 to 5 and appendix D of Lohmann et al. 2020.

    Args:
        image_size: width and height of the pictures, pixels.
        reach_m: how far from the camera the agent reaches; may be infinite (`.inf` on the command line).
        splits: `novel-spaces` (of each kind 20 rooms to train on, 5 to validate, 5 to test) or
            `novel-objects` (kitchens and living rooms to train on, bathrooms to validate, bedrooms to test).
        antialias: draws at twice the size and averages.

    Raises:
        HandsightError: an option is out of its range.
    """

    image_size: int = 300
    reach_m: float = REACH_M
    splits: Splits = "novel-spaces"
    antialias: bool = False

    _view: View | None = field(default=None, init=False, repr=False, compare=False)
    _found: Arrangement | None = field(default=None, init=False, repr=False, compare=False)
    _simulation: Simulation | None = field(default=None, init=False, repr=False, compare=False)
    _sight: Sight | None = field(default=None, init=False, repr=False, compare=False)

    name = "rooms"

    def __post_init__(self) -> None:
        if not 16 <= self.image_size <= 2048:
            raise HandsightError(f"rooms: image_size is {self.image_size}; it lies between 16 and 2048")
        if not self.reach_m > 0:  # written so that NaN is refused too
            raise HandsightError(f"rooms: reach_m is {self.reach_m:g}; it lies above 0, and may be infinite")
        if self.splits not in get_args(Splits):
            raise HandsightError(f"rooms: splits is {self.splits!r}; it is novel-spaces or novel-objects")

    def rooms(self, split: str) -> Sequence[str]:
        """Return the names of the rooms of `train`, `validation` or `test`.

        Raises:
            HandsightError: there is no such split.
        """
        if split not in OBJECTS_SPLITS:
            raise HandsightError(f"there is no split {split!r}; there are train, validation and test")
        if self.splits == "novel-objects":
            return [name for kind in OBJECTS_SPLITS[split] for name in room_names(kind)]
        end = ROOMS_N - TEST_N
        bounds = {
            "train": (0, end - VALIDATION_N),
            "validation": (end - VALIDATION_N, end),
            "test": (end, ROOMS_N),
        }
        return [name for kind in ROOM_KINDS for name in room_names(kind)[slice(*bounds[split])]]

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if not name.startswith("_")}

    @property
    def device(self) -> str:
        """Name of the graphics device that draws; opens it."""
        return self._opened().device

    def enter(self, location: Location) -> Sight:
        """Go to a location as it was before anything was done there, and look.

        Raises:
            HandsightError: there is no such room, the seed is below 0, or there is no OpenGL to draw with.
        """
        found = arrange(location)
        view = self._opened()
        simulation = Simulation(build(load_mujoco(), found), found.plan.size_m)
        view.enter(simulation.built, simulation.data)
        self._found, self._simulation, self._sight = found, simulation, view.sight()
        return _copied(self._sight)

    def apply_force(self, u: float, v: float, newtons: float, direction: int) -> Outcome:
        """Apply a force to what the ray through a pixel meets first, if that is within reach; wait for rest.

        It acts for `simulation.DURATION_S`. What belongs to the room stays where it is; nothing is simulated
        then, and the picture is the one before.

        Args:
            u: column of the pixel, from the left, in [0, S).
            v: row of the pixel, from the top, in [0, S).
            newtons: how strong.
            direction: which of `DIRECTIONS`.

        Raises:
            HandsightError: the pixel is outside the picture, the force not above 0, no such direction, or no
                location was entered.
        """
        touched, diverged = self._push(u, v, newtons, direction)
        return Outcome(self._entered()[2].image.copy(), touched, diverged)

    def film(
        self,
        u: float,
        v: float,
        newtons: float,
        direction: int,
        frames: int = FILM_FRAMES,
        step_s: float = FILM_STEP_S,
    ) -> Film:
        """Apply a force as `apply_force` does, and film what comes of it; then wait for rest.

        What is seen at rest and what comes of later forces may differ a little from what `apply_force` gives:
        things may come to rest sooner than the film ends.

        Args:
            u: column of the pixel, from the left, in [0, S).
            v: row of the pixel, from the top, in [0, S).
            newtons: how strong.
            direction: which of `DIRECTIONS`.
            frames: pictures after the first, 1 or more.
            step_s: from one to the next, rounded to steps of the simulation.

        Raises:
            HandsightError: as `apply_force`, and for a film of no pictures or no time.
        """
        check_film(frames, step_s)
        images = [self._entered()[2].image.copy()]

        def watch() -> None:
            images.append(self._opened().sight().image)

        touched, diverged = self._push(u, v, newtons, direction, watch, frames, step_s)
        images += images[-1:] * (frames + 1 - len(images))
        return Film(np.stack(images), touched, diverged)

    def look(self) -> Sight:
        """Return what is seen now.

        Raises:
            HandsightError: no location was entered.
        """
        return _copied(self._entered()[2])

    def instances(self) -> list[Instance]:
        """Return what could be moved and is seen, as it is now.

        Raises:
            HandsightError: no location was entered.
        """
        found, _, sight = self._entered()
        seen = self._opened().things()
        instances = []
        for number, thing in enumerate(found.things):
            mask = seen == number
            if mask.any():
                near = int(np.count_nonzero(mask & (sight.depth_m <= self.reach_m)))
                instances.append(Instance(thing.category, thing.mass_kg, mask, near >= VISIBLE_PIXELS_N))
        return instances

    def close(self) -> None:
        """Give back what was opened; `enter` opens it again. May be called at any time."""
        self._found = self._simulation = self._sight = None
        if self._view is not None:
            self._view.close()
            self._view = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_view": None, "_found": None, "_simulation": None, "_sight": None}

    def _push(self, u: float, v: float, newtons: float, direction: int, *watching: Any) -> tuple[bool, bool]:
        """Apply a force and look; return whether anything was touched, and whether the simulation failed."""
        check_force(self.image_size, u, v, newtons, direction)
        found, simulation, _ = self._entered()
        start = np.array(found.eye_m)
        along = self._ray(found, u, v)
        distance, geom = simulation.ray(start, along)
        if geom < 0 or distance > self.reach_m:
            return False, False
        thing = int(simulation.built.thing_of_geom[geom])
        if thing < 0:
            return True, False
        right, _, _ = frame(found.heading_rad, 0.0)
        ahead = np.array([-right[1], right[0], 0.0])
        axes = np.stack([right, [0.0, 0.0, 1.0], ahead])  # the agent's, who stands upright
        force_n = newtons * DIRECTIONS[direction] @ axes
        try:
            simulation.push(thing, start + distance * along, force_n, *watching)
        except Diverged:
            return True, True
        self._sight = self._opened().sight()
        return True, False

    def _ray(self, found: Arrangement, u: float, v: float) -> NDArray[np.float64]:
        """Return the direction, of length 1, through the middle of a pixel."""
        half = self.image_size / 2
        right, up, ahead = frame(found.heading_rad, found.tilt_rad)
        along = ahead + ((math.floor(u) + 0.5) / half - 1) * right - ((math.floor(v) + 0.5) / half - 1) * up
        return np.asarray(along / np.linalg.norm(along))

    def _entered(self) -> tuple[Arrangement, Simulation, Sight]:
        if self._found is None or self._simulation is None or self._sight is None:
            raise HandsightError("rooms: no location was entered; enter one first")
        return self._found, self._simulation, self._sight

    def _opened(self) -> View:
        if self._view is None:
            self._view = View(self.image_size, self.antialias)
        return self._view


def _copied(sight: Sight) -> Sight:
    """Return a sight that is its receiver's to change."""
    return Sight(sight.image.copy(), sight.depth_m.copy())
