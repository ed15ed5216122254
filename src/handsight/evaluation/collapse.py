"""Collapse: whether an encoder says the same of everything, or uses a few of its dimensions only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

LOW_SPREAD = 0.01
LOW_RANK = 2.0


def effective_rank(embeddings: NDArray[np.floating]) -> float:
    """Return how many dimensions the embeddings fill, from 1 to min(N − 1, D).

    The exponential of the entropy of the normalised singular values (Roy and Vetterli 2007, "The effective
    rank", definition 1), of the embeddings less their mean: a mean that all share tells nothing apart.
    Embeddings that are all equal have 1.

    Args:
        embeddings: `[N, D]`.
    """
    centred = np.asarray(embeddings, dtype=np.float64)
    magnitude = float(np.abs(centred).max(initial=0.0))
    centred = centred - centred.mean(axis=0)
    # float32 embeddings of one image differ by rounding, which would fill every dimension evenly.
    if float(np.abs(centred).max(initial=0.0)) <= 1e-6 * magnitude:
        return 1.0
    singular = linalg.svdvals(centred)
    share = singular[singular > 0] / singular.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def feature_spread(embeddings: NDArray[np.floating]) -> float:
    """Return the mean over dimensions of the standard deviation of unit-length embeddings, times √D.

    1 where directions are spread evenly over the sphere, 0 where all are one (Chen and He 2021, "Exploring
    simple Siamese representation learning", section 4.1).

    Args:
        embeddings: `[N, D]`.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return float(unit.std(axis=0).mean() * np.sqrt(rows.shape[1]))


def warning(embeddings: NDArray[np.floating]) -> str | None:
    """Say in words that embeddings `[N, D]` have collapsed, or None where they have not."""
    spread, rank = feature_spread(embeddings), effective_rank(embeddings)
    if spread < LOW_SPREAD:
        return (
            "the encoder has collapsed: it says nearly the same of every image (feature spread "
            f"{spread:.4f}, below {LOW_SPREAD}); lower the learning rate, or look at the loss's negatives"
        )
    if rank < LOW_RANK and min(embeddings.shape) > LOW_RANK:
        return (
            f"the encoder has collapsed onto a line: its embeddings fill {rank:.1f} of {embeddings.shape[1]} "
            f"dimensions (effective rank, below {LOW_RANK:.0f}); lower the learning rate, or look at the "
            "loss's negatives"
        )
    return None
