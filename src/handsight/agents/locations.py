"""Locations: drawn one after another, until something can be done at one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from handsight.errors import HandsightError
from handsight.worlds.places import Location, LocationError, Place
from handsight.worlds.world import generator

TRIES_N = 10
"""Locations tried in place of one that cannot be entered, or at which the simulation fails."""

_ROOM, _ACTIONS = 1, 2
"""What the numbers drawn for a location are for; see `world.generator`."""

Found = TypeVar("Found")


def visit(
    place: Place,
    split: str,
    seed: int,
    index: int,
    act: Callable[[Location, np.random.Generator], Found | None],
) -> tuple[Found, Location, int]:
    """Act at location `index`, or at the first one drawn in its place where that can be done.

    Args:
        place: where.
        split: whose rooms locations are in.
        seed: of the recording.
        index: of the location.
        act: goes there and acts, with numbers to draw from; None where the simulation fails.

    Returns:
        What `act` returned, where that was, and how many locations were dropped before it.

    Raises:
        HandsightError: nothing could be done at `TRIES_N` of them.
    """
    rooms = place.rooms(split)
    for dropped in range(TRIES_N):
        draw = generator(seed, index, _ROOM, dropped)
        location = Location(rooms[int(draw.integers(len(rooms)))], int(draw.integers(2**31)))
        why = "the simulation failed"
        try:
            found = act(location, generator(seed, index, _ACTIONS, dropped))
        except LocationError as error:
            found, why = None, str(error)
        if found is not None:
            return found, location, dropped
    raise HandsightError(
        f"nothing could be done at {TRIES_N} locations one after another, last in {location.room}: {why};"
        " choose other options for the place"
    )
