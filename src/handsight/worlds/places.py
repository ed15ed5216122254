"""What a place is: somewhere an agent stands, looks, and applies forces to what it sees.

Learning about objects by learning to interact with them (Lohmann et al. 2020), section 3 and appendix D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError

FORCES_N = (5.0, 30.0, 200.0)
"""Magnitudes that move what is light, medium and heavy (section 5)."""

LIGHT_KG, MEDIUM_KG = 0.5, 2.0
"""What weighs less is light, medium; the rest is heavy (section 5)."""

DIRECTIONS: NDArray[np.float64] = np.array(
    [[right, up, ahead] for right in (-1, 1) for up in (1, 2) for ahead in (-1, 1)], float
) / np.sqrt([[3.0], [3.0], [6.0], [6.0], [3.0], [3.0], [6.0], [6.0]])
"""The eight directions of a force, `[8, 3]`: to the right of the agent, up, ahead; none into the ground."""

REACH_M = 1.5
"""How far from the camera an agent reaches (appendix D)."""

VISIBLE_PIXELS_N = 10
"""What shows fewer pixels within reach is not counted among what could be found (appendix D)."""


@dataclass(frozen=True)
class Location:
    """Where the agent stands: all of it follows from these two.

    Args:
        room: by name.
        seed: of what lies where, of where the agent stands and where it looks.
    """

    room: str
    seed: int


@dataclass(frozen=True)
class Sight:
    """What the agent sees.

    Args:
        image: uint8 `[S, S, 3]`, RGB.
        depth_m: float32 `[S, S]`, from the camera to what is seen, along the ray through the pixel.
    """

    image: NDArray[np.uint8]
    depth_m: NDArray[np.float32]


class LocationError(HandsightError):
    """A place cannot be entered at a location: who draws locations draws another one."""


@dataclass(frozen=True)
class Outcome:
    """What came of a force.

    Args:
        image: uint8 `[S, S, 3]`, the view once all is at rest again.
        touched: whether the ray met anything within reach.
        diverged: whether the simulation failed, so that nothing after it can be trusted.
    """

    image: NDArray[np.uint8]
    touched: bool
    diverged: bool = False


FILM_FRAMES, FILM_STEP_S = 25, 0.05
"""Pictures of a film after the first, and how far apart they are: the authors'."""


@dataclass(frozen=True)
class Film:
    """What is seen while a force takes effect.

    Args:
        images: uint8 `[T + 1, S, S, 3]`, the view before, and T while things move; where nothing was touched
            that could, all are alike.
        touched: whether the ray met anything within reach.
        diverged: whether the simulation failed, so that nothing after it can be trusted.
    """

    images: NDArray[np.uint8]
    touched: bool
    diverged: bool = False


@dataclass(frozen=True)
class Instance:
    """A movable thing in view: the truth, for evaluation and for oracles only.

    Args:
        category: its kind.
        mass_kg: what it weighs.
        mask: bool `[S, S]`, its visible pixels.
        in_reach: whether `VISIBLE_PIXELS_N` of them are within reach.
    """

    category: str
    mass_kg: float
    mask: NDArray[np.bool_]
    in_reach: bool

    @property
    def mass_class(self) -> int:
        """0 light, 1 medium, 2 heavy."""
        return (self.mass_kg >= LIGHT_KG) + (self.mass_kg >= MEDIUM_KG)


class Place(Protocol):
    """A place can be pickled; what cannot be (a graphics context) is opened when first needed.

    What is seen and what comes of forces are functions of the place's options, the location and the forces
    since it was entered, and of nothing else, as far as its simulator repeats itself. Forces add up: a place
    is as the last one left it until it is entered again.
    """

    @property
    def name(self) -> str:
        """The place's name."""

    @property
    def image_size(self) -> int:
        """S, the side of the pictures, pixels."""

    @property
    def reach_m(self) -> float:
        """How far from the camera the agent reaches; may be infinite."""

    def rooms(self, split: str) -> Sequence[str]:
        """Return the names of the rooms of `train`, `validation` or `test`."""

    def options(self) -> dict[str, Any]:
        """Return every option as JSON can say it."""

    def enter(self, location: Location) -> Sight:
        """Go to a location as it was before anything was done there, and look.

        Raises:
            LocationError: the agent cannot be there, or the simulation failed on the way.
            HandsightError: there is no such room, or the place cannot be opened.
        """

    def apply_force(self, u: float, v: float, newtons: float, direction: int) -> Outcome:
        """Apply a force to what the ray through a pixel meets first, if that is within reach; wait for rest.

        Args:
            u: column of the pixel, from the left, in [0, S).
            v: row of the pixel, from the top, in [0, S).
            newtons: how strong.
            direction: which of `DIRECTIONS`.

        Raises:
            HandsightError: the pixel is outside the picture, the force not above 0, no such direction, or no
                location was entered.
        """

    def instances(self) -> list[Instance]:
        """Return what could be moved, as it is now."""

    def close(self) -> None:
        """Give back what was opened; `enter` opens it again. May be called at any time."""


class FilmedPlace(Place, Protocol):
    """A place in which what happens can be watched, not only what came of it."""

    def film(
        self,
        u: float,
        v: float,
        newtons: float,
        direction: int,
        frames: int = FILM_FRAMES,
        step_s: float = FILM_STEP_S,
    ) -> Film:
        """Apply a force as `apply_force` does, and film what comes of it; then wait for rest.

        Args:
            u: column of the pixel, from the left, in [0, S).
            v: row of the pixel, from the top, in [0, S).
            newtons: how strong.
            direction: which of `DIRECTIONS`.
            frames: pictures after the first, 1 or more.
            step_s: from one to the next.

        Raises:
            HandsightError: as `apply_force`, and for a film of no pictures or no time.
        """


def check_film(frames: int, step_s: float) -> None:
    """Refuse a film that cannot be made; arguments as `FilmedPlace.film`'s.

    Raises:
        HandsightError: saying what came and what can be.
    """
    if frames < 1:
        raise HandsightError(f"a film of {frames} pictures cannot be made; give 1 or more")
    if not (step_s > 0 and math.isfinite(step_s)):  # written so that NaN is refused too
        raise HandsightError(
            f"a film with {step_s:g} s from picture to picture cannot be made; give more than 0"
        )


def check_force(image_size: int, u: float, v: float, newtons: float, direction: int) -> None:
    """Refuse a force that cannot be applied; arguments as `Place.apply_force`'s.

    Raises:
        HandsightError: saying what came and what can be.
    """
    if not (0 <= u < image_size and 0 <= v < image_size):  # written so that NaN is refused too
        raise HandsightError(
            f"pixel ({u:g}, {v:g}) is outside the picture; columns and rows go from 0 to {image_size - 1}"
        )
    if not (newtons > 0 and math.isfinite(newtons)):
        raise HandsightError(f"a force of {newtons:g} N cannot be applied; give newtons above 0")
    if not 0 <= direction < len(DIRECTIONS):
        raise HandsightError(f"there is no direction {direction}; give 0 to {len(DIRECTIONS) - 1}")
