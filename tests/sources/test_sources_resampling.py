from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from handsight.sources.resampling import nearest_frames


def timed(times: list[Fraction]) -> list[tuple[Fraction, int]]:
    return [(time, index) for index, time in enumerate(times)]


def test_own_rate_gives_every_frame_once_despite_rounded_times():
    times = [Fraction(round(1000 * index / 30), 1000) for index in range(310)]
    assert list(nearest_frames(timed(times), Fraction(30), Fraction(1, 30))) == list(range(310))


def test_lower_rate_takes_every_third():
    times = [Fraction(index, 30) for index in range(10)]
    assert list(nearest_frames(timed(times), Fraction(10), Fraction(1, 30))) == [0, 3, 6, 9]


def test_higher_rate_repeats_the_earlier_of_two_equally_near():
    times = [Fraction(index, 10) for index in range(3)]
    assert list(nearest_frames(timed(times), Fraction(20), Fraction(1, 10))) == [0, 0, 1, 1, 2]


def test_gap_is_filled_from_both_sides():
    assert list(nearest_frames(timed([Fraction(0), Fraction(1)]), Fraction(5), Fraction(1, 5))) == [
        0,
        0,
        0,
        1,
        1,
        1,
    ]


def test_nothing_gives_nothing():
    assert list(nearest_frames([], Fraction(5), Fraction(1, 5))) == []


@given(
    steps=st.lists(st.integers(1, 400), min_size=0, max_size=40),
    start=st.integers(-500, 500),
    fps=st.fractions(Fraction(1, 2), 120, max_denominator=1001),
)
def test_each_frame_is_the_nearest_to_its_time(steps: list[int], start: int, fps: Fraction):
    times = [Fraction(start, 1000)]
    for step in steps:
        times.append(times[-1] + Fraction(step, 1000))
    interval = Fraction(1, 30)
    taken = list(nearest_frames(timed(times), fps, interval))
    due = [times[0] + k / fps for k in range(len(taken) + 1)]
    assert taken == [min(range(len(times)), key=lambda i: (abs(times[i] - time), i)) for time in due[:-1]]
    assert due[-2] < times[-1] + interval / 2 <= due[-1]
