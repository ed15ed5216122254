"""Things in rooms to push at, for tests."""

import numpy as np

from handsight.worlds.places import Location
from handsight.worlds.rooms.kinds import ROOM_KINDS

UP_AHEAD = 3
"""A direction: right, up and ahead."""


def movable(rooms):
    """Return where anything movable is seen, `[S, S]`."""
    nothing = np.zeros((rooms.image_size, rooms.image_size), bool)
    return np.any([nothing, *(one.mask for one in rooms.instances())], axis=0)


def middle(mask):
    """Return the pixel of a mask that is nearest to its middle."""
    pixels = np.argwhere(mask)
    v, u = pixels[np.abs(pixels - pixels.mean(0)).sum(1).argmin()]
    return int(u), int(v)


def seen_things(rooms, lightest_kg, heaviest_kg, count):
    """Yield locations that are entered, and instances in them, each with its number, that weigh so much."""
    found = 0
    for seed in range(200):
        location = Location(f"{ROOM_KINDS[seed % 4]}-{seed % 30 + 1:02d}", seed)
        rooms.enter(location)
        for one in rooms.instances():
            if lightest_kg <= one.mass_kg < heaviest_kg and one.mask.sum() > 25:
                number = [thing.mass_kg for thing in rooms._found.things].index(one.mass_kg)
                rooms.enter(location)
                yield location, one, number
                found += 1
                break
        if found == count:
            return


def moved_m(rooms, number, pixel, newtons, direction=UP_AHEAD):
    """Push and return how far a thing came."""
    before = rooms._simulation.places()[number].copy()
    outcome = rooms.apply_force(*pixel, newtons, direction)
    assert outcome.touched
    assert not outcome.diverged
    return float(np.linalg.norm(rooms._simulation.places()[number] - before)), outcome
