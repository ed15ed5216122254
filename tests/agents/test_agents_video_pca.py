"""VideoPCA: what moves in films made by hand, and things of what a network tells."""

import cv2
import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from handsight.agents import video_pca
from handsight.agents.feedback import SelfSupervision
from handsight.agents.video_pca import soft_mask, teller, things_in
from handsight.errors import HandsightError
from handsight.methods import VideoPCA

RED, BLUE, GREY = (210, 40, 50), (40, 60, 200), (120, 125, 118)


def film(path, size=150, side=24, colour=RED, noise=3):
    """Return a film of a square whose upper left corner goes along a path."""
    generator = np.random.default_rng(0)
    pictures = np.full((len(path), size, size, 3), GREY, float)
    for picture, (top, left) in zip(pictures, path, strict=True):
        picture[top : top + side, left : left + side] = colour
    pictures += generator.normal(0, noise, (size, size, 3))
    return pictures.clip(0, 255).astype(np.uint8)


def across(count=26, step=4, start=(45, 12)):
    return [(start[0], start[1] + step * number) for number in range(count)]


def square(top, left, side, grid=50):
    mask = np.zeros((grid, grid), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def test_what_moves_is_found_where_it_was_at_first():
    soft = soft_mask(film(across()))
    assert soft.shape == (50, 50)
    assert soft.dtype == np.float32
    assert soft.min() == 0
    assert soft.max() == pytest.approx(1, abs=1e-5)
    assert iou(soft > 0.5, square(15, 4, 8)) > 0.7


@pytest.mark.parametrize(
    "still", [across(26, 0), across(1), across(4)], ids=["rests", "picture", "explained"]
)
def test_where_nothing_moves_or_all_is_explained_there_is_nothing(still):
    assert not soft_mask(film(still)).any()


def test_mirrored_films_have_mirrored_masks():
    pictures = film(across())
    mirrored = soft_mask(np.ascontiguousarray(pictures[:, :, ::-1]))
    np.testing.assert_allclose(mirrored, soft_mask(pictures)[:, ::-1], atol=1e-3)


def test_the_unexplained_is_what_scikit_learns_components_leave():
    cells = video_pca._cells(film(across(12)))
    flat = cells.reshape(12, -1).astype(float)
    model = PCA(n_components=4, svd_solver="full").fit(flat)
    left = (flat - model.inverse_transform(model.transform(flat))).reshape(cells.shape)
    got = video_pca._unexplained(cells, 4)
    np.testing.assert_allclose(got, np.sqrt((left**2).sum(-1)), atol=1e-5)


def test_colours_of_what_moves_tell_it_from_the_rest():
    cells = video_pca._cells(film(across(), noise=0))
    masks = np.stack([square(15, 4, 8)] * len(cells))
    masks[1:] = False
    soft = video_pca._by_colour(cells, masks)
    assert (soft[square(15, 4, 8)] > 0.9).all()
    assert (soft[~square(14, 3, 10)] < 0.1).all()


def test_filters_shrink_with_the_grid():
    whole, half = (video_pca._falling(20, grid) for grid in (100, 50))
    assert whole.shape == (41, 41)
    assert half.shape == (21, 21)
    np.testing.assert_allclose(half, whole[::2, ::2], rtol=1e-6)
    assert whole[20, 20] == 1
    assert whole[20, 40] == pytest.approx(np.exp(-20 / 50))


def scene():
    """Return a picture of two squares, and a soft mask that shows them and a bit beside."""
    picture = film([(45, 12)])[0]
    picture[90:120, 90:120] = BLUE
    soft = np.zeros((50, 50), np.float32)
    soft[15:22, 4:12] = 0.9
    soft[30:40, 31:40] = 0.7
    soft[2, 2] = 0.8
    return picture, soft


def test_things_are_connected_parts_of_superpixels():
    picture, soft = scene()
    found = things_in(soft, picture)
    assert len(found) == 2
    parts = [part for part, _ in found]
    assert all(soft[cell] == soft[part].max() for part, cell in found)
    assert sorted(iou(part, square(15, 4, 8)) > 0.9 for part in parts) == [False, True]
    assert sorted(iou(part, square(30, 30, 10)) > 0.9 for part in parts) == [False, True]


def test_what_is_two_cells_apart_is_one_part_and_a_few_cells_are_none():
    picture = scene()[0]
    soft = np.zeros((50, 50), np.float32)
    soft[10:13, 10:13] = 0.6
    soft[15:18, 10:13] = 0.9  # two rows between them
    soft[30:33, 10:13] = 0.7
    soft[36:39, 10:13] = 0.8  # three rows between them
    soft[40, 40] = 1
    as_they_are = SelfSupervision(superpixels=False)
    found = things_in(soft, picture, senses=as_they_are)
    assert [int(part.sum()) for part, _ in found] == [18, 9, 9]
    assert found[0][1] == (15, 10)
    fewer = things_in(soft, picture, 0.85, as_they_are)
    assert [int(part.sum()) for part, _ in fewer] == [9]
    # Of a superpixel that is as large as all around, so little is on something that nothing is told.
    assert things_in(soft, np.full_like(picture, 90)) == []


def test_a_networks_soft_masks_are_told_as_things(monkeypatch):
    picture, soft = scene()
    torch.manual_seed(0)
    method = VideoPCA("unet-interaction", 150, {"width": 0.1}, hidden=4)
    monkeypatch.setattr(VideoPCA, "soft_masks", lambda *_: np.stack([soft, np.zeros_like(soft)]))
    first, second = teller(method)(np.stack([picture] * 2), np.ones((2, 150, 150), np.float32))
    assert len(second) == 0
    assert second.masks.shape == (0, 150, 150)
    assert len(first) == 2
    np.testing.assert_allclose(first.scores, [0.9, 0.7], rtol=1e-6)
    assert first.bins.tolist() == [0, 0]
    assert iou(first.masks[0], cv2.resize(square(15, 4, 8).astype(np.uint8), (150, 150)) > 0) > 0.9
    assert all(mask[row, column] for mask, (row, column) in zip(first.masks, first.points, strict=True))


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (
            np.zeros((9, 9, 3), np.uint8),
            r"a film came as uint8 \[9, 9, 3\]; give uint8 pictures \[T, S, S, 3\]",
        ),
        (np.zeros((2, 9, 9, 3)), r"a film came as float64 \[2, 9, 9, 3\]; give"),
        (np.zeros((0, 9, 9, 3), np.uint8), r"a film came as uint8 \[0, 9, 9, 3\]; give"),
    ],
)
def test_what_is_no_film_is_refused(pictures, message):
    with pytest.raises(HandsightError, match=message):
        soft_mask(pictures)
