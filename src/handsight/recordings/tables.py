"""Opening parquet files: whatever is wrong with one becomes one line that names it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError, first_line
from handsight.recordings.layout import TASKS, shown

DAMAGED = (OSError, ValueError, LookupError, TypeError, OverflowError, pa.ArrowException)
"""What pyarrow raises over a damaged file: its own errors, and Python's for words and numbers."""


@contextmanager
def reading(where: str, remedy: str = "restore it from a copy") -> Iterator[None]:
    """Turn what pyarrow raises over a damaged file into one line about `where`."""
    try:
        yield
    except HandsightError:
        raise
    except DAMAGED as error:
        raise HandsightError(f"{where} cannot be read ({first_line(error)}); {remedy}") from None


def read_tasks(root: Path, count: int | None = None) -> list[str]:
    """Return the tasks in the order of their task_index.

    Args:
        root: of the recording.
        count: the first of them only; None for all.

    Raises:
        HandsightError: the file is missing or damaged, or does not number tasks from 0.
    """
    path = root / TASKS
    if not path.is_file():
        raise HandsightError(f"{shown(path)} is missing; restore it from a copy")
    with reading(shown(path)), pq.ParquetFile(path) as file:
        table = file.read()
        # A pandas frame whose index is the task; what it says of itself is not needed, and may be damaged.
        names = ("task", "__index_level_0__", *table.column_names)
        words = next((name for name in names if _is_text(table, name)), None)
        if words is None:
            raise ValueError("it names no task")
        order = table.column("task_index").to_pylist()
        if sorted(order) != list(range(len(order))):
            raise ValueError("task_index does not count from 0")
        named = dict(zip(order, map(str, table.column(words).to_pylist()), strict=True))
        return [named[index] for index in range(len(named))][:count]


def write_tasks(path: Path, tasks: Sequence[str]) -> None:
    """Write a file of tasks, numbered in order."""
    words = pd.Index(list(tasks), name="task", dtype="object")
    pd.DataFrame({"task_index": range(len(tasks))}, index=words).to_parquet(path)


def _is_text(table: pa.Table, name: str) -> bool:
    kinds = [field.type for field in table.schema if field.name == name]
    return len(kinds) == 1 and (pa.types.is_string(kinds[0]) or pa.types.is_large_string(kinds[0]))
