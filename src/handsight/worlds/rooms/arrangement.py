"""What follows from a room and a seed: which things lie where, the light, where the agent stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.worlds.places import REACH_M, Location
from handsight.worlds.rooms.fixtures import Surface
from handsight.worlds.rooms.kinds import KINDS, ROOM_KINDS, Where, kinds_of
from handsight.worlds.rooms.layouts import plan_of
from handsight.worlds.rooms.pieces import Piece, bounds
from handsight.worlds.rooms.plans import Plan, Rectangle, check_room, overlap
from handsight.worlds.world import generator

LOCATION = 13
"""What the numbers drawn for a location are for; see `world.generator`."""

EYE_M = 1.45
"""Height of the camera."""

TILTS_RAD = (-np.pi / 6, 0.0, np.pi / 6, np.pi / 3)
"""How far the camera looks down, as the authors draw it."""

Spot = Callable[[NDArray[np.float64]], tuple[float, float]]
"""Returns x, y for what has these half sizes."""

THINGS_N = 36
"""Things in a room at most."""

GAP_M = 0.01
"""Between things, and above what they lie on nothing: they stand on it."""

TRIES_N = 25
"""How often a place to stand is drawn anew, until something can be reached there."""


@dataclass(frozen=True)
class Thing:
    """A movable thing.

    Args:
        category: its kind.
        pieces: what it is made of, its lowest point at z = 0.
        mass_kg: what it weighs.
        friction: coefficient of sliding friction.
        at_m: where its origin is, in the room.
        angle_rad: by which it is turned, anticlockwise seen from above.
    """

    category: str
    pieces: list[Piece]
    mass_kg: float
    friction: float
    at_m: tuple[float, float, float]
    angle_rad: float


@dataclass(frozen=True)
class Arrangement:
    """A room as it is found.

    Args:
        plan: of the room.
        things: in it.
        eye_m: where the camera is.
        heading_rad: where it looks, anticlockwise from +x seen from above.
        tilt_rad: how far down it looks.
        lamp: RGB of the light from above.
        day: RGB of the light that comes in by the window.
        ambient: RGB of the light from everywhere.
    """

    plan: Plan
    things: list[Thing]
    eye_m: tuple[float, float, float]
    heading_rad: float
    tilt_rad: float
    lamp: NDArray[np.float64]
    day: NDArray[np.float64]
    ambient: NDArray[np.float64]


def arrange(location: Location) -> Arrangement:
    """Return the room of a location as it is found there; the same each time.

    Raises:
        HandsightError: there is no such room, or the seed is below 0.
    """
    kind, number = check_room(location.room)
    if location.seed < 0:
        raise HandsightError(f"rooms: a location's seed is {location.seed}; it is 0 or more")
    plan = plan_of(location.room)
    rng = generator(ROOM_KINDS.index(kind), number, location.seed, LOCATION)
    laid = _Laid(plan, rng)
    laid.furnish()
    laid.cover()
    tint = 1 + rng.uniform(-0.06, 0.06, 3) + rng.uniform(-0.07, 0.07) * np.array([1, 0, -1])
    lamp, day = rng.uniform(0.22, 0.4) * tint, rng.uniform(0.2, 0.42) * np.array([1.0, 1.0, 1.03])
    ambient = rng.uniform(0.46, 0.6) * tint
    eye, heading, tilt = _stand(plan, laid, rng)
    return Arrangement(plan, laid.things, eye, heading, tilt, lamp, day, ambient)


class _Laid:
    """Things as they are laid down, one after the other."""

    def __init__(self, plan: Plan, rng: np.random.Generator) -> None:
        self.plan, self.rng = plan, rng
        self.things: list[Thing] = []
        self.taken: list[Rectangle] = list(plan.blocked)

    def furnish(self) -> None:
        """Put things on the floor: at tables, at walls, anywhere."""
        wide, deep, _ = self.plan.size_m
        at_table = kinds_of(self.plan.kind, "table side")
        for x, y, angle in self.plan.seats:
            if at_table and self.rng.random() < 0.75:
                turn = angle + float(self.rng.uniform(-0.25, 0.25))
                category = str(at_table[self.rng.integers(len(at_table))])
                self._put(category, partial(_there, x, y), turn)
        for category in self._draw("wall", int(self.rng.poisson(0.13 * wide * deep)) + 1):
            self._at_wall(category)
        for category in self._draw("floor", int(self.rng.poisson(0.12 * wide * deep)) + 1):
            self._put(category, self._anywhere, float(self.rng.uniform(0, 2 * np.pi)))

    def cover(self) -> None:
        """Put things on every surface."""
        surfaces = list(self.plan.surfaces)
        for nth in self.rng.permutation(len(surfaces)):
            surface = surfaces[nth]
            area = 4 * surface.half_m[0] * surface.half_m[1]
            count = self.rng.poisson(min(9.0 * area, 5.5) if surface.where == "top" else min(2.2 * area, 3.0))
            lies: list[Rectangle] = []
            for category in self._draw(surface.where, int(count)):
                if len(self.things) < THINGS_N:
                    self._lay(category, surface, lies)

    def _draw(self, where: Where, count: int) -> list[str]:
        """Return so many kinds that are found there; on the floor none comes twice."""
        kinds = kinds_of(self.plan.kind, where)
        if where in ("floor", "wall"):
            return [str(kinds[n]) for n in self.rng.permutation(len(kinds))[:count]]
        return [str(kinds[n]) for n in self.rng.integers(len(kinds), size=count)] if kinds else []

    def _make(self, category: str) -> tuple[list[Piece], float]:
        """Return a thing's pieces, its lowest point at z = 0 and its middle at the origin, and its mass."""
        size = float(self.rng.random())
        pieces = KINDS[category].build(self.rng, size)
        low, high = bounds(pieces)
        middle = (low + high) / 2
        light, heavy = KINDS[category].mass_kg
        share = float(np.clip(size + self.rng.uniform(-0.15, 0.15), 0, 1))
        pieces = [piece.moved(-float(middle[0]), -float(middle[1]), -float(low[2])) for piece in pieces]
        return pieces, light * (heavy / light) ** share

    def _lay(self, category: str, surface: Surface, lies: list[Rectangle]) -> None:
        """Lay a thing on a surface, if there is room."""
        pieces, mass = self._make(category)
        _, high = bounds(pieces)
        if high[2] > surface.headroom_m:
            return
        faces = high[2] > 0.1 and self.rng.random() < 0.7  # what stands mostly turns its front to the room
        turn = float(self.rng.uniform(-0.5, 0.5)) if faces else float(self.rng.uniform(0, 2 * np.pi))
        half = _turned(high[:2], turn)
        spare = np.subtract(surface.half_m, half)
        if spare.min() < 0:
            turn = 0.0
            half = _turned(high[:2], turn)
            spare = np.subtract(surface.half_m, half)
        if spare.min() < 0:
            return
        for _ in range(6):
            x, y = (float(each) for each in self.rng.uniform(-spare, spare))
            rectangle = (x - half[0], y - half[1], x + half[0], y + half[1])
            if not any(overlap(rectangle, other, GAP_M) for other in lies):
                lies.append(rectangle)
                cos, sin = np.cos(surface.angle_rad), np.sin(surface.angle_rad)
                at = (surface.middle_m[0] + cos * x - sin * y, surface.middle_m[1] + sin * x + cos * y)
                self._keep(
                    category,
                    pieces,
                    mass,
                    float(at[0]),
                    float(at[1]),
                    surface.height_m,
                    surface.angle_rad + turn,
                )
                return

    def _at_wall(self, category: str) -> None:
        number = int(self.rng.integers(4))
        length = self.plan.wall(number)[3]
        angle = self.plan.wall(number)[2]

        def place(half: NDArray[np.float64]) -> tuple[float, float]:
            across = half if abs(np.sin(angle)) < 0.5 else half[::-1]
            spare = max(length / 2 - across[0] - 0.02, 0.0)
            return self.plan.at_wall(number, float(self.rng.uniform(-spare, spare)), float(across[1]) + 0.03)[
                :2
            ]

        self._put(category, place, angle + float(self.rng.uniform(-0.08, 0.08)))

    def _anywhere(self, half: NDArray[np.float64]) -> tuple[float, float]:
        spare = np.maximum(np.array(self.plan.size_m[:2]) / 2 - half - 0.03, 0)
        x, y = self.rng.uniform(-spare, spare)
        return float(x), float(y)

    def _put(self, category: str, place: Spot, turn: float) -> None:
        """Put a thing on the floor where `place` says for its half sizes, if nothing stands there."""
        pieces, mass = self._make(category)
        _, high = bounds(pieces)
        half = _turned(high[:2], turn)
        for _ in range(8):
            x, y = place(half)
            rectangle = (x - half[0], y - half[1], x + half[0], y + half[1])
            inside = (
                np.abs(rectangle[::2]).max() < self.plan.size_m[0] / 2
                and np.abs(rectangle[1::2]).max() < self.plan.size_m[1] / 2
            )
            if inside and not any(overlap(rectangle, other, GAP_M) for other in self.taken):
                self.taken.append(rectangle)
                self._keep(category, pieces, mass, x, y, 0.0, turn)
                return

    def _keep(
        self, category: str, pieces: list[Piece], mass: float, x: float, y: float, z: float, turn: float
    ) -> None:
        self.things.append(Thing(category, pieces, mass, KINDS[category].friction, (x, y, z + 0.0004), turn))


