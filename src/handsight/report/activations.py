"""Strongest activations: the pictures that a unit answers to most, what it sees of each outlined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation import TopActivations
from handsight.report.markup import Element, element, paragraph
from handsight.report.page import Section
from handsight.report.pictures import Frame, check_frames, picture_uri

PICTURE_PX = 144
OUTLINE = "fill:none;vector-effect:non-scaling-stroke;"
RIM, LINE = (f"{OUTLINE}stroke:{colour};stroke-width:{width}" for colour, width in (("#000", 4), ("#fff", 2)))
"""A light line in a dark one, which is seen on any picture."""


@dataclass(frozen=True)
class ActiveUnit:
    """A unit with its pictures, the strongest first.

    Args:
        unit: its channel.
        frames: uint8 `[k, h, w, 3]`.
        boxes: int64 `[k, 4]`, the receptive field in each: x0, y0, x1, y1 in pixels, x1 and y1 outside.
        values: float `[k]`, what the unit said there.

    Raises:
        HandsightError: lengths differ, or a box does not lie in its picture.
    """

    unit: int
    frames: Frame
    boxes: NDArray[np.int64]
    values: NDArray[np.floating]

    def __post_init__(self) -> None:
        check_frames(self.frames, 4, f"unit {self.unit}")
        count, height, width = self.frames.shape[:3]
        if np.shape(self.boxes) != (count, 4) or np.shape(self.values) != (count,):
            raise HandsightError(
                f"unit {self.unit} has {count} pictures, boxes {list(np.shape(self.boxes))} and values "
                f"{list(np.shape(self.values))}; expected a box [4] and a value for each"
            )
        low, high = self.boxes[:, :2], self.boxes[:, 2:]
        if (low < 0).any() or (high <= low).any() or (high > [width, height]).any():
            raise HandsightError(
                f"a box of unit {self.unit} does not lie in its picture of {width} × {height} pixels; "
                "expected 0 ≤ x0 < x1 ≤ width and 0 ≤ y0 < y1 ≤ height"
            )


def active_units(
    found: TopActivations,
    read: Callable[[NDArray[np.int64]], Frame],
    units: Sequence[int] | None = None,
) -> list[ActiveUnit]:
    """Read the pictures of some units.

    Args:
        found: see `handsight.evaluation.top_activations`.
        read: gives the pictures of some numbers, uint8 `[n, h, w, 3]`, as it did there.
        units: channels to show; None shows all that were kept.

    Raises:
        HandsightError: a unit was not kept.
    """
    rows = {int(unit): row for row, unit in enumerate(found.unit)}
    missing = [unit for unit in units or () if unit not in rows]
    if missing:
        raise HandsightError(
            f"units {', '.join(map(str, missing))} of {found.tap} were not kept; keep them in top_activations"
        )
    return [
        ActiveUnit(unit, read(found.picture[row]), found.box[row], found.value[row])
        for unit, row in ((unit, rows[unit]) for unit in (rows if units is None else units))
    ]


def activations_section(
    taps: Mapping[str, Sequence[ActiveUnit]], title: str = "Strongest activations", intro: str = ""
) -> Section:
    """Show a strip of pictures for each unit of each tap."""
    if not any(taps.values()):
        return Section(title, (paragraph("No units were looked at.", class_="note"),), missing=True)
    text = intro or (
        "Each row shows the pictures that one unit answers to most, the strongest first. The outline is all "
        "that the unit sees at the place where it is strongest: its receptive field."
    )
    parts: list[Element] = []
    for tap, units in taps.items():
        if units:
            parts += [element("h3", tap), *(_strip(tap, unit) for unit in units)]
    return Section(title, (paragraph(text), *parts))


def _strip(tap: str, unit: ActiveUnit) -> Element:
    silent = not (np.asarray(unit.values) > 0).any()
    note = element("span", " · never above 0", class_="quiet") if silent else None
    caption = element("figcaption", element("b", f"unit {unit.unit}"), note, class_="asked")
    items = element("ol", class_="found")
    for number, (frame, box, value) in enumerate(zip(unit.frames, unit.boxes, unit.values, strict=True)):
        words = f"{value:.3g}".replace("-", "−")
        told = f"{tap}, unit {unit.unit}, picture {number + 1} of {len(unit.frames)}: {words}"
        items.append(element("li", _outlined(frame, box, told), element("span", words)))
    strip = element(
        "div", items, class_="wide", tabindex="0", role="region", aria_label=f"{tap}, unit {unit.unit}"
    )
    return element("figure", caption, strip, class_="query")


def _outlined(frame: Frame, box: NDArray[np.int64], told: str) -> Element:
    """Return a drawing of a frame uint8 `[h, w, 3]` with a box outlined, in the frame's own pixels."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = (int(edge) for edge in box)
    place = {"x": str(x0), "y": str(y0), "width": str(x1 - x0), "height": str(y1 - y0)}
    picture = element(
        "image", href=picture_uri(frame, PICTURE_PX), width=str(width), height=str(height), aria_hidden="true"
    )
    return element(
        "svg",
        element("title", told),
        picture,
        element("rect", **place, style=RIM),
        element("rect", **place, style=LINE),
        viewBox=f"0 0 {width} {height}",
        role="img",
        # A field that ends with its picture would else lose half of its line.
        style="width:100%;height:auto;overflow:visible;margin-bottom:.2rem",
    )
