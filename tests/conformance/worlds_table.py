"""The worlds that the conformance suite goes over: a new one adds its line here."""

from collections.abc import Callable

from conformance_guide import example

from handsight.worlds import RoomVisits, Tabletop, Turntable, World

WORLDS: dict[str, Callable[[], World]] = {
    "turntable": lambda: Turntable(image_size=24, views=4),
    "turntable, everything changes": lambda: Turntable(
        image_size=16,
        views=3,
        turns="uneven",
        tilt_changes="frame",
        background_changes="frame",
        light_changes="frame",
        clips_per_object=2,
        antialias=False,
    ),
    "turntable, plain": lambda: Turntable(image_size=24, views=3, finishes="plain"),
    "turntable, video": lambda: Turntable(
        image_size=16, views=2, clutter=0, video=True, categories=("mug", "chair")
    ),
    "tabletop": lambda: Tabletop(image_size=48, views=3),
    "tabletop, several objects": lambda: Tabletop(
        image_size=32,
        interactions=("push", "identity"),
        views=2,
        objects=3,
        finishes="plain",
        episodes_per_object=2,
        antialias=False,
    ),
    "tabletop, video": lambda: Tabletop(image_size=32, interactions=("poke", "grasp"), video=True),
    "rooms": lambda: RoomVisits(image_size=32, attempts=2),
    "rooms, far and smooth, video": lambda: RoomVisits(
        image_size=32, attempts=1, reach_m=float("inf"), splits="novel-objects", antialias=True, video=True
    ),
    "rooms, with depth": lambda: RoomVisits(attempts=2, image_size=24, depth=True),
    "the guide's puck": lambda: example("puck_world").Puck(image_size=24, frames=5),
}
"""A small one of each world, in each of its kinds: quick, and with a camera that sees something."""
