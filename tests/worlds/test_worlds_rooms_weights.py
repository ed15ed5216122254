"""The three forces tell what is light, medium and heavy apart."""

import numpy as np
import pytest
from rooms_things import middle, moved_m, seen_things

from handsight.worlds import Rooms
from handsight.worlds.places import FORCES_N, LIGHT_KG, MEDIUM_KG


@pytest.fixture(scope="module")
def rooms():
    place = Rooms(image_size=64, reach_m=float("inf"))
    yield place
    place.close()


def test_forces_tell_weights_apart(rooms):
    """The middle force moves most of what is medium; the weak one little of it, and most of what is light."""
    shares = {}
    for name, low, high, newtons in (
        ("light, weak", 0.02, LIGHT_KG, FORCES_N[0]),
        ("medium, weak", LIGHT_KG, MEDIUM_KG, FORCES_N[0]),
        ("medium, middle", LIGHT_KG, MEDIUM_KG, FORCES_N[1]),
        ("heavy, middle", 2 * MEDIUM_KG, 100.0, FORCES_N[1]),
        ("heavy, strong", MEDIUM_KG, 20.0, FORCES_N[2]),
    ):
        shares[name] = np.mean(
            [
                moved_m(rooms, number, middle(one.mask), newtons, direction=nth % 8)[0] > 0.02
                for nth, (_, one, number) in enumerate(seen_things(rooms, low, high, 12))
            ]
        )
    assert shares["light, weak"] > 0.75
    assert shares["medium, weak"] < 0.5
    assert shares["medium, middle"] > 0.75
    assert shares["heavy, middle"] < 0.5
    assert shares["heavy, strong"] > 0.6
