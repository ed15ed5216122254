"""Folds: whole instances are left out, so that categories are told of objects that were never seen.

- `leave_one_out`: in each fold one instance of every category is drawn for the test (Lai et al., ICRA 2011,
  "A large-scale hierarchical multi-view RGB-D object dataset", section VI, has ten such folds); the data set
  UW RGB-D is measured so in The Curious Robot (ECCV 2016, section 4.2).
- `instance_folds`: every instance is in the test of one fold and of no other.

An instance is a pair of category and instance number, so that numbers may begin anew in each category.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handsight.errors import HandsightError
from handsight.evaluation.features import Features, LabelledFrames

Ints = NDArray[np.int64]
Labelled = TypeVar("Labelled", Features, LabelledFrames)

log = logging.getLogger("handsight")

FOLDS = 10
"""Folds of Lai et al.'s protocol."""


@dataclass(frozen=True)
class Fold:
    """Which rows are for what; no instance is in two of them.

    Args:
        train: int64, ascending; holds every category that is measured.
        validation: int64, ascending; may be empty.
        test: int64, ascending.
        unvalidated: int64, the categories of which `validation` holds nothing, for too few of their instances
            are left.
    """

    train: Ints
    validation: Ints
    test: Ints
    unvalidated: Ints


@dataclass(frozen=True)
class FoldScores:
    """Scores of all folds' test frames, one after the other.

    Args:
        score: float64 `[M]`.
        instance: int64 `[M]`, a number for each instance of each category: what intervals resample. An
            instance that was in several tests keeps its number.
        row: int64 `[M]`, which frame it was.
        fold: int64 `[M]`, in which fold.
    """

    score: NDArray[np.float64]
    instance: Ints
    row: Ints
    fold: Ints


def leave_one_out(
    category: Ints,
    instance: Ints,
    generator: np.random.Generator,
    *,
    folds: int = FOLDS,
    single: Literal["refuse", "leave out"] = "refuse",
) -> Iterator[Fold]:
    """Leave one instance of every category out for the test, drawn anew in each fold.

    A further one of each category is left out for validation where there are three or more; of the others,
    validation holds nothing, which is logged and stands in `Fold.unvalidated`.

    Args:
        category: `[N]`.
        instance: `[N]`, within its category or over all.
        generator: draws the instances.
        folds: how many.
        single: what becomes of a category with one instance, which cannot be both learned and tested: it is
            refused, or left out of all parts.

    Raises:
        HandsightError: there are no rows, or lengths differ; `folds` is below 1; a category has one instance
            and is not to be left out; none or one is left.
    """
    if folds < 1:
        raise HandsightError(f"leave-one-out got {folds} folds; expected at least 1, such as {FOLDS}")
    things = _instances(category, instance, single)
    return _drawn(things, generator, folds)


def instance_folds(
    category: Ints,
    instance: Ints,
    generator: np.random.Generator,
    *,
    folds: int = FOLDS,
    single: Literal["refuse", "leave out"] = "refuse",
) -> Iterator[Fold]:
    """Divide the instances, so that each is in the test of one fold; a category's are spread over the folds.

    In each fold a further instance of every category is left out for validation where two or more are not in
    the test; see `leave_one_out`.

    Args:
        category: `[N]`.
        instance: `[N]`, within its category or over all.
        generator: draws which instance is in which fold.
        folds: how many, at least 2 and no more than there are instances.
        single: what becomes of a category with one instance; see `leave_one_out`.

    Raises:
        HandsightError: as for `leave_one_out`, or there are more folds than instances.
    """
    things = _instances(category, instance, single)
    count = len(things.category)
    if not 2 <= folds <= count:
        raise HandsightError(
            f"{count} instances were to be divided into {folds} folds; give 2 to {count} folds"
        )
    return _divided(things, generator, folds)


def score_folds(
    folds: Iterable[Fold], score: Callable[[Fold], ArrayLike], category: Ints, instance: Ints
) -> FoldScores:
    """Score a classifier in every fold.

    `bootstrap_interval(scores.score, scores.instance, generator)` is then the mean with its interval over
    instances.

    Args:
        folds: see `leave_one_out` and `instance_folds`.
        score: trains on a fold's `train`, chooses on its `validation` and says of each row of `test` whether
            it was right (or any number): `[len(fold.test)]`, as `linear_accuracy(...).correct` does.
        category: `[N]`, as the folds were made of.
        instance: `[N]`, likewise.

    Raises:
        HandsightError: there is no fold, or `score` did not return a finite number for each row.
    """
    _check(category, instance)
    number = _numbered(category, instance)
    scores, rows, which = [], [], []
    for place, fold in enumerate(folds):
        values = np.asarray(score(fold), dtype=np.float64)
        if values.shape != fold.test.shape or not np.isfinite(values).all():
            raise HandsightError(
                f"fold {place} was scored with {list(values.shape)} numbers for {len(fold.test)} test rows; "
                "expected a finite number for each"
            )
        scores.append(values)
        rows.append(fold.test)
        which.append(np.full(len(values), place, dtype=np.int64))
    if not scores:
        raise HandsightError("there were no folds to score; expected at least one: folds can be read once")
    row = np.concatenate(rows)
    return FoldScores(np.concatenate(scores), number[row], row, np.concatenate(which))


