"""The self-supervision module: against slow references, scikit-image and hand-made masks."""

import colorsys

import numpy as np
import pytest
from skimage.color import hsv2rgb, rgb2hsv
from skimage.segmentation import felzenszwalb

from handsight.agents.feedback import (
    STRIDE,
    SelfSupervision,
    centre_px,
    changed,
    fill,
    flowed,
    grey,
    hsv,
    kernel,
    sample,
    succeeded,
    superpixels,
)
from handsight.errors import HandsightError
from handsight.objectives import attempted


def noise(rng, size=30):
    return rng.integers(0, 256, (size, size, 3), dtype=np.uint8)


def scene(left=60):
    """A textured square on a textured ground."""
    rng = np.random.default_rng(5)
    picture = np.add((120, 150, 170), rng.integers(0, 12, (150, 150, 3)))
    picture[60:90, left : left + 30] = np.add((200, 40, 30), rng.integers(0, 30, (30, 30, 3)))
    return picture.astype(np.uint8)


def slow_change(before, after, first, threshold=0.01):
    """The definition, pixel by pixel, with Python's own conversion to HSV."""
    cells = len(before) // 3
    mask = np.zeros((cells, cells), bool)
    for row in range(cells):
        for column in range(cells):
            apart = []
            for y in range(3 * row, 3 * row + 3):
                for x in range(3 * column, 3 * column + 3):
                    one, other = (colorsys.rgb_to_hsv(*(view[y, x] / 255)) for view in (before, after))
                    step = np.subtract(other, one)
                    step[0] = (step[0] + 0.5) % 1 - 0.5
                    apart.append(step)
            apart = np.array(apart)
            score = (apart**2).mean() if first == "squared-first" else (apart.mean(axis=0) ** 2).sum()
            mask[row, column] = score > threshold
    return mask


@pytest.mark.parametrize("size", [30, 32, 300])
def test_hsv_is_that_of_scikit_image_on_whole_cells(size):
    image = noise(np.random.default_rng(size), size)
    whole = size // STRIDE * STRIDE
    expected = rgb2hsv(image)[:whole, :whole]
    np.testing.assert_allclose(hsv(image), expected, atol=1e-5)  # hue of what is nearly grey
    assert hsv(image).dtype == np.float32


@pytest.mark.parametrize("first", ["squared-first", "averaged-first"])
@pytest.mark.parametrize("strength", [4, 20, 60, 255])
def test_a_cell_changed_as_the_definition_says(first, strength):
    rng = np.random.default_rng(strength)
    before = noise(rng)
    shift = rng.integers(-strength, strength + 1, before.shape) * (rng.random((30, 30, 1)) < 0.3)
    after = np.clip(before + shift, 0, 255).astype(np.uint8)
    got = changed(hsv(before), hsv(after), first)
    np.testing.assert_array_equal(got, slow_change(before, after, first))
    assert got.shape == (10, 10)
    np.testing.assert_array_equal(got, changed(hsv(after), hsv(before), first))  # back is as far as there


def test_both_orders_find_some_cells_and_not_the_same():
    rng = np.random.default_rng(1)
    before = noise(rng)
    after = np.clip(before + rng.integers(-40, 41, before.shape), 0, 255).astype(np.uint8)
    one, other = (changed(hsv(before), hsv(after), first) for first in ("squared-first", "averaged-first"))
    assert 0 < one.sum() < one.size
    assert 0 < other.sum() < other.size
    assert (one != other).any()


def test_hue_goes_round():
    pair = [np.full((6, 6, 3), (hue, 0.9, 0.8)) for hue in (0.985, 0.015)]
    red, also_red = ((hsv2rgb(colour) * 255).round().astype(np.uint8) for colour in pair)
    for first in ("squared-first", "averaged-first"):
        assert not changed(hsv(red), hsv(also_red), first).any()
    assert ((rgb2hsv(red) - rgb2hsv(also_red)) ** 2).mean() > 0.3  # what does not go round sees a change


def test_nothing_changes_where_nothing_changed_and_the_mask_moves_with_the_change():
    view = hsv(scene())
    assert not changed(view, view).any()
    moved = hsv(scene(left=75))
    turned = changed(np.rot90(view).copy(), np.rot90(moved).copy())
    np.testing.assert_array_equal(turned, np.rot90(changed(view, moved)))
    assert changed(view, moved).any()


def test_what_is_compared_stays_as_it_was():
    before, after = hsv(scene()), hsv(scene(left=75))
    kept = before.copy(), after.copy()
    changed(before, after)
    np.testing.assert_array_equal(before, kept[0])
    np.testing.assert_array_equal(after, kept[1])


