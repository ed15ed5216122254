"""Monitors: what is looked at while an encoder learns, on validation frames only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from handsight.evaluation.collapse import effective_rank, feature_spread, warning
from handsight.evaluation.features import Embeds, embed_frames

log = logging.getLogger("handsight")


@dataclass(frozen=True)
class OnlineCollapse:
    """A monitor for recordings without categories: signs of collapse on validation frames, said in words.

    Args:
        read: gives the frames of some numbers, uint8 `[n, h, w, 3]`.
        index: int64 `[N]`, the numbers of the frames to look at.
        batch_size: frames per forward.
        device: where the encoder is.
    """

    read: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
    index: NDArray[np.int64]
    batch_size: int = 256
    device: torch.device | str = "cpu"

    def __call__(self, encoder: Embeds, step: int) -> dict[str, float]:
        """Return `effective_rank` and `feature_spread` of the frames."""
        return signs_of_collapse(
            embed_frames(encoder, self.read, self.index, batch_size=self.batch_size, device=self.device), step
        )


def signs_of_collapse(embeddings: NDArray[np.floating], step: int) -> dict[str, float]:
    """Return `effective_rank` and `feature_spread` of embeddings `[N, D]`; warn where they are low."""
    said = warning(embeddings)
    if said is not None:
        log.warning("step %d: %s", step, said)
    return {"effective_rank": effective_rank(embeddings), "feature_spread": feature_spread(embeddings)}
