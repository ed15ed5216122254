"""Filming: locations of a place as episodes, with what moved told softly."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from blocks_place import Block, Blocks

from handsight.agents.exploration import CAMERA, DEPTH
from handsight.agents.filming import SOFT_MASK, Filming
from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.worlds.collect import collect
from handsight.worlds.places import Film, LocationError

RED, BLUE = (220, 40, 40), (40, 40, 220)


@dataclass
class FilmedBlocks(Blocks):
    """Blocks that shift picture by picture."""

    step: int = 2
    fails: int = 0

    def film(self, u, v, newtons, direction, frames=25, step_s=0.05):
        images, touched = [self.draw()[0]], False
        column = self.left[:]
        for number in range(frames):
            outcome = self.apply_force(
                min(u + self.step * number, self.image_size - 1), v, newtons, direction
            )
            images.append(outcome.image)
            touched = touched or outcome.touched
        self.fails -= 1
        assert self.left != column or not touched
        return Film(np.stack(images), touched, diverged=self.fails >= 0)


def place(**options):
    blocks = Block(12, 6, 30, RED, size=15), Block(54, 6, 30, BLUE, size=15)
    return FilmedBlocks(blocks, reach_m=3.0, **options)


def test_an_episode_is_a_location_with_all_that_moved():
    world = Filming(place(), frames=16)
    episode = world.episode(0, 0)
    assert episode.frames.keys() == world.features.keys() == {CAMERA, DEPTH, SOFT_MASK}
    for name, feature in world.features.items():
        assert episode.frames[name].shape == (1, *feature.shape), name
    soft = episode.frames[SOFT_MASK][0].astype(np.float32)
    assert 0 <= soft.min() < soft.max() <= 1
    for top in (4, 18):
        assert soft[top : top + 5, 2:7].mean() > 0.5
    assert soft[:, 14:].mean() < 0.05
    np.testing.assert_array_equal(episode.frames[CAMERA][0], place_before())
    assert episode.facts == {"room": "table", "split": "train", "room_seed": episode.facts["room_seed"]} | {
        "forces_n": 2,
        "dropped_n": 0,
    }


def place_before():
    first = place()
    return first.enter(None).image


def test_the_seed_decides_and_options_are_plain():
    world = Filming(place(), frames=8)
    again = pickle.loads(pickle.dumps(world))
    first, second = (each.episode(3, 1) for each in (world, again))
    assert first.facts == second.facts
    for name in world.features:
        np.testing.assert_array_equal(first.frames[name], second.frames[name])
    assert world.options()["place"] == {"name": "blocks"}
    assert world.options()["frames"] == 8


def test_locations_where_the_simulation_fails_are_left_out():
    episode = Filming(place(fails=2), frames=4).episode(0, 0)
    assert episode.facts["dropped_n"] >= 1
    with pytest.raises(
        HandsightError,
        match="nothing could be done at 10 locations one after another, last in table: the simulation f",
    ):
        Filming(place(fails=1000), frames=4).episode(0, 0)


def test_locations_that_cannot_be_entered_are_left_out():
    barred = place()
    enter, tried = barred.enter, []

    def enter_the_third(location):
        tried.append(location)
        if len(tried) < 3:
            raise LocationError("somebody stands there")
        return enter(location)

    barred.enter = enter_the_third
    assert Filming(barred, frames=4).episode(0, 0).facts["dropped_n"] == 2
    assert len(set(tried)) == 3
    barred.enter = lambda location: enter_the_third(tried.clear())
    with pytest.raises(HandsightError, match="last in table: somebody stands there; choose other options"):
        Filming(barred, frames=4).episode(0, 0)


def test_it_is_collected_as_other_worlds_are(tmp_path):
    collect(Filming(place(), frames=6), tmp_path / "films", 3)
    recording = Recording(tmp_path / "films")
    assert recording.num_episodes == 3
    assert recording.features[SOFT_MASK].moves == "map"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forces": 0}, "filming: forces is 0; it starts at 1"),
        ({"components": 0}, "filming: components is 0; it starts at 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(HandsightError, match=f"^{message}$"):
        Filming(place(), **options)


def test_a_place_that_cannot_be_filmed_is_refused():
    with pytest.raises(
        HandsightError, match=r"^blocks cannot be filmed; give a place that can, such as rooms$"
    ):
        Filming(Blocks(()))
