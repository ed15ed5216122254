from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation import TopActivations, top_activations
from handsight.evaluation.receptive import receptive_fields

SIDE = 48


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder("alexnet-lrn", 40, options={"width": 1 / 16})


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, SIDE, SIDE, 3), dtype=np.uint8)


def run(encoder: Encoder, pictures: np.ndarray, tap: str = "conv3", **settings) -> TopActivations:
    index = settings.pop("index", np.arange(len(pictures)))
    return top_activations(encoder, tap, pictures.__getitem__, index, **({"count": 5} | settings))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_the_strongest_are_those_of_sorting_all_maps(encoder, pictures, batch_size):
    maps = encoder.features(pictures)["conv3"].numpy()
    found = run(encoder, pictures, batch_size=batch_size)
    largest = maps.max(axis=(2, 3))
    assert found.picture.shape == (maps.shape[1], 5)
    for unit in range(maps.shape[1]):
        best = sorted(range(30), key=lambda row, unit=unit: (-largest[row, unit], row))[:5]
        if len(set(largest[best, unit])) == 5:  # rounding may part equals, by the size of a batch
            assert found.picture[unit].tolist() == best
        np.testing.assert_allclose(found.value[unit], largest[best, unit], rtol=1e-4, atol=1e-6)
    rows, columns = found.place[..., 0], found.place[..., 1]
    at = maps[found.picture, np.arange(maps.shape[1])[:, None], rows, columns]
    np.testing.assert_allclose(at, found.value, rtol=1e-4, atol=1e-6)
    fields = [
        receptive_fields(encoder, "conv3", np.array([[unit, *place]]), (SIDE, SIDE))[0]
        for unit, place in ((2, found.place[2, 0]), (7, found.place[7, 4]))
    ]
    np.testing.assert_array_equal(np.stack([found.box[2, 0], found.box[7, 4]]), fields)


def test_a_spot_is_found_where_it_is(encoder):
    """One bright spot on grey: what differs from grey everywhere else lies in the box around it."""
    pictures = np.full((4, SIDE, SIDE, 3), 128, np.uint8)
    spots = [(6, 9), (30, 40), (44, 5)]
    for picture, (y, x) in zip(pictures[1:], spots, strict=True):
        picture[y - 1 : y + 2, x - 1 : x + 2] = [255, 0, 255]
    grey = encoder.features(pictures[:1])["conv1"][0]
    found = run(encoder, pictures, tap="conv1", index=np.array([1, 2, 3]), count=3)
    inside = 0
    for unit in range(len(found.unit)):
        for picture, value, (x0, y0, x1, y1) in zip(
            found.picture[unit], found.value[unit], found.box[unit], strict=True
        ):
            if value > grey[unit].max() + 1e-3:
                y, x = spots[picture - 1]
                assert x0 < x + 2
                assert x1 > x - 1
                assert y0 < y + 2
                assert y1 > y - 1
                inside += 1
    assert inside >= 12


def test_numbers_are_those_that_read_understands_and_units_those_asked_for(encoder, pictures):
    everything = run(encoder, pictures)
    some = run(encoder, pictures, units=(5, 2))
    assert some.unit.tolist() == [5, 2]
    np.testing.assert_array_equal(some.picture, everything.picture[[5, 2]])
    np.testing.assert_array_equal(some.box, everything.box[[5, 2]])
    index = np.array([12, 3, 29])
    few = run(encoder, pictures, index=index)
    assert few.picture.shape == few.value.shape == few.box.shape[:2] == (len(few.unit), 3)  # all there are
    assert all(sorted(row) == [3, 12, 29] for row in few.picture.tolist())
    assert (np.diff(few.value, axis=1) <= 0).all()


def test_among_equals_the_picture_read_first_and_the_first_place(encoder):
    same = np.full((6, SIDE, SIDE, 3), 70, np.uint8)
    found = run(encoder, same, index=np.array([4, 1, 5, 0]), count=3, batch_size=2, units=(0,))
    assert found.picture.tolist() == [[4, 1, 5]]
    dead = copy.deepcopy(encoder)
    with torch.no_grad():
        dead.trunk.conv3.bias[0] = -1e6
    found = run(dead, same, units=(0,))
    assert (found.value == 0).all()
    assert (found.place == 0).all()


def test_a_vector_is_a_map_of_one_place(encoder, pictures):
    found = run(encoder, pictures, tap="pooled", units=(0, 9))
    embedding = encoder.embed(pictures).numpy()[:, [0, 9]]
    np.testing.assert_allclose(found.value, -np.sort(-embedding, axis=0)[:5].T, rtol=1e-4, atol=1e-6)
    assert (found.place == 0).all()
    assert (found.box == receptive_fields(encoder, "pooled", np.array([[0, 0, 0]]), (SIDE, SIDE))[0]).all()


def test_the_encoder_is_left_as_it_was_and_progress_is_told(encoder, pictures):
    network = copy.deepcopy(encoder).train()
    state, said = copy.deepcopy(network.state_dict()), []
    run(network, pictures, batch_size=16, progress=lambda done, total: said.append((done, total)))
    assert said == [(16, 30), (30, 30)]
    assert network.training
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_what_cannot_be_looked_at_is_refused(encoder, pictures):
    with pytest.raises(HandsightError, match="alexnet-lrn has no tap 'conv7'; it has conv1"):
        run(encoder, pictures, tap="conv7")
    with pytest.raises(
        HandsightError, match=r"conv3 was asked for units \[3, 24\]; it has 24: give some of 0 to"
    ):
        run(encoder, pictures, units=(3, 24))
    with pytest.raises(HandsightError, match=r"asked for units \[\]"):
        run(encoder, pictures, units=())
    with pytest.raises(HandsightError, match="got no pictures; expected at least one"):
        run(encoder, pictures, index=np.zeros(0, np.int64))
    with pytest.raises(HandsightError, match="got count 0 and batch_size 64; expected numbers from 1"):
        run(encoder, pictures, count=0)

    def read(numbers: np.ndarray) -> np.ndarray:
        return pictures[numbers, : 40 if numbers[0] else 48]

    with pytest.raises(HandsightError, match="pictures of 40 × 48 pixels came after some of 48 × 48"):
        top_activations(encoder, "conv3", read, np.arange(2), batch_size=1)
    broken = copy.deepcopy(encoder)
    torch.nn.init.constant_(broken.trunk.conv2.bias, float("nan"))
    with pytest.raises(HandsightError, match="conv3 holds NaN or infinity; the encoder diverged"):
        run(broken, pictures)
