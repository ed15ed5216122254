"""A world and its frames cost a graphics context: the tests share one of each kind."""

import pytest

from handsight.worlds.turntable import Turntable


@pytest.fixture(scope="session")
def turntable():
    world = Turntable(image_size=32, views=6)
    yield world
    world.close()
