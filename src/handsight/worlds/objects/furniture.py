"""Furniture: table, desk, lamp; and what it stands on."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import (
    bar,
    box,
    cylinder,
    ellipsoid,
    lathe,
    smooth,
    soft_box,
    tube,
    vessel,
)


def legs(rng: np.random.Generator, x: float, y: float, height: float, finish: int = SECOND) -> list[Part]:
    """Return four legs under a top of `x` × `y`: square or round, upright or splayed, maybe with rails."""
    thickness, splay = rng.uniform(0.035, 0.07), rng.choice([0, rng.uniform(0.05, 0.18)])
    round_, rails = rng.random() < 0.5, rng.random() < 0.35
    parts = []
    x, y = x / 2 - thickness, y / 2 - thickness
    for side_x in (-1, 1):
        for side_y in (-1, 1):
            ground = (side_x * (x + splay), side_y * (y + splay), 0)
            top = (side_x * x, side_y * y, height)
            parts.append(
                Part(
                    bar(ground, top, thickness * rng.uniform(0.55, 0.6), thickness, 8 if round_ else 4),
                    finish,
                )
            )
    if rails:
        at, out = height * rng.uniform(0.25, 0.5), 0.6 * splay
        for side in (-1, 1):
            parts.append(
                Part(
                    bar(
                        (-x - out, side * (y + out), at),
                        (x + out, side * (y + out), at),
                        thickness * 0.6,
                        around_n=4,
                    ),
                    finish,
                )
            )
    return parts


def foot(rng: np.random.Generator, height: float, spread: float) -> list[Part]:
    """Return one column on a disc, or on three to five feet."""
    column = Part(cylinder(rng.uniform(0.05, 0.09), height, rng.uniform(0.7, 1)), SECOND)
    if rng.random() < 0.4:
        return [column, Part(cylinder(spread, 0.06, 0.9), SECOND)]
    feet_n = int(rng.integers(3, 6))
    angles = np.arange(feet_n) * 2 * np.pi / feet_n
    return [
        column,
        *(
            Part(bar((0, 0, 0.16), (spread * np.cos(a), spread * np.sin(a), 0.03), 0.05, 0.035), SECOND)
            for a in angles
        ),
    ]


def table(rng: np.random.Generator) -> list[Part]:
    """A flat top, round or rectangular, with nothing but legs or a foot under it."""
    height, thickness = rng.uniform(0.55, 1.0), rng.uniform(0.05, 0.1)
    if rng.random() < 0.45:
        radius = rng.uniform(0.55, 0.75)
        under = (
            foot(rng, height, radius * 0.6)
            if rng.random() < 0.6
            else legs(rng, radius * 1.3, radius * 1.3, height)
        )
        return [*under, Part(cylinder(radius, thickness).moved(z=height))]
    x, y = rng.uniform(0.8, 1.1), rng.uniform(0.95, 1.9)
    top = box(x, y, thickness) if rng.random() < 0.5 else soft_box(x, y, thickness, 0.02)
    parts = [*legs(rng, x * 0.92, y * 0.92, height), Part(top.moved(z=height))]
    if rng.random() < 0.4:
        parts.append(Part(box(x * 0.8, y * 0.85, 0.04).moved(z=height * rng.uniform(0.2, 0.35)), SECOND))
    return parts


def desk(rng: np.random.Generator) -> list[Part]:
    """A table with drawers at one side or both, or with a raised back."""
    x, y, height = rng.uniform(0.65, 0.85), rng.uniform(1.3, 1.9), rng.uniform(0.75, 0.95)
    parts = [Part(box(x, y, 0.07).moved(z=height))]
    sides = [-1, 1] if rng.random() < 0.4 else [int(rng.choice([-1, 1]))]
    drawers_n, width = int(rng.integers(2, 5)), rng.uniform(0.35, 0.48)
    bottom = rng.choice([0, height * rng.uniform(0.1, 0.4)])
    for side in sides:
        middle = side * (y / 2 - width / 2 - 0.03)
        parts.append(Part(box(x * 0.92, width, height - bottom).moved(0, middle, bottom)))
        step = (height - bottom) / drawers_n
        for index in range(drawers_n):
            parts.append(
                Part(
                    box(0.03, width * 0.86, step * 0.8).moved(
                        x * 0.47, middle, bottom + step * (index + 0.1)
                    ),
                    SECOND,
                )
            )
            parts.append(
                Part(
                    ellipsoid(0.035, 0.06, 0.03, 8).moved(x * 0.5, middle, bottom + step * (index + 0.5)),
                    DETAIL,
                )
            )
    if bottom or len(sides) == 1:
        ends = [-1, 1] if bottom else [-sides[0]]
        parts += [
            Part(
                bar(
                    (a * (x / 2 - 0.06), b * (y / 2 - 0.07), 0),
                    (a * (x / 2 - 0.06), b * (y / 2 - 0.07), height),
                    0.045,
                    around_n=4,
                ),
                SECOND,
            )
            for a in (-1, 1)
            for b in ends
        ]
    if rng.random() < 0.5:
        parts.append(Part(box(0.05, y, rng.uniform(0.2, 0.5)).moved(-x / 2 + 0.03, 0, height + 0.06)))
    return parts


def lamp(rng: np.random.Generator) -> list[Part]:
    """A shade on a stand: upright under a conical shade, or bent over as on a desk."""
    base = rng.uniform(0.25, 0.4)
    parts = [Part(cylinder(base, rng.uniform(0.05, 0.12), rng.uniform(0.6, 0.95)), SECOND)]
    if rng.random() < 0.6:
        height, wide, high = rng.uniform(0.9, 1.7), rng.uniform(0.38, 0.55), rng.uniform(0.4, 0.65)
        belly = rng.uniform(0.04, 0.2)
        stand = smooth([[0.05, 0.05], [belly, height * 0.35], [0.04, height * 0.85]], 9)
        shade = vessel([[wide, 0], [wide * rng.uniform(0.4, 0.95), high]], 0.02, floor=high * 0.9)
        return [
            *parts,
            Part(lathe([[0, 0.05], *stand, [0.03, height + 0.2], [0, height + 0.2]]), SECOND),
            Part(shade.moved(z=height - 0.05), MAIN),
        ]
    elbow, reach = np.array([-rng.uniform(0.2, 0.5), 0, rng.uniform(0.7, 0.9)]), rng.uniform(0.4, 0.7)
    head = np.array([reach, 0, rng.uniform(1.2, 1.6)])
    arm = (
        smooth([[0, 0, 0.05], elbow, head], 11)
        if rng.random() < 0.5
        else np.array([[0, 0, 0.05], elbow, head])
    )
    parts.append(Part(tube(arm, 0.04), SECOND))
    shade = lathe(
        [[0, 0.02], [0.06, 0], [0.1, -0.12], [rng.uniform(0.25, 0.36), -0.42], [0.2, -0.4], [0, -0.2]][::-1]
    )
    tilt = -rng.uniform(0.3, 0.7)
    bulb = ellipsoid(0.1, 0.1, 0.1, 10).moved(z=-0.36)
    return [*parts, Part(shade.turned(y=tilt).moved(*head)), Part(bulb.turned(y=tilt).moved(*head), DETAIL)]
