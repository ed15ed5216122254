"""Layouts: which furniture stands where in a kitchen, a living room, a bedroom, a bathroom."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from handsight.worlds.rooms import furniture as made
from handsight.worlds.rooms import sanitary
from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.fixtures import Fixture
from handsight.worlds.rooms.kinds import ROOM_KINDS, RoomKind
from handsight.worlds.rooms.pieces import box, panel
from handsight.worlds.rooms.plans import Plan, check_room, empty_plan, hang_pictures, overlap
from handsight.worlds.world import generator

PLAN = 12
"""What the numbers drawn for a room's plan are for; see `world.generator`."""

Generator = np.random.Generator


def rug(plan: Plan, rng: Generator, x: float, y: float, w: float, d: float) -> None:
    """Lay a rug; things lie on it as on the floor."""
    finish = ("rug", "carpet", "plaid", "rug")[rng.integers(4)]
    plan.pieces.append(box(w, d, 0.004, colour_of(rng, "cloth"), finish, x=x, y=y, solid=False))


def free_table(
    plan: Plan, rng: Generator, w: float, d: float, high: float, seats: bool, gap: float = 0.5
) -> bool:
    """Put a table into the room's free middle, with places to sit."""
    wide, deep, _ = plan.size_m
    fixture = made.table(w, d, high, plan.style, round_top=bool(seats and rng.random() < 0.35))
    for _ in range(40):
        x, y = rng.uniform(-wide / 2 + 0.3, wide / 2 - 0.3), rng.uniform(-deep / 2 + 0.3, deep / 2 - 0.3)
        angle = float(rng.integers(2)) * np.pi / 2
        about = Fixture([box(w + gap, d + gap, high, (0, 0, 0), y=d / 2)]).placed(x, y, angle).footprint
        inside = (
            abs(about[0]) < wide / 2
            and about[2] < wide / 2
            and abs(about[1]) < deep / 2
            and about[3] < deep / 2
        )
        if not inside or any(overlap(about, other) for other in plan.blocked):
            continue
        if plan.put(fixture, x, y, angle):
            if seats:
                _seats(plan, fixture, x, y, angle, w, d)
            return True
    return False


def _seats(plan: Plan, fixture: Fixture, x: float, y: float, angle: float, w: float, d: float) -> None:
    """Note the places at a table: on both long sides, turned to it."""
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    for across, turn in ((-0.16, 0.0), (d + 0.16, np.pi)):
        for along in (-w / 4, w / 4) if w > 1.1 else (0.0,):
            at = (x + cos * along - sin * across, y + sin * along + cos * across, angle + turn)
            plan.seats.append(at)


def kitchen(plan: Plan, rng: Generator) -> None:
    """A row of counters with a sink and a cooker, a refrigerator, wall cupboards, a table."""
    style = plan.style
    bare = [number for number in range(4) if all(number != hung[0] for hung in plan.hung)]
    wall = bare[rng.integers(len(bare))]
    length = plan.wall(wall)[3]
    row = [("sink", float(rng.uniform(0.9, 1.2))), ("stove", 0.6), ("fridge", 0.7)]
    rest = length - sum(w for _, w in row) - 0.02
    share = float(rng.uniform(0.35, 0.65))
    row = [("counter", rest * share), row[0], ("counter", rest * (1 - share)), row[1], row[2]]
    if rng.random() < 0.5:
        row.reverse()
    tiles = panel(
        length,
        0.55,
        colour_of(rng, "ceramic"),
        "bricks" if rng.random() < 0.5 else "small tiles",
        y=0.006,
        z=0.9,
        thick=0.006,
    )
    plan.put(Fixture([tiles], blocks=False), *plan.at_wall(wall, 0.0))
    at = -length / 2 + 0.01
    for name, w in row:
        parts: list[Fixture] = []
        if name == "counter" and w > 0.15:
            parts = [made.counter(w, style)]
            parts += [made.wall_cupboard(w, style)] if w > 0.35 else []
        elif name == "sink":
            parts = [made.sink(w, style)]
        elif name == "stove":
            parts = [made.stove(style), made.hood()]
        elif name == "fridge":
            parts = [made.fridge(rng)]
        for part in parts:
            plan.put_at_wall(part, wall, at + w / 2)
        at += w
    if rng.random() < 0.6:
        plan.put_somewhere(made.counter(float(rng.uniform(0.8, 1.6)), style), rng)
    free_table(plan, rng, float(rng.uniform(0.9, 1.4)), float(rng.uniform(0.7, 0.85)), 0.74, seats=True)
    if rng.random() < 0.6:
        plan.put_somewhere(made.bookcase(0.8, float(rng.uniform(1.0, 1.5)), style, books=False), rng)
    if rng.random() < 0.5:
        plan.put_somewhere(made.cabinet(0.9, 0.42, 0.85, style, drawers=3), rng)
    hang_pictures(plan, rng, int(rng.integers(2)))


