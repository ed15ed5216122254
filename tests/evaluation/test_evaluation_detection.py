"""Average precision and the mass told, against pycocotools on random and on hand-made pictures."""

import contextlib
import io
import itertools

import numpy as np
import pytest
from pycocotools import mask as reference_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from handsight.errors import HandsightError
from handsight.evaluation.detection import average_precision, picture
from handsight.evaluation.matching import (
    Matches,
    class_accuracy,
    confusion,
    detection_scores,
    match,
    rows_normalised,
)

SIDE = 40
NONE = np.zeros((0, SIDE, SIDE), bool)


def block(top, left, height, width):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def random_picture(rng, predictions=None, objects=None):
    """Blobs, and predictions that are shifted copies of them or something else; scores repeat."""

    def blob():
        (top, left), (height, width) = rng.integers(0, 26, 2), rng.integers(6, 15, 2)
        return block(top, left, height, width) & (rng.random((SIDE, SIDE)) < 0.98)

    truth = [blob() for _ in range(rng.integers(0, 6) if objects is None else objects)]
    guesses = []
    for _ in range(rng.integers(0, 9) if predictions is None else predictions):
        near = len(truth) and rng.random() < 0.9
        source = truth[rng.integers(len(truth))] if near else blob()
        guesses.append(np.roll(source, rng.integers(-1, 2, 2), (0, 1)))
    sure = rng.integers(0, 12, len(guesses)) / 12
    masks, true_masks = (np.array(side, bool).reshape(-1, SIDE, SIDE) for side in (guesses, truth))
    return masks, sure, rng.integers(0, 3, len(masks)), true_masks, rng.integers(0, 3, len(true_masks))


def coco_of(sides, boxes=None):
    """The layout of COCO, built by pycocotools from the raw masks, and from boxes where there are any."""
    images = [{"id": number + 1, "height": SIDE, "width": SIDE} for number in range(len(sides))]
    found, count = [], itertools.count(1)
    for number, (masks, sure, bins) in enumerate(sides):
        for place, (mask, score, bin_) in enumerate(zip(masks, sure, bins, strict=True)):
            coded = reference_mask.encode(np.asfortranarray(mask, np.uint8))
            found.append(
                {
                    "id": next(count),
                    "image_id": number + 1,
                    "category_id": int(bin_) + 1,
                    "segmentation": coded,
                    "bbox": list(reference_mask.toBbox(coded) if boxes is None else boxes[number][place]),
                    "area": float(reference_mask.area(coded)),
                    "iscrowd": 0,
                    "score": float(score),
                }
            )
    data = COCO()
    data.dataset = {"images": images, "annotations": found, "categories": [{"id": i} for i in (1, 2, 3)]}
    data.createIndex()
    return data


