"""Pushing and poking: how far from what was done is what was told of pictures, in metres and degrees?

A push (The Curious Robot, ECCV 2016, section 3.2) is five numbers, as the streams `push.start`, `push.end`
and `push.height_m` have them: x and y of where the hand began and ended, in [0, 1] of the picture, and its
height in metres. A poke (section 3.3) is the slope and the intercept of a line. Beside every row stands a
control that tells the training set's mean of all. Objects are resampled, the same for all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.intervals import LEVEL, RESAMPLES
from handsight.evaluation.paired import check_rows, ratio_table
from handsight.evaluation.table import Measure, Table

Doubles = NDArray[np.float64]

MEAN = "training mean"
"""The row of the control."""

PUSH_MEASURES = (
    Measure("start error (m)", percent=False, higher_is_better=False, decimals=3),
    Measure("end error (m)", percent=False, higher_is_better=False, decimals=3),
    Measure("direction error (°)", percent=False, higher_is_better=False),
    Measure("height error (m)", percent=False, higher_is_better=False, decimals=4),
)

POKE_MEASURES = (
    Measure("slope error / training mean's", percent=False, higher_is_better=False, decimals=2),
    Measure("intercept error / training mean's", percent=False, higher_is_better=False, decimals=2),
)


@dataclass(frozen=True)
class PushErrors:
    """How far pushes that were told are from those that were done, all ≥ 0.

    Args:
        start_m: float64 `[N]`, between the points where the hand began, metres.
        end_m: float64 `[N]`, between those where it ended, metres.
        angle_deg: float64 `[N]`, between the directions, in [0, 180]; 90, as a guess has in the mean, where a
            push was told that goes nowhere.
        height_m: float64 `[N]`, between the heights, metres.
    """

    start_m: Doubles
    end_m: Doubles
    angle_deg: Doubles
    height_m: Doubles

    def stacked(self) -> Doubles:
        """Return the errors as `[N, 4]`, in the order of `PUSH_MEASURES`."""
        return np.stack([self.start_m, self.end_m, self.angle_deg, self.height_m], axis=1)


def push_errors(
    predicted: NDArray[np.floating],
    done: NDArray[np.floating],
    picture_m: float | tuple[float, float],
) -> PushErrors:
    """Compare pushes in metres, so that directions are right in pictures that are not square too.

    Args:
        predicted: `[N, 5]`: x and y of the start, x and y of the end in [0, 1] of the picture, height in m.
        done: `[N, 5]`, likewise; each leads somewhere.
        picture_m: width and height of what the picture shows of the table, metres; one number for a square.

    Raises:
        HandsightError: shapes differ, a number is not finite, a push that was done has no length, or the
            picture shows nothing.
    """
    size = np.broadcast_to(np.asarray(picture_m, dtype=np.float64), 2)
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise HandsightError(f"a picture shows {picture_m} m; expected a width and a height above 0")
    truth = _measured(done, 5, "pushes")
    check_rows({"this row": predicted}, truth.shape, "pushes")
    told = np.asarray(predicted, dtype=np.float64)
    (start, end, way), (told_start, told_end, told_way) = (_in_metres(push, size) for push in (truth, told))
    nowhere = np.flatnonzero((way == 0).all(axis=1))
    if len(nowhere):
        raise HandsightError(
            f"{len(nowhere)} of {len(truth)} pushes end where they began (the first is row {nowhere[0]}), "
            "which has no direction; leave them out"
        )
    # By sine and cosine of the angle between: it needs no wrapping, and is exact where it is small.
    across = way[:, 0] * told_way[:, 1] - way[:, 1] * told_way[:, 0]
    angle = np.degrees(np.abs(np.arctan2(across, (way * told_way).sum(axis=1))))
    return PushErrors(
        np.linalg.norm(told_start - start, axis=1),
        np.linalg.norm(told_end - end, axis=1),
        np.where((told_way == 0).all(axis=1), 90.0, angle),
        np.abs(told[:, 4] - truth[:, 4]),
    )


def push_table(
    predicted: Mapping[str, NDArray[np.floating]],
    done: NDArray[np.floating],
    training_mean: NDArray[np.floating],
    instance: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    picture_m: float | tuple[float, float],
    compare: Sequence[tuple[str, str]] = (),
    title: str = "Pushes of novel objects",
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Table:
    """Return the mean errors of each row and of the training mean; see `push_errors`.

    Args:
        predicted: row → `[N, 5]`, of the same pushes.
        done: `[N, 5]`.
        training_mean: `[5]`, of the pushes learned from.
        instance: int64 `[N]`, the object of each.
        generator: source of the bootstrap's draws.
        picture_m: see `push_errors`.
        compare: pairs of rows, `MEAN` among them, whose difference (first less second) is wanted.
        title: of the table.
        resamples: of the bootstrap.
        level: of the intervals.

    Raises:
        HandsightError: as for `push_errors`; there is no row, or one is called as the control; or there are
            fewer than two objects.
    """
    rows = _with_mean(predicted, _measured(done, 5, "pushes"), training_mean, instance, "pushes")
    errors = {name: push_errors(values, done, picture_m).stacked() for name, values in rows.items()}
    ones = np.ones((len(done), len(PUSH_MEASURES)))
    return ratio_table(
        *(title, PUSH_MEASURES, errors, ones, instance, generator),
        compare=compare,
        resamples=resamples,
        level=level,
    )


def poke_table(
    predicted: Mapping[str, NDArray[np.floating]],
    measured: NDArray[np.floating],
    training_mean: NDArray[np.floating],
    instance: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    compare: Sequence[tuple[str, str]] = (),
    title: str = "Pokes of novel objects",
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Table:
    """Return the absolute errors of slope and intercept, over those of the training mean: 1 is no better.

    Args:
        predicted: row → `[N, 2]`, slope and intercept, in the units that were measured.
        measured: `[N, 2]`.
        training_mean: `[2]`, of the pokes learned from.
        instance: int64 `[N]`, the object of each.
        generator: source of the bootstrap's draws.
        compare: pairs of rows, `MEAN` among them, whose difference (first less second) is wanted.
        title: of the table.
        resamples: of the bootstrap.
        level: of the intervals.

    Raises:
        HandsightError: shapes differ, a number is not finite, there is no row, or one is called as the
            control; the training mean tells all pokes exactly; or there are fewer than two objects.
    """
    truth = _measured(measured, 2, "pokes")
    rows = _with_mean(predicted, truth, training_mean, instance, "pokes")
    errors = {name: np.abs(values - truth) for name, values in rows.items()}
    if (errors[MEAN].sum(axis=0) == 0).any():
        raise HandsightError(
            "the training mean tells the slope or the intercept of every poke exactly; expected pokes that "
            "differ: evaluate on more"
        )
    return ratio_table(
        *(title, POKE_MEASURES, errors, errors[MEAN], instance, generator),
        compare=compare,
        resamples=resamples,
        level=level,
    )


def _in_metres(push: Doubles, size: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return where pushes begin, where they end, and the way between; `[N, 2]` each."""
    start, end = push[:, :2] * size, push[:, 2:4] * size
    return start, end, end - start


