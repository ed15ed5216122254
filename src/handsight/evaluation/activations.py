"""Activations: the pictures that a unit answers to most, and where in them it looks.

The Curious Robot (ECCV 2016, section 4.1 and figure 9) shows them of units of conv4 and conv5, with the
receptive fields, after Girshick et al. (CVPR 2014, section 3.1). One picture counts once per unit, with its
strongest place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handsight.encoders import Encoder
from handsight.encoders.batches import evaluating
from handsight.errors import HandsightError
from handsight.evaluation.features import Ints, Progress
from handsight.evaluation.receptive import receptive_fields

PICTURES = 9
"""Pictures that are kept of each unit."""


@dataclass(frozen=True)
class TopActivations:
    """What U units answer to most: k pictures each, the strongest first.

    Args:
        tap: the map that the units are of.
        unit: int64 `[U]`, their channels.
        picture: int64 `[U, k]`, numbers that `read` understands; of equals the one that was read first.
        value: float32 `[U, k]`, the largest in the picture's map.
        place: int64 `[U, k, 2]`, row and column of that value in the map; of equals the first by rows.
        box: int64 `[U, k, 4]`, the receptive field of that place: x0, y0, x1, y1 in pixels of the picture,
            which cuts it off; x1 and y1 are the first outside.
    """

    tap: str
    unit: Ints
    picture: Ints
    value: NDArray[np.float32]
    place: Ints
    box: Ints


def top_activations(
    encoder: Encoder,
    tap: str,
    read: Callable[[Ints], NDArray[np.uint8]],
    index: Ints,
    *,
    units: Sequence[int] | None = None,
    count: int = PICTURES,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> TopActivations:
    """Look through pictures once and keep the strongest of each unit: memory does not grow with pictures.

    Args:
        encoder: is looked at in evaluation mode, on its own device, and left as it was.
        tap: one of `encoder.taps`; a vector is a map of one place.
        read: gives the pictures of some numbers, uint8 `[n, h, w, 3]`, all of one size.
        index: int64 `[N]`, the numbers of the pictures to look at.
        units: channels to keep; None keeps all.
        count: pictures kept of each; all of them where there are fewer.
        batch_size: pictures per forward.
        progress: told after each batch how many pictures are done.

    Raises:
        HandsightError: there is no such tap or unit, no picture, or pictures of several sizes; `count` or
            `batch_size` is below 1; or a unit is not a number somewhere.
    """
    encoder.check_tap(tap)
    if min(count, batch_size) < 1:
        raise HandsightError(
            f"strongest activations got count {count} and batch_size {batch_size}; expected numbers from 1"
        )
    if not len(index):
        raise HandsightError("strongest activations got no pictures; expected at least one")
    device = next(encoder.parameters()).device
    kept: tuple[Tensor, Tensor, Tensor] | None = None  # value, number, flat place: each [U, up to count]
    size, shape, wanted = None, (1, 1), torch.empty(0, dtype=torch.int64)
    for start in range(0, len(index), batch_size):
        numbers = np.asarray(index[start : start + batch_size], dtype=np.int64)
        pictures = torch.from_numpy(np.ascontiguousarray(read(numbers))).permute(0, 3, 1, 2)
        size = size or (pictures.shape[2], pictures.shape[3])
        if size != (pictures.shape[2], pictures.shape[3]):
            raise HandsightError(
                f"pictures of {pictures.shape[2]} × {pictures.shape[3]} pixels came after some of "
                f"{size[0]} × {size[1]}; expected one size: resize them"
            )
        with evaluating(encoder):
            found = encoder.forward_tap(pictures.to(device), tap)
        maps = found if found.ndim == 4 else found[:, :, None, None]
        wanted, shape = _chosen(units, maps.shape[1], tap), (maps.shape[2], maps.shape[3])
        value, place = maps[:, wanted.to(device)].flatten(2).float().max(dim=2)
        if not bool(value.isfinite().all()):  # the largest of numbers one of which is NaN is NaN
            raise HandsightError(
                f"{tap} holds NaN or infinity; the encoder diverged: take an earlier checkpoint"
            )
        number = torch.from_numpy(numbers)[:, None].expand(value.shape)
        kept = _strongest(kept, (value.T.cpu(), number.T, place.T.cpu()), count)
        if progress is not None:
            progress(start + len(numbers), len(index))
    assert kept is not None
    assert size is not None
    values, which, flat = (each.numpy() for each in kept)
    unit = wanted.numpy()
    place_rc = np.stack([flat // shape[1], flat % shape[1]], axis=2)
    asked = np.concatenate([np.broadcast_to(unit[:, None, None], (*flat.shape, 1)), place_rc], axis=2)
    places, back = np.unique(asked.reshape(-1, 3), axis=0, return_inverse=True)
    boxes = receptive_fields(encoder, tap, places, size)[back.reshape(-1)]
    return TopActivations(tap, unit, which, values, place_rc, boxes.reshape(*flat.shape, 4))


def _strongest(
    kept: tuple[Tensor, Tensor, Tensor] | None, new: tuple[Tensor, Tensor, Tensor], count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the strongest `count` of what was kept and what is new, the older first among equals."""
    both = new if kept is None else [torch.cat(pair, dim=1) for pair in zip(kept, new, strict=True)]
    order = both[0].argsort(dim=1, descending=True, stable=True)[:, :count]
    value, number, place = (each.gather(1, order) for each in both)
    return value, number, place


def _chosen(units: Sequence[int] | None, channels: int, tap: str) -> Tensor:
    """Return the channels to keep, int64 `[U]`."""
    chosen = list(range(channels)) if units is None else [int(unit) for unit in units]
    wrong = [unit for unit in chosen if not 0 <= unit < channels]
    if wrong or not chosen:
        raise HandsightError(
            f"{tap} was asked for units {chosen}; it has {channels}: give some of 0 to {channels - 1}"
        )
    return torch.tensor(chosen, dtype=torch.int64)
