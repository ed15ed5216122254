"""The bench: a table with bodies on it and a hand above, simulated by MuJoCo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.worlds.graphics import load_mujoco, without_log
from handsight.worlds.tabletop.bodies import Body
from handsight.worlds.tabletop.model import (
    FINGER_FORCE_N,
    FINGER_STIFFNESS_N_PER_M,
    HAND_FORCE_N,
    HAND_KG,
    HAND_STIFFNESS_N_PER_M,
    OPENING_M,
    STEP_S,
    compiled,
    weigh,
)

TABLE_M = 0.3
"""From the middle of the table to its edges."""

SPEED_LIMIT = 150.0
"""What is faster, in m/s or rad/s, has exploded: nothing falls, spins or is thrown so fast here."""

HIDDEN_M = 2.0
"""Height at which the hand is out of the way."""

STILL_N = 5
"""Looks in a row, ten steps apart, at which nothing moves, until things are taken to be at rest."""

CHUNK_N = 4
"""Steps between two looks at a movement."""


class Lost(Exception):
    """What was on the table fell off, flew off, or never came to rest."""


class Bench:
    """Bodies on a table and a floating hand of two fingers that close along its own x axis.

    The hand moves along its x axis and up and down; where it stands and how it is turned is set by `reach`.
    A compiled model takes milliseconds: each interaction has its own.

    Args:
        bodies: what lies on the table.

    Attributes:
        watch: called every few steps, for whoever draws what goes on; it is to change nothing.

    Raises:
        HandsightError: MuJoCo cannot make a solid of a body; names its category.
    """

    def __init__(self, bodies: Sequence[Body]) -> None:
        self._mujoco = load_mujoco()
        self.bodies = tuple(bodies)
        self.watch: Callable[[], None] | None = None
        try:
            self._model = compiled(self._mujoco, self.bodies)
        except ValueError as error:
            names = ", ".join(body.shown.category for body in self.bodies)
            reason = " ".join(str(error).split()).removeprefix("Error: ")[:160]
            raise HandsightError(
                f"{names} cannot be simulated ({reason}); mend the mesh or leave it out (--categories)"
            ) from error
        self._data = self._mujoco.MjData(self._model)
        weigh(self._mujoco, self._model, self._data, len(self.bodies))
        warnings = self._mujoco.mjtWarning
        self._runaways = [
            int(kind) for kind in (warnings.mjWARN_BADQPOS, warnings.mjWARN_BADQVEL, warnings.mjWARN_BADQACC)
        ]
        self._first = self._model.nq - 7 * len(self.bodies)  # the bodies come after the hand's joints
        hand = self._model.body("hand").id
        self._hand = hand
        self._part_of = self._model.geom_bodyid
        self._fingers = {self._model.body("left").id, self._model.body("right").id}
        self._objects = [self._model.body(f"body{number}").id for number in range(len(self.bodies))]
        self.hide()

    # --- bodies

    def reset(self) -> None:
        """Forget whatever happened: the hand is out of the way, bodies wait to be put somewhere."""
        self._mujoco.mj_resetData(self._model, self._data)
        self.hide()

    def put(self, number: int, place: NDArray[np.float64], rotation: Rotation) -> None:
        """Put the middle of a body somewhere, `[3]`, m, at rest."""
        start, speed = self._first + 7 * number, self._model.nv - 6 * (len(self.bodies) - number)
        self._data.qpos[start : start + 3] = place
        self._data.qpos[start + 3 : start + 7] = rotation.as_quat(scalar_first=True)
        self._data.qvel[speed : speed + 6] = 0
        self._mujoco.mj_forward(self._model, self._data)

    def pose(self, number: int) -> tuple[NDArray[np.float64], Rotation]:
        """Return where a body's middle is, `[3]`, m, and how it is rotated."""
        start = self._first + 7 * number
        values = self._data.qpos[start : start + 7].copy()
        return values[:3], Rotation.from_quat(values[3:], scalar_first=True)

    def top_m(self, place: NDArray[np.float64], within_m: float) -> float:
        """Return the height of what stands highest within a distance of a place `[2]`; 0 for the table."""
        highest = 0.0
        for number, body in enumerate(self.bodies):
            at, rotation = self.pose(number)
            if np.linalg.norm(at[:2] - place[:2]) < body.radius_m + within_m:
                highest = max(highest, float(at[2]) + body.height_above_m(rotation))
        return highest

    def settle(self, longest_s: float = 2.0) -> None:
        """Let everything come to rest.

        Raises:
            Lost: it does not, or something left the table.
        """
        start = self._model.nv - 6 * len(self.bodies)
        still = 0
        for _ in range(round(longest_s / STEP_S / 10)):
            self._step(10)
            speeds = np.abs(self._data.qvel[start:].reshape(-1, 2, 3)).max((0, 2))
            still = still + 1 if speeds[0] < 0.01 and speeds[1] < 0.1 else 0
            if still == STILL_N:
                break
        self.check()

    def check(self) -> None:
        """Look whether everything is still on the table.

        Raises:
            Lost: it is not.
        """
        for number in range(len(self.bodies)):
            place, _ = self.pose(number)
            if not np.isfinite(place).all() or np.abs(place[:2]).max() > TABLE_M or place[2] < 0:
                raise Lost("an object left the table")

    # --- hand

    def hide(self) -> None:
        """Take the hand out of the way."""
        self.reach(np.zeros(2), HIDDEN_M, 0.0, opening_m=OPENING_M)

    def reach(
        self, place: NDArray[np.float64], height_m: float, angle_rad: float, opening_m: float = OPENING_M
    ) -> None:
        """Put the hand's fingertips over a place `[2]`, without touching anything on the way.

        Args:
            place: x and y, m.
            height_m: of the fingertips above the table.
            angle_rad: of the line between the fingers, anticlockwise from +x.
            opening_m: between the fingers.
        """
        model, data = self._model, self._data
        model.body_pos[self._hand] = [place[0], place[1], 0]
        model.body_quat[self._hand] = Rotation.from_euler("z", angle_rad).as_quat(scalar_first=True)
        data.qpos[:4] = [0, height_m, opening_m / 2, opening_m / 2]
        data.qvel[:4] = 0
        data.ctrl[:] = [0, height_m, opening_m / 2, opening_m / 2]
        self._stiffen(HAND_STIFFNESS_N_PER_M, HAND_FORCE_N)
        self._mujoco.mj_forward(model, data)

    def soften(self, stiffness_n_per_m: float) -> None:
        """Let the hand yield upwards like a spring of this stiffness, whatever the force, until `reach`."""
        # Little damped: what slows the hand is not the object's, and would be felt as if it were.
        self._stiffen(stiffness_n_per_m, np.inf, damped=0.6)

    def move(self, seconds: float, along_m: float | None = None, height_m: float | None = None) -> None:
        """Move the hand evenly to a place along its x axis and to a height."""
        start = self._data.ctrl[:2].copy()
        goal = np.array(
            [start[0] if along_m is None else along_m, start[1] if height_m is None else height_m]
        )
        steps = max(round(seconds / STEP_S / CHUNK_N), 1)
        for step in range(1, steps + 1):
            self._data.ctrl[:2] = start + (goal - start) * step / steps
            self._step(CHUNK_N)

    def close(self, seconds: float) -> None:
        """Close the fingers, evenly, until they have all the force that they can have; hold it."""
        start = self._data.ctrl[2]
        goal = -FINGER_FORCE_N / FINGER_STIFFNESS_N_PER_M  # where even fully closed they press
        steps = max(round(seconds / STEP_S / CHUNK_N), 1)
        for step in range(1, steps + 1):
            self._data.ctrl[2:] = start + (goal - start) * step / steps
            self._step(CHUNK_N)

    @property
    def hand_pose(self) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
        """Where the middle between the fingertips is `[3]`, its angle, how far each finger is `[2]`."""
        along, height, left, right = self._data.qpos[:4]
        x, y, _ = self._model.body_pos[self._hand]
        w, _, _, z = self._model.body_quat[self._hand]
        angle = 2 * float(np.arctan2(z, w))
        place = np.array([x + along * np.cos(angle), y + along * np.sin(angle), height])
        return place, angle, np.array([left, right])

    @property
    def wanted_height_m(self) -> float:
        """Height at which the hand is told to be."""
        return float(self._data.ctrl[1])

    @property
    def touch_n(self) -> NDArray[np.float64]:
        """What the touch sensors of both fingertips say, `[2]`."""
        return np.array(self._data.sensordata[:2])

    def fingers_on(self, number: int) -> int:
        """Return how many fingers touch a body."""
        return len(self._touching(self._objects[number]) & self._fingers)

    @property
    def fingers_on_table(self) -> int:
        """Number of fingers that touch the table."""
        return len(self._touching(0) & self._fingers)

    def _touching(self, body: int) -> set[int]:
        """Return the bodies that a body touches."""
        found: set[int] = set()
        for geoms in self._data.contact.geom:
            one, other = int(self._part_of[geoms[0]]), int(self._part_of[geoms[1]])
            if body in (one, other):
                found |= {one, other}
        return found

    def _stiffen(self, stiffness_n_per_m: float, force_n: float, damped: float = 1.0) -> None:
        """Set the spring that holds the hand at its height, and how nearly critically it is damped."""
        damping = damped * 2 * np.sqrt(stiffness_n_per_m * HAND_KG)
        self._model.actuator_gainprm[1, 0] = stiffness_n_per_m
        self._model.actuator_biasprm[1, 1:3] = -stiffness_n_per_m, -damping
        limit = 1e6 if np.isinf(force_n) else force_n
        self._model.actuator_forcerange[1] = -limit, limit

    def _step(self, count: int) -> None:
        with without_log(self._mujoco):  # where something runs away, its own counts of warnings say so
            self._mujoco.mj_step(self._model, self._data, count)
        # MuJoCo starts over, with a warning, where numbers have run away.
        again = any(self._data.warning[kind].number for kind in self._runaways)
        if again or np.abs(self._data.qvel).max() > SPEED_LIMIT:
            raise Lost("an object flew off")
        if self.watch is not None:
            self.watch()