def _measured(values: NDArray[np.floating], numbers: int, what: str) -> Doubles:
    truth = np.asarray(values, dtype=np.float64)
    if truth.ndim != 2 or truth.shape[1] != numbers or not len(truth) or not np.isfinite(truth).all():
        raise HandsightError(
            f"{what} that were done came as {list(truth.shape)}; expected finite numbers [N, {numbers}]"
        )
    return truth


def _with_mean(
    predicted: Mapping[str, NDArray[np.floating]],
    truth: Doubles,
    training_mean: NDArray[np.floating],
    instance: NDArray[np.int64],
    what: str,
) -> dict[str, Doubles]:
    """Return the rows in float64, and the control's."""
    check_rows(predicted, truth.shape, what)
    check_rows({MEAN: training_mean}, truth.shape[1:], what)
    if MEAN in predicted:
        raise HandsightError(f"a row is called {MEAN!r}, as the control is; expected another name")
    if np.shape(instance) != truth.shape[:1]:
        raise HandsightError(
            f"{len(truth)} {what} came with {list(np.shape(instance))} objects; expected one each"
        )
    rows = {name: np.asarray(values, dtype=np.float64) for name, values in predicted.items()}
    return rows | {MEAN: np.broadcast_to(np.asarray(training_mean, dtype=np.float64), truth.shape)}
