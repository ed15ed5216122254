"""The compiled model of a stage: slots to be written over, floor and wall, a light and a camera."""

from __future__ import annotations

from typing import Any

import numpy as np

from handsight.worlds.objects.appearance import TEXTURE_SIZE

EXTENT = 40.0
"""Half-width of floor and wall, in units of an object's radius: further than any camera sees."""


def compiled(mujoco: Any, slots_n: int, triangles_n: int, size: int) -> Any:
    """Compile the model: `slots_n` meshes to be overwritten, then floor and wall, a light and a camera."""
    spec = mujoco.MjSpec()
    # The shadow map and multisampling would cost more than everything else together.
    spec.visual.quality.shadowsize = spec.visual.quality.offsamples = 0
    spec.visual.global_.offwidth = spec.visual.global_.offheight = size
    spec.visual.map.znear, spec.visual.map.zfar = 0.1, 3 * EXTENT
    spec.visual.headlight.active = 0
    spec.stat.extent = 1
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    for slot in range(slots_n):
        # Any triangles will do; spread out, so that the compiler does not take them for one flat sheet.
        corners = (triangle[None] + np.arange(triangles_n)[:, None, None] % 7).reshape(-1, 3)
        _add_mesh(
            mujoco, spec, f"slot{slot}", corners, np.tile([0.0, 0, 1], (len(corners), 1)), corners[:, :2]
        )
    # Floor and wall end where they meet, so that no pixel of theirs is drawn twice.
    corner = np.array([[-1, 0], [1, 0], [1, 1], [-1, 0], [1, 1], [-1, 1]]) * EXTENT
    flat = np.zeros(len(corner))
    floor, wall = (
        np.column_stack([corner[:, 0], corner[:, 1] - EXTENT, flat]),
        np.column_stack([corner[:, 0], flat, corner[:, 1]]),
    )
    _add_mesh(mujoco, spec, "floor", floor, np.tile([0.0, 0, 1], (6, 1)), corner * 0.35)
    _add_mesh(mujoco, spec, "wall", wall, np.tile([0.0, -1, 0], (6, 1)), corner * 0.3)
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, castshadow=False, ambient=[0, 0, 0]
    )
    spec.worldbody.add_camera(name="camera")
    model = spec.compile()
    model.geom_pos[:], model.geom_quat[:] = (
        0,
        [1, 0, 0, 0],
    )  # the compiler moves meshes to their centres of mass
    model.geom_sameframe[:] = 0
    # … and turns them and their normals into their principal axes: floor and wall get both back.
    for slot, points, normal in ((slots_n, floor, [0, 0, 1]), (slots_n + 1, wall, [0, -1, 0])):
        start = model.mesh_vertadr[slot]
        model.mesh_vert[start : start + len(points)] = points
        start = model.mesh_normaladr[slot]
        model.mesh_normal[start : start + model.mesh_normalnum[slot]] = normal
    return model


def _add_mesh(mujoco: Any, spec: Any, name: str, corners: Any, normals: Any, texture: Any) -> None:
    """Add a mesh of loose triangles with a texture and a material of its own, and the geom that shows it."""
    spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        width=TEXTURE_SIZE,
        height=TEXTURE_SIZE,
        nchannel=3,
    )
    material = spec.add_material(name=name, specular=0, shininess=0)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    mesh = spec.add_mesh(
        name=name,
        uservert=corners.ravel(),
        usernormal=normals.ravel(),
        usertexcoord=texture.ravel(),
        userface=np.arange(len(corners), dtype=np.int32),
    )
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=name, contype=0, conaffinity=0
    )