def _there(x: float, y: float, half: NDArray[np.float64]) -> tuple[float, float]:
    return x, y


def _turned(half: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Return half the sizes of the upright rectangle around one that is turned."""
    cos, sin = abs(np.cos(angle)), abs(np.sin(angle))
    return np.array([cos * half[0] + sin * half[1], sin * half[0] + cos * half[1]])


def _stand(
    plan: Plan, laid: _Laid, rng: np.random.Generator
) -> tuple[tuple[float, float, float], float, float]:
    """Return where the agent stands, its heading and its tilt: on free floor, something movable in view.

    It is to be within `REACH_M`, whatever this agent's reach, so that every reach has the same views.
    """
    half = np.array(plan.size_m[:2]) / 2 - 0.35
    best: tuple[tuple[float, float, float], float, float] | None = None
    middles = np.array([[*thing.at_m[:2], thing.at_m[2] + 0.1] for thing in laid.things]).reshape(-1, 3)
    for _ in range(TRIES_N):
        x, y = (float(each) for each in rng.uniform(-half, half))
        heading, tilt = float(rng.uniform(-np.pi, np.pi)), float(TILTS_RAD[rng.integers(4)])
        body = (x - 0.2, y - 0.2, x + 0.2, y + 0.2)
        if any(overlap(body, other) for other in laid.taken):
            continue
        best = ((x, y, EYE_M), heading, tilt)
        towards = middles - best[0]
        distance = np.linalg.norm(towards, axis=1)
        right, up, ahead = frame(heading, tilt)
        depth = towards @ ahead
        seen = (np.abs(towards @ right) < 0.85 * depth) & (np.abs(towards @ up) < 0.85 * depth)
        if (seen & (distance < REACH_M - 0.05)).any():
            return best
    return best or ((0.0, 0.0, EYE_M), 0.0, float(TILTS_RAD[2]))


def frame(
    heading_rad: float, tilt_rad: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the camera's axes in the room: to the right, up in the picture, into the picture."""
    cos, sin = np.cos(heading_rad), np.sin(heading_rad)
    right = np.array([sin, -cos, 0.0])
    ahead = np.array([cos * np.cos(tilt_rad), sin * np.cos(tilt_rad), -np.sin(tilt_rad)])
    return right, np.cross(right, ahead), ahead
