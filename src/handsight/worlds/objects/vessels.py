"""Vessels that one pours from or drinks from: mug, cup, teapot, pitcher, watering can."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import (
    Mesh,
    Points,
    arc,
    bar,
    cylinder,
    ellipsoid,
    hoop,
    lathe,
    smooth,
    tube,
    vessel,
)


def _wall(rng: np.random.Generator, foot: float, middle: float, rim: float, height: float) -> Points:
    """Return a wall's profile (radius, height) through three radii, the middle one at a drawn height."""
    return smooth([[foot, 0], [middle, height * rng.uniform(0.35, 0.6)], [rim, height]], 9)


def handle_between(
    rng: np.random.Generator,
    low: tuple[float, float],
    high: tuple[float, float],
    reach: float,
    thickness: float,
) -> Mesh:
    """Return a handle in the (x, z) plane between two points (x, z) of a wall, bulging `reach` towards +x."""
    (low_x, low_z), (high_x, high_z) = low, high
    out = max(low_x, high_x) + reach
    drop = rng.uniform(0.0, 0.25) * (high_z - low_z)
    path = [
        [high_x - thickness, high_z],
        [out - 0.25 * reach, high_z],
        [out, (high_z + low_z) / 2 + drop / 2],
    ]
    path += [[out - 0.35 * reach, low_z], [low_x - thickness, low_z]]
    line = smooth(path, 13)
    return tube(
        np.column_stack([line[:, 0], np.zeros(len(line)), line[:, 1]]),
        thickness,
        flatness=rng.uniform(0.7, 1.4),
    )


def mug(rng: np.random.Generator) -> list[Part]:
    """A straight or slightly curved mug with one handle."""
    height, radius = rng.uniform(0.8, 1.35), 0.5
    wall = _wall(rng, radius * rng.uniform(0.8, 1), radius * rng.uniform(0.95, 1.1), radius, height)
    low, high = rng.uniform(0.15, 0.3) * height, rng.uniform(0.72, 0.88) * height
    at = np.interp([low, high], wall[:, 1], wall[:, 0])
    handle = handle_between(
        rng, (at[0], low), (at[1], high), rng.uniform(0.25, 0.45), rng.uniform(0.05, 0.09)
    )
    parts = [
        Part(vessel(wall, rng.uniform(0.04, 0.08), rng.choice([0, 0, rng.uniform(0.1, 0.5)]))),
        Part(handle, rng.choice([MAIN, SECOND])),
    ]
    if rng.random() < 0.3:
        parts.append(Part(hoop(radius, 0.035).moved(z=height), DETAIL))
    return parts


def cup(rng: np.random.Generator) -> list[Part]:
    """A cup or tumbler without a handle, sometimes with a sleeve, a lid or a saucer."""
    height, rim = rng.uniform(0.9, 1.5), 0.5
    foot = rim * rng.uniform(0.6, 0.9)
    wall = _wall(rng, foot, (foot + rim) / 2 * rng.uniform(0.98, 1.12), rim, height)
    parts = [Part(vessel(wall, rng.uniform(0.03, 0.06), rng.choice([0, rng.uniform(0, 0.4)])))]
    extra = rng.integers(4)
    if extra == 0:
        band = np.interp([height * 0.35, height * 0.75], wall[:, 1], wall[:, 0]) + 0.025
        parts.append(Part(cylinder(band[0], height * 0.4, band[1] / band[0]).moved(z=height * 0.35), SECOND))
    elif extra == 1:
        parts.append(
            Part(
                lathe([[0, 0], [rim + 0.05, 0], [rim + 0.03, 0.1], [rim * 0.8, 0.16], [0, 0.16]]).moved(
                    z=height
                ),
                DETAIL,
            )
        )
    elif extra == 2:
        parts.append(Part(vessel([[foot * 1.1, -0.06], [rim * 1.7, 0.08]], 0.04), SECOND))
    return parts


def _pot(rng: np.random.Generator, slender: float) -> tuple[Points, float]:
    """Return a pot's round profile (from foot to neck) and its height."""
    height = slender * rng.uniform(0.85, 1.1)
    neck = rng.uniform(0.26, 0.36)
    wall = smooth(
        [
            [rng.uniform(0.3, 0.42), 0],
            [rng.uniform(0.5, 0.6), height * rng.uniform(0.3, 0.55)],
            [neck, height],
        ],
        10,
    )
    return wall, height