def take(labelled: Labelled, rows: Ints) -> Labelled:
    """Return some rows of features, or of frames that can be read: a part of a fold."""
    columns = {field.name: getattr(labelled, field.name) for field in fields(labelled)}
    taken: dict[str, Any] = {
        name: values[rows] for name, values in columns.items() if isinstance(values, np.ndarray)
    }
    return replace(labelled, **taken)


@dataclass(frozen=True)
class _Instances:
    """The instances that are divided.

    Args:
        thing: int64 `[N]`, the number of each row's instance, from 0; −1 where it is left out.
        category: int64 `[I]`, of each instance, ascending.
    """

    thing: Ints
    category: Ints

    def fold(self, test: NDArray[np.bool_], generator: np.random.Generator) -> Fold:
        """Make a fold of the instances in the test, bool `[I]`; validation is drawn from the others."""
        validation = np.zeros_like(test)
        unvalidated = []
        for one in np.unique(self.category):
            others = np.flatnonzero((self.category == one) & ~test)
            drawn = int(generator.integers(len(others)))  # drawn always: one category leaves others' draws
            if len(others) > 1:
                validation[others[drawn]] = True
            else:
                unvalidated.append(one)
        train = ~(test | validation)
        learned, chosen, measured = (self._rows(part) for part in (train, validation, test))
        return Fold(learned, chosen, measured, np.array(unvalidated, dtype=np.int64))

    def _rows(self, part: NDArray[np.bool_]) -> Ints:
        return np.flatnonzero((self.thing >= 0) & part[self.thing])


def _drawn(things: _Instances, generator: np.random.Generator, folds: int) -> Iterator[Fold]:
    for _ in range(folds):
        test = np.zeros(len(things.category), dtype=np.bool_)
        for one in np.unique(things.category):
            mine = np.flatnonzero(things.category == one)
            test[mine[generator.integers(len(mine))]] = True
        yield things.fold(test, generator)


def _divided(things: _Instances, generator: np.random.Generator, folds: int) -> Iterator[Fold]:
    # Instances of a category stand together, so dealing them out in turn spreads each over the folds.
    order = [generator.permutation(np.flatnonzero(things.category == c)) for c in np.unique(things.category)]
    dealt = np.empty(len(things.category), dtype=np.int64)
    dealt[np.concatenate(order)] = np.arange(len(dealt)) % folds
    for place in range(folds):
        yield things.fold(dealt == place, generator)


def _instances(category: Ints, instance: Ints, single: str) -> _Instances:
    """Number the instances of the categories that can be tested."""
    _check(category, instance)
    thing = _numbered(category, instance)
    _, first = np.unique(thing, return_index=True)
    owner = np.asarray(category)[first]
    categories, count = np.unique(owner, return_counts=True)
    lonely = categories[count == 1]
    if len(lonely) and single == "refuse":
        raise HandsightError(
            f"{len(lonely)} of {len(categories)} categories have one instance ({_listed(lonely)}); expected "
            'at least 2, one to learn from and one to test: leave them out with single="leave out"'
        )
    kept = ~np.isin(owner, lonely)
    if len(categories) - len(lonely) < 2:
        raise HandsightError(
            f"{len(categories) - len(lonely)} of {len(categories)} categories have two instances or more; "
            "expected at least 2 categories to tell apart"
        )
    pairs = categories[count == 2]
    if len(pairs):
        log.warning(
            "%d of %d categories have two instances (%s): one is tested and one learned from, and validation "
            "holds none of them in such a fold",
            *(len(pairs), len(categories), _listed(pairs)),
        )
    renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
    return _Instances(renumbered[thing], owner[kept])


def _numbered(category: Ints, instance: Ints) -> Ints:
    """Number the pairs of category and instance from 0, in ascending order; `[N]`."""
    _, number = np.unique(np.stack([category, instance], axis=1), axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def _check(category: Ints, instance: Ints) -> None:
    one, other = np.asarray(category), np.asarray(instance)
    whole = all(labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer) for labels in (one, other))
    if not whole or len(one) != len(other) or not len(one):
        raise HandsightError(
            f"folds got categories {one.dtype} {list(one.shape)} and instances {other.dtype} "
            f"{list(other.shape)}; expected integers [N], one each for every frame"
        )


def _listed(categories: Ints) -> str:
    return ", ".join(str(one) for one in categories[:5]) + (", …" if len(categories) > 5 else "")
