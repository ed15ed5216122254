"""Seats, the front towards +x: chair, stool, armchair, bench."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.furniture import foot, legs
from handsight.worlds.objects.parts import DETAIL, SECOND, Part
from handsight.worlds.objects.shapes import bar, box, cylinder, lathe, soft_box


def _back(rng: np.random.Generator, x: float, y: float, seat: float, height: float) -> list[Part]:
    """Return a chair's back at x: a board, or two posts with slats across or rods upright."""
    lean = rng.uniform(0.03, 0.2)
    kind = rng.integers(3)
    if kind == 0:
        low = rng.choice([0, height * rng.uniform(0.25, 0.45)])
        board = box(
            rng.uniform(0.05, 0.1),
            y,
            height - low,
            top=(1, rng.uniform(0.75, 1)),
            shift=-lean * (height - low) / height,
        )
        posts = [
            Part(bar((x, s * y * 0.35, seat), (x - lean, s * y * 0.35, seat + height * 0.9), 0.03), SECOND)
            for s in (-1, 1)
        ]
        return [Part(board.moved(x - lean * low / height, 0, seat + low)), *(posts if low else [])]
    half = y / 2 - 0.04
    parts = [
        Part(bar((x, side * half, seat), (x - lean, side * half, seat + height), 0.045), SECOND)
        for side in (-1, 1)
    ]
    if kind == 1:
        for share in np.linspace(rng.uniform(0.3, 0.5), 0.92, int(rng.integers(2, 5))):
            parts.append(
                Part(box(0.04, y - 0.06, 0.1).moved(x - lean * share, 0, seat + height * share - 0.05))
            )
        return parts
    parts.append(Part(box(0.07, y, 0.12).moved(x - lean, 0, seat + height - 0.1)))
    for at in np.linspace(-half, half, int(rng.integers(4, 7)))[1:-1]:
        parts.append(Part(bar((x, at, seat), (x - lean, at, seat + height - 0.05), 0.025, around_n=6)))
    return parts


def chair(rng: np.random.Generator) -> list[Part]:
    """A seat on legs or on one foot, with a back and no arms."""
    x, y, seat = rng.uniform(0.75, 0.95), rng.uniform(0.75, 0.95), rng.uniform(0.75, 1.0)
    thickness = rng.uniform(0.06, 0.14)
    top = soft_box(x, y, thickness, thickness * 0.4) if rng.random() < 0.5 else box(x, y, thickness)
    under = legs(rng, x, y, seat) if rng.random() < 0.8 else foot(rng, seat, x * 0.5)
    return [
        *under,
        Part(top.moved(z=seat)),
        *_back(rng, -x / 2 + 0.05, y, seat + thickness * 0.9, rng.uniform(0.7, 1.15)),
    ]


def stool(rng: np.random.Generator) -> list[Part]:
    """A seat without a back, round or square, on legs or on one foot."""
    radius, seat = rng.uniform(0.36, 0.5), rng.uniform(0.75, 1.5)
    thickness = rng.uniform(0.07, 0.18)
    round_ = rng.random() < 0.6
    top = (
        lathe(
            [[0, 0], [radius, 0], [radius * 1.05, thickness / 2], [radius * 0.95, thickness], [0, thickness]]
        )
        if round_
        else soft_box(2 * radius, 1.8 * radius, thickness, 0.04)
    )
    inset = 1.35 if round_ else 1.8
    under = legs(rng, radius * inset, radius * inset, seat) if rng.random() < 0.7 else foot(rng, seat, radius)
    return [*under, Part(top.moved(z=seat))]


def armchair(rng: np.random.Generator) -> list[Part]:
    """An upholstered chair or sofa: low seat, arms at both sides, thick back."""
    width, depth = rng.choice([rng.uniform(0.8, 1.0), rng.uniform(1.5, 2.1)]), rng.uniform(0.75, 0.95)
    seat, arm_height, back = rng.uniform(0.3, 0.45), rng.uniform(0.5, 0.68), rng.uniform(0.8, 1.15)
    arm = rng.uniform(0.14, 0.24)
    raised = rng.uniform(0.0, 0.15)
    parts = [Part(soft_box(depth, width, seat, 0.05).moved(z=raised))]
    for side in (-1, 1):
        parts.append(Part(soft_box(depth, arm, arm_height, 0.06).moved(0, side * (width + arm) / 2, raised)))
        if rng.random() < 0.5:
            parts.append(
                Part(
                    cylinder(arm * 0.62, depth)
                    .turned(y=np.pi / 2)
                    .moved(-depth / 2, side * (width + arm) / 2, raised + arm_height)
                )
            )
    lean = box(0.22, width + 2 * arm, back, top=(0.8, rng.uniform(0.75, 1)), shift=-rng.uniform(0.05, 0.2))
    parts.append(Part(lean.moved(-depth / 2 + 0.05, 0, raised)))
    cushions_n = 1 if width < 1.2 else int(rng.integers(2, 4))
    for index in range(cushions_n):
        piece = width / cushions_n
        cushion = soft_box(depth * 0.8, piece * 0.96, 0.14, 0.05)
        parts.append(
            Part(cushion.moved(0.1, (index + 0.5) * piece - width / 2, raised + seat - 0.02), SECOND)
        )
    if raised > 0.04:
        corners = [(a * (depth / 2 - 0.08), b * (width / 2)) for a in (-1, 1) for b in (-1, 1)]
        parts += [Part(cylinder(0.05, raised + 0.02).moved(x, y), DETAIL) for x, y in corners]
    return parts


def bench(rng: np.random.Generator) -> list[Part]:
    """A long low seat, of planks or of one board, with or without a back."""
    x, y, height = rng.uniform(0.45, 0.6), rng.uniform(1.6, 2.3), rng.uniform(0.45, 0.65)
    planks_n = int(rng.choice([1, 3, 4]))
    width = x / planks_n
    parts = [
        Part(box(width * 0.9, y, 0.06).moved((i + 0.5) * width - x / 2, 0, height)) for i in range(planks_n)
    ]
    sideboards = rng.random() < 0.35
    parts += (
        [Part(box(x * 0.9, 0.09, height).moved(0, s * y * 0.42), SECOND) for s in (-1, 1)]
        if sideboards
        else legs(rng, x, y * 0.9, height)
    )
    if rng.random() < 0.5:
        back = rng.uniform(0.4, 0.6)
        for side in (-0.42, 0.42):
            parts.append(
                Part(
                    bar(
                        (-x / 2 + 0.05, side * y, height),
                        (-x / 2 - 0.1, side * y, height + back),
                        0.045,
                        around_n=4,
                    ),
                    SECOND,
                )
            )
        for share in np.linspace(0.45, 0.95, int(rng.integers(2, 4))):
            parts.append(
                Part(box(0.05, y, 0.1).moved(-x / 2 + 0.05 - 0.13 * share, 0, height + back * share - 0.05))
            )
    return parts
