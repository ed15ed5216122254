"""Curves of training: losses, what the monitors saw, and the learning rate, of all runs together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handsight.report.markup import Content, Element, element, folded, paragraph, table
from handsight.report.page import Section
from handsight.report.plots import Series, legend, line_plot, panels

BOOKKEEPING = ("step", "seconds", "seconds_waited", "seconds_filled")

MONITORS = {
    "knn_accuracy": "Nearest neighbours, accuracy on validation objects (%)",
    "effective_rank": "Effective rank of the embeddings",
    "feature_deviation": "Deviation of the unit embeddings × √D",
    "feature_spread": "Deviation of the unit embeddings × √D",
}
"""What monitors log, and how it is headed; `knn_accuracy` is a share."""

COLLAPSE = ("effective_rank", "feature_deviation", "feature_spread")

MOST_POINTS = 200
"""A line with more points is drawn as the means of this many stretches."""

Log = Sequence[Mapping[str, Any]]


def curves_section(runs: Mapping[str, Log], title: str = "Training") -> Section:
    """Show what `log.jsonl` of some runs says.

    Args:
        runs: name → entries, each with `step` and any of: losses, `knn_accuracy` (a share), `effective_rank`,
            `feature_deviation`, `learning_rate`, `seconds`. Every other number is taken for a loss.
        title: of the section.
    """
    found = {name: _series(log) for name, log in runs.items()}
    keys = list(dict.fromkeys(key for series in found.values() for key in series))
    if not keys:
        return Section(title, (paragraph("Nothing was logged yet.", class_="note"),), missing=True)
    colours = {name: number for number, name in enumerate(runs)}
    losses = [key for key in keys if key not in MONITORS and key != "learning_rate"]
    body: list[Element] = [legend(colours)] if len(colours) > 1 else []
    seen = [key for key in ("knn_accuracy", *COLLAPSE) if key in keys]
    rates = [key for key in keys if key == "learning_rate"]
    body += _group("What the monitors saw", seen, found, colours, _monitors_text(seen))
    body += _group("Losses", losses + rates, found, colours, _loss_text(found, losses))
    body.append(folded("The last figures of each line", _last(found, keys)))
    return Section(title, body)


def last_figures(log: Log) -> dict[str, float]:
    """Return the last finite figure of each key that was logged."""
    finite = {key: y[np.isfinite(y)] for key, (_, y) in _series(log).items()}
    return {key: float(values[-1]) for key, values in finite.items() if len(values)}


def _group(
    heading: str,
    keys: Sequence[str],
    found: Mapping[str, Mapping[str, Series]],
    colours: Mapping[str, int],
    text: str,
) -> list[Element]:
    """Return a heading and one panel per key, or nothing where there are no keys."""
    if not keys:
        return []
    drawings = []
    for key in keys:
        lines = {name: _shown(key, series[key]) for name, series in found.items() if key in series}
        drawings.append(line_plot(heading_of(key), lines, colours))
    parts = [element("h3", heading)]
    if text:
        parts.append(paragraph(text))
    return [*parts, panels(drawings)]


def heading_of(key: str) -> str:
    """Return what a logged key is called on the page."""
    if key == "learning_rate":
        return "Learning rate"
    return MONITORS.get(key, f"Loss: {key.replace('_', ' ')}")


def _shown(key: str, series: Series) -> Series:
    x, y = thinned(*series)
    return x, y * 100 if key == "knn_accuracy" else y


def thinned(x: NDArray[np.float64], y: NDArray[np.float64], most: int = MOST_POINTS) -> Series:
    """Return a series of at most `most` points: as it is, or the means of as many stretches."""
    if len(x) <= most:
        return x, y
    pieces = np.array_split(np.arange(len(x)), most)
    return np.array([x[piece].mean() for piece in pieces]), np.array([y[piece].mean() for piece in pieces])


def _monitors_text(seen: Sequence[str]) -> str:
    text = "Monitors look at validation objects only: no encoder trains on them."
    if "effective_rank" in seen:
        text += " An encoder that says the same of everything has an effective rank of 1"
        text += " and a deviation of 0." if len(seen) > 2 else "."
    return text


def _loss_text(found: Mapping[str, Mapping[str, Series]], losses: Sequence[str]) -> str:
    many = max(
        (len(series[key][0]) for series in found.values() for key in losses if key in series), default=0
    )
    text = "Each is drawn with the weight that it has in the sum that is minimised." if losses else ""
    return text + (f" Long lines are the means of {MOST_POINTS} stretches." if many > MOST_POINTS else "")


def _last(found: Mapping[str, Mapping[str, Series]], keys: Sequence[str]) -> Element:
    rows: list[list[Content]] = []
    for name, series in found.items():
        cells = [_last_figure(key, series[key]) if key in series else "–" for key in keys]
        rows.append([name, *cells])
    return table("The last figure that each run logged", ["Run", *(heading_of(key) for key in keys)], rows)


def _last_figure(key: str, series: Series) -> str:
    value = float(series[1][-1])
    if not math.isfinite(value):
        return "not a number"
    return f"{value * 100:.1f}" if key == "knn_accuracy" else f"{value:.4g}".replace("-", "−")


def _series(log: Log) -> dict[str, Series]:
    """Return key → (steps done, values); what has no step or is no number is left out."""
    points: dict[str, tuple[list[float], list[float]]] = {}
    for entry in log:
        step = _number(entry.get("step"))
        if step is None or not math.isfinite(step):
            continue
        for key, value in entry.items():
            number = _number(value)
            if key in BOOKKEEPING or number is None:
                continue
            steps, values = points.setdefault(key, ([], []))
            steps.append(step + 1)  # the log counts from 0; the line shows steps done
            values.append(number)
    return {key: (np.array(steps), np.array(values)) for key, (steps, values) in points.items()}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
