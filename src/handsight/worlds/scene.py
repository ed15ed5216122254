"""The stage: one compiled MuJoCo model and one graphics context that show object after object.

Compiling a model and opening a context takes far longer than drawing. Another object is shown on the same
stage: its triangles and textures are written into slots of the compiled model and sent to the graphics
device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.worlds.graphics import Closing, load_mujoco, open_context
from handsight.worlds.layers import Layer, Reader
from handsight.worlds.objects.appearance import Finish
from handsight.worlds.objects.surface import Surface
from handsight.worlds.slots import compiled


@dataclass(frozen=True)
class Camera:
    """Where the picture is taken from.

    Args:
        position: `[3]`, z up.
        target: `[3]`, what is in the middle of the picture.
        fov_rad: vertical field of view.
    """

    position: NDArray[np.float64]
    target: NDArray[np.float64]
    fov_rad: float

    @property
    def height_rad(self) -> float:
        """Angle above the horizon from which the camera looks down."""
        down = self.position - self.target
        return float(np.arcsin(down[2] / np.linalg.norm(down)))

    @property
    def rotation(self) -> Rotation:
        """From the camera's frame (x right, y down, z into the picture) to the world's."""
        forward = self.target - self.position
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        return Rotation.from_matrix(np.column_stack([right, np.cross(forward, right), forward]))


@dataclass(frozen=True)
class Light:
    """A far light, and light from everywhere.

    Args:
        direction: `[3]`, in which it shines.
        colour: `[3]`, of the far light.
        ambient: `[3]`, from everywhere.
    """

    direction: NDArray[np.float64]
    colour: NDArray[np.float64]
    ambient: NDArray[np.float64]


class Stage(Closing):
    """Slots for surfaces, a floor, a wall, a light and a camera.

    Args:
        size: width and height of the picture, pixels.
        slots_n: number of surfaces that can be shown at once.
        triangles_n: number of triangles that a slot can hold.
        antialias: draws at twice the size and averages 2 × 2 pixels.
        closed: leaves out the back of each triangle, which does not show where surfaces are closed.

    Attributes:
        device: name of the graphics device that draws.

    Raises:
        HandsightError: there is no OpenGL; says what to install.
    """

    def __init__(
        self, size: int, slots_n: int, triangles_n: int = 3072, antialias: bool = True, closed: bool = True
    ) -> None:
        self._size, self._drawn_size = size, size * (2 if antialias else 1)
        self._mujoco = load_mujoco()
        self._triangles_n, self._slots_n = triangles_n, slots_n
        self._model = compiled(self._mujoco, slots_n, triangles_n, self._drawn_size)
        self._seen = np.arange(slots_n + 2) >= slots_n  # by slot, then floor and wall
        self._standing: Layer | None = None  # what was drawn once, as it still stands …
        self._left_out: tuple[int, ...] = ()  # … all but these slots
        self._data = self._mujoco.MjData(self._model)
        self._gl, self.device = open_context(self._drawn_size, self._drawn_size)
        self._context = self._mujoco.MjrContext(self._model, self._mujoco.mjtFontScale.mjFONTSCALE_50)
        self._mujoco.mjr_setBuffer(self._mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene = self._mujoco.MjvScene(self._model, maxgeom=slots_n + 8)
        self._scene.flags[:] = 0
        self._scene.flags[self._mujoco.mjtRndFlag.mjRND_CULL_FACE] = closed
        self._options, self._camera = self._mujoco.MjvOption(), self._mujoco.MjvCamera()
        self._camera.type, self._camera.fixedcamid = self._mujoco.mjtCamera.mjCAMERA_FIXED, 0
        self._rectangle = self._mujoco.MjrRect(0, 0, self._drawn_size, self._drawn_size)
        self._reader = Reader(size, self._drawn_size)
        self._closed = False

    def show(self, slot: int, surface: Surface | None, finish: Finish | None = None, size: float = 1) -> None:
        """Put a surface with its finish into a slot, at the origin until `place`; or empty the slot.

        Args:
            slot: which, from 0.
            surface: what; None or one without triangles empties the slot.
            finish: how it looks.
            size: by which it is scaled.

        Raises:
            HandsightError: it has more triangles than the slot holds.
        """
        self._check(slot)
        model = self._model
        self._seen[slot] = surface is not None and len(surface) > 0
        self.place(slot, np.zeros(3), Rotation.identity())
        if surface is None or finish is None or len(surface) == 0:
            return
        if len(surface) > self._triangles_n:
            raise HandsightError(
                f"a surface has {len(surface)} triangles; this stage was built for {self._triangles_n}"
            )
        start, corners_n = model.mesh_vertadr[slot], 3 * len(surface)
        model.mesh_vert[start : start + corners_n] = surface.corners.reshape(-1, 3) * size
        start = model.mesh_normaladr[slot]
        model.mesh_normal[start : start + corners_n] = surface.normals.reshape(-1, 3)
        start = model.mesh_texcoordadr[slot]
        model.mesh_texcoord[start : start + corners_n] = surface.texture.reshape(-1, 2) * (
            finish.repeat * size
        )
        model.mesh_facenum[slot] = len(surface)
        model.mat_specular[slot], model.mat_shininess[slot] = finish.specular, finish.shininess
        self._gl.make_current()
        self._mujoco.mjr_uploadMesh(model, self._context, slot)
        self._upload_texture(slot, finish.texture)

    def place(self, slot: int, position: NDArray[np.float64], rotation: Rotation) -> None:
        """Move a slot's surface."""
        self._check(slot)
        self._changed(slot)
        self._model.geom_pos[slot] = position
        self._model.geom_quat[slot] = rotation.as_quat()[[3, 0, 1, 2]]  # wxyz

    def background(self, floor: NDArray[np.uint8], wall: NDArray[np.uint8]) -> None:
        """Paint floor and wall with textures uint8 `[TEXTURE_SIZE, TEXTURE_SIZE, 3]`."""
        self._changed()
        self._gl.make_current()
        self._upload_texture(self._slots_n, floor)
        self._upload_texture(self._slots_n + 1, wall)

    def room(self, wall_distance: float) -> None:
        """Put the wall behind the origin at y = `wall_distance`; the floor, at z = 0, reaches up to it."""
        self._changed()
        self._model.geom_pos[self._slots_n :] = [0, wall_distance, 0]

    def light(self, light: Light) -> None:
        """Set the light."""
        self._changed()
        self._model.light_dir[0] = light.direction / np.linalg.norm(light.direction)
        self._model.light_diffuse[0] = light.colour
        self._model.light_specular[0] = light.colour * 0.5
        self._model.light_ambient[0] = light.ambient

    def look(self, camera: Camera) -> None:
        """Set the camera."""
        self._changed()
        backwards = camera.rotation * Rotation.from_euler(
            "x", np.pi
        )  # MuJoCo's camera: y up, z out of the picture
        self._model.cam_pos[0] = camera.position
        self._model.cam_quat[0] = backwards.as_quat(scalar_first=True)
        self._model.cam_fovy[0] = np.degrees(camera.fov_rad)

    def draw(self, moving: Sequence[int] = ()) -> NDArray[np.uint8]:
        """Return the picture, uint8 `[size, size, 3]`, RGB.

        Args:
            moving: slots that move from one picture to the next. Until something else changes, the rest is
                drawn once and kept with its depths, which is faster; the picture is the same.
        """
        self._gl.make_current()
        if not moving:
            self._render(self._seen)
            return self._reader.picture()
        moves = np.zeros(len(self._seen), bool)
        moves[list(moving)] = True
        if self._standing is None or self._left_out != tuple(moving):
            self._render(self._seen & ~moves)
            self._standing, self._left_out = self._reader.layer(), tuple(moving)
        self._render(self._seen & moves)
        return self._reader.picture(self._standing)

    def _render(self, seen: NDArray[np.bool_]) -> None:
        """Draw some of what is shown."""
        mujoco = self._mujoco
        self._model.geom_rgba[:, 3] = seen  # MuJoCo skips what is transparent
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        mujoco.mjv_updateScene(
            self._model,
            self._data,
            self._options,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )
        mujoco.mjr_render(self._rectangle, self._scene, self._context)

    def _changed(self, slot: int | None = None) -> None:
        """Note that a slot, or what has none, is no longer as it was drawn."""
        if slot not in self._left_out:
            self._standing = None

    def _check(self, slot: int) -> None:
        assert 0 <= slot < self._slots_n, f"slot {slot} of {self._slots_n}"

    def _upload_texture(self, number: int, texture: NDArray[np.uint8]) -> None:
        start = self._model.tex_adr[number]
        self._model.tex_data[start : start + texture.size] = texture.ravel()
        self._mujoco.mjr_uploadTexture(self._model, self._context, number)
