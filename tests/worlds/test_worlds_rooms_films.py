"""Films of rooms: what is seen while a force takes effect."""

import numpy as np
import pytest
from rooms_things import UP_AHEAD, middle, movable, seen_things

from handsight.errors import HandsightError
from handsight.worlds import Rooms
from handsight.worlds.places import LIGHT_KG, Location
from handsight.worlds.rooms import simulation as physics

SIZE = 64


@pytest.fixture(scope="module")
def rooms():
    place = Rooms(image_size=SIZE, reach_m=float("inf"))
    yield place
    place.close()


def changes(images):
    """Return how many pixels differ between each picture and the next."""
    return (images[1:] != images[:-1]).any(-1).sum((1, 2))


def test_a_film_begins_with_the_view_before_and_shows_things_move_and_slow_down(rooms):
    first = last = 0
    for _, one, _ in seen_things(rooms, 0.05, LIGHT_KG, 4):
        before = rooms.look().image
        u, v = middle(one.mask)
        film = rooms.film(u, v, 200.0, UP_AHEAD, frames=60)
        assert film.images.shape == (61, SIZE, SIZE, 3)
        assert film.images.dtype == np.uint8
        assert film.touched
        assert not film.diverged
        np.testing.assert_array_equal(film.images[0], before)
        assert (changes(film.images) > 0).sum() > 3
        first += changes(film.images)[:10].sum()
        last += changes(film.images)[-10:].sum()
    assert last < 0.5 * first  # some roll on for seconds


def test_the_same_force_gives_the_same_film_and_the_same_end_as_without_it(rooms):
    location, one, number = next(iter(seen_things(rooms, 0.05, LIGHT_KG, 1)))
    u, v = middle(one.mask)
    films = []
    for _ in range(2):
        rooms.enter(location)
        films.append(rooms.film(u, v, 30.0, UP_AHEAD).images)
    np.testing.assert_array_equal(*films)
    filmed = rooms._simulation.places()[number].copy()
    rooms.enter(location)
    rooms.apply_force(u, v, 30.0, UP_AHEAD)
    assert np.linalg.norm(filmed - rooms._simulation.places()[number]) < 0.02


def test_the_time_between_pictures_can_be_chosen(rooms):
    location, one, _ = next(iter(seen_things(rooms, 0.05, LIGHT_KG, 1)))
    u, v = middle(one.mask)
    rooms.enter(location)
    slow = rooms.film(u, v, 30.0, UP_AHEAD, frames=4, step_s=0.1).images
    rooms.enter(location)
    quick = rooms.film(u, v, 30.0, UP_AHEAD, frames=8, step_s=0.05).images
    np.testing.assert_array_equal(slow[1:], quick[2::2])


def test_where_nothing_can_be_touched_all_pictures_are_alike(rooms):
    rooms.enter(Location("kitchen-05", 2))
    v, u = np.argwhere(~movable(rooms))[0]
    film = rooms.film(u, v, 200.0, UP_AHEAD, frames=3)
    assert film.images.shape[0] == 4
    assert film.touched
    assert not changes(film.images).any()
    near = Rooms(image_size=SIZE, reach_m=0.01)
    near.enter(Location("kitchen-05", 2))
    assert not near.film(3, 3, 200.0, UP_AHEAD, frames=3).touched
    near.close()


def test_a_film_of_what_diverges_says_so_and_leaves_the_room_as_it_was(rooms, monkeypatch):
    _, one, _ = next(iter(seen_things(rooms, 0.05, LIGHT_KG, 1)))
    u, v = middle(one.mask)
    before, places = rooms.look().image, rooms._simulation.places().copy()
    monkeypatch.setattr(physics, "SPEED_LIMIT", 1e-3)
    film = rooms.film(u, v, 200.0, UP_AHEAD)
    assert film.diverged
    assert film.images.shape[0] == 26
    np.testing.assert_array_equal(rooms._simulation.places(), places)
    np.testing.assert_array_equal(rooms.look().image, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 0}, "a film of 0 pictures cannot be made; give 1 or more"),
        ({"step_s": 0.0}, "a film with 0 s from picture to picture cannot be made; give more than 0"),
        (
            {"step_s": float("nan")},
            "a film with nan s from picture to picture cannot be made; give more than 0",
        ),
    ],
)
def test_films_that_cannot_be_are_refused(rooms, arguments, message):
    rooms.enter(Location("kitchen-05", 2))
    with pytest.raises(HandsightError, match=f"^{message}$"):
        rooms.film(3, 3, 30.0, 0, **arguments)
