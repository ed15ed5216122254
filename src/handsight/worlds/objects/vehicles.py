"""Vehicles, the front towards +x: car, truck, bus, aeroplane, boat, bicycle."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import (
    Mesh,
    arc,
    bar,
    box,
    cylinder,
    ellipsoid,
    extrude,
    hoop,
    lathe,
    loft,
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
    floor, cab_length, cab_height = radius * 1.5, rng.uniform(0.45, 0.65), rng.uniform(0.65, 0.85)
    load_length = rng.uniform(1.1, 1.8)
    front = load_length / 2 + cab_length
    slope = rng.uniform(0.02, 0.2)
    nose = rng.choice([0, rng.uniform(0.25, 0.35)])
    cab = [
        [front - cab_length, 0],
        [front, 0],
        [front, cab_height * 0.45],
        [front - slope, cab_height],
        [front - cab_length, cab_height],
    ]
    parts = [
        Part(
            box(load_length + cab_length * 0.9, width * 0.6, 0.12).moved(cab_length * 0.45, 0, floor - 0.12),
            DETAIL,
        )
    ]
    parts.append(Part(extrude(cab, width).moved(z=floor)))
    parts.append(
        Part(
            box(0.05, width * 0.84, cab_height * 0.36)
            .turned(y=-slope)
            .moved(front - slope * 0.6, 0, floor + cab_height * 0.52),
            SECOND,
        )
    )
    if nose:
        parts.append(
            Part(box(nose, width * 0.8, cab_height * 0.5, top=(0.9, 0.85)).moved(front + nose / 2, 0, floor))
        )
    parts += _lights(front + nose, width * 0.3, floor + 0.14, 0.06)
    middle = -0.04
    kind = rng.integers(3)
    if kind == 0:
        parts.append(
            Part(box(load_length, width * 1.08, rng.uniform(0.8, 1.05)).moved(middle, 0, floor), SECOND)
        )
    elif kind == 1:
        side = rng.uniform(0.18, 0.35)
        parts.append(Part(box(load_length, width * 1.05, 0.07).moved(middle, 0, floor), SECOND))
        parts += [
            Part(box(load_length, 0.05, side).moved(middle, s * width * 0.5, floor), SECOND) for s in (-1, 1)
        ]
        parts += [
            Part(box(0.05, width, side).moved(middle + s * load_length / 2, 0, floor), SECOND)
            for s in (-1, 1)
        ]
        if rng.random() < 0.5:
            parts.append(
                Part(
                    ellipsoid(load_length * 0.42, width * 0.42, 0.3).moved(middle, 0, floor + side * 0.8),
                    DETAIL,
                )
            )
    else:
        tank = lathe(
            [
                [0, 0],
                [0.34, 0.05],
                [0.38, 0.15],
                [0.38, load_length - 0.15],
                [0.34, load_length - 0.05],
                [0, load_length],
            ]
        )
        parts.append(Part(tank.turned(y=np.pi / 2).moved(middle - load_length / 2, 0, floor + 0.36), SECOND))
    axles = [front - 0.2, -load_length / 2 + 0.3] + (
        [-load_length / 2 + 0.3 + 2.3 * radius] if rng.random() < 0.5 else []
    )
    return parts + _wheels(axles, width * 0.46, radius, 0.16)


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


def _wing(span: float, root: float, tip: float, sweep: float, rise: float, thickness: float) -> Mesh:
    """Return one wing from the origin out along +y: chords `root` and `tip`, its tip swept back and risen."""
    outline = np.array([[0.5, 0], [0.15, 0.5], [-0.5, 0], [0.15, -0.5]])
    rings = []
    for chord, along, back, up in ((root, 0.0, 0.0, 0.0), (tip, span, sweep, rise)):
        ring = outline * [chord, thickness * chord / root]
        rings.append(np.column_stack([ring[:, 0] - back, np.full(4, along), ring[:, 1] + up]))
    return loft(np.asarray(rings)[:, ::-1])


def aeroplane(rng: np.random.Generator) -> list[Part]:
    """A fuselage with two wings, tailplane and fin; jets under the wings or a propeller."""
    length, radius = rng.uniform(1.9, 2.4), rng.uniform(0.12, 0.19)
    middle = rng.uniform(0.25, 0.5)
    along = np.array([0, 0.06, 0.2, middle, 0.75, 1.0]) * length
    body = (
        lathe(np.column_stack([radius * np.array([0.05, 0.55, 1, 1, 0.8, 0.15]), along]), 18)
        .turned(y=-np.pi / 2)
        .moved(length / 2)
    )
    span, sweep = rng.uniform(0.85, 1.25), rng.uniform(0.0, 0.6)
    height = rng.choice([-0.5, 0.0, 0.9]) * radius
    root, rise = rng.uniform(0.35, 0.5), rng.uniform(0.0, 0.2)
    parts = [Part(body)]
    tail_x, tail = -length / 2 + 0.2, rng.uniform(0.35, 0.5)
    fin = _wing(tail, 0.32, 0.16, rng.uniform(0.1, 0.25), 0, 0.05)
    fin_top = rng.random() < 0.25
    for side in (1, -1):
        parts.append(
            Part(
                _wing(span, root, root * rng.uniform(0.35, 0.4), sweep, rise, 0.07)
                .scaled(y=side)
                .moved(0.1, 0, height),
                SECOND,
            )
        )
        plane = _wing(tail, 0.26, 0.14, sweep * 0.4, 0.02, 0.05).scaled(y=side)
        parts.append(
            Part(plane.moved(tail_x - (0.15 if fin_top else 0), 0, tail + 0.05 if fin_top else 0.04), SECOND)
        )
    parts.append(Part(fin.turned(x=np.pi / 2).moved(tail_x, 0, radius * 0.4), SECOND))
    if rng.random() < 0.6:
        pods = [0.35, 0.65] if rng.random() < 0.3 else [0.4]
        for side in (1, -1):
            for share in pods:
                pod = ellipsoid(0.2, 0.075, 0.075, 12).moved(
                    0.2 - sweep * share, side * span * share, height + rise * share - 0.09
                )
                parts.append(Part(pod, DETAIL))
    else:
        blade = box(0.03, 0.09, 0.75).moved(length / 2 + 0.02, 0, -0.375)
        parts += [Part(blade.turned(x=a), DETAIL) for a in np.arange(int(rng.integers(1, 3))) * np.pi / 2]
        parts.append(Part(ellipsoid(0.1, 0.06, 0.06, 10).moved(length / 2 + 0.02), DETAIL))
    return parts


def boat(rng: np.random.Generator) -> list[Part]:
    """A hull pointed at the bow: a sailing boat with a mast and sails, or a motor boat with a cabin."""
    length, width, depth = rng.uniform(1.7, 2.2), rng.uniform(0.6, 0.8), rng.uniform(0.3, 0.45)
    along = np.linspace(-1, 1, 9)
    half = np.clip(1 - ((along + rng.uniform(0.1, 0.3)) / 1.35) ** 2, 0.02, 1) * width / 2
    half[-1] = 0.02
    sheer = depth + rng.uniform(0.05, 0.18) * np.clip(along, 0, 1) ** 2
    section = np.array([[1, 1], [0.85, 0.5], [0.3, 0.05], [-0.3, 0.05], [-0.85, 0.5], [-1, 1]])
    keel = 0.35 * depth * np.clip(along, 0, 1) ** 3
    rings = [
        np.column_stack([np.full(6, x * length / 2), section[:, 0] * h, k + section[:, 1] * (s - k)])
        for x, h, s, k in zip(along, half, sheer, keel, strict=True)
    ]
    parts = [Part(loft(np.asarray(rings)[:, ::-1]))]
    if rng.random() < 0.5:
        mast, at = rng.uniform(1.3, 1.9), rng.uniform(0.0, 0.25)
        parts.append(Part(bar((at, 0, depth * 0.8), (at, 0, depth + mast), 0.03), DETAIL))
        sail = [[at - 0.04, 0.15], [at - 0.04, mast * 0.97], [at - rng.uniform(0.55, 0.8), 0.15]]
        parts.append(Part(extrude(sail, 0.025).moved(z=depth), SECOND))
        if rng.random() < 0.7:
            jib = [[at + 0.06, 0.2], [length * 0.45, 0.1], [at + 0.06, mast * 0.8]]
            parts.append(Part(extrude(jib, 0.025).moved(z=depth), SECOND))
        return parts
    cabin = rng.uniform(0.5, 0.8)
    parts.append(
        Part(
            box(cabin, width * 0.62, rng.uniform(0.25, 0.4), top=(0.85, 0.9)).moved(-0.1, 0, depth - 0.03),
            SECOND,
        )
    )
    if rng.random() < 0.6:
        parts.append(
            Part(box(cabin * 0.5, width * 0.5, 0.25, top=(0.8, 0.9)).moved(-0.1, 0, depth + 0.22), SECOND)
        )
    for index in range(int(rng.integers(0, 3))):
        parts.append(Part(cylinder(0.08, 0.4).moved(-0.15 - 0.22 * index, 0, depth + 0.3), DETAIL))
    return parts


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
    rear, hub = np.array([-base / 2, 0, radius]), np.array([base / 2, 0, radius])
    crank = np.array([-0.08, 0, radius - 0.05])
    seat = np.array([-0.25, 0, radius + rng.uniform(0.4, 0.55)])
    head = np.array([base / 2 - rng.uniform(0.15, 0.25), 0, radius + rng.uniform(0.4, 0.55)])
    top = head if rng.random() < 0.7 else (head + hub) / 2 + [0, 0, 0.08]
    for start, end in (
        (rear, crank),
        (rear, seat),
        (crank, seat + [0, 0, 0.12]),
        (seat, top),
        (crank, head - [0, 0, 0.1]),
        (hub, head + [0, 0, 0.12]),
    ):
        parts.append(Part(bar(tuple(start), tuple(end), tube_radius)))
    parts.append(Part(ellipsoid(0.17, 0.08, 0.045, 10).moved(*(seat + [0, 0, 0.15])), SECOND))
    bow = (
        smooth([[-0.1, -0.32, 0.02], [0.03, -0.2, 0.05], [0.03, 0.2, 0.05], [-0.1, 0.32, 0.02]], 9)
        if rng.random() < 0.6
        else np.array([[0, -0.3, 0], [0, 0.3, 0.0]])
    )
    parts.append(Part(tube(bow + head + [0, 0, 0.12], 0.03), SECOND))
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
