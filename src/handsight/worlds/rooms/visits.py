"""Visits to rooms as recordings: what random forces did to what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature, camera
from handsight.worlds.places import DIRECTIONS, FORCES_N, REACH_M, Location
from handsight.worlds.rooms.place import OBJECTS_SPLITS, Rooms, Splits
from handsight.worlds.world import Episode, FactType, generator

VISIT = 14
"""What the numbers drawn from a recording's seed are for; see `world.generator`."""

EYE = "observation.images.eye"
DEPTH = "observation.depth_m"


@dataclass
class RoomVisits:
    """Visits to kitchens, living rooms, bedrooms and bathrooms, where forces are applied at random pixels.

    An episode is one visit: a room of 120, what lies where in it and where the agent stands are drawn, and
    forces of 5, 30 or 200 N are applied one after the other at random pixels in random directions (Lohmann et
    al. 2020, sections 3 and 4.2, without the network). It depends on these options, the recording's seed and
    its index alone.

    The streams are `observation.images.eye`, what the agent sees before the first force and after each;
    `force.point` `[2]`, the pixel that is pushed at after this frame, x and y in [0, 1] from the top left;
    `force.newtons` `[1]`; `force.heading_rad` `[1]`, from straight ahead to the right; and
    `force.rise_rad` `[1]`, from level upwards. In the last frame, after which nothing is done, they are zero.
    Where `depth` asks for it, `observation.depth_m` `[S, S]` is how far away each pixel is.

    The facts are `room`, `room_kind`, `room_seed` (of what lies where), `split`, `touched_n` (forces that met
    something within reach), `changed_n` (forces after which something else was seen) and `diverged_n`.

    Args:
        attempts: forces of a visit.
        image_size: width and height of the pictures, pixels.
        reach_m: how far from the camera the agent reaches; may be infinite (`.inf` on the command line).
        splits: `novel-spaces` (of each kind 20 rooms to train on, 5 to validate, 5 to test) or
            `novel-objects` (kitchens and living rooms to train on, bathrooms to validate, bedrooms to test).
        antialias: draws at twice the size and averages.
        depth: also records depths, along each pixel's ray.
        video: stores mp4 in place of PNG.

    Raises:
        HandsightError: an option is out of its range.
    """

    attempts: int = 10
    image_size: int = 300
    reach_m: float = REACH_M
    splits: Splits = "novel-spaces"
    antialias: bool = False
    depth: bool = False
    video: bool = False

    _rooms: Rooms = field(init=False, repr=False, compare=False)

    name = "rooms"
    fps = 1

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 10_000:
            raise HandsightError(f"rooms: attempts is {self.attempts}; it lies between 1 and 10000")
        self._rooms = Rooms(self.image_size, self.reach_m, self.splits, self.antialias)

    @property
    def features(self) -> dict[str, Feature]:
        """The streams of an episode."""
        one: dict[str, Any] = {"dtype": "float32", "shape": (1,), "between": "first"}
        size = self.image_size
        depth = Feature("float16", (size, size), moves="map", between="first", unit="m")
        return {
            EYE: camera(size, size, self.video),
            **({DEPTH: depth} if self.depth else {}),
            "force.point": Feature("float32", (2,), ("x", "y"), moves="point", between="first"),
            "force.newtons": Feature(**one, names=("force",), moves="nothing", unit="n"),
            "force.heading_rad": Feature(**one, names=("heading",), moves="angle", unit="rad"),
            "force.rise_rad": Feature(**one, names=("rise",), moves="nothing", unit="rad"),
        }

    @property
    def facts(self) -> dict[str, FactType]:
        """The facts of an episode."""
        return {
            "room": "string", "room_kind": "string", "room_seed": "int64", "split": "string",
            "touched_n": "int64", "changed_n": "int64", "diverged_n": "int64",
        }  # fmt: skip

    @property
    def device(self) -> str:
        """Name of the graphics device that draws; opens it."""
        return self._rooms.device

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if not name.startswith("_")}

    def episode(self, seed: int, index: int) -> Episode:
        """Return episode `index` of the recording with this seed.

        Raises:
            HandsightError: there is no OpenGL to draw with.
        """
        rng = generator(seed, index, VISIT)
        split_of = {room: split for split in OBJECTS_SPLITS for room in self._rooms.rooms(split)}
        names = sorted(split_of)
        location = Location(names[rng.integers(len(names))], int(rng.integers(2**31)))
        frames = {
            name: np.zeros((self.attempts + 1, *it.shape), it.dtype)
            for name, it in self.features.items()
            if name != EYE
        }
        seen = self._rooms.enter(location)
        pictures = [seen.image]
        if self.depth:
            frames[DEPTH][0] = seen.depth_m
        counts = {"touched_n": 0, "changed_n": 0, "diverged_n": 0}
        for nth in range(self.attempts):
            u, v = (int(each) for each in rng.integers(self.image_size, size=2))
            newtons, direction = FORCES_N[rng.integers(len(FORCES_N))], int(rng.integers(len(DIRECTIONS)))
            outcome = self._rooms.apply_force(u, v, newtons, direction)
            counts["touched_n"] += outcome.touched
            counts["changed_n"] += not np.array_equal(outcome.image, pictures[-1])
            counts["diverged_n"] += outcome.diverged
            pictures.append(outcome.image)
            if self.depth:
                frames[DEPTH][nth + 1] = self._rooms.look().depth_m
            right, up, ahead = DIRECTIONS[direction]
            frames["force.point"][nth] = (u + 0.5) / self.image_size, (v + 0.5) / self.image_size
            frames["force.newtons"][nth] = newtons
            frames["force.heading_rad"][nth] = np.arctan2(right, ahead)
            frames["force.rise_rad"][nth] = np.arcsin(up)
        facts: dict[str, int | float | str | bool] = {
            "room": location.room,
            "room_kind": location.room.split("-")[0],
            "room_seed": location.seed,
            "split": split_of[location.room],
            **counts,
        }
        return Episode({EYE: np.stack(pictures), **frames}, facts, "push at what is seen")

    def close(self) -> None:
        """Give the graphics context back."""
        self._rooms.close()
