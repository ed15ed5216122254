"""Categories, objects by seed, and the one train / validation / test split of all worlds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from handsight.errors import HandsightError
from handsight.worlds.objects import (
    animals,
    craft,
    cutlery,
    devices,
    furniture,
    garden,
    seats,
    tableware,
    tools,
    vehicles,
    vessels,
)
from handsight.worlds.objects.appearance import Finish, Finishes, draw_finishes
from handsight.worlds.objects.parts import Category, Part
from handsight.worlds.objects.surface import Surface, surfaces_of

CATEGORIES: dict[str, Category] = {
    category.__name__: category
    for category in (
        *(vessels.mug, vessels.cup, vessels.teapot, vessels.pitcher, vessels.watering_can),
        *(tableware.bowl, tableware.pan, tableware.bottle, tableware.vase, tableware.wine_glass),
        *(seats.chair, seats.stool, seats.armchair, seats.bench),
        *(furniture.table, furniture.desk, furniture.lamp),
        *(vehicles.car, vehicles.truck, vehicles.bus, vehicles.bicycle, craft.aeroplane, craft.boat),
        *(cutlery.spoon, cutlery.fork, cutlery.knife),
        *(tools.hammer, tools.flashlight, tools.dumbbell, tools.umbrella, tools.guitar),
        *(devices.camera, devices.clock, devices.headphones, devices.eyeglasses, devices.phone),
        *(animals.dog, animals.elephant, animals.duck, animals.fish),
        *(garden.banana, garden.apple, garden.mushroom, garden.tree, garden.cactus, garden.house),
    )
}
"""Every category by name, look-alikes beside each other."""

Split = Literal["train", "validation", "test"]

SHAPE, APPEARANCE, SPLIT = 1, 2, 3
"""What a seed is used for: each use has a stream of random numbers of its own."""


@dataclass(frozen=True)
class Object:
    """Something to look at, within the unit sphere about the origin.

    Args:
        category: its name.
        seed: what it was made from, or for a mesh from a file what its name hashes to.
        surfaces: one per finish, with all the triangles of that finish.
        finishes: what they look like.
    """

    category: str
    seed: int
    surfaces: tuple[Surface, ...]
    finishes: tuple[Finish, ...]


def split_of(object_seed: int) -> Split:
    """Return the split that an object is in everywhere: 70 % train, 10 % validation, 20 % test."""
    share = np.random.Generator(np.random.Philox(np.random.SeedSequence([object_seed, SPLIT]))).random()
    if share < 0.7:
        return "train"
    return "validation" if share < 0.8 else "test"


def objects_in(split: Split, start: int = 0) -> Iterator[int]:
    """Yield the object seeds of one split in rising order, without end, from `start` on."""
    seed = start
    while True:
        if split_of(seed) == split:
            yield seed
        seed += 1


def make_object(category: str, object_seed: int, finishes: Finishes = "patterned") -> Object:
    """Return the object of this category and seed; the same one each time.

    Its shape is drawn from (category, seed), its finishes from the seed alone: colour says nothing about the
    category.

    Raises:
        HandsightError: no such category.
    """
    if category not in CATEGORIES:
        raise HandsightError(f"there is no object category {category!r}; there are: {', '.join(CATEGORIES)}")
    name = int.from_bytes(category.encode(), "big")
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([object_seed, SHAPE, name])))
    parts = CATEGORIES[category](rng)
    return dress(category, object_seed, parts, finishes)


def dress(category: str, object_seed: int, parts: list[Part], finishes: Finishes = "patterned") -> Object:
    """Return an object of these parts, its finishes drawn from its seed."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([object_seed, APPEARANCE])))
    return Object(category, object_seed, surfaces_of(parts), draw_finishes(rng, finishes))
