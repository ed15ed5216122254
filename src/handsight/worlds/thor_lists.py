"""The authors' lists of locations in AI2-THOR, and what is true there.

Learning about objects by learning to interact with them (Lohmann et al. 2020) was released with files
`dataset/*.json`: a list of `{image_id, width, height, thor_meta: {scene, position, rotation, horizon, seed},
annotations: [{segmentation, category_id, min_force, gt_mass}]}`. There are no pictures in them: the simulator
renders each location again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError, first_line
from handsight.recordings.layout import shown

_CLASSES = 3  # light, medium, heavy


@dataclass(frozen=True)
class ListedObject:
    """A movable thing within reach.

    Args:
        segmentation: COCO's run-length code of its visible pixels.
        mass_class: 0 light, 1 medium, 2 heavy.
        mass_kg: what it weighs, or NaN where the list does not say.
        force_n: the smallest force that moved it, or −1 where none did; NaN where the list does not say.
    """

    segmentation: dict[str, Any]
    mass_class: int
    mass_kg: float
    force_n: float

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Its visible pixels, bool `[H, W]`."""
        from faster_coco_eval.core import mask as rle  # late: a fifth of a second, for lists only

        return np.asarray(rle.decode(self.segmentation)).astype(bool)


@dataclass(frozen=True)
class ListedLocation:
    """A location of a list.

    Args:
        image_id: the list's name for it.
        room: the scene, as in `FloorPlan1`.
        position_m: x, y and z of the agent, as AI2-THOR has them.
        rotation_deg: which way it looks, about the vertical.
        horizon_deg: how far down it looks.
        seed: of where objects lie.
        size: height and width of the masks, pixels.
        truth: the movable things within reach.
    """

    image_id: int | str
    room: str
    position_m: tuple[float, float, float]
    rotation_deg: float
    horizon_deg: float
    seed: int
    size: tuple[int, int]
    truth: tuple[ListedObject, ...]


def read_locations(path: Path | str) -> list[ListedLocation]:
    """Read a list of locations.

    Raises:
        HandsightError: the file cannot be read, or an entry lacks something; saying which.
    """
    try:
        entries = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise HandsightError(
            f"{shown(path)} cannot be read as a list of locations ({first_line(error)})"
        ) from None
    if not isinstance(entries, list) or not entries:
        raise HandsightError(
            f"{shown(path)} is no list of locations; expected JSON [{{image_id, thor_meta, …}}, …]"
        )
    locations = []
    for number, entry in enumerate(entries):
        try:
            locations.append(_location(entry))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            lacks = f"it lacks {error}" if isinstance(error, KeyError) else first_line(error)
            raise HandsightError(
                f"{shown(path)}: entry {number} is no location ({lacks}); expected image_id, width, height, "
                "thor_meta {scene, position, rotation, horizon, seed} and annotations"
            ) from None
    return locations


def _location(entry: Any) -> ListedLocation:
    where, turn = entry["thor_meta"], entry["thor_meta"]["rotation"]
    place = where["position"]
    return ListedLocation(
        image_id=entry["image_id"],
        room=str(where["scene"]).removesuffix("_physics"),
        position_m=(float(place["x"]), float(place["y"]), float(place["z"])),
        rotation_deg=float(turn["y"] if isinstance(turn, dict) else turn),
        horizon_deg=float(where["horizon"]),
        seed=int(where["seed"]),
        size=(int(entry["height"]), int(entry["width"])),
        truth=tuple(_object(annotation) for annotation in entry["annotations"]),
    )


def _object(annotation: Any) -> ListedObject:
    mass_class, code = int(annotation["category_id"]), annotation["segmentation"]
    if not 0 <= mass_class < _CLASSES:
        raise ValueError(f"category_id {mass_class} is none of 0 light, 1 medium, 2 heavy")
    if not isinstance(code, dict) or not {"size", "counts"} <= set(code):
        raise ValueError("a segmentation is no run-length code {size, counts}")
    unknown = float("nan")
    return ListedObject(
        segmentation=code,
        mass_class=mass_class,
        mass_kg=float(annotation.get("gt_mass", unknown)),
        force_n=float(annotation.get("min_force", unknown)),
    )
