"""Bodies of known shape for the tabletop's tests, benches with one of them at rest, and how they are seen."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from handsight.worlds.objects import dress
from handsight.worlds.objects.parts import Part
from handsight.worlds.objects.shapes import box, cylinder
from handsight.worlds.scene import Light
from handsight.worlds.tabletop.bench import Bench
from handsight.worlds.tabletop.bodies import body_of

LIGHT = Light(np.array([0.2, 1, -1.5]), np.full(3, 0.6), np.full(3, 0.4))
BLACK = np.zeros((128, 128, 3), np.uint8)
SHAPES = {"block": box(1, 0.4, 0.5), "can": cylinder(0.3, 1)}


def body(shape="block", stiffness_n_per_m=1000.0, radius_m=0.055):
    """Return a body; the block is 93 mm along x, 37 mm along y and 46 mm high."""
    made = body_of(dress(shape, 3, [Part(SHAPES[shape])]))
    scale = radius_m / made.radius_m
    pieces = tuple(replace(piece, points=piece.points * scale) for piece in made.pieces)
    return replace(made, stiffness_n_per_m=stiffness_n_per_m, radius_m=radius_m, pieces=pieces)


def bench_with(made, place=(0.05, 0.02), turned_rad=0.0):
    """Return a bench on which a body stands at a place, turned anticlockwise seen from above."""
    bench = Bench([made])
    rotation = Rotation.from_euler("z", turned_rad)
    bench.put(0, np.array([*place, made.height_below_m(rotation) + 0.002]), rotation)
    bench.settle()
    return bench


def long_axis(blob):
    """Return the angle of a blob's long axis, from the picture's x to its y, mod π."""
    away = blob.pixels - blob.pixels.mean(0)
    x, y = np.linalg.svd(away, full_matrices=False)[2][0]
    return np.arctan2(y, x) % np.pi
