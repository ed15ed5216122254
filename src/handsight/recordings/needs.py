"""Needs: what one training sample of a method is made of, and what lies between its two frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.recordings.features import NUMBERS, Between, Feature

Pairing = Literal["uniform", "window", "random-walk", "opposite", "contrast"]
"""Where a sample's later frames come from.

`uniform`: anywhere in the clip, the first frame included (action-aware SSL: a turn of 2°·r, r uniform in
    [−180, 180]).
`window`: `gap` frames after the one before.
`random-walk`: where `walk_steps` steps of one frame lead from the one before, each forwards or backwards
    alike; a step that would leave the clip is not made. Action-aware SSL names it and gives no number.
`opposite`: the other side. Where the sample's stream, or one that the recording declares, is an angle, the
    frame of the clip whose angle is nearest to half a turn away; else the one half the clip's length away.
`contrast`: of every two samples that follow one another, the first has another frame of its clip, the second
    any frame of another clip; the batch says which in `same` (The Curious Robot: pairs of one interaction,
    and as many of different ones).
"""

BOUNDED: tuple[Between, ...] = ("angle", "relative_rotation")
"""Kinds whose numbers are sines, cosines or quaternions: on one scale already, they are not normalised."""


@dataclass(frozen=True)
class Needs:
    """One training sample.

    Args:
        frames: frames in a sample.
        views: augmented pictures made of each frame.
        pairing: where the later frames come from.
        gap: least and most frames from one frame to the next (`window` only), both ≥ 1.
        walk_steps: from one frame to the next (`random-walk` only), ≥ 1; None takes as many as the clip has
            frames.
        between: float stream → what lies between the first and the second frame; None takes the stream's own
            declaration. Of a sample with another number of frames only `first` can be asked, which any stream
            of numbers can say.
        facts: episode facts that come with the sample, as integer codes.
        camera: only frames of this one; None takes those of all cameras in use.
        where: episode fact → the values, as text, that an episode is to have one of; clips of other episodes
            are left out, and with them clips too short to give a sample.
        at_start: whether a sample begins with a clip's first frame; otherwise with any.
    """

    frames: int = 1
    views: int = 1
    pairing: Pairing = "uniform"
    gap: tuple[int, int] | None = None
    walk_steps: int | None = None
    between: Mapping[str, Between | None] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    camera: str | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at_start: bool = False

    def __post_init__(self) -> None:
        if self.frames < 1 or self.views < 1:
            raise HandsightError(
                f"a sample has {self.frames} frames and {self.views} views; each must be at least 1"
            )
        if self.pairing not in get_args(Pairing):
            raise HandsightError(
                f"pairing is {self.pairing!r}; it can be one of {', '.join(get_args(Pairing))}"
            )
        if self.pairing == "window":
            if self.gap is None or not 1 <= self.gap[0] <= self.gap[1]:
                raise HandsightError(
                    f"pairing 'window' came with gap {self.gap}; give least and most frames, as in (1, 30)"
                )
        elif self.gap is not None:
            raise HandsightError(
                f"gap {self.gap} came with pairing {self.pairing!r}; only 'window' has a gap"
            )
        if self.walk_steps is not None and (self.pairing != "random-walk" or self.walk_steps < 1):
            raise HandsightError(
                f"walk_steps {self.walk_steps} came with pairing {self.pairing!r};"
                " only 'random-walk' has steps, at least 1"
            )
        if self.pairing in ("opposite", "contrast") and self.frames != 2:
            one = {"opposite": "a frame has one opposite", "contrast": "a pair is of one clip or of two"}
            raise HandsightError(
                f"pairing '{self.pairing}' came with {self.frames} frames; {one[self.pairing]}: give frames 2"
            )
        if self.pairing == "contrast" and self.between:
            raise HandsightError(
                f"what lies between frames ({', '.join(self.between)}) was asked of pairing 'contrast';"
                " nothing lies between frames of two clips: choose another pairing"
            )
        # What a stream declares is known only with the recording: see `resolve_between`.
        alone = {"first", None} if self.frames == 1 else {"first"}
        if self.frames != 2 and {*self.between.values()} - alone:
            raise HandsightError(
                f"what lies between frames was asked of a sample of {self.frames} frames; it takes 2"
            )
        if "stack" in self.between.values() and (self.gap is None or self.gap[0] != self.gap[1]):
            raise HandsightError(
                "'stack' needs pairing 'window' with one fixed gap, as in (10, 10),"
                " so that its length is fixed"
            )

    def missing(self, features: Mapping[str, Feature], facts: Mapping[str, object]) -> list[str]:
        """Return the streams and facts of this sample that a recording with these does not have."""
        return [name for name in self.between if name not in features] + [
            name for name in dict.fromkeys((*self.facts, *self.where)) if name not in facts
        ]

    @property
    def shortest_clip(self) -> int:
        """Frames that a clip must have at least to give a sample."""
        if self.pairing == "contrast":
            return 2
        return 1 if self.gap is None else 1 + self.gap[0] * (self.frames - 1)


def resolve_between(name: str, feature: Feature, asked: Between | None, frames: int = 2) -> Between:
    """Return what lies between two frames: as asked, else as the stream declares, else `difference`.

    Of a sample of one frame it is what that frame says, and nothing else can be declared.

    Raises:
        HandsightError: for a stream that is not of numbers (of floats, but for `first`), an unknown kind, a
            rotation that is no quaternion, or something that lies between frames where a sample has not two.
    """
    if asked is not None and asked not in get_args(Between):
        raise HandsightError(f"between is {asked!r}; it can be one of {', '.join(get_args(Between))}")
    kind = asked or feature.between or ("difference" if frames == 2 else "first")
    countable = feature.dtype in (*NUMBERS, "bool") if kind == "first" else feature.dtype.startswith("float")
    if not countable:
        takes = "numbers" if kind == "first" else "a float stream"
        raise HandsightError(
            f"stream '{name}' is {feature.dtype}; what lies between two frames takes {takes}"
        )
    if frames != 2 and kind != "first":
        raise HandsightError(
            f"stream '{name}' declares '{kind}', which lies between two frames, and a sample has {frames};"
            " ask for what its first frame says: --between first"
        )
    size = int(np.prod(feature.shape))
    if kind == "relative_rotation" and size != 4:
        raise HandsightError(
            f"stream '{name}' has {size} entries; a relative rotation takes a quaternion wxyz, 4 of them"
        )
    return kind


def between_frames(
    kind: Between, values: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return what lies between two frames of one stream.

    Args:
        kind: `difference`: second − first. `angle`: sine and cosine of the difference of angles in rad.
            `relative_rotation`: conj(q₀) ⊗ q₁ of quaternions wxyz, with w ≥ 0. `sum`: of what was done from
            the first frame up to the second, exclusive (negative when time runs backwards). `stack`: the
            entries from the first frame up to the second, exclusive, one after another. `first`: the first
            frame's own value, for what says under which circumstances it was done, as a flag of the clip.
        values: the stream, `[N, D]`.
        first: rows of the first frames, `[B]`.
        second: rows of the second frames, `[B]`, of the same episodes.

    Returns:
        float32 `[B, A]`.
    """
    if kind == "difference":
        return values[second] - values[first]
    if kind == "first":
        return values[first]
    if kind == "angle":
        turned = values[second].astype(np.float64) - values[first].astype(np.float64)
        return np.concatenate([np.sin(turned), np.cos(turned)], axis=1).astype(np.float32)
    if kind == "relative_rotation":
        return _relative_rotation(values[first].astype(np.float64), values[second].astype(np.float64))
    if kind == "sum":
        rows = [
            values[a:b].sum(axis=0, dtype=np.float64)
            if a <= b
            else -values[b:a].sum(axis=0, dtype=np.float64)
            for a, b in zip(first, second, strict=True)
        ]
        return np.stack(rows).astype(np.float32)
    return np.stack([values[a:b].reshape(-1) for a, b in zip(first, second, strict=True)])


def _relative_rotation(q0: NDArray[np.float64], q1: NDArray[np.float64]) -> NDArray[np.float32]:
    w0, v0, w1, v1 = q0[:, :1], q0[:, 1:], q1[:, :1], q1[:, 1:]
    w = w0 * w1 + (v0 * v1).sum(axis=1, keepdims=True)
    v = w0 * v1 - w1 * v0 - np.cross(v0, v1)
    turned = np.concatenate([w, v], axis=1)
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    # q and −q are the same rotation: one of them is chosen, or the same action would have two codes.
    return np.where(turned[:, :1] < 0, -turned, turned).astype(np.float32)
