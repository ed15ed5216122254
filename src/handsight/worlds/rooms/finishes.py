"""Finishes: what surfaces look like; mostly patterns in shades of grey, tinted by each piece's colour.

The patterns are the same in all rooms, so that they are sent to the graphics device once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from handsight.worlds.objects.appearance import TEXTURE_SIZE, noise
from handsight.worlds.world import generator

PATTERN = 11
"""What the numbers drawn for patterns are for; see `world.generator`."""

Picture = NDArray[np.float64]


@dataclass(frozen=True)
class Finish:
    """How a surface looks.

    Args:
        pattern: name of a function of `PATTERNS`; None for a plain surface.
        across_m: what the pattern's width covers; 0 where it is stretched over the piece.
        specular: strength of highlights, 0 to 1.
        shininess: how small the highlights are, 0 to 1.
        emission: how much it shines by itself, 0 to 1.
    """

    pattern: str | None = None
    across_m: float = 0.0
    specular: float = 0.0
    shininess: float = 0.0
    emission: float = 0.0


@cache
def _grid() -> tuple[Picture, Picture]:
    at = (np.arange(TEXTURE_SIZE) + 0.5) / TEXTURE_SIZE
    x, y = np.meshgrid(at, at, indexing="xy")
    return x, y


def _grey(level: Picture) -> Picture:
    return np.repeat(np.clip(level, 0, 1)[..., None], 3, axis=2)


def _grain(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    lines = np.sin(2 * np.pi * (14 * y + 1.2 * noise(rng, 3) + 0.2 * np.sin(2 * np.pi * x)))
    return 0.9 + 0.045 * lines + 0.12 * (noise(rng, 6, 0.9) - 0.5)


def _planks(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    row = np.floor(y * 6).astype(int)
    end = (x * 1 + rng.random(6)[row]) % 1
    shades = 0.78 + 0.22 * rng.random((6, 2))[row, (end > 0.5).astype(int)]
    gap = ((y * 6) % 1 < 0.06) | (np.minimum(end % 0.5, 0.5 - end % 0.5) < 0.006)
    return _grey(shades * (0.9 + 0.2 * (_grain(rng) - 0.9)) * np.where(gap, 0.55, 1))


def _parquet(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    turned = (np.floor(x * 4) + np.floor(y * 4)) % 2 > 0
    strip = np.where(turned, x, y) * 16
    shades = (
        0.8
        + 0.2
        * rng.random((16, 4, 4))[
            np.floor(strip).astype(int) % 16, np.floor(x * 4).astype(int), np.floor(y * 4).astype(int)
        ]
    )
    return _grey(shades * np.where(strip % 1 < 0.1, 0.75, 1))


def _tiles(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    shades = 0.9 + 0.1 * rng.random((4, 4))[np.floor(x * 4).astype(int), np.floor(y * 4).astype(int)]
    gap = ((x * 4) % 1 < 0.06) | ((y * 4) % 1 < 0.06)
    return _grey(np.where(gap, 0.62, shades - 0.05 * noise(rng)))


def _checks(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    dark = (np.floor(x * 4) + np.floor(y * 4)) % 2 > 0
    return _grey(np.where(dark, 0.45, 0.98) - 0.08 * noise(rng))


def _bricks(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    row = np.floor(y * 8)
    along = (x * 4 + 0.5 * (row % 2)) % 4
    shades = 0.82 + 0.18 * rng.random((8, 4))[row.astype(int), np.floor(along).astype(int)]
    gap = (along % 1 < 0.06) | ((y * 8) % 1 < 0.12)
    return _grey(np.where(gap, 0.68, shades))


def _marble(rng: np.random.Generator) -> Picture:
    veins = np.abs(2 * noise(rng, 5, 0.65) - 1)
    return _grey(0.72 + 0.28 * np.clip(veins * 4, 0, 1) - 0.06 * noise(rng, 3))


def _granite(rng: np.random.Generator) -> Picture:
    speckles = noise(rng, 6, 1.3)
    return _grey(0.75 + 0.5 * (speckles - 0.5))


def _plaster(rng: np.random.Generator) -> Picture:
    return _grey(0.93 + 0.07 * noise(rng, 5, 0.8))


def _stripes(rng: np.random.Generator) -> Picture:
    x, _ = _grid()
    return _grey(np.where((x * 6) % 1 < 0.5, 0.98, 0.84) - 0.03 * noise(rng))


def _ornament(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    u, v = (x * 4) % 1 - 0.5, (y * 4 + 0.5 * (np.floor(x * 4) % 2)) % 1 - 0.5
    flower = np.hypot(u, v) + 0.09 * np.cos(6 * np.arctan2(v, u))
    return _grey(0.97 - 0.2 * np.clip((0.3 - flower) * 12, 0, 1) - 0.03 * noise(rng))


def _carpet(rng: np.random.Generator) -> Picture:
    return _grey(0.82 + 0.22 * (rng.random((TEXTURE_SIZE, TEXTURE_SIZE)) - 0.5) + 0.12 * noise(rng, 3))


def _weave(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    return _grey(0.88 + 0.08 * np.sin(2 * np.pi * 20 * x) * np.sin(2 * np.pi * 20 * y) - 0.06 * noise(rng))


def _plaid(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    bands = ((x * 3) % 1 < 0.3).astype(float) + ((y * 3) % 1 < 0.3)
    lines = ((x * 3 + 0.35) % 1 < 0.05) | ((y * 3 + 0.35) % 1 < 0.05)
    return _grey(np.where(lines, 1.0, 0.92 - 0.24 * bands) - 0.02 * noise(rng))


def _rug(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    diamond = (np.abs(x - 0.5) + np.abs(y - 0.5)) * 8
    inner = np.where(diamond % 1 < 0.5, 0.95, 0.6)
    rim = np.where(edge < 0.04, 0.4, np.where(edge < 0.1, 0.95, np.where(edge < 0.12, 0.4, inner)))
    return _grey(rim - 0.1 * rng.random(rim.shape))


def _spines(rng: np.random.Generator) -> Picture:
    """Two rows of books on a shelf, each of a colour of its own."""
    picture = np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), 0.12)
    at = 0
    while at < TEXTURE_SIZE:
        wide, high = int(rng.integers(5, 12)), int(rng.integers(88, 124))
        colour = 0.2 + 0.7 * rng.random(3) * rng.uniform(0.6, 1)
        picture[TEXTURE_SIZE - high :, at : at + wide] = colour
        picture[-int(0.7 * high) : -int(0.62 * high), at : at + wide] = 0.9 * colour + 0.3
        picture[:, at] *= 0.5
        at += wide
    return np.asarray(np.clip(picture, 0, 1))


def _landscape(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    sky = np.stack([0.55 + 0.3 * y, 0.7 + 0.2 * y, 0.95 - 0.05 * y], axis=-1)
    hills = 0.55 + 0.12 * np.sin(5 * x + 6 * rng.random()) + 0.05 * np.sin(17 * x)
    near = 0.75 + 0.06 * np.sin(8 * x + 6 * rng.random())
    picture = np.where((y > hills)[..., None], [0.35, 0.5, 0.4], sky)
    picture = np.where((y > near)[..., None], [0.3, 0.45, 0.15], picture)
    return np.asarray(picture * (0.9 + 0.2 * (noise(rng)[..., None] - 0.5)))


def _abstract(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    picture = np.ones((TEXTURE_SIZE, TEXTURE_SIZE, 3)) * (0.6 + 0.4 * rng.random(3))
    for _ in range(7):
        middle, size, colour = rng.random(2), rng.uniform(0.08, 0.25), rng.random(3)
        inside = np.hypot(x - middle[0], y - middle[1]) < size
        if rng.random() < 0.5:
            inside = (np.abs(x - middle[0]) < size) & (np.abs(y - middle[1]) < size * rng.uniform(0.3, 1))
        picture[inside] = colour
    return picture


def _words(rng: np.random.Generator) -> Picture:
    """A printed page."""
    x, y = _grid()
    line = np.floor(y * 24).astype(int)
    word = np.floor(x * 40).astype(int)
    ink = (rng.random((24, 40)) < 0.75)[line, word] & ((y * 24) % 1 < 0.5) & (np.abs(x - 0.5) < 0.43)
    return _grey(np.where(ink, 0.35, 0.98))


def _keys(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    key = ((x * 12) % 1 > 0.22) & ((y * 5) % 1 > 0.22)
    return _grey(np.where(key, 1.0, 0.45) - 0.02 * noise(rng))


def _label(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    picture = np.where((np.abs(y - 0.42) < 0.2)[..., None], [1.0, 1.0, 0.95], np.ones(3) * 0.8)
    picture[np.hypot(x - 0.5, (y - 0.72) * 1.2) < 0.18] = [1.0, 0.8, 0.3]
    picture[(np.abs(y - 0.42) < 0.07) & (np.abs(x - 0.5) < 0.35)] = [0.7, 0.12, 0.1]
    return np.asarray(picture * (0.97 + 0.03 * noise(rng)[..., None]))


def _dial(rng: np.random.Generator) -> Picture:
    """A clock's face."""
    x, y = _grid()
    u, v = x - 0.5, y - 0.5
    around, out = np.arctan2(u, -v), np.hypot(u, v)
    marks = (np.abs((around / (np.pi / 6) + 0.5) % 1 - 0.5) < 0.1) & (np.abs(out - 0.4) < 0.05)
    hands = np.zeros_like(marks)
    for angle, length in zip(rng.uniform(0, 6.28, 2), (0.24, 0.36), strict=True):
        along, across = u * np.sin(angle) - v * np.cos(angle), u * np.cos(angle) + v * np.sin(angle)
        hands |= (np.abs(across) < 0.022) & (along > 0) & (along < length)
    return _grey(np.where(marks | hands, 0.1, 0.97))


