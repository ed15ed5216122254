"""The page of a study: its table, the same as dots, its curves, and how it was made."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handsight.evaluation.table import Table
from handsight.report.facts import facts_section
from handsight.report.markup import Element, element, paragraph
from handsight.report.page import Report, Section
from handsight.report.plots import Series, legend, line_plot, panels
from handsight.report.results import table_section

Lines = Mapping[str, Mapping[str, Series]]
"""Title of a drawing → name of a line → (x, y)."""


def study_report(
    results: Table,
    *,
    question: str,
    chance: Mapping[str, float],
    references: Sequence[str],
    drawings: Mapping[tuple[str, str], Mapping[str, Series]],
    missing: int,
    facts: Mapping[str, Any],
    cells: Mapping[str, Any],
    pictures: Mapping[str, Mapping[str, Path]] = MappingProxyType({}),
) -> Report:
    """Lay a study out.

    Args:
        results: its table.
        question: what it is to show.
        chance: measure → what guessing scores.
        references: rows that cannot be the best.
        drawings: (what is up the side, what is along the bottom) → line → (x, y).
        missing: cells that have not been run yet.
        facts: what made it.
        cells: settings of its rows, to be looked up.
        pictures: name → row → a PNG.
    """
    lead = [question]
    if missing:
        lead.append(f"Cells that have not been run yet: {missing}; rows stand on the seeds that are there.")
    sections = [table_section(results, title="Results", chance=chance, references=references, rows="Method")]
    if drawings:
        sections.append(_drawn(drawings))
    sections += [_shown(name, rows) for name, rows in pictures.items()]
    sections.append(facts_section(facts, cells, of="Settings of each row"))
    return Report(title=results.title, lead=lead, sections=sections)


def _drawn(drawings: Mapping[tuple[str, str], Mapping[str, Series]]) -> Section:
    names = list(dict.fromkeys(name for lines in drawings.values() for name in lines))
    colours = {name: number for number, name in enumerate(names)}
    plots: list[Element] = [
        line_plot(side, _finite(lines), colours, across=bottom) for (side, bottom), lines in drawings.items()
    ]
    text = "Means over seeds where a row has several."
    return Section("Curves", [legend(colours), paragraph(text), panels(plots)])


def _shown(name: str, rows: Mapping[str, Path]) -> Section:
    """Lay pictures of one kind out, a row's after the other's."""
    figures: list[Element] = []
    for label, path in rows.items():
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        figures.append(element("h3", label))
        figures.append(
            element(
                "img",
                src=f"data:image/png;base64,{data}",
                alt=f"{name}, {label}",
                loading="lazy",
                style="max-width:100%",
            )
        )
    return Section(f"Pictures: {name}", figures)


def _finite(lines: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> dict[str, Series]:
    return {name: (x[np.isfinite(y)], y[np.isfinite(y)]) for name, (x, y) in lines.items()}
