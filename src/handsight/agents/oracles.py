"""What an agent would do, or see, if it were told the truth: the oracles of the paper's table 1, rows d to f.

Learning about objects by learning to interact with them (Lohmann et al. 2020), appendix D, "Providing more
supervision". Truth is that of the location before anything was done there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handsight.agents.attempts import Arrival, Attempt, Experience, Feedback
from handsight.agents.choosing import Integers
from handsight.agents.feedback import Mask, SelfSupervision, sample
from handsight.errors import HandsightError
from handsight.worlds.places import Instance


def told_points(
    rng: np.random.Generator,
    points: Integers,
    instances: Sequence[Instance],
    depth_m: NDArray[np.float32],
    reach_m: float,
    most: int | None = None,
) -> tuple[Integers, Integers]:
    """Leave at most one point on each movable thing in reach, and add one for each that has none.

    The first point on a thing stays; other points are not affected, so that the agent finds its own
    negatives. A thing counts if the middle of at least one cell shows it within reach; only such cells are on
    it.

    Args:
        rng: where points are added.
        points: int64 `[N, 2]`, rows and columns of cells.
        instances: the truth.
        depth_m: float32 `[S, S]`, along each pixel's ray.
        reach_m: how far the agent reaches.
        most: of more points than this, those on no thing are left out first, last ones first; then the last
            things'. By default N, as in the authors' code, so that oracles cost no more forces than models.

    Returns:
        int64 `[M, 2]`, points in the order given, then those added; int64 `[M]`, which of `points` each was,
        −1 for those added.
    """
    within = sample(depth_m <= reach_m)
    open_things = [cells for thing in instances if (cells := sample(thing.mask) & within).any()]
    kept: list[tuple[int, int, int]] = []  # row, column, which
    on_things: list[bool] = []
    touched = [False] * len(open_things)
    for which, (row, column) in enumerate(points.tolist()):
        things = [number for number, cells in enumerate(open_things) if cells[row, column]]
        if things and all(touched[number] for number in things):
            continue
        for number in things:
            touched[number] = True
        kept.append((row, column, which))
        on_things.append(bool(things))
    for number, cells in enumerate(open_things):
        if not touched[number]:
            row, column = rng.choice(np.argwhere(cells)).tolist()
            kept.append((row, column, -1))
            on_things.append(True)
    most = len(points) if most is None else most
    others = [place for place, on in enumerate(on_things) if not on]
    surplus = set(others[len(others) - min(len(others), max(0, len(kept) - most)) :])
    left = [entry for place, entry in enumerate(kept) if place not in surplus][:most]
    table = np.array(left, np.int64).reshape(-1, 3)
    return table[:, :2], table[:, 2]


def told_masks(
    points: Integers, instances: Sequence[Instance], depth_m: NDArray[np.float32], reach_m: float
) -> Mask:
    """Return the true mask of what is at each point.

    Args:
        points: int64 `[N, 2]`, rows and columns of cells.
        instances: the truth.
        depth_m: float32 `[S, S]`, along each pixel's ray.
        reach_m: how far the agent reaches.

    Returns:
        bool `[N, G, G]`: all that is seen of the thing, read in the middle of each cell; empty where the
        point is on no movable thing, or out of reach.
    """
    things = [sample(thing.mask) for thing in instances]
    touched = _touched(points, things, depth_m, reach_m)
    masks = np.zeros((len(points), *sample(depth_m).shape), bool)
    for mask, number in zip(masks, touched, strict=True):
        if number is not None:
            mask[:] = things[number]
    return masks


def _touched(
    points: Integers, things: Sequence[Mask], depth_m: NDArray[np.float32], reach_m: float
) -> list[int | None]:
    """Return which of the things, whose masks on the grid these are, is at each point within reach."""
    within = sample(depth_m <= reach_m)
    touched = []
    for row, column in points.tolist():
        if not (0 <= row < len(within) and 0 <= column < len(within)):
            raise HandsightError(f"point {(row, column)} is outside the grid of {within.shape} cells")
        at = (number for number, thing in enumerate(things) if thing[row, column])
        touched.append(next(at, None) if within[row, column] else None)
    return touched


def told_experience(
    arrival: Arrival,
    points: Integers,
    instances: Sequence[Instance],
    reach_m: float,
    senses: SelfSupervision,
) -> Experience:
    """Return what the agent would learn from if it were told the masks: nothing is pushed.

    Success is judged as ever, by the mask around the point. The force's bin is the mass class of what is
    touched, told too: no force was tested, and what moves a thing may be another bin's. On nothing it is 0.

    Args:
        arrival: where it is.
        points: int64 `[N, 2]`, rows and columns of cells.
        instances: the truth.
        reach_m: how far the agent reaches.
        senses: by which success is judged.
    """
    depth_m = arrival.sight.depth_m
    masks = told_masks(points, instances, depth_m, reach_m)
    touched = _touched(points, [sample(thing.mask) for thing in instances], depth_m, reach_m)
    attempts = []
    for (row, column), mask, number in zip(points.tolist(), masks, touched, strict=True):
        works = senses.succeeded(mask, (row, column))
        feedback = Feedback.RIGHT if works else Feedback.FAILED
        mass = 0 if number is None else instances[number].mass_class
        attempts.append(Attempt((row, column), mass, feedback, mask if works else np.zeros_like(mask), 0))
    return Experience.of(arrival, attempts)
