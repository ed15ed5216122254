"""Bringing pictures of other people's data to the one size that a recording's camera has."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError

Picture = npt.NDArray[np.uint8]
"""RGB `[H, W, 3]`, or `[H, W, 4]` with opacity last."""


@dataclass(frozen=True)
class Framing:
    """What becomes of each picture: first the central square, then the size, then even sides.

    Args:
        size: of the short side, in px; None leaves it.
        square: cut out the central square.
        even: both sides must be even, as video needs: an odd one loses its last row or column, or is rounded
            where it is resized.

    Raises:
        HandsightError: the size is below 1, or odd where it must be even.
    """

    size: int | None
    square: bool
    even: bool

    def __post_init__(self) -> None:
        if self.size is not None and (self.size < 1 or (self.even and self.size % 2)):
            raise HandsightError(
                f"size is {self.size} px; it must be above zero{', and even for video' if self.even else ''}"
            )

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width in px of what a picture of `height` × `width` px becomes."""
        if self.square:
            height = width = min(height, width)
        if self.size is not None:
            height, width = (self._side(side, min(height, width)) for side in (height, width))
        return (height - height % 2, width - width % 2) if self.even else (height, width)

    def apply(self, picture: Picture) -> Picture:
        """Frame a picture; shrinking averages over areas, growing interpolates linearly."""
        height, width = picture.shape[:2]
        if self.square:
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            picture = picture[top : top + side, left : left + side]
        shape = self.shape(height, width)
        picture = picture[: shape[0], : shape[1]] if self.size is None else resize(picture, *shape)
        return np.ascontiguousarray(picture)

    def _side(self, side: int, short: int) -> int:
        assert self.size is not None
        if self.even:
            return max(2, 2 * round(side * self.size / short / 2))
        return max(1, round(side * self.size / short))


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Return a picture of `height` × `width` px."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height <= picture.shape[0] and width <= picture.shape[1]
    resized = cv2.resize(
        np.ascontiguousarray(picture),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return np.asarray(resized, dtype=np.uint8)


def over_white(picture: Picture) -> Picture:
    """Return `[H, W, 4]` as RGB: transparency laid over white, for the colour beneath is arbitrary."""
    opacity = picture[:, :, 3:].astype(np.uint32)
    return ((picture[:, :, :3] * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
