"""The network of "Learning about objects by learning to interact with them" (NeurIPS 2020, appendix A).

A UNet of a colour picture and its depth: small things are seen beside what surrounds them, 137 pixels wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from handsight.errors import HandsightError

UNET = "unet-interaction"
"""Its name among encoders."""

TAPS = ("stem", "down1", "down2", "down3", "up3", "up2", "up1", "map")
"""Its maps in the order of depth; `down3` is the deepest, `map` what the heads stand on."""

DEEPEST = TAPS.index("down3")

STRIDE = 3
"""Pixels of the picture to a cell of the final map."""

SMALLEST = 75
"""Side of the smallest input, pixels; below, less than half of the final map would be computed at its own
resolution, the rest stretched."""


class Down(nn.Module):
    """Half the resolution, twice the channels: 3 × 3, 1 × 1, the block's input added, 3 × 3 with stride 2.

    The last convolution of three takes the residual sum, as the appendix has it.

    Args:
        channels: of the input.
        out: channels of the result.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.wide = _convolution(channels, out, 3, padding=1)
        self.narrow = _convolution(out, channels, 1)
        self.last = _convolution(channels, out, 3, padding=1, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn `[B, channels, h, w]` into `[B, out, ⌈h/2⌉, ⌈w/2⌉]`."""
        last: Tensor = self.last(maps + self.narrow(self.wide(maps)))
        return last


class Up(nn.Module):
    """Twice the resolution, beside the map from the way down: transposed 2 × 2, joined, 3 × 3.

    Of the two maps the larger one is cropped to its middle; where one cell is too many, the last one goes.

    Args:
        deep: channels of the map that is brought up.
        lateral: channels of the map from the way down.
        out: channels of the result.
        padded: whether the 3 × 3 is padded, so that nothing is lost along the edges.
    """

    def __init__(self, deep: int, lateral: int, out: int, padded: bool = False) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(deep, out, 2, stride=2)
        self.joined = _convolution(out + lateral, out, 3, padding=int(padded))

    def forward(self, deep: Tensor, lateral: Tensor) -> Tensor:
        """Join `[B, deep, h, w]` and `[B, lateral, H, W]`: `[B, out, s, s]`, s = min(2h, H) − 2.

        Padded, s = min(2h, H).
        """
        up = self.up(deep)
        size = min(up.shape[-1], lateral.shape[-1])
        joined: Tensor = self.joined(torch.cat([_middle(up, size), _middle(lateral, size)], dim=1))
        return joined


class UNet(nn.Module):
    """A 5 × 5 convolution of stride 3, three blocks down, three up with lateral connections.

    At 300 px the maps are 100, 50, 25 and 13 cells wide on the way down, and 23, 44 and 86 on the way up,
    where convolutions are not padded; the last is brought to 100 cells bilinearly. These sizes are those of
    the network that the authors released; the appendix gives every map the size of its block's input. So a
    cell of `map` does not lie in the middle of what it sees: `map` stretches the middle 86 of 100 cells. In
    smaller pictures that is worse, at 150 px the middle 38 of 50: what a cell sees at full resolution is up
    to six cells, 18 pixels, away. Padded, every cell lies over what it sees.

    The embedding (`pooled`) is the mean over `down3`, the deepest map of 256 channels. Weights are drawn as
    torch draws them.

    Args:
        image_size: side of the input, pixels: a multiple of 3, at least 75.
        width: factor on the number of channels, rounded to multiples of 8; 0.25 trains on a laptop.
        padded: whether convolutions on the way up are padded, as the appendix's text has it ("of the same
            shape as the input to the block"); by default not, as in the released code.

    Attributes:
        grid: side of `map`, cells: a third of the image size.
        feature_info: the name and the channels of each tap, as timm's networks say them.

    Raises:
        HandsightError: for an image size or a width that it cannot have.
    """

    takes_depth: ClassVar[bool] = True
    """A fourth channel of the input is depth in metres."""

    normalisation: ClassVar[tuple[tuple[float, ...], tuple[float, ...]]] = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    """Mean and deviation of RGB in [0, 1]: the paper's pictures are divided by 255, and that is all."""

    def __init__(self, image_size: int = 300, *, width: float = 1.0, padded: bool = False) -> None:
        super().__init__()
        _refuse_settings(image_size, width, padded)
        self.grid = image_size // STRIDE
        one, two, four, eight = (_thinned(count, width) for count in (32, 64, 128, 256))
        self.stem = _convolution(4, one, 5, padding=2, stride=STRIDE)
        self.down1, self.down2, self.down3 = Down(one, two), Down(two, four), Down(four, eight)
        self.up3, self.up2 = Up(eight, four, four, padded), Up(four, two, two, padded)
        self.up1 = Up(two, one, two, padded)
        self.map = nn.Upsample(size=(self.grid, self.grid), mode="bilinear", align_corners=False)
        channels = (one, two, four, eight, four, two, two, two)
        self.feature_info = [
            {"module": tap, "num_chs": count} for tap, count in zip(TAPS, channels, strict=True)
        ]

    def forward(self, sights: Tensor) -> Tensor:
        """Embed `[B, 4, image_size, image_size]`, RGB in [0, 1] and metres: `[B, 256]`."""
        maps = self.forward_intermediates(sights, indices=[DEEPEST], stop_early=True, intermediates_only=True)
        return self.forward_head(cast("list[Tensor]", maps)[0])

    def forward_intermediates(
        self,
        sights: Tensor,
        output_fmt: str = "NCHW",
        indices: Sequence[int] | None = None,
        stop_early: bool = False,
        intermediates_only: bool = False,
    ) -> tuple[Tensor, list[Tensor]] | list[Tensor]:
        """Return the deepest map, which `forward_head` takes, and the map of each tap, `[B, C, h, w]`.

        Args:
            sights: `[B, 4, image_size, image_size]`.
            output_fmt: NCHW, the only one.
            indices: numbers of the taps wanted; None takes all.
            stop_early: whether the layers after the last of them are left out.
            intermediates_only: whether the maps alone are returned.
        """
        wanted = range(len(TAPS)) if indices is None else indices
        until = max(wanted) + 1 if stop_early else len(TAPS)
        lateral = {"up3": "down2", "up2": "down1", "up1": "stem"}
        maps: dict[str, Tensor] = {}
        x = sights
        for tap in TAPS[:until] if intermediates_only else TAPS[: max(until, DEEPEST + 1)]:
            layer = self.get_submodule(tap)
            x = layer(x, maps[lateral[tap]]) if tap in lateral else layer(x)
            maps[tap] = x
        chosen = [maps[TAPS[number]] for number in wanted]
        return chosen if intermediates_only else (maps["down3"], chosen)

    def forward_head(self, deepest: Tensor) -> Tensor:
        """Return the mean over the deepest map as the embedding, `[B, D]`."""
        return deepest.mean(dim=(2, 3))


def _convolution(taken: int, out: int, kernel: int, *, padding: int = 0, stride: int = 1) -> nn.Sequential:
    """Return a convolution with batch norm and ReLU; a bias would be taken away again by the norm."""
    convolution = nn.Conv2d(taken, out, kernel, stride, padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _middle(maps: Tensor, size: int) -> Tensor:
    start = (maps.shape[-1] - size) // 2
    return maps[..., start : start + size, start : start + size]


def _thinned(count: int, width: float) -> int:
    return max(8, round(count * width / 8) * 8)


def _refuse_settings(image_size: int, width: float, padded: bool) -> None:
    if image_size % STRIDE or image_size < SMALLEST:
        raise HandsightError(
            f"{UNET} got an image_size of {image_size}; give a multiple of {STRIDE} from {SMALLEST} on, "
            "such as 150, or the paper's 300"
        )
    number = isinstance(width, (int, float)) and not isinstance(width, bool)
    if not number or not 0 < width < math.inf:
        raise HandsightError(f"{UNET}: width is {width!r}; give a factor above 0, such as 0.25")
    if not isinstance(padded, bool):
        raise HandsightError(f"{UNET}: padded is {padded!r}; give true or false")
