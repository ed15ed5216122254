"""Pairing: where a sample's later frames come from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handsight.recordings.needs import Needs
from handsight.recordings.pieces import Pieces

Ints = NDArray[np.int64]


def draw_frames(needs: Needs, generator: np.random.Generator, first: Ints, start: Ints, length: Ints) -> Ints:
    """Draw the frames of samples, but for `opposite`, which is not drawn.

    Args:
        needs: `frames` F, `pairing` and its option.
        generator: source of the draws.
        first: `[B]`, numbers of the first frames.
        start: `[B]`, number of the first frame of the run that each is in.
        length: `[B]`, frames of that run.

    Returns:
        `[B, F]`; column 0 is `first`, moved back where a window would pass its run's end.
    """
    shape = (len(first), needs.frames - 1)
    if needs.pairing == "uniform":
        later = generator.integers(start[:, None], (start + length)[:, None], shape)
        return np.concatenate([first[:, None], later], axis=1)
    if needs.pairing == "random-walk":
        return _walk(needs, generator, first, start, length)
    assert needs.gap is not None
    low, high = needs.gap
    # A gap is drawn only as wide as the run allows, and the first frame moves back where the others would
    # pass its end.
    widest = np.minimum(high, (length - 1) // max(1, needs.frames - 1))
    gaps = generator.integers(low, widest[:, None] + 1, shape)
    offsets = np.concatenate([np.zeros((len(first), 1), dtype=np.int64), np.cumsum(gaps, axis=1)], axis=1)
    moved: Ints = np.minimum(first, start + length - 1 - offsets[:, -1])[:, None] + offsets
    return moved


def draw_contrast(pieces: Pieces, generator: np.random.Generator, piece: Ints, first: Ints) -> Ints:
    """Return the second frames of pairs `[B]`: by turns another of the same clip, and one of another clip.

    Args:
        pieces: runs of frames, of two clips at least; those of one clip stand together.
        generator: source of the draws.
        piece: `[B]`, the run of each first frame.
        first: `[B]`, numbers of the first frames.
    """
    start, length = pieces.start[piece], pieces.length[piece]
    # Drawn from all but the frame itself: one fewer, and those from it on move up by one.
    own = start + generator.integers(0, np.maximum(length - 1, 1))
    own += own >= first
    # Drawn from the frames of all other clips: those of its own are skipped in the same way.
    ends = pieces.ends
    low, high = (np.searchsorted(pieces.clip, pieces.clip[piece], side=side) for side in ("left", "right"))
    before, within = ends[low] - pieces.length[low], ends[high - 1] - (ends[low] - pieces.length[low])
    place = generator.integers(0, ends[-1] - within)
    place += np.where(place >= before, within, 0)
    where = np.searchsorted(ends, place, side="right")
    other = pieces.start[where] + place - (ends[where] - pieces.length[where])
    return np.where(np.arange(len(first)) % 2 == 0, own, other)


def _walk(needs: Needs, generator: np.random.Generator, first: Ints, start: Ints, length: Ints) -> Ints:
    """Walk from each frame to the next by steps of one frame, forwards or backwards alike.

    A step that would leave the run is not made. Such a walk is a free one, folded at the run's two ends; and
    the sum of its steps is binomial, so it need not be walked.
    """
    steps = length if needs.walk_steps is None else np.full_like(length, needs.walk_steps)
    forwards = generator.binomial(steps[:, None], 0.5, (len(first), needs.frames - 1))
    moved = np.cumsum(2 * forwards - steps[:, None], axis=1)
    place = ((first - start)[:, None] + moved) % (2 * length[:, None])
    folded = np.minimum(place, 2 * length[:, None] - 1 - place)
    return np.concatenate([first[:, None], start[:, None] + folded], axis=1)


def opposite_frames(first: Ints, start: Ints, length: Ints) -> Ints:
    """Return for each frame `[B]` the one half its run's length away, forwards or backwards."""
    return start + (first - start + length // 2) % length


def opposite_angles(angle_rad: NDArray[np.floating], first: Ints, start: Ints, length: Ints) -> Ints:
    """Return for each frame `[B]` the one of its run whose angle is nearest to half a turn away.

    The first of them, where several are.

    Args:
        angle_rad: `[N]`, of every frame.
        first: rows of the first frames.
        start: row at which the run of each begins.
        length: frames of that run.
    """
    found = np.empty_like(first)
    for sample, (frame, begin, count) in enumerate(zip(first, start, length, strict=True)):
        angles = np.asarray(angle_rad[begin : begin + count], dtype=np.float64)
        apart = angles - float(angle_rad[frame]) - np.pi
        # Rounded, so that of frames equally near it is the first, whatever float32 made of them.
        off = np.abs((apart + np.pi) % (2 * np.pi) - np.pi).round(4)
        found[sample] = begin + int(off.argmin())
    return found
