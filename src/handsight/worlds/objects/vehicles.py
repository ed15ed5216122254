"""Vehicles on wheels, the front towards +x: car, truck, bus, bicycle."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import (
    arc,
    bar,
    box,
    ellipsoid,
    extrude,
    hoop,
    lathe,
    smooth,
    tube,
    wheel,
)


def _wheels(at_x: list[float], half_width: float, radius: float, width: float) -> list[Part]:
    """Return wheels on the ground at both sides, an axle at each x."""
    return [
        Part(wheel(radius, width).moved(x, side * half_width, radius), DETAIL)
        for x in at_x
        for side in (-1, 1)
    ]


def _lights(x: float, y: float, z: float, radius: float) -> list[Part]:
    """Return two headlights at the front."""
    return [
        Part(ellipsoid(radius * 0.5, radius, radius, 10).moved(x, side * y, z), SECOND) for side in (-1, 1)
    ]


def car(rng: np.random.Generator) -> list[Part]:
    """A saloon, estate or coupé: a low body with a bonnet, a narrower cabin, four wheels."""
    length, width, body = rng.uniform(1.9, 2.3), rng.uniform(0.8, 0.95), rng.uniform(0.28, 0.36)
    radius = rng.uniform(0.17, 0.23)
    floor, cabin = radius * 0.8, rng.uniform(0.26, 0.36)
    front, back = length / 2, -length / 2
    nose, tail = rng.uniform(0.65, 0.9) * body, rng.uniform(0.8, 1.0) * body
    hull = [
        [back, 0.05],
        [back + 0.08, 0],
        [front - 0.1, 0],
        [front, 0.08],
        [front - 0.02, nose],
        [0.35, body],
        [-0.5, body],
        [back + 0.02, tail],
    ]
    bonnet, slope, rear = rng.uniform(0.3, 0.5), rng.uniform(0.2, 0.4), rng.uniform(0.05, 0.5)
    boot = rng.choice([rng.uniform(0.05, 0.12), rng.uniform(0.3, 0.5)])
    glass = [
        [back + boot, 0],
        [front - bonnet * 1.1, 0],
        [front - bonnet * 1.1 - slope, cabin],
        [back + boot + rear, cabin],
    ]
    parts = [
        Part(extrude(hull, width, 0.94).moved(z=floor)),
        Part(extrude(glass, width * 0.9, 0.78).moved(z=floor + body - 0.02), SECOND),
    ]
    roof = box(glass[2][0] - glass[3][0] + 0.04, width * 0.72, 0.04).moved(
        (glass[2][0] + glass[3][0]) / 2, 0, floor + body + cabin - 0.02
    )
    parts += [Part(roof), *_lights(front - 0.01, width * 0.33, floor + nose * 0.7, 0.06)]
    if rng.random() < 0.2:
        parts.append(Part(box(0.15, width * 0.9, 0.03).moved(back + 0.08, 0, floor + body + 0.12), MAIN))
        parts.append(Part(box(0.05, width * 0.6, 0.14).moved(back + 0.08, 0, floor + body - 0.02), MAIN))
    return parts + _wheels([front - length * 0.2, back + length * 0.2], width * 0.47, radius, 0.15)


def truck(rng: np.random.Generator) -> list[Part]:
    """A cab in front of a separate load: a box, an open bed or a tank."""
    width, radius = rng.uniform(0.75, 0.9), rng.uniform(0.16, 0.21)
    floor, cab, high = radius * 1.5, rng.uniform(0.45, 0.65), rng.uniform(0.65, 0.85)
    length, slope = rng.uniform(1.1, 1.8), rng.uniform(0.02, 0.2)
    nose = rng.choice([0, rng.uniform(0.25, 0.35)])
    front, back = length / 2 + cab, length / 2
    side = [[back, 0], [front, 0], [front, high * 0.45], [front - slope, high], [back, high]]
    pane = box(0.05, width * 0.84, high * 0.36).turned(y=-slope)
    parts = [
        Part(box(length + cab * 0.9, width * 0.6, 0.12).moved(cab * 0.45, 0, floor - 0.12), DETAIL),
        Part(extrude(side, width).moved(z=floor)),
        Part(pane.moved(front - slope * 0.6, 0, floor + high * 0.52), SECOND),
        *_lights(front + nose, width * 0.3, floor + 0.14, 0.06),
    ]
    if nose:
        bonnet = box(nose, width * 0.8, high * 0.5, top=(0.9, 0.85))
        parts.append(Part(bonnet.moved(front + nose / 2, 0, floor)))
    parts += [Part(mesh.moved(-0.04, 0, floor), finish) for mesh, finish in _load(rng, length, width)]
    axles = [front - 0.2, 0.3 - length / 2]
    if rng.random() < 0.5:
        axles.append(axles[-1] + 2.3 * radius)
    return parts + _wheels(axles, width * 0.46, radius, 0.16)


def _load(rng: np.random.Generator, length: float, width: float) -> list[Part]:
    """Return what a truck carries, standing on z = 0: a box, an open bed (empty or heaped) or a tank."""
    kind = rng.integers(3)
    if kind == 0:
        return [Part(box(length, width * 1.08, rng.uniform(0.8, 1.05)), SECOND)]
    if kind == 1:
        high = rng.uniform(0.18, 0.35)
        parts = [Part(box(length, width * 1.05, 0.07), SECOND)]
        for side in (-1, 1):
            parts.append(Part(box(length, 0.05, high).moved(0, side * width * 0.5), SECOND))
            parts.append(Part(box(0.05, width, high).moved(side * length / 2), SECOND))
        if rng.random() < 0.5:
            parts.append(Part(ellipsoid(length * 0.42, width * 0.42, 0.3).moved(z=high * 0.8), DETAIL))
        return parts
    end = np.array([[0, 0], [0.34, 0.05], [0.38, 0.15]])
    tank = lathe([*end, *(end[::-1] * [1, -1] + [0, length])])
    return [Part(tank.turned(y=np.pi / 2).moved(-length / 2, 0, 0.36), SECOND)]


def bus(rng: np.random.Generator) -> list[Part]:
    """One long box with a row of windows, one deck or two."""
    length, width, radius = rng.uniform(2.1, 3.0), rng.uniform(0.68, 0.82), rng.uniform(0.14, 0.18)
    decks_n = 2 if rng.random() < 0.3 else 1
    deck = rng.uniform(0.62, 0.78)
    height, floor = deck * (1 if decks_n == 1 else 1.75), radius * 0.8
    slope = rng.uniform(0.0, 0.15)
    side = [
        [-length / 2, 0],
        [length / 2, 0],
        [length / 2 - 0.02, height * 0.5],
        [length / 2 - slope, height],
        [-length / 2 + 0.03, height],
    ]
    parts = [Part(extrude(side, width, 0.95).moved(z=floor))]
    windows_n = int(rng.integers(4, 8))
    step = length * 0.84 / windows_n
    for level in range(decks_n):
        low = floor + deck * (0.45 + 0.78 * level)
        for index in range(windows_n):
            pane = box(step * 0.8, width * 1.02, deck * 0.35)
            parts.append(Part(pane.moved(-length * 0.42 + (index + 0.5) * step, 0, low), SECOND))
        parts.append(
            Part(box(0.05, width * 0.82, deck * 0.36).moved(length / 2 - slope * 0.5, 0, low), SECOND)
        )
    if rng.random() < 0.4:
        parts.append(
            Part(
                box(length * 0.25, width * 0.6, 0.1).moved(rng.uniform(-0.3, 0.2), 0, floor + height - 0.01),
                DETAIL,
            )
        )
    parts += _lights(length / 2, width * 0.35, floor + 0.12, 0.05)
    return parts + _wheels(
        [length * rng.uniform(0.28, 0.36), -length * rng.uniform(0.25, 0.33)], width * 0.46, radius, 0.13
    )


def bicycle(rng: np.random.Generator) -> list[Part]:
    """Two spoked wheels, a frame of tubes, a saddle and a handlebar."""
    radius, base, tube_radius = rng.uniform(0.38, 0.46), rng.uniform(1.1, 1.3), rng.uniform(0.03, 0.045)
    parts = []
    for x in (-base / 2, base / 2):
        parts.append(
            Part(
                hoop(radius - 0.03, rng.uniform(0.03, 0.05), 28, 6).turned(x=np.pi / 2).moved(x, 0, radius),
                DETAIL,
            )
        )
        for angle in arc(radius, 0, 2 * np.pi, 7)[:-1]:
            parts.append(
                Part(bar((x, 0, radius), (x + angle[0], 0, radius + angle[1]), 0.012, around_n=4), SECOND)
            )
    above = np.array([0, 0, 0.1])
    rear, hub = np.array([-base / 2, 0, radius]), np.array([base / 2, 0, radius])
    crank = np.array([-0.08, 0, radius - 0.05])
    seat = np.array([-0.25, 0, radius + rng.uniform(0.4, 0.55)])
    head = np.array([base / 2 - rng.uniform(0.15, 0.25), 0, radius + rng.uniform(0.4, 0.55)])
    top = head if rng.random() < 0.7 else (head + hub) / 2 + 0.8 * above
    for start, end in (
        (rear, crank),
        (rear, seat),
        (crank, seat + 1.2 * above),
        (seat, top),
        (crank, head - above),
        (hub, head + 1.2 * above),
    ):
        parts.append(Part(bar(tuple(start), tuple(end), tube_radius)))
    parts.append(Part(ellipsoid(0.17, 0.08, 0.045, 10).moved(*(seat + 1.5 * above)), SECOND))
    bow = (
        smooth([[-0.1, -0.32, 0.02], [0.03, -0.2, 0.05], [0.03, 0.2, 0.05], [-0.1, 0.32, 0.02]], 9)
        if rng.random() < 0.6
        else np.array([[0, -0.3, 0], [0, 0.3, 0.0]])
    )
    parts.append(Part(tube(bow + head + 1.2 * above, 0.03), SECOND))
    parts.append(Part(hoop(0.1, 0.02, 12, 6).turned(x=np.pi / 2).moved(*crank), DETAIL))
    for side in (-1, 1):
        parts.append(
            Part(
                box(0.14, 0.1, 0.03).moved(crank[0] + side * 0.15, side * 0.1, crank[2] - side * 0.1), DETAIL
            )
        )
        parts.append(
            Part(
                bar(tuple(crank), (crank[0] + side * 0.15, side * 0.06, crank[2] - side * 0.1), 0.02), DETAIL
            )
        )
    return parts
