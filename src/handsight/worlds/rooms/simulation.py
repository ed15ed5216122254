"""What comes of a force: MuJoCo, from the push until all is at rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from handsight.worlds.graphics import load_mujoco, without_log
from handsight.worlds.rooms.model import STEP_S, Built

DURATION_S = 0.045
"""How long a force acts.

AI2-THOR's millisecond is Unity's: what it moves depends on its own step and drag. This one was chosen so that
5, 30 and 200 N tell what is light, medium and heavy apart. What rests on a surface with friction μ starts to
slide only above a certain weight, and comes the farther, the longer the force acts: less, and 200 N do not
move furniture; more, and 5 N move what is medium. Things that came more than 2 cm, pushed at a drawn visible
pixel in a drawn direction (`benchmarks/rooms.py --only weights --locations 100`; 309 things, all rooms):

                       5 N    30 N    200 N
    light, < 0.5 kg    95 %   100 %   100 %
    medium, < 2 kg     18 %   100 %   100 %
    heavy               0 %    37 %   100 %

With 0.04 s it was 11 % for 5 N on what is medium, but 88 % for 200 N on what is heavy; with 0.06 s, 29 % and
94 % (of 130 things each, before armchairs had gliders).
"""

HAND_M_PER_S = 3.0
"""What is pushed gets no faster than this: a hand's, however strong, so that an egg is not shot at a wall."""

REST_S = 3.0
"""After so long what still moves is stopped."""

LOOK_N = 10
"""Steps between two looks whether all is at rest."""

SPEED_LIMIT = 60.0
"""What is faster, in m/s or rad/s, has exploded: nothing falls or is pushed so fast here. Spinning counts a
tenth: what is hit at its edge spins."""


class Diverged(Exception):
    """Numbers ran away, or something left the room."""


class Simulation:
    """A room that forces are applied to.

    Args:
        built: its model.
        size_m: of the room along x and y, and its height.
    """

    def __init__(self, built: Built, size_m: tuple[float, float, float]) -> None:
        self._mujoco = load_mujoco()
        self.built, self._model = built, built.model
        self._half = np.array([size_m[0] / 2, size_m[1] / 2, size_m[2] / 2])
        self.data = self._mujoco.MjData(self._model)
        warnings = self._mujoco.mjtWarning
        self._runaways = [
            int(kind) for kind in (warnings.mjWARN_BADQPOS, warnings.mjWARN_BADQVEL, warnings.mjWARN_BADQACC)
        ]
        joints = self._model.body_jntadr[built.body_of_thing]
        self._first = self._model.jnt_qposadr[joints].astype(int)
        self._mujoco.mj_forward(self._model, self.data)

    def ray(self, start: NDArray[np.float64], along: NDArray[np.float64]) -> tuple[float, int]:
        """Return how far along a ray of unit length something is met, and which geom; −1 for none."""
        geom = np.array([-1], np.int32)
        normal = np.zeros(3)
        distance = self._mujoco.mj_ray(self._model, self.data, start, along, None, 1, -1, geom, normal)
        return float(distance), int(geom[0])

    def push(
        self,
        thing: int,
        point: NDArray[np.float64],
        force_n: NDArray[np.float64],
        watch: Callable[[], None] | None = None,
        times: int = 0,
        every_s: float = STEP_S,
    ) -> None:
        """Apply a force to a thing at a point, then let everything come to rest.

        Args:
            thing: its number.
            point: where it is pushed, m.
            force_n: along the axes of the room.
            watch: called so many `times`, so long after one another, once the force has ended.
            times: how often.
            every_s: how long, in whole steps of the simulation.

        Raises:
            Diverged: it came to nothing; the room is as it was before, at rest.
        """
        before = self.data.qpos.copy()
        try:
            self._push(int(self.built.body_of_thing[thing]), point, force_n)
            if watch is not None:
                for _ in range(times):
                    self._step(max(1, round(every_s / STEP_S)))
                    watch()
            self._settle()
        except Diverged:
            self._restore(before)
            raise
        finally:
            self.data.xfrc_applied[:] = 0

    def places(self) -> NDArray[np.float64]:
        """Return where each thing's origin is, `[N, 3]`, m."""
        return np.asarray(self.data.qpos[self._first[:, None] + np.arange(3)])

    def _push(self, body: int, point: NDArray[np.float64], force_n: NDArray[np.float64]) -> None:
        strength = float(np.linalg.norm(force_n))
        along = force_n / strength
        speeds = slice(self._model.body_dofadr[body], self._model.body_dofadr[body] + 6)
        for _ in range(round(DURATION_S / STEP_S)):
            arm = point - self.data.xipos[body]
            turning = np.cross(arm, along)
            axes = self.data.ximat[body].reshape(3, 3)
            yields = 1 / self._model.body_mass[body] + np.sum(
                (turning @ axes) ** 2 / self._model.body_inertia[body]
            )
            velocity = self.data.qvel[speeds]
            # A free body's turning is told in its own axes.
            spin = self.data.xmat[body].reshape(3, 3) @ velocity[3:]
            speed = (velocity[:3] + np.cross(spin, point - self.data.xpos[body])) @ along
            most = max(HAND_M_PER_S - speed, 0.0) / (yields * STEP_S)
            self.data.xfrc_applied[body, :3] = min(strength, most) * along
            self.data.xfrc_applied[body, 3:] = min(strength, most) * turning
            self._step(1)
        self.data.xfrc_applied[:] = 0

    def _settle(self) -> None:
        for _ in range(round(REST_S / STEP_S / LOOK_N)):
            self._step(LOOK_N)
            if not self.data.ntree_awake:
                break
        else:
            self.data.qvel[:] = 0
            self._mujoco.mj_forward(self._model, self.data)
        places = np.abs(self.places() - [0, 0, self._half[2]])
        if not (places < self._half + 0.05).all():  # so that what is not a number is refused too
            raise Diverged("something left the room")

    def _step(self, count: int) -> None:
        with without_log(self._mujoco):
            self._mujoco.mj_step(self._model, self.data, count)
        # MuJoCo starts over, with a warning, where numbers have run away.
        again = any(self.data.warning[kind].number for kind in self._runaways)
        speeds = np.abs(self.data.qvel).reshape(-1, 2, 3).max((0, 2)) if self._model.nv else np.zeros(2)
        if again or not (speeds < [SPEED_LIMIT, 10 * SPEED_LIMIT]).all():
            raise Diverged("something flew off")

    def _restore(self, places: NDArray[np.float64]) -> None:
        """Put everything where it was, at rest, in a state that knows nothing of what came of it."""
        self._mujoco.mj_resetData(self._model, self.data)
        self.data.qpos[:] = places
        self._mujoco.mj_forward(self._model, self.data)
