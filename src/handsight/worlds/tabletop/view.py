"""The view: a camera above the table, and what background subtraction finds in its pictures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.worlds.objects import FINISHES_N
from handsight.worlds.objects.appearance import TEXTURE_SIZE, Finish
from handsight.worlds.objects.parts import Part
from handsight.worlds.objects.shapes import box
from handsight.worlds.objects.surface import Surface, surfaces_of
from handsight.worlds.scene import Camera, Light, Stage
from handsight.worlds.tabletop.bench import TABLE_M, Bench
from handsight.worlds.tabletop.bodies import Body
from handsight.worlds.tabletop.model import FINGER_M, PALM_M

UNITS_PER_M = 10.0
"""Units of the stage to a metre: objects are about as large there as a turntable's."""

CAMERA_M = 2.0
"""Height of the camera above the table; it sees the table from edge to edge."""

PATCH = 0.234
"""Side of a patch, as a part of the picture's."""

HAND_SLOTS_N = 3
DIFFERENCE = 30
"""Sum over the colours by which a pixel differs where something stands before the background."""

SHOWN_M = 0.2
"""Height at which the hand shows what it holds."""


@dataclass(frozen=True)
class Blob:
    """What stands out from the background in one place.

    Args:
        pixels: `[P, 2]`, column and row.
        size: of the picture, pixels.
    """

    pixels: NDArray[np.int64]
    size: int

    @property
    def middle(self) -> NDArray[np.float64]:
        """Where its middle seems to be on the table, `[2]`, m."""
        return to_table((self.pixels.mean(0) + 0.5) / self.size)

    @property
    def radius_m(self) -> float:
        """From its middle to its farthest pixel."""
        away = np.linalg.norm(self.pixels - self.pixels.mean(0), axis=1).max() + 1
        return float(away / self.size * 2 * TABLE_M)

    def draw_place(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the place on the table, `[2]`, m, of any of its pixels."""
        return to_table((self.pixels[rng.integers(len(self.pixels))] + 0.5) / self.size)


def to_picture(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where places on the table `[…, 2]`, m, are in the picture: x, y in [0, 1] from the top left."""
    return np.asarray(0.5 + place * [1, -1] / (2 * TABLE_M))


def to_table(point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where points of the picture `[…, 2]` are on the table, m."""
    return np.asarray((point - 0.5) * [1, -1] * 2 * TABLE_M)


def patch_size(size: int) -> int:
    """Return the side of the patches of a picture of this side, pixels; even, as videos need it."""
    return max(2 * round(PATCH * size / 2), 8)


def patch(picture: NDArray[np.uint8], point: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the patch of a picture about a point `[2]`; beyond its edges it goes on as it ends."""
    side = patch_size(len(picture))
    border = side
    wide = cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_REPLICATE)
    column, row = np.clip(np.round(point * len(picture) - side / 2), -side, len(picture)).astype(int) + border
    return np.asarray(wide[row : row + side, column : column + side], np.uint8)


def find_blobs(empty: NDArray[np.uint8], picture: NDArray[np.uint8]) -> list[Blob]:
    """Return what is in a picture of a table and not in that of the empty table, the largest first.

    Specks of less than 0.05 % of the picture are left out.
    """
    differs = np.abs(picture.astype(np.int16) - empty).sum(-1) > DIFFERENCE
    # Parts of one object may be told apart by less than a pixel of background.
    joined = cv2.dilate(differs.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(joined)
    labels[~differs] = 0
    blobs = []
    for label in range(1, count):
        rows, columns = np.nonzero(labels == label)
        if len(rows) >= max(0.0005 * differs.size, 3):
            blobs.append(Blob(np.stack([columns, rows], 1), len(picture)))
    return sorted(blobs, key=lambda blob: -len(blob.pixels))


class View:
    """Draws a bench from above.

    Args:
        size: width and height of the pictures, pixels.
        bodies_n: most bodies at once.
        triangles_n: most triangles of a surface.
        antialias: draws at twice the size and averages.
        closed: whether all surfaces are closed.

    Attributes:
        stage: what draws.

    Raises:
        HandsightError: there is no OpenGL to draw with.
    """

    def __init__(self, size: int, bodies_n: int, triangles_n: int, antialias: bool, closed: bool) -> None:
        self._hand = FINISHES_N * bodies_n  # first slot of the hand
        self.stage = Stage(size, self._hand + HAND_SLOTS_N, triangles_n, antialias, closed)
        self._slots = range(self._hand + HAND_SLOTS_N)
        self._boxes = [_box(half) for half in (PALM_M, FINGER_M, FINGER_M)]
        self._hand_shown = False
        fov = 2 * np.arctan(TABLE_M / CAMERA_M)
        # A hair's breadth off the vertical, so that it is plain which way is up in the picture: +y.
        above = np.array([0, -1e-6, 1]) * CAMERA_M * UNITS_PER_M
        self._camera = Camera(above, np.zeros(3), float(fov))

    def clear(self, table: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
        """Take everything off the table, paint it and light it; return the picture of the empty table."""
        for slot in self._slots:
            self.stage.show(slot, None)
        self._hand_shown = False
        self.stage.background(table, table)
        self.stage.room(2 * TABLE_M * UNITS_PER_M)
        self.stage.look(self._camera)
        self.stage.light(light)
        return self.stage.draw(self._slots)

    def show(self, bodies: tuple[Body, ...]) -> None:
        """Show bodies, the hand not yet."""
        for number, body in enumerate(bodies):
            for nth, (surface, finish) in enumerate(
                zip(body.shown.surfaces, body.shown.finishes, strict=True)
            ):
                self.stage.show(FINISHES_N * number + nth, surface, finish, body.radius_m * UNITS_PER_M)

    def picture(self, bench: Bench, hand: bool = False, camera: Camera | None = None) -> NDArray[np.uint8]:
        """Return the picture of the bodies where they are.

        Args:
            bench: where.
            hand: whether the hand is shown too; what the tabletop records is seen without it.
            camera: another one than that above the table, in units of the stage.
        """
        for number in range(len(bench.bodies)):
            self._place(number, *bench.pose(number))
        self._show_hand(hand)
        if hand:
            self._place_hand(bench, bench.hand_pose[0], Rotation.identity())
        if camera is None:
            return self.stage.draw(self._slots)
        self.stage.look(camera)
        seen = self.stage.draw(self._slots)
        self.stage.look(self._camera)
        return seen

    def held(
        self, bench: Bench, number: int, turns: list[Rotation]
    ) -> list[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
        """Return pictures of what the hand holds, and where in them `[2]` its middle is.

        It is shown to the camera above the table's middle.

        The wrist is taken to be rigid: what it holds turns with it.

        Args:
            bench: where.
            number: of the body.
            turns: of the wrist.
        """
        place, _, _ = bench.hand_pose
        at, rotation = bench.pose(number)
        self._show_hand(True)
        shown_at = np.array([0, 0, SHOWN_M])
        shown = []
        for turn in turns:
            middle = shown_at + turn.apply(at - place)
            self._place(number, middle, turn * rotation)
            self._place_hand(bench, shown_at, turn)
            point = to_picture(middle[:2] * CAMERA_M / (CAMERA_M - middle[2]))
            shown.append((self.stage.draw(self._slots), point))
        return shown

    def close(self) -> None:
        """Give the graphics context back."""
        self.stage.close()

    def _show_hand(self, shown: bool) -> None:
        """Put the hand's surfaces into their slots, or empty these."""
        if shown == self._hand_shown:
            return
        grey = Finish(np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), 90, np.uint8), 1.0, 0.2, 0.5)
        for nth, (surface, size) in enumerate(self._boxes):
            self.stage.show(self._hand + nth, surface if shown else None, grey, size * UNITS_PER_M)
        self._hand_shown = shown

    def _place_hand(self, bench: Bench, place: NDArray[np.float64], turn: Rotation) -> None:
        """Place the hand with the middle between its fingertips at a place, `[3]`, m, its wrist turned."""
        _, angle, fingers = bench.hand_pose
        hand = Rotation.from_euler("z", angle)
        offsets = [[0, 0, 2 * FINGER_M[2] + PALM_M[2]]]
        offsets += [
            [side * (apart + FINGER_M[0]), 0, FINGER_M[2]]
            for side, apart in zip((-1, 1), fingers, strict=True)
        ]
        for nth, offset in enumerate(offsets):
            where = place + turn.apply(hand.apply(offset))
            self.stage.place(self._hand + nth, where * UNITS_PER_M, turn * hand)

    def _place(self, number: int, place: NDArray[np.float64], rotation: Rotation) -> None:
        for nth in range(FINISHES_N):
            self.stage.place(FINISHES_N * number + nth, place * UNITS_PER_M, rotation)


def _box(half_m: tuple[float, float, float]) -> tuple[Surface, float]:
    """Return a box as a surface in the unit sphere, and the radius that brings it to its size, m."""
    x, y, z = half_m
    return surfaces_of([Part(box(2 * x, 2 * y, 2 * z))])[0], float(np.linalg.norm(half_m))
