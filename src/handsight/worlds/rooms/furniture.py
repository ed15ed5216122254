"""The furniture that stays where it is, of all kinds of room."""

from __future__ import annotations

import numpy as np

from handsight.worlds.rooms.colours import shade
from handsight.worlds.rooms.fixtures import Fixture, Style, top
from handsight.worlds.rooms.household import legs
from handsight.worlds.rooms.pieces import Colour, Piece, box, can, panel, rod

STEEL: Colour = (0.72, 0.73, 0.75)
BLACK: Colour = (0.1, 0.1, 0.11)
WHITE: Colour = (0.94, 0.94, 0.94)
DEEP_M, HIGH_M = 0.6, 0.9
"""Of counters."""


def fronts(w: float, low: float, high: float, y: float, style: Style, across: float = 0.5) -> list[Piece]:
    """Return doors with handles on a cupboard's front."""
    count = max(round(w / across), 1)
    each = w / count
    pieces = []
    for nth in range(count):
        x = -w / 2 + each * (nth + 0.5)
        pieces.append(
            panel(
                each - 0.02,
                high - low - 0.02,
                style.front,
                style.front_finish,
                x=x,
                y=y,
                z=low + 0.01,
                thick=0.024,
            )
        )
        side = x + (each / 2 - 0.06) * (1 if nth % 2 == 0 else -1)
        grip = min(high - 0.08, low + 0.62) if low < 0.5 else low + 0.08
        pieces.append(
            box(0.014, 0.025, 0.12, STEEL, "metal", x=side, y=y + 0.012, z=grip - 0.06, solid=False)
        )
    return pieces  # fmt: skip


def counter(w: float, style: Style) -> Fixture:
    """A worktop over cupboards."""
    pieces = [
        box(w, DEEP_M - 0.04, HIGH_M - 0.04, shade(style.front, 0.7), y=(DEEP_M - 0.04) / 2),
        box(w, DEEP_M, 0.04, style.counter, style.counter_finish, y=DEEP_M / 2, z=HIGH_M - 0.04),
        box(w, 0.02, 0.09, BLACK, y=DEEP_M - 0.06, solid=False),
        *fronts(w, 0.1, HIGH_M - 0.05, DEEP_M - 0.015, style),
    ]
    return Fixture(pieces, [top(0, DEEP_M / 2 + 0.03, w - 0.04, DEEP_M - 0.12, HIGH_M, 0.5)])


def sink(w: float, style: Style) -> Fixture:
    """A counter with a basin and a tap."""
    base = counter(w, style)
    basin = [
        box(0.5, 0.4, 0.012, STEEL, "metal", y=0.32, z=HIGH_M),
        box(0.42, 0.32, 0.002, (0.35, 0.36, 0.38), "metal", y=0.33, z=HIGH_M + 0.012, solid=False),
        can(0.025, 0.002, BLACK, y=0.33, z=HIGH_M + 0.014, solid=False),
        rod((0, 0.1, HIGH_M), (0, 0.1, HIGH_M + 0.28), 0.016, STEEL, "metal"),
        rod((0, 0.1, HIGH_M + 0.27), (0, 0.28, HIGH_M + 0.24), 0.014, STEEL, "metal"),
    ]
    spare = (w - 0.56) / 2
    sides = [
        top(s * (0.28 + spare / 2), 0.33, spare - 0.04, 0.48, HIGH_M, 0.5) for s in (-1, 1) if spare > 0.2
    ]
    return Fixture([*base.pieces, *basin], sides)


def stove(style: Style) -> Fixture:
    """A cooker: four plates, knobs, an oven's window."""
    rings = [
        can(r, 0.004, BLACK, x=sx * 0.14, y=0.3 + sy * 0.13, z=HIGH_M, solid=False)
        for sx, sy, r in ((-1, -1, 0.08), (1, -1, 0.1), (-1, 1, 0.1), (1, 1, 0.08))
    ]
    knobs = [
        can(0.02, 0.03, BLACK, x=x, solid=False).turned(x_rad=np.pi / 2).moved(y=0.61, z=0.8)
        for x in (-0.2, -0.1, 0.1, 0.2)
    ]
    return Fixture(
        [
            box(0.6, 0.58, HIGH_M - 0.02, (0.85, 0.85, 0.86), "satin", y=0.3),
            box(0.6, 0.6, 0.02, (0.3, 0.3, 0.32), "gloss", y=0.3, z=HIGH_M - 0.02),
            box(0.5, 0.012, 0.36, BLACK, "gloss", y=0.592, z=0.28, solid=False),
            rod((-0.22, 0.63, 0.7), (0.22, 0.63, 0.7), 0.012, STEEL, "metal"),
            box(0.6, 0.03, 0.18, (0.8, 0.8, 0.81), "satin", y=0.02, z=HIGH_M),
            *rings,
            *knobs,
        ],
        [top(0, 0.33, 0.54, 0.5, HIGH_M + 0.004, 0.5)],
    )


