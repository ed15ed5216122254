"""What a method is that acts while it learns: it says how, and chooses where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from handsight.methods.method import Method
from handsight.methods.rounds import Plan

Difference = Literal["squared-first", "averaged-first", "flow"]
Kernel = Literal["exponential", "gaussian"]
Oracle = Literal["points", "masks"]


class Remembering(Protocol):
    """A memory, as a method sees it."""

    def turn_to(self, step: int, weights: Callable[[], Mapping[str, Tensor]]) -> None:
        """Begin what begins with a step: keep the weights that act from here on, wait for what they do."""

    def learn(self, experiences: Tensor, priorities: Tensor) -> None:
        """Set the priorities of experiences, int64 `[B]` and float `[B]`, of all processes together."""


class ActingMethod(Method):
    """A method that can act in a place while it learns, and learn from a recording of what was done there.

    Attributes:
        plan: when it acts, and how often.
        memory_capacity: experiences that it learns from at most, the newest.
        prioritised: whether they are drawn by priority.
        superpixels: whether what moved is aligned with superpixels.
        superpixel_px: pixels of the smallest one, of a picture of 300 × 300.
        superpixel_share: of a superpixel that has to change for it to have moved.
        difference: how what moved is told from two views.
        kernel: how much what moved counts by its distance from the point.
        oracles: what it is told: by default nothing.
    """

    plan: Plan
    memory_capacity: int
    prioritised: bool
    superpixels: bool
    superpixel_px: int
    superpixel_share: float
    difference: Difference
    kernel: Kernel
    oracles: tuple[Oracle, ...]
    memory: Remembering | None = None

    def acting_weights(self) -> Mapping[str, Tensor]:
        """Return what `choose` depends on, by name."""
        raise NotImplementedError

    def load_acting_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take what `acting_weights` returned."""
        raise NotImplementedError

    def choose(
        self, image: NDArray[np.uint8], depth_m: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Say where to act, the best first.

        Args:
            image: uint8 `[S, S, 3]`.
            depth_m: float32 `[S, S]`, along each pixel's ray.
            count: points at most, M.

        Returns:
            Rows and columns of cells, int64 `[M, 2]`, and bins of forces, int64 `[M]`.
        """
        raise NotImplementedError

    def before_step(self, step: int) -> None:
        """Begin the rounds that begin with a step."""
        if self.memory is not None:
            self.memory.turn_to(step, self.acting_weights)
