"""What things look like: procedural textures and finishes, drawn without knowing what they will be on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handsight.worlds.objects.parts import FINISHES_N

TEXTURE_SIZE = 128
"""Width and height of every texture, pixels. Textures wrap around."""

Finishes = Literal["patterned", "plain"]
"""How surfaces are painted: with any pattern of two colours, or each in one colour, so that shape shows."""

Pattern = NDArray[np.float64]


@dataclass(frozen=True)
class Finish:
    """How a surface looks.

    Args:
        texture: uint8 `[TEXTURE_SIZE, TEXTURE_SIZE, 3]`, RGB.
        repeat: times that the texture repeats over the unit of length.
        specular: strength of highlights, 0 to 1.
        shininess: how small the highlights are, 0 to 1.
    """

    texture: NDArray[np.uint8]
    repeat: float
    specular: float
    shininess: float


@cache
def _grid() -> tuple[Pattern, Pattern]:
    at = np.arange(TEXTURE_SIZE) / TEXTURE_SIZE
    x, y = np.meshgrid(at, at, indexing="xy")
    return x, y


def noise(rng: np.random.Generator, octaves: int = 5, roughness: float = 0.6) -> Pattern:
    """Return value noise of several octaves that wraps around, `[TEXTURE_SIZE, TEXTURE_SIZE]` in [0, 1]."""
    total = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE))
    for octave in range(octaves):
        cells = 2 ** (octave + 2)
        # Rows, then columns as the rows of the transpose: whole rows are quicker to take than columns.
        across = _interpolated(rng.random((cells, cells)))
        wave = _interpolated(across.T)
        wave *= roughness**octave
        total += wave
    total -= total.min()
    total /= total.max()
    return np.ascontiguousarray(total.T)


def _interpolated(values: Pattern) -> Pattern:
    """Return `[TEXTURE_SIZE, N]`: `values` `[cells, N]`, which wrap around, with smooth steps between."""
    low, high, low_share, high_share = _between(len(values))
    below, above = values.take(low, 0), values.take(high, 0)
    below *= low_share
    above *= high_share
    below += above
    return below


@cache
def _between(cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Pattern, Pattern]:
    """Return for each pixel the cell below, the one above, and their shares `[TEXTURE_SIZE, 1]`."""
    at = np.arange(TEXTURE_SIZE) * cells / TEXTURE_SIZE
    low = at.astype(int)
    share = (at - low)[:, None]
    share = share * share * (3 - 2 * share)
    return low, (low + 1) % cells, 1 - share, share


def _plain(rng: np.random.Generator) -> Pattern:
    return np.full((TEXTURE_SIZE, TEXTURE_SIZE), 0.0)


def _checker(rng: np.random.Generator) -> Pattern:
    x, y = _grid()
    squares = 2 * int(rng.integers(1, 5))
    return ((np.floor(x * squares) + np.floor(y * squares)) % 2).astype(float)


def _stripes(rng: np.random.Generator) -> Pattern:
    x, y = _grid()
    across = x * int(rng.integers(0, 4)) * 2 + y * int(rng.integers(1, 4)) * 2
    return ((across % 1) < rng.uniform(0.25, 0.75)).astype(float)


def _dots(rng: np.random.Generator) -> Pattern:
    x, y = _grid()
    dots = int(rng.integers(3, 7))
    distance = np.hypot((x * dots) % 1 - 0.5, (y * dots) % 1 - 0.5)
    return np.clip((rng.uniform(0.2, 0.4) - distance) * 20, 0, 1)


def _gradient(rng: np.random.Generator) -> Pattern:
    x, y = _grid()
    return 0.5 + 0.5 * np.cos(2 * np.pi * (x * int(rng.integers(0, 2)) + y) + rng.uniform(0, 6))


def _wood(rng: np.random.Generator) -> Pattern:
    x, _ = _grid()
    return 0.5 + 0.5 * np.sin(2 * np.pi * (x * int(rng.integers(3, 9)) + 1.5 * noise(rng, 3)))


def _bricks(rng: np.random.Generator) -> Pattern:
    x, y = _grid()
    rows = 2 * int(rng.integers(2, 5))
    row = np.floor(y * rows)
    joint = 0.08
    along = (x * rows / 2 + 0.5 * (row % 2)) % 1
    return ((along > joint) & ((y * rows) % 1 > 2 * joint)).astype(float)


def _marble(rng: np.random.Generator) -> Pattern:
    return np.abs(2 * noise(rng, 5, 0.7) - 1)


PATTERNS: tuple[Callable[[np.random.Generator], Pattern], ...] = (
    *(_plain, _plain, _checker, _stripes, _dots, _gradient, noise, _wood, _bricks, _marble),
)


def draw_texture(rng: np.random.Generator, finishes: Finishes = "patterned") -> NDArray[np.uint8]:
    """Return a texture, uint8 RGB: a pattern between two colours with a little noise on it, or one colour."""
    if finishes == "plain":
        level = (draw_colour(rng) * 255).astype(np.uint8)
        return np.tile(level, (TEXTURE_SIZE, TEXTURE_SIZE, 1))
    pattern = PATTERNS[rng.integers(len(PATTERNS))](rng)
    first, second = draw_colour(rng), draw_colour(rng)
    if rng.random() < 0.5:  # half of all patterns are shades of one colour
        second = first * rng.uniform(0.5, 0.85)
    grain = 1 + rng.uniform(0.0, 0.2) * (noise(rng) - 0.5)
    texture = np.empty((TEXTURE_SIZE, TEXTURE_SIZE, 3), np.uint8)
    for channel in range(3):
        level = first[channel] * (1 - pattern)
        level += second[channel] * pattern
        level *= grain
        level *= 255
        texture[..., channel] = np.clip(level, 0, 255, out=level)
    return texture


def draw_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a colour, RGB in [0, 1]: any hue, from grey to full, none of it nearly black."""
    hue, saturation, value = rng.random(), rng.beta(1.2, 1.5), rng.uniform(0.25, 1.0)
    wheel = np.clip(np.abs((hue * 6 + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return np.asarray(value * (1 - saturation + saturation * wheel))


def draw_finish(rng: np.random.Generator, finishes: Finishes = "patterned") -> Finish:
    """Return a finish: texture and gloss."""
    return Finish(
        draw_texture(rng, finishes), rng.uniform(0.5, 1.5), rng.uniform(0.0, 0.8), rng.uniform(0.1, 0.9)
    )


def draw_finishes(rng: np.random.Generator, finishes: Finishes = "patterned") -> tuple[Finish, ...]:
    """Return an object's finishes."""
    return tuple(draw_finish(rng, finishes) for _ in range(FINISHES_N))