def fridge(rng: np.random.Generator) -> Fixture:
    """A refrigerator with two doors."""
    colour = (WHITE, STEEL, (0.3, 0.32, 0.34))[rng.integers(3)]
    high = float(rng.uniform(1.65, 1.95))
    split = high * 0.62
    doors = [
        panel(0.66, split - 0.1, colour, "satin", y=0.68, z=0.08, thick=0.05, solid=True),
        panel(0.66, high - split - 0.03, colour, "satin", y=0.68, z=split, thick=0.05, solid=True),
    ]
    grips = [
        rod((-0.26, 0.7, z), (-0.26, 0.7, z + 0.35), 0.012, shade(STEEL, 0.7), "metal")
        for z in (split - 0.42, split + 0.05)
    ]
    return Fixture([box(0.68, 0.62, high, shade(colour, 0.85), "satin", y=0.32), *doors, *grips])  # fmt: skip


def wall_cupboard(w: float, style: Style) -> Fixture:
    """Cupboards on the wall over a counter."""
    body = box(w, 0.32, 0.7, shade(style.front, 0.75), y=0.17, z=1.45)
    return Fixture([body, *fronts(w, 1.45, 2.15, 0.345, style)], blocks=False)


def hood() -> Fixture:
    """A cooker hood."""
    return Fixture(
        [
            box(0.6, 0.45, 0.12, STEEL, "metal", y=0.24, z=1.55),
            box(0.25, 0.25, 0.7, STEEL, "metal", y=0.14, z=1.67),
        ],
        blocks=False,
    )


def table(w: float, d: float, high: float, style: Style, round_top: bool = False) -> Fixture:
    """A table on four legs, or a round one on one."""
    if round_top:
        radius = min(w, d) / 2
        pieces = [
            can(0.28, 0.04, style.wood, "wood", y=d / 2),
            can(0.06, high - 0.05, style.wood, "wood", y=d / 2),
            can(radius, 0.045, style.wood, "wood", y=d / 2, z=high - 0.045),
        ]
        return Fixture(pieces, [top(0, d / 2, radius * 1.36, radius * 1.36, high)])
    pieces = [
        piece.moved(y=d / 2) for piece in legs(w - 0.04, d - 0.04, high - 0.04, 0.06, shade(style.wood, 0.85))
    ]
    pieces.append(box(w, d, 0.045, style.wood, "wood", y=d / 2, z=high - 0.045))
    return Fixture(pieces, [top(0, d / 2, w - 0.06, d - 0.06, high)])


def bookcase(w: float, high: float, style: Style, books: bool = True) -> Fixture:
    """A case of shelves, some full of books."""
    deep, count = 0.3, max(round(high / 0.36), 2)
    pieces: list[Piece] = [
        box(0.03, deep, high, style.wood, "wood", x=s * (w / 2 - 0.015), y=deep / 2) for s in (-1, 1)
    ]
    pieces.append(box(w, 0.015, high, shade(style.wood, 0.75), y=0.008))
    surfaces = []
    for nth in range(count + 1):
        z = (high - 0.025) * nth / count
        pieces.append(box(w, deep, 0.025, style.wood, "wood", y=deep / 2, z=z))
        room = high / count - 0.04 if nth < count else 9.0
        if books and nth < count and nth % 2 == 0:
            pieces.append(
                panel(
                    w - 0.08,
                    room * 0.9,
                    (1, 1, 1),
                    "spines",
                    y=deep - 0.05,
                    z=z + 0.025,
                    thick=deep - 0.1,
                    solid=True,
                )
            )
        elif 0.3 < z < 1.7:
            surfaces.append(top(0, deep / 2, w - 0.12, deep - 0.04, z + 0.025, room - 0.01))
    return Fixture(pieces, surfaces)  # fmt: skip


