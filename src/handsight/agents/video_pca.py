"""VideoPCA: what moves in a film, told from what a few principal components do not explain.

VideoPCA (Stretcu and Leordeanu, BMVC 2015; Croitoru et al., ICCV 2017, train a network with it), as adapted
to interactions by Lohmann et al. 2020, appendix D, "The videoPCA baseline" (table 1, row g). The numbers are
those of their code. Unlike there, components are of colours as red, green and blue, since hue goes round; and
a soft mask is spread over 0 to 1 as a whole, not row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from handsight.agents.feedback import Mask, SelfSupervision, fill
from handsight.encoders.unet import STRIDE
from handsight.errors import HandsightError
from handsight.methods import VideoPCA
from handsight.methods.segmenter import Things

Floats: TypeAlias = NDArray[np.float32]

COMPONENTS = 4

MOVED = 0.005
"""Of what the components leave of the first picture, smoothed, above which there is anything to be seen."""

COLOURS = (100, 25, 10)
"""Bins of hue and saturation, as the two coordinates of a disc, and of value."""

SURE, LIKELY = 0.8, 0.5
"""Of a soft mask: what is likely stays where something sure is near."""

FOREGROUND = 0.5

FEWEST = 5
"""Cells of a grid of 100 × 100, which a thing has more of."""

AUTHORS = SelfSupervision()
"""The released code's superpixels."""

_GRID = 100  # cells a side that the filters' sizes are for
_SMOOTH, _CENTRE, _DECAY = 7, 20, 50.0  # radii and fall-off in such cells


