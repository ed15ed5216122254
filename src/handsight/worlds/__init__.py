"""Worlds: where an agent can act, and how what it did and saw becomes a recording."""

from handsight.worlds.collect import collect as collect
from handsight.worlds.places import Place as Place
from handsight.worlds.rooms import Rooms as Rooms
from handsight.worlds.rooms import RoomVisits as RoomVisits
from handsight.worlds.tabletop import Tabletop as Tabletop
from handsight.worlds.thor import Thor as Thor
from handsight.worlds.turntable import Turntable as Turntable
from handsight.worlds.world import Episode as Episode
from handsight.worlds.world import World as World

WORLDS: dict[str, type[World]] = {"turntable": Turntable, "tabletop": Tabletop, "rooms": RoomVisits}
"""Name on the command line → world."""

PLACES: dict[str, type[Place]] = {"rooms": Rooms, "thor": Thor}
"""Name on the command line → place."""
