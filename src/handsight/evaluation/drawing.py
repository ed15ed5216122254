"""Things drawn into pictures: the masks that were told, where to touch, and how heavy they are."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from handsight.methods.segmenter import Things

MASS_COLOURS: tuple[tuple[int, int, int], ...] = ((230, 60, 50), (60, 190, 70), (70, 110, 240))
"""Light, medium and heavy, as in the paper's figure 3."""

_SMALLEST_PX = 450
_GAP_PX = 6


def draw_things(image: NDArray[np.uint8], things: Things) -> NDArray[np.uint8]:
    """Return a picture with its things filled by their mass, outlined, and dotted where to touch them.

    Args:
        image: uint8 `[H, W, 3]`, RGB; small ones are enlarged.
        things: told in it.
    """
    scale = max(1, round(_SMALLEST_PX / min(image.shape[:2])))
    drawn = np.repeat(np.repeat(image, scale, 0), scale, 1)
    for mask, bin_ in zip(things.masks, things.bins, strict=True):
        large = np.repeat(np.repeat(mask, scale, 0), scale, 1)
        colour = np.array(MASS_COLOURS[int(bin_)])
        drawn[large] = (0.5 * drawn[large] + 0.5 * colour).astype(np.uint8)
        edges, _ = cv2.findContours(large.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, edges, -1, (255, 255, 255), 1)
    for row, column in things.points.tolist():
        middle = (int((column + 0.5) * scale), int((row + 0.5) * scale))
        cv2.circle(drawn, middle, 4, (0, 0, 0), -1)
        cv2.circle(drawn, middle, 3, (255, 230, 0), -1)
    return drawn


def side_by_side(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return pictures of one height beside one another, white between them."""
    gap = np.full((len(pictures[0]), _GAP_PX, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (picture, gap)][:-1]
    return np.concatenate(row, axis=1)
