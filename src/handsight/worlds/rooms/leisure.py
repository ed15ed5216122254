"""Sports, toys, clothes and cleaning; builders as in `food`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.food import Generator, mix, pick
from handsight.worlds.rooms.household import legs
from handsight.worlds.rooms.kitchenware import BLACK, STEEL, ring_handle
from handsight.worlds.rooms.pieces import Piece, ball, box, can, panel, rod


def basketball(rng: Generator, size: float) -> list[Piece]:
    """A ball with dark seams."""
    across = mix(0.2, 0.25, size)
    colour = pick(rng, (0.85, 0.4, 0.12), (0.9, 0.9, 0.88), (0.25, 0.45, 0.75))
    seams = [
        can(across * 0.502, 0.006, BLACK, solid=False).moved(z=across / 2 - 0.003),
        can(across * 0.502, 0.006, BLACK, solid=False).turned(x_rad=np.pi / 2).moved(z=across / 2 - 0.003),
    ]
    return [ball(across, across, across, colour), *seams]


def dumbbell(rng: Generator, size: float) -> list[Piece]:
    """Two weights on a bar."""
    along, radius = mix(0.2, 0.32, size), mix(0.045, 0.075, size)
    colour = pick(rng, BLACK, (0.35, 0.35, 0.4), (0.2, 0.4, 0.7), (0.75, 0.3, 0.5))
    weights = [
        can(radius, 0.06, colour, "satin").turned(y_rad=np.pi / 2).moved(x=s * along * 0.4, z=radius - 0.03)
        for s in (-1, 1)
    ]
    return [rod((-along / 2, 0, radius), (along / 2, 0, radius), 0.016, STEEL, "metal"), *weights]


def bat(rng: Generator, size: float) -> list[Piece]:
    """A baseball bat that lies."""
    along = mix(0.65, 0.85, size)
    colour = colour_of(rng, "wood")
    return [
        rod((-along / 2, 0, 0.032), (0, 0, 0.032), 0.017, shade(colour, 0.6)),
        rod((-0.05, 0, 0.032), (along / 2, 0, 0.032), 0.032, colour, "wood"),
    ]


def racket(rng: Generator, size: float) -> list[Piece]:
    """A tennis racket that lies."""
    wide = mix(0.2, 0.25, size)
    colour = colour_of(rng, "bright")
    angle = np.linspace(0, 2 * np.pi, 9)
    points = [(0.18 + float(np.cos(a)) * wide * 0.62, float(np.sin(a)) * wide / 2, 0.014) for a in angle]
    rim = [rod(a, b, 0.013, colour, "gloss") for a, b in pairwise(points)]
    strings = can(wide * 0.48, 0.004, (0.9, 0.9, 0.85), "keys", x=0.18, z=0.012)
    return [*rim, strings, rod((-0.3, 0, 0.016), (0.08, 0, 0.016), 0.016, BLACK)]


def shoe(rng: Generator, size: float) -> list[Piece]:
    """A sneaker."""
    along = mix(0.22, 0.31, size)
    colour = colour_of(rng, "bright" if rng.random() < 0.6 else "white")
    return [
        box(along, along * 0.36, 0.028, (0.92, 0.92, 0.9)),
        ball(along * 0.62, along * 0.36, along * 0.26, colour, x=along * 0.17, z=0.012),
        box(along * 0.45, along * 0.3, along * 0.28, colour, "weave", x=-along * 0.2, z=0.028),
        can(along * 0.11, 0.002, BLACK, x=-along * 0.22, z=0.028 + along * 0.28, solid=False),
        box(
            along * 0.16, along * 0.2, 0.012, (0.95, 0.95, 0.95), x=along * 0.08, z=along * 0.26, solid=False
        ),
    ]


def hat(rng: Generator, size: float) -> list[Piece]:
    """A hat with a brim."""
    radius = mix(0.13, 0.18, size)
    colour = pick(rng, (0.8, 0.68, 0.45), (0.3, 0.22, 0.16), (0.2, 0.25, 0.4), (0.7, 0.2, 0.25))
    return [
        can(radius, 0.014, colour, "weave"),
        ball(radius * 1.15, radius * 1.15, radius * 1.4, colour, "weave", z=-radius * 0.3).moved(
            z=radius * 0.3
        ),
        can(radius * 0.6, 0.03, shade(colour, 0.4), z=0.014, solid=False),
    ]


def guitar(rng: Generator, size: float) -> list[Piece]:
    """A guitar that lies."""
    long = mix(0.8, 1.0, size)
    wood = pick(rng, (0.8, 0.5, 0.2), (0.5, 0.25, 0.12), (0.7, 0.15, 0.1))
    return [
        can(long * 0.2, 0.09, wood, "wood", x=-long * 0.22),
        can(long * 0.15, 0.09, wood, "wood", x=long * 0.02),
        can(long * 0.055, 0.002, BLACK, x=-0.02, z=0.09, solid=False),
        box(long * 0.5, 0.05, 0.03, shade(wood, 0.5), x=long * 0.35, z=0.07),
        box(0.12, 0.07, 0.025, shade(wood, 0.4), x=long * 0.62, z=0.07),
        box(0.02, 0.12, 0.012, BLACK, x=-long * 0.28, z=0.09),
    ]


def mirror(rng: Generator, size: float) -> list[Piece]:
    """A round mirror on a foot."""
    radius = mix(0.09, 0.13, size)
    colour = pick(rng, STEEL, (0.7, 0.55, 0.3), (0.9, 0.9, 0.9))
    glass = can(radius * 0.9, 0.004, (0.75, 0.85, 0.9), "gloss", solid=False).turned(x_rad=-np.pi / 2)
    disc = can(radius, 0.02, colour, "metal").turned(x_rad=-np.pi / 2).moved(z=radius + 0.09)
    return [
        can(0.07, 0.015, colour, "metal"),
        can(0.01, 0.12, colour, "metal"),
        disc,
        glass.moved(y=0.012, z=radius + 0.098),
    ]


def desk_lamp(rng: Generator, size: float) -> list[Piece]:
    """A lamp with a bent arm."""
    high = mix(0.3, 0.4, size)
    colour = colour_of(rng, "bright")
    return [
        can(0.08, 0.025, shade(colour, 0.8), "satin"),
        rod((0, 0, 0.02), (-0.06, 0, high * 0.6), 0.01, STEEL, "metal"),
        rod((-0.06, 0, high * 0.6), (0.08, 0, high), 0.01, STEEL, "metal"),
        can(0.06, 0.09, colour, "satin", x=0.1, z=high - 0.09),
        can(0.05, 0.004, (1, 0.95, 0.8), "shining", x=0.1, z=high - 0.093, solid=False),
    ]


def desk_chair(rng: Generator, size: float) -> list[Piece]:
    """An office chair on a star foot."""
    colour = colour_of(rng, "cloth")
    wide, seat = mix(0.42, 0.5, size), mix(0.42, 0.48, size)
    star = [box(0.5, 0.05, 0.04, BLACK, z=0.03).about(a) for a in (0.0, np.pi / 3, 2 * np.pi / 3)]
    feet = [
        ball(0.05, 0.05, 0.05, BLACK, x=0.24 * float(np.cos(a)), y=0.24 * float(np.sin(a)))
        for a in np.arange(6) * np.pi / 3
    ]
    return [
        *star, *feet,
        can(0.025, seat - 0.05, STEEL, "metal", z=0.05),
        box(wide, wide, 0.07, colour, "weave", z=seat),
        box(wide * 0.85, 0.06, 0.45, colour, "weave", y=-wide / 2 + 0.03, z=seat + 0.12),
        box(0.06, 0.03, 0.2, BLACK, y=-wide / 2 + 0.02, z=seat),
    ]  # fmt: skip


def globe(rng: Generator, size: float) -> list[Piece]:
    """A globe on a foot."""
    across = mix(0.18, 0.28, size)
    return [
        can(across * 0.35, 0.025, colour_of(rng, "wood"), "wood"),
        can(0.012, across * 0.3, STEEL, "metal", z=0.02),
        ball(across, across, across, (0.3, 0.55, 0.85), "abstract2", z=across * 0.25),
    ]


def plunger(rng: Generator, size: float) -> list[Piece]:
    """A rubber cup on a stick."""
    cup = pick(rng, (0.6, 0.15, 0.1), BLACK, (0.25, 0.35, 0.6))
    return [
        can(0.065, 0.035, cup),
        ball(0.12, 0.12, 0.09, cup, z=0.0),
        can(0.013, mix(0.32, 0.45, size), colour_of(rng, "wood"), z=0.08),
    ]


def toilet_brush(rng: Generator, size: float) -> list[Piece]:
    """A brush in its holder."""
    colour = colour_of(rng, "ceramic")
    high = mix(0.14, 0.18, size)
    return [
        can(0.05, high, colour, "gloss"),
        can(0.01, 0.2, (0.9, 0.9, 0.9), z=high),
        ball(0.03, 0.03, 0.04, (0.9, 0.9, 0.9), z=high + 0.18),
    ]


def scales(rng: Generator, size: float) -> list[Piece]:
    """Bathroom scales."""
    wide = mix(0.26, 0.32, size)
    colour = colour_of(rng, "ceramic")
    dial = box(0.1, 0.06, 0.002, (0.2, 0.25, 0.25), "gloss", y=wide * 0.33, z=0.045, solid=False)
    mat = box(
        wide * 0.8, wide * 0.55, 0.003, shade(colour, 0.6), "carpet", y=-wide * 0.1, z=0.045, solid=False
    )
    return [box(wide, wide, 0.045, colour, "gloss"), dial, mat]


def bucket(rng: Generator, size: float) -> list[Piece]:
    """A bucket of water with a bow."""
    radius, high = mix(0.12, 0.15, size), mix(0.22, 0.28, size)
    colour = colour_of(rng, "bright")
    angle = np.linspace(0, np.pi, 5)
    points = [(float(np.cos(a)) * radius, 0.0, high + float(np.sin(a)) * radius * 0.9) for a in angle]
    return [
        can(radius * 0.85, high * 0.5, colour, "satin"),
        can(radius, high * 0.5, colour, "satin", z=high * 0.5),
        can(radius * 0.9, 0.002, (0.55, 0.7, 0.8), "gloss", z=high, solid=False),
        *(rod(a, b, 0.006, STEEL, "metal") for a, b in pairwise(points)),
    ]


def step_stool(rng: Generator, size: float) -> list[Piece]:
    """A low stool with a step."""
    wide, high = mix(0.34, 0.42, size), mix(0.22, 0.3, size)
    colour = colour_of(rng, "wood")
    return [
        *legs(wide, 0.26, high, 0.05, colour),
        box(wide * 1.05, 0.28, 0.03, shade(colour, 1.1), "wood", z=high),
    ]


def calendar(rng: Generator, size: float) -> list[Piece]:
    """A calendar that stands like a tent."""
    wide, high = mix(0.16, 0.22, size), mix(0.13, 0.18, size)
    colour = colour_of(rng, "bright")
    page = panel(wide * 0.9, high * 0.8, (1, 1, 1), "words", z=high * 0.08, thick=0.004).turned(x_rad=0.3)
    boards = [box(wide, 0.012, high, colour, y=s * 0.035).turned(x_rad=s * 0.3) for s in (-1, 1)]
    return [*boards, page.moved(y=0.05, z=0.002)]


def toy_car(rng: Generator, size: float) -> list[Piece]:
    """A car on four wheels."""
    along = mix(0.14, 0.24, size)
    colour = colour_of(rng, "bright")
    wheel = along * 0.11
    wheels = [
        can(wheel, 0.025, BLACK)
        .turned(x_rad=np.pi / 2)
        .moved(sx * along * 0.3, sy * along * 0.22, wheel - 0.0125)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return [
        box(along, along * 0.42, along * 0.18, colour, "gloss", z=wheel * 0.8),
        box(
            along * 0.5,
            along * 0.38,
            along * 0.16,
            (0.3, 0.4, 0.5),
            "gloss",
            x=-along * 0.05,
            z=wheel * 0.8 + along * 0.18,
        ),
        *wheels,
    ]


def blocks(rng: Generator, size: float) -> list[Piece]:
    """A toy tower glued of bricks."""
    side = mix(0.05, 0.08, size)
    return [
        box(
            side * w,
            side,
            side,
            colour_of(rng, "bright"),
            "satin",
            x=float(rng.uniform(-0.2, 0.2)) * side,
            z=n * side,
        )
        for n, w in enumerate((2.0, 1.5, 1.0))
    ]


def watering_can(rng: Generator, size: float) -> list[Piece]:
    """A can with a long spout."""
    radius, high = mix(0.07, 0.1, size), mix(0.14, 0.2, size)
    colour = pick(rng, (0.25, 0.5, 0.3), STEEL, (0.2, 0.4, 0.65), (0.8, 0.3, 0.15))
    spout = rod((radius * 0.8, 0, high * 0.3), (radius + 0.15, 0, high * 1.1), 0.014, colour, "metal")
    rose = ball(0.05, 0.05, 0.04, colour, "metal", x=radius + 0.155, z=high * 1.08)
    return [
        can(radius, high, colour, "metal"),
        spout,
        rose,
        *ring_handle(-radius - 0.05, 0.05, 0.1, 0.05, colour, 0.01),
    ]
