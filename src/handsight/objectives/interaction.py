"""Interaction: where would touching move something, and with what force (NeurIPS 2020, section 4.3)?

"Learning about objects by learning to interact with them" defines its losses by their gradients alone
(appendix B). What it prints is the direction in which to go; the losses here are its integrals, 0 where all
is said as it should be, and their gradients are minus what is printed. They are sums over a picture's cells
and means over pictures. What should be grouped into one thing: `grouping.py`; targets: `attempted.py`.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives.attempted import FORCES

EMBEDDING = 16
"""Numbers that a cell is grouped by."""

_NODES, _REACH = 24, 6.5
"""Of the quadrature of `unease`: nodes, and from where on what is left is below 1e-12."""


class Told(NamedTuple):
    """What the heads say of each cell.

    Args:
        scores: `[B, G, G]`, logits of touching there moving something.
        logits: `[B, 3, G, G]`, of the force that this takes.
        embeddings: `[B, 16, G, G]`: cells of one thing lie within a distance of 1.
    """

    scores: Tensor
    logits: Tensor
    embeddings: Tensor


class InteractionHeads(nn.Module):
    """What a cell says of touching it: `[B, C, G, G]` → `[B, 1 + 3 + 16, G, G]`, as `tell` takes apart.

    Features and the cell's row and column as they are, 0 to G − 1, go through 1 × 1 convolutions:
    `detection`, 128 neurons with ReLU, gives score and embedding; `force`, 128 with ReLU, the forces, from
    the features alone. (The released code's; appendix A draws one 1 × 1 convolution for each of the three.)
    Weights are drawn as torch draws them.

    Args:
        channels: of the features.
        hidden: neurons of either.
        coordinate_scale: what rows and columns are multiplied by. Features are about 1, coordinates up to G:
            as they are, in the paper, places tell cells apart long before features do.

    Raises:
        HandsightError: where channels or neurons are not above 0.
    """

    def __init__(self, channels: int = 64, hidden: int = 128, coordinate_scale: float = 1.0) -> None:
        super().__init__()
        if channels < 1 or hidden < 1:
            raise HandsightError(
                f"heads were to have {channels} channels and {hidden} neurons; give 1 or more"
            )
        self.channels, self.hidden, self.coordinate_scale = channels, hidden, coordinate_scale
        self.detection = nn.Sequential(
            *(nn.Conv2d(channels + 2, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, 1 + EMBEDDING, 1))
        )
        self.force = nn.Sequential(
            *(nn.Conv2d(channels, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, FORCES, 1)),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Say the same as `tell`, as one map."""
        told = self.tell(features)
        return torch.cat([told.scores[:, None], told.logits, told.embeddings], dim=1)

    def tell(self, features: Tensor) -> Told:
        """Say of each cell its score, its forces' logits and its embedding.

        What is not used of it leaves the weights it comes from without any gradient.
        """
        if features.ndim != 4 or features.shape[1] != self.channels:
            raise HandsightError(
                f"features {list(features.shape)} came to heads for {self.channels} channels; "
                "give a map [B, C, G, G] from the tap that they were built for"
            )
        batch, _, height, width = features.shape
        row = torch.arange(height, device=features.device).to(features.dtype)[:, None].expand(height, width)
        column = torch.arange(width, device=features.device).to(features.dtype).expand(height, width)
        place = (self.coordinate_scale * torch.stack([row, column])).expand(batch, 2, height, width)
        seen = self.detection(torch.cat([features, place], dim=1))
        return Told(seen[:, 0], self.force(features), seen[:, 1:])


def score_gradient(scores: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """Return in which direction scores are to go: equation 2, an ascent.

    fg · σ(−s) · exp(−max(s, 0)² / 2) − bg · σ(s) · exp(−min(s, 0)² / 2): the surer, the sooner nothing more.

    Args:
        scores: logits, of any shape.
        foreground: of the same shape, at least 0.
        background: of the same shape, at least 0.
    """
    return foreground * _pull(scores) - background * _pull(-scores)


def force_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Return in which direction the logits of forces are to go: equation 4, an ascent.

    Args:
        logits: of any shape.
        targets: of the same shape; above 0 for those that are to rise, below 0 for those that are to fall.
    """
    return targets * torch.where(targets > 0, _pull(logits), _pull(-logits))


def score_loss(scores: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """Return the loss of the interaction scores, whose gradient is minus `score_gradient`.

    Args:
        scores: `[B, G, G]`, logits.
        foreground: float `[B, G, G]`, around successful attempts; see `attempted.score_targets`.
        background: float `[B, G, G]`, around failed ones.

    Returns:
        A scalar in float32 (float64 for float64), also under autocast.

    Raises:
        HandsightError: where the batch is empty or shapes differ.
    """
    _check_maps("scores", scores, foreground, background)
    precise, wanted, unwanted = _precisely(scores, foreground, background)
    with torch.no_grad():
        value = _weighed(wanted, precise) + _weighed(unwanted, -precise)
        ascent = score_gradient(precise, wanted, unwanted)
    return descending(precise, value / len(scores), ascent / len(scores))


def force_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of the forces' logits, whose gradient is minus `force_gradient`.

    The paper weighs it by 0.1, beside the scores' and the embeddings'.

    Args:
        logits: `[B, 3, G, G]`.
        targets: float `[B, 3, G, G]`; see `attempted.force_targets`.

    Returns:
        A scalar in float32 (float64 for float64), also under autocast.

    Raises:
        HandsightError: where the batch is empty or shapes differ.
    """
    _check_maps("logits", logits, targets)
    precise, wanted = _precisely(logits, targets)
    with torch.no_grad():
        value = _weighed(wanted.clamp(min=0), precise) + _weighed((-wanted).clamp(min=0), -precise)
        ascent = force_gradient(precise, wanted)
    return descending(precise, value / len(logits), ascent / len(logits))


@torch.no_grad()
def score_ious(scores: Tensor, foreground: Tensor) -> Tensor:
    """Return how well scores above 0 cover the surroundings of successful attempts: their IoU, float `[B]`.

    Something to read beside the loss; cells that nothing is known of count as well. 0 where both are empty.
    """
    said, wanted = scores.flatten(1) > 0, foreground.flatten(1) > 0
    return (said & wanted).sum(dim=1) / (said | wanted).sum(dim=1).clamp(min=1)


@torch.no_grad()
def force_agreement(logits: Tensor, targets: Tensor) -> Tensor:
    """Return in which share of the cells around successful attempts the largest logit is one that may be.

    Something to read beside the loss: float `[]`, from 0 to 1; a guess hits 1/3 and more. NaN without any.
    """
    hit = targets.gather(1, logits.argmax(dim=1, keepdim=True))[:, 0] > 0
    known = (targets != 0).any(dim=1)
    return hit[known].float().mean()


def unease(logits: Tensor) -> Tensor:
    """Return ∫ σ(−t) · exp(−max(t, 0)² / 2) dt from each logit up to ∞: what is left to gain, of any shape.

    Below 0 it is that of cross-entropy, less a constant; above 0 there is no closed form, and Gauss' and
    Legendre's quadrature is exact to some 1e-12.
    """
    nodes, weights = (torch.from_numpy(each).to(logits) for each in _quadrature())
    above = logits.clamp(min=0)
    left = torch.zeros_like(above)
    for node, weight in zip(nodes, weights, strict=True):
        left = left + weight * _pull(above + node)
    return left + functional.softplus(-logits.clamp(max=0)) - math.log(2)


class _Descending(torch.autograd.Function):
    """Hands a value on; what it was computed from gets a gradient that is given apart."""

    @staticmethod
    def forward(ctx: Any, _learned: Tensor, value: Tensor, ascent: Tensor) -> Tensor:
        ctx.save_for_backward(ascent)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (ascent,) = ctx.saved_tensors
        return -gradient * ascent, None, None


def descending(learned: Tensor, value: Tensor, ascent: Tensor) -> Tensor:
    """Return a loss of this value, whose gradient by what is learned is minus the ascent, times its weight.

    Args:
        learned: of any shape.
        value: a scalar.
        ascent: of the shape of what is learned.
    """
    loss: Tensor = _Descending.apply(learned, value, ascent)
    return loss


def _pull(logits: Tensor) -> Tensor:
    """Return how strongly logits that are to rise are pulled: σ(−z) · exp(−max(z, 0)² / 2)."""
    return (-logits).sigmoid() * (-logits.clamp(min=0).square() / 2).exp()


def _weighed(weights: Tensor, logits: Tensor) -> Tensor:
    """Return the sum of `unease` by weight; most weights are 0."""
    where = weights != 0
    return (weights[where] * unease(logits[where])).sum()


@cache
def _quadrature() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) * _REACH / 2, weights * _REACH / 2


def _precisely(*tensors: Tensor) -> tuple[Tensor, ...]:
    wanted = torch.promote_types(tensors[0].dtype, torch.float32)
    return tuple(tensor.to(wanted) for tensor in tensors)


def _check_maps(what: str, said: Tensor, *targets: Tensor) -> None:
    if said.ndim < 3 or any(each.shape != said.shape for each in targets):
        shapes = " and ".join(str(list(each.shape)) for each in targets)
        raise HandsightError(f"{what} {list(said.shape)} came with targets {shapes}; give maps of one shape")
    if len(said) == 0:
        raise HandsightError("the batch of pictures is empty; give at least one")
