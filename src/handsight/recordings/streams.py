"""Streams of numbers as memory-mapped arrays, built once from the data files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import filelock
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.columns import in_pieces
from handsight.recordings.durable import one_line, partial, publish
from handsight.recordings.features import Feature
from handsight.recordings.frames import open_data_file
from handsight.recordings.layout import how_to_mend, shown
from handsight.recordings.tables import reading


def cache_root() -> Path:
    """Return where caches are kept: `HANDSIGHT_CACHE`, or `~/.cache/handsight`."""
    return Path(os.environ.get("HANDSIGHT_CACHE") or "~/.cache/handsight").expanduser()


def cached_stream(
    root: Path, files: list[tuple[str, int, int]], column: str, feature: Feature, key: str
) -> npt.NDArray[Any]:
    """Return a stream of all frames, `[N, *shape]`, memory-mapped from the cache; fill that first.

    Args:
        root: of the recording.
        files: its data files: path below the root, first frame, frame after the last.
        column: of the data files.
        feature: what it holds.
        key: of the recording's content.

    Raises:
        HandsightError: a data file is damaged, or the cache cannot be written.
    """
    if feature.dtype == "string":
        return np.concatenate(list(stream_pieces(root, files, column, feature)))
    path = cache_root() / key / "streams" / f"{quote(column, safe='')}.npy"
    if not path.exists():
        with one_line(cache_root(), f"caching stream {column!r}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    _build(path, root, files, column, feature)
    mapped: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    return mapped


def _build(path: Path, root: Path, files: list[tuple[str, int, int]], column: str, feature: Feature) -> None:
    for file in files:
        open_data_file(
            root, file
        ).close()  # the files are as long as meta/episodes says, however long that is
    kind = np.lib.format.dtype_to_descr(np.dtype(feature.dtype))
    header = {"descr": kind, "fortran_order": False, "shape": (files[-1][2], *feature.shape)}
    with open(partial(path), "wb") as array:  # written and not mapped: that would count as memory in use
        np.lib.format.write_array_header_1_0(array, header)
        for piece in stream_pieces(root, files, column, feature):
            array.write(np.ascontiguousarray(piece).data)
    publish(path)


def stream_pieces(
    root: Path, files: list[tuple[str, int, int]], column: str, feature: Feature
) -> Iterator[npt.NDArray[Any]]:
    """Yield a stream of all frames in order, a few at a time; nothing is cached. As `cached_stream`."""
    for file in files:
        where = f"{shown(root / file[0])}, column {column!r}"
        with open_data_file(root, file) as opened:
            if column not in opened.schema_arrow.names:
                raise HandsightError(f"{where} is missing; meta/info.json declares it")
            rows = 0
            with reading(where, how_to_mend(root)):
                for piece in in_pieces(opened, column, feature, where):
                    rows += len(piece)
                    yield piece
            if rows != file[2] - file[1]:
                raise HandsightError(
                    f"{where} holds {rows} frames; meta/episodes counts {file[2] - file[1]} there"
                )
