"""Animals, the head towards +x: dog, elephant, duck, fish."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, SECOND, Part
from handsight.worlds.objects.shapes import bar, box, cylinder, ellipsoid, extrude, smooth, tube


def _animal_legs(rng: np.random.Generator, x: float, y: float, height: float, radius: float) -> list[Part]:
    """Return four legs that reach the ground from `height`, each put a little forward or back."""
    return [
        Part(bar((a * x + rng.uniform(-0.1, 0.1), b * y, 0), (a * x, b * y, height), radius * 0.75, radius))
        for a in (-1, 1)
        for b in (-1, 1)
    ]


def _eyes(x: float, y: float, z: float, radius: float) -> list[Part]:
    return [Part(ellipsoid(radius, radius, radius, 8).moved(x, side * y, z), DETAIL) for side in (-1, 1)]


def dog(rng: np.random.Generator) -> list[Part]:
    """A long body on four thin legs, a head with a muzzle, ears up or hanging, a tail."""
    length, thick, leg = rng.uniform(0.45, 0.75), rng.uniform(0.2, 0.28), rng.uniform(0.35, 0.7)
    high = leg + thick * 0.7
    parts = [
        Part(ellipsoid(length, thick, thick).moved(z=high)),
        *_animal_legs(rng, length * 0.68, thick * 0.55, high, 0.075),
    ]
    neck = np.array([length * 0.8, 0, high + 0.08])
    head = neck + np.array([rng.uniform(0.15, 0.3), 0, rng.uniform(0.25, 0.45)])
    parts += [
        Part(bar(tuple(neck), tuple(head), 0.15, 0.12)),
        Part(ellipsoid(0.22, 0.17, 0.17, 14).moved(*head)),
    ]
    muzzle = rng.uniform(0.18, 0.36)
    parts.append(Part(ellipsoid(muzzle, 0.1, 0.09, 12).moved(head[0] + 0.18, 0, head[2] - 0.05)))
    parts.append(
        Part(ellipsoid(0.05, 0.05, 0.04, 8).moved(head[0] + 0.18 + muzzle, 0, head[2] - 0.02), DETAIL)
    )
    upright = rng.random() < 0.5
    for side in (-1, 1):
        ear = ellipsoid(0.07, 0.04, rng.uniform(0.14, 0.22), 10).turned(
            x=-side * 0.3 if upright else -side * 2.6
        )
        parts.append(
            Part(
                ear.moved(
                    head[0] - 0.06, side * (0.1 if upright else 0.18), head[2] + (0.2 if upright else 0.02)
                ),
                SECOND,
            )
        )
    tail = smooth(
        [
            [-length * 0.9, 0, high + 0.05],
            [-length - 0.15, 0, high + 0.15],
            [-length - rng.uniform(0.0, 0.35), 0, high + rng.uniform(0.2, 0.5)],
        ],
        8,
    )
    return [
        *parts,
        Part(tube(tail, np.linspace(0.06, 0.03, 8))),
        *_eyes(head[0] + 0.15, 0.1, head[2] + 0.07, 0.035),
    ]


def elephant(rng: np.random.Generator) -> list[Part]:
    """A heavy body on four thick legs, big ears, a trunk, mostly tusks."""
    length, thick, leg = rng.uniform(0.6, 0.75), rng.uniform(0.38, 0.48), rng.uniform(0.35, 0.5)
    high = leg + thick * 0.75
    parts = [
        Part(ellipsoid(length, thick, thick).moved(z=high)),
        *_animal_legs(rng, length * 0.6, thick * 0.55, high, rng.uniform(0.14, 0.18)),
    ]
    head = np.array([length + 0.12, 0, high + rng.uniform(0.1, 0.3)])
    parts.append(Part(ellipsoid(0.3, 0.28, 0.32).moved(*head)))
    curl = rng.uniform(-0.15, 0.6)
    end = [0.5 + abs(curl) * 0.4, 0, -0.75 + max(curl, 0)]
    trunk = smooth([[0.2, 0, 0], [0.4, 0, -0.25], [0.42, 0, -0.6], end], 12)
    parts.append(Part(tube(head + trunk, np.linspace(0.13, 0.06, 12))))
    size = rng.uniform(0.3, 0.44)
    for side in (-1, 1):
        ear = ellipsoid(0.05, size, size * rng.uniform(1.0, 1.2), 16).turned(z=-side * 0.6)
        parts.append(Part(ear.moved(head[0] - 0.16, side * (0.22 + size * 0.7), head[2] + 0.03), SECOND))
        if rng.random() < 0.8:
            bend = np.array([[0.2, 0.13, -0.15], [0.42, 0.17, -0.3], [0.6, 0.17, -0.25]])
            tusk = smooth(bend * [1, side, 1], 7)
            parts.append(Part(tube(head + tusk, np.linspace(0.05, 0.015, 7)), DETAIL))
    tail = bar((-length * 0.95, 0, high + 0.1), (-length - 0.12, 0, high - 0.35), 0.035)
    return [*parts, Part(tail), *_eyes(head[0] + 0.22, 0.19, head[2] + 0.1, 0.035)]


def duck(rng: np.random.Generator) -> list[Part]:
    """A bird afloat or on two legs: plump body, round head on a neck, flat bill, folded wings."""
    length, thick = rng.uniform(0.6, 0.75), rng.uniform(0.32, 0.42)
    parts = [Part(ellipsoid(length, thick, thick * 0.85).moved(z=0.3))]
    rise = rng.uniform(0.3, 0.7)
    head = np.array([length * rng.uniform(0.75, 0.95), 0, 0.45 + rise])
    neck = smooth([[length * 0.55, 0, 0.4], [length * 0.8, 0, 0.4 + rise * 0.5], head], 7)
    parts += [
        Part(tube(neck, np.linspace(0.22, 0.13, 7), 12)),
        Part(ellipsoid(0.22, 0.2, 0.2, 14).moved(*head)),
    ]
    parts.append(
        Part(
            ellipsoid(rng.uniform(0.16, 0.26), 0.12, 0.05, 12).moved(head[0] + 0.25, 0, head[2] - 0.04),
            DETAIL,
        )
    )
    tail = (
        cylinder(0.2, 0.4, 0.05, 12)
        .scaled(x=0.4)
        .turned(y=-rng.uniform(0.8, 1.3))
        .moved(-length * 0.8, 0, 0.38)
    )
    parts.append(Part(tail))
    for side in (-1, 1):
        wing = (
            ellipsoid(length * 0.6, 0.07, thick * 0.55, 14)
            .turned(x=-side * 0.3, y=0.15)
            .moved(-0.1, side * thick * 0.88, 0.38)
        )
        parts.append(Part(wing, SECOND))
    parts += _eyes(head[0] + 0.13, 0.15, head[2] + 0.06, 0.035)
    if rng.random() < 0.4:
        for side in (-1, 1):
            parts.append(Part(bar((0, side * 0.15, 0.1), (0, side * 0.15, -0.3), 0.04), DETAIL))
            parts.append(Part(box(0.28, 0.2, 0.04, top=(0.9, 0.9)).moved(0.08, side * 0.15, -0.34), DETAIL))
    return parts


def fish(rng: np.random.Generator) -> list[Part]:
    """A body flat from side to side, a tail fin, fins above and at the sides."""
    length, high = 0.8, rng.uniform(0.25, 0.5)
    thick = high * rng.uniform(0.35, 0.6)
    parts = [Part(ellipsoid(length, thick, high, 18)), *_eyes(length * 0.68, thick * 0.62, high * 0.25, 0.06)]
    spread, fork = rng.uniform(0.28, 0.5), rng.uniform(0.0, 0.25)
    tail = [
        [-length * 0.85, 0.06],
        [-length - 0.4, spread],
        [-length - 0.4 + fork, 0],
        [-length - 0.4, -spread],
        [-length * 0.85, -0.06],
    ]
    parts.append(Part(extrude(tail, 0.04), SECOND))
    back = [[0.35, high * 0.8], [-0.2, high + rng.uniform(0.12, 0.35)], [-0.5, high * 0.6]]
    parts.append(Part(extrude(back, 0.04), SECOND))
    if rng.random() < 0.6:
        parts.append(
            Part(
                extrude([[-0.05, -high * 0.9], [-0.35, -high - 0.15], [-0.4, -high * 0.7]][::-1], 0.04),
                SECOND,
            )
        )
    for side in (-1, 1):
        fin = (
            ellipsoid(0.2, 0.03, 0.1, 10)
            .turned(z=-side * 0.6)
            .moved(0.1, side * (thick + 0.06), -high * 0.25)
        )
        parts.append(Part(fin, SECOND))
    return parts
