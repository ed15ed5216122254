"""Draw rooms, and what a force does in one, into docs/images/rooms-*.png: the same pictures each time.

Run it where handsight is installed: `python scripts/draw_rooms.py [FOLDER]`.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from handsight.worlds import Rooms
from handsight.worlds.places import FORCES_N, Instance, Location
from handsight.worlds.rooms.kinds import ROOM_KINDS

OUT = Path(__file__).parents[1] / "docs" / "images"
SHOWN: dict[str, tuple[tuple[int, int], ...]] = {
    "kitchen": ((7, 6), (4, 33), (3, 92), (25, 24), (17, 106)),
    "living": ((1, 0), (20, 49), (2, 31), (2, 121), (8, 7)),
    "bedroom": ((17, 16), (6, 215), (27, 146), (3, 2), (7, 96)),
    "bathroom": ((20, 259), (14, 43), (5, 244), (18, 227), (8, 97)),
}
"""Number of the room and seed, by kind."""

PUSHED = Location("kitchen-28", 87)
NAMES = {"kitchen": "kitchens", "living": "living rooms", "bedroom": "bedrooms", "bathroom": "bathrooms"}
CLASS_COLOURS = ("#ff3b30", "#28c840", "#2f7bff")
"""Of what is light, medium and heavy."""

MARK = "#ff2d2d"
Picture = NDArray[np.uint8]


def panel(axes: Axes, picture: NDArray[np.float64] | Picture, title: str = "") -> None:
    """Show a picture without ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.imshow(picture, interpolation="lanczos")
    axes.set_title(title, fontsize=11)


def figure(rows: int, columns: int, width: float = 2.2) -> tuple[Figure, NDArray[np.object_]]:
    """Return a figure and its axes, `[rows, columns]`."""
    made = Figure(figsize=(width * columns, (width + 0.16) * rows), layout="constrained")
    made.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    return made, made.subplots(rows, columns, squeeze=False)


def draw_sheet(place: Rooms, out: Path) -> None:
    """Draw a row of rooms of each kind."""
    made, axes = figure(len(ROOM_KINDS), 5)
    for row, kind in zip(axes, ROOM_KINDS, strict=True):
        for one, (number, seed) in zip(row, SHOWN[kind], strict=True):
            panel(one, place.enter(Location(f"{kind}-{number:02d}", seed)).image)
        row[0].set_ylabel(NAMES[kind], fontsize=12)
    made.savefig(out / "rooms-sheet.png", dpi=80, bbox_inches="tight")


def draw_truth(place: Rooms, out: Path) -> None:
    """Draw what is seen, how far away it is, and what could be moved, by class of mass."""
    sight = place.enter(PUSHED)
    made, axes = figure(1, 3, 2.9)
    panel(axes[0, 0], sight.image, "what is seen")
    panel(axes[0, 1], sight.depth_m, "how far away, along the ray")
    shown = sight.image / 255 * 0.4
    for one in place.instances():
        colour = np.array(mpl.colors.to_rgb(CLASS_COLOURS[one.mass_class]))
        shown[one.mask] += colour * (0.6 if one.in_reach else 0.25)
    panel(axes[0, 2], np.clip(shown, 0, 1), "movable; bright: within reach")
    made.savefig(out / "rooms-truth.png", dpi=80, bbox_inches="tight")


def draw_forces(place: Rooms, out: Path) -> None:
    """Draw what each force does to something light, medium and heavy."""
    place.enter(PUSHED)
    chosen = [best(place.instances(), mass_class) for mass_class in range(3)]
    made, axes = figure(3, 4)
    titles = ["before", *(f"after {newtons:g} N" for newtons in FORCES_N)]
    for nth, (row, one) in enumerate(zip(axes, chosen, strict=True)):
        sight = place.enter(PUSHED)
        pixels = np.argwhere(one.mask)
        v, u = pixels[np.abs(pixels - pixels.mean(0)).sum(1).argmin()]
        panel(row[0], sight.image, "" if nth else titles[0])
        row[0].contour(one.mask, [0.5], colors=CLASS_COLOURS[one.mass_class], linewidths=0.8)
        row[0].plot(u, v, "o", color=MARK, markersize=3)
        row[0].set_ylabel(f"{one.category}, {one.mass_kg:.2g} kg", fontsize=11)
        for each, newtons, title in zip(row[1:], FORCES_N, titles[1:], strict=True):
            place.enter(PUSHED)
            after = place.apply_force(float(u), float(v), newtons, 1)
            panel(each, after.image, "" if nth else title)
    for one in axes.flat:  # the part where something happens
        one.set_xlim(0, 220)
        one.set_ylim(280, 60)
    made.savefig(out / "rooms-forces.png", dpi=80, bbox_inches="tight")


def best(instances: list[Instance], mass_class: int) -> Instance:
    """Return the largest thing of a class that is within reach, or else in view."""
    those = [one for one in instances if one.mass_class == mass_class]
    return max(those, key=lambda one: (one.in_reach, one.mask.sum()))


def main() -> None:
    """Draw all of them."""
    mpl.use("Agg")
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    out.mkdir(parents=True, exist_ok=True)
    place = Rooms(image_size=300, antialias=True)
    draw_sheet(place, out)
    draw_truth(place, out)
    draw_forces(place, out)
    place.close()


if __name__ == "__main__":
    main()
