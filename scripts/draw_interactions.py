"""Draw what the tabletop's hand does into docs/images/tabletop-*.png: the same pictures each time.

Run it where handsight is installed: `python scripts/draw_interactions.py [FOLDER]`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.worlds.objects import make_object
from handsight.worlds.scene import Camera, Light
from handsight.worlds.setting import background_texture
from handsight.worlds.tabletop import interactions as acts
from handsight.worlds.tabletop.bench import TABLE_M, Bench
from handsight.worlds.tabletop.bodies import body_of
from handsight.worlds.tabletop.model import OPENING_M
from handsight.worlds.tabletop.scenes import HELD_VIEWS_N
from handsight.worlds.tabletop.view import UNITS_PER_M, View, find_blobs, to_picture
from handsight.worlds.world import generator

SEED = 0
SIZE = 512
TABLE = 34  # of the pool of textures: plain, so that object, hand and marks stand out
OUT = Path(__file__).parents[1] / "docs" / "images"
LIGHT = Light(np.array([0.4, 0.7, -1.5]), np.full(3, 0.7), np.full(3, 0.5))
MARK = "#ff2d2d"
Picture = NDArray[np.uint8]
Place = NDArray[np.float64]


@dataclass
class Moment:
    """The table and the hand at one time.

    Args:
        height_m: of the fingertips.
        fingers_on: how many fingers touch the object.
        above: as the camera sees it.
        side: from the side.
    """

    height_m: float
    fingers_on: int
    above: Picture
    side: Picture


@dataclass
class Set:
    """A table with one object at a place, and what was seen of it while the hand was at work.

    Args:
        view: draws it.
        category: of the object.
        seed: of the object.
        place: of the object, `[2]`, m.
        turned_rad: by which it is turned, anticlockwise seen from above.
    """

    view: View
    category: str
    seed: int
    place: tuple[float, float]
    turned_rad: float = 0.0
    moments: list[Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        body = body_of(make_object(self.category, self.seed))
        self.bench = Bench([body])
        rotation = Rotation.from_euler("z", self.turned_rad)
        self.bench.put(0, np.array([*self.place, body.height_below_m(rotation) + 0.003]), rotation)
        self.bench.settle()
        texture = background_texture(TABLE, "plain")
        self.empty = self.view.clear(texture, LIGHT)
        self.view.show(self.bench.bodies)

    def look(self) -> Picture:
        """Return what the camera sees, without the hand."""
        return self.view.picture(self.bench)

    def middle(self) -> Place:
        """Return where background subtraction finds the object, `[2]`, m."""
        return find_blobs(self.empty, self.look())[0].middle

    def watched(self) -> Bench:
        """Return the bench; what is done with it from now on is kept as moments."""
        self.moments.clear()
        self.bench.watch = self._watch
        return self.bench

    def _watch(self) -> None:
        place, _, _ = self.bench.hand_pose
        if place[2] > 1:
            return
        # From the lower edge of the camera's picture: what is left there is left here.
        target = np.array([*self.place, 0.07]) * UNITS_PER_M
        side = Camera(target + np.array([0, -5.0, 2.6]), target, float(np.radians(34)))
        above, beside = (self.view.picture(self.bench, hand=True, camera=camera) for camera in (None, side))
        self.moments.append(Moment(float(place[2]), self.bench.fingers_on(0), above, beside))


def panel(axes: Axes, picture: Picture, about: Place | None = None, across_m: float = 0.26) -> None:
    """Show a picture; of the camera's above, the part about a place `[2]`, m."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.imshow(picture, extent=(0, 1, 1, 0), interpolation="lanczos")
    if about is not None:
        half = across_m / (4 * TABLE_M)
        x, y = np.clip(to_picture(about), half, 1 - half)
        axes.set_xlim(x - half, x + half)
        axes.set_ylim(y + half, y - half)


