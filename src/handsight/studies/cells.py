"""The unit of a study: one variant, one seed, one small JSON that is kept.

A cell is named by everything that its outcome depends on, so that tables of several studies share it, a study
goes on where it stopped, and several processes or machines divide the cells between them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.training.run import write_atomically

Settings = Mapping[str, Any]
"""What a variant is, as JSON can say it."""


@dataclass(frozen=True)
class Cell:
    """One variant with one seed.

    Args:
        experiment: what runs it, as `running.experiment_named` knows it.
        settings: everything else that the outcome depends on, resolved: no default is left unsaid.
        seed: of all randomness.
    """

    experiment: str
    settings: Settings
    seed: int

    @cached_property
    def key(self) -> str:
        """Name of the cell: the same settings and seed have the same one, in every study."""
        said = json.dumps([self.experiment, self.settings, self.seed], sort_keys=True, allow_nan=False)
        return hashlib.blake2b(said.encode(), digest_size=6).hexdigest()

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and self.key == other.key


@dataclass(frozen=True)
class Score:
    """One measure of one cell, by what intervals resample: objects, episodes, rooms.

    Args:
        mean: float64 `[C]`, of each object.
        count: float64 `[C]`, how much each object's mean stands for (its frames).
    """

    mean: NDArray[np.float64]
    count: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.floating[Any]], clusters: NDArray[np.integer[Any]]) -> Score:
        """Bring the scores of single frames, `[N]`, together by their objects, `[N]`."""
        _, place = np.unique(clusters, return_inverse=True)
        count = np.bincount(place).astype(np.float64)
        return cls(np.bincount(place, weights=np.asarray(values, dtype=np.float64)) / count, count)

    @property
    def value(self) -> float:
        """The figure itself: the mean over all that was measured."""
        return float(np.average(self.mean, weights=self.count))


@dataclass(frozen=True)
class Outcome:
    """What a cell found.

    Args:
        scores: measure → score.
        curves: name → numbers to draw, as JSON can say them: `{"x": [...], "y": [...], …}`.
        facts: what else is worth keeping: sizes, choices, losses.
    """

    scores: Mapping[str, Score]
    curves: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> Outcome:
        """Return the scores and curves called `NAME: MEASURE`, by measure; for no name, all of this."""
        if not name:
            return self
        start = f"{name}: "
        scores, curves = (
            {key.removeprefix(start): kept for key, kept in entries.items() if key.startswith(start)}
            for entries in (self.scores, self.curves)
        )
        return Outcome(scores, curves, self.facts)


class CellStore:
    """Outcomes in a folder, a JSON file each, written whole or not at all.

    Args:
        folder: made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, cell: Cell) -> Path:
        """Return where a cell's outcome is or would be kept."""
        return self.folder / f"{cell.experiment.replace(':', '.')}-{cell.key}.json"

    def get(self, cell: Cell) -> Outcome | None:
        """Return a cell's outcome, or None where it has not been run.

        Raises:
            HandsightError: the file there is of another cell, or damaged.
        """
        path = self.path(cell)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["experiment"] != cell.experiment or kept["seed"] != cell.seed:
                raise ValueError("of another cell")
            scores = {
                name: Score(np.array(score["mean"], dtype=np.float64), np.array(score["count"], np.float64))
                for name, score in kept["scores"].items()
            }
            return Outcome(scores, kept["curves"], kept["facts"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise HandsightError(
                f"{path} is no cell's outcome ({reason}); remove it to run it again"
            ) from None

    def made(self, cells: Sequence[Cell]) -> dict[str, Any]:
        """Return core-hours, seeds, hardware, versions and days of cells, for the line under a table."""
        seconds, made, days = [], set(), set()
        for cell in cells:
            path = self.path(cell)
            if path.exists():
                kept = json.loads(path.read_text(encoding="utf-8"))
                if "core_seconds" in kept:
                    seconds.append(float(kept["core_seconds"]))
                days.add(str(kept["date"]))
                made.add(
                    f"{kept['made'].get('gpu') or kept['made']['processor']}, torch {kept['made']['torch']}"
                )
        hours = f"{sum(seconds) / 3600:.2f}"
        found: dict[str, Any] = {"cells": len(cells), "seeds": len({cell.seed for cell in cells})}
        if seconds:
            found["core-hours"] = hours if len(seconds) == len(cells) else f"{hours} in {len(seconds)} cells"
        found["hardware"] = "; ".join(sorted(made))
        return found | {"from": min(days), "to": max(days)} if days else found

    def put(self, cell: Cell, outcome: Outcome, core_seconds: float, made: Mapping[str, str]) -> None:
        """Keep an outcome, how long a core was busy for it, and what it was made with.

        Raises:
            HandsightError: a figure is not finite, or the disk is full.
        """
        for name, score in outcome.scores.items():
            if not (np.isfinite(score.mean).all() and score.count.sum() > 0):
                raise HandsightError(
                    f"{name!r} of a cell of {cell.experiment} is {score.mean}; expected numbers"
                )
        kept = {
            "experiment": cell.experiment,
            "seed": cell.seed,
            "settings": cell.settings,
            "date": datetime.now(UTC).date().isoformat(),
            "core_seconds": round(core_seconds, 1),
            "made": dict(made),
            "figures": {name: _rounded(score.value) for name, score in outcome.scores.items()},
            "scores": {
                name: {"mean": _rounded(score.mean.tolist()), "count": _rounded(score.count.tolist())}
                for name, score in outcome.scores.items()
            },
            "curves": _rounded(outcome.curves),
            "facts": _rounded(outcome.facts),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path(cell), _written(kept))
        except OSError as error:
            raise HandsightError(
                f"cannot write {self.path(cell)} ({error.strerror});"
                " make room and give the same command again"
            ) from error


def _written(kept: Mapping[str, Any]) -> str:
    """Return JSON with a line for each entry, so that a changed figure is a changed line."""
    lines = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in kept.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rounded(value: Any) -> Any:
    """Return numbers with six significant digits: more say nothing, and files stay small."""
    if isinstance(value, Mapping):
        return {str(name): _rounded(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _rounded(value.tolist())
    if isinstance(value, (float, np.floating)):
        number = float(f"{float(value):.6g}")
        if not math.isfinite(number):
            return None
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
    return int(value) if isinstance(value, np.integer) else value
