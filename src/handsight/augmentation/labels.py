"""Labels move along with the pixels: what a crop and a mirroring of the picture do to each stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from handsight.augmentation.parameters import Parameters
from handsight.errors import HandsightError

MOVES = ("nothing", "point", "angle", "rotation", "sides", "map")
"""Declarations that are understood; the recording's features say what each means."""


class MovedLabels(NamedTuple):
    """Labels after an augmentation.

    Args:
        streams: every stream that came in, moved.
        inside: for each stream of points, bool, without its last dimension: whether the point is still in the
            picture.
    """

    streams: dict[str, Tensor]
    inside: dict[str, Tensor]


def check_moves(
    moves: Mapping[str, str | None], may_flip: bool, names: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Refuse, before anything starts, streams that cannot be moved along.

    An undeclared stream is refused where pictures may be mirrored, and accepted where they are only cropped
    and coloured: whatever a robot measures or does (joint angles, velocities, forces) keeps its value under a
    crop, and only image coordinates, which few recordings have, do not; refusing would shut out every
    recording that nobody annotated. Declare image coordinates as `point`.

    Args:
        moves: stream → what it declares, None where it declares nothing.
        may_flip: whether pictures may be mirrored.
        names: stream → names of its entries; `sides` finds its pairs by them.

    Raises:
        HandsightError: naming the stream and what to declare.
    """
    for name, kind in moves.items():
        if kind is not None and kind not in MOVES:
            raise HandsightError(
                f"stream '{name}' declares moves {kind!r}; it can be one of {', '.join(MOVES)}"
            )
        if kind is None and may_flip:
            raise HandsightError(
                f"stream '{name}' does not declare what mirroring the picture does to it; "
                "declare its moves as one of "
                f"{', '.join(MOVES)}, or set flip_probability to 0"
            )
        if kind == "sides" and may_flip:
            mirrored_entries(name, (names or {}).get(name))


def mirrored_entries(stream: str, names: Sequence[str] | None) -> list[int]:
    """Return the swap of left and right: entry i takes the value of entry `result[i]`.

    An entry's partner has the same name with `left` and `right` exchanged; entries named neither stay.

    Raises:
        HandsightError: where the stream has no names, or an entry no partner.
    """
    if names is None:
        raise HandsightError(
            f"stream '{stream}' declares moves 'sides' but has no names; "
            "name its entries, as in left_wrist, right_wrist"
        )
    positions = {entry: index for index, entry in enumerate(names)}
    result = []
    for entry in names:
        partner = entry.replace("left", "\0").replace("right", "left").replace("\0", "right")
        if partner not in positions:
            raise HandsightError(
                f"stream '{stream}' declares moves 'sides' but its entry '{entry}' has no partner "
                f"'{partner}'; name it so"
            )
        result.append(positions[partner])
    if result == list(range(len(result))):
        raise HandsightError(
            f"stream '{stream}' declares moves 'sides' but none of its names holds left or right; "
            "declare 'nothing'"
        )
    return result


def move_labels(
    streams: Mapping[str, Tensor],
    moves: Mapping[str, str | None],
    parameters: Parameters,
    names: Mapping[str, Sequence[str]] | None = None,
    between: Mapping[str, str] | None = None,
) -> MovedLabels:
    """Move labels along with the pixels of the images that they belong to.

    Args:
        streams: name → `[N, ..., D]`, first dimension the images; of a `map` the last two are its rows and
            columns; unchanged.
        moves: name → what the stream declares (see `handsight.recordings.features.Moves`), None or absent
            where nothing.
        parameters: of the N images. For what lies between two frames both must be mirrored together, and for
            points also cropped alike.
        names: name → names of the D entries, for `sides`.
        between: name → what a value that lies between two frames is: `angle` is [sines, cosines], so D is
            even and the first half changes sign; differences and sums of points are displacements, which no
            longer have a place; others move as a single frame's do.

    Raises:
        HandsightError: naming the stream and what to declare.
    """
    may_flip = parameters.may_flip or bool(parameters.flip.any())
    check_moves({name: moves.get(name) for name in streams}, may_flip, names)
    moved, inside = {}, {}
    for name, values in streams.items():
        kind, step = moves.get(name), (between or {}).get(name)
        _check_shape(name, values, kind, len(parameters))
        if kind == "map":
            moved[name] = _move_map(values, parameters)
        elif kind == "point":
            moved[name] = _move_points(values, parameters, displacement=step in ("difference", "sum"))
            inside[name] = ((moved[name] >= 0) & (moved[name] <= 1)).all(dim=-1)
        elif kind in (None, "nothing") or not may_flip:
            moved[name] = values
        else:
            flip = _rows(parameters.flip, values)
            moved[name] = torch.where(
                flip, _mirrored(name, values, str(kind), step, (names or {}).get(name)), values
            )
    return MovedLabels(moved, inside)


def _check_shape(stream: str, values: Tensor, kind: str | None, images: int) -> None:
    if kind == "map" and values.ndim < 3:
        raise HandsightError(
            f"stream '{stream}' moves as a map but has shape {list(values.shape)} for {images} images;"
            " give it rows and columns as the last two of its sizes"
        )
    if values.ndim < 2 or len(values) != images:
        raise HandsightError(
            f"stream '{stream}' has shape {list(values.shape)} for {images} images; give [N, ..., D]"
        )
    entries, what = {"point": (2, "x and y"), "rotation": (4, "a quaternion wxyz")}.get(
        kind or "", (None, "")
    )
    if entries is not None and values.shape[-1] != entries:
        raise HandsightError(
            f"stream '{stream}' moves as a {kind} but has {values.shape[-1]} entries; "
            f"give {what} in its last dimension"
        )


def _rows(per_image: Tensor, values: Tensor) -> Tensor:
    return per_image.to(values.device).view(-1, *[1] * (values.ndim - 1))


def _move_points(points: Tensor, parameters: Parameters, displacement: bool) -> Tensor:
    top, left, height, width = (_rows(column, points[..., 0]) for column in parameters.crop.unbind(dim=1))
    x, y = points[..., 0] * parameters.width, points[..., 1] * parameters.height
    flip = _rows(parameters.flip, x)
    if displacement:
        x, y = x / width, y / height
        return torch.stack([torch.where(flip, -x, x), y], dim=-1)
    x, y = (x - left) / width, (y - top) / height
    return torch.stack([torch.where(flip, 1 - x, x), y], dim=-1)


def _move_map(values: Tensor, parameters: Parameters) -> Tensor:
    """Crop and mirror what lies over the pictures: each place takes the nearest of the crop's numbers."""
    rows, columns = values.shape[-2:]
    maps, crop = values.reshape(len(values), -1, rows, columns), parameters.crop.to(values.device)
    down = _nearest(crop[:, 0], crop[:, 2], parameters.height, rows)
    along = _nearest(crop[:, 1], crop[:, 3], parameters.width, columns)
    along = torch.where(parameters.flip.to(values.device)[:, None], along.flip(1), along)
    picture = torch.arange(len(values), device=values.device)[:, None, None]
    moved = maps.movedim(1, -1)[picture, down[:, :, None], along[:, None, :]]
    return moved.movedim(-1, 1).reshape(values.shape)


def _nearest(start: Tensor, length: Tensor, pixels: int, places: int) -> Tensor:
    """Return which of a map's places each of as many places of a crop lies in, `[N, places]`."""
    middle = (torch.arange(places, device=start.device) + 0.5) / places
    return ((start[:, None] + middle * length[:, None]) * (places / pixels)).long().clamp(0, places - 1)


def _mirrored(
    stream: str, values: Tensor, kind: str, between: str | None, names: Sequence[str] | None
) -> Tensor:
    entries = values.shape[-1]
    if kind == "angle":
        if between != "angle":
            return -values
        if entries % 2:
            raise HandsightError(
                f"stream '{stream}' lies between frames as an angle but has {entries} entries; "
                "give sines, then cosines"
            )
        return torch.cat([-values[..., : entries // 2], values[..., entries // 2 :]], dim=-1)
    if kind == "rotation":
        # Mirroring x turns an axis of rotation (x, y, z), an axial vector, into (x, −y, −z).
        return values * values.new_tensor([1.0, 1.0, -1.0, -1.0])
    order = mirrored_entries(stream, names)
    if entries % len(order):
        raise HandsightError(
            f"stream '{stream}' has {entries} entries but {len(order)} names; give one name per entry"
        )
    # Sines and cosines, or several frames, stand one after another: the same swap in each.
    blocks = values.reshape(*values.shape[:-1], -1, len(order))
    return blocks[..., torch.tensor(order, device=values.device)].flatten(-2)
