"""Bodies: an object's triangles as something solid that can be grasped, pushed and poked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from handsight.worlds.objects import Object
from handsight.worlds.world import generator

PIECES_N = 10
"""Convex pieces of a body: the largest of what it is made of. The others are seen but not felt."""

SOUP_N = 100
"""An object of more loose pieces than this is one convex hull: a scan, whose triangles do not meet."""

THIN_M = 0.003
"""A piece that is thinner than this is a box of this thickness: simulated contacts pass through foil."""

RADIUS_M = (0.04, 0.065)
"""Smallest and largest radius of an object: what a hand can take hold of, at least at its narrow places."""

DENSITY_KG_M3 = 350.0

STIFFNESS_N_PER_M = (250.0, 3500.0)
"""Of what is grey and of what is all colour: about from a plush toy to a board."""

MATERIAL = 8
"""What the numbers drawn from an object's seed are for; see `world.generator`."""


@dataclass(frozen=True)
class Piece:
    """A convex piece of a body.

    Args:
        points: `[P, 3]` corners of its hull in the object's frame, m; of a box its eight corners.
        box: half its sizes `[3]`, its middle `[3]` and its rotation, where it is a box.
    """

    points: NDArray[np.float64]
    box: tuple[NDArray[np.float64], NDArray[np.float64], Rotation] | None = None


@dataclass(frozen=True)
class Body:
    """An object that has size and softness.

    Args:
        shown: how it looks, in the unit sphere.
        radius_m: of the sphere that it just fits into.
        stiffness_n_per_m: force by which it resists being pressed in by 1 m.
        pieces: what it is made of.
    """

    shown: Object
    radius_m: float
    stiffness_n_per_m: float
    pieces: tuple[Piece, ...]

    def height_below_m(self, rotation: Rotation) -> float:
        """Return how far below the object's middle its lowest point is, so rotated."""
        points = np.concatenate([piece.points for piece in self.pieces])
        return float(-(points @ rotation.as_matrix()[2]).min())

    def height_above_m(self, rotation: Rotation) -> float:
        """Return how far above the object's middle its highest point is, so rotated."""
        points = np.concatenate([piece.points for piece in self.pieces])
        return float((points @ rotation.as_matrix()[2]).max())


def body_of(shown: Object) -> Body:
    """Return an object's body; the same one each time.

    Its size is drawn from its seed. What is pale is soft and what is strongly coloured is hard, give or take
    a fifth: pictures tell of softness, whatever the light, and category says nothing about it.
    """
    rng = generator(shown.seed, MATERIAL)
    radius = float(rng.uniform(*RADIUS_M))
    low, high = np.log(STIFFNESS_N_PER_M)
    main = max(range(len(shown.surfaces)), key=lambda slot: len(shown.surfaces[slot]))
    colour = saturation(shown.finishes[main].texture)
    stiffness = float(np.exp(low + (high - low) * colour) * np.exp(rng.normal(0, 0.2)))
    return Body(shown, radius, stiffness, _pieces(shown, radius))


def saturation(texture: NDArray[np.uint8]) -> float:
    """Return how strongly coloured a texture `[…, 3]` is on average, from 0 (grey) to 1."""
    brightest = np.maximum(texture.max(-1), 1)
    return float(((brightest - texture.min(-1)) / brightest).mean())


def _pieces(shown: Object, radius_m: float) -> tuple[Piece, ...]:
    """Divide an object into what holds together by shared corners; each becomes its convex hull."""
    found = [points for surface in shown.surfaces for points in _loose(surface.corners)]
    if len(found) > SOUP_N:
        found = [np.concatenate(found)]
    found.sort(key=lambda points: -float(np.ptp(points, axis=0).max()))
    return tuple(_piece(points * radius_m) for points in found[:PIECES_N])


def _loose(corners: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Return the points of each loose piece of triangles `[F, 3, 3]`."""
    if len(corners) == 0:
        return []
    cells = np.round(corners.reshape(-1, 3) * 1e4).astype(np.int64)
    points, number = np.unique(cells, axis=0, return_inverse=True)
    faces = number.reshape(-1, 3)
    one, other = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    edges = coo_matrix((np.ones(len(one), np.int8), (one, other)), (len(points), len(points)))
    count, label = connected_components(edges, directed=False)
    order = np.argsort(label, kind="stable")
    ends = np.cumsum(np.bincount(label, minlength=count))[:-1]
    return np.split(points[order] / 1e4, ends)


def _piece(points: NDArray[np.float64]) -> Piece:
    """Return a piece around points `[P, 3]`, m: their hull, or the box around what is thin."""
    middle = points.mean(0)
    axes = np.linalg.svd(points - middle, full_matrices=False)[2] if len(points) >= 3 else np.eye(3)
    if np.linalg.det(axes) < 0:
        axes[2] *= -1
    along = (points - middle) @ axes.T
    low, high = along.min(0), along.max(0)
    if (high - low).min() >= THIN_M:
        return Piece(points)
    half = np.maximum((high - low) / 2, THIN_M / 2)
    rotation = Rotation.from_matrix(axes.T)
    centre = middle + rotation.apply((low + high) / 2)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
    return Piece(centre + rotation.apply(corners), (half, centre, rotation))
