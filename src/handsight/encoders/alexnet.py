"""AlexNet with local response normalisation: the root of The Curious Robot (ECCV 2016, section 3.5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from handsight.errors import HandsightError

ALEXNET = "alexnet-lrn"
"""Its name among encoders."""

TAPS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")

CHANNELS = (96, 256, 384, 384, 256)
"""Of the five convolutions; the paper's text says 386 for the third, AlexNet has 384."""

NEURONS = 4096
"""Of fc6 and of fc7."""

NATIVE_SIZE = 227
"""Side of AlexNet's input where conv1 is not padded, pixels."""

STRIDES = (4, 2, 1)


class LocalResponseNorm(nn.Module):
    """Divide each number by a measure of those at its place in the channels next to it.

    x ← x / (1 + alpha · Σ y²)^beta over the 2·radius + 1 channels around x's, fewer at the ends
    (Krizhevsky et al. 2012, section 3.3). The sum is not divided by the number of channels: torch's
    `nn.LocalResponseNorm` and Caffe divide it, and are this one with an alpha of 1e-4 instead of 2e-5.
    It is computed in float32 at least, since squares leave float16 early.

    Args:
        radius: channels on either side.
        alpha: weight of the sum.
        beta: exponent.
    """

    def __init__(self, radius: int = 2, alpha: float = 2e-5, beta: float = 0.75) -> None:
        super().__init__()
        self.radius, self.alpha, self.beta = radius, alpha, beta

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise `[B, C, h, w]`."""
        with torch.autocast(maps.device.type, enabled=False):
            precise = maps.to(torch.promote_types(maps.dtype, torch.float32))
            normalised: Tensor = _Normalised.apply(precise, self.radius, self.alpha, self.beta)
            return normalised.to(maps.dtype)

    def extra_repr(self) -> str:
        """Say the settings where the network is printed."""
        return f"radius={self.radius}, alpha={self.alpha}, beta={self.beta}"


class _Normalised(torch.autograd.Function):
    """What `LocalResponseNorm` does, with its gradient written out.

    Autograd's own gradient of shifted sums fills maps with zeros for each shift: a training step of a thin
    AlexNet takes a quarter less time without it.

    With s = 1 + alpha · Σ x², whose windows are symmetrical, the gradient of x · s^−beta is
    g · s^−beta − 2 · alpha · beta · x · Σ (g · x · s^(−beta − 1)).
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, radius: int, alpha: float, beta: float) -> Tensor:
        base = _windowed(maps.square(), radius).mul_(alpha).add_(1)
        factor = _power(base, -beta)
        ctx.save_for_backward(maps, base, factor)
        ctx.settings = radius, alpha, beta
        return maps * factor

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        maps, base, factor = ctx.saved_tensors
        radius, alpha, beta = ctx.settings
        scaled = gradient * factor
        around = _windowed((scaled * maps).div_(base), radius)
        return scaled.sub_(around.mul_(maps), alpha=2 * alpha * beta), None, None, None


def _power(base: Tensor, exponent: float) -> Tensor:
    """Return base^exponent; AlexNet's −0.75 by square roots, which take half the time of a power."""
    if exponent != -0.75:
        return base.pow(exponent)
    root = base.rsqrt()
    return root.mul_(root.sqrt())


_FEW = 64
"""Channels up to which a matrix of ones about the diagonal sums faster than shifted maps do: the matrix reads
each map once but multiplies by all channels."""


def _windowed(values: Tensor, radius: int) -> Tensor:
    """Return the sums over the 2·radius + 1 channels around each, fewer at the ends."""
    channels = values.shape[1]
    if channels <= _FEW:
        place = torch.arange(channels, device=values.device)
        near = ((place[:, None] - place).abs() <= radius).to(values.dtype)
        return (near @ values.flatten(2)).view_as(values)
    total = values.clone()
    for by in range(1, radius + 1):
        total[:, by:] += values[:, :-by]
        total[:, :-by] += values[:, by:]
    return total