def living(plan: Plan, rng: Generator) -> None:
    """A sofa with a low table before it, a cabinet across, a bookcase, a rug, pictures."""
    style = plan.style
    wall = int(rng.integers(4))
    along = float(rng.uniform(-0.3, 0.3))
    w = float(rng.uniform(1.7, 2.3))
    if plan.put_at_wall(made.sofa(w, style), wall, along):
        x, y, angle = plan.at_wall(wall, along, 1.2)
        long = float(rng.uniform(0.9, 1.2))
        sideways = abs(np.sin(angle)) > 0.5
        rug(plan, rng, *plan.at_wall(wall, along, 1.5)[:2], *((1.6, 2.3) if sideways else (2.3, 1.6)))
        plan.put(made.table(long, 0.55, float(rng.uniform(0.38, 0.5)), style), x, y, angle)
    plan.put_at_wall(
        made.cabinet(float(rng.uniform(1.2, 1.7)), 0.42, float(rng.uniform(0.45, 0.6)), style),
        (wall + 2) % 4,
        along,
    )
    plan.put_somewhere(made.bookcase(float(rng.uniform(0.8, 1.2)), float(rng.uniform(1.5, 2.0)), style), rng)
    if rng.random() < 0.7:
        free_table(plan, rng, float(rng.uniform(1.2, 1.6)), 0.85, 0.74, seats=True)
    if rng.random() < 0.6:
        plan.put_somewhere(made.cabinet(float(rng.uniform(0.8, 1.2)), 0.4, 0.85, style, drawers=3), rng)
    if rng.random() < 0.5:
        plan.put_somewhere(made.table(float(rng.uniform(0.9, 1.2)), 0.5, 0.74, style), rng)
    for _ in range(int(rng.integers(3))):
        number = int(rng.integers(4))
        spare = plan.wall(number)[3] / 2 - 0.6
        plan.put_at_wall(
            made.shelf(0.9, float(rng.uniform(1.15, 1.4)), style), number, float(rng.uniform(-spare, spare))
        )
    hang_pictures(plan, rng, int(rng.integers(2, 5)))


def bedroom(plan: Plan, rng: Generator) -> None:
    """A bed with nightstands, a wardrobe, a desk, a chest of drawers, a rug."""
    style = plan.style
    wall = int(rng.integers(4))
    w = float(rng.choice([0.95, 1.4, 1.6]))
    along = float(rng.uniform(-0.25, 0.25)) * (plan.wall(wall)[3] - w - 1.0)
    if plan.put_at_wall(made.bed(w, style, rng), wall, along):
        sideways = abs(np.sin(plan.wall(wall)[2])) > 0.5
        size = (2.0, w + 1.2) if sideways else (w + 1.2, 2.0)
        rug(plan, rng, *plan.at_wall(wall, along, 1.5)[:2], *size)
        for side in (-1, 1):
            plan.put_at_wall(made.nightstand(style), wall, along + side * (w / 2 + 0.32))
    desk = made.table(float(rng.uniform(1.1, 1.4)), 0.6, 0.74, style)
    number = plan.put_somewhere(desk, rng)
    if number is not None:
        low = plan.blocked[-1]
        middle = ((low[0] + low[2]) / 2, (low[1] + low[3]) / 2)
        angle = plan.wall(number)[2]
        out = 0.5
        plan.seats.append(
            (middle[0] - float(np.sin(angle)) * out, middle[1] + float(np.cos(angle)) * out, angle + np.pi)
        )
    plan.put_somewhere(made.wardrobe(float(rng.uniform(1.0, 1.6)), style), rng)
    plan.put_somewhere(
        made.cabinet(float(rng.uniform(0.8, 1.2)), 0.45, float(rng.uniform(0.75, 0.95)), style, drawers=4),
        rng,
    )
    if rng.random() < 0.6:
        plan.put_somewhere(made.bookcase(0.8, float(rng.uniform(1.2, 1.8)), style), rng)
    hang_pictures(plan, rng, int(rng.integers(1, 4)))


def bathroom(plan: Plan, rng: Generator) -> None:
    """A bathtub or a shower, a toilet, a basin with a mirror, shelves, a rail, a mat."""
    style = plan.style
    order = [int(number) for number in rng.permutation(4)]
    tub = rng.random() < 0.65
    if tub:
        length = min(1.7, plan.wall(order[0])[3] - 0.02)
        spare = (plan.wall(order[0])[3] - length) / 2
        plan.put_at_wall(sanitary.bathtub(length, style), order[0], float(rng.choice([-1, 1])) * spare)
    else:
        spare = plan.wall(order[0])[3] / 2 - 0.47
        plan.put_at_wall(sanitary.shower(), order[0], float(rng.choice([-1, 1])) * spare)
    plan.put_somewhere(sanitary.basin(float(rng.uniform(0.9, 1.3)), style), rng)
    plan.put_somewhere(sanitary.toilet(), rng)
    plan.put_somewhere(
        made.cabinet(float(rng.uniform(0.5, 0.8)), 0.36, float(rng.uniform(0.7, 0.95)), style, drawers=3), rng
    )
    if rng.random() < 0.5:
        plan.put_somewhere(made.bookcase(0.5, 1.4, style, books=False), rng)
    for fixture in (made.shelf(0.7, 1.2, style), sanitary.towel_rail(style)):
        number = int(rng.integers(4))
        spare = plan.wall(number)[3] / 2 - 0.5
        plan.put_at_wall(fixture, number, float(rng.uniform(-spare, spare)))
    mat = shade(style.cloth, 1.1)
    plan.pieces.append(
        box(
            0.85,
            0.55,
            0.01,
            mat,
            "carpet",
            x=float(rng.uniform(-0.3, 0.3)),
            y=float(rng.uniform(-0.3, 0.3)),
            solid=False,
        )
    )


LAYOUTS: dict[RoomKind, Callable[[Plan, Generator], None]] = {
    "kitchen": kitchen,
    "living": living,
    "bedroom": bedroom,
    "bathroom": bathroom,
}
"""What furnishes a room, by kind."""


@lru_cache(maxsize=128)
def plan_of(name: str) -> Plan:
    """Return a room's plan, the same one each time; nobody is to change it.

    Raises:
        HandsightError: there is no such room.
    """
    kind, number = check_room(name)
    rng = generator(ROOM_KINDS.index(kind), number, PLAN)
    plan = empty_plan(rng, kind)
    LAYOUTS[kind](plan, rng)
    return plan
