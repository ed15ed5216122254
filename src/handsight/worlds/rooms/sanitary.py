"""What stays where it is in bathrooms."""

from __future__ import annotations

from handsight.worlds.rooms.colours import shade
from handsight.worlds.rooms.fixtures import Fixture, Style, top
from handsight.worlds.rooms.furniture import STEEL, WHITE, fronts
from handsight.worlds.rooms.pieces import ball, box, can, panel, rod


def toilet() -> Fixture:
    """A toilet with a cistern and a lid."""
    return Fixture(
        [
            box(0.4, 0.18, 0.42, WHITE, "gloss", y=0.1, z=0.36),
            box(0.42, 0.2, 0.03, WHITE, "gloss", y=0.1, z=0.78),
            can(0.02, 0.01, STEEL, "metal", y=0.1, z=0.81, solid=False),
            box(0.26, 0.48, 0.38, WHITE, "gloss", y=0.26),
            ball(0.4, 0.54, 0.32, WHITE, "gloss", y=0.42, z=0.1),
            can(0.19, 0.03, (0.88, 0.88, 0.88), "gloss", y=0.44, z=0.385),
            can(0.13, 0.003, (0.6, 0.68, 0.72), "gloss", y=0.46, z=0.415, solid=False),
        ],
        [top(0, 0.11, 0.36, 0.15, 0.81)],
    )


def basin(w: float, style: Style) -> Fixture:
    """A wash-basin in a cupboard's top, a tap, and a mirror over it."""
    deep, high = 0.5, 0.84
    pieces = [
        box(w, deep - 0.04, high - 0.04, shade(style.front, 0.75), y=(deep - 0.04) / 2),
        *fronts(w, 0.08, high - 0.06, deep - 0.02, style),
        box(w + 0.02, deep, 0.04, style.counter, style.counter_finish, y=deep / 2, z=high - 0.04),
        ball(0.48, 0.38, 0.14, WHITE, "gloss", y=0.27, z=high - 0.08),
        ball(0.42, 0.32, 0.03, (0.75, 0.79, 0.82), "gloss", y=0.27, z=high + 0.042, solid=False),
        rod((0, 0.06, high), (0, 0.06, high + 0.17), 0.015, STEEL, "metal"),
        rod((0, 0.06, high + 0.16), (0, 0.17, high + 0.14), 0.013, STEEL, "metal"),
        panel(w * 0.8 + 0.06, 0.86, shade(style.front, 0.8), "satin", y=0.02, z=1.17, thick=0.02),
        panel(w * 0.8, 0.8, (0.72, 0.82, 0.86), "gloss", y=0.026, z=1.2, thick=0.01),
    ]
    spare = w / 2 - 0.26
    sides = [top(s * (0.25 + spare / 2), 0.27, spare - 0.03, 0.4, high, 0.3) for s in (-1, 1) if spare > 0.12]
    return Fixture(pieces, sides)


def bathtub(w: float, style: Style) -> Fixture:
    """A bathtub with water in it, a rim to put things on, a tap."""
    deep, high = 0.75, 0.56
    rim = [box(w, 0.13, high, WHITE, "gloss", y=y) for y in (0.065, deep - 0.065)] + [
        box(0.13, deep - 0.26, high, WHITE, "gloss", x=s * (w / 2 - 0.065), y=deep / 2) for s in (-1, 1)
    ]
    water = box(w - 0.26, deep - 0.26, 0.3, (0.62, 0.78, 0.82), "gloss", y=deep / 2)
    side = panel(w, high - 0.05, shade(style.accent, 1.0), "small tiles", y=deep + 0.006, thick=0.012)
    tap = [
        rod((w / 2 - 0.1, deep / 2, high), (w / 2 - 0.1, deep / 2, high + 0.14), 0.018, STEEL, "metal"),
        rod(
            (w / 2 - 0.1, deep / 2, high + 0.13), (w / 2 - 0.24, deep / 2, high + 0.11), 0.016, STEEL, "metal"
        ),
    ]
    ledges = [top(0, y, w - 0.1, 0.12, high, where="top") for y in (0.065, deep - 0.065)]
    return Fixture([*rim, water, side, *tap], ledges)


def shower() -> Fixture:
    """A shower's corner: a tray, a pane of glass, a head."""
    return Fixture(
        [
            box(0.9, 0.9, 0.1, WHITE, "gloss", y=0.45),
            box(0.9, 0.02, 1.85, (0.72, 0.85, 0.86), "gloss", y=0.9, z=0.1),
            box(0.04, 0.04, 1.9, STEEL, "metal", x=-0.44, y=0.9, z=0.1),
            box(0.04, 0.04, 1.9, STEEL, "metal", x=0.44, y=0.9, z=0.1),
            box(0.88, 0.014, 0.03, STEEL, "metal", y=0.905, z=1.95, solid=False),
            rod((0.3, 0.93, 0.95), (0.3, 0.93, 1.25), 0.012, STEEL, "metal"),
        ]
    )


def towel_rail(style: Style) -> Fixture:
    """A rail with a towel that hangs."""
    return Fixture(
        [
            rod((-0.32, 0.07, 1.25), (0.32, 0.07, 1.25), 0.012, STEEL, "metal"),
            box(0.46, 0.05, 0.62, style.cloth, "carpet", y=0.07, z=0.66, solid=False),
            box(0.46, 0.054, 0.06, shade(style.cloth, 0.7), "carpet", y=0.07, z=0.76, solid=False),
        ],
        blocks=False,
    )
