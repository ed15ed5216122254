"""Shapes that objects are made of: closed triangle meshes, all of them lofts through rings of points.

Lengths are in the object's own units, as it is brought to unit size at the end. z is up, angles in rad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

Points = NDArray[np.float64]
PointsLike = NDArray[np.float64] | Sequence[Any]

AROUND_N = 22
"""Points around a round shape: enough to look round at 128 pixels."""


@dataclass(frozen=True)
class Mesh:
    """Triangles: `vertices` `[V, 3]` and `faces` `[F, 3]`, counter-clockwise seen from outside."""

    vertices: Points
    faces: NDArray[np.int64]

    def moved(self, x: float = 0, y: float = 0, z: float = 0) -> Mesh:
        """Return the mesh moved by (x, y, z)."""
        return Mesh(self.vertices + np.array([x, y, z]), self.faces)

    def turned(self, x: float = 0, y: float = 0, z: float = 0) -> Mesh:
        """Return the mesh turned about the fixed axes x, then y, then z, angles in rad."""
        return Mesh(Rotation.from_euler("xyz", [x, y, z]).apply(self.vertices), self.faces)

    def scaled(self, x: float = 1, y: float = 1, z: float = 1) -> Mesh:
        """Return the mesh scaled along the axes; a negative factor mirrors it and keeps its outside out."""
        faces = self.faces if x * y * z > 0 else self.faces[:, ::-1]
        return Mesh(self.vertices * np.array([x, y, z]), faces)


def loft(rings: PointsLike, closed: bool = False) -> Mesh:
    """Return the skin through `rings` `[K, N, 3]`, each a closed outline.

    Args:
        rings: counter-clockwise seen from the end that the loft runs towards; star-shaped about their means,
            as the two ends are covered by fans.
        closed: joins the last ring to the first in place of covering the ends.
    """
    rings = np.asarray(rings, float)
    vertices = [rings.reshape(-1, 3)]
    if not closed:
        vertices += [rings[0].mean(0)[None], rings[-1].mean(0)[None]]
    return Mesh(np.concatenate(vertices), _loft_faces(*rings.shape[:2], closed))


@cache
def _loft_faces(rings_n: int, points_n: int, closed: bool) -> NDArray[np.int64]:
    """Return the faces of every loft of this form; without `closed`, its last two vertices close the ends."""
    number = np.arange(rings_n * points_n).reshape(rings_n, points_n)
    if closed:
        number = np.concatenate([number, number[:1]])
    low, high = number[:-1], number[1:]
    a, b, c, d = low, np.roll(low, -1, 1), np.roll(high, -1, 1), high
    faces = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    if not closed:
        first, last = rings_n * points_n, rings_n * points_n + 1
        start, end = number[0], number[-1]
        faces += [np.stack([np.roll(start, -1), start, np.full(points_n, first)], -1)]
        faces += [np.stack([end, np.roll(end, -1), np.full(points_n, last)], -1)]
    made = np.concatenate(faces)
    made.flags.writeable = False  # all lofts of this form share it
    return made


def circle(points_n: int = AROUND_N, squareness: float = 0) -> Points:
    """Return `[points_n, 2]` on the unit circle, towards the unit square as `squareness` goes from 0 to 1."""
    angle = np.linspace(0, 2 * np.pi, points_n, endpoint=False)
    round_ = np.stack([np.cos(angle), np.sin(angle)], 1)
    exponent = 2 / (1 - 0.9 * squareness)  # of a superellipse
    return np.asarray(round_ / (np.abs(round_) ** exponent).sum(1, keepdims=True) ** (1 / exponent), float)


def smooth(points: PointsLike, points_n: int) -> Points:
    """Return `[points_n, D]` on a smooth curve through the given points `[K, D]`."""
    points = np.asarray(points, float)
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    curve = CubicSpline(at, points, bc_type="natural")
    return np.asarray(curve(np.linspace(0, at[-1], points_n)), float)


def lathe(profile: PointsLike, around_n: int = AROUND_N, squareness: float = 0) -> Mesh:
    """Return what turning `profile` `[K, 2]` (radius, height) about z gives.

    The profile runs along the outside upwards; a vessel's then goes over the rim and down the inside.
    """
    profile = np.asarray(profile, float)
    outline = circle(around_n, squareness)
    radius = np.maximum(profile[:, 0], 1e-6)
    flat = radius[:, None, None] * outline[None]
    height = np.broadcast_to(profile[:, 1, None, None], (*flat.shape[:2], 1))
    return loft(np.concatenate([flat, height], -1))


def vessel(outside: PointsLike, thickness: float, squareness: float = 0, floor: float | None = None) -> Mesh:
    """Return an open vessel of profile `outside` `[K, 2]` (radius, height), hollow from above.

    Args:
        outside: from the foot up to the rim.
        thickness: of the wall.
        squareness: of the cross-section, 0 for round.
        floor: height of the bottom inside; by default the wall's thickness above the foot.
    """
    outside = np.asarray(outside, float)
    bottom = outside[0, 1] + thickness if floor is None else floor
    inside = outside[outside[:, 1] > bottom] - [thickness, 0]
    bottom_radius = float(np.interp(bottom, outside[:, 1], outside[:, 0])) - thickness
    down = np.concatenate([inside[::-1], [[max(bottom_radius, 0.01), bottom]], [[0, bottom]]])
    return lathe(
        np.concatenate([[[0, outside[0, 1]]], outside, np.maximum(down, [0.0, -np.inf])]),
        squareness=squareness,
    )


def cylinder(radius: float, height: float, top: float = 1, around_n: int = AROUND_N) -> Mesh:
    """Return a cylinder standing on z = 0; its upper radius is `top` times the lower one."""
    return lathe([[radius, 0], [radius * top, height]], around_n)


def ellipsoid(x: float, y: float, z: float, around_n: int = 16) -> Mesh:
    """Return an ellipsoid about the origin with these half-axes."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, around_n // 2 + 1)
    return lathe(np.stack([np.cos(angle), np.sin(angle)], 1), around_n).scaled(x, y, z)


