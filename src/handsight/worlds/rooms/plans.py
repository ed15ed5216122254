"""Plans: what of a room follows from its name: walls, floor, windows, doors, furniture, colours, light."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from handsight.errors import HandsightError
from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.fixtures import Fixture, Style, Surface
from handsight.worlds.rooms.kinds import ROOM_KINDS, RoomKind
from handsight.worlds.rooms.pieces import Colour, Piece, bounds, box, can, panel

ROOMS_N = 30
"""Rooms of each kind."""

Rectangle = tuple[float, float, float, float]
"""Lowest x, lowest y, highest x, highest y, m."""


@dataclass
class Plan:
    """A room's plan; the middle of its floor is the origin, z up.

    Args:
        kind: of room.
        size_m: along x, along y, height.
        style: what its furniture shares.
        pieces: all that stays where it is.
        surfaces: what things lie on.
        blocked: rectangles of the floor that are taken.
        seats: x, y and the angle of places at a table, m and rad.
        daylight: x, y of the direction in which light comes in.
        hung: stretches of a wall, from and to along it, where something is at the height of the eyes.
    """

    kind: RoomKind
    size_m: tuple[float, float, float]
    style: Style
    pieces: list[Piece] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)
    blocked: list[Rectangle] = field(default_factory=list)
    seats: list[tuple[float, float, float]] = field(default_factory=list)
    daylight: tuple[float, float] = (0.0, 1.0)
    hung: list[tuple[int, float, float]] = field(default_factory=list)

    def wall(self, number: int) -> tuple[float, float, float, float]:
        """Return the middle x, y of a wall, the angle of what stands with its back to it, and its length."""
        wide, deep, _ = self.size_m
        return (
            (0.0, -deep / 2, 0.0, wide),
            (wide / 2, 0.0, np.pi / 2, deep),
            (0.0, deep / 2, np.pi, wide),
            (-wide / 2, 0.0, -np.pi / 2, deep),
        )[number]

    def at_wall(self, number: int, along: float, out: float = 0.0) -> tuple[float, float, float]:
        """Return x, y and angle of a place on a wall, so far from its middle and so far out of it."""
        x, y, angle, _ = self.wall(number)
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        return x + cos * along - sin * out, y + sin * along + cos * out, angle

    def put(self, fixture: Fixture, x: float, y: float, angle_rad: float) -> bool:
        """Put furniture somewhere, if nothing stands there; return whether it could be."""
        placed = fixture.placed(x, y, angle_rad)

        if placed.blocks:
            rectangle = placed.footprint
            wide, deep, _ = self.size_m
            inside = (
                np.abs(rectangle[::2]).max() < wide / 2 + 0.06
                and np.abs(rectangle[1::2]).max() < deep / 2 + 0.06
            )
            if not inside or any(overlap(rectangle, other) for other in self.blocked):
                return False
            self.blocked.append(rectangle)
        self.pieces += placed.pieces
        self.surfaces += placed.surfaces
        return True

    def put_at_wall(self, fixture: Fixture, number: int, along: float) -> bool:
        """Put furniture to a wall, what is high not before a window; return whether it could be."""
        low, high = bounds(fixture.pieces)
        tall = bool(high[2] > 1.2)
        stretch = (number, along + float(low[0]), along + float(high[0]))
        if tall and self.is_hung(*stretch):
            return False
        x, y, angle = self.at_wall(number, along, 0.005)
        done = self.put(fixture, x, y, angle)
        if done and tall:
            self.hung.append(stretch)
        return done

    def is_hung(self, number: int, start: float, end: float) -> bool:
        """Return whether something hangs on a stretch of a wall."""
        return any(
            wall == number and start < last - 0.02 and first < end - 0.02 for wall, first, last in self.hung
        )

    def put_somewhere(
        self, fixture: Fixture, rng: np.random.Generator, walls: tuple[int, ...] = (0, 1, 2, 3)
    ) -> int | None:
        """Put furniture at one of some walls, where there is room; return which wall, or None."""
        wide = fixture.footprint[2] - fixture.footprint[0]
        for _ in range(12):
            number = int(walls[rng.integers(len(walls))])
            spare = (self.wall(number)[3] - wide) / 2
            if spare > 0 and self.put_at_wall(fixture, number, float(rng.uniform(-spare, spare))):
                return number
        return None


def overlap(one: Rectangle, other: Rectangle, gap: float = 0.0) -> bool:
    """Return whether two rectangles overlap, or are nearer than a gap."""
    return (
        one[0] < other[2] + gap - 1e-3
        and other[0] < one[2] + gap - 1e-3
        and one[1] < other[3] + gap - 1e-3
        and other[1] < one[3] + gap - 1e-3
    )


def room_names(kind: RoomKind) -> list[str]:
    """Return the names of all rooms of a kind."""
    return [f"{kind}-{number:02d}" for number in range(1, ROOMS_N + 1)]


def check_room(name: str) -> tuple[RoomKind, int]:
    """Return a room's kind and number.

    Raises:
        HandsightError: there is no such room.
    """
    for kind in ROOM_KINDS:
        found = re.fullmatch(f"{kind}-([0-9]{{2}})", name)
        if found and 1 <= int(found[1]) <= ROOMS_N:
            return kind, int(found[1])
    names = ", ".join(f"{kind}-01 to {kind}-{ROOMS_N}" for kind in ROOM_KINDS)
    raise HandsightError(f"there is no room {name!r}; there are {names}")


def empty_plan(rng: np.random.Generator, kind: RoomKind) -> Plan:
    """Return a room of drawn size with walls, a floor, a ceiling, a door and a window, and its style."""
    low, high = {"kitchen": (3.0, 4.4), "living": (4.0, 5.6), "bedroom": (3.4, 4.6), "bathroom": (2.4, 3.3)}[
        kind
    ]
    wide, deep = (float(each) for each in rng.uniform(low, high, 2))
    plan = Plan(kind, (wide, deep, float(rng.uniform(2.5, 2.8))), _style(rng, kind))
    _shell(plan, rng)
    return plan


def _style(rng: np.random.Generator, kind: RoomKind) -> Style:
    front, wood = colour_of(rng, "front"), colour_of(rng, "wood")
    plain = ("satin", "wood", "matt")[rng.integers(3)]
    if kind == "bathroom":
        front = colour_of(rng, "white") if rng.random() < 0.5 else front
    counter_finish = ("granite", "marble", "wood", "satin")[rng.integers(4)]
    counter = wood if counter_finish == "wood" else colour_of(rng, "stone", front)
    return Style(
        front, plain, wood, counter, counter_finish, colour_of(rng, "cloth"), colour_of(rng, "ceramic")
    )


def _shell(plan: Plan, rng: np.random.Generator) -> None:
    """Add floor, ceiling, walls with skirting, a door, a window or two."""
    wide, deep, high = plan.size_m
    wet = plan.kind in ("kitchen", "bathroom")
    wall_colour = colour_of(rng, "wall")
    floors = ("tiles", "checks", "planks", "marble") if wet else ("planks", "parquet", "carpet", "planks")
    floor_finish = floors[rng.integers(4)]
    stony = floor_finish in ("tiles", "checks", "marble")
    floor_colour = colour_of(
        rng, "stone" if stony else "cloth" if floor_finish == "carpet" else "floor", wall_colour
    )
    walls = (
        ("small tiles", "bricks", "plaster", "tiles")
        if plan.kind == "bathroom"
        else ("plaster", "plaster", "stripes", "ornament")
    )
    wall_finish = walls[rng.integers(4)]
    plan.pieces.append(box(wide + 0.4, deep + 0.4, 0.3, floor_colour, floor_finish, z=-0.3))
    plan.pieces.append(box(wide + 0.4, deep + 0.4, 0.3, (0.93, 0.93, 0.92), "plaster", z=high))
    lamp = can(0.22, 0.05, (1.0, 0.97, 0.88), "shining", z=high - 0.05, solid=False)
    plan.pieces.append(lamp)
    half = rng.random() < 0.35 and not wet
    for number in range(4):
        length = plan.wall(number)[3]
        boards = [
            panel(length + 0.4, high, wall_colour, wall_finish, thick=0.3, solid=True),
            panel(
                length,
                0.1,
                shade(plan.style.wood, 1.1) if half else (0.92, 0.92, 0.9),
                "satin",
                y=0.012,
                thick=0.012,
            ),
        ]
        if half:
            boards.append(panel(length, 0.9, shade(wall_colour, 0.75), "satin", y=0.008, thick=0.008))
        plan.put(Fixture(boards, blocks=False), *plan.at_wall(number, 0.0))
    opening = int(rng.integers(4))
    plan.daylight = _window(plan, rng, opening)
    if rng.random() < 0.4 and plan.kind != "bathroom":
        _window(plan, rng, (opening + 1) % 4)
    _door(plan, rng, (opening + 2) % 4)


def _window(plan: Plan, rng: np.random.Generator, number: int) -> tuple[float, float]:
    """Add a window on a wall; return the direction in which light comes in."""
    w, h = float(rng.uniform(0.9, 1.6)), float(rng.uniform(0.8, 1.1))
    w, low = min(w, plan.wall(number)[3] - 0.8), 2.25 - h
    white: Colour = (0.95, 0.95, 0.94)
    boards = [
        panel(w + 0.12, h + 0.12, white, "satin", y=0.012, z=low - 0.06, thick=0.012),
        panel(w, h, (1, 1, 1), "view", y=0.018, z=low, thick=0.01),
        box(0.04, 0.03, h, white, "satin", y=0.02, z=low, solid=False),
        box(w, 0.03, 0.04, white, "satin", y=0.02, z=low + h * 0.6, solid=False),
        box(w + 0.2, 0.12, 0.03, white, "satin", y=0.06, z=low - 0.08, solid=False),
    ]
    if rng.random() < 0.6 and plan.kind != "bathroom":
        cloth = colour_of(rng, "cloth")
        for side in (-1, 1):
            x = side * (w / 2 + 0.1)
            boards.append(
                box(
                    0.26,
                    0.09,
                    1.5 if plan.kind == "kitchen" else 2.1,
                    cloth,
                    "stripes",
                    x=x,
                    y=0.06,
                    z=0.95 if plan.kind == "kitchen" else 0.2,
                    solid=False,
                )
            )
    along = float(rng.uniform(-0.3, 0.3))
    plan.hung.append((number, along - w / 2 - 0.25, along + w / 2 + 0.25))
    x, y, angle = plan.at_wall(number, along)
    plan.put(Fixture(boards, blocks=False), x, y, angle)
    return -float(np.sin(angle)), float(np.cos(angle))


def _door(plan: Plan, rng: np.random.Generator, number: int) -> None:
    """Add a door on a wall; the floor before it stays free of furniture."""
    painted = rng.random() < 0.5
    colour, finish = ((0.9, 0.89, 0.86), "satin") if painted else (plan.style.wood, "wood")
    along = float(rng.choice([-1, 1])) * max(plan.wall(number)[3] / 2 - 0.75, 0)
    boards = [
        panel(1.0, 2.08, shade(colour, 0.8), "satin", y=0.014, thick=0.014),
        panel(0.86, 2.0, colour, finish, y=0.02, thick=0.014),
        panel(0.6, 0.7, shade(colour, 0.92), finish, y=0.026, z=0.2, thick=0.01),
        panel(0.6, 0.75, shade(colour, 0.92), finish, y=0.026, z=1.1, thick=0.01),
        box(0.12, 0.05, 0.025, (0.75, 0.7, 0.5), "metal", x=0.34, y=0.04, z=1.0, solid=False),
    ]
    plan.hung.append((number, along - 0.5, along + 0.5))
    x, y, angle = plan.at_wall(number, along)
    plan.put(Fixture(boards, blocks=False), x, y, angle)
    before = Fixture([box(0.9, 0.7, 0.01, (0, 0, 0), y=0.36)]).placed(x, y, angle)
    plan.blocked.append(before.footprint)


def hang_pictures(plan: Plan, rng: np.random.Generator, count: int) -> None:
    """Hang framed pictures on walls, where nothing tall stands."""
    for _ in range(count):
        number = int(rng.integers(4))
        w, h = (float(each) for each in rng.uniform(0.35, 0.8, 2))
        finish = ("landscape", "abstract", "abstract2")[rng.integers(3)]
        frame = colour_of(rng, "wood")
        boards = [
            panel(w + 0.08, h + 0.08, frame, "wood", y=0.03, z=1.26, thick=0.03),
            panel(w, h, (1, 1, 1), finish, y=0.036, z=1.3, thick=0.02),
        ]
        spare = plan.wall(number)[3] / 2 - 0.6
        plan.put_at_wall(Fixture(boards, blocks=False), number, float(rng.uniform(-spare, spare)))
