"""An order of many things without a list of them: a shuffle that is computed, a few places at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 12
"""Enough that orders of a handful of things, which mix least in each round, are equally likely too."""


class Order:
    """A shuffle of 0 … count − 1 that takes no memory, however large `count` (below 2⁶²).

    A Feistel network on a rectangle of at least `count` cells, gone through again until it falls on a cell
    that counts (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).

    Args:
        count: of things, at least 1.
        generator: draws the key.
    """

    def __init__(self, count: int, generator: np.random.Generator) -> None:
        self._count = count
        self._width = math.isqrt(count - 1) + 1
        self._height = -(-count // self._width)
        self._keys = generator.integers(0, 2**64, _ROUNDS, dtype=np.uint64)

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what stands at these places of 0 … count − 1, int64."""
        found = self._permuted(places.astype(np.uint64))
        while (beyond := found >= self._count).any():
            found[beyond] = self._permuted(found[beyond])
        return found.astype(np.int64)

    def _permuted(self, cells: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return where each cell of the rectangle goes."""
        width = np.uint64(self._width)
        row = cells // width
        column = cells - row * width
        for turn, key in enumerate(self._keys):
            if turn % 2:
                _shift(row, _mixed(column, key), self._height)
            else:
                _shift(column, _mixed(row, key), self._width)
        return row * width + column


def _mixed(values: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    """Return 32 bits for each value: SplitMix64's increment and finaliser (Steele et al., 2014)."""
    state = values ^ key
    state *= np.uint64(0x9E3779B97F4A7C15)
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    state >>= np.uint64(32)
    return state


def _shift(values: NDArray[np.uint64], bits: NDArray[np.uint64], size: int) -> None:
    """Add to each value, modulo `size`, what its 32 bits are as a share of `size`; in place."""
    bits *= np.uint64(size)
    bits >>= np.uint64(32)
    values += bits
    values -= (values >= size) * np.uint64(size)
