from dataclasses import dataclass

import numpy as np
import pytest

from handsight.evaluation.matching import detection_scores
from handsight.evaluation.things import (
    CONFUSED,
    FIGURES,
    FOUND,
    Sights,
    draw_locations,
    figures_by_room,
    look_around,
    told_in,
)
from handsight.worlds import Rooms
from handsight.worlds.places import Instance, Location, Sight

SIZE = 30


@dataclass
class Shelf:
    """A place with two things, the second out of reach in odd rooms."""

    name: str = "shelf"
    image_size: int = SIZE
    reach_m: float = 1.5

    def rooms(self, split):
        return [f"{split}-{number}" for number in range(4)]

    def enter(self, location):
        self.seed = location.seed
        return Sight(
            np.full((SIZE, SIZE, 3), location.seed % 250, np.uint8), np.full((SIZE, SIZE), 1.0, np.float32)
        )

    def instances(self):
        first, second = np.zeros((2, SIZE, SIZE), bool)
        first[3:12, 3:12] = second[15:27, 12:27] = True
        return [Instance("cup", 0.3, first, True), Instance("box", 5.0, second, self.seed % 2 == 0)]


@dataclass
class Told:
    masks: np.ndarray
    scores: np.ndarray
    bins: np.ndarray
    boxes: np.ndarray | None = None


@pytest.fixture
def sights():
    place = Shelf()
    return look_around(place, [Location(place.rooms("test")[seed % 4], seed) for seed in range(12)])


def oracle(sights, shift=0, bins=None):
    """Tell what is true, moved by some pixels."""
    number = iter(range(len(sights)))

    def tell(images, depths_m):
        told = []
        for _ in images:
            mine = sights.location == next(number)
            masks = np.roll(sights.masks[mine], shift, axis=2)
            told.append(
                Told(
                    masks,
                    np.linspace(0.9, 0.5, len(masks)),
                    sights.bins[mine] if bins is None else np.full(len(masks), bins),
                )
            )
        return told

    return tell


def test_sights_hold_what_is_within_reach_and_survive_a_file(sights, tmp_path):
    assert sights.images.shape == (12, SIZE, SIZE, 3)
    assert np.bincount(sights.location, minlength=12).tolist() == [2, 1] * 6
    assert sorted(set(sights.bins.tolist())) == [0, 2]
    sights.save(tmp_path / "sights.npz")
    again = Sights.load(tmp_path / "sights.npz")
    for name, values in vars(sights).items():
        np.testing.assert_array_equal(getattr(again, name), values)


def test_the_truth_told_scores_everything(sights):
    figures = figures_by_room(told_in(sights, oracle(sights), batch_size=5), sights.room)
    assert set(figures) == {*FIGURES, FOUND, *CONFUSED}
    for name in (*FIGURES, FOUND):
        assert figures[name][0] == pytest.approx(1.0)
        np.testing.assert_allclose(figures[name][1], 1.0)
    assert figures["light told light"][0] == figures["heavy told heavy"][0] == 1
    assert np.isnan(figures["medium told light"][0])


def test_figures_are_those_of_all_pictures_and_without_each_room(sights):
    pictures = told_in(sights, oracle(sights, shift=3, bins=0))
    figures = figures_by_room(pictures, sights.room)
    keys = ("box_ap50", "box_ap", "mask_ap50", "mask_ap", "mass_accuracy", "mass_box_ap50")
    whole = detection_scores(pictures)
    for name, key in zip(FIGURES, keys, strict=True):
        assert figures[name][0] == pytest.approx(whole[key])
    rooms = np.unique(sights.room)
    for place, room in enumerate(rooms):
        rest = detection_scores([p for p, where in zip(pictures, sights.room, strict=True) if where != room])
        for name, key in zip(FIGURES, keys, strict=True):
            assert figures[name][1][place] == pytest.approx(rest[key])
    assert figures["heavy told light"][0] == 1


def test_locations_go_evenly_over_the_rooms_of_a_split():
    place = Rooms(image_size=32)
    locations = draw_locations(place, "test", 40, seed=0)
    assert {location.room for location in locations} == set(place.rooms("test"))
    assert locations == draw_locations(place, "test", 40, seed=0)
    assert locations != draw_locations(place, "test", 40, seed=1)


def test_a_class_of_which_nothing_is_found_counts_as_nothing(sights):
    number = iter(range(len(sights)))

    def tell(images, depths_m):
        """Tell the box of each location alone, and rightly that it is heavy."""
        told = []
        for _ in images:
            mine = np.flatnonzero((sights.location == next(number)) & (sights.bins == 2))
            told.append(Told(sights.masks[mine], np.ones(len(mine)), sights.bins[mine]))
        return told

    figures = figures_by_room(told_in(sights, tell), sights.room)
    assert figures["mass accuracy"][0] == pytest.approx(0.5)
    assert figures[FOUND][0] == pytest.approx(6 / 18)
