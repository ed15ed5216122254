"""What an agent tells from the views before and after it acted: what moved, and was it what it meant?

Learning about objects by learning to interact with them (Lohmann et al. 2020), section 4.2-III, appendix E.
Nothing here is learned, and nothing knows the truth. A mask lives on a grid of cells, `STRIDE` pixels wide
and high; pixels beyond the last whole cell are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb

from handsight.encoders.unet import STRIDE
from handsight.errors import HandsightError
from handsight.methods.acting import Difference, Kernel

Mask: TypeAlias = NDArray[np.bool_]
Labels: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

THRESHOLD = 0.01
"""Of the squared HSV difference, above which a cell changed (section 4.2-III)."""

SHARE = 0.25
"""Part of a superpixel, above which all of it is taken to have changed (section 4.2-III)."""

SUCCESS = 1.5
"""Weighted number of changed cells around the point, above which an interaction succeeded (appendix E)."""

FLOW_PX = 1.0
"""Mean length of a cell's optical flow, pixels, above which it moved. The paper gives none."""

SMALLEST_PX = 200
"""Pixels of the smallest superpixel in a picture of 300 × 300 (the authors')."""

_SCALE, _SIGMA, _AT_PX = 200.0, 0.5, 300

_POWER = {"exponential": 0.5, "gaussian": 1.0}  # of the squared distance


@cache
def kernel(name: Kernel = "exponential") -> NDArray[np.float64]:
    """Return how much a changed cell counts by its distance from the point, `[5, 5]`, read-only.

    Args:
        name: `exponential`, exp(−√(u² + v²)), is the authors' released code; `gaussian`, exp(−u² − v²), is
            what the paper prints (equation 1). They sum to 5.08 and 3.14: `SUCCESS` asks more of the second.

    Raises:
        HandsightError: another name.
    """
    if name not in _POWER:
        raise HandsightError(f"there is no kernel {name!r}; give one of {', '.join(_POWER)}")
    away = np.arange(-2.0, 3.0) ** 2
    weights = np.exp(-((away[:, None] + away) ** _POWER[name]))
    weights.setflags(write=False)
    return weights


