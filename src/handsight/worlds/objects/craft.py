"""Craft, the front towards +x: aeroplane, boat."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, SECOND, Part
from handsight.worlds.objects.shapes import Mesh, bar, box, cylinder, ellipsoid, extrude, lathe, loft


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
