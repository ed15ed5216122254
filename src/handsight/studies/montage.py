"""Figures of pictures: what units answer to most, and what is nearest to what; PNGs beside a study's runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.activations import TopActivations

Pictures = NDArray[np.uint8]
Ints = NDArray[np.int64]

SIDE_PX, GAP_PX = 96, 4
UNITS = 12
"""Units that are drawn: the strongest, each by its own strongest picture."""

LIGHT, DARK = (255, 255, 255), (0, 0, 0)


def draw_units(found: TopActivations, read: Callable[[Ints], Pictures], path: Path) -> Path:
    """Draw a row of pictures for each of the strongest units, the receptive field outlined in each."""
    rows = []
    for unit in np.argsort(-found.value[:, 0], kind="stable")[:UNITS]:
        pictures = read(found.picture[unit])
        rows.append([_outlined(one, box) for one, box in zip(pictures, found.box[unit], strict=True)])
    return _write(rows, path)


def draw_neighbours(images: torch.Tensor, queries: Ints, near: Ints, path: Path) -> Path:
    """Draw a row for each query: itself, then the pictures nearest to it.

    Args:
        images: uint8 `[N, 3, h, w]`.
        queries: `[Q]`, rows of it.
        near: `[Q, k]`, rows of it, the nearest first.
        path: a PNG.
    """
    pictures = images.permute(0, 2, 3, 1).numpy()
    return _write(
        [[_sized(pictures[row]) for row in (query, *own)] for query, own in zip(queries, near, strict=True)],
        path,
    )


def _sized(picture: Pictures) -> Pictures:
    grown = cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray(grown, dtype=np.uint8)


def _outlined(picture: Pictures, box: Ints) -> Pictures:
    """Return a picture with a box x0, y0, x1, y1: a light line in a dark one, seen on anything."""
    sized = np.ascontiguousarray(_sized(picture))
    height, width = picture.shape[:2]
    x0, x1 = (round(int(x) * SIDE_PX / width) for x in box[[0, 2]])
    y0, y1 = (round(int(y) * SIDE_PX / height) for y in box[[1, 3]])
    for colour, thickness in ((DARK, 3), (LIGHT, 1)):
        cv2.rectangle(sized, (x0, y0), (x1 - 1, y1 - 1), colour, thickness)
    return sized


def _write(rows: list[list[Pictures]], path: Path) -> Path:
    step = SIDE_PX + GAP_PX
    sheet = np.full((step * len(rows) + GAP_PX, step * max(map(len, rows)) + GAP_PX, 3), 255, np.uint8)
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            top, left = GAP_PX + step * down, GAP_PX + step * across
            sheet[top : top + SIDE_PX, left : left + SIDE_PX] = picture
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", sheet[:, :, ::-1])
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise HandsightError(f"cannot write {path} ({error.strerror}); make room") from error
    assert done
    return path
