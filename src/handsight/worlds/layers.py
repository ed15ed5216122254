"""Layers: what was drawn, read back with its depths, so that what stands still is drawn once."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """What was drawn, in rows from the bottom up.

    Args:
        colours: uint8 `[H, W, 4]`, RGBA.
        depths: float32 `[H, W]`; the larger is the nearer, 0 where nothing was drawn.
    """

    colours: NDArray[np.uint8]
    depths: NDArray[np.float32]


class Reader:
    """Reads what the current graphics context has drawn.

    MuJoCo's own reading gives RGB, which Mesa converts pixel by pixel, and depths that have lost bits; as the
    device keeps them, both come faster and whole. They are read into the same memory each time: to be given
    new pages takes longer than the reading.

    Args:
        size: width and height of the picture, pixels.
        drawn_size: width and height in which it is drawn: as large, or twice as large.
    """

    def __init__(self, size: int, drawn_size: int) -> None:
        from OpenGL import GL  # type: ignore[import-untyped]  # finds the library that the context came from

        self._gl = GL
        self._size, self._drawn_size = size, drawn_size
        self._drawn = Layer(
            np.empty((drawn_size, drawn_size, 4), np.uint8), np.empty((drawn_size, drawn_size), np.float32)
        )
        self._covered = np.empty((drawn_size, drawn_size), np.uint8)
        self._averaged = np.empty((size, size, 4), np.uint8)

    def layer(self) -> Layer:
        """Read what was drawn, to keep it."""
        self._read_colours()
        self._read_depths()
        return Layer(self._drawn.colours.copy(), self._drawn.depths.copy())

    def picture(self, other: Layer | None = None) -> NDArray[np.uint8]:
        """Read what was drawn and return the picture, upright, uint8 `[size, size, 3]`, RGB.

        Args:
            other: what else there is to see: in each pixel the nearer one shows, in a tie this one.
        """
        self._read_colours()
        if other is not None:
            self._read_depths()
            self._cover(other)
        return self._average()

    def _read_colours(self) -> None:
        size, gl = self._drawn_size, self._gl
        gl.glReadPixels(0, 0, size, size, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, self._drawn.colours)

    def _read_depths(self) -> None:
        size, gl = self._drawn_size, self._gl
        gl.glReadPixels(0, 0, size, size, gl.GL_DEPTH_COMPONENT, gl.GL_FLOAT, self._drawn.depths)

    def _cover(self, other: Layer) -> None:
        """Write the other layer's colours over those read, where it is not farther."""
        cv2.compare(other.depths, self._drawn.depths, cv2.CMP_GE, self._covered)
        cv2.copyTo(other.colours, self._covered, self._drawn.colours)

    def _average(self) -> NDArray[np.uint8]:
        """Return the picture that the colours make, of 2 × 2 of them where they were drawn twice as large."""
        colours = self._drawn.colours
        if self._drawn_size != self._size:
            colours = self._averaged
            cv2.resize(self._drawn.colours, (self._size, self._size), colours, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGBA2RGB)[::-1].copy(), np.uint8)
