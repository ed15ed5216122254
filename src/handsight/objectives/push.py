"""Push: from a picture before and one after, tell the push that lies between (The Curious Robot, ECCV 2016).

The loss is `mean_squared_error(PushHead(before, after), TargetNormalisation(push))`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from handsight.objectives.maps import OnMap, draw_gaussian, thinned


class PushHead(nn.Module):
    """What was done between two maps, `[B, C, h, w]` and `[B, C, h, w]` → `[B, out]`.

    The paper's stands on conv3: a convolution of 48 maps (3 × 3; padded here, which it does not say) for
    either picture with the same weights, the 96 maps together, 1024 neurons, 5 numbers: where the hand began
    and ended in the plane, and its height.

    Autograd sums the convolution's gradients over the two pictures where the paper takes their mean: half of
    it, which RMSprop and Adam make no difference of.

    Args:
        shape: of the tap without the batch.
        out: numbers in a push.
        width: factor on the number of channels and neurons.
    """

    def __init__(self, shape: Sequence[int], out: int = 5, width: float = 1.0) -> None:
        super().__init__()
        foot = OnMap(shape)
        channels, height, breadth = foot.shape
        maps, neurons = thinned(48, width), thinned(1024, width)
        self.tower = nn.Sequential(foot, nn.Conv2d(channels, maps, 3, padding=1), nn.ReLU())
        self.told = nn.Sequential(
            *(nn.Flatten(), nn.Linear(2 * maps * height * breadth, neurons), nn.ReLU()),
            nn.Linear(neurons, out),
        )
        draw_gaussian(self)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Tell what was done between them."""
        told: Tensor = self.told(torch.cat([self.tower(before), self.tower(after)], dim=1))
        return told
