"""Rows of meta/episodes while a seal gathers them: columns, a thousand episodes at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from handsight.recordings.columns import nested
from handsight.recordings.stats import PACK, Figures, Totals


class EpisodeRows:
    """Gathers the rows of meta/episodes and adds up their streams' figures.

    Args:
        fact_types: Arrow type of each episode fact.
        totals: figures of the episodes before, by stream.
    """

    def __init__(self, fact_types: Mapping[str, pa.DataType], totals: Mapping[str, Figures]) -> None:
        self.count = 0
        self._types = {"tasks": pa.list_(pa.string()), **fact_types}
        self._totals = Totals(totals)
        self._rows: list[dict[str, Any]] = []
        self._figures: list[Mapping[str, Figures]] = []
        self._packed: list[pa.Table] = []

    def add(self, row: dict[str, Any], figures: Mapping[str, Figures]) -> None:
        """Take in an episode: the same plain columns as every other's, and the figures of its streams."""
        self._rows.append(row)
        self._figures.append(figures)
        self.count += 1
        if len(self._rows) == PACK:
            self._pack()

    def table(self) -> pa.Table:
        """Return all rows."""
        self._pack()
        return pa.concat_tables(self._packed, promote_options="default")

    def totals(self) -> dict[str, Figures]:
        """Return each stream's figures over these episodes and those before."""
        self._pack()
        return self._totals.figures()

    def _pack(self) -> None:
        if not self._rows:
            return
        columns = {
            name: pa.array([row[name] for row in self._rows], self._types.get(name)) for name in self._rows[0]
        }
        for stream, (known, stacked) in self._totals.add(self._figures).items():
            for key, values in stacked.items():
                columns[f"stats/{stream}/{key}"] = _spread(values, known, len(self._rows))
        self._packed.append(pa.table(columns))
        self._rows, self._figures = [], []


def _spread(values: npt.NDArray[Any], rows: list[int], count: int) -> pa.Array:
    """Return values `[n, *shape]` as lists in the column of `count` rows; null in the other rows."""
    column = nested(pa.array(values.reshape(-1)), values.shape[1:])
    if len(rows) == count:
        return column
    places: list[int | None] = [None] * count
    for place, row in enumerate(rows):
        places[row] = place
    return column.take(pa.array(places, pa.int64()))
