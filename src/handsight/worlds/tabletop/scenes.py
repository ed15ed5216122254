"""Scenes: a table with objects on it, acted on and looked at; what an episode of the tabletop is made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.worlds.scene import Light
from handsight.worlds.tabletop import interactions as acts
from handsight.worlds.tabletop.bench import TABLE_M, Bench, Lost
from handsight.worlds.tabletop.view import Blob, View, find_blobs, to_picture

HELD_VIEWS_N = 5
"""Pictures of what was grasped, from as many sides (the paper: around 5)."""


class Done(NamedTuple):
    """What came of an interaction.

    Args:
        pictures: uint8 `[size, size, 3]` each.
        points: what each picture's patch is about, `[2]` in [0, 1].
        streams: by name, what holds throughout.
        facts: those that this interaction has something to say about.
    """

    pictures: list[NDArray[np.uint8]]
    points: list[NDArray[np.float64]]
    streams: dict[str, Any]
    facts: dict[str, int | float | str | bool]


class Scene:
    """A bench as it lies and the pictures of it; its first body is what is acted on.

    Args:
        bench: with everything at rest.
        view: draws it.
        texture: of the table.
        light: on it.
    """

    def __init__(self, bench: Bench, view: View, texture: NDArray[np.uint8], light: Light) -> None:
        self._bench, self._view = bench, view
        self._empty = view.clear(texture, light)
        view.show(bench.bodies)

    def look(self) -> tuple[NDArray[np.uint8], Blob]:
        """Take a picture; return it and where in it the body is, by background subtraction.

        Raises:
            Lost: nothing stands out from the table.
        """
        picture = self._view.picture(self._bench)
        blobs = find_blobs(self._empty, picture)
        if not blobs:
            raise Lost("nothing is seen on the table")
        # Where several lie, it is the one seen nearest to where the body is.
        at = self._place()
        return picture, min(blobs, key=lambda blob: float(np.linalg.norm(blob.middle - at)))

    def grasp(self, rng: np.random.Generator, spread_m: float) -> Done:
        """Grasp at random about the body's middle, in one of 18 angles; if it holds, look at it in the hand.

        Args:
            rng: draws where.
            spread_m: how far from the middle, along x and along y.

        Raises:
            Lost: it came to nothing.
        """
        before, blob = self.look()
        place = np.clip(blob.middle + rng.uniform(-spread_m, spread_m, 2), -TABLE_M, TABLE_M)
        number = int(rng.integers(acts.ANGLES_N))
        angle = acts.bin_angle_rad(number)
        held = acts.grasp(self._bench, 0, place, angle)
        pictures, points = [before], [to_picture(place)]
        if held:
            start, lean = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 1.5)
            turns = [
                Rotation.from_euler("zx", [start + 2 * np.pi * nth / HELD_VIEWS_N, lean])
                for nth in range(HELD_VIEWS_N)
            ]
            for picture, point in self._view.held(self._bench, 0, turns):
                pictures.append(picture)
                points.append(point)
        streams = {"grasp.point": points[0], "grasp.angle_rad": angle}
        return Done(pictures, points, streams, {"success": held, "angle_bin": number})

    def push(self, rng: np.random.Generator) -> Done:
        """Push the body towards the table's middle.

        Raises:
            Lost: it came to nothing.
        """
        before, blob = self.look()
        start = self._place()
        done = acts.draw_push(rng, blob.middle, blob.radius_m)
        acts.push(self._bench, done)
        after, moved = self.look()
        streams = {
            "push.start": to_picture(done.start),
            "push.end": to_picture(done.end),
            "push.height_m": done.height_m,
        }
        points = [to_picture(blob.middle), to_picture(moved.middle)]
        return Done([before, after], points, streams, {"moved_m": self._moved_m(start)})

    def poke(self, rng: np.random.Generator) -> Done:
        """Poke the body anywhere where it is seen.

        Raises:
            Lost: it came to nothing.
        """
        before, blob = self.look()
        start = self._place()
        place = blob.draw_place(rng)
        trace = acts.poke(self._bench, 0, place)
        volts = acts.voltage_v(rng, trace.force_n)
        after, _ = self.look()
        streams = {
            "poke.point": to_picture(place),
            "poke.depth_m": trace.depth_m,
            "poke.voltage_v": volts,
            "poke.line": acts.fitted_line(trace.depth_m, volts),
        }
        facts: dict[str, int | float | str | bool] = {"moved_m": self._moved_m(start)}
        return Done([before, after], [to_picture(place)] * 2, streams, facts)

    def look_again(self, rng: np.random.Generator, views: int) -> Done:
        """Push the body about; look at it before each push and after the last.

        Args:
            rng: draws the pushes.
            views: pictures in all.

        Raises:
            Lost: it came to nothing.
        """
        start = self._place()
        seen = [self.look()]
        for _ in range(views - 1):
            blob = seen[-1][1]
            acts.push(self._bench, acts.draw_push(rng, blob.middle, blob.radius_m))
            seen.append(self.look())
        pictures, points = [picture for picture, _ in seen], [to_picture(blob.middle) for _, blob in seen]
        return Done(pictures, points, {}, {"moved_m": self._moved_m(start)})

    def _place(self) -> NDArray[np.float64]:
        """Return where on the table the body's middle is, `[2]`, m."""
        return self._bench.pose(0)[0][:2]

    def _moved_m(self, start: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(self._place() - start))
