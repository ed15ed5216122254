"""Scenes: a table with objects on it, acted on and looked at; what an episode of the tabletop is made of."""

from __future__ import annotations

from collections.abc import Callable
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
        draw_table: draws the table's texture and the light on it.
        each: whether they are drawn anew for each picture, and not once for all.
    """

    def __init__(
        self,
        bench: Bench,
        view: View,
        draw_table: Callable[[], tuple[NDArray[np.uint8], Light]],
        each: bool = False,
    ) -> None:
        self._bench, self._view = bench, view
        self._draw_table, self._each, self._seen = draw_table, each, False
        self._lay_table()

    def look(self) -> tuple[NDArray[np.uint8], Blob]:
        """Take a picture; return it and where in it the body is, by background subtraction.

        Raises:
            Lost: nothing stands out from the table.
        """
        self._lay_table_anew()
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
            for turn in turns:
                self._lay_table_anew()
                ((picture, point),) = self._view.held(self._bench, 0, [turn])
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

    def _lay_table(self) -> None:
        """Paint and light the empty table, remember how it looks, and show the bodies upon it."""
        self._empty = self._view.clear(*self._draw_table())
        self._view.show(self._bench.bodies)

    def _lay_table_anew(self) -> None:
        """Lay another table before every picture but the first, where each is to have its own."""
        if self._each and self._seen:
            self._lay_table()
        self._seen = True

    def _place(self) -> NDArray[np.float64]:
        """Return where on the table the body's middle is, `[2]`, m."""
        return self._bench.pose(0)[0][:2]

    def _moved_m(self, start: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(self._place() - start))
