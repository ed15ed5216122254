"""Strongest activations: each picture is shown with the box that the unit sees."""

import numpy as np
import pytest
import torch

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation import top_activations
from handsight.report import ActiveUnit, activations_section, active_units


def unit(frames, number=3, count=4, size=32, values=(0.9, 0.5, 0.25, -0.125)):
    boxes = np.array([[0, 0, 8, 10], [4, 5, 20, 32], [0, 2, 32, 9], [30, 30, 32, 32]])
    return ActiveUnit(number, frames(count, size), boxes[:count], np.array(values[:count]))


def test_every_picture_has_its_box_in_its_own_pixels(read, frames):
    page = read(activations_section({"conv5": [unit(frames)]}))
    drawings = [a for tag, a in page.tags if tag == "svg"]
    assert [a["viewbox"] for a in drawings] == ["0 0 32 32"] * 4
    boxes = [tuple(int(a[key]) for key in ("x", "y", "width", "height")) for t, a in page.tags if t == "rect"]
    # each outlined twice: a light line in a dark one
    assert boxes[::2] == boxes[1::2] == [(0, 0, 8, 10), (4, 5, 16, 27), (0, 2, 32, 7), (30, 30, 2, 2)]
    pictures = [a for tag, a in page.tags if tag == "image"]
    assert len({a["href"] for a in pictures}) == 4
    assert all((a["width"], a["height"]) == ("32", "32") for a in pictures)
    assert page.count("title") == 1 + 4  # of the page, and of each drawing


def test_values_units_and_taps_are_told_in_words(read, frames):
    page = read(
        activations_section({"conv4": [unit(frames, 7)], "conv5": [unit(frames, 0), unit(frames, 1)]})
    )
    assert page.count("h3") == 2
    assert page.count("figure", "query") == 3
    assert "conv4, unit 7, picture 4 of 4: −0.125" in page.text
    assert page.text.index("conv4") < page.text.index("unit 7") < page.text.index("conv5, unit 0, picture 1")
    labels = [a["aria-label"] for tag, a in page.tags if a.get("role") == "region"]
    assert labels == ["conv4, unit 7", "conv5, unit 0", "conv5, unit 1"]
    assert "never above 0" not in page.text
    silent = activations_section({"conv5": [unit(frames, values=(0.0, 0.0, 0.0, 0.0))]})
    assert "unit 3 · never above 0" in read(silent).text


def test_nothing_to_show_is_said(read):
    for taps in ({}, {"conv5": []}):
        assert "No units were looked at." in read(activations_section(taps)).text


def test_a_large_picture_is_shrunk_and_its_box_is_not(read, frames):
    wide = np.repeat(frames(1, 400), 2, axis=2)
    page = read(
        activations_section({"a": [ActiveUnit(0, wide, np.array([[100, 40, 700, 390]]), np.ones(1))]})
    )
    (drawing,) = (a for tag, a in page.tags if tag == "svg")
    assert drawing["viewbox"] == "0 0 800 400"
    (picture,) = (a for tag, a in page.tags if tag == "image")
    assert (picture["width"], picture["height"]) == ("800", "400")
    assert len(picture["href"]) < 60_000  # 288 × 144 pixels of noise


def test_units_that_were_found_are_read_and_shown(read, frames):
    torch.manual_seed(0)
    encoder, pictures = Encoder("alexnet-lrn", 33, options={"width": 1 / 16}), frames(12, 40)
    numbers = np.arange(12)
    found = top_activations(encoder, "conv4", pictures.__getitem__, numbers, units=(2, 9, 4), count=3)
    shown = active_units(found, pictures.__getitem__, (9, 2))
    assert [each.unit for each in shown] == [9, 2]
    np.testing.assert_array_equal(shown[0].frames, pictures[found.picture[1]])
    np.testing.assert_array_equal(shown[1].boxes, found.box[0])
    assert [each.unit for each in active_units(found, pictures.__getitem__)] == [2, 9, 4]
    assert read(activations_section({"conv4": shown})).count("svg") == 6
    with pytest.raises(HandsightError, match="units 5 of conv4 were not kept; keep them in top_activations"):
        active_units(found, pictures.__getitem__, (2, 5))


@pytest.mark.parametrize(
    ("boxes", "values", "message"),
    [
        (np.zeros((1, 4), int), np.zeros(2), r"has 2 pictures, boxes \[1, 4\] and values \[2\]"),
        (np.array([[0, 0, 8, 8], [0, 0, 9, 8]]), np.zeros(2), "does not lie in its picture of 8 × 8 pixels"),
        (np.array([[0, 0, 8, 8], [3, 0, 3, 8]]), np.zeros(2), "expected 0 ≤ x0 < x1 ≤ width"),
        (np.array([[-1, 0, 8, 8], [0, 0, 8, 8]]), np.zeros(2), "a box of unit 6 does not lie"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(frames, boxes, values, message):
    with pytest.raises(HandsightError, match=message):
        ActiveUnit(6, frames(2, 8), boxes, values)
    with pytest.raises(
        HandsightError, match=r"unit 6 came as uint8 \[8, 8, 3\]; expected uint8 \[T, h, w, 3\]"
    ):
        ActiveUnit(6, frames(1, 8)[0], boxes, values)
