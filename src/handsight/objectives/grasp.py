"""Grasp: does closing the hand here, at this angle, hold something (The Curious Robot, ECCV 2016)?

Of 18 angles a robot tries one, so 18 two-way classifiers share a trunk, and one of them learns at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives.maps import OnMap, draw_gaussian, thinned

ANGLES = 18
"""Angles that are told apart; number t stands for t · 10°, and the one after the last is the first again."""

NEIGHBOURS = (0.25, 0.5, 0.25)
"""What the angle before, the angle itself and the angle after weigh when a grasp is chosen."""


class GraspHead(nn.Sequential):
    """Scores of failure and success at each angle, from a map: `[B, C, h, w]` → `[B, 2 · angles]`.

    The paper's stands on conv4: a convolution of 256 maps (3 × 3, padded, as AlexNet's conv5), pooling
    3 / 2, 4096 and 1024 neurons, 18 × 2 scores. Numbers 2t and 2t + 1 are failure and success at angle t.

    Args:
        shape: of the tap without the batch; a map of fewer than 3 pixels a side is pooled whole.
        angles: that are told apart.
        width: factor on the number of channels and neurons.
    """

    def __init__(self, shape: Sequence[int], angles: int = ANGLES, width: float = 1.0) -> None:
        foot = OnMap(shape)
        channels, height, breadth = foot.shape
        maps, wide, narrow = (thinned(count, width) for count in (256, 4096, 1024))
        window = (min(3, height), min(3, breadth))
        pooled = ((height - window[0]) // 2 + 1) * ((breadth - window[1]) // 2 + 1)
        super().__init__(
            *(foot, nn.Conv2d(channels, maps, 3, padding=1), nn.ReLU(), nn.MaxPool2d(window, 2)),
            *(nn.Flatten(), nn.Linear(maps * pooled, wide), nn.ReLU()),
            *(nn.Linear(wide, narrow), nn.ReLU(), nn.Linear(narrow, 2 * angles)),
        )
        draw_gaussian(self)


def grasp_loss(scores: Tensor, angle_bin: Tensor, success: Tensor) -> Tensor:
    """Return the mean cross-entropy of failure and success at the attempted angles (equation 1).

    The other angles' scores get no gradient. The paper writes a sum over the batch; this is the mean, as in
    the grasp network that its authors released.

    Args:
        scores: `[B, 2 · angles]`, as `GraspHead` gives them.
        angle_bin: int64 `[B]`, the number of the attempted angle; see `angle_bins`.
        success: `[B]`, 1 or true where something was held, otherwise 0.

    Returns:
        A scalar in float32 (float64 for float64), also where the scores are in half precision.

    Raises:
        HandsightError: where the batch is empty, shapes do not belong together, or a label cannot be.
    """
    if scores.ndim != 2 or scores.shape[1] % 2 or not angle_bin.shape == success.shape == scores.shape[:1]:
        raise HandsightError(
            f"grasp scores {list(scores.shape)} came with bins {list(angle_bin.shape)} and successes "
            f"{list(success.shape)}; give [B, 2 · angles], [B] and [B]"
        )
    if len(scores) == 0:
        raise HandsightError("the batch of grasps is empty; give at least one")
    angles = scores.shape[1] // 2
    if angle_bin.dtype != torch.int64 or bool(((angle_bin < 0) | (angle_bin >= angles)).any()):
        dtype = str(angle_bin.dtype).removeprefix("torch.")
        raise HandsightError(
            f"angle bins are {dtype}, {angle_bin.min()} to {angle_bin.max()}; give int64, 0 to {angles - 1}"
        )
    if bool(((success != 0) & (success != 1)).any()):
        raise HandsightError(f"successes are {success.min()} to {success.max()}; give 0 or 1")
    precise = scores.to(torch.promote_types(scores.dtype, torch.float32)).reshape(-1, angles, 2)
    attempted = precise[torch.arange(len(scores), device=scores.device), angle_bin]
    return functional.cross_entropy(attempted, success.long())


def angle_bins(angle_rad: Tensor, angles: int = ANGLES) -> Tensor:
    """Return the number of the angle nearest to each, int64, of the shape given.

    Args:
        angle_rad: of the line between the fingers; half a turn makes no difference.
        angles: that are told apart, over half a turn.

    Raises:
        HandsightError: where an angle is not finite.
    """
    if not bool(angle_rad.isfinite().all()):
        which = int((~angle_rad.isfinite()).flatten().nonzero()[0])
        raise HandsightError(
            f"angle {which} of {angle_rad.numel()} grasps is {angle_rad.flatten()[which]}; "
            "give finite numbers, in rad: repair the recording or leave those episodes out"
        )
    return (angle_rad.double() * (angles / math.pi) + 0.5).floor().long() % angles


def log_odds(scores: Tensor) -> Tensor:
    """Return how much success outweighs failure at each angle, `[B, 2 · angles]` → `[B, angles]`.

    The probability of success is their sigmoid; a grasp is told to succeed where they are above 0.
    """
    return scores[:, 1::2] - scores[:, 0::2]


def smoothed(values: Tensor) -> Tensor:
    """Mix each angle's value with its neighbours', `[..., angles]` → the same; the ends are neighbours.

    A grasp is chosen by its smoothed log-odds, since a hand that misses its angle a little should still hold
    (the grasp network that the authors released; it overwrites values while it reads them, this does not).
    """
    before, own, after = NEIGHBOURS
    return before * values.roll(1, -1) + own * values + after * values.roll(-1, -1)
