"""Classification: the supervised reference, a linear head and cross-entropy on known categories."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from handsight.errors import HandsightError


class LinearClassifier(nn.Linear):
    """Scores of categories, `[B, D]` → `[B, categories]`.

    Args:
        features: D of the representation.
        categories: at least 2.
    """

    def __init__(self, features: int, categories: int) -> None:
        if categories < 2:
            raise HandsightError(
                f"a classifier of {categories} categories has nothing to tell apart; give at least 2"
            )
        super().__init__(features, categories)


def classification_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy.

    Args:
        scores: `[B, categories]`.
        labels: int64 `[B]`, 0 ≤ label < categories.

    Returns:
        A scalar in float32 (float64 for float64), also where the scores are in half precision.

    Raises:
        HandsightError: where the batch is empty, the shapes differ or a label names no category.
    """
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise HandsightError(
            f"scores {list(scores.shape)} came with labels {list(labels.shape)}; "
            "give [B, categories] and one label for each of B samples"
        )
    categories = scores.shape[1]
    if len(labels) == 0:
        raise HandsightError("the batch to classify is empty; give at least one sample")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= categories:
        wrong = low if low < 0 else high
        raise HandsightError(
            f"label {wrong} came to a classifier of {categories} categories; give 0 to {categories - 1}"
        )
    return functional.cross_entropy(scores.to(torch.promote_types(scores.dtype, torch.float32)), labels)
