"""Which prediction found which object, picture by picture, so that pictures can be resampled.

`Matches.precision` is COCO's average precision for any multiset of the pictures: predictions are matched and
ordered once, and a drawn picture only weighs its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handsight.errors import HandsightError
from handsight.evaluation.detection import (
    MASS_CLASSES,
    MOST_N,
    Kind,
    Picture,
    Precision,
    average_precision,
)

Doubles = NDArray[np.float64]

OVERLAPS: Doubles = np.linspace(0.5, 0.95, 10)
"""Intersections over union that COCO averages over."""

RECALLS: Doubles = np.linspace(0.0, 1.0, 101)
"""Recalls at which COCO reads precision."""


def match(overlaps: Doubles, thresholds: Doubles = OVERLAPS) -> NDArray[np.int64]:
    """Give each prediction the object that it overlaps most, if that is enough and nobody before took it.

    Args:
        overlaps: `[M, N]`, predictions in the order in which they choose.
        thresholds: `[T]`, what is enough.

    Returns:
        int64 `[T, M]`: which object, or −1. Of equal overlaps the last object is taken, as in COCO.
    """
    predictions, objects = overlaps.shape
    chosen = np.full((len(thresholds), predictions), -1)
    if not objects:
        return chosen
    free = np.ones((len(thresholds), objects), bool)
    enough = np.minimum(thresholds, 1 - 1e-10)[:, None]
    rows = np.arange(len(thresholds))
    for number, row in enumerate(overlaps):
        left = np.where(free & (row >= enough), row, -1.0)
        best = objects - 1 - left[:, ::-1].argmax(axis=1)
        found = left[rows, best] >= 0
        chosen[found, number] = best[found]
        free[rows[found], best[found]] = False
    return chosen


@dataclass(frozen=True)
class _Class:
    """The predictions of one class in all pictures, surest first."""

    owner: NDArray[np.int64]  # [D], the picture of each
    hits: NDArray[np.bool_]  # [T, D]
    objects: NDArray[np.int64]  # [P], how many there are to be found

    def precision(self, times: Doubles) -> Doubles | None:
        """Return average precision at each threshold, or None where nothing is there to be found."""
        total = float(times @ self.objects)
        if not total:
            return None
        weights = times[self.owner]
        seen = np.cumsum(weights)
        right = np.cumsum(self.hits * weights, axis=1)
        exact = right / np.maximum(seen, np.spacing(1))
        # The best precision at this recall or any higher one.
        best = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
        padded = np.concatenate([best, np.zeros((len(best), 1))], axis=1)
        places = [np.searchsorted(recall, RECALLS) for recall in right / total]
        return np.array([row[place].mean() for row, place in zip(padded, places, strict=True)])


class Matches:
    """What was found in each picture.

    Args:
        pictures: all of them.
        kind: whether boxes or masks have to overlap.
        by_mass: whether a prediction also has to tell the mass class.
    """

    def __init__(self, pictures: Sequence[Picture], kind: Kind, *, by_mass: bool = False) -> None:
        self.pictures_n = len(pictures)
        overlaps = [picture.overlaps(kind) for picture in pictures]
        classes = range(len(MASS_CLASSES)) if by_mass else [None]
        self._classes = [_of_class(pictures, overlaps, number) for number in classes]

    def precision(self, drawn: ArrayLike | None = None) -> Precision:
        """Return average precision over pictures.

        Args:
            drawn: indices of pictures, each as often as it shall count; by default each once.

        Raises:
            HandsightError: there is no such picture, or none was drawn.
        """
        which = np.arange(self.pictures_n) if drawn is None else np.asarray(drawn)
        if (
            not len(which)
            or which.dtype.kind not in "iu"
            or not 0 <= which.min() <= which.max() < self.pictures_n
        ):
            raise HandsightError(
                f"{len(which)} pictures were drawn of {self.pictures_n}; expected one or more indices from 0 "
                f"to {self.pictures_n - 1}"
            )
        times = np.bincount(which, minlength=self.pictures_n).astype(np.float64)
        found = [figures for one in self._classes if (figures := one.precision(times)) is not None]
        if not found:
            return Precision(float("nan"), float("nan"))
        return Precision(float(np.mean(found)), float(np.mean([figures[0] for figures in found])))


def confusion(pictures: Sequence[Picture]) -> NDArray[np.int64]:
    """Count what mass was told of each object whose box was found (an overlap of 0.5), by picture.

    Predictions of all classes compete for an object, surest first, as in the authors' code.

    Returns:
        int64 `[P, 3, 3]`: pictures, true classes, predicted classes. Sum pictures for the paper's table 4.
    """
    counts = np.zeros((len(pictures), len(MASS_CLASSES), len(MASS_CLASSES)), np.int64)
    for table, picture in zip(counts, pictures, strict=True):
        order, there = _ordered(picture, None)
        chosen = match(picture.overlaps("box")[np.ix_(order, there)], OVERLAPS[:1])[0]
        found = chosen >= 0
        rows, columns = picture.truth.bins[there[chosen[found]]], picture.predicted.bins[order[found]]
        np.add.at(table, (rows, columns), 1)
    return counts


def rows_normalised(counts: ArrayLike) -> Doubles:
    """Return a confusion matrix whose rows sum to 1, `[3, 3]`; NaN in a row of which none was found."""
    table = np.asarray(counts, np.float64)
    totals = table.sum(axis=1, keepdims=True)
    shares: Doubles = np.divide(table, totals, out=np.full_like(table, np.nan), where=totals > 0)
    return shares


def class_accuracy(counts: ArrayLike) -> float:
    """Return accuracy averaged over true classes, [0, 1], from a confusion matrix `[3, 3]`.

    Classes of which no object was found are left out; NaN where there are none.
    """
    right = np.diag(rows_normalised(counts))
    defined = right[~np.isnan(right)]
    return float(defined.mean()) if len(defined) else float("nan")


def detection_scores(pictures: Sequence[Picture]) -> dict[str, float]:
    """Return the figures of the paper's tables 1 and 2, in [0, 1]; NaN where nothing is there to be found.

    Returns:
        `box_ap50`, `box_ap`, `mask_ap50`, `mask_ap`, `mass_accuracy` (mean over classes, of objects whose box
        was found) and `mass_box_ap50`.

    Raises:
        HandsightError: there are no pictures.
    """
    box, mask = average_precision(pictures, "box"), average_precision(pictures, "mask")
    return {
        "box_ap50": box.ap50,
        "box_ap": box.ap,
        "mask_ap50": mask.ap50,
        "mask_ap": mask.ap,
        "mass_accuracy": class_accuracy(confusion(pictures).sum(axis=0)),
        "mass_box_ap50": average_precision(pictures, "box", by_mass=True).ap50,
    }


def _ordered(picture: Picture, number: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the predictions of a class, or of all, in the order in which they choose, and the true objects.

    Surest first. Where all classes are one, COCO still goes through them one by one: of what is equally sure,
    or equally overlapped, the order is by class.
    """
    found, there = (
        np.argsort(side.bins, kind="stable") if number is None else np.flatnonzero(side.bins == number)
        for side in (picture.predicted, picture.truth)
    )
    return found[np.argsort(-picture.predicted.scores[found], kind="stable")][:MOST_N], there


def _of_class(pictures: Sequence[Picture], overlaps: Sequence[Doubles], number: int | None) -> _Class:
    """Match the predictions of a class, or of all, with the objects of that class, or all."""
    owner, scores, objects = [], [], []
    hits = [np.zeros((len(OVERLAPS), 0), bool)]
    for place, (picture, overlap) in enumerate(zip(pictures, overlaps, strict=True)):
        found, there = _ordered(picture, number)
        hits.append(match(overlap[np.ix_(found, there)]) >= 0)
        owner.append(np.full(len(found), place))
        scores.append(picture.predicted.scores[found])
        objects.append(len(there))
    surest = np.argsort(-np.concatenate([*scores, np.zeros(0)]), kind="stable")
    owners = np.concatenate([*owner, np.zeros(0, np.int64)])
    return _Class(owners[surest], np.concatenate(hits, axis=1)[:, surest], np.array(objects, np.int64))
