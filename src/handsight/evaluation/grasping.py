"""Grasping: is it told which grasps will hold, of objects that were never grasped before?

Each grasp was tried at one angle, and that angle's log-odds is judged alone (`objectives.grasp.log_odds`). Of
grasps tried at random few hold, so plain accuracy rewards who always says no: beside it stand balanced
accuracy (the mean of the accuracies on failures and on successes) and average precision, and two controls,
who always says the more frequent and who guesses. Objects are resampled, the same for all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handsight.errors import HandsightError
from handsight.evaluation.intervals import LEVEL, RESAMPLES, resampled_sums
from handsight.evaluation.paired import check_rows, paired_table
from handsight.evaluation.table import Measure, Table

Doubles = NDArray[np.float64]

MAJORITY, GUESS = CONTROLS = ("always the more frequent", "random guess")
"""Rows that need no picture."""

MEASURES = (Measure("balanced accuracy"), Measure("accuracy"), Measure("average precision"))

_CHUNK = 4_000_000  # weights held at once


@dataclass(frozen=True)
class PrecisionRecall:
    """What share of the grasps chosen holds, and what share of those that hold is chosen, by threshold.

    Args:
        threshold: float64 `[T]`, each log-odds that came, from the highest down; grasps from it up are
            chosen.
        precision: float64 `[T]`, in [0, 1].
        recall: float64 `[T]`, in [0, 1], rising to 1.
        average_precision: Σ (recall − recall before) · precision: no interpolation, equals taken together.
    """

    threshold: Doubles
    precision: Doubles
    recall: Doubles
    average_precision: float


@dataclass(frozen=True)
class GraspBenchmark:
    """What the benchmark found: the table, and a curve for each row but the controls."""

    table: Table
    curves: Mapping[str, PrecisionRecall]


def grasp_benchmark(
    log_odds: Mapping[str, NDArray[np.floating]],
    success: ArrayLike,
    instance: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    compare: Sequence[tuple[str, str]] = (),
    title: str = "Grasps of novel objects",
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> GraspBenchmark:
    """Judge who tells which grasps hold, all on the same grasps.

    The more frequent outcome is that of these very grasps: no constant answer could do better. A guess says
    yes to half the grasps; its figures are what is expected of it, not drawn (of its average precision what
    many grasps come to: the share that held).

    Args:
        log_odds: row → `[N]`, of success at the angle tried; above 0 it is told to hold.
        success: bool `[N]`, whether the grasp held.
        instance: int64 `[N]`, the object of each.
        generator: source of the bootstrap's draws.
        compare: pairs of rows, controls among them, whose difference (first less second) is wanted.
        title: of the table.
        resamples: of the bootstrap.
        level: of the intervals.

    Raises:
        HandsightError: lengths differ, a number is not finite, an outcome is neither or missing, a row is
            called as a control, there is no row, or there are fewer than two objects.
    """
    held = _outcomes(success)
    check_rows(log_odds, held.shape, "grasps")
    if np.shape(instance) != held.shape:
        raise HandsightError(
            f"{len(held)} grasps came with {list(np.shape(instance))} objects; expected one each"
        )
    taken = set(log_odds) & set(CONTROLS)
    if taken:
        raise HandsightError(f"a row is called {taken.pop()!r}, as a control is; expected another name")
    often = 1.0 if held.mean() > 0.5 else -1.0
    rows = {name: np.asarray(values, dtype=np.float64) for name, values in log_odds.items()}
    rows[MAJORITY] = np.full(len(held), often)
    figures = {name: _figures(values, held, np.ones((1, len(held))))[0] for name, values in rows.items()}
    drawn: dict[str, list[Doubles]] = {name: [] for name in rows}
    yes_or_no = [np.full(len(held), sign) for sign in (-1.0, 1.0)]
    figures[GUESS] = _guess(yes_or_no, held, np.ones((1, len(held))))[0]
    drawn[GUESS] = []
    objects, place = np.unique(instance, return_inverse=True)
    step = max(1, _CHUNK // len(held))
    for start in range(0, resamples, step):
        # The sums of an identity say how often each object was drawn.
        counts = resampled_sums(np.eye(len(objects)), generator, min(step, resamples - start))
        weights = counts[:, place]
        for name, values in rows.items():
            drawn[name].append(_figures(values, held, weights))
        drawn[GUESS].append(_guess(yes_or_no, held, weights))
    table = paired_table(
        title,
        MEASURES,
        figures,
        {name: np.concatenate(parts) for name, parts in drawn.items()},
        len(objects),
        compare=compare,
        level=level,
        notes=(f"{held.sum()} of the {len(held)} grasps held.",),
    )
    return GraspBenchmark(table, {name: precision_recall(rows[name], held) for name in log_odds})


def precision_recall(log_odds: NDArray[np.floating], success: ArrayLike) -> PrecisionRecall:
    """Return the curve of one row; see `grasp_benchmark`."""
    held = _outcomes(success)
    check_rows({"this row": log_odds}, held.shape, "grasps")
    values = np.asarray(log_odds, dtype=np.float64)
    chosen, right, ends = _chosen_and_right(values, held, np.ones((1, len(held))))
    precision, recall = right[0] / chosen[0], right[0] / right[0, -1]
    threshold = np.sort(values)[::-1][ends]
    average = float((np.diff(recall, prepend=0.0) * precision).sum())
    return PrecisionRecall(threshold, precision, recall, average)


def _figures(values: Doubles, held: NDArray[np.bool_], weights: Doubles) -> Doubles:
    """Return balanced accuracy, accuracy and average precision under weights `[R, N]`; `[R, 3]`.

    NaN where weights leave no grasp of an outcome that a figure is about.
    """
    right = (values > 0) == held
    on = [_share(weights @ (right & outcome), weights @ outcome) for outcome in (~held, held)]
    chosen, caught, _ = _chosen_and_right(values, held, weights)
    precision = np.divide(caught, chosen, out=np.zeros_like(caught), where=chosen > 0)
    added = (np.diff(caught, axis=1, prepend=0.0) * precision).sum(axis=1)
    accuracy = weights @ right / weights.sum(axis=1)
    return np.stack([(on[0] + on[1]) / 2, accuracy, _share(added, caught[:, -1])], axis=1)


def _guess(yes_or_no: Sequence[Doubles], held: NDArray[np.bool_], weights: Doubles) -> Doubles:
    """Return what is expected of saying yes to half the grasps at random; `[R, 3]`."""
    no, yes = (_figures(values, held, weights) for values in yes_or_no)
    return (no + yes) / 2


def _chosen_and_right(
    values: Doubles, held: NDArray[np.bool_], weights: Doubles
) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
    """Return the weight of the grasps from each threshold on, and of those that held among them; `[R, T]`.

    And which number, from the highest down, is the last at each threshold, `[T]`.
    """
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order], append=np.nan) != 0)  # the last of equals; NaN ends all
    sorted_weights = weights[:, order]
    chosen = np.cumsum(sorted_weights, axis=1)[:, ends]
    right = np.cumsum(sorted_weights * held[order], axis=1)[:, ends]
    return chosen, right, ends


def _share(part: Doubles, whole: Doubles) -> Doubles:
    share: Doubles = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return share


def _outcomes(success: ArrayLike) -> NDArray[np.bool_]:
    held = np.asarray(success)
    if held.ndim != 1 or not np.isin(held, (0, 1)).all():
        raise HandsightError(
            f"outcomes of grasps are {held.dtype} {list(held.shape)}; expected true or false [N]"
        )
    if not (held == 1).any() or not (held == 0).any():
        raise HandsightError(
            f"{int((held == 1).sum())} of {len(held)} grasps held; expected some that did and some that did "
            "not: evaluate on more"
        )
    return np.asarray(held, dtype=np.bool_)
