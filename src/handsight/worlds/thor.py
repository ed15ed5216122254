"""AI2-THOR as a place: the rooms that "Learning about objects by learning to interact with them" was made in.

Lohmann et al. 2020, section 3 and appendix D; what is done to the simulator follows the authors' released
code. This was written against AI2-THOR's interface (5.0) and tested with a stand-in that speaks it, not with
the Unity build itself. See `docs/guides/thor.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError, first_line
from handsight.worlds.places import (
    DIRECTIONS,
    REACH_M,
    VISIBLE_PIXELS_N,
    Instance,
    Location,
    LocationError,
    Outcome,
    Sight,
    check_force,
)
from handsight.worlds.thor_lists import ListedLocation, read_locations

HEAVIEST_KG = 150.0
"""What weighs as much is not counted among what could be found."""

VISIBLE_M = 10.0
"""How far things are told of at all, and so the most that a reach can be."""

_FIELD_OF_VIEW_DEG = 90.0
_ROTATIONS_DEG, _HORIZONS_DEG = (0.0, 90.0, 180.0, 270.0), (-30.0, 0.0, 30.0, 60.0)
_KITCHENS, _LIVING_ROOMS, _BEDROOMS, _BATHROOMS = 0, 200, 300, 400
_KINDS = (_KITCHENS, _LIVING_ROOMS, _BEDROOMS, _BATHROOMS)

_ROOMS = {f"FloorPlan{kind + number}" for kind in _KINDS for number in range(1, 31)}

_SPLITS: dict[str, dict[str, list[int]]] = {
    "novel-spaces": {
        "train": [kind + number for kind in _KINDS for number in range(1, 21)],
        "validation": [kind + number for kind in _KINDS for number in range(21, 26)],
        "test": [kind + number for kind in _KINDS for number in range(26, 31)],
    },
    "novel-objects": {
        "train": [kind + number for kind in (_KITCHENS, _LIVING_ROOMS) for number in range(1, 31)],
        "validation": [_BATHROOMS + number for number in range(1, 31)],
        "test": [_BEDROOMS + number for number in range(1, 31)],
    },
}


@dataclass
class Thor:
    """AI2-THOR's kitchens, living rooms, bedrooms and bathrooms, 30 of each.

    The location's seed decides where objects lie, where the agent stands and where it looks: the same for one
    build of the simulator, not from one build to another. Physics is Unity's, which does not promise that the
    same forces do the same twice.

    Args:
        image_size: width and height of the view, pixels.
        reach_m: how far from the camera the agent reaches; beyond `VISIBLE_M`, also infinity, it is that.
        splits: which rooms are for what: `novel-spaces` has rooms of all kinds in each split (20, 5 and 5);
            `novel-objects` trains in kitchens and living rooms, validates in bathrooms and tests in bedrooms.
        locations: a list of the authors' release. Its entries then take the place of what seeds draw,
            whatever the split: seed s stands for entry s modulo their number in the room.
        depth_offset_m: taken off the simulator's depth, as the authors do for theirs (0.1).
        released_forces: whether forces are those of the released code, which does not bring directions to
            unit length, so that they are √3 or √6 times as strong as told.
        cloud: whether to render without a screen (CloudRendering; needs Vulkan); otherwise on `DISPLAY`.

    Raises:
        HandsightError: an option is out of its range, or the list cannot be read.
    """

    image_size: int = 300
    reach_m: float = REACH_M
    splits: Literal["novel-spaces", "novel-objects"] = "novel-spaces"
    locations: Path | None = None
    depth_offset_m: float = 0.1
    released_forces: bool = False
    cloud: bool = True

    _controller: Any = field(default=None, init=False, repr=False, compare=False)
    _event: Any = field(default=None, init=False, repr=False, compare=False)
    _listed: dict[str, list[ListedLocation]] = field(default_factory=dict, init=False, repr=False)

    name = "thor"

    def __post_init__(self) -> None:
        if self.image_size < 30:
            raise HandsightError(f"thor: image_size is {self.image_size}; it starts at 30")
        if self.splits not in _SPLITS:
            raise HandsightError(f"thor: splits is {self.splits!r}; it is {' or '.join(_SPLITS)}")
        if not self.reach_m > 0:
            raise HandsightError(f"thor: reach_m is {self.reach_m}; it lies above 0")
        if not 0 <= self.depth_offset_m < 1:
            raise HandsightError(f"thor: depth_offset_m is {self.depth_offset_m}; it lies in [0, 1)")
        for listed in read_locations(self.locations) if self.locations else ():
            self._listed.setdefault(listed.room, []).append(listed)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the simulator, which is a process of its own."""
        return {**self.__dict__, "_controller": None, "_event": None}

    def rooms(self, split: str) -> Sequence[str]:
        """Return the names of the rooms of `train`, `validation` or `test`."""
        if split not in _SPLITS[self.splits]:
            raise HandsightError(f"there is no split {split!r}; there are train, validation and test")
        if self._listed:
            return tuple(self._listed)
        return tuple(f"FloorPlan{number}" for number in _SPLITS[self.splits][split])

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        told["locations"] = str(self.locations) if self.locations else None
        told["reach_m"] = min(self.reach_m, VISIBLE_M)
        return told

    def listed(self, location: Location) -> ListedLocation:
        """Return what the list says of a location.

        Raises:
            HandsightError: there is no list, or no such room in it.
        """
        if location.room not in self._listed:
            raise HandsightError(f"the list of locations has no room {location.room!r}")
        entries = self._listed[location.room]
        return entries[location.seed % len(entries)]

    def enter(self, location: Location) -> Sight:
        """Go to a location as it was before anything was done there, and look.

        Raises:
            LocationError: the agent cannot stand there, or Unity broke down on the way.
            HandsightError: there is no such room, or AI2-THOR cannot start.
        """
        listed = self.listed(location) if self._listed else None
        if listed is None and location.room not in _ROOMS:
            raise HandsightError(f"thor has no room {location.room!r}; it has FloorPlan1 to FloorPlan430")
        self._open()
        with self._running("reset"):
            self._controller.reset(location.room)
        seed = listed.seed if listed else location.seed
        self._do(action="InitialRandomSpawn", randomSeed=seed, forceVisible=True, numPlacementAttempts=5)
        self._do(action="MakeAllObjectsMoveable")
        self._do(action="TeleportFull", **(_stand(listed) if listed else self._draw(location)), standing=True)
        return Sight(self._image(), self._depth())

    def apply_force(self, u: float, v: float, newtons: float, direction: int) -> Outcome:
        """Apply a force to what the ray through a pixel meets first, if that is within reach; wait for rest.

        If Unity breaks down, the outcome is `diverged` and the place has to be entered again.
        """
        if self._event is None:
            raise HandsightError("no location was entered; call enter first")
        check_force(self.image_size, u, v, newtons, direction)
        aim = DIRECTIONS[direction]
        if self.released_forces:
            aim = aim / np.abs(aim).min()  # (±1, 1 or 2, ±1)
        before = self._image()
        try:
            self._event = self._controller.step(
                action="TouchThenApplyForce",
                x=(u + 0.5) / self.image_size,
                y=(v + 0.5) / self.image_size,
                direction=dict(zip("xyz", aim.tolist(), strict=True)),
                moveMagnitude=newtons,
                handDistance=min(self.reach_m, VISIBLE_M),
            )
        except (RuntimeError, TimeoutError):  # of both kinds are AI2-THOR's own when Unity is gone
            self.close()
            return Outcome(before, touched=False, diverged=True)
        # A thing answers with its name, a wall with a text in its place, what is out of reach with False.
        told = self._event.metadata.get("actionReturn")
        return Outcome(self._image(), isinstance(told, dict) and bool(told.get("didHandTouchSomething")))

    def instances(self) -> list[Instance]:
        """Return what could be moved, as it is now: what is seen, not fixed, below `HEAVIEST_KG`."""
        if self._event is None:
            raise HandsightError("no location was entered; call enter first")
        within = self._depth() <= min(self.reach_m, VISIBLE_M)
        masks, found = self._event.instance_masks, []
        for thing in self._event.metadata["objects"]:
            movable = thing["visible"] and (thing["moveable"] or thing["pickupable"])
            if not movable or thing["mass"] >= HEAVIEST_KG or thing["objectId"] not in masks:
                continue
            mask = np.array(masks[thing["objectId"]], bool)
            reachable = int((mask & within).sum()) >= VISIBLE_PIXELS_N
            found.append(Instance(str(thing["objectType"]), float(thing["mass"]), mask, reachable))
        return found

    def close(self) -> None:
        """Stop the simulator; `enter` starts it again."""
        controller, self._controller, self._event = self._controller, None, None
        if controller is not None:
            try:
                controller.stop()
            except Exception:  # Unity may be gone already: then there is nothing left to stop
                return

    def _open(self) -> None:
        """Start the simulator, which is downloaded the first time."""
        if self._controller is not None:
            return
        try:
            start = import_module("ai2thor.controller").Controller
            platform = import_module("ai2thor.platform").CloudRendering if self.cloud else None
        except ImportError:
            raise HandsightError("AI2-THOR is not installed; pip install 'handsight[thor]'") from None
        try:
            self._controller = start(
                width=self.image_size,
                height=self.image_size,
                fieldOfView=_FIELD_OF_VIEW_DEG,
                platform=platform,
                renderDepthImage=True,
                renderInstanceSegmentation=True,
                visibilityDistance=VISIBLE_M,
                snapToGrid=False,
            )
        except Exception as error:
            raise HandsightError(
                f"AI2-THOR did not start ({first_line(error)}); it needs its Unity build, downloaded the "
                "first time, and Vulkan (libvulkan1) or, with cloud=False, a display"
            ) from error

    def _do(self, **action: Any) -> Any:
        """Take one step, which has to succeed."""
        with self._running(action["action"]):
            self._event = self._controller.step(**action)
        if not self._event.metadata["lastActionSuccess"]:
            reason = str(self._event.metadata.get("errorMessage", ""))
            self._event = None
            raise LocationError(f"AI2-THOR refused {action['action']} ({reason}); choose another location")
        return self._event.metadata.get("actionReturn")

    @contextmanager
    def _running(self, what: str) -> Iterator[None]:
        """Stop the simulator where it breaks down."""
        try:
            yield
        except (ValueError, RuntimeError, TimeoutError) as error:
            self.close()
            raise LocationError(f"AI2-THOR broke down at {what} ({first_line(error)}); try again") from error

    def _draw(self, location: Location) -> dict[str, Any]:
        """Return where the seed has the agent stand and look: where the authors' lists have theirs."""
        rng = np.random.default_rng(location.seed)
        reachable = self._do(action="GetReachablePositions")
        places = sorted((place["x"], place["y"], place["z"]) for place in reachable or ())
        if not places:
            raise LocationError(f"AI2-THOR has nowhere to stand in {location.room}; choose another room")
        x, y, z = places[rng.integers(len(places))]
        rotation, horizon = float(rng.choice(_ROTATIONS_DEG)), float(rng.choice(_HORIZONS_DEG))
        return {"x": x, "y": y, "z": z, "rotation": {"x": 0.0, "y": rotation, "z": 0.0}, "horizon": horizon}

    def _image(self) -> NDArray[np.uint8]:
        return np.array(self._event.frame[..., :3], np.uint8, order="C")

    def _depth(self) -> NDArray[np.float32]:
        """Return depth along each pixel's ray; the simulator's is along the axis of view."""
        focal_px = self.image_size / 2 / math.tan(math.radians(_FIELD_OF_VIEW_DEG / 2))
        away = ((np.arange(self.image_size) - (self.image_size - 1) / 2) / focal_px) ** 2
        planar = np.maximum(np.asarray(self._event.depth_frame, np.float64) - self.depth_offset_m, 0)
        return (planar * np.sqrt(1 + away[:, None] + away)).astype(np.float32)


def _stand(listed: ListedLocation) -> dict[str, Any]:
    x, y, z = listed.position_m
    rotation = {"x": 0.0, "y": listed.rotation_deg, "z": 0.0}
    return {"x": x, "y": y, "z": z, "rotation": rotation, "horizon": listed.horizon_deg}
