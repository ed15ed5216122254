"""k-nearest-neighbour classification of novel objects, after Wu et al. 2018.

One protocol for every encoder: features standardised by the training split, then brought to unit length; the
bank is the training split; each of the k most similar bank frames votes for its category with weight
exp(cosine / 0.07) (Wu et al. 2018, "Unsupervised feature learning via non-parametric instance
discrimination", section 3.4); k is the best of a fixed sweep on the validation split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handsight.errors import HandsightError
from handsight.evaluation.features import Embeds, Features, LabelledFrames, extract, standardise, unit_length
from handsight.evaluation.online import signs_of_collapse

NEIGHBOURS = (1, 5, 10, 20, 50, 100, 200)
"""The sweep of k, for all encoders."""

TEMPERATURE = 0.07
_CHUNK = 16_000_000  # similarities held at once


def knn_correct(
    bank: Features, queries: Features, neighbours: Sequence[int], *, temperature: float = TEMPERATURE
) -> NDArray[np.bool_]:
    """Say for each query and each k whether the weighted vote gives its category.

    Args:
        bank: training frames, standardised.
        queries: frames to classify, standardised alike.
        neighbours: values of k; those above the bank's size use the whole bank.
        temperature: of the vote's weights.

    Returns:
        bool `[N, len(neighbours)]`. Of equal votes the lowest category wins.
    """
    if min(neighbours, default=0) < 1:
        raise HandsightError(
            f"k-nearest-neighbour got k = {list(neighbours)}; expected one or more numbers from 1"
        )
    categories, label = np.unique(bank.category, return_inverse=True)
    bank_label = torch.from_numpy(label)
    bank_unit, query_unit = unit_length(bank.embeddings), unit_length(queries.embeddings)
    most = min(max(neighbours), len(bank))
    step = max(1, _CHUNK // len(bank))
    rows: list[Tensor] = []
    for start in range(0, len(queries), step):
        cosine, nearest = (query_unit[start : start + step] @ bank_unit.T).topk(most, dim=1)
        # Less the largest, which changes no vote: exp(1 / 0.07) is 1.6 million and would cost digits.
        weight = torch.exp((cosine - cosine[:, :1]) / temperature).double()
        rows.append(_votes(weight, bank_label[nearest], len(categories), [min(k, most) for k in neighbours]))
    guessed = categories[torch.cat(rows).numpy()]
    correct: NDArray[np.bool_] = guessed == queries.category[:, None]
    return correct


def _votes(weight: Tensor, label: Tensor, categories_n: int, neighbours: Sequence[int]) -> Tensor:
    """Return the winning label for each k; int64 `[n, len(neighbours)]`."""
    votes = weight.new_zeros(len(weight), categories_n)
    winners = weight.new_zeros(len(weight), len(neighbours), dtype=torch.int64)
    done = 0
    for k in sorted(set(neighbours)):  # each k adds its neighbours to the votes of the one before
        votes.scatter_add_(1, label[:, done:k], weight[:, done:k])
        for column in (i for i, wanted in enumerate(neighbours) if wanted == k):
            winners[:, column] = votes.argmax(dim=1)
        done = k
    return winners


@dataclass(frozen=True)
class KNNResult:
    """Test correctness at the k that validation chose.

    Args:
        correct: bool `[N]`, per test frame.
        neighbours: the chosen k.
        validation: accuracy on validation at every k of the sweep.
    """

    correct: NDArray[np.bool_]
    neighbours: int
    validation: dict[int, float]


def knn_accuracy(
    train: Features, validation: Features, test: Features, *, neighbours: Sequence[int] = NEIGHBOURS
) -> KNNResult:
    """Run the whole protocol on raw features; of equally good k on validation the smallest is taken."""
    train, validation, test = standardise(train, validation, test)
    sweep = sorted({min(k, len(train)) for k in neighbours})
    accuracy = knn_correct(train, validation, sweep).mean(axis=0)
    chosen = sweep[int(accuracy.argmax())]
    correct = knn_correct(train, test, [chosen])[:, 0]
    return KNNResult(correct, chosen, {k: float(a) for k, a in zip(sweep, accuracy, strict=True)})


@dataclass(frozen=True)
class OnlineKNN:
    """A monitor for training: k-nearest-neighbour accuracy on validation objects, and signs of collapse.

    Args:
        bank: frames of training objects.
        queries: frames of validation objects.
        neighbours: k, fixed, so that a curve over training is of one thing.
        batch_size: frames per forward.
        device: where the encoder is.
    """

    bank: LabelledFrames
    queries: LabelledFrames
    neighbours: int = 20
    batch_size: int = 256
    device: torch.device | str = "cpu"

    def __call__(self, encoder: Embeds, step: int) -> dict[str, float]:
        """Return `knn_accuracy` in [0, 1], `effective_rank` and `feature_spread` of the validation frames.

        Where the last two are low, a warning says so in words.
        """
        bank, queries = (
            extract(encoder, frames, batch_size=self.batch_size, device=self.device)
            for frames in (self.bank, self.queries)
        )
        standard_bank, standard_queries = standardise(bank, queries)
        correct = knn_correct(standard_bank, standard_queries, [self.neighbours])
        return {"knn_accuracy": float(correct.mean()), **signs_of_collapse(queries.embeddings, step)}
