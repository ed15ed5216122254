"""From the times a camera took its frames at to a steady frame rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

_Frame = TypeVar("_Frame")


def nearest_frames(
    frames: Iterable[tuple[Fraction, _Frame]], fps: Fraction, interval_s: Fraction
) -> Iterator[_Frame]:
    """Yield for k = 0, 1, … the frame nearest to k / fps s after the first; of two equally near the earlier.

    The last one is the last that lies less than half a frame's interval behind the last frame. Times are
    fractions: over hours nothing drifts. At most two frames are held.

    Args:
        frames: time in s and frame, in order of time.
        fps: frames per second that are wanted.
        interval_s: the usual time between two of the given frames.
    """
    previous: tuple[Fraction, _Frame] | None = None
    due = Fraction(0)
    for time, frame in frames:
        if previous is None:
            due = time
        else:
            middle = (previous[0] + time) / 2
            while due <= middle:
                yield previous[1]
                due += 1 / fps
        previous = time, frame
    while previous is not None and due < previous[0] + interval_s / 2:
        yield previous[1]
        due += 1 / fps
