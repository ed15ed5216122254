"""Objects found in single pictures: COCO's average precision of boxes and masks, and the mass told of them.

Learning about objects by learning to interact with them (Lohmann et al. 2020), section 5 and appendix F. The
figures are faster-coco-eval's, a COCO evaluator; `matching.py` gives the same ones for resampled pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.core import mask as rle
from numpy.typing import ArrayLike, NDArray

from handsight.errors import HandsightError

Kind = Literal["box", "mask"]

MASS_CLASSES = ("light", "medium", "heavy")
"""Below 0.5 kg, below 2 kg, the rest."""

MOST_N = 100
"""Predictions of a picture that count, best first."""

_COCO_NAMES = {"box": "bbox", "mask": "segm"}


@dataclass(frozen=True)
class Objects:
    """Objects of a picture, predicted or true.

    Args:
        masks: run-length encoded, M of them.
        boxes: float64 `[M, 4]`: left, top, width, height in pixels.
        bins: int64 `[M]`, mass classes.
        scores: float64 `[M]`, how sure a prediction is; ones for the truth.
    """

    masks: tuple[dict[str, Any], ...]
    boxes: NDArray[np.float64]
    bins: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.masks)


@dataclass(frozen=True)
class Picture:
    """What was predicted for a picture, and what is true of it.

    Args:
        predicted: in any order.
        truth: what could have been found.
        size: height and width, pixels.
    """

    predicted: Objects
    truth: Objects
    size: tuple[int, int]

    def overlaps(self, kind: Kind) -> NDArray[np.float64]:
        """Return intersection over union of each prediction with each true object, `[M, N]`."""
        if not len(self.predicted) or not len(self.truth):
            return np.zeros((len(self.predicted), len(self.truth)))
        pair = self.predicted, self.truth
        shapes = [list(side.masks) if kind == "mask" else side.boxes for side in pair]
        return np.asarray(rle.iou(*shapes, [0] * len(self.truth)), np.float64)


@dataclass(frozen=True)
class Precision:
    """Average precision; NaN where nothing is there to be found.

    Args:
        ap: mean over overlaps from 0.5 to 0.95.
        ap50: where an overlap of 0.5 is enough.
    """

    ap: float
    ap50: float


def picture(
    masks: NDArray[np.bool_],
    scores: ArrayLike,
    bins: ArrayLike,
    true_masks: NDArray[np.bool_],
    true_bins: ArrayLike,
    boxes: ArrayLike | None = None,
) -> Picture:
    """Compress what is known of a picture to what its evaluation needs.

    Args:
        masks: bool `[M, H, W]`, predicted.
        scores: `[M]`, finite.
        bins: `[M]`, predicted mass classes, indices of `MASS_CLASSES`.
        true_masks: bool `[N, H, W]`.
        true_bins: `[N]`.
        boxes: `[M, 4]`, predicted: left, top, width, height in pixels; by default around each mask.

    Raises:
        HandsightError: their numbers or sizes differ, a score or box is not finite, or there is no class.
    """
    predicted = _objects("predicted", masks, bins, scores, boxes)
    truth = _objects("true", true_masks, true_bins, np.ones(len(true_masks)))
    if masks.shape[1:] != true_masks.shape[1:]:
        raise HandsightError(
            f"predicted masks of {list(masks.shape[1:])} pixels came with true ones of "
            f"{list(true_masks.shape[1:])}; give both at the picture's size"
        )
    return Picture(predicted, truth, (masks.shape[1], masks.shape[2]))


def average_precision(pictures: Sequence[Picture], kind: Kind, *, by_mass: bool = False) -> Precision:
    """Return COCO's average precision over pictures, at most `MOST_N` predictions each, objects of all sizes.

    Args:
        pictures: at least one.
        kind: whether boxes or masks have to overlap.
        by_mass: whether a prediction also has to tell the mass class: the mean over the classes that are
            there to be found (section 5, "Mass & BBox"). Otherwise all objects are one class.

    Raises:
        HandsightError: there are no pictures.
    """
    if not len(pictures):
        raise HandsightError("average precision was asked for over 0 pictures; expected at least 1")
    truth, predicted = (_coco(pictures, side) for side in ("truth", "predicted"))
    run = COCOeval_faster(truth, predicted, _COCO_NAMES[kind], rle_iou_max_workers=1)
    run.params.useCats = int(by_mass)
    run.params.maxDets = [MOST_N]
    run.params.areaRng, run.params.areaRngLbl = run.params.areaRng[:1], run.params.areaRngLbl[:1]
    run.evaluate()
    run.accumulate()
    precision = np.asarray(run.eval["precision"])  # thresholds, recalls, classes, sizes, limits
    return Precision(_mean(precision), _mean(precision[:1]))


def _objects(
    which: str, masks: NDArray[np.bool_], bins: ArrayLike, sure: ArrayLike, boxes: ArrayLike | None = None
) -> Objects:
    """Check and compress one side of a picture."""
    classes, certainty = np.asarray(bins).reshape(-1), np.asarray(sure, np.float64).reshape(-1)
    if masks.ndim != 3 or masks.dtype != np.bool_:
        raise HandsightError(
            f"{which} masks came as {masks.dtype} {list(masks.shape)}; expected bool [M, H, W]"
        )
    if not len(masks) == len(classes) == len(certainty):
        raise HandsightError(
            f"{len(masks)} {which} masks came with {len(classes)} mass classes and {len(certainty)} scores; "
            "give one for each"
        )
    if not np.isfinite(certainty).all():
        raise HandsightError("a score is not a finite number; give one for each predicted mask")
    if len(classes) and not (classes.dtype.kind in "iu" and 0 <= classes.min() <= classes.max() < 3):
        raise HandsightError(
            f"{which} mass classes came as {classes.tolist()[:5]}; expected integers from 0 to 2"
        )
    if boxes is not None:
        given = np.asarray(boxes, np.float64)
        if given.shape != (len(masks), 4) or not np.isfinite(given).all():
            raise HandsightError(
                f"boxes came as {list(given.shape)} with {len(masks)} {which} masks; expected left, top,"
                " width and height of each, finite"
            )
    if not len(masks):
        return Objects((), np.zeros((0, 4)), classes.astype(np.int64), certainty)
    coded = rle.encode(np.asfortranarray(masks.transpose(1, 2, 0), np.uint8))
    around = np.asarray(rle.toBbox(coded), np.float64)
    return Objects(tuple(coded), around if boxes is None else given, classes.astype(np.int64), certainty)


def _coco(pictures: Sequence[Picture], side: str) -> COCO:
    """Return one side of all pictures as COCO has it; identifiers start at 1, since 0 stands for no match."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(pictures, 1):
        images.append({"id": number, "height": item.size[0], "width": item.size[1]})
        objects: Objects = getattr(item, side)
        areas = rle.area(list(objects.masks)) if len(objects) else []
        for mask, box, bin_, score, area in zip(
            objects.masks, objects.boxes, objects.bins, objects.scores, areas, strict=True
        ):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(bin_) + 1,
                    "segmentation": mask,
                    "bbox": box.tolist(),
                    "area": float(area),
                    "iscrowd": 0,
                    "score": float(score),
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(MASS_CLASSES, 1)]
    return COCO({"images": images, "annotations": annotations, "categories": categories})


def _mean(precision: NDArray[np.float64]) -> float:
    """Return the mean of what is defined; −1 stands for a class that nothing is there of."""
    defined = precision[precision > -1]
    return float(defined.mean()) if len(defined) else float("nan")
