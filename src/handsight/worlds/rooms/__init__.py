"""Rooms: kitchens, living rooms, bedrooms and bathrooms in which an agent applies forces to what it sees."""

from handsight.worlds.rooms.place import Rooms as Rooms
from handsight.worlds.rooms.visits import RoomVisits as RoomVisits