def panels(rows: int, columns: Sequence[str], height: float = 2.75) -> tuple[Figure, NDArray[Any]]:
    """Return a figure and its axes, `[rows, columns]`, with a title over each column."""
    figure = Figure(figsize=(2.6 * len(columns), height * rows + 0.2), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for one, title in zip(axes[0], columns, strict=True):
        one.set_title(title, fontsize=12)
    return figure, axes


def draw_angle(axes: Axes, place: Place, number: int) -> None:
    """Draw the line between the open fingers, a bar where each comes down, and its angle from the x-axis."""
    at, angle = to_picture(place), acts.bin_angle_rad(number)
    along = np.array([np.cos(angle), np.sin(angle)]) * OPENING_M / (4 * TABLE_M)
    across = np.array([-along[1], along[0]]) * 0.3
    style: dict[str, Any] = {"color": MARK, "linewidth": 2.5, "solid_capstyle": "round"}
    axes.plot(*np.transpose([at - along, at + along]), **style)
    for end in (at - along, at + along):
        axes.plot(*np.transpose([end - across, end + across]), **style)
    reach = 0.09
    arc = np.linspace(0, angle, 60)
    axes.plot(
        *np.transpose([at, (at[0] + 1.35 * reach, at[1])]), color="white", linewidth=1.5, linestyle="--"
    )
    axes.plot(at[0] + reach * np.cos(arc), at[1] + reach * np.sin(arc), color="white", linewidth=1.5)
    tip = (at[0] + reach * np.cos(angle), at[1] + reach * np.sin(angle))
    before = (at[0] + reach * np.cos(angle - 0.15), at[1] + reach * np.sin(angle - 0.15))
    arrow = {"arrowstyle": "-|>", "color": "white", "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", tip, before, arrowprops=arrow)
    middle = at + 1.45 * reach * np.array([np.cos(angle / 2), np.sin(angle / 2)])
    axes.text(*middle, f"{10 * number}°", color="white", fontsize=12, ha="center", va="center")
    axes.plot(*at, "o", color="white", markeredgecolor=MARK, markersize=6)


def draw_arrow(axes: Axes, start: Place, end: Place, colour: str = MARK, linestyle: str = "-") -> None:
    """Draw a way, from `[2]` to `[2]`, m."""
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.5, "mutation_scale": 18}
    arrow |= {"shrinkA": 0, "shrinkB": 0, "linestyle": linestyle}
    axes.annotate("", to_picture(end), to_picture(start), arrowprops=arrow)
    axes.plot(*to_picture(start), "o", color="white", markeredgecolor=colour, markersize=6)


def save(figure: Figure, out: Path, name: str) -> None:
    """Write a figure; nothing in the file says when or with what."""
    figure.savefig(out / name, dpi=100, metadata={"Software": None})
    print(out / name)


def lowest(moments: list[Moment]) -> Moment:
    """Return the last moment at which the hand is as low as it gets."""
    least_m = min(moment.height_m for moment in moments)
    return [moment for moment in moments if moment.height_m < least_m + 0.002][-1]


def draw_grasps(view: View, out: Path) -> None:
    """A grasp across a banana, which holds, and one along it, which does not."""
    figure, axes = panels(2, ("before", "the fingers close …", "… seen from the side", "after the lift"))
    for row, (number, word) in zip(axes, ((14, "it holds"), (5, "it fails")), strict=True):
        table = Set(view, "banana", 3, (0.06, 0.03), np.radians(-50))
        place, before = table.middle(), table.look()
        held = acts.grasp(table.watched(), 0, place, acts.bin_angle_rad(number))
        assert held == (word == "it holds")
        closed = lowest(table.moments)
        panel(row[0], before, place, 0.22)
        draw_angle(row[0], place, number)
        panel(row[1], closed.above, place, 0.22)
        panel(row[2], closed.side)
        panel(row[3], table.moments[-1].side)
        row[0].set_ylabel(word, fontsize=12)
    save(figure, out, "tabletop-grasp.png")


