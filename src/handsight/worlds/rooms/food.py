"""What there is to eat and drink; each builder draws one of its kind, `size` from 0 (small) to 1 (large)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.pieces import Colour, Piece, ball, box, can, panel, rod

Generator = np.random.Generator


def mix(low: float, high: float, size: float) -> float:
    """Return what lies so far from low to high."""
    return low + (high - low) * size


def pick(rng: Generator, *colours: Colour) -> Colour:
    """Return one of some colours, a little lighter or darker."""
    return shade(colours[rng.integers(len(colours))], float(rng.uniform(0.9, 1.08)))


def apple(rng: Generator, size: float) -> list[Piece]:
    """A round fruit with a stalk."""
    across = mix(0.07, 0.1, size)
    colour = pick(rng, (0.75, 0.1, 0.1), (0.45, 0.65, 0.15), (0.85, 0.7, 0.2))
    stalk = can(0.004, 0.02, (0.3, 0.2, 0.1), z=across * 0.85, solid=False)
    return [ball(across, across, across * 0.9, colour, "satin"), stalk]


def orange(rng: Generator, size: float) -> list[Piece]:
    """A round fruit."""
    across = mix(0.07, 0.1, size)
    return [ball(across, across, across, pick(rng, (0.95, 0.5, 0.08), (0.95, 0.8, 0.2)), "satin")]


def tomato(rng: Generator, size: float) -> list[Piece]:
    """A flat round fruit with its green."""
    across = mix(0.06, 0.09, size)
    green = ball(across * 0.5, across * 0.5, 0.012, (0.2, 0.45, 0.1), z=across * 0.76, solid=False)
    return [ball(across, across, across * 0.82, pick(rng, (0.8, 0.1, 0.05)), "gloss"), green]


def potato(rng: Generator, size: float) -> list[Piece]:
    """A long brown lump."""
    along = mix(0.08, 0.13, size)
    return [ball(along, along * rng.uniform(0.55, 0.75), along * 0.5, pick(rng, (0.62, 0.45, 0.25)))]


def banana(rng: Generator, size: float) -> list[Piece]:
    """A bent yellow fruit."""
    along, thick = mix(0.15, 0.21, size), mix(0.016, 0.021, size)
    colour, bend = pick(rng, (0.95, 0.8, 0.15), (0.8, 0.8, 0.25)), float(rng.uniform(0.05, 0.07))
    x = np.linspace(-along / 2, along / 2, 5)
    y = bend * (1 - (2 * x / along) ** 2)
    points = [(float(a), float(b), thick) for a, b in zip(x, y, strict=True)]
    pieces = [rod(a, b, thick, colour) for a, b in pairwise(points)]
    return [*pieces, ball(0.02, 0.02, 0.02, (0.3, 0.22, 0.1), x=-along / 2 - thick / 2, z=thick - 0.01)]


def egg(rng: Generator, size: float) -> list[Piece]:
    """An egg on its side."""
    along = mix(0.055, 0.065, size)
    return [ball(along, along * 0.76, along * 0.76, pick(rng, (0.85, 0.66, 0.5), (0.95, 0.93, 0.88)))]


def bread(rng: Generator, size: float) -> list[Piece]:
    """A loaf with a rounded top."""
    along, wide, high = mix(0.2, 0.3, size), mix(0.1, 0.13, size), mix(0.08, 0.11, size)
    crust = pick(rng, (0.62, 0.38, 0.16), (0.5, 0.3, 0.14))
    top = ball(along, wide * 1.12, high * 0.9, shade(crust, 1.15), z=high * 0.25)
    cuts = [
        box(0.012, wide * 0.6, 0.004, (0.85, 0.7, 0.45), x=x * along, z=high * 1.12, solid=False)
        for x in (-0.15, 0.0, 0.15)
    ]
    return [box(along * 0.92, wide, high * 0.7, crust), top, *cuts]


def lettuce(rng: Generator, size: float) -> list[Piece]:
    """A head of leaves."""
    across = mix(0.13, 0.2, size)
    green = pick(rng, (0.35, 0.62, 0.2), (0.5, 0.7, 0.3))
    heart = ball(across, across, across * 0.85, green, "plaster")
    leaves = [
        ball(across * 0.6, across * 0.5, across * 0.62, shade(green, 0.75 + 0.1 * nth), "plaster",
             x=float(np.cos(2.1 * nth)) * across * 0.3, y=float(np.sin(2.1 * nth)) * across * 0.3)
        for nth in range(3)
    ]  # fmt: skip
    return [heart, *leaves]


def bottle(rng: Generator, size: float) -> list[Piece]:
    """A bottle of wine or oil."""
    radius, high = mix(0.032, 0.042, size), mix(0.18, 0.23, size)
    glass = pick(rng, (0.12, 0.28, 0.12), (0.35, 0.2, 0.08), (0.2, 0.08, 0.1), (0.6, 0.65, 0.3))
    return [
        can(radius, high * 0.82, glass, "gloss"),
        ball(2 * radius, 2 * radius, 1.4 * radius, glass, "gloss", z=high * 0.82 - 0.7 * radius),
        can(radius * 0.38, high * 0.6, glass, "gloss", z=high * 0.8),
        can(radius * 0.45, 0.03, colour_of(rng, "bright"), z=high * 1.3),
        can(
            radius * 1.02,
            high * 0.35,
            pick(rng, (0.9, 0.88, 0.8), (0.8, 0.75, 0.6)),
            z=high * 0.2,
            solid=False,
        ),
    ]


def milk_carton(rng: Generator, size: float) -> list[Piece]:
    """A carton with a roof."""
    wide, high = mix(0.065, 0.08, size), mix(0.17, 0.2, size)
    colour = colour_of(rng, "bright")
    roof = [
        box(wide, wide * 0.72, 0.012, (0.92, 0.93, 0.95), y=side * wide * 0.25, z=high + 0.012)
        .turned(x_rad=-side * 0.65)
        for side in (-1.0, 1.0)
    ]  # fmt: skip
    return [
        box(wide, wide, high, (0.93, 0.94, 0.96), "satin"),
        box(wide * 1.01, wide * 1.01, high * 0.35, colour, "satin", z=high * 0.3, solid=False),
        *roof,
        box(wide, 0.006, 0.03, (0.9, 0.9, 0.92), z=high + 0.025),
    ]


def cereal_box(rng: Generator, size: float) -> list[Piece]:
    """A flat carton with a printed front."""
    wide, deep, high = mix(0.16, 0.2, size), mix(0.05, 0.07, size), mix(0.24, 0.31, size)
    colour = colour_of(rng, "bright")
    fronts = [panel(wide, high, colour, "label", y=deep / 2 + 0.001, thick=0.003)]
    fronts.append(fronts[0].about(np.pi))
    return [box(wide, deep, high, colour, "satin"), *fronts]


def jar(rng: Generator, size: float) -> list[Piece]:
    """A glass of jam or spices with a lid."""
    radius, high = mix(0.025, 0.045, size), mix(0.07, 0.12, size)
    inside = pick(rng, (0.65, 0.1, 0.12), (0.85, 0.55, 0.15), (0.4, 0.25, 0.12), (0.5, 0.55, 0.2))
    return [
        can(radius, high, inside, "gloss"),
        can(radius * 0.95, 0.02, colour_of(rng, "bright", inside), "satin", z=high),
        can(radius * 1.02, high * 0.45, (0.92, 0.9, 0.84), z=high * 0.25, solid=False),
    ]


def tin(rng: Generator, size: float) -> list[Piece]:
    """A tin with a printed band."""
    radius, high = mix(0.033, 0.05, size), mix(0.07, 0.12, size)
    return [
        can(radius, high, (0.7, 0.71, 0.73), "metal"),
        can(radius * 1.02, high * 0.8, colour_of(rng, "bright"), "satin", z=high * 0.1, solid=False),
    ]
