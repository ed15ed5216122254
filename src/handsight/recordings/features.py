"""Features: what each stream of a recording is, in LeRobot's words and in ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from handsight.errors import HandsightError

Moves = Literal["nothing", "point", "angle", "rotation", "sides", "map"]
"""What mirroring or cropping the picture does to a stream.

`nothing`: untouched (a mass, a joint angle). `point`: image coordinates, x and y in [0, 1] from the top
left. `angle`: an angle in rad that changes sign under mirroring. `rotation`: a quaternion wxyz in the
camera's frame (x to the right). `sides`: left and right entries swap. `map`: numbers that lie over the
picture (depths, masks), the last two of its sizes their rows and columns.
"""

Between = Literal["difference", "angle", "relative_rotation", "sum", "stack", "first"]
"""What lies between two frames of a stream: see `handsight.recordings.needs`."""

BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")
"""Columns that every LeRobotDataset has beside its own streams."""


NUMBERS = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)
"""Types of numbers that a stream can hold, as numpy names them."""
_NOT_NUMBERS = ("image", "video", "string")


@dataclass(frozen=True)
class Feature:
    """One stream of a recording.

    Args:
        dtype: a numpy name, `bool`, `string`, `image` (PNG or JPEG bytes) or `video` (mp4).
        shape: of one frame; cameras `(H, W, 3)`, scalars `(1,)`.
        names: of the entries, or None.
        moves: what mirroring or cropping the picture does to it; None where nobody said so.
        between: what lies between two frames; None where nobody said so.
        unit: as in `rad`, `m`, `n`; None where nobody said so.
    """

    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None
    moves: Moves | None = None
    between: Between | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        for field, value, allowed in (
            ("moves", self.moves, get_args(Moves)),
            ("between", self.between, get_args(Between)),
        ):
            if value is not None and value not in allowed:
                raise HandsightError(
                    f"a stream's {field} is {value!r}; it can be one of {', '.join(allowed)}"
                )
        if self.is_camera and (len(self.shape) != 3 or self.shape[2] != 3):
            raise HandsightError(f"a camera has shape {self.shape}; it must be (height, width, 3)")

    @property
    def is_camera(self) -> bool:
        """Whether this stream is pictures."""
        return self.dtype in ("image", "video")

    @classmethod
    def from_info(cls, info: Mapping[str, Any], ours: Mapping[str, Any]) -> Feature:
        """Read a feature from LeRobot's `info.json` entry and from our own declaration beside it."""
        names = info.get("names")
        return cls(
            dtype=kind if (kind := str(info["dtype"])) in _NOT_NUMBERS else np.dtype(kind).name,
            shape=tuple(int(size) for size in info["shape"]),
            names=tuple(str(name) for name in names) if isinstance(names, (list, tuple)) else None,
            moves=ours.get("moves"),
            between=ours.get("between"),
            unit=unit if isinstance(unit := ours.get("unit"), str) else None,
        )


def camera(height: int, width: int, video: bool = False) -> Feature:
    """Return the feature of a camera of `height` × `width` pixels."""
    return Feature("video" if video else "image", (height, width, 3), ("height", "width", "channels"))


BOOKKEEPING_FEATURES: Mapping[str, Feature] = MappingProxyType(
    {name: Feature("float32" if name == "timestamp" else "int64", (1,)) for name in BOOKKEEPING}
)
"""What the bookkeeping columns hold."""
