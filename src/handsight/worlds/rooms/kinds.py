"""The kinds of movable things: in which rooms they are found, where, what they weigh, how they slide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from handsight.worlds.rooms import bedding, belongings, food, household, kitchenware, leisure
from handsight.worlds.rooms.pieces import Piece

RoomKind = Literal["kitchen", "living", "bedroom", "bathroom"]
ROOM_KINDS: tuple[RoomKind, ...] = ("kitchen", "living", "bedroom", "bathroom")

Where = Literal["top", "rest", "floor", "wall", "table side"]
"""Where things are found.

`top`: on what is hard and level (counters, tables, shelves). `rest`: on what is soft (sofas, beds). `floor`:
anywhere on it. `wall`: on the floor, its back to a wall. `table side`: on the floor, turned to a table.
"""

Builder = Callable[[np.random.Generator, float], list[Piece]]


@dataclass(frozen=True)
class Kind:
    """A kind of movable things.

    Args:
        build: draws one from a generator and a size, 0 (small) to 1 (large).
        rooms: in which kinds of room.
        on: where in them.
        mass_kg: of the smallest and of the largest.
        friction: coefficient of sliding friction.
    """

    build: Builder
    rooms: tuple[RoomKind, ...]
    on: tuple[Where, ...]
    mass_kg: tuple[float, float]
    friction: float = 0.6


def _kinds(
    rooms: str, on: tuple[Where, ...], friction: float, **these: tuple[Builder, float, float]
) -> dict[str, Kind]:
    """Return kinds that share where they are found; `rooms` by their first two letters."""
    found = tuple(room for room in ROOM_KINDS if room[:2] in rooms.split())
    return {
        name.replace("_", " "): Kind(build, found, on, (low, high), friction)
        for name, (build, low, high) in these.items()
    }


KINDS: dict[str, Kind] = {
    # Kitchens
    **_kinds(
        "ki", ("top",), 0.55,
        apple=(food.apple, 0.12, 0.25), orange=(food.orange, 0.13, 0.28), tomato=(food.tomato, 0.08, 0.2),
        potato=(food.potato, 0.1, 0.3), banana=(food.banana, 0.1, 0.18), egg=(food.egg, 0.05, 0.07),
        bread=(food.bread, 0.4, 0.9), lettuce=(food.lettuce, 0.3, 0.6),
        milk_carton=(food.milk_carton, 0.55, 1.1), cereal_box=(food.cereal_box, 0.3, 0.6),
        jar=(food.jar, 0.2, 0.55), tin=(food.tin, 0.2, 0.6), glass=(kitchenware.glass, 0.15, 0.35),
        plate=(kitchenware.plate, 0.3, 0.8), bowl=(kitchenware.bowl, 0.25, 0.9),
        fork=(kitchenware.fork, 0.03, 0.06), spoon=(kitchenware.spoon, 0.025, 0.06),
        knife=(kitchenware.knife, 0.08, 0.22), spatula=(kitchenware.spatula, 0.06, 0.15),
        pan=(kitchenware.pan, 0.8, 1.8), pot=(kitchenware.pot, 1.1, 3.0),
        kettle=(kitchenware.kettle, 0.9, 1.9), toaster=(kitchenware.toaster, 1.3, 2.6),
        coffee_machine=(kitchenware.coffee_machine, 2.2, 4.5), microwave=(kitchenware.microwave, 10.0, 15.0),
        cutting_board=(kitchenware.cutting_board, 0.7, 2.2), shaker=(kitchenware.shaker, 0.08, 0.16),
        paper_towels=(kitchenware.paper_towels, 0.3, 0.7), pepper_mill=(kitchenware.pepper_mill, 0.15, 0.4),
        blender=(kitchenware.blender, 2.1, 3.8), detergent=(kitchenware.detergent, 0.4, 0.9),
    ),
    **_kinds(
        "ki", ("floor", "wall"), 0.4,
        stool=(household.stool, 3.0, 6.0), crate=(household.crate, 6.0, 14.0),
    ),
    **_kinds("ki ba", ("top",), 0.55, sponge=(kitchenware.sponge, 0.02, 0.05)),
    # Kitchens and living rooms
    **_kinds(
        "ki li", ("top",), 0.55,
        mug=(kitchenware.mug, 0.28, 0.46), wine_glass=(kitchenware.wine_glass, 0.12, 0.25),
        bottle=(food.bottle, 0.7, 1.4),
    ),
    **_kinds("ki li", ("table side", "floor"), 0.35, chair=(household.chair, 4.5, 8.0)),
    **_kinds("ki li ba", ("wall", "floor"), 0.45, waste_bin=(household.waste_bin, 0.8, 2.6)),
    # Living rooms
    **_kinds(
        "li", ("top",), 0.55,
        remote=(belongings.remote, 0.1, 0.2), newspaper=(belongings.newspaper, 0.2, 0.4),
        vase=(belongings.vase, 0.7, 2.2), candle=(belongings.candle, 0.2, 0.5),
        picture_frame=(belongings.picture_frame, 0.25, 0.7), statue=(belongings.statue, 1.2, 4.5),
        keys=(belongings.keys, 0.06, 0.12), controller=(belongings.controller, 0.2, 0.32),
        table_lamp=(household.table_lamp, 1.2, 2.8), television=(household.television, 9.0, 18.0),
        speaker=(household.speaker, 3.0, 7.5), watering_can=(leisure.watering_can, 0.5, 1.6),
        laptop=(belongings.laptop, 1.3, 2.4), plant=(household.plant, 0.9, 4.0),
    ),
    **_kinds("li", ("rest",), 0.6, cushion=(bedding.cushion, 0.35, 0.9)),
    **_kinds(
        "li", ("wall", "floor"), 0.35,
        floor_lamp=(household.floor_lamp, 4.0, 8.0), side_table=(household.side_table, 5.0, 9.0),
        pouffe=(household.pouffe, 3.0, 7.0), potted_plant=(household.plant, 3.0, 9.0),
        cardboard_box=(household.cardboard_box, 0.8, 5.0),
    ),
    **_kinds("li", ("wall", "floor"), 0.2, armchair=(household.armchair, 16.0, 26.0)),  # on gliders
    **_kinds("li", ("wall",), 0.12, loveseat=(household.loveseat, 28.0, 45.0)),
    **_kinds("li be", ("top", "rest"), 0.55, book=(belongings.book, 0.3, 1.2)),
    # Bedrooms
    **_kinds(
        "be", ("rest",), 0.6,
        pillow=(bedding.pillow, 0.5, 1.1), blanket=(bedding.blanket, 0.9, 2.0), hat=(leisure.hat, 0.1, 0.25),
    ),
    **_kinds("be", ("rest", "floor"), 0.6, teddy_bear=(bedding.teddy_bear, 0.25, 0.8)),
    **_kinds(
        "be", ("top",), 0.55,
        alarm_clock=(belongings.alarm_clock, 0.2, 0.45), phone=(belongings.phone, 0.13, 0.24),
        headphones=(belongings.headphones, 0.18, 0.4), pencil=(belongings.pencil, 0.02, 0.03),
        notebook=(belongings.notebook, 0.2, 0.6), mirror=(leisure.mirror, 0.5, 1.2),
        desk_lamp=(leisure.desk_lamp, 1.0, 2.2), globe=(leisure.globe, 0.8, 2.4),
        calendar=(leisure.calendar, 0.15, 0.3), blocks=(leisure.blocks, 0.15, 0.45),
    ),
    **_kinds("be", ("top", "floor"), 0.5, toy_car=(leisure.toy_car, 0.15, 0.6)),
    **_kinds(
        "be", ("floor",), 0.5,
        basketball=(leisure.basketball, 0.45, 0.65), dumbbell=(leisure.dumbbell, 2.5, 10.0),
        bat=(leisure.bat, 0.8, 1.1), racket=(leisure.racket, 0.26, 0.36), shoe=(leisure.shoe, 0.25, 0.5),
    ),
    **_kinds(
        "be", ("wall", "floor"), 0.4,
        backpack=(bedding.backpack, 1.0, 4.0), suitcase=(bedding.suitcase, 4.0, 16.0),
        guitar=(leisure.guitar, 1.5, 2.6),
    ),
    **_kinds("be", ("table side", "floor"), 0.3, desk_chair=(leisure.desk_chair, 8.0, 14.0)),
    **_kinds("be ba", ("wall", "floor"), 0.45, laundry_basket=(bedding.laundry_basket, 1.5, 4.5)),
    # Bathrooms
    **_kinds(
        "ba", ("top",), 0.55,
        toilet_roll=(belongings.toilet_roll, 0.1, 0.18), soap=(belongings.soap, 0.12, 0.25),
        shampoo=(belongings.shampoo, 0.25, 0.7), pump_bottle=(belongings.pump_bottle, 0.25, 0.5),
        brush_cup=(belongings.brush_cup, 0.15, 0.35), tissue_box=(belongings.tissue_box, 0.2, 0.35),
        rubber_duck=(belongings.duck, 0.06, 0.14), hair_dryer=(belongings.hair_dryer, 0.5, 0.8),
        towel=(bedding.towel, 0.3, 0.8), spray=(belongings.spray, 0.35, 0.8),
    ),
    **_kinds(
        "ba", ("wall", "floor"), 0.5,
        plunger=(leisure.plunger, 0.4, 0.8), toilet_brush=(leisure.toilet_brush, 0.4, 0.9),
        scales=(leisure.scales, 1.5, 3.0), bucket=(leisure.bucket, 2.5, 8.0),
        step_stool=(leisure.step_stool, 2.0, 4.0),
    ),
}  # fmt: skip
"""Every kind by name. What is light (< 0.5 kg), medium (< 2 kg) and heavy is found in all kinds of room."""


def kinds_of(room: RoomKind, where: Where) -> list[str]:
    """Return the names of the kinds that are found there."""
    return [name for name, kind in KINDS.items() if room in kind.rooms and where in kind.on]
