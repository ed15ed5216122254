"""From parts to what is drawn: triangles with normals and texture coordinates, brought to unit size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.worlds.objects.parts import FINISHES_N, Part

CREASE_RAD = 0.75
"""Faces that meet at more than this angle keep an edge between them; at less they are shaded as one curve."""


@dataclass(frozen=True)
class Surface:
    """F triangles: `corners` and `normals` `[F, 3, 3]`, `texture` coordinates `[F, 3, 2]`, all float32."""

    corners: NDArray[np.float32]
    normals: NDArray[np.float32]
    texture: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.corners)


def surfaces_of(parts: list[Part]) -> tuple[Surface, ...]:
    """Return one surface per finish, all together brought into the unit sphere about the origin.

    The centre is that of the bounding box; the farthest point comes to distance 1.
    """
    points = np.concatenate([part.mesh.vertices for part in parts])
    centre = (points.min(0) + points.max(0)) / 2
    scale = 1 / max(float(np.linalg.norm(points - centre, axis=1).max()), 1e-12)
    triangles = np.concatenate([mesh.vertices[mesh.faces] for mesh, _ in parts])
    triangles = (triangles - centre) * scale
    faces_n = [len(part.mesh.faces) for part in parts]
    number = np.repeat(np.arange(len(parts)), faces_n)
    finish = np.repeat([part.finish for part in parts], faces_n)
    facing = _facing(triangles)
    whole = np.linalg.norm(facing, axis=1) > 1e-10
    triangles, facing, number, finish = triangles[whole], facing[whole], number[whole], finish[whole]
    normals, texture = corner_normals(triangles, number), _box_projection(triangles, facing)
    return tuple(
        Surface(triangles[chosen].astype(np.float32), normals[chosen].astype(np.float32), texture[chosen])
        for chosen in (finish == one for one in range(FINISHES_N))
    )


def _facing(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `[F, 3]`, each face's normal, as long as twice its area."""
    a, b = (triangles[:, 1] - triangles[:, 0]).T, (triangles[:, 2] - triangles[:, 0]).T
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], 1)


def corner_normals(triangles: NDArray[np.float64], part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return unit normals `[F, 3, 3]` at the corners of triangles within the unit sphere.

    Each is the area-weighted mean over those faces of the same part that meet in the point at less than
    `CREASE_RAD`.

    Args:
        triangles: `[F, 3, 3]`.
        part: `[F]`, the number of the part that each belongs to.
    """
    faces_n = len(triangles)
    weighted = _facing(triangles)
    unit = weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-30)
    corner, other = _meetings(triangles, part)
    own = corner // 3
    near = np.einsum("ij,ij->i", unit.take(own, 0), unit.take(other, 0)) > np.cos(CREASE_RAD)
    corner, other = corner[near], other[near]
    sums = [np.bincount(corner, weighted[:, axis].take(other), 3 * faces_n) for axis in range(3)]
    total = np.stack(sums, 1, dtype=np.float64)
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)
    return total.reshape(faces_n, 3, 3)


def _meetings(
    triangles: NDArray[np.float64], part: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `[P]` corners and `[P]` faces: for each corner, the faces of its part that touch its point."""
    # Points of a part that agree to 1e-5 are one. As numbers, 18 bits for each coordinate and 9 for the part,
    # they compare quickly.
    cell = np.round((triangles.reshape(-1, 3) + 1) * 1e5).astype(np.int64)
    key = cell[:, 0] + cell[:, 1] * 2**18 + cell[:, 2] * 2**36 + np.repeat(part % 512, 3) * 2**54
    corner = np.argsort(key, kind="stable")
    point = np.concatenate([[0], np.cumsum(np.diff(key[corner]) != 0)])
    # Sorted by point, then by face: a thin face may touch a point twice, and counts once.
    face = corner // 3
    once = np.concatenate([[True], (np.diff(point) != 0) | (np.diff(face) != 0)])
    touching = face[once]
    faces_n = np.bincount(point[once])
    end = np.cumsum(faces_n)
    # Each corner beside the faces of its point, from the last to the first.
    times = faces_n[point]
    row = np.repeat(np.arange(len(corner)), times)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
    return corner[row], touching[end[point[row]] - 1 - nth]


def _box_projection(triangles: NDArray[np.float64], facing: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return texture coordinates `[F, 3, 2]`: each face is painted from the axis that it faces most."""
    across = np.array([[1, 2], [0, 2], [0, 1]])[np.abs(facing).argmax(1)]
    return np.take_along_axis(triangles, across[:, None, :].repeat(3, 1), 2).astype(np.float32)
