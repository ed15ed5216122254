from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources_material import quarters

from handsight.errors import HandsightError
from handsight.sources.decoding import upright
from handsight.sources.framing import Framing, over_white


@given(
    height=st.integers(2, 90),
    width=st.integers(2, 90),
    half=st.one_of(st.none(), st.integers(1, 40)),
    square=st.booleans(),
    even=st.booleans(),
)
def test_the_shape_that_is_announced_is_the_one_that_comes(
    height: int, width: int, half: int | None, square: bool, even: bool
):
    size = None if half is None else 2 * half
    framing = Framing(size, square, even)
    shape = framing.shape(height, width)
    picture = framing.apply(np.zeros((height, width, 3), np.uint8))
    assert picture.shape == (*shape, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    if size is not None:
        assert min(shape) == size
    if square:
        assert shape[0] == shape[1]
    if even:
        assert shape[0] % 2 == shape[1] % 2 == 0
    if (
        size is not None and not square
    ):  # the aspect ratio is kept to the pixel, or to two where sides are even
        exact = max(height, width) * size / min(height, width)
        assert abs(max(shape) - exact) <= (1 if even else 0.5)


def test_shrinking_averages_over_areas():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, ::2] = 200
    assert (Framing(2, square=False, even=False).apply(picture) == 100).all()


def test_square_is_the_middle():
    picture = np.arange(10, dtype=np.uint8)[None, :, None] * np.ones((4, 1, 3), np.uint8)
    assert Framing(None, square=True, even=False).apply(picture)[0, :, 0].tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(("size", "even"), [(0, False), (-4, False), (31, True)])
def test_impossible_size_is_refused(size: int, even: bool):
    with pytest.raises(HandsightError, match=re.escape(f"size is {size} px; it must be above zero")):
        Framing(size, square=False, even=even)


def test_transparency_is_laid_over_white():
    picture = np.array([[[9, 9, 9, 0], [200, 100, 0, 255], [0, 100, 200, 51]]], np.uint8)
    # 51 of 255 is a fifth of the colour and four fifths of white.
    assert over_white(picture)[0].tolist() == [[255, 255, 255], [200, 100, 0], [204, 224, 244]]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_upright_turns_and_mirrors_as_the_matrix_says(turns: int, mirrored: bool):
    picture = quarters()
    expected = np.rot90(picture, turns)
    # Counter-clockwise with y pointing down: x' = x cos + y sin, y' = −x sin + y cos.
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    a, b, c, d = cosine, -sine, sine, cosine
    if mirrored:
        expected, a, c = expected[:, ::-1], -a, -c
    matrix = np.array([a, b, 0, c, d]) * 65536
    assert np.array_equal(upright(picture, matrix), expected)