def cabinet(w: float, d: float, high: float, style: Style, drawers: int = 0) -> Fixture:
    """A low cupboard with doors, or a chest of drawers."""
    pieces = [box(w, d - 0.02, high, shade(style.wood, 0.9), "wood", y=(d - 0.02) / 2)]
    if not drawers:
        pieces += fronts(w, 0.06, high - 0.02, d, style)
    for nth in range(drawers):
        each = (high - 0.08) / drawers
        z = 0.05 + nth * each
        pieces.append(panel(w - 0.04, each - 0.02, style.wood, "wood", y=d, z=z, thick=0.024))
        pieces.append(box(0.12, 0.025, 0.02, STEEL, "metal", y=d + 0.01, z=z + each / 2, solid=False))
    pieces.append(box(w + 0.02, d, 0.025, style.wood, "wood", y=d / 2, z=high - 0.005))
    return Fixture(pieces, [top(0, d / 2, w - 0.04, d - 0.06, high + 0.02)])


def sofa(w: float, style: Style) -> Fixture:
    """A sofa too heavy to be moved, with its seats."""
    deep, colour = 0.88, style.cloth
    seats_n = max(round((w - 0.36) / 0.62), 2)
    each = (w - 0.36) / seats_n
    seats = [
        box(
            each - 0.015,
            0.62,
            0.14,
            shade(colour, 1.12),
            "weave",
            x=-(w - 0.36) / 2 + each * (n + 0.5),
            y=0.55,
            z=0.3,
        )
        for n in range(seats_n)
    ]
    backs = [
        box(
            each - 0.03,
            0.16,
            0.42,
            shade(colour, 1.05),
            "weave",
            x=-(w - 0.36) / 2 + each * (n + 0.5),
            y=0.24,
            z=0.44,
        )
        for n in range(seats_n)
    ]
    arms = [box(0.18, deep, 0.6, colour, "weave", x=s * (w / 2 - 0.09), y=deep / 2) for s in (-1, 1)]
    pieces = [
        box(w - 0.1, deep - 0.02, 0.3, shade(colour, 0.8), "weave", y=deep / 2),
        box(w, 0.2, 0.84, colour, "weave", y=0.1),
        *seats,
        *backs,
        *arms,
    ]
    return Fixture(pieces, [top(0, 0.6, w - 0.42, 0.46, 0.44, where="rest")])


def bed(w: float, style: Style, rng: np.random.Generator) -> Fixture:
    """A bed, its head at the wall, with a mattress, a cover and a headboard."""
    long = 2.0
    sheet, cover = (0.93, 0.92, 0.9), style.cloth
    finish = ("weave", "plaid", "stripes", "ornament")[rng.integers(4)]
    pieces = [
        box(w + 0.06, long + 0.04, 0.28, style.wood, "wood", y=long / 2 + 0.04),
        box(w, long - 0.04, 0.2, sheet, "plaster", y=long / 2 + 0.04, z=0.28),
        box(w + 0.03, long * 0.66, 0.21, cover, finish, y=long * 0.66 + 0.04, z=0.285),
        box(w + 0.04, 0.28, 0.025, shade(cover, 1.3), finish, y=long * 0.38, z=0.48),
        box(w + 0.1, 0.06, float(rng.uniform(0.85, 1.15)), style.wood, "wood", y=0.03),
    ]
    head = top(0, 0.32, w - 0.04, 0.46, 0.482, where="rest")
    return Fixture(pieces, [head, top(0, 1.4, w - 0.1, 0.94, 0.497, where="rest")])


def nightstand(style: Style) -> Fixture:
    """A small chest beside a bed."""
    return cabinet(0.46, 0.4, 0.5, style, drawers=2)


def wardrobe(w: float, style: Style) -> Fixture:
    """A tall cupboard for clothes."""
    pieces = [box(w, 0.56, 2.05, shade(style.front, 0.8), "wood", y=0.28)]
    return Fixture([*pieces, *fronts(w, 0.06, 2.03, 0.585, style, across=0.55)])


def shelf(w: float, high: float, style: Style) -> Fixture:
    """A board on the wall."""
    pieces = [box(w, 0.22, 0.03, style.wood, "wood", y=0.11, z=high)]
    pieces += [box(0.03, 0.18, 0.12, STEEL, "metal", x=s * w * 0.4, y=0.09, z=high - 0.12) for s in (-1, 1)]
    return Fixture(pieces, [top(0, 0.11, w - 0.04, 0.18, high + 0.03)], blocks=False)
