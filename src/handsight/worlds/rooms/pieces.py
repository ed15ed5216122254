"""Pieces: what everything in a room is made of, from a fork to a wall."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["box", "cylinder", "ellipsoid", "capsule"]
Colour = tuple[float, float, float]
Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
"""w, x, y, z."""


@dataclass(frozen=True)
class Piece:
    """A piece, z up.

    Args:
        form: its shape.
        half_m: half its sizes along its own x, y, z; of a cylinder and a capsule z is the axis, and a
            capsule is that much longer by its round ends.
        at_m: its middle.
        turn: its rotation, a quaternion wxyz.
        colour: RGB in [0, 1], with which its finish is tinted.
        finish: one of `finishes.FINISHES`.
        solid: whether it is felt, and weighs; what is not is only seen.
    """

    form: Form
    half_m: Vector
    at_m: Vector
    turn: Quaternion = (1.0, 0.0, 0.0, 0.0)
    colour: Colour = (0.7, 0.7, 0.7)
    finish: str = "matt"
    solid: bool = True

    @property
    def volume_m3(self) -> float:
        """Its volume."""
        x, y, z = self.half_m
        if self.form == "box":
            return 8 * x * y * z
        if self.form == "cylinder":
            return 2 * np.pi * x * x * z
        if self.form == "capsule":
            return 2 * np.pi * x * x * z + 4 / 3 * np.pi * x**3
        return 4 / 3 * np.pi * x * y * z

    @property
    def reach_m(self) -> NDArray[np.float64]:
        """Half the sizes `[3]` of the upright block that it just fits into."""
        x, y, z = self.half_m
        rows = _matrix(self.turn)
        if self.form == "box":
            return np.array([abs(a) * x + abs(b) * y + abs(c) * z for a, b, c in rows])
        if self.form == "ellipsoid":
            return np.array([math.hypot(a * x, b * y, c * z) for a, b, c in rows])
        if self.form == "capsule":
            return np.array([abs(c) * z + x for _, _, c in rows])
        return np.array([abs(c) * z + x * math.hypot(a, b) for a, b, c in rows])

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Piece:
        """Return it moved by so much, m."""
        at = self.at_m
        return replace(self, at_m=(at[0] + x, at[1] + y, at[2] + z))

    def turned(self, x_rad: float = 0.0, y_rad: float = 0.0, z_rad: float = 0.0) -> Piece:
        """Return it turned about its own middle: about x, then y, then z."""
        turn = self.turn
        for axis, angle in enumerate((x_rad, y_rad, z_rad)):
            if angle:
                turn = _times(_about_axis(axis, angle), turn)
        return replace(self, turn=turn)

    def about(self, z_rad: float, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Piece:
        """Return it turned about the upright axis through the origin, then moved."""
        cos, sin = math.cos(z_rad), math.sin(z_rad)
        a, b, c = self.at_m
        at = (cos * a - sin * b + x, sin * a + cos * b + y, c + z)
        return replace(self, turn=_times(_about_axis(2, z_rad), self.turn), at_m=at)


def box(
    w: float, d: float, h: float, colour: Colour, finish: str = "matt", *,
    x: float = 0.0, y: float = 0.0, z: float = 0.0, solid: bool = True,
) -> Piece:  # fmt: skip
    """Return a block w × d × h m whose bottom is at z."""
    return Piece("box", (w / 2, d / 2, h / 2), (x, y, z + h / 2), colour=colour, finish=finish, solid=solid)


def can(
    radius: float, h: float, colour: Colour, finish: str = "matt", *,
    x: float = 0.0, y: float = 0.0, z: float = 0.0, solid: bool = True,
) -> Piece:  # fmt: skip
    """Return an upright cylinder whose bottom is at z."""
    half = (radius, radius, h / 2)
    return Piece("cylinder", half, (x, y, z + h / 2), colour=colour, finish=finish, solid=solid)


def ball(
    w: float, d: float, h: float, colour: Colour, finish: str = "matt", *,
    x: float = 0.0, y: float = 0.0, z: float = 0.0, solid: bool = True,
) -> Piece:  # fmt: skip
    """Return an ellipsoid w × d × h m whose lowest point is at z."""
    half = (w / 2, d / 2, h / 2)
    return Piece("ellipsoid", half, (x, y, z + h / 2), colour=colour, finish=finish, solid=solid)


def rod(
    start: Vector, end: Vector, radius: float, colour: Colour, finish: str = "matt", solid: bool = True
) -> Piece:
    """Return a round bar from one point to another, its round ends beyond them."""
    (a, b, c), length = np.subtract(end, start).tolist(), math.dist(start, end)
    turn = _times(
        _about_axis(2, math.atan2(b, a)), _about_axis(1, math.acos(max(min(c / length, 1.0), -1.0)))
    )
    half = (radius, radius, length / 2)
    x, y, z = ((one + other) / 2 for one, other in zip(start, end, strict=True))
    return Piece("capsule", half, (x, y, z), turn, colour, finish, solid)


def panel(
    w: float, h: float, colour: Colour, finish: str, *,
    x: float = 0.0, y: float = 0.0, z: float = 0.0, thick: float = 0.02, solid: bool = False,
) -> Piece:  # fmt: skip
    """Return an upright board w × h m, its bottom at z and its painted face at y, turned towards +y.

    A finish's pattern is projected along a piece's own z: this one's is its thickness.
    """
    flat = Piece("box", (w / 2, h / 2, thick / 2), (x, y - thick / 2, z + h / 2), colour=colour, solid=solid)
    return replace(flat.turned(x_rad=-np.pi / 2), finish=finish)


def bounds(pieces: list[Piece]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and the highest corner `[3]` of the block that pieces just fit into."""
    low = np.min([np.subtract(piece.at_m, piece.reach_m) for piece in pieces], axis=0)
    high = np.max([np.add(piece.at_m, piece.reach_m) for piece in pieces], axis=0)
    return low, high


def _matrix(turn: Quaternion) -> tuple[Vector, Vector, Vector]:
    """Return the rows of a quaternion's matrix."""
    w, x, y, z = turn
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )


def _about_axis(axis: int, angle_rad: float) -> Quaternion:
    """Return the quaternion of a turn about x, y or z."""
    values = [math.cos(angle_rad / 2), 0.0, 0.0, 0.0]
    values[axis + 1] = math.sin(angle_rad / 2)
    w, x, y, z = values
    return w, x, y, z


def _times(one: Quaternion, other: Quaternion) -> Quaternion:
    """Return the quaternion of the other turn, then the one."""
    a, b, c, d = one
    w, x, y, z = other
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )
