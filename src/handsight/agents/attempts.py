"""How an agent acts at a location, and what it takes home from there.

Learning about objects by learning to interact with them (Lohmann et al. 2020), section 4.2, I to III. Forces
are applied one after another and nothing is put back between them: the view after one is the view before the
next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handsight.agents.feedback import Labels, Mask, SelfSupervision, centre_px
from handsight.encoders.unet import STRIDE
from handsight.errors import HandsightError
from handsight.objectives.attempted import UNTESTED
from handsight.worlds.places import DIRECTIONS, FORCES_N, Location, Outcome, Place, Sight

Integers = NDArray[np.int64]


class Feedback(IntEnum):
    """What came of an attempt: of the predicted force, where anything moved at all (section 4.3)."""

    FAILED = 0
    RIGHT = 1
    TOO_SMALL = 2
    TOO_LARGE = 3


@dataclass(frozen=True)
class Acting:
    """How an agent acts.

    Args:
        forces_n: the magnitudes that a force's bin stands for, ascending, newtons.
        weigh: whether each attempt tests the predicted force, which takes up to three; otherwise only the
            largest is applied, once, and what comes of it is success or failure (the first stage of training,
            appendix D).
        smallest_twice: whether a predicted smallest force is applied twice, as in the authors' code, since
            there is none smaller to begin with: a second chance in the same direction, for some time.
        senses: how it tells what came of it.

    Raises:
        HandsightError: the forces are not above 0, finite and ascending, or there are fewer than two.
    """

    forces_n: tuple[float, ...] = FORCES_N
    weigh: bool = True
    smallest_twice: bool = True
    senses: SelfSupervision = field(default_factory=SelfSupervision)

    def __post_init__(self) -> None:
        lowest = (0.0, *self.forces_n)
        rising = all(low < high < math.inf for low, high in zip(lowest, self.forces_n, strict=False))
        if len(self.forces_n) < 2 or not rising:
            raise HandsightError(
                f"forces_n is {list(self.forces_n)}; give two or more newtons above 0, in ascending order"
            )

    def steps(self, predicted: int) -> list[tuple[int, Feedback]]:
        """Return the bins of the forces to try in turn, and what it says if it is the first to succeed.

        One smaller than predicted, the predicted one, the largest (section 4.2-II).
        """
        largest = len(self.forces_n) - 1
        if not self.weigh:
            return [(largest, Feedback.RIGHT)]
        tries = [(predicted, Feedback.RIGHT)]
        if predicted > 0:
            tries.insert(0, (predicted - 1, Feedback.TOO_LARGE))
        elif self.smallest_twice:
            tries.insert(0, (predicted, Feedback.RIGHT))
        if predicted < largest:
            tries.append((largest, Feedback.TOO_SMALL))
        return tries


@dataclass(frozen=True)
class Arrival:
    """A location, as it was before anything was done there.

    Args:
        location: where it is.
        sight: what is seen.
        labels: its superpixels, int32 `[G, G]`, or None where none are wanted.
    """

    location: Location
    sight: Sight
    labels: Labels | None


@dataclass(frozen=True)
class Attempt:
    """One attempt to move what is at a point.

    Args:
        point: row and column of the cell.
        predicted: bin of the force that was predicted; `UNTESTED` where none was tested.
        feedback: what came of it.
        mask: bool `[G, G]`, what moved, aligned with superpixels; empty where it failed.
        tries_n: forces that were applied.
    """

    point: tuple[int, int]
    predicted: int
    feedback: Feedback
    mask: Mask
    tries_n: int


@dataclass(frozen=True)
class Experience:
    """What an agent takes home from a location.

    Args:
        image: uint8 `[S, S, 3]`, the view before anything was done.
        depth_m: float32 `[S, S]`, its depth along each pixel's ray.
        room: the location's.
        seed: the location's.
        points: int64 `[N, 2]`, rows and columns of the cells acted upon.
        bins: int64 `[N]`, of the forces that were predicted; `UNTESTED` where forces were not tested; the
            mass class of what was touched where an oracle told the masks.
        feedback: int64 `[N]`, values of `Feedback`.
        masks: bool `[N, G, G]`, what moved; empty where an attempt failed.
        tries_n: int64 `[N]`, forces that were applied.
        dropped: whether the simulation failed; what came before is there, but should not be learned from.
    """

    image: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    room: str
    seed: int
    points: Integers
    bins: Integers
    feedback: Integers
    masks: Mask
    tries_n: Integers
    dropped: bool = False

    @property
    def packed_masks(self) -> NDArray[np.uint8]:
        """The masks in an eighth of the bytes, `[N, ⌈G² / 8⌉]`; `unpack_masks` is the way back."""
        count, rows, columns = self.masks.shape
        return np.packbits(self.masks.reshape(count, rows * columns), axis=1)

    @classmethod
    def of(cls, arrival: Arrival, attempts: list[Attempt], dropped: bool = False) -> Experience:
        """Put together what was seen and what was tried."""
        grid = tuple(side // STRIDE for side in arrival.sight.image.shape[:2])
        return cls(
            image=arrival.sight.image,
            depth_m=arrival.sight.depth_m,
            room=arrival.location.room,
            seed=arrival.location.seed,
            points=np.array([attempt.point for attempt in attempts], np.int64).reshape(-1, 2),
            bins=np.array([attempt.predicted for attempt in attempts], np.int64),
            feedback=np.array([attempt.feedback for attempt in attempts], np.int64),
            masks=np.array([attempt.mask for attempt in attempts], bool).reshape(-1, *grid),
            tries_n=np.array([attempt.tries_n for attempt in attempts], np.int64),
            dropped=dropped,
        )


def unpack_masks(packed: NDArray[np.uint8], grid: int) -> Mask:
    """Return masks, bool `[N, grid, grid]`, from `Experience.packed_masks`."""
    return np.unpackbits(packed, axis=1, count=grid * grid).astype(bool).reshape(-1, grid, grid)


def arrive(place: Place, location: Location, settings: Acting) -> Arrival:
    """Go to a location and look.

    Raises:
        HandsightError: there is no such room.
    """
    sight = place.enter(location)
    return Arrival(location, sight, settings.senses.groups(sight.image))


def explore(
    place: Place,
    start: Location | Arrival,
    points: ArrayLike,
    bins: ArrayLike | None,
    rng: np.random.Generator,
    settings: Acting = Acting(),
) -> Experience:
    """Act at points of a location in the order given, and judge by eye what came of each.

    Of one attempt all forces have the same direction, one of `DIRECTIONS`; the directions are drawn first, so
    that they do not depend on what happens. Where a force reaches nothing, the attempt has failed: nothing
    stronger is tried, and what else may have moved meanwhile is not taken for its doing.

    Args:
        place: where; its state is lost.
        start: a location, which is entered; or what `arrive` gave, where nothing was done since.
        points: integers `[N, 2]`, rows and columns of cells.
        bins: integers `[N]`, of the predicted forces, indices of `settings.forces_n`; None where they are not
            tested.
        rng: where the directions come from.
        settings: how.

    Returns:
        One attempt for each point; fewer, and `dropped`, if the simulation failed on the way.

    Raises:
        HandsightError: a point is outside the grid, there is no such bin, or their numbers differ.
    """
    grid = place.image_size // STRIDE
    cells, predicted = _checked(points, bins, grid, settings)
    directions = rng.integers(len(DIRECTIONS), size=len(cells))
    arrival = start if isinstance(start, Arrival) else arrive(place, start, settings)
    agent = _Agent(place, arrival, settings)
    attempts: list[Attempt] = []
    for cell, guess, direction in zip(cells.tolist(), predicted.tolist(), directions.tolist(), strict=True):
        attempt = agent.attempt((cell[0], cell[1]), guess, direction)
        if attempt is None:
            return Experience.of(arrival, attempts, dropped=True)
        attempts.append(attempt)
    return Experience.of(arrival, attempts)


class _Agent:
    """Remembers the newest view, so that each is converted once."""

    def __init__(self, place: Place, arrival: Arrival, settings: Acting) -> None:
        self._place, self._arrival, self._settings = place, arrival, settings
        self._view = settings.senses.prepare(arrival.sight.image)

    def attempt(self, point: tuple[int, int], predicted: int, direction: int) -> Attempt | None:
        """Try forces until one moves what is at the point; None if the simulation failed."""
        steps = self._settings.steps(predicted)
        senses, tries_n = self._settings.senses, 0
        for outcome, feedback in ((self._push(point, bin_, direction), told) for bin_, told in steps):
            if outcome.diverged:
                return None
            tries_n += 1
            before, self._view = self._view, senses.prepare(outcome.image)
            if not outcome.touched:
                break
            mask = senses.moved(before, self._view, self._arrival.labels)
            if senses.succeeded(mask, point):
                return Attempt(point, predicted, feedback, mask, tries_n)
        grid = tuple(side // STRIDE for side in self._arrival.sight.image.shape[:2])
        return Attempt(point, predicted, Feedback.FAILED, np.zeros(grid, bool), tries_n)

    def _push(self, point: tuple[int, int], bin_: int, direction: int) -> Outcome:
        v, u = centre_px(np.array(point)).tolist()
        return self._place.apply_force(u, v, self._settings.forces_n[bin_], direction)


def _checked(
    points: ArrayLike, bins: ArrayLike | None, grid: int, settings: Acting
) -> tuple[Integers, Integers]:
    """Refuse points and bins that cannot be acted upon."""
    cells = np.asarray(points).reshape(-1, 2) if np.size(points) else np.zeros((0, 2), np.int64)
    largest = len(settings.forces_n) - 1
    if not settings.weigh:
        bins = np.full(len(cells), UNTESTED)
    predicted = np.zeros(0, np.int64) if bins is None else np.asarray(bins).reshape(-1)
    if len(predicted) != len(cells):
        raise HandsightError(
            f"{len(cells)} points came with {len(predicted)} predicted forces; give one for each"
        )
    least = 0 if settings.weigh else UNTESTED
    for name, values, low, most in (("point", cells, 0, grid - 1), ("bin", predicted, least, largest)):
        if len(values) and not (values.dtype.kind in "iu" and values.min() >= low and values.max() <= most):
            wrong = values.dtype if values.dtype.kind not in "iu" else f"{values.min()} to {values.max()}"
            raise HandsightError(f"{name}s came as {wrong}; expected integers from 0 to {most}")
    return cells.astype(np.int64), predicted.astype(np.int64)
