"""Shelves: which object each clip shows, from the object factory or from the user's own meshes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from handsight.errors import HandsightError
from handsight.worlds.meshes import read_objects
from handsight.worlds.objects import CATEGORIES, Object, Split, dress, make_object, split_of
from handsight.worlds.objects.appearance import Finishes
from handsight.worlds.world import generator

OBJECT, CLIP_SPLIT = 5, 6
"""What the numbers drawn from a recording's seed are for; see `world.generator`."""

FACTORY_TRIANGLES_N = 3072
"""More triangles than any surface of the factory's objects has."""

SPLIT_ORDER: tuple[Split, ...] = (
    *("train", "test", "train", "train", "validation", "train", "train", "test", "train", "train"),
)
"""Splits of a category's successive objects: every ten have the factory's shares exactly."""


class Shelf(Protocol):
    """Hands out objects, one category after another.

    Attributes:
        triangles_n: no surface has more triangles.
        closed: whether every surface is closed, so that the backs of its triangles never show.
    """

    triangles_n: int
    closed: bool

    def take(self, seed: int, clip: int) -> tuple[Object, Split]:
        """Return the object that this clip of the recording with this seed shows, and the clip's split."""


class FactoryShelf:
    """The object factory's objects, a new one every `clips_per_object` clips.

    Args:
        categories: their names; None for all.
        clips_per_object: successive clips of one object.
        finishes: how they are painted.

    Raises:
        HandsightError: a category is unknown.
    """

    triangles_n = FACTORY_TRIANGLES_N
    closed = True

    def __init__(
        self, categories: Sequence[str] | None, clips_per_object: int, finishes: Finishes = "patterned"
    ) -> None:
        self._finishes: Finishes = finishes
        self._categories = _chosen(categories, list(CATEGORIES))
        self._clips_per_object = clips_per_object

    def take(self, seed: int, clip: int) -> tuple[Object, Split]:
        """Return the clip's object and split; seeds are drawn until one is in the split whose turn it is."""
        number = clip // self._clips_per_object
        turn, place = divmod(number, len(self._categories))
        split = SPLIT_ORDER[(turn + 3 * place) % len(SPLIT_ORDER)]
        rng = generator(seed, number, OBJECT)
        object_seed = int(rng.integers(2**62))
        while split_of(object_seed) != split:
            object_seed = int(rng.integers(2**62))
        return make_object(self._categories[place], object_seed, self._finishes), split


class MeshShelf:
    """The user's own meshes, each category's in turn.

    The split is by object, as everywhere; but where a category has a single object, its clips are divided.

    Args:
        folder: see `meshes.read_objects`.
        up: the axis that points up in them.
        categories: names of the categories to take; None for all.
        clips_per_object: successive clips of one object.
        finishes: how they are painted.

    Raises:
        HandsightError: nothing to show, a mesh that cannot be read, an unknown category.
    """

    closed = False  # meshes from the wild have holes

    def __init__(
        self,
        folder: Path,
        up: Literal["y", "z"],
        categories: Sequence[str] | None,
        clips_per_object: int,
        finishes: Finishes = "patterned",
    ) -> None:
        self._finishes: Finishes = finishes
        known = {group[0].category: group for group in read_objects(folder, up)}
        self._objects = [known[category] for category in _chosen(categories, list(known))]
        self._clips_per_object = clips_per_object
        self._dressed: dict[int, Object] = {}
        self.triangles_n = max(mesh.triangles_n for group in self._objects for mesh in group)

    def take(self, seed: int, clip: int) -> tuple[Object, Split]:
        """Return the clip's object and split."""
        turn, place = divmod(clip // self._clips_per_object, len(self._objects))
        group = self._objects[place]
        mesh = group[turn % len(group)]
        single = len(group) == 1
        divided = int(generator(seed, clip, CLIP_SPLIT).integers(2**62)) if single else mesh.seed
        if mesh.seed not in self._dressed:
            self._dressed[mesh.seed] = dress(mesh.category, mesh.seed, mesh.parts, self._finishes)
        return self._dressed[mesh.seed], split_of(divided)


def _chosen(categories: Sequence[str] | None, known: list[str]) -> list[str]:
    if categories is None:
        return known
    if not categories:
        raise HandsightError(f"no category is chosen; choose some of {', '.join(known)}")
    for category in categories:
        if category not in known:
            raise HandsightError(f"there is no category {category!r}; there are {', '.join(known)}")
    return list(categories)
