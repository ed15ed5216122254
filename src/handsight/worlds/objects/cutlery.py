"""Spoon, fork and knife, lying along x."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import Mesh, box, circle, lathe, loft, smooth, tube


def grip(rng: np.random.Generator, length: float, radius: float) -> Mesh:
    """Return a handle from the origin along −x, waisted or swelling."""
    along = np.linspace(0, length, 6)
    return (
        lathe(np.column_stack([radius * rng.uniform(0.75, 1.25, 6), along]), 14)
        .turned(y=-np.pi / 2)
        .scaled(y=rng.uniform(0.7, 1.3))
    )


def _sheet(middle: np.ndarray, half_width: np.ndarray, thickness: float) -> Mesh:
    """Return a thin strip along `middle` `[K, 2]` (x, z), `half_width` `[K]` wide in y to both sides."""
    section = circle(10, 0.3)
    rings = [
        np.column_stack([np.full(10, x), section[:, 0] * h, z + section[:, 1] * thickness])
        for (x, z), h in zip(middle, half_width, strict=True)
    ]
    return loft(rings)


def _cutlery_handle(rng: np.random.Generator) -> Part:
    """Return a flat handle from the origin along −x that ends wider or in a grip."""
    length = rng.uniform(1.0, 1.4)
    along = np.linspace(0, -length, 7)
    width = np.interp(-along / length, [0, 0.3, 0.85, 1], [0.05, 0.045, rng.uniform(0.07, 0.14), 0.04])
    bend = rng.uniform(0.0, 0.12)
    middle = np.column_stack([along, bend * np.sin(np.linspace(0, np.pi, 7))])
    return Part(
        _sheet(middle[::-1], width[::-1], rng.choice([0.03, rng.uniform(0.04, 0.07)])),
        rng.choice([MAIN, SECOND]),
    )


def spoon(rng: np.random.Generator) -> list[Part]:
    """A handle with a hollow oval bowl."""
    long, wide, deep = rng.uniform(0.3, 0.42), rng.uniform(0.2, 0.32), rng.uniform(0.08, 0.2)
    angle = np.linspace(0.05, np.pi / 2, 7)
    outside = np.column_stack([np.sin(angle), -np.cos(angle)])
    hollow = lathe(np.concatenate([outside, (outside * [0.93, 0.85])[::-1]]), 22)
    return [_cutlery_handle(rng), Part(hollow.scaled(long, wide, deep).moved(long * 0.97, 0, 0.02))]


def fork(rng: np.random.Generator) -> list[Part]:
    """A handle with three or four tines."""
    tines_n, width, length = int(rng.integers(3, 5)), rng.uniform(0.13, 0.19), rng.uniform(0.35, 0.5)
    neck = np.column_stack([np.linspace(-0.02, 0.3, 6), [0, -0.03, -0.05, -0.06, -0.06, -0.05]])
    parts = [
        _cutlery_handle(rng),
        Part(_sheet(neck, np.array([0.05, 0.07, 0.8 * width, width, width, width]), 0.03)),
    ]
    for y in np.linspace(-width + 0.03, width - 0.03, tines_n):
        line = smooth([[0.28, y, -0.05], [0.28 + length / 2, y, -0.06], [0.28 + length, y, 0.02]], 6)
        parts.append(Part(tube(line, np.linspace(0.036, 0.015, 6), 6)))
    return parts


def knife(rng: np.random.Generator) -> list[Part]:
    """A handle with a flat blade, from a table knife to a cleaver."""
    length, width = rng.uniform(0.8, 1.4), rng.uniform(0.09, 0.2)
    along = np.linspace(0, 1, 9)
    back = width * (1 - rng.uniform(0.0, 0.5) * along**3)
    edge = -width * np.clip(1 - along ** rng.uniform(2, 8), 0.02, 1)
    section = np.array([[1.0, 0.02], [1, -0.02], [0, -0.005], [0, 0.005]])
    rings = []
    for x, high, low in zip(along * length, back, edge, strict=True):
        rings.append(np.column_stack([np.full(4, x), low + section[:, 0] * (high - low), section[:, 1]]))
    handle = grip(rng, rng.uniform(0.65, 0.9), rng.uniform(0.07, 0.1)).scaled(z=0.7)
    parts = [Part(loft(np.asarray(rings)[:, ::-1]), SECOND), Part(handle)]
    if rng.random() < 0.4:
        parts.append(Part(box(0.06, width * 2.4, 0.12).moved(z=-0.06), DETAIL))
    return parts
