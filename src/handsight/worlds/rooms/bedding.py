"""What is soft, and what is packed: bedding, towels, bags; builders as in `food`."""

from __future__ import annotations

from itertools import pairwise

from handsight.worlds.rooms.colours import colour_of, shade
from handsight.worlds.rooms.food import Generator, mix, pick
from handsight.worlds.rooms.kitchenware import BLACK
from handsight.worlds.rooms.pieces import Colour, Piece, ball, box, can, rod


def cushioned(wide: float, deep: float, high: float, colour: Colour, finish: str) -> list[Piece]:
    """Return what is stuffed: thick in its middle, with round edges."""
    edge, z = high * 0.24, high * 0.46
    x, y = wide / 2 - edge, deep / 2 - edge
    corners = [(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z), (-x, -y, z)]
    return [
        ball(wide * 0.96, deep * 0.96, high * 0.96, colour, finish),
        box(2 * x, 2 * y, high * 0.5, colour, finish, z=z - high * 0.25),
        *(rod(a, b, edge, shade(colour, 0.96), "matt") for a, b in pairwise(corners)),
    ]


def pillow(rng: Generator, size: float) -> list[Piece]:
    """A bed's pillow."""
    colour = colour_of(rng, "white" if rng.random() < 0.6 else "cloth")
    return cushioned(mix(0.5, 0.68, size), mix(0.34, 0.42, size), mix(0.13, 0.18, size), colour, "plaster")


def cushion(rng: Generator, size: float) -> list[Piece]:
    """A sofa's square cushion."""
    side = mix(0.34, 0.46, size)
    finish = ("weave", "plaid", "stripes", "ornament")[rng.integers(4)]
    return cushioned(side, side, side * 0.34, colour_of(rng, "cloth"), finish)


def blanket(rng: Generator, size: float) -> list[Piece]:
    """A folded blanket."""
    wide, deep, each = mix(0.4, 0.55, size), mix(0.3, 0.42, size), mix(0.03, 0.045, size)
    colour = colour_of(rng, "cloth")
    return [
        box(
            wide - 0.015 * (n % 2),
            deep - 0.01 * (n % 2),
            each,
            shade(colour, 1 - 0.1 * (n % 2)),
            "plaid",
            z=n * each,
        )
        for n in range(3)
    ]


def towel(rng: Generator, size: float) -> list[Piece]:
    """A folded towel."""
    wide, deep, each = mix(0.26, 0.36, size), mix(0.2, 0.26, size), mix(0.022, 0.032, size)
    colour = colour_of(rng, "cloth")
    stripe = box(0.03, deep * 1.01, each * 3.01, shade(colour, 1.5), x=wide * 0.3, solid=False)
    return [
        *(box(wide, deep, each, shade(colour, 1 - 0.08 * n), "carpet", z=n * each) for n in range(3)),
        stripe,
    ]


def teddy_bear(rng: Generator, size: float) -> list[Piece]:
    """A bear that sits."""
    high = mix(0.2, 0.38, size)
    fur = pick(rng, (0.6, 0.4, 0.22), (0.78, 0.6, 0.4), (0.4, 0.25, 0.15), (0.88, 0.84, 0.78))
    limbs = [
        ball(high * 0.22, high * 0.38, high * 0.22, fur, "carpet", x=s * high * 0.2, y=high * 0.22)
        for s in (-1, 1)
    ]
    arms = [
        ball(
            high * 0.17,
            high * 0.2,
            high * 0.32,
            fur,
            "carpet",
            x=s * high * 0.27,
            y=high * 0.05,
            z=high * 0.26,
        )
        for s in (-1, 1)
    ]
    ears = [
        ball(high * 0.15, high * 0.08, high * 0.15, fur, "carpet", x=s * high * 0.16, z=high * 0.86)
        for s in (-1, 1)
    ]
    return [
        ball(high * 0.5, high * 0.42, high * 0.58, fur, "carpet"),
        ball(high * 0.4, high * 0.38, high * 0.38, fur, "carpet", z=high * 0.52),
        ball(high * 0.17, high * 0.12, high * 0.13, shade(fur, 1.35), y=high * 0.17, z=high * 0.59),
        ball(high * 0.06, high * 0.05, high * 0.05, BLACK, y=high * 0.23, z=high * 0.65),
        *limbs, *arms, *ears,
    ]  # fmt: skip


def laundry_basket(rng: Generator, size: float) -> list[Piece]:
    """A basket of wickerwork with washing in it."""
    radius, high = mix(0.19, 0.26, size), mix(0.32, 0.5, size)
    colour = pick(rng, (0.75, 0.58, 0.36), (0.9, 0.88, 0.84), (0.5, 0.36, 0.24))
    cloth = ball(radius * 1.7, radius * 1.6, 0.14, colour_of(rng, "cloth"), "weave", z=high - 0.08)
    return [
        can(radius * 0.92, high, colour, "wicker"),
        can(radius, 0.05, shade(colour, 0.8), "wicker", z=high - 0.05),
        cloth,
    ]


def backpack(rng: Generator, size: float) -> list[Piece]:
    """A bag with a pocket and straps."""
    wide, deep, high = mix(0.28, 0.34, size), mix(0.15, 0.2, size), mix(0.36, 0.46, size)
    colour = colour_of(rng, "bright")
    straps = [
        rod((s * 0.08, -deep / 2 - 0.02, 0.05), (s * 0.07, -deep / 2 - 0.02, high * 0.85), 0.018, BLACK)
        for s in (-1, 1)
    ]
    return [
        box(wide, deep, high * 0.85, colour, "weave"),
        ball(wide, deep, high * 0.32, colour, "weave", z=high * 0.69),
        box(wide * 0.75, 0.07, high * 0.4, shade(colour, 0.75), "weave", y=deep / 2 + 0.03, z=high * 0.06),
        *straps,
    ]  # fmt: skip


def suitcase(rng: Generator, size: float) -> list[Piece]:
    """A case that stands, with a handle."""
    wide, deep, high = mix(0.36, 0.48, size), mix(0.2, 0.27, size), mix(0.5, 0.68, size)
    colour = pick(rng, (0.15, 0.25, 0.45), (0.6, 0.15, 0.15), BLACK, (0.7, 0.6, 0.4), (0.25, 0.45, 0.45))
    bands = [
        box(0.03, deep * 1.02, high * 1.002, shade(colour, 0.5), x=s * wide * 0.28, solid=False)
        for s in (-1, 1)
    ]
    grip = [rod((-0.07, 0, high + 0.05), (0.07, 0, high + 0.05), 0.012, BLACK)]
    grip += [rod((s * 0.07, 0, high), (s * 0.07, 0, high + 0.05), 0.01, BLACK) for s in (-1, 1)]
    return [box(wide, deep, high, colour, "satin"), *bands, *grip]
