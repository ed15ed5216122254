"""The linear probe: multinomial logistic regression on frozen, standardised features.

The loss is mean cross-entropy + strength / 2 · ‖W‖², the bias free. Every encoder gets the same sweep of
strengths; the best on validation objects is evaluated once on test objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handsight.errors import HandsightError
from handsight.evaluation.features import Features, standardise

STRENGTHS = (1e1, 1e0, 1e-1, 1e-2, 1e-3, 1e-4)
"""The sweep of L2 strengths, for all encoders."""


@dataclass(frozen=True)
class LinearResult:
    """Test correctness at the strength that validation chose.

    Args:
        correct: bool `[N]`, per test frame.
        strength: the chosen L2 strength.
        validation: accuracy on validation at every strength of the sweep.
    """

    correct: NDArray[np.bool_]
    strength: float
    validation: dict[float, float]


@dataclass(frozen=True)
class LinearClassifier:
    """Weights `[C, D]`, bias `[C]`, and the category that each row stands for, int64 `[C]`."""

    weight: Tensor
    bias: Tensor
    categories: NDArray[np.int64]

    def predict(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the most likely category of each row of `[N, D]`."""
        x = torch.from_numpy(np.ascontiguousarray(embeddings)).to(self.weight)
        guessed = (x @ self.weight.T + self.bias).argmax(dim=1).numpy()
        return np.asarray(self.categories[guessed], dtype=np.int64)


def fit_path(
    features: Features,
    strengths: Sequence[float] = STRENGTHS,
    *,
    iterations: int = 100,
    tolerance: float = 1e-5,
) -> dict[float, LinearClassifier]:
    """Fit one classifier per strength, from the strongest down, each starting from the one before.

    Args:
        features: standardised training features.
        strengths: L2 strengths, above 0.
        iterations: of L-BFGS at most, per strength.
        tolerance: stop where no entry of the gradient exceeds it.
    """
    if min(strengths, default=0) <= 0:
        raise HandsightError(
            f"the linear probe got L2 strengths {list(strengths)}; expected one or more above 0"
        )
    categories, label = np.unique(features.category, return_inverse=True)
    if len(categories) < 2:
        raise HandsightError(
            f"the linear probe got {len(categories)} category; expected at least 2: record objects of "
            "several categories"
        )
    x = torch.from_numpy(np.ascontiguousarray(features.embeddings)).double()
    y = torch.from_numpy(label)
    variance, axes = torch.linalg.eigh(x.T @ x / len(x))
    rotated = x @ axes
    weight, bias = x.new_zeros(len(categories), x.shape[1]), x.new_zeros(len(categories))
    path: dict[float, LinearClassifier] = {}
    for strength in sorted(strengths, reverse=True):
        # The same problem in coordinates where its curvature is about 1 each way: a fraction of the steps.
        scale = (variance.clamp(min=0) / len(categories) + strength).rsqrt()
        weight, bias = _minimise(rotated, y, weight, bias, scale, strength, iterations, tolerance)
        path[strength] = LinearClassifier(weight @ axes.T, bias, categories)
    return path


def _minimise(
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    bias: Tensor,
    scale: Tensor,
    strength: float,
    iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Return the weight `[C, D]` and bias `[C]` with the smallest loss; steps are in weight / `scale`."""
    scaled = (weight / scale).requires_grad_()
    free = bias.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [scaled, free],
        max_iter=iterations,
        tolerance_grad=tolerance,
        tolerance_change=1e-14,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        current = scaled * scale
        fit = torch.nn.functional.cross_entropy(torch.addmm(free, x, current.T), y)
        loss = fit + strength / 2 * current.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return scaled.detach() * scale, free.detach()


def linear_accuracy(
    train: Features,
    validation: Features,
    test: Features,
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> LinearResult:
    """Run the protocol on raw features; of strengths equal on validation the strongest is taken."""
    train, validation, test = standardise(train, validation, test)
    path = fit_path(train, strengths)
    accuracy = {
        strength: float((classifier.predict(validation.embeddings) == validation.category).mean())
        for strength, classifier in path.items()
    }
    chosen = max(accuracy, key=lambda strength: (accuracy[strength], strength))
    correct = path[chosen].predict(test.embeddings) == test.category
    return LinearResult(correct, chosen, accuracy)
