"""Colours of what is found in a home, by material."""

from __future__ import annotations

from typing import get_args

import numpy as np

from handsight.worlds.rooms.pieces import Colour

PALETTES: dict[str, tuple[Colour, ...]] = {
    "wood": (
        (0.55, 0.36, 0.2),
        (0.72, 0.53, 0.33),
        (0.36, 0.22, 0.13),
        (0.82, 0.68, 0.48),
        (0.45, 0.3, 0.22),
    ),
    "metal": ((0.72, 0.73, 0.75), (0.55, 0.56, 0.58), (0.8, 0.78, 0.74)),
    "dark": ((0.1, 0.1, 0.11), (0.17, 0.16, 0.18), (0.2, 0.22, 0.26)),
    "white": ((0.93, 0.93, 0.92), (0.9, 0.88, 0.83), (0.86, 0.89, 0.91)),
    "wall": (
        *((0.86, 0.83, 0.76), (0.78, 0.83, 0.84), (0.82, 0.86, 0.76), (0.88, 0.8, 0.74)),
        *((0.66, 0.73, 0.8), (0.74, 0.68, 0.6), (0.9, 0.86, 0.68), (0.72, 0.66, 0.74), (0.88, 0.88, 0.87)),
    ),
    "floor": (
        (0.62, 0.44, 0.28),
        (0.75, 0.6, 0.42),
        (0.45, 0.32, 0.22),
        (0.66, 0.62, 0.58),
        (0.52, 0.5, 0.48),
    ),
    "stone": ((0.82, 0.8, 0.77), (0.45, 0.45, 0.47), (0.28, 0.28, 0.3), (0.7, 0.62, 0.54), (0.6, 0.64, 0.62)),
    "front": (
        *((0.92, 0.91, 0.88), (0.55, 0.38, 0.24), (0.75, 0.58, 0.38), (0.36, 0.45, 0.5)),
        *((0.45, 0.52, 0.42), (0.3, 0.22, 0.18), (0.8, 0.77, 0.68), (0.58, 0.22, 0.2)),
    ),
    "cloth": (
        *((0.72, 0.2, 0.2), (0.2, 0.35, 0.6), (0.25, 0.5, 0.4), (0.85, 0.65, 0.25), (0.5, 0.3, 0.5)),
        *((0.85, 0.82, 0.75), (0.35, 0.36, 0.4), (0.8, 0.5, 0.5), (0.4, 0.6, 0.72), (0.6, 0.45, 0.32)),
    ),
    "bright": (
        *((0.85, 0.15, 0.12), (0.1, 0.35, 0.75), (0.95, 0.75, 0.1), (0.15, 0.6, 0.3), (0.95, 0.5, 0.1)),
        *((0.6, 0.2, 0.6), (0.1, 0.65, 0.7), (0.9, 0.4, 0.6)),
    ),
    "ceramic": (
        *((0.94, 0.94, 0.92), (0.25, 0.4, 0.65), (0.75, 0.25, 0.2), (0.35, 0.55, 0.45)),
        *((0.9, 0.75, 0.4), (0.3, 0.3, 0.34), (0.6, 0.75, 0.82)),
    ),
    "glass": ((0.75, 0.88, 0.86), (0.3, 0.5, 0.3), (0.5, 0.3, 0.15), (0.65, 0.8, 0.9)),
    "paper": ((0.9, 0.88, 0.82), (0.82, 0.8, 0.76)),
    "card": ((0.72, 0.56, 0.38), (0.65, 0.5, 0.34)),
    "leaf": ((0.2, 0.45, 0.18), (0.3, 0.55, 0.2), (0.15, 0.36, 0.2)),
    "leather": ((0.35, 0.2, 0.12), (0.15, 0.12, 0.12), (0.55, 0.3, 0.16), (0.75, 0.7, 0.62)),
}
"""Colours that a material comes in, RGB in [0, 1]."""


def colour_of(rng: np.random.Generator, palette: str, unlike: Colour | None = None) -> Colour:
    """Return a colour of a palette, give or take a little; where it can be, not much like another one."""
    choices = PALETTES[palette]
    if unlike is not None:
        far = [one for one in choices if np.abs(np.subtract(one, unlike)).sum() > 0.35]
        choices = tuple(far) or choices
    base = np.array(choices[rng.integers(len(choices))]) * rng.uniform(0.88, 1.1)
    red, green, blue = np.clip(base + rng.uniform(-0.03, 0.03, len(get_args(Colour))), 0, 1).tolist()
    return red, green, blue


def shade(colour: Colour, times: float) -> Colour:
    """Return a colour made darker or lighter."""
    red, green, blue = (min(max(level * times, 0.0), 1.0) for level in colour)
    return red, green, blue
