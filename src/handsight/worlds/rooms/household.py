"""Furniture and appliances that can be moved, and what stands on floors; builders as in `food`."""

from __future__ import annotations

import numpy as np

from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.food import Generator, mix, pick
from handsight.worlds.rooms.kitchenware import BLACK, STEEL
from handsight.worlds.rooms.pieces import Colour, Piece, ball, box, can, panel


def legs(
    wide: float, deep: float, high: float, thick: float, colour: Colour, finish: str = "wood"
) -> list[Piece]:
    """Return four upright legs at the corners."""
    return [
        box(thick, thick, high, colour, finish, x=sx * (wide - thick) / 2, y=sy * (deep - thick) / 2)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]


def chair(rng: Generator, size: float) -> list[Piece]:
    """A chair with a back; its front towards +y."""
    wide, seat = mix(0.38, 0.46, size), mix(0.43, 0.47, size)
    wood, back = colour_of(rng, "wood"), mix(0.4, 0.5, size)
    seat_colour = colour_of(rng, "cloth", wood) if rng.random() < 0.5 else wood
    slats = [
        box(wide, 0.025, 0.07, wood, "wood", y=-wide / 2 + 0.02, z=seat + back * at)
        for at in (0.35, 0.7, 0.92)
    ]
    posts = [
        box(0.04, 0.04, back, wood, "wood", x=s * (wide / 2 - 0.02), y=-wide / 2 + 0.02, z=seat)
        for s in (-1, 1)
    ]
    return [
        *legs(wide, wide, seat, 0.04, wood),
        box(wide, wide, 0.04, seat_colour, "wood", z=seat),
        *slats,
        *posts,
    ]


def stool(rng: Generator, size: float) -> list[Piece]:
    """A round stool on four legs."""
    radius, high = mix(0.15, 0.19, size), mix(0.42, 0.62, size)
    colour = colour_of(rng, "wood")
    top = can(radius, 0.04, colour_of(rng, "leather") if rng.random() < 0.5 else colour, "satin", z=high)
    return [*legs(radius * 1.6, radius * 1.6, high, 0.035, colour), top]


def armchair(rng: Generator, size: float) -> list[Piece]:
    """An upholstered chair with arms."""
    wide, deep = mix(0.7, 0.85, size), mix(0.7, 0.82, size)
    colour = colour_of(rng, "cloth" if rng.random() < 0.7 else "leather")
    arms = [box(0.14, deep, 0.58, colour, "weave", x=s * (wide / 2 - 0.07)) for s in (-1, 1)]
    cushion = box(wide - 0.3, deep - 0.2, 0.14, shade(colour, 1.15), "weave", y=0.08, z=0.32)
    return [
        box(wide - 0.2, deep - 0.05, 0.34, shade(colour, 0.9), "weave"),
        box(wide, 0.2, 0.88, colour, "weave", y=-deep / 2 + 0.1),
        cushion,
        *arms,
    ]


def loveseat(rng: Generator, size: float) -> list[Piece]:
    """A small sofa for two."""
    wide, deep = mix(1.2, 1.45, size), mix(0.76, 0.85, size)
    colour = colour_of(rng, "cloth" if rng.random() < 0.7 else "leather")
    arms = [box(0.15, deep, 0.6, colour, "weave", x=s * (wide / 2 - 0.075)) for s in (-1, 1)]
    half = (wide - 0.32) / 2
    seats = [
        box(half, deep - 0.2, 0.15, shade(colour, 1.15), "weave", x=s * (half / 2 + 0.005), y=0.08, z=0.3)
        for s in (-1, 1)
    ]
    back = box(wide, 0.2, 0.85, colour, "weave", y=-deep / 2 + 0.1)
    base = box(wide - 0.2, deep - 0.05, 0.32, shade(colour, 0.85), "weave")
    return [base, back, *seats, *arms]


def pouffe(rng: Generator, size: float) -> list[Piece]:
    """A round upholstered seat."""
    radius, high = mix(0.22, 0.3, size), mix(0.34, 0.42, size)
    colour = colour_of(rng, "cloth")
    return [
        can(radius, high, colour, "weave"),
        can(radius * 1.02, 0.03, shade(colour, 0.6), z=high * 0.6, solid=False),
    ]


def side_table(rng: Generator, size: float) -> list[Piece]:
    """A small round table on one foot."""
    radius, high = mix(0.2, 0.28, size), mix(0.45, 0.58, size)
    colour = colour_of(rng, "wood")
    return [
        can(radius * 0.75, 0.03, colour, "wood"),
        can(0.03, high, colour, "wood", z=0.02),
        can(radius, 0.035, colour, "wood", z=high),
    ]


def table_lamp(rng: Generator, size: float) -> list[Piece]:
    """A lamp with a shade."""
    high = mix(0.2, 0.3, size)
    base = colour_of(rng, "ceramic")
    shade_colour = pick(rng, (0.95, 0.9, 0.75), (0.85, 0.6, 0.4), (0.75, 0.8, 0.85))
    return [
        can(0.07, 0.02, base, "satin"),
        ball(0.1, 0.1, high * 0.8, base, "gloss", z=0.01),
        can(0.012, high, base, "satin", z=0.02),
        *(can(r, 0.06, shade_colour, "shining", z=high + n * 0.06) for n, r in enumerate((0.13, 0.11, 0.09))),
    ]


