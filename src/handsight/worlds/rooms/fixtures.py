"""Fixtures: furniture that stays where it is, and the surfaces that things lie on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from handsight.worlds.rooms.kinds import Where
from handsight.worlds.rooms.pieces import Colour, Piece, bounds


@dataclass(frozen=True)
class Surface:
    """A level rectangle that things lie on, in the room's frame.

    Args:
        where: `top` or `rest`, see `kinds.Where`.
        middle_m: x, y.
        half_m: half its sizes along its own axes.
        angle_rad: by which it is turned, anticlockwise seen from above.
        height_m: above the floor.
        headroom_m: what is higher does not fit.
    """

    where: Where
    middle_m: tuple[float, float]
    half_m: tuple[float, float]
    angle_rad: float = 0.0
    height_m: float = 0.0
    headroom_m: float = 9.0


@dataclass(frozen=True)
class Fixture:
    """Furniture that stays: its back at y = 0, its front towards +y, its middle at x = 0.

    Args:
        pieces: what it is made of.
        surfaces: what can lie on it.
        blocks: whether nothing can stand below it on the floor.
    """

    pieces: list[Piece]
    surfaces: list[Surface] = field(default_factory=list)
    blocks: bool = True

    def placed(self, x: float, y: float, angle_rad: float) -> Fixture:
        """Return it turned about its back's middle, and that moved to x, y."""
        cos, sin = np.cos(angle_rad), np.sin(angle_rad)

        def moved(surface: Surface) -> Surface:
            a, b = surface.middle_m
            middle = (float(x + cos * a - sin * b), float(y + sin * a + cos * b))
            return replace(surface, middle_m=middle, angle_rad=surface.angle_rad + angle_rad)

        pieces = [piece.about(angle_rad, x, y) for piece in self.pieces]
        return Fixture(pieces, [moved(surface) for surface in self.surfaces], self.blocks)

    @property
    def footprint(self) -> tuple[float, float, float, float]:
        """Lowest x, lowest y, highest x, highest y of what is solid and below 1.6 m."""
        low, high = bounds([piece for piece in self.pieces if piece.at_m[2] < 1.6])
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def top(
    x: float, y: float, w: float, d: float, height: float, headroom: float = 9.0, where: Where = "top"
) -> Surface:
    """Return a surface w × d with its middle at x, y."""
    return Surface(where, (x, y), (w / 2, d / 2), 0.0, height, headroom)


@dataclass(frozen=True)
class Style:
    """The colours and finishes that a room's furniture shares.

    Args:
        front: of cupboards, with its finish.
        wood: of tables and frames.
        counter: of worktops, with its finish.
        cloth: of what is upholstered.
        accent: of small painted things.
    """

    front: Colour
    front_finish: str
    wood: Colour
    counter: Colour
    counter_finish: str
    cloth: Colour
    accent: Colour
