"""Things in rooms: sights whose things are known, and how well a segmenter tells them.

Lohmann et al. 2020, section 5: movable things of which at least ten pixels show within reach are to be found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from handsight.evaluation.detection import MASS_CLASSES, Picture, picture
from handsight.evaluation.matching import Matches, confusion, rows_normalised
from handsight.worlds.places import Instance, Location, Place
from handsight.worlds.world import generator

_SIGHTS = 0x51  # what the numbers drawn for locations of sights are for


class Told(Protocol):
    """Things told in a picture: as `methods.segmenter.Things`."""

    @property
    def masks(self) -> NDArray[np.bool_]:
        """Bool `[M, S, S]`."""

    @property
    def scores(self) -> NDArray[np.float64]:
        """`[M]`, in [0, 1]."""

    @property
    def bins(self) -> NDArray[np.int64]:
        """Mass classes, `[M]`."""

    @property
    def boxes(self) -> NDArray[np.float64] | None:
        """`[M, 4]`: left, top, width, height in pixels; None: around the masks."""


Teller = Callable[[NDArray[np.uint8], NDArray[np.float32]], Sequence[Told]]
"""Tells things in images uint8 `[B, S, S, 3]` with depths float32 `[B, S, S]`, metres."""


@dataclass(frozen=True)
class Sights:
    """What is seen at some locations, and what there is to be found.

    Args:
        images: uint8 `[L, S, S, 3]`.
        depths_m: float16 `[L, S, S]`, along each pixel's ray.
        masks: bool `[T, S, S]`, of all things to be found, one location's after another's.
        bins: int64 `[T]`, their mass classes.
        location: int64 `[T]`, at which of the locations.
        room: `[L]`, names.
    """

    images: NDArray[np.uint8]
    depths_m: NDArray[np.float16]
    masks: NDArray[np.bool_]
    bins: NDArray[np.int64]
    location: NDArray[np.int64]
    room: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)

    def save(self, path: Path) -> None:
        """Write them to a file."""
        np.savez_compressed(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Sights:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**arrays)


def draw_locations(place: Place, split: str, count: int, seed: int) -> list[Location]:
    """Draw locations in the rooms of a split, each room as often as any other, give or take one.

    An agent's own locations are drawn from other numbers.
    """
    rooms = place.rooms(split)
    seeds = generator(seed, _SIGHTS).integers(2**31, size=count)
    return [Location(rooms[number % len(rooms)], int(drawn)) for number, drawn in enumerate(seeds)]


def look_around(place: Place, locations: Sequence[Location]) -> Sights:
    """Go to locations and keep what is seen, with the truth about it."""
    images, depths, found, at = [], [], list[Instance](), list[int]()
    for number, location in enumerate(locations):
        sight = place.enter(location)
        images.append(sight.image)
        depths.append(sight.depth_m.astype(np.float16))
        there = [instance for instance in place.instances() if instance.in_reach]
        found += there
        at += [number] * len(there)
    size = place.image_size
    masks = np.array([instance.mask for instance in found], bool).reshape(-1, size, size)
    bins = np.array([instance.mass_class for instance in found], np.int64)
    rooms = np.array([location.room for location in locations])
    return Sights(np.stack(images), np.stack(depths), masks, bins, np.array(at, np.int64), rooms)


def told_in(sights: Sights, tell: Teller, batch_size: int = 16) -> list[Picture]:
    """Let things be told in sights, and put beside them what is true."""
    pictures = []
    for first in range(0, len(sights), batch_size):
        rows = slice(first, first + batch_size)
        told = tell(sights.images[rows], sights.depths_m[rows].astype(np.float32))
        for number, things in enumerate(told, first):
            mine = sights.location == number
            truth = sights.masks[mine], sights.bins[mine]
            pictures.append(picture(things.masks, things.scores, things.bins, *truth, things.boxes))
    return pictures


FIGURES = ("box AP50", "box AP", "mask AP50", "mask AP", "mass accuracy", "mass & box AP50")
"""The columns of tables 1 and 2."""

FOUND = "things found"
"""Share of the things whose box was found (an overlap of 0.5), however unsure: average precision of little is
mostly chance, since a single sure hit is worth 1 % of it."""

CONFUSED = tuple(f"{true} told {told}" for true, told in product(MASS_CLASSES, repeat=2))
"""Of what is found of each true class, the share that is told to be of each class (table 4)."""


def figures_by_room(
    pictures: Sequence[Picture], room: NDArray[np.str_]
) -> dict[str, tuple[float, NDArray[np.float64]]]:
    """Return `FIGURES`, `FOUND` and `CONFUSED` in [0, 1], each with what it is without each room, `[R]`.

    Average precision is no mean over rooms; by what it would be without each, intervals can be told all the
    same (the jackknife). NaN where nothing of a kind is there. Mass accuracy is the mean over the classes
    that are there; one of which nothing was found counts as 0, or a single lucky thing would be 100 %.
    """
    boxes, masks = Matches(pictures, "box"), Matches(pictures, "mask")
    by_mass, table = Matches(pictures, "box", by_mass=True), confusion(pictures)
    classes = len(MASS_CLASSES)
    there = np.array([np.bincount(each.truth.bins, minlength=classes) for each in pictures])

    def figures(rows: NDArray[np.intp]) -> list[float]:
        box, mask = boxes.precision(rows), masks.precision(rows)
        shares, things = rows_normalised(table[rows].sum(axis=0)), there[rows].sum()
        found = table[rows].sum() / things if things else np.nan
        right = np.nan_to_num(np.diag(shares))[there[rows].sum(axis=0) > 0]
        mass = [right.mean() if len(right) else np.nan, by_mass.precision(rows).ap50]
        return [box.ap50, box.ap, mask.ap50, mask.ap, *mass, found, *shares.ravel()]

    whole = figures(np.arange(len(pictures)))
    without = np.array([figures(np.flatnonzero(room != left_out)) for left_out in np.unique(room)])
    return {
        name: (whole[column], without[:, column]) for column, name in enumerate((*FIGURES, FOUND, *CONFUSED))
    }