def soft_mask(images: NDArray[np.uint8], components: int = COMPONENTS) -> Floats:
    """Return how likely each cell of a film's first picture shows what moves in it.

    What the components do not explain is a first mask of each picture; colours that are frequent on these and
    rare elsewhere make the soft one, near the first picture's mask.

    Args:
        images: uint8 `[T, S, S, 3]`, RGB; the first is the view before anything moved.
        components: of the pictures' cells; with T or more of them all is explained.

    Returns:
        float32 `[S // 3, S // 3]`, in [0, 1]; zeros where nothing moved.

    Raises:
        HandsightError: that is no film.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or min(images.shape) < 1:
        raise HandsightError(
            f"a film came as {images.dtype} {list(images.shape)}; give uint8 pictures [T, S, S, 3]"
        )
    cells = _cells(images)
    grid = cells.shape[1]
    moving = _unexplained(cells, components)
    smooth = _falling(_SMOOTH, grid)
    moving = np.stack([_filtered(each, smooth / smooth.sum()) for each in moving])
    if not (moving[0] > MOVED).any():
        return np.zeros((grid, grid), np.float32)
    masks = np.stack([_spread(each) for each in moving]) > FOREGROUND
    if not masks[0].any() or masks[0].all():
        return np.asarray(masks[0], np.float32)
    # More than one cell of the first mask nearby, weighed by how near it is.
    near = _filtered(np.asarray(masks[0], np.float32), _falling(_CENTRE, grid)) > (grid / _GRID) ** 2
    soft = _spread(np.where(near, _by_colour(cells, masks), np.float32(0)))
    cross = ndimage.generate_binary_structure(2, 1)
    likely = ndimage.binary_dilation(soft > SURE, cross, iterations=2) & (soft > LIKELY)
    return _spread(np.where(likely, soft, np.float32(0)))


def things_in(
    soft: Floats,
    image: NDArray[np.uint8],
    foreground: float = FOREGROUND,
    senses: SelfSupervision = AUTHORS,
) -> list[tuple[Mask, tuple[int, int]]]:
    """Return the things that a soft mask shows: its connected parts, each aligned with superpixels.

    As in the released code, what is up to two cells apart is one part.

    Args:
        soft: `[G, G]`, a soft mask.
        image: uint8 `[S, S, 3]`, RGB, what it is of.
        foreground: above which a cell is on something.
        senses: says which superpixels, if any, and how much of one has to be on a part.

    Returns:
        Of each its mask, bool `[G, G]`, and row and column of its surest cell, which need not be on the mask.
    """
    on = soft > foreground
    wide = ndimage.binary_dilation(on, ndimage.generate_binary_structure(2, 1))
    number_of, count = ndimage.label(wide, np.ones((3, 3)))
    labels = senses.groups(image)
    found = []
    for number in range(1, count + 1):
        part = on & (number_of == number)
        thing = fill(part, labels, senses.superpixel_share)
        if part.sum() > FEWEST * (len(soft) / _GRID) ** 2 and thing.any():
            row, column = np.unravel_index(np.where(part, soft, -np.inf).argmax(), soft.shape)
            found.append((thing, (int(row), int(column))))
    return found


def teller(
    method: VideoPCA, foreground: float = FOREGROUND, senses: SelfSupervision = AUTHORS
) -> Callable[[NDArray[np.uint8], NDArray[np.float32]], list[Things]]:
    """Return what tells things in pictures by a method's network as it is; arguments as of `things_in`.

    A thing's score is that of its surest cell; all are told as light, since nothing is said of weight.
    """

    def tell(images: NDArray[np.uint8], depths_m: NDArray[np.float32]) -> list[Things]:
        soft = method.soft_masks(images, depths_m)
        found = (things_in(*each, foreground, senses) for each in zip(soft, images, strict=True))
        return [_told(*each) for each in zip(soft, found, images, strict=True)]

    return tell


def _told(soft: Floats, found: list[tuple[Mask, tuple[int, int]]], image: NDArray[np.uint8]) -> Things:
    cells = np.array([cell for _, cell in found], np.int64).reshape(-1, 2)
    scores = soft[cells[:, 0], cells[:, 1]].astype(float).clip(0, 1)
    order = np.argsort(-scores, kind="stable")
    masks = np.array([found[number][0] for number in order], bool).reshape(-1, *soft.shape)
    rows, columns = (
        ((np.arange(side) + 0.5) * count / side).astype(int)
        for side, count in zip(image.shape[:2], soft.shape, strict=True)
    )
    scale = np.array(image.shape[:2]) / soft.shape
    return Things(
        masks=masks[:, rows][:, :, columns],
        scores=scores[order],
        bins=np.zeros(len(masks), np.int64),
        points=((cells[order] + 0.5) * scale).astype(np.int64),
    )


def _cells(images: NDArray[np.uint8]) -> Floats:
    """Return the mean colours of whole cells, `[T, G, G, 3]`, in [0, 1]."""
    rows, columns = (side // STRIDE for side in images.shape[1:3])
    whole = images[:, : rows * STRIDE, : columns * STRIDE].astype(np.float32) / 255
    return np.asarray(whole.reshape(len(images), rows, STRIDE, columns, STRIDE, 3).mean((2, 4)), np.float32)


def _unexplained(cells: Floats, components: int) -> Floats:
    """Return how far each cell of each picture is from its reconstruction, `[T, G, G]`."""
    flat = cells.reshape(len(cells), -1).astype(np.float64)
    flat = flat - flat.mean(0)
    # Few pictures of many cells: a small matrix tells what the components are made of, three times sooner.
    _, weights = np.linalg.eigh(flat @ flat.T)
    kept = weights[:, ::-1][:, :components]
    left = flat - kept @ (kept.T @ flat)
    return np.asarray(np.sqrt(np.square(left.reshape(cells.shape)).sum(-1)), np.float32)


def _by_colour(cells: Floats, masks: Mask) -> Floats:
    """Return how much more frequent the colours of the first picture are on masks than off them, `[G, G]`."""
    hsv = np.stack([cv2.cvtColor(each, cv2.COLOR_RGB2HSV) for each in cells])
    hue, saturation, value = np.radians(hsv[..., 0]), hsv[..., 1], hsv[..., 2]
    places = ((saturation * np.cos(hue) + 1) / 2, (saturation * np.sin(hue) + 1) / 2, value)
    bins = [(place * (count - 1)).astype(int) for place, count in zip(places, COLOURS, strict=True)]
    colour = np.ravel_multi_index(tuple(bins), COLOURS)
    on, off = (
        np.bincount(colour[which], minlength=np.prod(COLOURS)) / max(1, which.sum())
        for which in (masks, ~masks)
    )
    return np.asarray((on / (on + off + 1e-5))[colour[0]], np.float32)


def _falling(radius: int, grid: int) -> Floats:
    """Return a filter that falls off with the distance, at the grid's resolution; 1 in its middle."""
    scale = grid / _GRID
    reach = max(1, round(radius * scale))
    away = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
    return np.asarray(np.exp(-away / (_DECAY * scale)), np.float32)


def _filtered(picture: Floats, weights: Floats) -> Floats:
    return np.asarray(cv2.filter2D(picture, -1, weights, borderType=cv2.BORDER_CONSTANT), np.float32)


def _spread(picture: Floats) -> Floats:
    """Return a picture whose smallest number is 0 and whose largest is 1; zeros where all are alike."""
    low, high = picture.min(), picture.max()
    return np.asarray((picture - low) / (high - low + 1e-6), np.float32)
