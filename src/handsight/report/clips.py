"""Example clips: the frames, and between them what was done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.report.markup import Element, element, paragraph
from handsight.report.page import Section
from handsight.report.pictures import Frame, check_frames, moving, still

MOST_ENTRIES = 8
"""Entries of an action that are drawn; the rest are counted in words."""

FRAME_PX = 144
SHOWN_PX = 72  # the height a frame is shown at (style.py)
GAP_PX = 4


@dataclass(frozen=True)
class Clip:
    """Some frames of an episode and what was done between each and the next.

    Args:
        frames: uint8 `[T, h, w, 3]`, in order.
        category: what is seen.
        split: which split the episode is in; empty where it is in none.
        actions: float `[T − 1, A]`, between neighbouring frames; None where nothing is known.
        kind: `angle`: A is 1, the turn in rad, drawn as a dial. `values`: drawn as bars, an entry a row.
        names: of the entries; None numbers them.
        unit: of the values, as in `m`; angles are shown in degrees.
        film: uint8 `[F, h, w, 3]`, more frames of the episode for the moving picture; None moves `frames`.
    """

    frames: Frame
    category: str
    split: str = ""
    actions: NDArray[np.floating] | None = None
    kind: Literal["angle", "values"] = "values"
    names: tuple[str, ...] | None = None
    unit: str = ""
    film: Frame | None = None

    def __post_init__(self) -> None:
        check_frames(self.frames, 4, f"clip '{self.category}'")
        if self.film is not None:
            check_frames(self.film, 4, f"the film of clip '{self.category}'")
        if self.actions is None:
            return
        shape = np.shape(self.actions)
        if len(shape) != 2 or shape[0] != len(self.frames) - 1 or (self.kind == "angle" and shape[1] != 1):
            wanted = 1 if self.kind == "angle" else "A"
            raise HandsightError(
                f"clip '{self.category}' has {len(self.frames)} frames and actions {list(shape)}; "
                f"expected actions [{len(self.frames) - 1}, {wanted}], one row between two frames"
            )
        if self.names is not None and len(self.names) != shape[1]:
            raise HandsightError(
                f"clip '{self.category}' has {len(self.names)} names for {shape[1]} entries of its actions; "
                "expected one each"
            )


def clips_section(clips: Sequence[Clip], title: str = "What was done and seen", intro: str = "") -> Section:
    """Show clips: moving, and as a film strip with the actions between the frames."""
    if not clips:
        return Section(title, (paragraph("No clips were given.", class_="note"),), missing=True)
    text = intro or (
        "Each row shows frames of one recorded episode. Between two frames stands what was done from one to "
        "the next."
    )
    return Section(title, (paragraph(text), *(_figure(clip) for clip in clips)))


def _figure(clip: Clip) -> Element:
    where = f" · {clip.split}" if clip.split else ""
    caption = element("figcaption", element("b", clip.category), element("span", where, class_="quiet"))
    strip = element("ol", class_="strip")
    for number, frame in enumerate(clip.frames):
        picture = still(frame, f"{clip.category}, frame {number + 1} of {len(clip.frames)}", FRAME_PX)
        strip.append(element("li", picture))
        if clip.actions is not None and clip.kind == "angle" and number < len(clip.actions):
            strip.append(element("li", *_dial(float(clip.actions[number, 0])), class_="step"))
    film: list[Element] = [strip]
    if clip.actions is not None and clip.kind == "values" and np.size(clip.actions):
        film.append(_bars(clip))
    moved = clip.frames if clip.film is None else clip.film
    label = f"Frames and actions of {clip.category}"
    return element(
        "figure",
        element("div", moving(moved, f"{clip.category}, moving"), caption, class_="mover"),
        element("div", *film, class_="wide", tabindex="0", role="region", aria_label=label),
        class_="clip",
    )


def _dial(turn_rad: float) -> tuple[Element, ...]:
    """Draw a turn as an arc from the top, clockwise where it is positive, with its size in degrees below."""
    if not math.isfinite(turn_rad):
        return (element("span", "not known", class_="degrees"),)
    degrees = math.degrees(turn_rad)
    words = f"{degrees:+.0f}°".replace("-", "−").replace("+0°", "0°").replace("−0°", "0°")
    radius, shown = 13.0, math.copysign(min(abs(turn_rad), 2 * math.pi - 0.01), turn_rad)
    x, y = radius * math.sin(shown), -radius * math.cos(shown)
    large, sweep = int(abs(shown) > math.pi), int(shown > 0)
    # The arrow's head lies along the tangent, on the side the turn goes to.
    along = math.degrees(shown) + (0 if shown > 0 else 180)
    drawing = element(
        "svg",
        element("title", f"turned by {words}"),
        element("circle", r="13", class_="rim"),
        element("path", d=f"M0 0V-13A13 13 0 {large} {sweep} {x:.2f} {y:.2f}Z", class_="sector"),
        element("path", d=f"M0 -13A13 13 0 {large} {sweep} {x:.2f} {y:.2f}", class_="arc"),
        element(
            "path",
            d="M-3 -3.4L3.4 0L-3 3.4",
            transform=f"translate({x:.2f} {y:.2f}) rotate({along:.1f})",
            class_="arc",
        ),
        viewBox="-18 -18 36 36",
        class_="dial",
        role="img",
    )
    return drawing, element("span", words, class_="degrees")


def _bars(clip: Clip) -> Element:
    """Draw each entry as a row of bars that stand under the gaps between the frames."""
    assert clip.actions is not None
    actions = np.asarray(clip.actions, dtype=np.float64)
    height, width = clip.frames.shape[1:3]
    pitch = SHOWN_PX * width / height + GAP_PX
    rows = element("div", class_="entries")
    for entry, values in enumerate(actions[:, :MOST_ENTRIES].T):
        name = clip.names[entry] if clip.names else f"entry {entry}"
        most = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
        words = f" ±{most:.3g} {clip.unit}".rstrip()
        drawing = _entry(name, values, most, pitch)
        rows.append(
            element(
                "div", drawing, element("span", name, element("span", words, class_="quiet")), class_="entry"
            )
        )
    if actions.shape[1] > MOST_ENTRIES:
        rows.append(paragraph(f"and {actions.shape[1] - MOST_ENTRIES} more entries", class_="quiet"))
    return rows


def _entry(name: str, values: NDArray[np.float64], most: float, pitch: float) -> Element:
    """Draw one entry: bars up and down from a line, as wide as the film strip."""
    long = pitch * (len(values) + 1)
    told = f"{name}: " + ", ".join(f"{value:.3g}" for value in values)
    size = f"width:{long:.0f}px"
    drawing = element(
        "svg", element("title", told), viewBox=f"0 0 {long:.1f} 24", class_="bars", role="img", style=size
    )
    drawing.append(element("path", d=f"M0 12H{long:.1f}", class_="axis"))
    for step, value in enumerate(values):
        if math.isfinite(value) and most > 0:
            height = abs(value) / most * 11
            top = 12 - height if value > 0 else 12.0
            left = pitch * (step + 1) - pitch * 0.2
            drawing.append(
                element("rect", x=left, y=top, width=pitch * 0.4, height=max(height, 0.4), rx="1.5")
            )
    return drawing
