"""Bowl, pan, bottle, vase, wine glass."""

from __future__ import annotations

import numpy as np

from handsight.worlds.objects.parts import DETAIL, MAIN, SECOND, Part
from handsight.worlds.objects.shapes import cylinder, hoop, lathe, smooth, tube, vessel
from handsight.worlds.objects.vessels import handle_between


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
        ear = handle_between(rng, (at[0], low), (at[1], high), rng.uniform(0.12, 0.25), 0.045)
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