def _wicker(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    over = (np.floor(x * 10) + np.floor(y * 10)) % 2 > 0
    bulge = np.where(over, np.abs((x * 10) % 1 - 0.5), np.abs((y * 10) % 1 - 0.5))
    return _grey(1 - 0.8 * bulge - 0.05 * noise(rng))


PATTERNS: dict[str, Callable[[np.random.Generator], Picture]] = {
    "grain": lambda rng: _grey(_grain(rng)),
    "planks": _planks,
    "parquet": _parquet,
    "tiles": _tiles,
    "checks": _checks,
    "bricks": _bricks,
    "marble": _marble,
    "granite": _granite,
    "plaster": _plaster,
    "stripes": _stripes,
    "ornament": _ornament,
    "carpet": _carpet,
    "weave": _weave,
    "plaid": _plaid,
    "rug": _rug,
    "spines": _spines,
    "view": _landscape,
    "landscape": _landscape,
    "abstract": _abstract,
    "abstract2": _abstract,
    "words": _words,
    "keys": _keys,
    "label": _label,
    "dial": _dial,
    "wicker": _wicker,
}
"""Every pattern by name: a function of a generator that gives `[TEXTURE_SIZE, TEXTURE_SIZE, 3]` in [0, 1]."""

FINISHES: dict[str, Finish] = {
    "matt": Finish(),
    "satin": Finish(specular=0.25, shininess=0.3),
    "gloss": Finish(specular=0.7, shininess=0.7),
    "metal": Finish(specular=0.9, shininess=0.5),
    "shining": Finish(emission=0.9),
    "wood": Finish("grain", 0.5, 0.15, 0.3),
    "planks": Finish("planks", 0.9, 0.2, 0.4),
    "parquet": Finish("parquet", 1.2, 0.2, 0.4),
    "tiles": Finish("tiles", 1.0, 0.3, 0.5),
    "small tiles": Finish("tiles", 0.45, 0.3, 0.5),
    "checks": Finish("checks", 1.4, 0.2, 0.4),
    "bricks": Finish("bricks", 0.6, 0.3, 0.5),
    "marble": Finish("marble", 0.8, 0.4, 0.5),
    "granite": Finish("granite", 0.4, 0.4, 0.5),
    "plaster": Finish("plaster", 1.5),
    "stripes": Finish("stripes", 1.0),
    "ornament": Finish("ornament", 1.0),
    "carpet": Finish("carpet", 0.5),
    "weave": Finish("weave", 0.3),
    "plaid": Finish("plaid", 0.6),
    "rug": Finish("rug"),
    "spines": Finish("spines", specular=0.1, shininess=0.3),
    "view": Finish("view", emission=0.55),
    "landscape": Finish("landscape"),
    **{name: Finish(name) for name in ("abstract", "abstract2", "words", "keys", "label", "dial")},
    "wicker": Finish("wicker", 0.35),
}
"""Every finish by name."""


@cache
def painted(name: str) -> NDArray[np.uint8]:
    """Return a pattern as a texture, uint8 `[TEXTURE_SIZE, TEXTURE_SIZE, 3]`; the same one each time."""
    picture = PATTERNS[name](generator(list(PATTERNS).index(name), PATTERN))[::-1]  # its lowest row is first
    return np.asarray(np.clip(picture * 255, 0, 255), np.uint8)