def teapot(rng: np.random.Generator) -> list[Part]:
    """A round pot with a spout, a lid with a knob, and a handle behind or above."""
    wall, height = _pot(rng, 0.8)
    neck = wall[-1, 0]
    lid_height = rng.uniform(0.06, 0.2)
    lid = lathe(
        [[0, -0.02], [neck, -0.02], [neck, 0.02], [neck * 0.6, lid_height * 0.75], [0, lid_height]]
    ).moved(z=height)
    knob = ellipsoid(0.08, 0.08, rng.uniform(0.06, 0.12), 10).moved(z=height + lid_height + 0.05)
    tip, low = rng.uniform(0.85, 1.05), rng.uniform(0.2, 0.4) * height
    spout_line = smooth(
        [
            [0.4, 0, low],
            [0.68, 0, low + 0.12 * height],
            [tip - 0.1, 0, height * 0.8],
            [tip, 0, height * rng.uniform(0.95, 1.1)],
        ],
        9,
    )
    parts = [
        Part(lathe([[0, 0], *wall, [0, height]])),
        Part(lid, rng.choice([MAIN, SECOND])),
        Part(knob, DETAIL),
    ]
    parts.append(Part(tube(spout_line, np.linspace(rng.uniform(0.13, 0.18), 0.06, 9), 10)))
    if rng.random() < 0.65:
        at = np.interp([height * 0.22, height * 0.85], wall[:, 1], wall[:, 0])
        handle = handle_between(
            rng,
            (at[0], height * 0.22),
            (at[1], height * 0.85),
            rng.uniform(0.28, 0.4),
            rng.uniform(0.04, 0.07),
        )
        return [*parts, Part(handle.turned(z=np.pi), SECOND)]
    bow = arc(0.5, 0.1, np.pi - 0.1, 13) * [1, rng.uniform(0.9, 1.3)]
    return [
        *parts,
        Part(tube(np.column_stack([bow[:, 0], np.zeros(13), bow[:, 1] + height * 0.7]), 0.045), SECOND),
    ]


def pitcher(rng: np.random.Generator) -> list[Part]:
    """A tall jug: open, with a lip drawn out to the front and a tall handle behind."""
    height = rng.uniform(1.3, 1.8)
    wall = smooth(
        [
            [rng.uniform(0.35, 0.45), 0],
            [rng.uniform(0.48, 0.6), height * 0.35],
            [rng.uniform(0.28, 0.4), height * 0.75],
            [rng.uniform(0.36, 0.46), height],
        ],
        12,
    )
    body = vessel(wall, 0.05)
    top = np.clip((body.vertices[:, 2] / height - 0.72) / 0.28, 0, 1) ** 1.5
    forward = np.clip(body.vertices[:, 0], 0, None) / 0.45 * np.exp(-((body.vertices[:, 1] / 0.16) ** 2))
    lipped = body.vertices + np.column_stack(
        [top * forward * rng.uniform(0.2, 0.35), 0 * top, top * forward * 0.08]
    )
    low, high = rng.uniform(0.2, 0.35) * height, rng.uniform(0.8, 0.93) * height
    at = np.interp([low, high], wall[:, 1], wall[:, 0])
    handle = handle_between(
        rng, (at[0], low), (at[1], high), rng.uniform(0.25, 0.4), rng.uniform(0.045, 0.07)
    )
    return [Part(Mesh(lipped, body.faces)), Part(handle.turned(z=np.pi), rng.choice([MAIN, SECOND]))]


def watering_can(rng: np.random.Generator) -> list[Part]:
    """A can with a long thin spout that ends in a rose, and a bow for a handle."""
    height, radius = rng.uniform(0.75, 1.05), 0.5
    body = vessel([[radius, 0], [radius * rng.uniform(0.85, 1.02), height]], 0.04)
    reach, rise = rng.uniform(1.1, 1.45), height * rng.uniform(1.0, 1.25)
    start = np.array([radius * 0.9, 0, height * rng.uniform(0.12, 0.3)])
    tip = np.array([reach, 0, rise])
    spout = bar(tuple(start), tuple(tip), rng.uniform(0.09, 0.13), 0.05)
    rose = cylinder(0.06, 0.16, rng.uniform(2, 3), 14).turned(y=rng.uniform(0.7, 1.2)).moved(*tip)
    bow = smooth(
        [
            [0.35, 0, height * 0.97],
            [0.0, 0, height + rng.uniform(0.3, 0.5)],
            [-0.65, 0, height * 0.95],
            [-0.48, 0, height * 0.25],
        ],
        15,
    )
    return [Part(body), Part(spout), Part(rose, SECOND), Part(tube(bow, rng.uniform(0.035, 0.055)), DETAIL)]
