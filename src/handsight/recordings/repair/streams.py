"""What `info.json` declares of streams, held against what the files hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from handsight.errors import HandsightError
from handsight.recordings.columns import to_numpy
from handsight.recordings.features import BOOKKEEPING_FEATURES, NUMBERS, Feature
from handsight.recordings.frames import read_picture
from handsight.recordings.packets import Packets
from handsight.recordings.repair.files import Files
from handsight.recordings.repair.table import Rows
from handsight.recordings.selection import is_described, unreadable

_SAMPLE = 16
"""Rows of each file that are looked at; one may be damaged."""


@dataclass
class Held:
    """What the files hold under one name.

    Args:
        dtype: as `info.json` names it.
        shapes: of a frame → how often they were seen.
        columns: samples of the data files' columns.
        codecs: of its videos → in how many files.
    """

    dtype: str
    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    columns: list[pa.ChunkedArray] = field(default_factory=list)
    codecs: Counter[str] = field(default_factory=Counter)

    def described(self) -> dict[str, Any]:
        """Return it as `info.json` describes a stream."""
        shape = list(self.shapes.most_common(1)[0][0])
        if self.dtype not in ("image", "video"):
            return {"dtype": self.dtype, "shape": shape, "names": None}
        entry: dict[str, Any] = {
            "dtype": self.dtype,
            "shape": shape,
            "names": ["height", "width", "channels"],
        }
        if self.dtype == "video":
            said = {
                "video.height": shape[0],
                "video.width": shape[1],
                "video.codec": self.codecs.most_common(1)[0][0],
            }
            entry["info"] = {**said, "video.is_depth_map": False, "has_audio": False}
        return entry

    def fits(self, declared: dict[str, Any]) -> bool:
        """Whether some of it is what is declared."""
        feature = Feature.from_info(_channels_last(declared), {})
        pictures = {"image", "video"} & {self.dtype, feature.dtype}
        if pictures or "string" in (self.dtype, feature.dtype):
            return self.dtype == feature.dtype and feature.shape in self.shapes
        return any(_fits(column, feature) for column in self.columns)


def _fits(column: pa.ChunkedArray, feature: Feature) -> bool:
    for row in range(len(column)):
        try:
            to_numpy(column.slice(row, 1), feature, "")
        except HandsightError:
            continue
        return True
    return False


def mend_streams(
    root: Path, info: dict[str, Any], files: Files, rows: Rows, anew: bool, say: Callable[[str], None]
) -> None:
    """Correct the streams in `info` by the files.

    Args:
        root: of the recording.
        info: whose `features` are corrected.
        files: that there are.
        rows: of meta/episodes.
        anew: whether nothing is known but the files.
        say: told what is changed.
    """
    if not isinstance(info.get("features"), dict):
        say("'features' was not an object and is made anew from the files")
        info["features"], anew = {}, True
    features: dict[str, Any] = info["features"]
    for name in list(features):
        if name not in BOOKKEEPING_FEATURES:
            _mend_stream(root, features, name, files, rows, say)
    found = []
    for name in _named_by_files(files, rows, anew):
        if name not in {*features, *BOOKKEEPING_FEATURES} and (held := _held(root, name, files)) is not None:
            features[name] = held.described()
            found.append(f"{name!r} ({_words(features[name])})")
    if found:
        say(f"in the files and not declared: now {', '.join(found)}")
    for name, feature in BOOKKEEPING_FEATURES.items():
        wanted = {"dtype": feature.dtype, "shape": [1], "names": None}
        if not is_described(features.get(name)):
            features[name] = wanted


def _mend_stream(
    root: Path, features: dict[str, Any], name: str, files: Files, rows: Rows, say: Callable[[str], None]
) -> None:
    entry = features[name]
    declared = entry if is_described(entry) else None
    kind = None if declared is None else declared["dtype"]
    if (
        isinstance(kind, str)
        and kind not in ("image", "video", "string", "bool", *NUMBERS)
        and not _is_number(kind)
    ):
        return  # of a kind that others know
    held = _held(root, name, files)
    if held is None:
        if declared is None or not _is_somewhere(name, kind, files, rows):
            say(f"stream {name!r} is in no file: no longer declared")
            del features[name]
        return
    if declared is not None and unreadable(name, declared) is None and held.fits(declared):
        return
    if kind in ("image", "video") and declared is not None and _is_depth(declared):
        return
    features[name] = held.described()
    if declared is not None and declared["shape"] == features[name]["shape"]:
        features[name]["names"] = declared.get("names")
    say(f"stream {name!r} was declared {_words(entry)}: now {_words(features[name])}, as the files are")


def _is_number(kind: str) -> bool:
    return unreadable("x", {"dtype": kind, "shape": [1]}) is None


def _is_depth(declared: dict[str, Any]) -> bool:
    return len(declared["shape"]) == 3 and 1 in (declared["shape"][0], declared["shape"][2])


def _is_somewhere(name: str, kind: Any, files: Files, rows: Rows) -> bool:
    """Whether files that cannot be read may hold a stream."""
    if name in files.videos or any(
        column.startswith(f"videos/{name}/") for column in rows.table.column_names
    ):
        return True
    if kind == "video":
        return False
    return not files.data or any(name in file.schema.names for file in files.data)


def _named_by_files(files: Files, rows: Rows, anew: bool) -> list[str]:
    """Return the streams of which the files themselves say that they belong to the recording."""
    names: list[str] = []
    for file in files.data:
        names += file.columns if anew else _huggingface(file.schema)
    said = [
        name.split("/")[1]
        for name in rows.table.column_names
        if name.count("/") == 2 and name[:7] == "videos/"
    ]
    return [name for name in dict.fromkeys([*names, *said, *(files.videos if anew else ())]) if name]


def _huggingface(schema: pa.Schema) -> Iterator[str]:
    """Yield the streams that the `datasets` library's description of a data file lists."""
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        yield from [name for name in described["info"]["features"] if isinstance(name, str)]
    except (ValueError, LookupError, TypeError, RecursionError):
        return


