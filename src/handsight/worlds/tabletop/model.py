"""The compiled model of a bench: a table, a hand of two fingers with touch sensors, and bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handsight.worlds.tabletop.bodies import DENSITY_KG_M3, Body

STEP_S = 0.004
OPENING_M = 0.08
"""Between the open fingers."""

FINGER_M = (0.006, 0.012, 0.04)
"""Half the sizes of a finger: its thickness, its width, its length."""

PALM_M = (0.055, 0.016, 0.012)
FINGER_FORCE_N = 10.0
FINGER_STIFFNESS_N_PER_M = 1000.0
HAND_FORCE_N = 30.0
HAND_STIFFNESS_N_PER_M = 4000.0
HAND_KG = 0.4
MASS_KG = (0.06, 0.4)
DAMPING = [0.05] * 3 + [2e-4] * 3
"""Of a body's movement, N·s/m, and of its turning, N·m·s."""

ARMATURE_KG_M2 = 2e-5

HULL_CORNERS_N = 100
"""Of a piece: with fewer, what is round would sink into the table as far as they cut its hull short."""


def compiled(mujoco: Any, bodies: Sequence[Body]) -> Any:
    """Compile a model of a table, a hand and these bodies, in this order."""
    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = STEP_S
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Fewer iterations of the solver than its own 100 are not quicker here, and where it has not converged
    # what is held shoots out of the hand.
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1], friction=[0.7, 0.005, 1e-4])
    _add_hand(mujoco, spec)
    for number, body in enumerate(bodies):
        _add_body(mujoco, spec, number, body)
    return spec.compile()


def weigh(mujoco: Any, model: Any, data: Any, bodies_n: int) -> None:
    """Bring the bodies' masses into range, and damp them as air and soft contacts would.

    What weighs a few grams and is thin would be shaken off the table by the simulation's coarse steps.
    """
    for body in range(model.nbody - bodies_n, model.nbody):
        scale = float(np.clip(model.body_mass[body], *MASS_KG)) / model.body_mass[body]
        model.body_mass[body] *= scale
        model.body_inertia[body] *= scale
        speed = model.body_dofadr[body]
        model.dof_damping[speed : speed + 6] = DAMPING
        model.dof_armature[speed + 3 : speed + 6] = ARMATURE_KG_M2
    mujoco.mj_setConst(model, data)


def _add_hand(mujoco: Any, spec: Any) -> None:
    """Add the hand: it slides along x and z, and its fingers along x."""
    slide, box = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtGeom.mjGEOM_BOX
    hand = spec.worldbody.add_body(name="hand", gravcomp=1)
    hand.add_joint(name="along", type=slide, axis=[1, 0, 0])
    hand.add_joint(name="height", type=slide, axis=[0, 0, 1])
    palm_z = 2 * FINGER_M[2] + PALM_M[2]
    hand.add_geom(type=box, size=PALM_M, pos=[0, 0, palm_z], mass=HAND_KG - 0.1, contype=2, conaffinity=1)
    for name, side in (("left", -1), ("right", 1)):
        finger = hand.add_body(name=name, gravcomp=1)
        finger.add_joint(name=name, type=slide, axis=[side, 0, 0], damping=10)
        at = [side * FINGER_M[0], 0, FINGER_M[2]]
        finger.add_geom(
            type=box, size=FINGER_M, pos=at, mass=0.05, friction=[0.8, 0.02, 1e-3], condim=4,
            contype=2, conaffinity=1, priority=1,
        )  # fmt: skip
        skin = [FINGER_M[0] + 0.004, FINGER_M[1] + 0.004, FINGER_M[2] + 0.004]
        finger.add_site(name=name, type=box, size=skin, pos=at)
        spec.add_sensor(
            name=name, type=mujoco.mjtSensor.mjSENS_TOUCH, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=name
        )
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT, name1="left", name2="right",
        data=[0, 1] + [0] * 10,
    )  # fmt: skip
    for name, stiffness, damping, force in (
        ("along", HAND_STIFFNESS_N_PER_M, 80.0, HAND_FORCE_N),
        ("height", HAND_STIFFNESS_N_PER_M, 80.0, HAND_FORCE_N),
        ("left", FINGER_STIFFNESS_N_PER_M, 20.0, FINGER_FORCE_N),
        ("right", FINGER_STIFFNESS_N_PER_M, 20.0, FINGER_FORCE_N),
    ):
        spec.add_actuator(
            name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED, biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            gainprm=[stiffness] + [0] * 9, biasprm=[0, -stiffness, -damping] + [0] * 7,
            forcerange=[-force, force], forcelimited=True,
        )  # fmt: skip


def _add_body(mujoco: Any, spec: Any, number: int, body: Body) -> None:
    """Add a body that moves freely, a geom for each of its pieces."""
    added = spec.worldbody.add_body(name=f"body{number}", pos=[0.2 * number, 0, 1])
    added.add_freejoint()
    shared: dict[str, Any] = {
        "density": DENSITY_KG_M3, "friction": [0.7, 0.01, 2e-3], "condim": 6, "contype": 1, "conaffinity": 3
    }  # fmt: skip
    for nth, piece in enumerate(body.pieces):
        if piece.box is not None:
            half, centre, rotation = piece.box
            added.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX, size=half, pos=centre,
                quat=rotation.as_quat(scalar_first=True), **shared,
            )  # fmt: skip
            continue
        name = f"body{number} piece{nth}"
        mesh = spec.add_mesh(name=name, uservert=piece.points.ravel())
        mesh.maxhullvert = HULL_CORNERS_N
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
        added.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, **shared)
