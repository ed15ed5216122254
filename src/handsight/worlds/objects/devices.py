"""Devices and things worn: camera, clock, headphones, eyeglasses, phone."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import (
    arc,
    bar,
    box,
    circle,
    cylinder,
    ellipsoid,
    hoop,
    lathe,
    smooth,
    soft_box,
    tube,
)


def camera(rng: np.random.Generator) -> list[Part]:
    """A body with a lens in front and a finder, a flash or a knob on top; sometimes a grip."""
    width, height, depth = rng.uniform(1.0, 1.4), rng.uniform(0.6, 0.85), rng.uniform(0.3, 0.45)
    radius, reach = rng.uniform(0.2, 0.3), rng.uniform(0.15, 0.7)
    at = rng.uniform(-0.12, 0.12) * width
    profile = [
        [0, 0],
        [radius, 0],
        [radius, reach * 0.4],
        [radius * 0.9, reach * 0.45],
        [radius * rng.uniform(0.85, 1.05), reach],
        [radius * 0.75, reach],
        [radius * 0.7, reach - 0.06],
        [0, reach - 0.06],
    ]
    lens = lathe(profile).turned(y=np.pi / 2).moved(depth / 2 - 0.01, at, height * 0.47)
    glass = ellipsoid(0.05, radius * 0.7, radius * 0.7, 12).moved(depth / 2 + reach - 0.06, at, height * 0.47)
    parts = [Part(soft_box(depth, width, height, 0.06)), Part(lens, SECOND), Part(glass, DETAIL)]
    if rng.random() < 0.6:
        parts.append(Part(box(depth * 0.8, 0.4, 0.2, top=(0.6, 0.6)).moved(0, at, height - 0.02)))
    else:
        parts.append(Part(box(depth * 0.6, 0.22, 0.1).moved(0, at - width * 0.25, height - 0.01), SECOND))
    parts.append(Part(cylinder(0.09, 0.1).moved(0, width * 0.36, height - 0.02), DETAIL))
    if rng.random() < 0.5:
        parts.append(
            Part(soft_box(0.16, 0.22, height * 0.9, 0.05).moved(depth / 2 + 0.04, width * 0.4, 0.02), SECOND)
        )
    return parts


def clock(rng: np.random.Generator) -> list[Part]:
    """A dial with two hands: an alarm clock with bells and feet, or a clock in a case."""
    radius, depth = 0.55, rng.uniform(0.2, 0.4)
    square = rng.choice([0, 0, 0.85])
    profile = [
        [0, -depth],
        [radius * rng.uniform(0.8, 1), -depth],
        [radius, 0.05],
        [radius * 0.9, 0.05],
        [radius * 0.88, 0],
        [0, 0],
    ]
    parts = [
        Part(lathe(profile, 28, square)),
        Part(lathe([[radius * 0.86, 0], [radius * 0.86, 0.015], [0, 0.015]], 28, square), SECOND),
    ]
    for length, width, angle in (
        (0.26, 0.06, rng.uniform(0, 2 * np.pi)),
        (0.4, 0.045, rng.uniform(0, 2 * np.pi)),
    ):
        parts.append(Part(box(width, length, 0.02).moved(0, length / 2 - 0.05, 0.02).turned(z=angle), DETAIL))
    marks_n = int(rng.choice([4, 12]))
    for angle in np.arange(marks_n) * 2 * np.pi / marks_n:
        parts.append(Part(box(0.035, 0.09, 0.02).moved(0, 0.41, 0.012).turned(z=angle), DETAIL))
    parts = [Part(part.mesh.turned(x=np.pi / 2, z=np.pi / 2), part.finish) for part in parts]
    spread = rng.uniform(0.55, 0.75)
    for side in (-1, 1):
        y, z = side * radius * np.sin(spread), -radius * np.cos(spread)
        parts.append(
            Part(bar((-depth / 2, y * 0.9, z * 0.9), (-depth / 2, y * 1.35, z * 1.35), 0.05, 0.035), DETAIL)
        )
        if rng.random() < 0.7 and not square:
            bell = ellipsoid(0.2, 0.2, 0.13, 12).turned(x=-side * 0.55).moved(-depth / 2, side * 0.34, 0.56)
            parts.append(Part(bell, SECOND))
    return parts


def headphones(rng: np.random.Generator) -> list[Part]:
    """A bow with a cup at each end."""
    half, height = rng.uniform(0.5, 0.62), rng.uniform(0.75, 1.0)
    bow = arc(1, -0.1, np.pi + 0.1, 19) * [half, height]
    line = np.column_stack([np.zeros(19), bow])
    parts = [Part(tube(line, rng.uniform(0.04, 0.06), flatness=rng.uniform(0.6, 1.2)))]
    if rng.random() < 0.6:
        parts.append(Part(tube(line[5:14] * 0.98, 0.075), DETAIL))
    radius, depth, oval = rng.uniform(0.24, 0.36), rng.uniform(0.14, 0.24), rng.uniform(1.0, 1.35)
    for side in (-1, 1):
        cup = lathe([[0, 0], [radius * 0.7, 0], [radius, depth * 0.5], [radius, depth], [0, depth]]).scaled(
            1, oval, 1
        )
        pad = hoop(radius * 0.75, 0.09, 18, 8).scaled(1, oval, 1)
        place = {"y": side * half, "z": -0.15}
        parts.append(Part(cup.turned(x=side * np.pi / 2).moved(y=side * depth).moved(**place), MAIN))
        parts.append(Part(pad.turned(x=side * np.pi / 2).moved(**place), SECOND))
    return parts


def eyeglasses(rng: np.random.Generator) -> list[Part]:
    """Two rims with a bridge and two temples folded open; the lenses clear or filled."""
    radius, oval, square = (
        rng.uniform(0.24, 0.32),
        rng.uniform(0.65, 1.0),
        rng.choice([0, rng.uniform(0.3, 0.8)]),
    )
    thickness, gap = rng.uniform(0.025, 0.05), rng.uniform(0.06, 0.14)
    outline = circle(24, square) * [radius, radius * oval]
    middle = radius + gap
    filled = rng.random() < 0.4
    parts = []
    for side in (-1, 1):
        rim = np.column_stack([np.zeros(24), outline[:, 0] + side * middle, outline[:, 1]])
        parts.append(Part(tube(rim, thickness, closed=True)))
        if filled:
            lens = (
                ellipsoid(0.02, radius, radius * oval)
                if not square
                else box(0.03, 1.8 * radius, 1.8 * radius * oval).moved(z=-0.9 * radius * oval)
            )
            parts.append(Part(lens.moved(y=side * middle), DETAIL))
        out = side * (middle + radius)
        length, drop = rng.uniform(1.0, 1.2), rng.uniform(0.1, 0.25)
        line = smooth(
            [
                [0, out, radius * oval * 0.4],
                [-length * 0.4, out, radius * oval * 0.4],
                [-length * 0.75, out, radius * oval * 0.35],
                [-length, out, -drop],
            ],
            12,
        )
        parts.append(Part(tube(line, thickness), SECOND))
    bridge = smooth([[0, -gap, 0.05], [0.03, 0, 0.12], [0, gap, 0.05]], 7)
    return [*parts, Part(tube(bridge, thickness))]


def phone(rng: np.random.Generator) -> list[Part]:
    """A flat slab with a screen and lenses, or a desk telephone with a handset and keys."""
    if rng.random() < 0.5:
        width, height, depth = rng.uniform(0.7, 0.85), rng.uniform(1.4, 1.7), rng.uniform(0.07, 0.14)
        parts = [
            Part(soft_box(height, width, depth, 0.03)),
            Part(box(height * 0.88, width * 0.88, 0.012).moved(z=depth), SECOND),
        ]
        for index in range(int(rng.integers(1, 4))):
            parts.append(
                Part(cylinder(0.08, 0.04).moved(height * 0.4 - 0.2 * index, width * 0.28, -0.03), DETAIL)
            )
        lean = rng.uniform(0.9, 1.3)
        return [Part(part.mesh.turned(y=-lean), part.finish) for part in parts]
    width, depth, height = rng.uniform(0.9, 1.1), rng.uniform(0.85, 1.05), rng.uniform(0.3, 0.45)
    parts = [Part(box(depth, width, height, top=(0.6, 0.85), shift=-depth * 0.12))]
    line = smooth(
        [
            [-0.15, -0.62, height + 0.02],
            [-0.15, -0.5, height + 0.18],
            [-0.15, 0.5, height + 0.18],
            [-0.15, 0.62, height + 0.02],
        ],
        13,
    )
    parts.append(Part(tube(line, 0.08), SECOND))
    parts += [
        Part(cylinder(0.14, 0.12, 1.1).moved(-0.15, side * 0.58, height - 0.02), SECOND) for side in (-1, 1)
    ]
    for row in range(4):
        for column in range(3):
            parts.append(
                Part(
                    box(0.07, 0.12, 0.05).moved(
                        0.33 - row * 0.1, (column - 1) * 0.17, height * (0.52 + 0.14 * row)
                    ),
                    DETAIL,
                )
            )
    return parts
