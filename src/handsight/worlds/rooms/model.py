"""From an arrangement to a model that MuJoCo simulates and draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.worlds.objects.appearance import TEXTURE_SIZE
from handsight.worlds.rooms.arrangement import Arrangement, Thing, frame
from handsight.worlds.rooms.finishes import FINISHES, painted
from handsight.worlds.rooms.pieces import Piece

STEP_S = 0.005
SLEEP_TOLERANCE = 0.015
"""What moves slower for ten steps, m/s or the like by turning, rests until it is touched."""

DAMPING = (0.2, 0.003)
"""Of a thing's movement, N·s/m, and of its turning, N·m·s, for each kg."""

ARMATURE_KG_M2 = 2e-6
ROLLING_M = 0.004
"""Rolling friction of what is round; so that fruit does not roll for ever."""


@dataclass(frozen=True)
class Built:
    """A model and what belongs to it.

    Args:
        model: MuJoCo's.
        thing_of_geom: `[G]`, the number of the thing that a geom is part of; −1 where it is of the room.
        body_of_thing: `[N]`, the body of each thing.
    """

    model: Any
    thing_of_geom: NDArray[np.int64]
    body_of_thing: NDArray[np.int64]


def painted_model(mujoco: Any, size: int) -> Any:
    """Return a model of nothing but finishes, with their textures: what a graphics context is opened for."""
    spec = mujoco.MjSpec()
    # The shadow map and multisampling would cost more than everything else together; and of what is round
    # each facet costs.
    spec.visual.quality.shadowsize = spec.visual.quality.offsamples = 0
    spec.visual.quality.numslices, spec.visual.quality.numstacks, spec.visual.quality.numquads = 16, 8, 1
    spec.visual.global_.offwidth = spec.visual.global_.offheight = size
    patterns = sorted({finish.pattern for finish in FINISHES.values() if finish.pattern is not None})
    for name in patterns:
        spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
            width=TEXTURE_SIZE, height=TEXTURE_SIZE, nchannel=3,
        )  # fmt: skip
    add_finishes(mujoco, spec, textured=True)
    spec.worldbody.add_geom(size=[0.1, 0, 0])
    model = spec.compile()
    for name in patterns:
        texture = model.texture(name).id
        start = model.tex_adr[texture]
        values = painted(name).ravel()
        model.tex_data[start : start + values.size] = values
    return model


def add_finishes(mujoco: Any, spec: Any, textured: bool) -> None:
    """Add every finish as a material, in their order; textures are the graphics context's alone."""
    for name, finish in FINISHES.items():
        times = 1 / finish.across_m if finish.across_m else 1.0
        material = spec.add_material(
            name=name, specular=finish.specular, shininess=finish.shininess, emission=finish.emission,
            texrepeat=[times, times], texuniform=bool(finish.across_m),
        )  # fmt: skip
        if textured and finish.pattern is not None:
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = finish.pattern


def build(mujoco: Any, arrangement: Arrangement) -> Built:
    """Compile the model of a room: things sleep where they lie until they are touched."""
    spec = mujoco.MjSpec()
    spec.option.timestep = STEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.enableflags |= int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    spec.option.sleep_tolerance = SLEEP_TOLERANCE
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 20
    spec.visual.headlight.active = 0
    spec.stat.extent = 1
    add_finishes(mujoco, spec, textured=False)
    _add_camera(spec, arrangement)
    _add_lights(mujoco, spec, arrangement)
    for piece in arrangement.plan.pieces:
        _add_piece(mujoco, spec.worldbody, piece, density=0.0, friction=0.3, movable=False)
    for thing in arrangement.things:
        _add_thing(mujoco, spec, thing)
    model = spec.compile()
    bodies = np.arange(model.nbody - len(arrangement.things), model.nbody)
    numbers = np.full(model.nbody, -1)
    numbers[bodies] = np.arange(len(bodies))
    for body in bodies:
        speed, mass = model.body_dofadr[body], model.body_mass[body]
        model.dof_damping[speed : speed + 3] = DAMPING[0] * mass
        model.dof_damping[speed + 3 : speed + 6] = DAMPING[1] * mass
        model.dof_armature[speed + 3 : speed + 6] = ARMATURE_KG_M2
    return Built(model, numbers[model.geom_bodyid], bodies)


def _add_camera(spec: Any, arrangement: Arrangement) -> None:
    right, up, ahead = frame(arrangement.heading_rad, arrangement.tilt_rad)
    turn = Rotation.from_matrix(np.column_stack([right, up, -ahead]))  # it looks along its −z
    spec.worldbody.add_camera(
        name="eye", pos=arrangement.eye_m, quat=turn.as_quat(scalar_first=True), fovy=90
    )


def _add_lights(mujoco: Any, spec: Any, arrangement: Arrangement) -> None:
    x, y = arrangement.plan.daylight
    far = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    none = [0.0, 0.0, 0.0]
    for direction, colour, ambient in (
        ((0.15 * y, 0.2 * x, -1.0), arrangement.lamp, arrangement.ambient),
        ((x + 0.3 * y, y - 0.3 * x, -0.7), arrangement.day, none),
        ((-x + 0.4 * y, -y - 0.4 * x, -0.3), 0.4 * arrangement.day, none),
        ((0.1, 0.1, 1.0), 0.8 * arrangement.lamp, none),  # what the floor throws back
    ):
        spec.worldbody.add_light(
            type=far, dir=direction, diffuse=colour, ambient=ambient, specular=0.4 * colour, castshadow=False
        )


def _add_thing(mujoco: Any, spec: Any, thing: Thing) -> None:
    half = thing.angle_rad / 2
    body = spec.worldbody.add_body(
        pos=thing.at_m, quat=[np.cos(half), 0, 0, np.sin(half)], sleep=mujoco.mjtSleepPolicy.mjSLEEP_INIT
    )
    body.add_freejoint()
    density = thing.mass_kg / sum(piece.volume_m3 for piece in thing.pieces if piece.solid)
    for piece in thing.pieces:
        _add_piece(mujoco, body, piece, density, thing.friction, movable=True)


def _add_piece(mujoco: Any, body: Any, piece: Piece, density: float, friction: float, movable: bool) -> None:
    forms = {
        "box": mujoco.mjtGeom.mjGEOM_BOX,
        "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
        "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    }
    x, y, z = piece.half_m
    touches = int(piece.solid)
    body.add_geom(
        type=forms[piece.form],
        size=[x, z, 0] if piece.form in ("cylinder", "capsule") else [x, y, z],
        pos=piece.at_m,
        quat=piece.turn,
        rgba=[*piece.colour, 1],
        material=piece.finish,
        density=density if piece.solid else 0,
        friction=[friction, 0.005, ROLLING_M],
        condim=6 if movable and piece.form != "box" else 3,
        priority=int(movable),
        contype=touches,
        conaffinity=touches,
    )
