"""Crockery, cutlery and what stands on a kitchen's counters; builders as in `food`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.food import Generator, mix, pick
from handsight.worlds.rooms.pieces import Colour, Piece, ball, box, can, rod

STEEL: Colour = (0.72, 0.73, 0.75)
BLACK: Colour = (0.12, 0.12, 0.13)


def ring_handle(x: float, z: float, high: float, out: float, colour: Colour, thick: float) -> list[Piece]:
    """Return a handle of three bars on a side at x."""
    corners = [
        (x, 0.0, z + high),
        (x + out, 0.0, z + high * 0.85),
        (x + out, 0.0, z + high * 0.15),
        (x, 0.0, z),
    ]
    return [rod(a, b, thick, colour, "satin") for a, b in pairwise(corners)]


def hollow(radius: float, high: float, colour: Colour, inside: Colour, finish: str = "satin") -> list[Piece]:
    """Return a vessel: a cylinder with its inside painted on its top."""
    return [
        can(radius, high, colour, finish),
        can(radius * 0.87, 0.002, inside, z=high, solid=False),
    ]


def mug(rng: Generator, size: float) -> list[Piece]:
    """A mug with a handle."""
    radius, high = mix(0.036, 0.046, size), mix(0.08, 0.11, size)
    colour = colour_of(rng, "ceramic")
    inside = pick(rng, (0.25, 0.14, 0.08), shade(colour, 0.6))
    return hollow(radius, high, colour, inside) + ring_handle(
        radius, high * 0.2, high * 0.6, 0.03, colour, 0.006
    )


def glass(rng: Generator, size: float) -> list[Piece]:
    """A drinking glass."""
    radius, high = mix(0.028, 0.038, size), mix(0.09, 0.14, size)
    colour = colour_of(rng, "glass")
    return hollow(radius, high, colour, shade(colour, 0.75), "gloss")


def wine_glass(rng: Generator, size: float) -> list[Piece]:
    """A bowl on a stem."""
    radius, high = mix(0.03, 0.04, size), mix(0.07, 0.1, size)
    colour = colour_of(rng, "glass")
    return [
        can(radius, 0.006, colour, "gloss"),
        can(0.005, high, colour, "gloss", z=0.005),
        ball(2 * radius, 2 * radius, 2.2 * radius, colour, "gloss", z=high),
        can(radius * 0.95, radius * 1.0, colour, "gloss", z=high + 1.1 * radius),
        can(radius * 0.8, 0.002, (0.4, 0.05, 0.1), z=high + 2.1 * radius, solid=False),
    ]


def plate(rng: Generator, size: float) -> list[Piece]:
    """A plate with a rim."""
    radius = mix(0.09, 0.135, size)
    colour = colour_of(rng, "ceramic")
    return [
        can(radius * 0.62, 0.008, colour, "gloss"),
        can(radius, 0.01, colour, "gloss", z=0.008),
        can(radius * 0.7, 0.001, shade(colour, 0.82), "gloss", z=0.018, solid=False),
    ]


def bowl(rng: Generator, size: float) -> list[Piece]:
    """A bowl, wider at its rim."""
    radius, high = mix(0.06, 0.12, size), mix(0.05, 0.09, size)
    colour = colour_of(rng, "ceramic")
    steps = [
        can(radius * r, high / 3, colour, "gloss", z=high * n / 3) for n, r in enumerate((0.6, 0.85, 1.0))
    ]
    return [*steps, can(radius * 0.9, 0.002, shade(colour, 0.6), z=high, solid=False)]


def fork(rng: Generator, size: float) -> list[Piece]:
    """A fork that lies."""
    along = mix(0.16, 0.2, size)
    colour = colour_of(rng, "metal")
    tines = [
        box(0.05, 0.004, 0.006, colour, "metal", x=along * 0.62, y=y, z=0.003) for y in (-0.009, 0, 0.009)
    ]
    neck = box(0.03, 0.024, 0.006, colour, "metal", x=along * 0.62 - 0.035, z=0.003)
    return [box(along, 0.013, 0.007, colour, "metal"), neck, *tines]


def spoon(rng: Generator, size: float) -> list[Piece]:
    """A spoon that lies."""
    along = mix(0.13, 0.19, size)
    colour = colour_of(rng, "metal")
    bowl_part = ball(0.055, 0.036, 0.014, colour, "metal", x=along * 0.5 + 0.022)
    return [box(along, 0.011, 0.007, colour, "metal", z=0.002), bowl_part]


def knife(rng: Generator, size: float) -> list[Piece]:
    """A kitchen knife that lies."""
    along = mix(0.2, 0.32, size)
    handle = box(along * 0.4, 0.024, 0.017, pick(rng, BLACK, (0.4, 0.25, 0.12), (0.7, 0.1, 0.1)), "satin")
    return [handle, box(along * 0.6, 0.03, 0.006, STEEL, "metal", x=along * 0.5, z=0.006)]


def spatula(rng: Generator, size: float) -> list[Piece]:
    """A turner that lies."""
    along = mix(0.22, 0.3, size)
    colour = colour_of(rng, "bright")
    return [
        rod((-along / 2, 0, 0.01), (along / 2, 0, 0.01), 0.008, pick(rng, BLACK, (0.6, 0.42, 0.25))),
        box(0.09, 0.065, 0.008, colour, "satin", x=along / 2 + 0.035, z=0.005),
    ]


def pan(rng: Generator, size: float) -> list[Piece]:
    """A frying pan with a long handle."""
    radius = mix(0.1, 0.15, size)
    colour = pick(rng, BLACK, (0.3, 0.3, 0.32), (0.7, 0.15, 0.12))
    grip = rod((radius * 0.95, 0, 0.04), (radius + 0.19, 0, 0.055), 0.012, BLACK)
    return [*hollow(radius, 0.05, colour, (0.22, 0.22, 0.23)), grip]


def pot(rng: Generator, size: float) -> list[Piece]:
    """A pot with two handles and a lid."""
    radius, high = mix(0.09, 0.14, size), mix(0.1, 0.16, size)
    colour = pick(rng, STEEL, (0.75, 0.2, 0.15), (0.2, 0.35, 0.5), (0.85, 0.85, 0.82))
    sides = [box(0.05, 0.07, 0.018, BLACK, x=side * (radius + 0.015), z=high * 0.75) for side in (-1, 1)]
    lid = ball(2 * radius, 2 * radius, 0.06, shade(colour, 0.85), "metal", z=high - 0.03)
    return [can(radius, high, colour, "metal"), lid, ball(0.035, 0.035, 0.03, BLACK, z=high + 0.025), *sides]


def kettle(rng: Generator, size: float) -> list[Piece]:
    """A kettle with a spout and a handle over it."""
    radius, high = mix(0.075, 0.095, size), mix(0.13, 0.17, size)
    colour = pick(rng, STEEL, (0.8, 0.2, 0.15), (0.9, 0.88, 0.82), (0.25, 0.4, 0.45))
    return [
        can(radius, high * 0.7, colour, "metal"),
        ball(2 * radius, 2 * radius, high * 0.7, colour, "metal", z=high * 0.38),
        rod((radius * 0.8, 0, high * 0.45), (radius + 0.06, 0, high * 0.9), 0.014, colour, "metal"),
        rod((-radius * 0.7, 0, high), (-radius * 0.5, 0, high * 1.5), 0.01, BLACK),
        rod((-radius * 0.5, 0, high * 1.5), (radius * 0.5, 0, high * 1.5), 0.012, BLACK),
        rod((radius * 0.5, 0, high * 1.5), (radius * 0.6, 0, high), 0.01, BLACK),
    ]


def toaster(rng: Generator, size: float) -> list[Piece]:
    """A toaster with two slots."""
    wide, deep, high = mix(0.24, 0.32, size), mix(0.15, 0.18, size), mix(0.17, 0.2, size)
    colour = pick(rng, STEEL, (0.75, 0.15, 0.12), (0.88, 0.86, 0.8), BLACK)
    slots = [
        box(wide * 0.7, 0.022, 0.002, (0.05, 0.05, 0.05), y=y, z=high, solid=False) for y in (-0.03, 0.03)
    ]
    lever = box(0.02, 0.03, 0.015, BLACK, x=wide / 2 + 0.01, z=high * 0.6)
    return [box(wide, deep, high, colour, "metal"), box(wide * 1.01, deep * 1.01, 0.02, BLACK), *slots, lever]


def coffee_machine(rng: Generator, size: float) -> list[Piece]:
    """A machine with a pot under it."""
    wide, high = mix(0.18, 0.24, size), mix(0.28, 0.36, size)
    colour = pick(rng, BLACK, STEEL, (0.7, 0.12, 0.1))
    return [
        box(wide, 0.24, 0.04, colour, "satin"),
        box(wide, 0.09, high, colour, "satin", y=-0.075),
        box(wide, 0.24, high * 0.28, shade(colour, 0.8), "satin", z=high * 0.72),
        can(wide * 0.32, high * 0.4, (0.25, 0.15, 0.1), "gloss", y=0.05, z=0.04),
        box(0.03, 0.002, 0.02, (0.9, 0.3, 0.1), "shining", y=0.121, z=high * 0.82, solid=False),
    ]


def microwave(rng: Generator, size: float) -> list[Piece]:
    """A microwave oven."""
    wide, deep, high = mix(0.44, 0.52, size), mix(0.32, 0.4, size), mix(0.26, 0.3, size)
    colour = pick(rng, (0.9, 0.9, 0.9), BLACK, STEEL)
    return [
        box(wide, deep, high, colour, "satin"),
        box(
            wide * 0.62,
            0.006,
            high * 0.72,
            (0.06, 0.07, 0.08),
            "gloss",
            x=-wide * 0.13,
            y=deep / 2,
            z=high * 0.14,
        ),
        box(
            wide * 0.18,
            0.006,
            high * 0.72,
            shade(colour, 0.7),
            "keys",
            x=wide * 0.35,
            y=deep / 2,
            z=high * 0.14,
        ),
        rod(
            (wide * 0.21, deep / 2 + 0.02, high * 0.2),
            (wide * 0.21, deep / 2 + 0.02, high * 0.8),
            0.008,
            STEEL,
        ),
    ]


def cutting_board(rng: Generator, size: float) -> list[Piece]:
    """A board of wood."""
    return [box(mix(0.28, 0.4, size), mix(0.2, 0.28, size), 0.02, colour_of(rng, "wood"), "wood")]


def paper_towels(rng: Generator, size: float) -> list[Piece]:
    """A roll on a stand."""
    high = mix(0.23, 0.27, size)
    base = colour_of(rng, "wood")
    return [
        can(0.075, 0.015, base, "satin"),
        can(mix(0.045, 0.065, size), high, (0.94, 0.94, 0.92), "plaster", z=0.015),
        can(0.01, high + 0.05, base, "satin", z=0.015),
    ]


def sponge(rng: Generator, size: float) -> list[Piece]:
    """A sponge of two layers."""
    along = mix(0.09, 0.12, size)
    low = box(along, along * 0.65, 0.022, pick(rng, (0.95, 0.85, 0.25), (0.95, 0.6, 0.7)), "carpet")
    return [low, box(along, along * 0.65, 0.01, (0.2, 0.5, 0.25), z=0.022)]


def pepper_mill(rng: Generator, size: float) -> list[Piece]:
    """A turned mill of wood."""
    high = mix(0.14, 0.24, size)
    colour = colour_of(rng, "wood")
    return [
        can(0.028, high * 0.35, colour, "wood"),
        can(0.02, high * 0.4, colour, "wood", z=high * 0.35),
        ball(0.055, 0.055, high * 0.28, shade(colour, 0.8), "satin", z=high * 0.7),
    ]


def shaker(rng: Generator, size: float) -> list[Piece]:
    """A salt cellar."""
    high = mix(0.07, 0.1, size)
    return [can(0.022, high, colour_of(rng, "ceramic"), "gloss"), can(0.02, 0.018, STEEL, "metal", z=high)]


def detergent(rng: Generator, size: float) -> list[Piece]:
    """A squeezy bottle with a nozzle."""
    wide, high = mix(0.06, 0.08, size), mix(0.16, 0.22, size)
    colour = colour_of(rng, "bright")
    return [
        box(wide, wide * 0.6, high, colour, "gloss"),
        can(wide * 0.25, 0.03, colour_of(rng, "white"), z=high),
        can(0.008, 0.025, (0.9, 0.9, 0.9), z=high + 0.03),
        box(wide * 1.01, wide * 0.61, high * 0.4, (0.93, 0.93, 0.9), z=high * 0.25, solid=False),
    ]


def blender(rng: Generator, size: float) -> list[Piece]:
    """A jug on a motor."""
    radius = mix(0.075, 0.095, size)
    colour = pick(rng, BLACK, STEEL, (0.75, 0.15, 0.12), (0.9, 0.88, 0.84))
    return [
        can(radius, 0.13, colour, "satin"),
        can(radius * 0.8, mix(0.17, 0.22, size), (0.68, 0.8, 0.8), "gloss", z=0.13),
        can(radius * 0.75, 0.03, BLACK, z=0.13 + mix(0.17, 0.22, size)),
        *ring_handle(radius * 0.8, 0.17, 0.12, 0.04, BLACK, 0.01),
        can(0.02, 0.006, (0.9, 0.9, 0.9), y=radius * 0.98, z=0.04, solid=False).turned(x_rad=np.pi / 2),
    ]