def draw_push(view: View, out: Path) -> None:
    """A push of a car."""
    table = Set(view, "car", 0, (0.06, -0.02), np.radians(60))
    place, before = table.middle(), table.look()
    direction = np.array([-np.cos(0.35), np.sin(0.35)])
    done = acts.Push(place - 0.1 * direction, place + 0.05 * direction, 0.015)
    acts.push(table.watched(), done)
    touching = [moment for moment in table.moments if moment.fingers_on]
    midway = touching[len(touching) * 2 // 3]
    titles = ("before, and the push", "the hand pushes …", "… seen from the side", "after")
    figure, ((one, two, three, four),) = panels(1, titles)
    about = place + np.array([-0.02, 0.01])
    for axes, picture in ((one, before), (two, midway.above), (four, table.look())):
        panel(axes, picture, about)
    panel(three, midway.side)
    draw_arrow(one, done.start, done.end)
    draw_arrow(four, place, table.middle(), "white")
    moved_mm = 1000 * float(np.linalg.norm(table.middle() - place))
    four.text(
        *to_picture(about - [0, 0.115]),
        f"moved by {moved_mm:.0f} mm",
        color="white",
        fontsize=12,
        ha="center",
    )
    save(figure, out, "tabletop-push.png")


def draw_pokes(view: View, out: Path) -> None:
    """A poke of a soft mushroom and one of a hard one, and what the skin felt of both."""
    titles = ("before, and the point", "the fingertips press …", "… seen from the side", "after")
    figure, axes = panels(2, titles)
    traces = Figure(figsize=(7.2, 4.2), layout="constrained")
    plot = traces.subplots()
    rng = generator(SEED)
    cases = ((9, "pale: soft", "soft", "#8f86e0"), (5, "strong colour: hard", "hard", "#2a1466"))
    for row, (seed, looks, word, colour) in zip(axes, cases, strict=True):
        table = Set(view, "mushroom", seed, (0.05, 0.02))
        before, place = table.look(), table.middle()
        trace = acts.poke(table.watched(), 0, place)
        volts = acts.voltage_v(rng, trace.force_n)
        slope, intercept = acts.fitted_line(trace.depth_m, volts)
        pressed = [moment for moment in table.moments if moment.fingers_on][-1]
        for one, picture in ((row[0], before), (row[1], pressed.above), (row[3], table.look())):
            panel(one, picture, place)
        panel(row[2], pressed.side)
        row[0].plot(*to_picture(place), "+", color=MARK, markersize=16, markeredgewidth=2.5)
        row[0].set_ylabel(looks, fontsize=12)
        depth_mm = 1000 * trace.depth_m
        plot.plot(depth_mm, volts, "o", color=colour, markersize=5, label=f"the {word} one: what is felt")
        said = f"its line: {slope:.0f} V/m from {intercept:.2f} V"
        plot.plot(depth_mm, intercept + slope * trace.depth_m, color=colour, label=said)
    plot.set_xlabel("depth of the finger since it touched, mm")
    plot.set_ylabel("voltage of the skin sensor, V")
    plot.set_xlim(left=0)
    plot.grid(alpha=0.3)
    plot.legend(frameon=False)
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    save(figure, out, "tabletop-poke.png")
    save(traces, out, "tabletop-poke-trace.png")


def draw_identity(view: View, out: Path) -> None:
    """One duck: a picture before each push and one after the last, the pushes, and the duck in the hand."""
    figure, (seen, pushed, shown) = panels(3, [f"picture {number}" for number in range(1, 6)])
    table, rng = Set(view, "duck", 0, (0.1, 0.09), np.radians(110)), generator(SEED)
    about, across_m = np.array([0.05, 0.05]), 0.34
    for before, during in zip(seen, pushed, strict=True):
        panel(before, table.look(), about, across_m)
        if before is seen[-1]:
            during.set_axis_off()
            break
        blob = find_blobs(table.empty, table.look())[0]
        done = acts.draw_push(rng, blob.middle, blob.radius_m)
        draw_arrow(before, done.start, done.end)
        acts.push(table.watched(), done)
        touching = [moment for moment in table.moments if moment.fingers_on] or table.moments
        panel(during, touching[-1].above, about, across_m)
    seen[0].set_ylabel("seen, and the next push", fontsize=12)
    pushed[0].set_ylabel("that push", fontsize=12)
    table = Set(view, "duck", 0, (0, 0))
    assert acts.grasp(table.bench, 0, table.middle(), acts.bin_angle_rad(9))
    turns = [Rotation.from_euler("zx", [2 * np.pi * nth / HELD_VIEWS_N, 1.2]) for nth in range(HELD_VIEWS_N)]
    for axes, (picture, _) in zip(shown, view.held(table.bench, 0, turns), strict=True):
        panel(axes, picture, np.array([0, -0.03]), across_m)
    shown[0].set_ylabel("in the hand, after a grasp", fontsize=12)
    save(figure, out, "tabletop-identity.png")


def main() -> None:
    """Draw all."""
    mpl.rcParams["font.family"] = "DejaVu Sans"
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    out.mkdir(parents=True, exist_ok=True)
    view = View(SIZE, 1, 3072, antialias=True, closed=True)
    for draw in (draw_grasps, draw_push, draw_pokes, draw_identity):
        draw(view, out)
    view.close()


if __name__ == "__main__":
    main()
