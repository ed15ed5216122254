"""Poke: from a picture, tell how what it shows would yield to a finger (The Curious Robot, ECCV 2016).

The loss is `mean_squared_error(PokeHead(features), TargetNormalisation(fit_line(depth, reading)))`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from handsight.errors import HandsightError
from handsight.objectives.maps import OnMap, draw_gaussian, thinned


class PokeHead(nn.Sequential):
    """Slope and intercept of the tactile trace, `[B, D]` or `[B, C, h, w]` → `[B, out]`.

    The paper's stands on fc6: 512 neurons, 2 numbers. On a map it sees each pixel, as fc6 does.

    Args:
        shape: of the tap without the batch.
        out: numbers that are told of a poke.
        width: factor on the number of neurons.
    """

    def __init__(self, shape: Sequence[int], out: int = 2, width: float = 1.0) -> None:
        foot, neurons = OnMap(shape), thinned(512, width)
        super().__init__(
            *(foot, nn.Flatten(), nn.Linear(foot.size, neurons), nn.ReLU()), nn.Linear(neurons, out)
        )
        draw_gaussian(self)


def fit_line(depth_m: Tensor, reading: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the slope and the intercept of the line through each tactile trace, by least squares.

    The paper's description of a poke (section 3.3): what the sensor says as the finger goes in is close to a
    line, steep where the thing is hard.

    Args:
        depth_m: `[..., T]`, how far the finger is in, metres.
        reading: `[..., T]`, what the sensor says there, in its own unit.
        valid: bool `[..., T]`, which samples count, where traces differ in length; None takes all.

    Returns:
        float64 `[..., 2]`: slope in the sensor's unit per metre, and what the line says at depth 0.

    Raises:
        HandsightError: where the shapes differ, a sample that counts is not finite, or those that count lie
            at fewer than two depths, which leaves no line.
    """
    valid = torch.ones_like(depth_m, dtype=torch.bool) if valid is None else valid.bool()
    if depth_m.ndim < 1 or not depth_m.shape == reading.shape == valid.shape:
        raise HandsightError(
            f"a trace has depths {list(depth_m.shape)}, readings {list(reading.shape)} and samples that "
            f"count {list(valid.shape)}; give all in one shape [..., T]"
        )
    if not bool((depth_m.isfinite() & reading.isfinite() | ~valid).all()):
        raise HandsightError("a depth or reading of a trace is not finite; mark those samples as not valid")
    x, y = (values.double().masked_fill(~valid, 0) for values in (depth_m, reading))
    count = valid.sum(dim=-1, keepdim=True).clamp(min=1)
    x_mean, y_mean = x.sum(dim=-1, keepdim=True) / count, y.sum(dim=-1, keepdim=True) / count
    # From the means: far from depth 0 the textbook's sums cancel.
    x_off, y_off = ((values - mean) * valid for values, mean in ((x, x_mean), (y, y_mean)))
    spread = x_off.square().sum(dim=-1)
    flat = spread <= 1e-20 * x.square().sum(dim=-1)
    if bool(flat.any()):
        which = int(flat.flatten().nonzero()[0])
        raise HandsightError(
            f"trace {which} has samples at fewer than two depths, which leaves no line; leave it out"
        )
    slope = (x_off * y_off).sum(dim=-1) / spread
    return torch.stack([slope, y_mean[..., 0] - slope * x_mean[..., 0]], dim=-1)
