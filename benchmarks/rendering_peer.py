"""The peer of `rendering.py`: MuJoCo's own `Renderer` and one compiled model per object, as its guide has it.

It shows the turntable's object, floor, wall, light and camera, and no clutter, which is in its favour.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.worlds.objects.appearance import TEXTURE_SIZE
from handsight.worlds.setting import SettingOptions, background_texture, draw_camera, draw_light
from handsight.worlds.turntable import Turntable
from handsight.worlds.world import generator

PEERS = {
    "as it comes": {},
    "no shadow map, 4 samples": {"shadowsize": 0, "offsamples": 4},
    "no shadow map, 1 sample": {"shadowsize": 0, "offsamples": 0},
}
"""Settings of MuJoCo's `quality`."""


def peer_clip(peer: str, size: int, views: int, seed: int, index: int) -> NDArray[np.uint8]:
    """Compile a model of one object, open a renderer, turn the object; return `[views, size, size, 3]`."""
    model = _model(peer, size, seed, index)
    data = mujoco.MjData(model)
    pictures = []
    with mujoco.Renderer(model, size, size) as renderer:
        for angle in np.arange(views) * 2 * np.pi / views:
            data.mocap_quat[0] = Rotation.from_euler("z", angle).as_quat(scalar_first=True)
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, "camera")
            pictures.append(renderer.render())
    return np.stack(pictures)


def _model(peer: str, size: int, seed: int, index: int) -> Any:
    world = Turntable()
    rng = generator(seed, index)
    spec = mujoco.MjSpec()
    for name, value in PEERS[peer].items():
        setattr(spec.visual.quality, name, value)
    spec.visual.global_.offwidth = spec.visual.global_.offheight = size
    spec.visual.headlight.active = 0
    shown, _ = world._shelf.take(seed, index)
    table = spec.worldbody.add_body(name="table", mocap=True, pos=[0, 0, 1])
    for number, (surface, finish) in enumerate(zip(shown.surfaces, shown.finishes, strict=True)):
        if len(surface) == 0:
            continue
        name = f"part{number}"
        _material(spec, name, finish.texture, finish.specular, finish.shininess)
        mesh = spec.add_mesh(
            name=name,
            uservert=surface.corners.ravel(),
            usernormal=surface.normals.ravel(),
            usertexcoord=surface.texture.ravel() * finish.repeat,
            userface=np.arange(3 * len(surface), dtype=np.int32),
        )
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        table.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=name)
    for name, number, quaternion, position in (
        ("floor", 0, [1, 0, 0, 0], [0, 0, 0]),
        ("wall", 1, [0.7071068, 0.7071068, 0, 0], [0, 3, 0]),
    ):
        _material(spec, name, background_texture(number), 0, 0)
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_PLANE, size=[40, 40, 1], material=name, quat=quaternion, pos=position
        )
    light = draw_light(rng)
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        dir=light.direction,
        pos=-5 * light.direction,
        diffuse=light.colour,
        ambient=light.ambient,
    )
    setting = SettingOptions(64, 0, world.camera_height_rad, world.fov_rad, world.space)
    camera = draw_camera(rng, setting, 1.0)
    backwards = camera.rotation * Rotation.from_euler("x", np.pi)
    spec.worldbody.add_camera(
        name="camera",
        pos=camera.position,
        quat=backwards.as_quat(scalar_first=True),
        fovy=np.degrees(camera.fov_rad),
    )
    return spec.compile()


def _material(spec: Any, name: str, texture: NDArray[np.uint8], specular: float, shininess: float) -> None:
    made = spec.add_texture(
        name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=TEXTURE_SIZE, height=TEXTURE_SIZE, nchannel=3
    )
    made.data = texture.tobytes()
    material = spec.add_material(name=name, specular=specular, shininess=shininess, texrepeat=[20, 20])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
