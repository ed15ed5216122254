"""Which episodes are for training, for choosing, and for the final figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError

SPLITS = ("train", "validation", "test")
"""Names of the parts; monitors and choices see `validation` only."""


def split_by_episode(
    num_episodes: int, seed: int = 0, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> npt.NDArray[np.str_]:
    """Divide episodes by a hash of their index.

    An episode's part does not depend on how many follow, so a recording that grows does not move test
    episodes into training; only where a part of a small recording would be empty are episodes moved into it
    (three episodes or more fill all parts).

    Args:
        num_episodes: E.
        seed: of the hash.
        fractions: of `train`, `validation` and `test`; they sum to 1.

    Returns:
        The part of each episode, `[E]`.

    Raises:
        HandsightError: the fractions are negative or do not sum to 1.
    """
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (len(SPLITS),) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise HandsightError(
            f"split fractions are {tuple(fractions)}; expected three of at least 0 that sum to 1"
        )
    uniform = _hash(num_episodes, seed)
    part = np.minimum(np.searchsorted(np.cumsum(shares), uniform, side="right"), len(SPLITS) - 1)
    wanted = np.flatnonzero(shares > 0)
    if num_episodes >= len(SPLITS):
        for empty in (k for k in wanted if not (part == k).any()):
            largest = np.bincount(part, minlength=len(SPLITS)).argmax()
            members = np.flatnonzero(part == largest)
            part[members[np.argmax(uniform[members])]] = empty
    return np.array(SPLITS)[part]


def unknown_parts(values: npt.NDArray[Any]) -> list[str]:
    """Return the words among `values`, `[E]`, that name no part, each once."""
    words = np.asarray(values, dtype=np.str_)
    return sorted(set(words[~np.isin(words, SPLITS)].tolist()))


def _hash(count: int, seed: int) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for each episode.

    SplitMix64's finaliser (Steele et al., 2014) of seed and index.
    """
    with np.errstate(over="ignore"):
        state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state += np.uint64((seed * 0xD1342543DE82EF95) % 2**64)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / 2**53