class AlexNet(nn.Module):
    """Five convolutions and two fully connected layers, with ReLU; LRN after the first two.

    Taps are what comes out of each layer, before LRN and pooling; fc6 and fc7 are maps of one pixel, and the
    embedding is fc7.

    Args:
        image_size: side of the input, pixels, at least 21; fc6 has weights for each pixel of the last map.
        width: factor on the number of channels and neurons, rounded to multiples of 8; 0.25 trains on a
            laptop.
        groups: into which the channels of conv2, conv4 and conv5 are divided: 2, as in AlexNet, which the
            paper's root follows, and in the grasp network its authors released; or 1, which the paper's text
            does not exclude.
        stride: of conv1. AlexNet's is 4; None takes the largest of 4, 2 and 1 that leaves the last map 2 × 2
            pixels: 4 from 95 px on, 2 from 51 px on, 1 below.
        padding: of conv1, pixels. None pads none at 227 px and 2 at all other sizes, so that conv1 is
            55 × 55 at 227 px and at 224 px alike.
        std: of the Gaussian that weights are drawn from. The paper says no more than "Gaussian
            initialization"; None takes √(2 / inputs of a neuron), which hands the size of numbers on from
            layer to layer at any width. AlexNet's is 0.01. Biases are 0.
        rectified: whether fc7 ends in a ReLU as all other layers do. AlexNet's does: say true for weights of
            AlexNet from elsewhere. The paper does not say, and its cosine embedding loss on rectified numbers
            can push two pictures apart only by silencing units of fc7: nearly nine in ten were dead after a
            training (docs/results/curious-robot.md), which is why it is false otherwise.

    Attributes:
        feature_info: the name and the channels of each tap, as timm's networks say them.

    Raises:
        HandsightError: for settings that no network can have.
    """

    pretrained_cfg: ClassVar[Mapping[str, str]] = {"classifier": "fc8"}
    """As timm's networks say it: what a checkpoint's classifier is called, which is left out."""

    def __init__(
        self,
        image_size: int = NATIVE_SIZE,
        *,
        width: float = 1.0,
        groups: int = 2,
        stride: int | None = None,
        padding: int | None = None,
        std: float | None = None,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        _refuse_settings(width, groups, stride, padding, std, rectified)
        padding = padding if padding is not None else 0 if image_size == NATIVE_SIZE else 2
        stride = stride or next((by for by in STRIDES if _last_side(image_size, by, padding) >= 2), 1)
        side = _last_side(image_size, stride, padding)
        if side < 1:
            raise HandsightError(
                f"{ALEXNET} with stride {stride} leaves nothing of an image of {image_size} px; "
                "choose a larger image_size, 32 for instance, or a smaller stride"
            )
        one, two, three, four, five = (_thinned(channels, width) for channels in CHANNELS)
        neurons = _thinned(NEURONS, width)
        self.rectified = rectified
        self.norm = LocalResponseNorm()
        self.pool = nn.MaxPool2d(3, 2)
        self.conv1 = nn.Conv2d(3, one, 11, stride, padding)
        self.conv2 = nn.Conv2d(one, two, 5, padding=2, groups=groups)
        self.conv3 = nn.Conv2d(two, three, 3, padding=1)
        self.conv4 = nn.Conv2d(three, four, 3, padding=1, groups=groups)
        self.conv5 = nn.Conv2d(four, five, 3, padding=1, groups=groups)
        self.fc6 = nn.Linear(five * side**2, neurons)
        self.fc7 = nn.Linear(neurons, neurons)
        self.feature_info = [
            {"module": tap, "num_chs": channels}
            for tap, channels in zip(TAPS, (one, two, three, four, five, neurons, neurons), strict=True)
        ]
        for tap in TAPS:
            layer = cast("nn.Conv2d | nn.Linear", self.get_submodule(tap))
            nn.init.normal_(layer.weight, std=std or math.sqrt(2 / layer.weight[0].numel()))
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, images: Tensor) -> Tensor:
        """Embed `[B, 3, image_size, image_size]`: fc7, `[B, D]`."""
        last = self.forward_intermediates(images, indices=[len(TAPS) - 1], intermediates_only=True)[0]
        return self.forward_head(last)

    def forward_intermediates(
        self,
        images: Tensor,
        output_fmt: str = "NCHW",
        indices: Sequence[int] | None = None,
        stop_early: bool = False,
        intermediates_only: bool = False,
    ) -> tuple[Tensor, list[Tensor]] | list[Tensor]:
        """Return the last map and the map of each tap, `[B, C, h, w]`, as timm's networks do.

        Args:
            images: `[B, 3, image_size, image_size]`.
            output_fmt: NCHW, the only one.
            indices: numbers of the taps wanted; None takes all.
            stop_early: whether the layers after the last of them are left out.
            intermediates_only: whether the maps alone are returned.
        """
        wanted = range(len(TAPS)) if indices is None else indices
        layers = TAPS[: max(wanted) + 1] if stop_early else TAPS
        maps: list[Tensor] = []
        x = images
        for tap in layers:
            layer = self.get_submodule(tap)
            if tap == "fc6":
                x = self.pool(x)
            x = layer(x.flatten(1) if isinstance(layer, nn.Linear) else x)
            if self.rectified or tap != TAPS[-1]:
                x = x.relu()
            maps.append(x if x.ndim == 4 else x[:, :, None, None])
            if tap in ("conv1", "conv2"):
                x = self.pool(self.norm(x))
        chosen = [maps[number] for number in wanted]
        return chosen if intermediates_only else (maps[-1], chosen)

    def forward_head(self, last: Tensor) -> Tensor:
        """Return the last map as the embedding, `[B, D]`."""
        return last.flatten(1)


def _thinned(count: int, width: float) -> int:
    return max(8, round(count * width / 8) * 8)


def _last_side(image_size: int, stride: int, padding: int) -> int:
    """Return the side of what the third pooling leaves, pixels; 0 or less where nothing is left."""
    side = (image_size + 2 * padding - 11) // stride + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return side


def _refuse_settings(
    width: float, groups: int, stride: int | None, padding: int | None, std: float | None, rectified: bool
) -> None:
    refused = {
        f"width is {width!r}; give a factor above 0, such as 0.25": not _above_zero(width),
        f"groups is {groups!r}; it can be 1 or 2": groups not in (1, 2),
        f"stride is {stride!r}; give 4, 2 or 1, or leave it out": stride not in (None, *STRIDES),
        f"padding is {padding!r}; give 0 to 5 pixels, or leave it out": padding not in (None, *range(6)),
        f"std is {std!r}; give a number above 0, or leave it out": std is not None and not _above_zero(std),
        f"rectified is {rectified!r}; it can be true or false": not isinstance(rectified, bool),
    }
    for message, wrong in refused.items():
        if wrong:
            raise HandsightError(f"{ALEXNET}: {message}")


def _above_zero(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf
