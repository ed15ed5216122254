"""Things held by a handle: hammer, flashlight, dumbbell, umbrella, guitar."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.cutlery import grip
from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import (
    arc,
    bar,
    box,
    cylinder,
    ellipsoid,
    lathe,
    loft,
    smooth,
    soft_box,
    tube,
)


def hammer(rng: np.random.Generator) -> list[Part]:
    """A handle with a head across its end: a face, and opposite a claw, a wedge or a second face."""
    length, reach, radius = rng.uniform(1.3, 1.9), rng.uniform(0.22, 0.32), rng.uniform(0.1, 0.16)
    parts = [
        Part(grip(rng, length, rng.uniform(0.055, 0.08))),
        Part(box(0.2, 0.2, 0.22).moved(z=-0.11), SECOND),
    ]
    parts.append(Part(cylinder(radius * 0.75, reach, 1.3, 14).moved(z=0.05), SECOND))
    kind = rng.integers(3)
    if kind == 0:
        for side in (-1, 1):
            claw = smooth(
                [
                    [0, side * 0.03, -0.05],
                    [-0.02, side * 0.06, -0.25],
                    [-0.2, side * 0.1, -rng.uniform(0.35, 0.45)],
                ],
                7,
            )
            parts.append(Part(tube(claw, np.linspace(0.075, 0.025, 7)), SECOND))
    elif kind == 1:
        parts.append(Part(box(0.18, 0.16, reach, top=(0.15, 1.2)).turned(x=np.pi).moved(z=-0.05), SECOND))
    else:
        parts.append(Part(cylinder(radius * 0.75, reach, 1.3, 14).turned(x=np.pi).moved(z=-0.05), SECOND))
    return [Part(part.mesh.turned(x=np.pi / 2), part.finish) for part in parts]


def flashlight(rng: np.random.Generator) -> list[Part]:
    """A cylinder that widens to a head with a lens."""
    length, radius = rng.uniform(1.0, 1.7), rng.uniform(0.12, 0.2)
    head, reach = radius * rng.uniform(1.4, 2.1), rng.uniform(0.25, 0.5)
    profile = [
        [0, -length],
        [radius * 0.9, -length],
        [radius, -length + 0.05],
        [radius, 0],
        [head, reach * 0.6],
        [head, reach],
        [head * 0.85, reach],
        [head * 0.8, reach - 0.06],
        [0, reach - 0.06],
    ]
    lens = ellipsoid(head * 0.8, head * 0.8, 0.06, 14).moved(z=reach - 0.05)
    parts = [
        Part(lathe(profile)),
        Part(lens, DETAIL),
        Part(soft_box(0.06, 0.1, 0.2, 0.02).moved(radius, 0, -length * rng.uniform(0.2, 0.4)), DETAIL),
    ]
    for at in np.linspace(-length * 0.85, -length * 0.45, int(rng.integers(0, 5))):
        parts.append(Part(cylinder(radius * 1.08, 0.05).moved(z=at), SECOND))
    return [Part(part.mesh.turned(y=np.pi / 2), part.finish) for part in parts]


def dumbbell(rng: np.random.Generator) -> list[Part]:
    """A bar with a weight at each end: discs, hexagons or balls."""
    length, kind = rng.uniform(0.6, 1.1), rng.integers(3)
    radius, weight = rng.uniform(0.28, 0.48), rng.uniform(0.2, 0.4)
    parts = [Part(bar((0, -length / 2 - 0.1, 0), (0, length / 2 + 0.1, 0), rng.uniform(0.06, 0.1)), SECOND)]
    discs_n = int(rng.integers(1, 4)) if kind == 0 else 1
    for side in (-1, 1):
        for index in range(discs_n):
            if kind == 2:
                piece = ellipsoid(radius, radius, radius)
            else:
                size = radius * (1 - 0.2 * index)
                piece = lathe(
                    [[0, 0], [size, 0], [size, weight / discs_n * 0.92], [0, weight / discs_n * 0.92]],
                    6 if kind == 1 else 24,
                )
            turned = piece.turned(x=-side * np.pi / 2)
            parts.append(
                Part(
                    turned.moved(y=side * (length / 2 + index * weight / discs_n)),
                    MAIN if index % 2 == 0 else DETAIL,
                )
            )
    return parts


def umbrella(rng: np.random.Generator) -> list[Part]:
    """An open canopy of six to ten panels on a stick with a crook or a knob."""
    panels_n, radius, height = int(rng.integers(6, 11)), rng.uniform(0.75, 1.0), rng.uniform(0.3, 0.6)
    angle = np.linspace(0.04, rng.uniform(1.2, 1.5), 7)
    outside = np.column_stack(
        [np.sin(angle) / np.sin(angle[-1]) * radius, np.cos(angle) / np.cos(angle[0]) * height]
    )
    canopy = lathe(np.concatenate([(outside - [0, 0.04]), outside[::-1]]), panels_n)
    stick = rng.uniform(1.0, 1.4)
    parts = [Part(canopy), Part(bar((0, 0, height - stick), (0, 0, height + 0.15), 0.03), SECOND)]
    if rng.random() < 0.7:
        crook = arc(0.12, 0, -np.pi, 9)
        parts.append(
            Part(
                tube(np.column_stack([crook[:, 0] - 0.12, np.zeros(9), crook[:, 1] + height - stick]), 0.045),
                DETAIL,
            )
        )
    else:
        parts.append(Part(ellipsoid(0.08, 0.08, 0.14, 12).moved(z=height - stick), DETAIL))
    return parts


def guitar(rng: np.random.Generator) -> list[Part]:
    """A body with a waist, a long neck with a head, strings over a sound hole; it stands upright."""
    # Half an outline from the heel to the neck: lower bout, waist, upper bout.
    low, waist, high = rng.uniform(0.46, 0.56), rng.uniform(0.26, 0.36), rng.uniform(0.34, 0.42)
    half = smooth(
        [
            [-0.68, 0.08],
            [-0.6, low * 0.75],
            [-0.36, low],
            [0.02, waist],
            [0.32, high],
            [0.5, high * 0.7],
            [0.55, 0.08],
        ],
        18,
    )
    outline = np.concatenate([half[::-1], half * [1, -1]])
    thick, neck = rng.uniform(0.12, 0.26), rng.uniform(0.9, 1.2)
    rings = [np.column_stack([outline, np.full(len(outline), z)]) for z in (0.0, thick)]
    end = float(outline[:, 0].max())
    parts = [
        Part(loft(rings)),
        Part(box(neck + 0.35, 0.13, 0.07).moved(end + neck / 2 - 0.15, 0, thick - 0.02), SECOND),
    ]
    parts.append(Part(box(0.28, 0.2, 0.06, top=(1, 1)).moved(end + neck + 0.14, 0, thick - 0.04), SECOND))
    if rng.random() < 0.7:
        parts.append(Part(cylinder(rng.uniform(0.12, 0.16), 0.012).moved(0.12, 0, thick), DETAIL))
    parts.append(Part(box(0.06, 0.3, 0.04).moved(-0.32, 0, thick), DETAIL))
    for y in np.linspace(-0.045, 0.045, 4):
        parts.append(
            Part(bar((-0.3, y, thick + 0.05), (end + neck + 0.1, y, thick + 0.06), 0.008, around_n=4), DETAIL)
        )
    for x in (0.06, 0.14, 0.22):
        parts.append(
            Part(bar((end + neck + x, -0.16, thick), (end + neck + x, 0.16, thick), 0.02, around_n=6), DETAIL)
        )
    return [Part(part.mesh.turned(y=-np.pi / 2), part.finish) for part in parts]
