"""Which of a recording's streams are used, and under which names."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import BOOKKEEPING_FEATURES, NUMBERS, Feature
from handsight.recordings.layout import INFO, how_to_mend, is_inside, shown

LONGEST_NAME = 200
"""Of a stream, in bytes; files are named after it."""
LONGEST_SIDE = 32_767
"""Of a picture, in pixels: what OpenCV can scale."""
MOST_VALUES = 2**27
"""Of a stream, in one frame."""


@dataclass(frozen=True)
class Selection:
    """The streams of a recording.

    Args:
        root: of the recording.
        on_disk: every stream that can be read, by its name on disk.
        unsupported: the others, with the reason: depth, audio, unknown types.
    """

    root: Path
    on_disk: Mapping[str, Feature]
    unsupported: Mapping[str, str]

    def pick(self, images: str | Sequence[str] | None, names: Mapping[str, str]) -> dict[str, Feature]:
        """Return streams and chosen cameras under the names they shall have.

        Args:
            images: cameras by name; None for all.
            names: wanted name → name on disk.

        Raises:
            HandsightError: one of them is not there.
        """
        others = [name for name, feature in self.on_disk.items() if not feature.is_camera]
        cameras = [name for name, feature in self.on_disk.items() if feature.is_camera]
        for wanted, name in names.items():
            if name not in self.on_disk:
                raise self.lacks(name, wanted, others)
        chosen = [images] if isinstance(images, str) else cameras if images is None else list(images)
        for name in chosen:
            if name not in cameras:
                raise self.lacks(name, "images", cameras)
        taken = {*names, *names.values()}
        kept = {n: f for n, f in self.on_disk.items() if n not in taken and (not f.is_camera or n in chosen)}
        return kept | {wanted: self.on_disk[name] for wanted, name in names.items()}

    def lacks(self, name: str, wanted: str, available: Sequence[str]) -> HandsightError:
        """Return the error for a stream that is not there: what is there, and how to say it.

        Args:
            name: that was looked for on disk.
            wanted: name it would have had; `images` for a camera.
            available: names that would do.
        """
        kind = "camera" if wanted == "images" else "stream"
        has = f"it has: {', '.join(available)}" if available else f"it has no {kind} at all"
        if name in self.unsupported:
            has = f"{self.unsupported[name]}; {has}"
        message = f"{shown(self.root)} has no {kind} {name!r} ({has})"
        if available:
            closest = (difflib.get_close_matches(name, available, 1, 0) or available)[0]
            named = wanted in ("action", "images")
            option = (
                f"--{wanted} {closest}" if named else f"Recording(…, streams={{'{wanted}': '{closest}'}})"
            )
            message += f". Say which to use: {option}"
        return HandsightError(message)


def read_features(root: Path, info: Mapping[str, Any]) -> Selection:
    """Read which streams `info.json` declares.

    Raises:
        HandsightError: a stream's entry is not one.
    """
    ours = (info.get("handsight") or {}).get("streams")
    features, unsupported = {}, {}
    for name, entry in info["features"].items():
        if name in BOOKKEEPING_FEATURES:
            continue
        if not is_described(entry):
            raise HandsightError(
                f"{shown(root / INFO)}: stream {name!r} lacks dtype or shape; {how_to_mend(root)}"
            )
        reason = unreadable(name, entry)
        if reason is None:
            declared = ours.get(name) if isinstance(ours, dict) else None
            channels_first = entry["dtype"] in ("image", "video") and entry["shape"][2] != 3
            if channels_first:  # so some describe them; the pictures themselves have no order of axes
                entry = {**entry, "shape": [*entry["shape"][1:], 3]}
            try:
                features[name] = Feature.from_info(entry, declared if isinstance(declared, dict) else {})
            except HandsightError as error:
                raise HandsightError(
                    f"{shown(root / INFO)}: stream {name!r}: {error}; {how_to_mend(root)}"
                ) from None
        else:
            unsupported[name] = f"{name!r} is {reason}"
    return Selection(root, features, unsupported)


def is_described(entry: Any) -> bool:
    """Whether an entry of `info.json` says what a stream is."""
    return isinstance(entry, dict) and isinstance(entry.get("shape"), list) and "dtype" in entry


def unreadable(name: str, entry: Mapping[str, Any]) -> str | None:
    """Return why a stream cannot be read here, or None."""
    kind, shape = entry["dtype"], entry["shape"]
    if len(quote(name, errors="replace")) > LONGEST_NAME:
        return "of a name that no file can have"
    if not shape or not all(isinstance(size, int) and size > 0 for size in shape):
        return f"of shape {shape}"
    if kind in ("image", "video"):
        rgb = len(shape) == 3 and (shape[2] == 3 or shape[0] == 3)
        if not rgb or max(shape) > LONGEST_SIDE:
            return f"no RGB camera but of shape {shape}"
        # Its name is that of a folder.
        return None if kind == "image" or (is_inside(name) and "/" not in name) else "called like no folder"
    if math.prod(shape) > MOST_VALUES:
        return f"of shape {shape}, more than {MOST_VALUES} values a frame"
    return None if kind in ("bool", "string") or _is_number(kind) else f"of dtype {kind!r}"


def _is_number(kind: Any) -> bool:
    if not isinstance(kind, str) or not kind.isidentifier():
        return False
    try:
        return np.dtype(kind).name in NUMBERS
    except (TypeError, ValueError):
        return False