def box(x: float, y: float, z: float, top: tuple[float, float] = (1, 1), shift: float = 0) -> Mesh:
    """Return a box standing on z = 0, centred in x and y; its top scaled by `top`, moved by `shift` in x."""
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [x / 2, y / 2]
    low = np.column_stack([corners, np.zeros(4)])
    high = np.column_stack([corners * top + [shift, 0], np.full(4, z)])
    return loft([low, high])


def soft_box(x: float, y: float, z: float, edge: float) -> Mesh:
    """Return a box standing on z = 0 whose edges are rounded by `edge`."""
    outline = circle(AROUND_N, 0.85)
    half = np.array([x / 2, y / 2])
    levels = [
        (0, edge),
        (edge * 0.3, edge * 0.3),
        (edge, 0),
        (z - edge, 0),
        (z - edge * 0.3, edge * 0.3),
        (z, edge),
    ]
    return loft(
        [
            np.column_stack([outline * (half - inset), np.full(len(outline), height)])
            for height, inset in levels
        ]
    )


def extrude(outline: PointsLike, width: float, top: float = 1) -> Mesh:
    """Return `outline` `[N, 2]` in the (x, z) plane, counter-clockwise seen from −y, made `width` thick.

    Args:
        outline: star-shaped about its mean.
        width: along y, centred.
        top: width at the highest point relative to the one at the lowest (a car narrows towards its roof).
    """
    outline = np.asarray(outline, float)
    height = outline[:, 1]
    narrowing = 1 + (top - 1) * (height - height.min()) / max(float(np.ptp(height)), 1e-9)
    sides = [np.column_stack([outline[:, 0], side * narrowing * width / 2, height]) for side in (1, -1)]
    return loft(sides)


def tube(
    path: PointsLike, radius: float | PointsLike, around_n: int = 8, closed: bool = False, flatness: float = 1
) -> Mesh:
    """Return a tube along `path` `[K, 3]`.

    Args:
        path: points of the middle line.
        radius: one, or one per point.
        around_n: points around.
        closed: whether the end joins the beginning.
        flatness: scales the section in the direction that starts out most upright.
    """
    path = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(path))
    tangents = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0]) if abs(tangents[0, 2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    outline = circle(around_n)
    ups = np.empty_like(path)
    for at, tangent in enumerate(tangents):
        up = up - tangent * (up @ tangent)  # carried along the path, so the tube does not twist
        up /= np.sqrt(up @ up)
        ups[at] = up
    sides = np.cross(ups, tangents)
    across = outline[:, :1] * sides[:, None] + outline[:, 1:] * ups[:, None] * flatness
    return loft(path[:, None] + radii[:, None, None] * across, closed)


def bar(
    start: Sequence[float],
    end: Sequence[float],
    radius: float,
    end_radius: float | None = None,
    around_n: int = 8,
) -> Mesh:
    """Return a straight round bar from `start` to `end`."""
    return tube([start, end], [radius, radius if end_radius is None else end_radius], around_n)


def hoop(radius: float, thickness: float, around_n: int = AROUND_N, section_n: int = 6) -> Mesh:
    """Return a torus about z through the origin: `radius` to the middle of a tube of radius `thickness`."""
    middle = np.column_stack([circle(around_n) * radius, np.zeros(around_n)])
    return tube(middle, thickness, section_n, closed=True)


def wheel(radius: float, width: float) -> Mesh:
    """Return a wheel about the y axis through the origin, its sides a little hollow."""
    half = width / 2
    profile = [
        [0, -half * 0.6],
        [radius * 0.55, -half * 0.6],
        [radius * 0.62, -half],
        [radius * 0.92, -half],
        [radius, -half * 0.6],
    ]
    return lathe([*profile, *[[r, -h] for r, h in reversed(profile)]], 18).turned(x=np.pi / 2)


def arc(radius: float, start: float, end: float, points_n: int) -> Points:
    """Return `[points_n, 2]` on a circle about the origin from angle `start` to `end`."""
    angle = np.linspace(start, end, points_n)
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)
