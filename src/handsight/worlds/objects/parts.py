"""What a category gives back: parts, each a mesh with one of three finishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from handsight.worlds.objects.shapes import Mesh

MAIN, SECOND, DETAIL = 0, 1, 2
"""Which of an object's finishes a part has. How a finish looks is drawn without knowing the category."""

FINISHES_N = 3


class Part(NamedTuple):
    """A piece of an object: its shape, and which of the object's finishes it has."""

    mesh: Mesh
    finish: int = MAIN


Category = Callable[[np.random.Generator], list[Part]]
"""Draws one object of a category: z up, the front towards +x, any size."""
