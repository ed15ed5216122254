"""What the tabletop records: streams by interaction, and facts."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handsight.recordings.features import Feature, camera
from handsight.worlds.tabletop.interactions import SAMPLES_N
from handsight.worlds.tabletop.view import patch_size
from handsight.worlds.world import FactType

Interaction = Literal["grasp", "push", "poke", "identity"]

_POINT = Feature("float32", (2,), ("x", "y"), moves="point", between="first")
_SAMPLES = tuple(f"sample{number}" for number in range(SAMPLES_N))

STREAMS: dict[Interaction, dict[str, Feature]] = {
    "grasp": {
        "grasp.point": _POINT,
        "grasp.angle_rad": Feature("float32", (1,), ("angle",), moves="angle", between="first", unit="rad"),
    },
    "push": {
        "push.start": _POINT,
        "push.end": _POINT,
        "push.height_m": Feature("float32", (1,), ("height",), moves="nothing", between="first", unit="m"),
    },
    "poke": {
        "poke.point": _POINT,
        "poke.depth_m": Feature("float32", (SAMPLES_N,), _SAMPLES, "nothing", "first", "m"),
        "poke.voltage_v": Feature("float32", (SAMPLES_N,), _SAMPLES, "nothing", "first", "v"),
        "poke.line": Feature("float32", (2,), ("slope_v_per_m", "intercept_v"), "nothing", "first"),
    },
}
"""Streams that only one interaction has; what they say holds throughout an episode."""

FACTS: dict[str, FactType] = {
    "interaction": "string",
    "category": "string",
    "object": "int64",
    "split": "string",
    "objects_n": "int64",
    "discarded": "int64",
    "success": "bool",
    "angle_bin": "int64",
    "moved_m": "float64",
    "stiffness_n_per_m": "float64",
}


def cameras(size: int, video: bool) -> dict[str, Feature]:
    """Return the cameras: the table from above, and the patch where the hand acts."""
    side = patch_size(size)
    return {
        "observation.images.camera": camera(size, size, video),
        "observation.images.patch": camera(side, side, video),
    }


def nothing(feature: Feature) -> NDArray[Any]:
    """Return what stands in a stream where an episode has nothing to say: zeros."""
    return np.zeros(feature.shape, feature.dtype)
