"""Receptive fields: which pixels of a picture can change what a unit says at a place of its map.

A pixel that is not a number makes everything that depends on it not a number: convolutions, also by weights
of zero, ReLU, maximum, normalisation and attention all hand it on. So rows or columns of a picture are made
such, the encoder as it is looks at it, and the places that are still numbers do not see them. This needs no
knowledge of layers, padding or resizing and is exact. It runs in float64 on the CPU, where no convolution is
computed by a transform of tiles, which would spread it further.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from handsight.encoders import Encoder
from handsight.encoders.batches import evaluating
from handsight.errors import HandsightError

Ints = NDArray[np.int64]
Hit = Callable[[Ints], NDArray[np.bool_]]

BATCH_SIZE = 8
"""Pictures per forward."""


def receptive_fields(
    encoder: Encoder, tap: str, places: Ints, picture: tuple[int, int], *, batch_size: int = BATCH_SIZE
) -> Ints:
    """Return the smallest box that holds every pixel which the unit at each place depends on.

    The picture's edges cut it off. Where the encoder resizes pictures, the box is in the picture's own pixels
    and includes those that resizing mixes in.

    The forwards are some 8 per edge where fields differ little (deep taps), and at most the picture's height
    (or width) per edge.

    Args:
        encoder: in any mode, on any device; unchanged.
        tap: name of the map; a tap that is a vector is a map of one place.
        places: int64 `[P, 3]`: unit (channel), row and column in the map.
        picture: height and width of the pictures, pixels.
        batch_size: pictures per forward.

    Returns:
        int64 `[P, 4]`: x0, y0, x1, y1 in pixels of the picture; x1 and y1 are the first outside.

    Raises:
        HandsightError: there is no such tap or place; or a unit is no number, or depends on no pixel that
            could be found.
    """
    encoder.check_tap(tap)
    height, width = picture
    blind = copy.deepcopy(encoder).cpu().double()
    unit, row, column = np.asarray(places, dtype=np.int64).reshape(-1, 3).T

    def look(hidden: torch.Tensor) -> NDArray[np.bool_]:
        """Say which units see the hidden pixels, and where: bool `[n, H, W]` → bool `[n, C, h, w]`."""
        pictures = torch.zeros(len(hidden), 3, height, width).masked_fill_(hidden[:, None], torch.nan)
        with evaluating(blind):
            found = torch.isnan(blind.forward_tap(pictures, tap))
        return (found if found.ndim == 4 else found[:, :, None, None]).numpy()

    nothing, everything = look(torch.tensor([False, True])[:, None, None].expand(2, height, width))
    _check_places(unit, row, column, nothing.shape, tap)
    if nothing[unit, row, column].any() or not everything[unit, row, column].all():
        raise HandsightError(
            f"{tap} has units that are no numbers for a black picture, or that no pixel changes; the encoder "
            "diverged, or its receptive fields cannot be found in this way"
        )

    def edge(size: int, rows: bool, from_end: bool) -> Ints:
        """Return how many rows (or columns) from the start (or the end) each place does not see."""

        def hit(counts: Ints) -> NDArray[np.bool_]:
            line = torch.arange(size) < torch.from_numpy(counts)[:, None]
            line = line.flip(1) if from_end else line
            hidden = line[:, :, None] if rows else line[:, None, :]
            step = range(0, len(counts), batch_size)
            maps = (look(hidden[s : s + batch_size].expand(-1, height, width)) for s in step)
            return np.concatenate([each[:, unit, row, column] for each in maps])

        return _unseen(hit, size, len(unit))

    left, top = edge(width, False, False), edge(height, True, False)
    right, bottom = edge(width, False, True), edge(height, True, True)
    return np.stack([left, top, width - right, height - bottom], axis=1)


def _check_places(unit: Ints, row: Ints, column: Ints, shape: tuple[int, ...], tap: str) -> None:
    for values, size in zip((unit, row, column), shape, strict=True):
        wrong = values[(values < 0) | (values >= size)]
        if len(wrong):
            raise HandsightError(
                f"a place has number {wrong[0]} where {tap} has {size}; it has {shape[0]} units of "
                f"{shape[1]} × {shape[2]} places"
            )


def _unseen(hit: Hit, size: int, places: int) -> Ints:
    """Find for each place the largest count of hidden lines that it does not notice, all by bisection.

    Args:
        hit: says of each count `[n]` which places notice, bool `[n, P]`.
        size: of all lines, which every place notices.
        places: P.
    """
    low = np.zeros(places, dtype=np.int64)  # not noticed
    high = np.full(places, size, dtype=np.int64)  # noticed
    while (open_ := high - low > 1).any():
        counts = np.unique((low[open_] + high[open_]) // 2)
        for count, noticed in zip(counts, hit(counts), strict=True):
            high[noticed] = np.minimum(high[noticed], count)
            low[~noticed] = np.maximum(low[~noticed], count)
    return low
