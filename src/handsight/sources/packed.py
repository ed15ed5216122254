"""Pictures packed as encoded bytes in an HDF5 file, and the parquet tables beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.layout import shown
from handsight.sources.files import natural_key
from handsight.sources.objects import tell_shared
from handsight.sources.views import Clip, Planned


class PackedPictures:
    """The pictures in an HDF5 file: data sets whose entries are the bytes of image files.

    As a context manager it closes itself.

    Args:
        path: of the file.

    Raises:
        HandsightError: it is missing, or no HDF5 file.
    """

    def __init__(self, path: Path) -> None:
        import h5py  # here, as it would slow the start of every command

        self.path = path
        if not path.is_file():
            raise HandsightError(f"{shown(path)} is missing; expected the data set's pictures there")
        with self._readable():
            # Locks are what network file systems lack, and nobody writes here.
            self._file = h5py.File(path, "r", locking="best-effort")

    def __enter__(self) -> PackedPictures:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def count(self, *keys: str) -> int:
        """Return the number of pictures in the data set below these keys.

        Raises:
            HandsightError: there is no such key, or something else.
        """
        return len(self._pictures(keys))

    def read(self, keys: Sequence[str], index: int) -> bytes:
        """Return one picture's encoded bytes.

        Raises:
            HandsightError: there is no such key, no such entry, or it cannot be read.
        """
        pictures = self._pictures(keys)
        if not 0 <= index < len(pictures):
            raise HandsightError(
                f"{self._called(keys)} holds {len(pictures)} pictures; the table asks for number {index}"
            )
        with self._readable():
            entry = pictures[index]
        return entry.tobytes() if isinstance(entry, np.ndarray | np.generic) else bytes(entry)

    def _pictures(self, keys: Sequence[str]) -> Any:
        node: Any = self._file
        for depth, key in enumerate(keys):
            with self._readable():
                if not hasattr(node, "keys") or key not in node:
                    missing = "/".join(keys[: depth + 1])
                    raise HandsightError(f"{shown(self.path)} has no key '{missing}', which its table names")
                node = node[key]
        kind = getattr(node, "dtype", None)
        if kind is None or not _holds_bytes(kind, node.ndim):
            what = "a group" if kind is None else f"{kind} {node.shape}"
            raise HandsightError(
                f"{self._called(keys)} is {what}; expected encoded pictures, a row of bytes each"
            )
        return node

    def _called(self, keys: Sequence[str]) -> str:
        return f"{shown(self.path)}, key '{'/'.join(keys)}',"

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise HandsightError(f"{shown(self.path)} cannot be read ({reason}); restore it") from None


def _holds_bytes(kind: np.dtype[Any], ndim: int) -> bool:
    """Whether entries are rows of bytes: of any length, of one length with a rest behind, or opaque."""
    if ndim == 1:
        metadata: Mapping[str, Any] = kind.metadata or {}  # where h5py keeps what a row of any length is of
        ragged = metadata.get("vlen")
        return kind.kind in "SV" or (ragged is not None and ragged == np.dtype(np.uint8))
    return ndim == 2 and kind == np.uint8


def read_table(path: Path, names: Sequence[str], numbers: Sequence[str] = ()) -> pd.DataFrame:
    """Return columns of a parquet table: `names` as text, `numbers` as float64.

    Raises:
        HandsightError: it cannot be read, lacks a column, or one holds something else.
    """
    try:
        with pq.ParquetFile(path) as file:
            there = file.schema_arrow.names
            lacking = [column for column in (*names, *numbers) if column not in there]
            if lacking:
                raise HandsightError(
                    f"{shown(path)} has no column '{lacking[0]}' (it has: {', '.join(there)})"
                )
            table = file.read(columns=[*names, *numbers])
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise HandsightError(f"{shown(path)} cannot be read as parquet ({reason}); restore it") from None
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    for column in names:
        if frame[column].isna().any():
            row = int(np.flatnonzero(frame[column].isna())[0])
            raise HandsightError(f"{shown(path)}, row {row}, column '{column}' is empty; fill it in")
        frame[column] = frame[column].astype(str)
    for column in numbers:
        try:
            frame[column] = frame[column].astype(np.float64)
        except (TypeError, ValueError):
            kind = table.schema.field(column).type
            raise HandsightError(f"{shown(path)}, column '{column}' is {kind}; expected numbers") from None
    return frame


def check_whole(values: pd.Series[float], path: Path) -> None:
    """Refuse a column of a table that is to be whole numbers and is not.

    Raises:
        HandsightError: one is missing, or has a fraction.
    """
    wrong = np.flatnonzero(~np.isfinite(values) | (values % 1 != 0))
    if len(wrong):
        raise HandsightError(
            f"{shown(path)}, row {wrong[0]}, column '{values.name}' is {values.iloc[wrong[0]]:g}; "
            "expected a whole number"
        )


@dataclass(frozen=True)
class PackedClip:
    """What the tables say of one clip.

    Args:
        table: `train` or `test`.
        keys: the values of its key columns, as text.
        names: the other text columns, `[T]` each.
        numbers: the columns of numbers, `[T]` each.
    """

    table: str
    keys: tuple[str, ...]
    names: Mapping[str, npt.NDArray[np.str_]]
    numbers: Mapping[str, npt.NDArray[np.float64]]


def read_clips(
    source: Path,
    tables: Mapping[str, str],
    keys: Sequence[str],
    index: str,
    names: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> Iterator[PackedClip]:
    """Yield the clips of a packed data set in natural order, the rows of each ordered by `index`.

    Args:
        source: its folder.
        tables: `train` and `test` → file below it; one of the two may be missing.
        keys: columns of text whose values make a clip, its category and its object first.
        index: column of whole numbers.
        names: further columns of text.
        numbers: further columns of numbers.

    Raises:
        HandsightError: there is no table, or `read_table` refuses it.
    """
    there = {table: source / name for table, name in tables.items() if (source / name).is_file()}
    if not there:
        raise HandsightError(f"{shown(source)} has neither {' nor '.join(tables.values())}; expected a table")
    objects: dict[str, set[str]] = {table: set() for table in tables}
    for table, path in there.items():
        frame = read_table(path, (*keys, *names), (index, *numbers))
        check_whole(frame[index], path)
        frame = frame.sort_values([*keys, index], kind="stable", ignore_index=True)
        texts = {name: frame[name].to_numpy(np.str_) for name in names}
        values = {name: frame[name].to_numpy(np.float64) for name in (index, *numbers)}
        for clip, rows in _clips(frame[list(keys)]):
            objects[table].add("/".join(clip[:2]))
            yield PackedClip(
                table,
                clip,
                {name: column[rows] for name, column in texts.items()},
                {name: column[rows] for name, column in values.items()},
            )
    tell_shared(objects["train"], objects["test"])


Make = Callable[[str, list[str], Callable[[int], bytes], npt.NDArray[np.float64]], Clip]
"""Makes a clip of where it comes from, its pictures' places, what reads them by row, and poses `[T, …]`."""