def centre_px(cells: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the rows or columns of the pixels in the middle of cells."""
    return cells * STRIDE + STRIDE // 2


def sample(picture: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return `[H, W]` on the grid: the pixel in the middle of each cell."""
    rows, columns = (side // STRIDE * STRIDE for side in picture.shape[:2])
    return picture[STRIDE // 2 : rows : STRIDE, STRIDE // 2 : columns : STRIDE]


def superpixels(image: NDArray[np.uint8], smallest_px: int = SMALLEST_PX) -> Labels:
    """Group pixels that look alike (Felzenszwalb and Huttenlocher 2004), and tell the group of each cell.

    Scale 200 and sigma 0.5 are the authors'. They read the group at each cell's top left pixel; here it is
    read in its middle, where the truth is read too.

    Args:
        image: uint8 `[S, S, 3]`, RGB.
        smallest_px: pixels of the smallest group if the picture had 300 × 300; at other sizes groups keep
            their part of it.

    Returns:
        int32 `[S // 3, S // 3]`, from 0.
    """
    _check_picture(image)
    smallest = max(1, round(smallest_px * image.shape[0] * image.shape[1] / _AT_PX**2))
    groups = felzenszwalb(image, scale=_SCALE, sigma=_SIGMA, min_size=smallest)
    return np.ascontiguousarray(sample(groups), dtype=np.int32)


def hsv(image: NDArray[np.uint8]) -> Floats:
    """Return hue (once round is 1), saturation and value, float32 `[3 · G, 3 · G, 3]`: whole cells only."""
    _check_picture(image)
    rows, columns = (side // STRIDE * STRIDE for side in image.shape[:2])
    scaled = image[:rows, :columns].astype(np.float32)
    scaled *= np.float32(1 / 255)
    converted: Floats = cv2.cvtColor(scaled, cv2.COLOR_RGB2HSV)
    converted[..., 0] *= np.float32(1 / 360)
    return converted


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return brightness, uint8 `[3 · G, 3 · G]`, whole cells only: what optical flow is computed from."""
    _check_picture(image)
    rows, columns = (side // STRIDE * STRIDE for side in image.shape[:2])
    converted: NDArray[np.uint8] = cv2.cvtColor(
        np.ascontiguousarray(image[:rows, :columns]), cv2.COLOR_RGB2GRAY
    )
    return converted


def changed(
    before: Floats, after: Floats, difference: Difference = "squared-first", threshold: float = THRESHOLD
) -> Mask:
    """Tell which cells of a view changed colour, bool `[G, G]`.

    Hue goes round: 0.99 and 0.01 are 0.02 apart. (In the authors' code they are 0.98 apart.)

    Args:
        before: `hsv` of the view before the interaction.
        after: `hsv` of the view after it.
        difference: `squared-first` squares the difference and averages the squares over a cell's pixels and
            its three channels, as the authors' code does. `averaged-first` averages the difference over a
            cell's pixels and takes the squared length of what is left, as the paper's text says; there,
            texture that moved can cancel out.
        threshold: above which a cell changed.
    """
    if before.shape != after.shape:
        raise HandsightError(
            f"two views of {before.shape[:2]} and {after.shape[:2]} pixels cannot be compared"
        )
    apart = cv2.subtract(after, before)
    hue = apart[..., 0]
    hue -= np.rint(hue)
    if difference == "squared-first":
        return np.asarray(_cells(cv2.multiply(apart, apart)).mean(axis=2) > threshold)
    if difference == "averaged-first":
        return np.asarray(np.square(_cells(apart)).sum(axis=2) > threshold)
    raise HandsightError(
        f"there is no difference of colours {difference!r}; give squared-first or averaged-first"
    )


def flowed(before: NDArray[np.uint8], after: NDArray[np.uint8], threshold_px: float = FLOW_PX) -> Mask:
    """Tell which cells of a view moved, by dense optical flow that is not learned (Kroeger et al. 2016).

    Args:
        before: `grey` of the view before the interaction, on which the mask lies.
        after: `grey` of the view after it.
        threshold_px: mean length of the flow over a cell, pixels, above which it moved.

    Returns:
        bool `[G, G]`.
    """
    if before.shape != after.shape:
        raise HandsightError(f"two views of {before.shape} and {after.shape} pixels cannot be compared")
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    finder.setFinestScale(1)  # the preset's 2 blurs what moved over twice its area
    flow = finder.calc(before, after, np.zeros((*before.shape, 2), np.float32))
    return _cells(cv2.magnitude(flow[..., 0], flow[..., 1])) > threshold_px


def fill(mask: Mask, labels: Labels | None, share: float = SHARE) -> Mask:
    """Fill the superpixels that changed enough and clear all others.

    Args:
        mask: bool `[G, G]`.
        labels: of `superpixels`, or None to leave the mask as it is (the ablation of table 1, row k).
        share: a superpixel is filled where more than this part of it changed.

    Returns:
        bool `[G, G]`.
    """
    if labels is None:
        return mask
    if labels.shape != mask.shape:
        raise HandsightError(f"superpixels of {labels.shape} cells came with a mask of {mask.shape}")
    sizes = np.bincount(labels.ravel())
    hits = np.bincount(labels[mask], minlength=len(sizes))
    return np.asarray(hits / np.maximum(sizes, 1) > share)[labels]


def succeeded(
    mask: Mask, point: tuple[int, int], weights: NDArray[np.float64] | None = None, threshold: float = SUCCESS
) -> bool:
    """Tell whether what changed lies where the agent acted (appendix E).

    Args:
        mask: bool `[G, G]`, after superpixels.
        point: row and column of the cell that was acted upon.
        weights: of the cells around it, `[5, 5]`, cut at the picture's edge; by default that of `kernel()`.
        threshold: above which the sum is a success.

    Raises:
        HandsightError: the point is outside the grid.
    """
    weights = kernel() if weights is None else weights
    reach = len(weights) // 2
    for place, size in zip(point, mask.shape, strict=True):
        if not 0 <= place < size:
            raise HandsightError(f"point {tuple(map(int, point))} is outside the grid of {mask.shape} cells")
    around = [slice(max(place - reach, 0), place + reach + 1) for place in point]
    row, column = (max(reach - place, 0) for place in point)
    near = mask[around[0], around[1]]
    return bool(weights[row : row + near.shape[0], column : column + near.shape[1]][near].sum() > threshold)


@dataclass(frozen=True)
class SelfSupervision:
    """How an agent supervises itself; the defaults are the authors' code.

    Args:
        difference: `squared-first` or `averaged-first` of colours (see `changed`), or `flow` (see `flowed`).
        threshold: above which a cell changed: of the squared difference, or of the flow in pixels; by default
            `THRESHOLD` and `FLOW_PX`.
        superpixels: whether masks are aligned with superpixels.
        superpixel_px: pixels of the smallest superpixel of a 300 × 300 picture. What is smaller is one with
            what lies around it, and is not found by moving it.
        superpixel_share: of a superpixel that has to change, in [0, 1).
        kernel: `exponential` or `gaussian` (see `kernel`).
        success: what the weighted cells around the point have to sum to.

    Raises:
        HandsightError: an option is out of its range.
    """

    difference: Difference = "squared-first"
    threshold: float | None = None
    superpixels: bool = True
    superpixel_px: int = SMALLEST_PX
    superpixel_share: float = SHARE
    kernel: Kernel = "exponential"
    success: float = SUCCESS

    def __post_init__(self) -> None:
        if self.difference not in ("squared-first", "averaged-first", "flow"):
            raise HandsightError(
                f"difference is {self.difference!r}; give squared-first, averaged-first or flow"
            )
        if self.threshold is not None and not self.threshold > 0:
            raise HandsightError(f"threshold is {self.threshold}; give a number above 0")
        if self.superpixel_px < 1:
            raise HandsightError(f"superpixel_px is {self.superpixel_px}; it starts at 1")
        if not 0 <= self.superpixel_share < 1:
            raise HandsightError(f"superpixel_share is {self.superpixel_share}; give a part, in [0, 1)")
        most = float(kernel(self.kernel).sum())
        if not 0 < self.success < most:
            raise HandsightError(
                f"success is {self.success}; with this kernel it lies between 0 and {most:.2f}"
            )

    def groups(self, image: NDArray[np.uint8]) -> Labels | None:
        """Return the superpixels of the view before anything was done, or None where none are wanted."""
        return superpixels(image, self.superpixel_px) if self.superpixels else None

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Return what views are compared by, so that each is converted once."""
        return grey(image) if self.difference == "flow" else hsv(image)

    def moved(self, before: NDArray[Any], after: NDArray[Any], labels: Labels | None) -> Mask:
        """Return what moved between two prepared views, aligned with superpixels; bool `[G, G]`."""
        if self.difference == "flow":
            mask = flowed(before, after, FLOW_PX if self.threshold is None else self.threshold)
        else:
            threshold = THRESHOLD if self.threshold is None else self.threshold
            mask = changed(before, after, self.difference, threshold)
        return fill(mask, labels, self.superpixel_share)

    def succeeded(self, mask: Mask, point: tuple[int, int]) -> bool:
        """Tell whether a mask says that what was at the point moved."""
        return succeeded(mask, point, kernel(self.kernel), self.success)


def _cells(picture: Floats) -> Floats:
    """Return the mean over each cell; the picture's sides are whole numbers of cells."""
    rows, columns = (side // STRIDE for side in picture.shape[:2])
    means: Floats = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    return means


def _check_picture(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < STRIDE:
        raise HandsightError(
            f"a view came as {image.dtype} {list(image.shape)}; expected uint8 [S, S, 3] of at least "
            f"{STRIDE} × {STRIDE} pixels"
        )