def floor_lamp(rng: Generator, size: float) -> list[Piece]:
    """A tall lamp on a heavy foot."""
    high = mix(1.25, 1.5, size)
    colour = pick(rng, BLACK, STEEL, (0.6, 0.5, 0.3))
    shade_colour = pick(rng, (0.95, 0.9, 0.75), (0.85, 0.6, 0.4), (0.9, 0.9, 0.9))
    return [
        can(0.16, 0.04, colour, "satin"),
        can(0.016, high, colour, "metal", z=0.03),
        *(can(r, 0.09, shade_colour, "shining", z=high + n * 0.09) for n, r in enumerate((0.2, 0.17, 0.14))),
    ]


def plant(rng: Generator, size: float) -> list[Piece]:
    """A pot with leaves."""
    radius, high = mix(0.07, 0.16, size), mix(0.12, 0.28, size)
    pot_colour, leaf = colour_of(rng, "ceramic"), colour_of(rng, "leaf")
    leaves = []
    for nth in range(6):
        angle, up = nth * 1.05 + float(rng.uniform(-0.2, 0.2)), float(rng.uniform(0.7, 1.1))
        blade = ball(
            radius * 2.2,
            radius * 0.8,
            radius * 0.25,
            shade(leaf, float(rng.uniform(0.7, 1.3))),
            x=radius * 0.8,
        )
        leaves.append(blade.turned(y_rad=-0.8 * up).moved(z=high + radius * 0.7 * up).about(angle))
    top = ball(radius * 1.5, radius * 1.5, radius * 2.2, leaf, z=high - radius * 0.2)
    rim = can(radius, high * 0.3, pot_colour, "satin", z=high * 0.7)
    return [can(radius * 0.85, high * 0.7, pot_colour, "satin"), rim, top, *leaves]


def cardboard_box(rng: Generator, size: float) -> list[Piece]:
    """A carton with a strip of tape."""
    wide, deep, high = (mix(low, top, size) for low, top in ((0.28, 0.5), (0.22, 0.4), (0.18, 0.36)))
    colour = colour_of(rng, "card")
    tape = box(wide * 1.01, 0.05, high * 1.005, shade(colour, 1.25), solid=False)
    label = panel(wide * 0.3, high * 0.4, (1, 1, 1), "words", x=wide * 0.2, y=deep / 2 + 0.002, z=high * 0.3)
    return [box(wide, deep, high, colour, "plaster"), tape, label]


def television(rng: Generator, size: float) -> list[Piece]:
    """A flat screen on a foot."""
    wide = mix(0.75, 1.1, size)
    high = wide * 0.58
    return [
        box(wide * 0.4, 0.24, 0.02, BLACK, "satin"),
        box(0.09, 0.04, 0.09, BLACK, "satin"),
        box(wide, 0.05, high, (0.15, 0.15, 0.16), "satin", z=0.08),
        box(
            wide * 0.96,
            0.004,
            high * 0.93,
            (0.03, 0.04, 0.06),
            "gloss",
            y=0.027,
            z=0.08 + high * 0.035,
            solid=False,
        ),
    ]


def speaker(rng: Generator, size: float) -> list[Piece]:
    """A loudspeaker."""
    wide, high = mix(0.16, 0.22, size), mix(0.26, 0.4, size)
    colour = pick(rng, BLACK, (0.4, 0.26, 0.15), (0.85, 0.85, 0.85))
    cones = [
        can(wide * r, 0.006, shade(colour, 0.5) if colour[0] > 0.2 else (0.35, 0.35, 0.37), solid=False)
        .turned(x_rad=np.pi / 2)
        .moved(y=wide * 0.5, z=high * at)
        for r, at in ((0.36, 0.32), (0.2, 0.75))
    ]
    return [box(wide, wide, high, colour, "wood"), *cones]


def waste_bin(rng: Generator, size: float) -> list[Piece]:
    """An open bin."""
    radius, high = mix(0.11, 0.17, size), mix(0.25, 0.45, size)
    colour = pick(rng, STEEL, (0.3, 0.45, 0.35), (0.75, 0.75, 0.72), (0.55, 0.2, 0.2), (0.25, 0.3, 0.4))
    inside = can(radius * 0.9, 0.002, (0.12, 0.12, 0.12), z=high, solid=False)
    return [
        can(radius * 0.9, high * 0.5, colour, "satin"),
        can(radius, high * 0.5, colour, "satin", z=high * 0.5),
        inside,
    ]


def crate(rng: Generator, size: float) -> list[Piece]:
    """A crate of bottles."""
    wide, deep, high = mix(0.36, 0.42, size), mix(0.26, 0.32, size), mix(0.22, 0.28, size)
    colour = colour_of(rng, "bright")
    glass = pick(rng, (0.35, 0.2, 0.08), (0.15, 0.35, 0.15))
    necks = [
        can(0.024, 0.09, glass, "gloss", x=x * wide, y=y * deep, z=high)
        for x in (-0.3, 0.0, 0.3)
        for y in (-0.22, 0.22)
    ]
    band = box(wide * 1.01, deep * 1.01, 0.04, shade(colour, 0.6), z=high * 0.55, solid=False)
    return [box(wide, deep, high, colour, "satin"), band, *necks]