def reference(raw, kind, by_mass, boxes=None):
    """What pycocotools says: its run, AP and AP50."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_of([(true, np.ones(len(true)), bins) for *_, true, bins in raw])
        guessed = coco_of([(masks, sure, bins) for masks, sure, bins, *_ in raw], boxes)
        run = COCOeval(truth, guessed, {"box": "bbox", "mask": "segm"}[kind])
        run.params.useCats = int(by_mass)
        run.evaluate()
        run.accumulate()
        run.summarize()
    figures = [float("nan") if figure == -1 else figure for figure in run.stats[:2]]
    return run, figures


@pytest.mark.parametrize("kind", ["box", "mask"])
@pytest.mark.parametrize("by_mass", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_precision_is_that_of_pycocotools(kind, by_mass, seed):
    rng = np.random.default_rng(seed)
    raw = [random_picture(rng) for _ in range(25)]
    pictures = [picture(*item) for item in raw]
    _, expected = reference(raw, kind, by_mass)
    figures = average_precision(pictures, kind, by_mass=by_mass)
    np.testing.assert_allclose([figures.ap, figures.ap50], expected, atol=1e-9)
    assert 0.005 < expected[0] < expected[1] < 0.95
    matched = Matches(pictures, kind, by_mass=by_mass).precision()
    np.testing.assert_allclose([matched.ap, matched.ap50], expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["box", "mask"])
@pytest.mark.parametrize("by_mass", [False, True])
def test_resampled_pictures_are_those_evaluated_again(kind, by_mass):
    rng = np.random.default_rng(9)
    raw = []
    for number in range(12):
        masks, sure, *rest = random_picture(rng)
        # No two of the same score: copies of a picture come together here, and one after another there.
        raw.append((masks, rng.permutation(len(sure)) / 20 + number / 1000, *rest))
    pictures = [picture(*item) for item in raw]
    matches = Matches(pictures, kind, by_mass=by_mass)
    for _ in range(6):
        drawn = rng.integers(0, 12, 15)
        _, expected = reference([raw[number] for number in drawn], kind, by_mass)
        figures = matches.precision(drawn)
        np.testing.assert_allclose([figures.ap, figures.ap50], expected, atol=1e-9)
        again = matches.precision(rng.permutation(drawn))
        assert (again.ap, again.ap50) == (figures.ap, figures.ap50)


@pytest.mark.parametrize("predictions", [0, 3])
@pytest.mark.parametrize("objects", [0, 3])
def test_pictures_without_predictions_or_objects(predictions, objects):
    rng = np.random.default_rng(1)
    raw = [random_picture(rng, predictions, objects) for _ in range(3)]
    pictures = [picture(*item) for item in raw]
    for kind, by_mass in itertools.product(("box", "mask"), (False, True)):
        _, expected = reference(raw, kind, by_mass)
        for figures in (
            average_precision(pictures, kind, by_mass=by_mass),
            Matches(pictures, kind, by_mass=by_mass).precision(),
        ):
            np.testing.assert_allclose([figures.ap, figures.ap50], expected, atol=1e-9)
        assert np.isnan(expected[0]) == (not objects)
        if objects and not predictions:
            assert expected == [0, 0]


def test_more_than_a_hundred_predictions_of_a_picture_do_not_count():
    rng = np.random.default_rng(2)
    masks, _, bins, true_masks, true_bins = random_picture(rng, 130, 5)
    raw = [(masks, rng.permutation(130) / 130, bins, true_masks, true_bins)]
    pictures = [picture(*item) for item in raw]
    for by_mass in (False, True):
        _, expected = reference(raw, "mask", by_mass)
        assert average_precision(pictures, "mask", by_mass=by_mass).ap == pytest.approx(expected[0], abs=1e-9)
        matched = Matches(pictures, "mask", by_mass=by_mass).precision()
        assert matched.ap == pytest.approx(expected[0], abs=1e-9)


def test_hand_made_precision():
    objects = np.stack([block(0, 0, 10, 10), block(20, 20, 10, 10)])
    other = block(0, 25, 5, 5)
    perfect = picture(objects, [0.9, 0.8], [0, 2], objects, [0, 2])
    assert average_precision([perfect], "mask").ap == pytest.approx(1)
    assert average_precision([perfect], "box", by_mass=True).ap == pytest.approx(1)
    # Half of the objects are found, after a mistake: precision 1/2 up to recall 1/2, of 101 recalls 51.
    late = picture(np.stack([other, objects[0]]), [0.9, 0.8], [0, 0], objects, [0, 2])
    assert average_precision([late], "mask").ap50 == pytest.approx(51 / 101 / 2)
    assert average_precision([late], "mask", by_mass=True).ap50 == pytest.approx((1 / 2 + 0) / 2)
    # An overlap of 6/10 is enough at 0.5, 0.55 and 0.6.
    part = picture(block(0, 0, 6, 10)[None], [1.0], [1], objects[:1], [1])
    assert average_precision([part], "mask").ap == pytest.approx(0.3)
    assert average_precision([part], "mask").ap50 == pytest.approx(1)


def test_boxes_reach_around_all_pixels_and_empty_masks_have_none():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[3, 5] = mask[9, 6] = True
    told = picture(np.stack([mask, NONE.any(axis=0)]), [0.5, 0.4], [0, 1], mask[None], [0])
    np.testing.assert_array_equal(told.predicted.boxes, [[5, 3, 2, 7], [0, 0, 0, 0]])
    np.testing.assert_array_equal(told.overlaps("box"), [[1], [0]])
    assert average_precision([told], "mask").ap == pytest.approx(1)


@pytest.mark.parametrize("by_mass", [False, True])
def test_boxes_that_were_predicted_count_as_they_are(by_mass):
    rng = np.random.default_rng(11)
    raw, boxes, pictures = [], [], []
    for number in range(25):
        masks, sure, *rest = random_picture(rng)
        sure = rng.permutation(len(sure)) / 20 + number / 1000
        masks[::4] = False  # what has a box and no pixel is a prediction all the same
        around = picture(masks, sure, *rest).predicted.boxes
        boxes.append(around + rng.normal(0, 1, around.shape) + [0, 0, 2, 2])
        raw.append((masks, sure, *rest))
        pictures.append(picture(*raw[-1], boxes[-1]))
    for kind in ("box", "mask"):
        _, expected = reference(raw, kind, by_mass, boxes)
        for found in (
            average_precision(pictures, kind, by_mass=by_mass),
            Matches(pictures, kind, by_mass=by_mass).precision(),
        ):
            np.testing.assert_allclose([found.ap, found.ap50], expected, atol=1e-9)
    around = average_precision([picture(*item) for item in raw], "box", by_mass=by_mass)
    assert abs(around.ap - average_precision(pictures, "box", by_mass=by_mass).ap) > 0.01


def slow_match(overlaps, threshold):
    """The rule, one prediction after another."""
    taken, chosen = set(), []
    for row in overlaps:
        free = [(overlap, number) for number, overlap in enumerate(row) if number not in taken]
        best = max((pair for pair in free if pair[0] >= threshold), default=(0, -1))[1]
        taken |= {best} - {-1}
        chosen.append(best)
    return chosen


def test_each_prediction_takes_the_best_that_is_left():
    rng = np.random.default_rng(3)
    for _ in range(60):
        overlaps = rng.integers(0, 11, rng.integers(1, 7, 2)) / 10
        thresholds = np.array([0.5, 0.65, 0.95])
        expected = [slow_match(overlaps, threshold) for threshold in thresholds]
        np.testing.assert_array_equal(match(overlaps, thresholds), expected)
    assert match(np.zeros((2, 0))).tolist() == [[-1, -1]] * 10


def test_the_mass_told_is_counted_for_boxes_that_were_found():
    rng = np.random.default_rng(4)
    raw = [random_picture(rng) for _ in range(30)]
    run, _ = reference(raw, "box", False)
    expected = np.zeros((30, 3, 3), int)
    for item in run.evalImgs[:30]:
        if item is None:
            continue
        for truth, found in zip(item["gtIds"], item["gtMatches"][0].astype(int), strict=True):
            if found:
                rows = run.cocoGt.anns[truth]["category_id"] - 1, run.cocoDt.anns[found]["category_id"] - 1
                expected[item["image_id"] - 1, *rows] += 1
    counts = confusion([picture(*item) for item in raw])
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum() > 20
    table = rows_normalised(counts.sum(axis=0))
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert class_accuracy(counts.sum(axis=0)) == pytest.approx(np.diag(table).mean())


def test_classes_of_which_nothing_was_found_are_left_out_of_accuracy():
    counts = [[3, 1, 0], [0, 0, 0], [1, 1, 2]]
    assert class_accuracy(counts) == pytest.approx((3 / 4 + 2 / 4) / 2)
    np.testing.assert_array_equal(np.isnan(rows_normalised(counts)), [[False] * 3, [True] * 3, [False] * 3])
    assert np.isnan(class_accuracy(np.zeros((3, 3))))


def test_all_figures_of_the_tables():
    rng = np.random.default_rng(5)
    pictures = [picture(*random_picture(rng)) for _ in range(10)]
    figures = detection_scores(pictures)
    assert list(figures) == ["box_ap50", "box_ap", "mask_ap50", "mask_ap", "mass_accuracy", "mass_box_ap50"]
    assert figures["box_ap50"] == average_precision(pictures, "box").ap50
    assert figures["mask_ap"] == average_precision(pictures, "mask").ap
    assert figures["mass_box_ap50"] == average_precision(pictures, "box", by_mass=True).ap50
    assert figures["mass_accuracy"] == class_accuracy(confusion(pictures).sum(axis=0))


ONE = block(0, 0, 4, 4)[None]
MISTAKES = {
    "average precision was asked for over 0 pictures; expected at least 1": lambda: average_precision(
        [], "box"
    ),
    "predicted masks came as float64 [1, 40, 40]; expected bool [M, H, W]": lambda: picture(
        ONE / 1.0, [1], [1], ONE, [1]
    ),
    "1 predicted masks came with 2 mass classes and 1 scores; give one for each": lambda: picture(
        ONE, [1], [1, 2], ONE, [1]
    ),
    "a score is not a finite number; give one for each predicted mask": lambda: picture(
        ONE, [np.nan], [1], ONE, [1]
    ),
    "true mass classes came as [3]; expected integers from 0 to 2": lambda: picture(ONE, [1], [1], ONE, [3]),
    "predicted masks of [40, 40] pixels came with true ones of [30, 40]; give both at the picture's size": (
        lambda: picture(ONE, [1], [1], ONE[:, :30], [1])
    ),
    "boxes came as [4] with 1 predicted masks; expected left, top, width and height of each, finite": (
        lambda: picture(ONE, [1], [1], ONE, [1], [0, 0, 4, 4])
    ),
    "boxes came as [1, 4] with 1 predicted masks; expected left, top, width and height of each, finite": (
        lambda: picture(ONE, [1], [1], ONE, [1], [[0, 0, 4, np.inf]])
    ),
    "0 pictures were drawn of 1; expected one or more indices from 0 to 0": lambda: Matches(
        [picture(ONE, [1], [1], ONE, [1])], "box"
    ).precision([]),
    "1 pictures were drawn of 1; expected one or more indices from 0 to 0": lambda: Matches(
        [picture(ONE, [1], [1], ONE, [1])], "box"
    ).precision([1]),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_named(line):
    with pytest.raises(HandsightError) as said:
        MISTAKES[line]()
    assert str(said.value) == line