@pytest.mark.parametrize(("size", "smallest"), [(300, 200), (150, 50), (90, 18)])
def test_superpixels_are_felzenszwalbs_read_in_the_middle_of_each_cell(size, smallest):
    image = np.repeat(np.repeat(noise(np.random.default_rng(2), size // 15), 15, 0), 15, 1)
    groups = felzenszwalb(image, scale=200, sigma=0.5, min_size=smallest)
    labels = superpixels(image)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, groups[1::3, 1::3])
    fine = felzenszwalb(image, scale=200, sigma=0.5, min_size=smallest // 2)
    np.testing.assert_array_equal(superpixels(image, smallest_px=100), fine[1::3, 1::3])
    np.testing.assert_array_equal(SelfSupervision(superpixel_px=100).groups(image), fine[1::3, 1::3])
    rows = centre_px(np.arange(size // 3))
    np.testing.assert_array_equal(labels, groups[np.ix_(rows, rows)])
    assert 2 < labels.max() < 2000


def test_pixels_beyond_the_last_whole_cell_are_passed_over():
    assert sample(np.arange(32 * 32).reshape(32, 32)).shape == (10, 10)
    assert superpixels(scene()[:64, :65]).shape == (21, 21)
    assert grey(scene()[:64, :65]).shape == (63, 63)


def slow_fill(mask, labels, share):
    filled = np.zeros_like(mask)
    for label in np.unique(labels):
        inside = labels == label
        filled[inside] = mask[inside].mean() > share
    return filled


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_superpixels_are_filled_or_cleared_as_the_definition_says(share):
    rng = np.random.default_rng(3)
    for _ in range(20):
        labels = rng.choice([0, 1, 4, 9, 17], (20, 20)).astype(np.int32)  # sampling may lose labels
        mask = rng.random((20, 20)) < rng.uniform(0.1, 0.6, 18)[labels]
        np.testing.assert_array_equal(fill(mask, labels, share), slow_fill(mask, labels, share))


def test_a_quarter_is_not_more_than_a_quarter():
    labels = np.repeat(np.arange(2, dtype=np.int32), 8).reshape(2, 8)
    mask = np.zeros((2, 8), bool)
    mask[0, :2] = mask[1, :3] = True
    np.testing.assert_array_equal(fill(mask, labels), [[False] * 8, [True] * 8])
    assert fill(mask, None) is mask
    np.testing.assert_array_equal(fill(fill(mask, labels), labels), fill(mask, labels))


def test_kernels_are_those_of_the_code_and_of_the_paper():
    for u in range(-2, 3):
        for v in range(-2, 3):
            assert kernel("exponential")[u + 2, v + 2] == pytest.approx(np.exp(-np.sqrt(u * u + v * v)))
            assert kernel("gaussian")[u + 2, v + 2] == pytest.approx(np.exp(-u * u - v * v))
    for name in ("exponential", "gaussian"):  # success is judged by what is learned around a point
        np.testing.assert_allclose(kernel(name), attempted.kernel(name).numpy(), rtol=1e-12)
    with pytest.raises(ValueError, match="read-only"):
        kernel()[0, 0] = 1


@pytest.mark.parametrize("name", ["exponential", "gaussian"])
def test_success_is_a_weighted_count_around_the_point_also_at_the_edges(name):
    rng = np.random.default_rng(4)
    weights, outcomes = kernel(name), []
    for _ in range(40):
        mask = rng.random((9, 9)) < 0.5
        padded = np.pad(mask, 2)
        for row in range(9):
            for column in range(9):
                total = (padded[row : row + 5, column : column + 5] * weights).sum()
                assert succeeded(mask, (row, column), weights) == (total > 1.5)
                outcomes.append(total > 1.5)
    assert 0.1 < np.mean(outcomes) < 0.9


def test_two_cells_at_the_point_are_not_enough_and_three_are():
    mask = np.zeros((9, 9), bool)
    mask[4, 4:6] = True
    assert not succeeded(mask, (4, 4))
    mask[3, 4] = True
    assert succeeded(mask, (4, 4))
    assert not succeeded(mask, (0, 0))


def test_flow_finds_what_moved_and_not_the_rest():
    before, after = scene(), scene(left=64)
    mask = flowed(grey(before), grey(after))
    assert mask[20:30, 21:30].mean() > 0.9
    assert mask[:12].mean() < 0.1
    assert mask[38:].mean() < 0.1
    assert not flowed(grey(before), grey(before)).any()


@pytest.mark.parametrize("difference", ["squared-first", "averaged-first", "flow"])
@pytest.mark.parametrize("aligned", [True, False])
def test_an_object_that_moved_is_found_at_its_place(difference, aligned):
    senses = SelfSupervision(difference=difference, superpixels=aligned)
    before, after = scene(), scene(left=72)
    labels = senses.groups(before)
    assert (labels is None) is not aligned
    mask = senses.moved(senses.prepare(before), senses.prepare(after), labels)
    assert mask.shape == (50, 50)
    assert mask.dtype == bool
    assert senses.succeeded(mask, (25, 22))
    assert not senses.succeeded(mask, (3, 3))
    assert not senses.moved(senses.prepare(before), senses.prepare(before), labels).any()


def test_thresholds_are_those_that_were_asked_for():
    before, after = scene(), scene(left=72)
    for difference, most in (("squared-first", 3.0), ("flow", 90.0)):
        senses = SelfSupervision(difference=difference, threshold=most, superpixels=False)
        assert not senses.moved(senses.prepare(before), senses.prepare(after), None).any()


def test_options_decide_what_is_filled_and_what_is_a_success():
    before, after = scene(), scene(left=66)  # a fifth of where the square was
    for share, found in ((0.1, True), (0.25, False)):
        senses = SelfSupervision(superpixel_share=share)
        mask = senses.moved(senses.prepare(before), senses.prepare(after), senses.groups(before))
        assert mask[25, 25] == found
    mask = np.zeros((9, 9), bool)
    mask[4, 3:6] = True  # 1.74
    assert SelfSupervision().succeeded(mask, (4, 4))
    assert not SelfSupervision(success=1.75).succeeded(mask, (4, 4))
    assert not SelfSupervision().succeeded(mask, (3, 4))
    mask[4, 4] = False
    mask[2:7:4, 4] = mask[4, 2:7:4] = mask[3:6:2, 4] = True  # 2.01; the paper's 1.54
    assert SelfSupervision(success=1.6).succeeded(mask, (4, 4))
    assert not SelfSupervision(kernel="gaussian", success=1.6).succeeded(mask, (4, 4))


VIEW = np.zeros((9, 9, 3), np.uint8)
MISTAKES = {
    "there is no kernel 'box'; give one of exponential, gaussian": lambda: kernel("box"),
    "a view came as float64 [9, 9, 3]; expected uint8 [S, S, 3] of at least 3 × 3 pixels": lambda: hsv(
        VIEW / 1.0
    ),
    "a view came as uint8 [9, 9]; expected uint8 [S, S, 3] of at least 3 × 3 pixels": lambda: grey(
        VIEW[..., 0]
    ),
    "a view came as uint8 [2, 9, 3]; expected uint8 [S, S, 3] of at least 3 × 3 pixels": lambda: superpixels(
        VIEW[:2]
    ),
    "two views of (9, 9) and (6, 9) pixels cannot be compared": lambda: changed(hsv(VIEW), hsv(VIEW[:6])),
    "two views of (9, 9) and (9, 6) pixels cannot be compared": lambda: flowed(grey(VIEW), grey(VIEW[:, :6])),
    "there is no difference of colours 'flow'; give squared-first or averaged-first": lambda: changed(
        hsv(VIEW), hsv(VIEW), "flow"
    ),
    "superpixels of (2, 2) cells came with a mask of (3, 3)": lambda: fill(
        np.zeros((3, 3), bool), np.zeros((2, 2), np.int32)
    ),
    "point (3, 0) is outside the grid of (3, 3) cells": lambda: succeeded(np.zeros((3, 3), bool), (3, 0)),
    "point (0, -1) is outside the grid of (3, 3) cells": lambda: succeeded(np.zeros((3, 3), bool), (0, -1)),
    "difference is 'rgb'; give squared-first, averaged-first or flow": lambda: SelfSupervision(
        difference="rgb"
    ),
    "threshold is 0; give a number above 0": lambda: SelfSupervision(threshold=0),
    "superpixel_px is 0; it starts at 1": lambda: SelfSupervision(superpixel_px=0),
    "superpixel_share is 1; give a part, in [0, 1)": lambda: SelfSupervision(superpixel_share=1),
    "success is 4; with this kernel it lies between 0 and 3.14": lambda: SelfSupervision(
        kernel="gaussian", success=4
    ),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_named(line):
    with pytest.raises(HandsightError) as said:
        MISTAKES[line]()
    assert str(said.value) == line
