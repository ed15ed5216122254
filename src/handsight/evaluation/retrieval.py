"""Retrieval: is one of the k most similar frames another view of the object, or another of its category?

One protocol for every encoder: features standardised by the training split, cosine similarity, the frames of
novel objects (the test split) as queries and as gallery. Recall@k is 1 for a query where any of the k nearest
is right, else 0 (Song et al. 2016, "Deep metric learning via lifted structured feature embedding"). Frames as
similar as the best right one count as nearer, so that an encoder that says the same of everything finds
nothing.

- By instance: right is the same object. Not in the gallery: the query itself, and frames of its clip less
  than `apart` frames away.
- By category: right is the same category and a different object. Not in the gallery: every frame of the
  query's object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handsight.errors import HandsightError
from handsight.evaluation.features import Features, unit_length

DEPTHS = (1, 5, 10, 20)
"""The values of k."""

_CHUNK = 8_000_000  # similarities held at once


@dataclass(frozen=True)
class Recall:
    """Which queries were answered.

    Args:
        hits: bool `[N, len(depths)]`; False where a query has no right answer.
        answerable: bool `[N]`, whether the gallery holds a right answer; the same for every encoder.
        depths: the values of k.
    """

    hits: NDArray[np.bool_]
    answerable: NDArray[np.bool_]
    depths: tuple[int, ...]

    def mean(self) -> dict[int, float]:
        """Return recall@k over the queries that have an answer, in [0, 1]."""
        kept = self.hits[self.answerable]
        return {k: float(kept[:, column].mean()) for column, k in enumerate(self.depths)}


def recall(
    features: Features,
    by: Literal["instance", "category"],
    *,
    depths: Sequence[int] = DEPTHS,
    apart: int = 1,
) -> Recall:
    """Measure recall@k, exactly, each frame being a query.

    Args:
        features: standardised features of novel objects.
        by: what a right answer shares with the query.
        depths: values of k.
        apart: by instance, how many frames away the nearest gallery frame of the query's own clip may be.

    Raises:
        HandsightError: where no query has an answer, or `apart` or a depth is below 1.
    """
    if min(depths, default=0) < 1 or apart < 1:
        raise HandsightError(f"retrieval got k = {list(depths)} and apart = {apart}; expected numbers from 1")
    unit = unit_length(features.embeddings)
    labels = [
        torch.from_numpy(np.asarray(a))
        for a in (features.category, features.object, features.clip, features.frame)
    ]
    step = max(1, _CHUNK // len(features))
    hits, answerable = [], []
    for start in range(0, len(features), step):
        rows = torch.arange(start, min(start + step, len(features)))
        right, absent = _judge(rows, labels, by, apart)
        similarity = (unit[rows] @ unit.T).masked_fill_(absent, -torch.inf)
        best = similarity.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
        # The small margin makes equal what only rounding tells apart.
        nearer_n = ((similarity >= best - 1e-6) & ~right & ~absent).sum(dim=1)
        found = right.any(dim=1)
        hits.append((nearer_n[:, None] < torch.tensor(list(depths))) & found[:, None])
        answerable.append(found)
    result = Recall(torch.cat(hits).numpy(), torch.cat(answerable).numpy(), tuple(depths))
    if not result.answerable.any():
        other = "two views of one object" if by == "instance" else "two objects of one category"
        raise HandsightError(
            f"retrieval by {by} found no query with an answer; expected {other}: evaluate on more"
        )
    return result


def _judge(rows: Tensor, labels: Sequence[Tensor], by: str, apart: int) -> tuple[Tensor, Tensor]:
    """Return which gallery frames are right and which are not in the gallery; bool `[n, N]` each."""
    category, instance, clip, frame = labels
    same_object = instance[rows, None] == instance
    if by == "category":
        return (category[rows, None] == category) & ~same_object, same_object
    near = (clip[rows, None] == clip) & ((frame[rows, None] - frame).abs() < apart)
    absent = near | (rows[:, None] == torch.arange(len(frame)))
    return same_object & ~absent, absent
