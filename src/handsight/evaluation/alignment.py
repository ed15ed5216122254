"""Viewpoint-wise alignment: are different objects of one category alike where they are seen alike?

The similarity of different objects of one category as a function of the difference of their viewpoints, after
action-aware self-supervised learning (Aubret, Teulière and Triesch, ECCV 2024), and one figure for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.features import Features

Doubles = NDArray[np.float64]

BINS = 12
"""Bins of the viewpoint difference, from 0° to 180°."""

PARTNERS = 16
"""Other clips of its category that each clip is compared with at most."""


@dataclass(frozen=True)
class Alignment:
    """How the views of different objects of one category correspond.

    Args:
        difference_rad: float64 `[BINS]`, middle of each bin of viewpoint differences, in [0, π].
        similarity: float64 `[BINS]`, mean cosine of centred embeddings in it; NaN where a bin has no pair.
        aligned: float64 `[N]`, per frame, in [0, 1]: of another object's views, the share that is less like
            this one than the view from the same side, ties counting half; the mean over other objects. 1
            where embeddings know the viewpoint and nothing else, 0.5 where they know nothing of it. NaN where
            there is no other object.
    """

    difference_rad: Doubles
    similarity: Doubles
    aligned: Doubles

    @property
    def answerable(self) -> NDArray[np.bool_]:
        """Which frames have another object of their category."""
        return ~np.isnan(self.aligned)


def viewpoint_alignment(
    features: Features, angle_rad: NDArray[np.floating], generator: np.random.Generator
) -> Alignment:
    """Compare each clip with clips of other objects of its category.

    Embeddings are centred by the mean over all frames, so that what all pictures share does not count as
    likeness, and brought to unit length; an embedding that does not vary is 0, and alike to nothing.

    Args:
        features: of test frames.
        angle_rad: `[N]`, from which side each frame shows its object, in the category's own frame.
        generator: chooses the partners where there are more than `PARTNERS`.

    Raises:
        HandsightError: angles and frames differ in number, or an angle is not finite.
    """
    angle = np.asarray(angle_rad, dtype=np.float64)
    if angle.shape != (len(features),) or not np.isfinite(angle).all():
        raise HandsightError(
            f"{len(features)} frames came with {angle.shape} viewpoints; expected one finite angle each"
        )
    unit = _centred(features)
    clips, first = np.unique(features.clip, return_index=True)
    rows = {int(clip): np.flatnonzero(features.clip == clip) for clip in clips}
    category, thing = features.category[first], features.object[first]
    sums, counts = np.zeros(BINS), np.zeros(BINS)
    aligned = np.full(len(features), np.nan)
    for number, clip in enumerate(clips):
        others = clips[(category == category[number]) & (thing != thing[number])]
        if not len(others):
            continue
        if len(others) > PARTNERS:
            others = generator.choice(others, PARTNERS, replace=False)
        mine = rows[int(clip)]
        shares = []
        for other in others:
            theirs = rows[int(other)]
            cosine = unit[mine] @ unit[theirs].T
            apart = _apart(angle[mine][:, None], angle[theirs][None, :])
            bins = np.minimum((apart / np.pi * BINS).astype(np.int64), BINS - 1)
            sums += np.bincount(bins.ravel(), weights=cosine.ravel(), minlength=BINS)
            counts += np.bincount(bins.ravel(), minlength=BINS)
            shares.append(_share_below(cosine, apart.argmin(axis=1)))
        aligned[mine] = np.mean(shares, axis=0)
    middle = (np.arange(BINS) + 0.5) * np.pi / BINS
    return Alignment(middle, np.divide(sums, counts, out=np.full(BINS, np.nan), where=counts > 0), aligned)


def _centred(features: Features) -> Doubles:
    centred = features.embeddings.astype(np.float64)
    largest = np.abs(centred).max(initial=0.0)
    centred -= centred.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    varies = length > 1e-6 * largest  # less is rounding, which has a direction too
    unit: Doubles = np.divide(centred, length, out=np.zeros_like(centred), where=varies)
    return unit


def _apart(one: Doubles, other: Doubles) -> Doubles:
    """Return the angle between viewpoints, in [0, π]."""
    return np.asarray(np.abs((one - other + np.pi) % (2 * np.pi) - np.pi), dtype=np.float64)


def _share_below(cosine: Doubles, same: NDArray[np.intp]) -> Doubles:
    """Return for each row the share of other columns that lie below the one at `same`; ties count half."""
    columns = cosine.shape[1]
    if columns < 2:
        return np.full(len(cosine), 0.5)
    right = np.take_along_axis(cosine, same[:, None], axis=1)
    equal = np.abs(cosine - right) <= 1e-9
    below = (cosine < right) & ~equal
    return np.asarray((below.sum(axis=1) + 0.5 * (equal.sum(axis=1) - 1)) / (columns - 1), dtype=np.float64)
