"""Small things of living rooms, bedrooms and bathrooms; builders as in `food`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.food import Generator, mix, pick
from handsight.worlds.rooms.kitchenware import BLACK, STEEL
from handsight.worlds.rooms.pieces import Piece, ball, box, can, panel, rod


def remote(rng: Generator, size: float) -> list[Piece]:
    """A remote control."""
    along = mix(0.14, 0.2, size)
    colour = pick(rng, BLACK, (0.25, 0.25, 0.28), (0.8, 0.8, 0.8))
    keys = box(along * 0.8, 0.036, 0.002, shade(colour, 2.0), "keys", z=0.022, solid=False)
    return [box(along, 0.048, 0.022, colour, "satin"), keys]


def book(rng: Generator, size: float) -> list[Piece]:
    """A book that lies."""
    wide, deep, thick = mix(0.13, 0.22, size), mix(0.19, 0.29, size), float(rng.uniform(0.02, 0.05))
    cover = colour_of(rng, "bright" if rng.random() < 0.6 else "cloth")
    return [
        box(wide, deep, 0.004, cover, "satin"),
        box(wide * 0.95, deep * 0.95, thick - 0.008, (0.93, 0.9, 0.82), "stripes", z=0.004),
        box(wide, deep, 0.004, cover, "satin", z=thick - 0.004),
        box(0.006, deep, thick, cover, "satin", x=-wide / 2),
        box(wide * 0.6, deep * 0.16, 0.001, shade(cover, 1.6), z=thick, y=deep * 0.2, solid=False),
    ]


def newspaper(rng: Generator, size: float) -> list[Piece]:
    """A folded newspaper."""
    wide, deep = mix(0.26, 0.32, size), mix(0.34, 0.4, size)
    page = box(wide * 0.99, deep * 0.99, 0.002, (1, 1, 1), "words", z=0.015, solid=False)
    return [box(wide, deep, 0.015, colour_of(rng, "paper")), page]


def vase(rng: Generator, size: float) -> list[Piece]:
    """A bellied vase."""
    radius, high = mix(0.05, 0.09, size), mix(0.18, 0.32, size)
    colour = colour_of(rng, "ceramic")
    return [
        can(radius * 0.6, 0.02, colour, "gloss"),
        ball(2 * radius, 2 * radius, high * 0.72, colour, "gloss", z=0.005),
        can(radius * 0.42, high * 0.4, colour, "gloss", z=high * 0.58),
        can(radius * 0.55, 0.015, shade(colour, 0.7), "gloss", z=high * 0.97),
    ]


def candle(rng: Generator, size: float) -> list[Piece]:
    """A thick candle on a dish."""
    radius, high = mix(0.025, 0.04, size), mix(0.06, 0.14, size)
    return [
        can(radius * 1.5, 0.01, colour_of(rng, "metal"), "metal"),
        can(radius, high, pick(rng, (0.92, 0.88, 0.75), (0.7, 0.15, 0.15), (0.5, 0.6, 0.75)), z=0.01),
        can(0.003, 0.015, BLACK, z=0.01 + high, solid=False),
    ]


def picture_frame(rng: Generator, size: float) -> list[Piece]:
    """A photograph in a standing frame."""
    wide, high = mix(0.12, 0.2, size), mix(0.16, 0.26, size)
    colour = colour_of(rng, "wood" if rng.random() < 0.6 else "metal")
    photo = panel(
        wide * 0.8, high * 0.8, (1, 1, 1), ("landscape", "abstract")[rng.integers(2)], y=0.012, z=high * 0.1
    )
    return [
        box(wide, 0.02, high, colour, "wood"),
        photo,
        box(0.03, 0.09, 0.012, colour, "wood", y=-0.05),
        rod((0, -0.085, 0.01), (0, -0.01, high * 0.7), 0.006, colour),
    ]


def laptop(rng: Generator, size: float) -> list[Piece]:
    """An open laptop."""
    wide, deep = mix(0.3, 0.38, size), mix(0.21, 0.26, size)
    colour = pick(rng, (0.75, 0.76, 0.78), (0.2, 0.2, 0.22), (0.85, 0.82, 0.78))
    keys = box(
        wide * 0.85, deep * 0.45, 0.001, (0.25, 0.25, 0.27), "keys", y=-deep * 0.15, z=0.02, solid=False
    )
    lid = box(wide, 0.01, deep, colour, "metal", y=-deep * 0.62, z=0.012).turned(x_rad=0.25)
    glow = pick(rng, (0.15, 0.3, 0.55), (0.1, 0.12, 0.16), (0.5, 0.65, 0.8))
    screen = box(wide * 0.92, 0.002, deep * 0.86, glow, "shining", y=-deep * 0.6, z=0.03, solid=False)
    screen = screen.turned(x_rad=0.25).moved(y=-0.001, z=-0.006)
    return [box(wide, deep, 0.02, colour, "metal"), keys, lid, screen]


def statue(rng: Generator, size: float) -> list[Piece]:
    """A figure on a base."""
    high = mix(0.2, 0.34, size)
    colour = pick(rng, (0.25, 0.35, 0.3), (0.6, 0.5, 0.3), (0.85, 0.83, 0.78), (0.3, 0.2, 0.14))
    across = high * 0.32
    return [
        box(across * 1.3, across * 1.3, high * 0.14, shade(colour, 0.6), "marble"),
        can(across * 0.3, high * 0.42, colour, "satin", z=high * 0.12),
        ball(across * 0.95, across * 0.7, high * 0.4, colour, "satin", z=high * 0.4),
        ball(across * 0.5, across * 0.5, high * 0.2, colour, "satin", z=high * 0.8),
    ]


def keys(rng: Generator, size: float) -> list[Piece]:
    """A bunch of keys."""
    tag = box(0.035, 0.035, 0.012, colour_of(rng, "bright"))
    bits = [
        box(0.055, 0.012, 0.006, colour_of(rng, "metal"), "metal", x=0.045, y=y, z=0.002).about(y * 12)
        for y in (-0.018, 0.0, 0.018)
    ]
    return [tag, *bits]


def controller(rng: Generator, size: float) -> list[Piece]:
    """A game controller."""
    colour = pick(rng, BLACK, (0.9, 0.9, 0.9), (0.7, 0.15, 0.15), (0.15, 0.3, 0.65))
    grips = [ball(0.05, 0.09, 0.045, colour, "satin", x=side * 0.055, y=-0.025) for side in (-1, 1)]
    sticks = [can(0.011, 0.012, shade(colour, 0.4), x=x, y=0.0, z=0.038) for x in (-0.03, 0.03)]
    return [box(0.11, 0.06, 0.038, colour, "satin", y=0.01), *grips, *sticks]


def phone(rng: Generator, size: float) -> list[Piece]:
    """A phone that lies."""
    along = mix(0.13, 0.165, size)
    screen = box(along * 0.93, along * 0.44, 0.001, (0.15, 0.2, 0.3), "gloss", z=0.011, solid=False)
    return [
        box(along, along * 0.48, 0.011, pick(rng, (0.8, 0.8, 0.82), (0.75, 0.3, 0.3), (0.3, 0.45, 0.6))),
        screen,
    ]


def alarm_clock(rng: Generator, size: float) -> list[Piece]:
    """A round clock with two bells."""
    radius = mix(0.045, 0.065, size)
    colour = colour_of(rng, "bright")
    body = can(radius, 0.05, colour, "gloss", z=0).turned(x_rad=-np.pi / 2).moved(z=radius + 0.015 - 0.025)
    face = can(radius * 0.86, 0.004, (1, 1, 1), "dial", solid=False).turned(x_rad=-np.pi / 2)
    bells = [
        ball(0.045, 0.045, 0.03, STEEL, "metal", x=side * radius * 0.6, z=2 * radius) for side in (-1, 1)
    ]
    feet = [
        rod((s * radius * 0.5, 0, 0.02), (s * radius * 0.75, 0, 0.004), 0.006, STEEL, "metal")
        for s in (-1, 1)
    ]
    return [body, face.moved(y=0.026, z=radius + 0.013), *bells, *feet]


def headphones(rng: Generator, size: float) -> list[Piece]:
    """Headphones that lie."""
    wide = mix(0.15, 0.18, size)
    colour = pick(rng, BLACK, (0.85, 0.85, 0.85), (0.7, 0.15, 0.15))
    angle = np.linspace(0, np.pi, 6)
    points = [(float(np.cos(a)) * wide / 2, float(np.sin(a)) * wide * 0.55, 0.02) for a in angle]
    band = [rod(a, b, 0.009, colour) for a, b in pairwise(points)]
    cups = [
        ball(0.04, 0.08, 0.075, shade(colour, 0.7), "satin", x=side * wide / 2, y=-0.02) for side in (-1, 1)
    ]
    return [*band, *cups]


def pencil(rng: Generator, size: float) -> list[Piece]:
    """A thick pencil."""
    along, colour = mix(0.14, 0.18, size), colour_of(rng, "bright")
    return [
        rod((-along / 2, 0, 0.007), (along / 2, 0, 0.007), 0.007, colour),
        rod((along / 2 - 0.005, 0, 0.007), (along / 2 + 0.018, 0, 0.007), 0.005, (0.85, 0.7, 0.5)),
    ]


def notebook(rng: Generator, size: float) -> list[Piece]:
    """A ring-bound pad."""
    wide, deep = mix(0.14, 0.2, size), mix(0.2, 0.28, size)
    page = box(wide * 0.96, deep * 0.9, 0.001, (1, 1, 1), "words", y=-0.006, z=0.014, solid=False)
    return [
        box(wide, deep, 0.014, colour_of(rng, "bright")),
        page,
        box(wide, 0.014, 0.018, BLACK, y=deep / 2),
    ]


def toilet_roll(rng: Generator, size: float) -> list[Piece]:
    """A roll of paper."""
    radius = mix(0.05, 0.065, size)
    return [
        can(radius, 0.1, colour_of(rng, "white"), "plaster"),
        can(radius * 0.35, 0.002, (0.45, 0.35, 0.25), z=0.1, solid=False),
    ]


def soap(rng: Generator, size: float) -> list[Piece]:
    """A bar of soap on a dish."""
    colour = pick(rng, (0.95, 0.75, 0.8), (0.7, 0.85, 0.65), (0.95, 0.9, 0.7), (0.6, 0.75, 0.9))
    bar = ball(mix(0.08, 0.1, size), 0.06, 0.04, colour, "satin", z=0.012)
    return [box(0.12, 0.085, 0.014, colour_of(rng, "ceramic"), "gloss"), bar]


def shampoo(rng: Generator, size: float) -> list[Piece]:
    """A bottle with a cap."""
    wide, high = mix(0.055, 0.08, size), mix(0.15, 0.22, size)
    colour = colour_of(rng, "bright")
    return [
        ball(wide * 1.05, wide * 0.7, high * 1.1, colour, "gloss", z=high * 0.05),
        box(wide * 0.9, wide * 0.6, high * 0.75, colour, "gloss"),
        can(wide * 0.3, high * 0.18, (0.93, 0.93, 0.9), "satin", z=high),
    ]


def pump_bottle(rng: Generator, size: float) -> list[Piece]:
    """Liquid soap with a pump."""
    radius, high = mix(0.03, 0.04, size), mix(0.11, 0.15, size)
    return [
        can(radius, high, colour_of(rng, "ceramic"), "gloss"),
        can(0.008, 0.05, STEEL, "metal", z=high),
        rod((0, 0, high + 0.05), (0.05, 0, high + 0.045), 0.008, STEEL, "metal"),
    ]


def brush_cup(rng: Generator, size: float) -> list[Piece]:
    """A cup with toothbrushes."""
    high = mix(0.09, 0.12, size)
    brushes = [
        rod((s * 0.01, 0, 0.03), (s * 0.035, t * 0.02, high + 0.08), 0.006, colour_of(rng, "bright"))
        for s, t in ((-1, 1), (1, -1))
    ]
    return [can(0.035, high, colour_of(rng, "ceramic"), "gloss"), *brushes]


def spray(rng: Generator, size: float) -> list[Piece]:
    """A spray bottle with a trigger."""
    high = mix(0.16, 0.2, size)
    colour, head = colour_of(rng, "bright"), pick(rng, (0.92, 0.92, 0.92), (0.8, 0.2, 0.15))
    return [
        can(0.042, high, colour, "gloss"),
        can(0.015, 0.05, head, z=high),
        box(0.11, 0.03, 0.035, head, x=0.025, z=high + 0.045),
        rod((0.05, 0, high + 0.05), (0.035, 0, high), 0.007, head),
    ]


def tissue_box(rng: Generator, size: float) -> list[Piece]:
    """A box with a tissue that looks out."""
    wide = mix(0.2, 0.24, size)
    tissue = ball(0.09, 0.04, 0.07, (0.97, 0.97, 0.97), z=0.075, solid=False)
    return [box(wide, 0.12, 0.09, colour_of(rng, "cloth"), "ornament"), tissue]


def duck(rng: Generator, size: float) -> list[Piece]:
    """A rubber duck."""
    along = mix(0.09, 0.13, size)
    colour = pick(rng, (0.95, 0.8, 0.1), (0.95, 0.85, 0.2), (0.4, 0.7, 0.9))
    return [
        ball(along, along * 0.75, along * 0.6, colour, "gloss"),
        ball(along * 0.5, along * 0.5, along * 0.5, colour, "gloss", x=along * 0.3, z=along * 0.48),
        ball(along * 0.25, along * 0.22, along * 0.1, (0.95, 0.45, 0.1), x=along * 0.57, z=along * 0.66),
        ball(along * 0.3, along * 0.15, along * 0.25, colour, "gloss", x=-along * 0.5, z=along * 0.4),
    ]


def hair_dryer(rng: Generator, size: float) -> list[Piece]:
    """A hair dryer that lies."""
    colour = pick(rng, BLACK, (0.7, 0.15, 0.2), (0.85, 0.6, 0.75), (0.9, 0.9, 0.9))
    return [
        rod((-0.05, 0, 0.04), (mix(0.06, 0.09, size), 0, 0.04), 0.038, colour, "gloss"),
        rod((-0.04, -0.02, 0.03), (-0.06, -0.15, 0.025), 0.02, colour, "gloss"),
    ]
