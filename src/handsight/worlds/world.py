"""What a world is: something that makes episodes from numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from handsight.recordings.features import Feature

FactType = Literal["int64", "string", "float64", "bool"]


@dataclass(frozen=True)
class Episode:
    """One episode of T frames.

    Args:
        frames: by stream, `[T, …]` in the dtype and shape that the world's `features` declare, cameras uint8
            RGB; T is at least 1 and the same for all.
        facts: by name, as the world's `facts` declare, as plain Python values.
        task: what was done, in words, on one line.
    """

    frames: dict[str, NDArray[Any]]
    facts: dict[str, int | float | str | bool]
    task: str


class World(Protocol):
    """A world makes episodes; `collect` records them.

    An episode is a function of (options, seed, index) and of nothing else: not of which process makes it, nor
    of what that process made before, nor of other worlds in it, open, closed or dropped. Its randomness comes
    from `generator`; the global generators stay as they are. A world can be pickled; what cannot be (a
    graphics context) is opened when first needed. Whatever a world returns is the receiver's to change.

    Its options are its constructor's arguments: typed, documented in the class's docstring, each with a
    default, since they are the command line's. One that cannot be is a `HandsightError`.

    Every stream but a camera says what mirroring the picture does to it (`moves`) and, if it is of floats,
    what lies between two frames (`between`); and this is true of the pictures. Numbers lie in the range that
    their declaration names: unit `rad` within one turn either way, `rotation` and `relative_rotation` unit
    quaternions, `point` in [0, 1]; all are finite. A fact whose name ends in `_rad` is an angle likewise.

    The conformance suite asks all of this of each world in `WORLDS`.
    """

    @property
    def name(self) -> str:
        """The world's name, as recordings carry it."""

    @property
    def fps(self) -> int:
        """Frames per second."""

    @property
    def features(self) -> Mapping[str, Feature]:
        """The streams of an episode."""

    @property
    def facts(self) -> Mapping[str, FactType]:
        """The facts of an episode and their types; one called `split` holds train, validation or test."""

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it: with seed and index, all that an episode depends on."""

    def episode(self, seed: int, index: int) -> Episode:
        """Return episode `index` of the recording with this seed."""

    def close(self) -> None:
        """Give back what was opened; a later `episode` opens it again. May be called at any time."""


def generator(*numbers: int) -> np.random.Generator:
    """Return the generator that belongs to these numbers (seed, index, what for): the same one everywhere."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(numbers)))
