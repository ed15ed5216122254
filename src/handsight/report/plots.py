"""Small plots as inline SVG: they take the page's colours, so they are right in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from handsight.report.markup import Element, element

DASHES = ("none", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2")
"""Lines differ in dash as well as in colour."""

COLOURS_N = 6

SHORT_NAME, LONG_NAME = 17, 34
"""Characters of a row's name up to which its drawing has its usual width, and beyond which it is cut."""

Series = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Axis:
    """A linear scale.

    Args:
        low: value at the start.
        high: value at the end, above `low`.
        start: its place in the drawing.
        end: the end's place.
    """

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value lies in the drawing."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 4) -> list[float]:
        """Return round values along the axis."""
        found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        slack = (self.high - self.low) * 1e-9
        return [float(value) for value in found if self.low - slack <= value <= self.high + slack]


def axis(values: Sequence[float] | NDArray[np.float64], start: float, end: float, room: float = 0.05) -> Axis:
    """Return a scale that holds all finite values, with a little room."""
    array = np.asarray(values, dtype=np.float64)
    finite = array[np.isfinite(array)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if not high > low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    margin = (high - low) * room
    return Axis(low - margin, high + margin, start, end)


def short(value: float) -> str:
    """Return a number for an axis: `12k`, `0.05`, `−3`."""
    if value and abs(value) >= 10_000:
        text = f"{value / 1e6:g}M" if abs(value) >= 1e6 else f"{value / 1e3:g}k"
    elif value and abs(value) < 1e-4:
        text = f"{value:.0e}".replace("e-0", "e-")
    else:
        text = f"{round(value, 6):g}"
    return text.replace("-", "−")


def line_plot(
    title: str,
    series: Mapping[str, Series],
    colours: Mapping[str, int],
    across: str = "step",
    decimals: int = 3,
) -> Element:
    """Draw lines over steps.

    Args:
        title: what is drawn, with its unit.
        series: name → (x, y), both `[N]`; values that are not finite leave a gap.
        colours: name → number of its colour and dash.
        across: name of the x axis.
        decimals: of the figures in the description read aloud.
    """
    width, height = 360.0, 210.0
    horizontal = axis(np.concatenate([x for x, _ in series.values()]), 40, width - 8, room=0.0)
    vertical = axis(np.concatenate([y for _, y in series.values()]), height - 34, 10)
    drawing = element("svg", viewBox=f"0 0 {width:g} {height:g}", role="img", class_="plot")
    told = "; ".join(f"{name}: {_course(y, decimals)}" for name, (_, y) in series.items())
    drawing.append(element("title", f"{title} by {across}. {told}"))
    for tick in vertical.ticks():
        y = vertical.place(tick)
        drawing.append(element("path", d=f"M40 {y:.1f}H{width - 8:g}", class_="grid"))
        drawing.append(element("text", short(tick), x="35", y=y + 3.5, class_="tick", text_anchor="end"))
    for tick in horizontal.ticks(5):
        x = horizontal.place(tick)
        anchor = "end" if x > width - 20 else "middle"
        drawing.append(element("text", short(tick), x=x, y=height - 18, class_="tick", text_anchor=anchor))
    drawing.append(element("path", d=f"M40 {height - 34:g}H{width - 8:g}", class_="axis"))
    drawing.append(
        element("text", across, x=(40 + width - 8) / 2, y=height - 3, class_="tick", text_anchor="middle")
    )
    for name, line in series.items():
        drawing.append(_line(name, *line, horizontal, vertical, colours[name]))
    return element("figure", element("figcaption", title), drawing, class_="panel")


def legend(names: Mapping[str, int]) -> Element:
    """Return a list of names with the line that stands for each."""
    items = []
    for name, number in names.items():
        line = element("path", d="M1 6H31", class_="line", stroke_dasharray=DASHES[number % len(DASHES)])
        swatch = element(
            "svg", line, viewBox="0 0 32 12", aria_hidden="true", class_=f"c{number % COLOURS_N}"
        )
        items.append(element("li", swatch, name))
    return element("ul", *items, class_="legend")


def interval_plot(
    title: str,
    rows: Mapping[str, tuple[float, float, float]],
    told: Mapping[str, str],
    marks: Mapping[str, float],
    strong: frozenset[str] = frozenset(),
) -> Element:
    """Draw a dot with its interval per row.

    Args:
        title: of the panel, with the unit.
        rows: name → (mean, low, high), in the unit drawn.
        told: name → the same in words, for who hears the page.
        marks: name → value of a vertical line, such as chance.
        strong: names of rows to emphasise.
    """
    longest = min(LONG_NAME, max(map(len, rows), default=0))
    left = 100.0 + 5.9 * max(0, longest - SHORT_NAME)
    width, pitch, top = left + 240.0, 24.0, 6.0
    height = top + pitch * len(rows) + 34
    values = [value for row in rows.values() for value in row] + list(marks.values())
    horizontal = axis(values, left + 8, width - 12, room=0.06)
    drawing = element("svg", viewBox=f"0 0 {width:g} {height:g}", role="img", class_="plot")
    drawing.append(
        element("title", f"{title}. " + "; ".join(f"{name}: {words}" for name, words in told.items()))
    )
    bottom = top + pitch * len(rows)
    for tick in horizontal.ticks():
        x = horizontal.place(tick)
        drawing.append(element("path", d=f"M{x:.1f} {top:g}V{bottom:g}", class_="grid"))
        drawing.append(element("text", short(tick), x=x, y=bottom + 14, class_="tick", text_anchor="middle"))
    for name, value in marks.items():
        if math.isfinite(value):
            x = horizontal.place(value)
            drawing.append(element("path", d=f"M{x:.1f} {top:g}V{bottom:g}", class_="mark"))
            anchor = "start" if x < left + 40 else "middle"
            drawing.append(element("text", name, x=x, y=bottom + 28, class_="tick", text_anchor=anchor))
    for number, (name, (mean, low, high)) in enumerate(rows.items()):
        y = top + pitch * (number + 0.5)
        group = element("g", class_="row strong" if name in strong else "row")
        group.append(
            element("text", _clipped(name, LONG_NAME), x=left, y=y + 4, text_anchor="end", class_="name")
        )
        if all(math.isfinite(value) for value in (mean, low, high)):
            a, b, c = (horizontal.place(value) for value in (low, mean, high))
            group.append(element("path", d=f"M{a:.1f} {y:g}H{c:.1f}", class_="whisker"))
            group.append(element("circle", cx=b, cy=y, r="4"))
        else:
            group.append(element("text", "no figure", x=left + 10, y=y + 4, class_="tick"))
        drawing.append(group)
    return element("figure", element("figcaption", title), drawing, class_="panel")


def panels(drawings: Sequence[Element], wide: bool = False) -> Element:
    """Lay figures out in a grid.

    Three in a row where there is room; two where that leaves none alone, or where they are wide.
    """
    pairs = wide or len(drawings) in (2, 4)
    return element("div", *drawings, class_="panels pairs" if pairs else "panels")


def _line(
    name: str, x: NDArray[np.float64], y: NDArray[np.float64], across: Axis, up: Axis, number: int
) -> Element:
    """Draw one line, lifted where a value is not finite; a single point is a dot."""
    group = element("g", element("title", name), class_=f"c{number % COLOURS_N}")
    path, drawn, lifted = [], [], True
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        if not (math.isfinite(a) and math.isfinite(b)):
            lifted = True
            continue
        place = f"{across.place(a):.1f} {up.place(b):.1f}"
        path.append(("M" if lifted else "L") + place)
        drawn.append(place)
        lifted = False
    if len(drawn) == 1:
        cx, cy = drawn[0].split()
        group.append(element("circle", cx=cx, cy=cy, r="3"))
    elif drawn:
        group.append(
            element("path", d="".join(path), class_="line", stroke_dasharray=DASHES[number % len(DASHES)])
        )
    return group


def _course(y: NDArray[np.float64], decimals: int) -> str:
    finite = y[np.isfinite(y)]
    if not len(finite):
        return "no finite value"
    return f"from {finite[0]:.{decimals}g} to {finite[-1]:.{decimals}g}"


def _clipped(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
