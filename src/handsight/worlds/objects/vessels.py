"""Vessels: mug, cup, teapot, pitcher, watering can, bowl, pan, bottle, vase, wine glass."""

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


def _handle(
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
    handle = _handle(rng, (at[0], low), (at[1], high), rng.uniform(0.25, 0.45), rng.uniform(0.05, 0.09))
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
        handle = _handle(
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
    handle = _handle(rng, (at[0], low), (at[1], high), rng.uniform(0.25, 0.4), rng.uniform(0.045, 0.07))
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


def bowl(rng: np.random.Generator) -> list[Part]:
    """A wide open bowl, from nearly a plate to a deep one, mostly on a foot."""
    height = rng.uniform(0.3, 0.65)
    angle = np.linspace(rng.uniform(0.25, 0.6), np.pi / 2, 9)
    wall = np.column_stack([np.sin(angle), (np.cos(angle[0]) - np.cos(angle)) / np.cos(angle[0]) * height])
    parts = [Part(vessel(wall * [0.8, 1], rng.uniform(0.03, 0.06)))]
    if rng.random() < 0.6:
        parts.append(Part(cylinder(0.8 * wall[0, 0] * 0.95, 0.09, 0.9).moved(z=-0.07), SECOND))
    if rng.random() < 0.3:
        parts.append(Part(hoop(0.79, 0.03).moved(z=height), DETAIL))
    return parts


def pan(rng: np.random.Generator) -> list[Part]:
    """A frying pan or saucepan with a long straight handle."""
    height = rng.choice([rng.uniform(0.14, 0.22), rng.uniform(0.35, 0.6)])
    body = vessel([[rng.uniform(0.48, 0.58), 0], [0.62, height]], 0.035)
    length, lift = rng.uniform(0.75, 1.15), rng.uniform(0.0, 0.25)
    line = smooth(
        [
            [0.58, 0, height * 0.75],
            [0.8, 0, height * 0.8 + lift * 0.4],
            [0.6 + length, 0, height * 0.8 + lift],
        ],
        7,
    )
    parts = [
        Part(body),
        Part(tube(line, np.linspace(0.05, rng.uniform(0.06, 0.09), 7), flatness=0.6), SECOND),
    ]
    if rng.random() < 0.25:
        parts.append(Part(cylinder(0.06, 0.14).turned(y=-np.pi / 2).moved(-0.55, 0, height * 0.8), SECOND))
    return parts


def bottle(rng: np.random.Generator) -> list[Part]:
    """A body with shoulders and a narrow neck, with a cap or a cork and often a label."""
    radius, height = rng.uniform(0.3, 0.42), rng.uniform(0.9, 1.3)
    neck, neck_height, shoulder = rng.uniform(0.09, 0.15), rng.uniform(0.25, 0.6), rng.uniform(0.1, 0.4)
    top = height + shoulder + neck_height
    slope = smooth(
        [
            [radius, height],
            [radius * 0.85, height + shoulder * 0.45],
            [neck, height + shoulder],
            [neck, height + shoulder + 0.05],
        ],
        9,
    )
    squareness = rng.choice([0, 0, rng.uniform(0.3, 0.8)])
    profile = [[0, 0], [radius * 0.93, 0], [radius, 0.05], *slope, [neck, top], [0, top]]
    parts = [
        Part(lathe(profile, squareness=squareness)),
        Part(cylinder(neck * 1.2, rng.uniform(0.08, 0.18)).moved(z=top - 0.04), DETAIL),
    ]
    if rng.random() < 0.6:
        label = lathe(
            [[radius * 1.015, height * 0.2], [radius * 1.015, height * rng.uniform(0.55, 0.85)]],
            squareness=squareness,
        )
        parts.append(Part(label, SECOND))
    return parts


def vase(rng: np.random.Generator) -> list[Part]:
    """A tall open pot: belly, waist or trumpet, sometimes with two ears."""
    height = rng.uniform(1.4, 2.0)
    radii = [rng.uniform(0.22, 0.4), rng.uniform(0.3, 0.62), rng.uniform(0.16, 0.35)]
    rim = radii[2] * rng.uniform(1.0, 1.9)
    wall = smooth(
        np.column_stack([[*radii, rim], [0, height * rng.uniform(0.3, 0.5), height * 0.82, height]]), 14
    )
    parts = [Part(vessel(wall, 0.05, rng.choice([0, 0, rng.uniform(0.2, 0.6)]), floor=height * 0.5))]
    if rng.random() < 0.3:
        low, high = height * 0.6, height * 0.85
        at = np.interp([low, high], wall[:, 1], wall[:, 0])
        ear = _handle(rng, (at[0], low), (at[1], high), rng.uniform(0.12, 0.25), 0.045)
        parts += [Part(ear, SECOND), Part(ear.turned(z=np.pi), SECOND)]
    return parts


def wine_glass(rng: np.random.Generator) -> list[Part]:
    """A bowl on a thin stem on a flat foot."""
    stem, bowl_height = rng.uniform(0.5, 0.95), rng.uniform(0.5, 0.95)
    belly, rim = rng.uniform(0.3, 0.48), rng.uniform(0.24, 0.42)
    wall = smooth(
        [
            [0.07, stem],
            [belly * 0.85, stem + bowl_height * 0.25],
            [belly, stem + bowl_height * 0.5],
            [rim, stem + bowl_height],
        ],
        11,
    )
    foot = lathe(
        [
            [0, 0],
            [rng.uniform(0.3, 0.42), 0],
            [0.3, 0.03],
            [0.06, 0.09],
            [0.04, 0.2],
            [rng.uniform(0.03, 0.06), stem],
            [0, stem + 0.02],
        ]
    )
    return [Part(foot, rng.choice([MAIN, SECOND])), Part(vessel(wall, 0.025, floor=stem + 0.05))]
