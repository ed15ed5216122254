"""What is known of each episode, kept as it was read: a recording has a million of them.

Numbers and words become numpy arrays, and tasks Python's strings, where somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


class Facts(Mapping[str, npt.NDArray[Any]]):
    """Episode facts by name, each `[E]`: numbers, words (`""` where nothing is said), or true and false.

    Args:
        table: the episodes' columns; those of other types are no facts.

    Raises:
        pyarrow.ArrowInvalid: words are no text.
    """

    def __init__(self, table: pa.Table) -> None:
        self._columns = {
            name: column
            for name in table.column_names
            if (column := _conformed(table.column(name))) is not None
        }
        self._values: dict[str, npt.NDArray[Any]] = {}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self._values:
            self._values[name] = _to_numpy(self._columns[name])
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def kind(self, name: str) -> str:
        """Return a fact's type as `info.json` names it: `string`, `bool`, `int64`, `float64`."""
        kind = self._columns[name].type
        return "string" if _is_text(kind) else str(np.dtype(kind.to_pandas_dtype()))

    def distinct(self, name: str) -> int:
        """Return how many different values a fact takes."""
        return int(pc.count_distinct(self._columns[name], mode="all").as_py())


class Tasks(Sequence[tuple[str, ...]]):
    """What each episode's tasks were, in words.

    Args:
        column: for each episode a list of words, or one.

    Raises:
        pyarrow.ArrowException: it is a column of something else.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        if _is_text(column.type):
            lengths, words = pc.cast(column.is_valid(), pa.int64()), column.drop_null()
        else:
            lengths, words = pc.list_value_length(column).fill_null(0), pc.list_flatten(column)
        words = words.cast(pa.string()).fill_null("")
        words.validate(full=True)
        encoded = words.combine_chunks().dictionary_encode()
        self._codes: npt.NDArray[np.int32] = encoded.indices.to_numpy()
        self._words: pa.StringArray = encoded.dictionary
        self._ends: npt.NDArray[np.int64] = np.cumsum(lengths.to_numpy(), dtype=np.int64)

    @overload
    def __getitem__(self, episode: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, episode: slice) -> tuple[tuple[str, ...], ...]: ...
    def __getitem__(self, episode: int | slice) -> tuple[str, ...] | tuple[tuple[str, ...], ...]:
        if isinstance(episode, slice):
            return tuple(self[e] for e in range(*episode.indices(len(self))))
        number = range(len(self))[episode]
        first = int(self._ends[number - 1]) if number else 0
        return tuple(self._words[code].as_py() for code in self._codes[first : self._ends[number]].tolist())

    def __len__(self) -> int:
        return len(self._ends)

    def counts(self) -> dict[str, int]:
        """Return how many episodes each task has, in the order in which they first come."""
        return dict(zip(self._words.to_pylist(), np.bincount(self._codes).tolist(), strict=True))


def _conformed(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if _is_text(kind):
        column = column.fill_null("")
        column.validate(full=True)
        return column
    if pa.types.is_boolean(kind):
        # As numbers where there are gaps: NaN where nothing is said.
        return column.cast(pa.int8()) if column.null_count else column
    return column if pa.types.is_integer(kind) or pa.types.is_floating(kind) else None


def _to_numpy(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    if not _is_text(column.type):
        return np.asarray(column.to_numpy())
    encoded = column.combine_chunks().dictionary_encode()
    words: npt.NDArray[np.str_] = np.array(encoded.dictionary.to_pylist(), dtype=np.str_)
    values: npt.NDArray[Any] = words[encoded.indices.to_numpy()]
    return values


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
