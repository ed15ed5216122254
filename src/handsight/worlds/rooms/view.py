"""The eye: a graphics context that shows one room after another, with depths and with what is what."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handsight.worlds.graphics import Closing, load_mujoco, open_context
from handsight.worlds.layers import Layer, Reader
from handsight.worlds.places import Sight
from handsight.worlds.rooms.model import Built, painted_model

GEOMS_N = 2000
HIDDEN = 5
"""The group of geoms that are not drawn."""


def rays(size: int) -> NDArray[np.float64]:
    """Return for each pixel the direction to it, `[S, S, 3]`: right, up, ahead; ahead is 1 throughout.

    The field of view is 90° either way.
    """
    across = (np.arange(size) + 0.5) / (size / 2) - 1
    right, down = np.meshgrid(across, across, indexing="xy")
    return np.stack([right, -down, np.ones_like(right)], axis=-1)


class View(Closing):
    """Draws rooms as their camera sees them.

    Compiling a room takes milliseconds, opening a context far longer: all rooms have the same finishes, so
    that one context, opened with their textures, draws them all.

    Args:
        size: width and height of the picture, pixels.
        antialias: draws at twice the size and averages 2 × 2 pixels.

    Raises:
        HandsightError: there is no OpenGL; says what to install.
    """

    def __init__(self, size: int, antialias: bool) -> None:
        self._size, self._drawn_size = size, size * (2 if antialias else 1)
        self._mujoco = load_mujoco()
        model = painted_model(self._mujoco, self._drawn_size)
        self._gl, self.device = open_context(self._drawn_size, self._drawn_size)
        self._context = self._mujoco.MjrContext(model, self._mujoco.mjtFontScale.mjFONTSCALE_50)
        self._mujoco.mjr_setBuffer(self._mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene = self._mujoco.MjvScene(model, maxgeom=GEOMS_N)
        self._scene.flags[:] = 0
        self._options, self._camera = self._mujoco.MjvOption(), self._mujoco.MjvCamera()
        self._options.geomgroup[:] = [1, 0, 0, 0, 0, 0]
        self._camera.type, self._camera.fixedcamid = self._mujoco.mjtCamera.mjCAMERA_FIXED, 0
        self._rectangle = self._mujoco.MjrRect(0, 0, self._drawn_size, self._drawn_size)
        self._reader = Reader(size, self._drawn_size)
        self._along = np.linalg.norm(rays(self._drawn_size), axis=-1).astype(np.float32)
        self._built: Built | None = None
        self._room: Layer | None = None
        self._closed = False

    def enter(self, built: Built, data: Any) -> None:
        """Show another room from now on."""
        self._built, self._data = built, data
        near, far = built.model.vis.map.znear, built.model.vis.map.zfar
        self._near, self._far = np.float32(near), np.float32(far)
        self._of_things = built.thing_of_geom >= 0
        self._room = self._drawn(~self._of_things)

    def sight(self) -> Sight:
        """Return what is seen now."""
        assert self._room is not None, "enter first"
        things = self._drawn(self._of_things)
        # In each pixel the nearer one shows; in a tie the room.
        nearer = things.depths > self._room.depths
        colours = np.where(nearer[..., None], things.colours, self._room.colours)
        depths = np.where(nearer, things.depths, self._room.depths)
        ratio = self._near / (self._near + depths * (self._far - self._near))  # 1 is near, 0 is far
        along = self._far * ratio * self._along[::-1]
        if self._drawn_size != self._size:
            colours = cv2.resize(colours, (self._size, self._size), interpolation=cv2.INTER_AREA)
            along = along[::2, 1::2]  # the pixels that `things` takes, before the picture is turned over
        image = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGBA2RGB)[::-1].copy(), np.uint8)
        return Sight(image, np.ascontiguousarray(along[::-1], np.float32))

    def things(self) -> NDArray[np.int64]:
        """Return the number of the thing that is seen in each pixel, `[S, S]`; −1 where there is none."""
        assert self._built is not None, "enter first"
        flags = (self._mujoco.mjtRndFlag.mjRND_SEGMENT, self._mujoco.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            self._scene.flags[flag] = 1
        try:
            colours = self._drawn(np.ones(len(self._of_things), bool)).colours.astype(np.int64)
        finally:
            for flag in flags:
                self._scene.flags[flag] = 0
        number = colours[..., 0] + (colours[..., 1] << 8) + (colours[..., 2] << 16) - 1
        shown = [self._scene.geoms[nth].objid for nth in range(self._scene.ngeom)]
        thing = np.append(self._built.thing_of_geom[shown], -1)  # the last is for where nothing is seen
        pixels = thing[np.clip(number, -1, len(shown))][::-1]
        return np.ascontiguousarray(pixels[1::2, 1::2] if self._drawn_size != self._size else pixels)

    def _drawn(self, chosen: NDArray[np.bool_]) -> Layer:
        """Draw some geoms and return what was drawn."""
        assert self._built is not None
        mujoco, model = self._mujoco, self._built.model
        model.geom_group[:] = np.where(chosen & self._in_view(), 0, HIDDEN)
        self._gl.make_current()
        mujoco.mjv_updateScene(
            model,
            self._data,
            self._options,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        return self._reader.layer()

    def _in_view(self) -> NDArray[np.bool_]:
        """Return which geoms may be seen: the balls around the others lie beside the picture."""
        assert self._built is not None
        away = (self._data.geom_xpos - self._data.cam_xpos[0]) @ self._data.cam_xmat[0].reshape(3, 3)
        radius = self._built.model.geom_rbound * np.sqrt(2)
        ahead = -away[:, 2]
        return np.asarray((np.abs(away[:, :2]).max(1) < ahead + radius) & (ahead > -radius))
