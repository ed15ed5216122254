"""What is found in a garden: banana, apple, mushroom, tree, cactus, house."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, SECOND, Part
from handsight.worlds.objects.shapes import (
    Mesh,
    arc,
    bar,
    box,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    smooth,
    tube,
)


def banana(rng: np.random.Generator) -> list[Part]:
    """A bent body that tapers to a stalk, or a hand of two or three."""
    radius, bend = rng.uniform(0.14, 0.22), rng.uniform(1.2, 2.1)
    along = np.linspace(0, 1, 14)
    bow = arc(1.6 / bend, -bend / 2, bend / 2, 14)
    line = np.column_stack([bow[:, 1], np.zeros(14), -bow[:, 0]])
    size = radius * np.interp(along, [0, 0.08, 0.25, 0.75, 0.92, 1], [0.3, 0.4, 0.95, 1, 0.5, 0.25])
    body = tube(line, size, int(rng.choice([5, 6, 12])))
    ends = [
        ellipsoid(0.06, 0.05, 0.05, 8).moved(*line[0]),
        bar(tuple(line[-1]), tuple(line[-1] + (line[-1] - line[-2]) * 1.2), 0.05, 0.04),
    ]
    one = [Part(body), *(Part(end, DETAIL) for end in ends)]
    hand_n = int(rng.choice([1, 1, 2, 3]))
    middle = line[-1]
    parts = []
    for index in range(hand_n):
        for part in one:
            spread = part.mesh.moved(*-middle).turned(z=(index - (hand_n - 1) / 2) * 0.3).moved(*middle)
            parts.append(Part(spread, part.finish))
    return parts


def apple(rng: np.random.Generator) -> list[Part]:
    """A round fruit with a dent, a stalk and often a leaf; apple to pear in outline."""
    tall, shoulder = rng.uniform(0.75, 1.35), rng.uniform(0.55, 1.0)
    outline = [
        [0.12, 0.06],
        [0.35, 0.0],
        [0.6, 0.25 * tall],
        [0.62, 0.6 * tall],
        [0.6 * shoulder, 0.95 * tall],
        [0.3 * shoulder, 1.1 * tall],
        [0.06, 0.98 * tall],
    ]
    parts = [Part(lathe([[0, 0.1], *smooth(outline, 14), [0, 0.95 * tall]]))]
    stalk = smooth(
        [[0, 0, 0.95 * tall], [0.02, 0, 1.15 * tall], [rng.uniform(-0.15, 0.15), 0, 1.2 * tall + 0.12]], 6
    )
    parts.append(Part(tube(stalk, 0.03), DETAIL))
    if rng.random() < 0.6:
        leaf = (
            ellipsoid(0.2, 0.09, 0.02, 12)
            .moved(0.18)
            .turned(y=-rng.uniform(0.1, 0.7), z=rng.uniform(0, 6))
            .moved(z=1.12 * tall)
        )
        parts.append(Part(leaf, SECOND))
    return parts


def mushroom(rng: np.random.Generator) -> list[Part]:
    """A cap on a stalk, sometimes with a ring or dots."""
    wide, high, stalk = rng.uniform(0.5, 0.75), rng.uniform(0.25, 0.6), rng.uniform(0.45, 0.9)
    angle = np.linspace(0, np.pi / 2, 8)
    cap = lathe(
        [[0.1, 0.08], [wide * 0.85, -0.02], *np.column_stack([wide * np.cos(angle), high * np.sin(angle)])]
    )
    thick = rng.uniform(0.12, 0.22)
    stem = lathe(
        [
            [0, 0],
            *smooth([[thick * rng.uniform(1, 1.5), 0], [thick, stalk * 0.5], [thick * 0.9, stalk + 0.1]], 6),
            [0, stalk + 0.1],
        ]
    )
    parts = [Part(cap.moved(z=stalk)), Part(stem, SECOND)]
    if rng.random() < 0.4:
        parts.append(Part(cylinder(thick * 1.5, 0.05, 0.7).moved(z=stalk * 0.7), SECOND))
    for _ in range(int(rng.choice([0, 5, 9]))):
        around, up = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.4)
        spot = [wide * np.cos(up) * np.cos(around), wide * np.cos(up) * np.sin(around), high * np.sin(up)]
        parts.append(Part(ellipsoid(0.08, 0.08, 0.06, 8).moved(*spot).moved(z=stalk), DETAIL))
    return parts


def _crown(rng: np.random.Generator, radius: float) -> Mesh:
    """Return a ball with a bumpy surface."""
    ball = ellipsoid(radius, radius * rng.uniform(0.8, 1), radius * rng.uniform(0.7, 1.1), 14)
    bumps = 1 + 0.04 * np.sin(ball.vertices @ rng.normal(0, 3 / radius, (3, 3))).sum(1, keepdims=True)
    return Mesh(ball.vertices * bumps, ball.faces)


def tree(rng: np.random.Generator) -> list[Part]:
    """A trunk under a round crown of several balls, under stacked cones, or under palm leaves."""
    height, kind = rng.uniform(0.5, 1.1), rng.integers(3)
    trunk = tube(
        smooth(
            [
                [0, 0, 0],
                [rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), height * 0.6],
                [0, 0, height + 0.15],
            ],
            7,
        ),
        np.linspace(0.13, 0.08, 7),
    )
    parts = [Part(trunk, SECOND)]
    if kind == 0:
        parts.append(Part(_crown(rng, 0.45).moved(z=height + 0.35)))
        for angle in np.arange(int(rng.integers(2, 6))) * 2.4:
            lump = _crown(rng, rng.uniform(0.25, 0.36))
            parts.append(
                Part(lump.moved(0.36 * np.cos(angle), 0.36 * np.sin(angle), height + rng.uniform(0.1, 0.5)))
            )
    elif kind == 1:
        layers_n, wide = int(rng.integers(2, 5)), rng.uniform(0.45, 0.6)
        for layer in range(layers_n):
            size = wide * (1 - 0.75 * layer / layers_n)
            parts.append(Part(cylinder(size, 0.55, 0.05, 16).moved(z=height * 0.6 + layer * 0.33)))
    else:
        leaves_n, droop = int(rng.integers(6, 10)), rng.uniform(0.2, 0.55)
        for angle in np.arange(leaves_n) * 2 * np.pi / leaves_n:
            line = smooth([[0, 0, 0.1], [0.35, 0, 0.25], [0.75, 0, 0.2 - droop]], 8)
            leaf = tube(line, [0.03, 0.08, 0.12, 0.13, 0.12, 0.1, 0.07, 0.02], 6, flatness=0.2)
            parts.append(Part(leaf.turned(z=angle).moved(z=height)))
    return parts


def cactus(rng: np.random.Generator) -> list[Part]:
    """A ribbed column with arms bent upwards, in a pot or bare."""
    height, radius, ribs_n = rng.uniform(1.0, 1.5), rng.uniform(0.16, 0.24), int(rng.choice([5, 6, 8]))
    angle = np.linspace(0, np.pi / 2, 5)
    top = np.column_stack([radius * np.cos(angle), height + radius * np.sin(angle)])
    column = lathe([[0, 0], [radius * 0.9, 0], *top], 2 * ribs_n)
    spread = 1 - 0.18 * (np.arange(len(column.vertices)) % (2 * ribs_n) % 2 == 0)
    parts = [
        Part(Mesh(column.vertices * np.column_stack([spread, spread, np.ones_like(spread)]), column.faces))
    ]
    for index in range(int(rng.integers(1, 4))):
        low, reach = rng.uniform(0.3, 0.6) * height, radius + rng.uniform(0.22, 0.32)
        rise = rng.uniform(0.3, 0.6)
        line = np.array(
            [
                [0.05, 0, low],
                [reach * 0.8, 0, low + 0.02],
                [reach, 0, low + 0.12],
                [reach, 0, low + rise],
                [reach, 0, low + rise + 0.08],
            ]
        )
        arm = tube(line, [0.11, 0.11, 0.11, 0.1, 0.04], ribs_n + 2)
        parts.append(Part(arm.turned(z=index * np.pi + rng.uniform(-0.4, 0.4))))
    if rng.random() < 0.55:
        parts.append(
            Part(
                lathe([[0, -0.35], [0.24, -0.35], [0.36, 0.08], [0.32, 0.08], [0.3, 0.02], [0, 0.02]]), SECOND
            )
        )
    if rng.random() < 0.4:
        parts.append(Part(ellipsoid(0.1, 0.1, 0.08, 8).moved(z=height + radius), DETAIL))
    return parts


def house(rng: np.random.Generator) -> list[Part]:
    """Walls under a pitched or hipped roof, with a door, windows and mostly a chimney."""
    x, y, height = rng.uniform(0.8, 1.1), rng.uniform(0.9, 1.5), rng.uniform(0.5, 1.1)
    roof, over = rng.uniform(0.35, 0.7), rng.uniform(0.05, 0.14)
    parts = [Part(box(x, y, height))]
    if rng.random() < 0.65:
        parts.append(
            Part(
                extrude([[-x / 2 - over, -0.03], [x / 2 + over, -0.03], [0, roof]], y + 2 * over).moved(
                    z=height
                ),
                SECOND,
            )
        )
        parts.append(
            Part(extrude([[-x / 2, 0], [x / 2, 0], [0, roof * 0.8]], y + 2 * over + 0.01).moved(z=height))
        )
    else:
        parts.append(
            Part(
                box(x + 2 * over, y + 2 * over, roof, top=(0.08, rng.uniform(0.1, 0.6))).moved(z=height),
                SECOND,
            )
        )
    if rng.random() < 0.7:
        parts.append(
            Part(box(0.15, 0.15, roof * 1.05).moved(-x * 0.2, y * rng.choice([-0.25, 0.25]), height))
        )
    door = rng.uniform(-0.25, 0.25) * y
    parts.append(Part(box(0.04, 0.2, 0.4).moved(x / 2, door), DETAIL))
    floors_n = 2 if height > 0.85 else 1
    for floor in range(floors_n):
        for place in np.linspace(-0.36, 0.36, int(rng.integers(2, 4))) * y:
            pane = box(x + 0.04, 0.17, 0.18)
            if floor or abs(place - door) > 0.2:
                parts.append(Part(pane.moved(0, place, 0.24 + floor * 0.42), DETAIL))
        parts.append(Part(box(0.2, y + 0.04, 0.18).moved(0, 0, 0.24 + floor * 0.42), DETAIL))
    return parts