def plan_posed(
    clip: PackedClip, pictures: PackedPictures, number: str, what: str, pose: Sequence[str], make: Make
) -> Planned:
    """Return what loads a clip whose table gives a pose with each picture.

    Args:
        clip: rows of the table.
        pictures: the file that packs them.
        number: the column of a picture's number in it.
        what: the word for such a number in messages.
        pose: the columns of a pose.
        make: makes the clip.
    """
    where, numbers = "/".join(clip.keys), clip.numbers[number].astype(int)

    def load() -> Clip:
        places = [f"{where}, {what} {number}," for number in numbers]
        poses = np.stack([clip.numbers[name] for name in pose], axis=1)
        return make(where, places, lambda row: pictures.read(clip.keys, int(numbers[row])), poses)

    return Planned(f"{clip.table}/{where}", len(numbers), load)


def _clips(keys: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], slice]]:
    """Yield the different rows of a sorted table in natural order, and where each begins and ends."""
    begins = np.flatnonzero((keys != keys.shift()).any(axis=1))
    edges = [*begins.tolist(), len(keys)]
    clips = dict(zip(keys.iloc[begins].itertuples(index=False, name=None), pairwise(edges), strict=True))
    for clip in sorted(clips, key=lambda clip: natural_key("/".join(clip))):
        yield clip, slice(*clips[clip])