def _held(root: Path, name: str, files: Files) -> Held | None:
    held: Held | None = None
    for file in files.data:
        if name not in file.columns:
            continue
        try:
            column = file.rows_of(name, 0, min(_SAMPLE, file.rows)).column(0)
        except HandsightError:
            continue
        dtype = _dtype(column.type)
        if dtype is None or (held is not None and held.dtype != dtype):
            continue
        held = held or Held(dtype)
        held.columns.append(column)
        held.shapes.update(_shapes(root, column))
    if held is None:
        packets = [one for one in files.videos.get(name, {}).values() if isinstance(one, Packets)]
        packets += files.waiting.get(name, [])
        held = Held("video", Counter((one.height, one.width, 3) for one in packets))
        held.codecs = Counter(one.codec for one in packets)
    if not held.shapes or unreadable(name, held.described()) is not None:
        return None
    return held


def _dtype(kind: pa.DataType) -> str | None:
    if pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "image"
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "string"
    if pa.types.is_boolean(kind):
        return "bool"
    return (
        str(kind.to_pandas_dtype().__name__)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind)
        else None
    )


def _shapes(root: Path, column: pa.ChunkedArray) -> Iterator[tuple[int, ...]]:
    for value in column.to_pylist():
        try:
            if _dtype(column.type) == "image":
                yield read_picture(root, value).shape
            elif value is not None:
                yield np.shape(value) or (1,)
        except ValueError:
            continue  # no picture, or lists of different lengths


def _channels_last(declared: dict[str, Any]) -> dict[str, Any]:
    shape = declared["shape"]
    if declared["dtype"] in ("image", "video") and len(shape) == 3 and shape[2] != 3:
        shape = [*shape[1:], 3]
    return {**declared, "shape": shape}


def _words(entry: Any) -> str:
    if not is_described(entry):
        return "in no known way"
    return f"{entry['dtype']} {entry['shape']}"
