"""What the action costs: time and memory of a step of action-aware SSL, its baselines and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handsight.evaluation import Measure
from handsight.studies.action_aware_cells import cost_settings
from handsight.studies.study import Row, Scale, Study

_COSTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "SimCLR": ("simclr", {}),
    "SimCLR-TT": ("simclr-tt", {}),
    "SimCLR-TT (again)": ("simclr-tt", {}),
    "AA-SimCLR": ("action-aware", {}),
    "CIPER": ("ciper", {}),
    "EquiMod": ("equimod", {}),
    "BYOL-TT": ("byol-tt", {}),
    "AA-BYOL": ("action-aware", {"visual": "byol"}),
    "VICReg-TT": ("vicreg-tt", {}),
    "AA-VICReg": ("action-aware", {"visual": "vicreg"}),
}
"""Rows of the table of costs. What is measured twice shows how exact the measurement is."""

_BESIDE = ("SimCLR-TT", "SimCLR")


def _cost_rows(scale: Scale) -> list[Row]:
    """Return rows that share one cell: what a step costs is measured beside the others, in one process."""
    settings = cost_settings(scale, _COSTS, _BESIDE)
    return [Row(label, "step-cost", settings, 1, part=label) for label in _COSTS]


def _cost(name: str, decimals: int) -> Measure:
    return Measure(name, percent=False, higher_is_better=False, decimals=decimals)


STUDIES: tuple[Study, ...] = (
    Study(
        name="action-aware/cost",
        title="Time and memory of a training step",
        question="What does the action cost?",
        rows=_cost_rows,
        measures=(
            _cost("step (ms)", 1),
            *(_cost(f"time / {other}", 3) for other in _BESIDE),
            _cost("memory (MB)", 0),
            *(_cost(f"memory / {other}", 3) for other in _BESIDE),
        ),
        clusters="blocks of steps",
        notes=(
            "All methods took turns in one process, a few steps each in a random order, and ratios are taken"
            " block by block. SimCLR-TT was measured twice: as its two rows differ, so may any.",
            "Memory: the most that building the method and its first steps took, in a process of their own;"
            " its intervals are over such processes. On a GPU, what was allocated there.",
        ),
    ),
)
