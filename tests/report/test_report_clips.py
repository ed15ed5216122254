"""Clips: the drawn action is the given action."""

import base64
import io
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handsight.errors import HandsightError
from handsight.report import Clip, clips_section, example_clips
from handsight.report.clips import _dial
from handsight.report.markup import to_html
from handsight.report.pictures import still

CATEGORIES = ("bar", "cross", "ring")


def test_turns_stand_between_frames_in_degrees(read, frames):
    turns = np.radians([[30.0], [-90.0], [0.2], [270.0]])
    page = read(clips_section([Clip(frames(5), "mug", "test", turns, "angle")]))
    words = re.findall(r"[+−]?\d+°", page.text)  # each is drawn, and read aloud
    assert words[::2] == words[1::2] == ["+30°", "−90°", "0°", "+270°"]
    assert page.count("li") == 5 + 4
    assert "mug · test" in page.text


@given(st.floats(-2 * math.pi, 2 * math.pi).filter(lambda turn: abs(turn) > 1e-3))
def test_the_arc_ends_where_the_turn_ends(turn):
    drawing, _ = _dial(turn)
    arc = next(path for path in drawing if path.get("class") == "arc")
    large, sweep, x, y = re.fullmatch(r"M0 -13A13 13 0 (\d) (\d) (\S+) (\S+)", arc.get("d")).groups()
    drawn = math.atan2(float(x), -float(y))  # clockwise from the top
    assert math.cos(drawn - turn) > 0.999
    assert (large == "1") == (min(abs(turn), 2 * math.pi - 0.01) > math.pi)
    assert (sweep == "1") == (turn > 0)


def test_bars_show_every_value_to_scale(read, frames):
    actions = np.array([[1.0, 0.0], [-2.0, 0.0], [np.nan, 0.0]])
    page = read(clips_section([Clip(frames(4), "arm", "", actions, names=("x", "y"), unit="m")]))
    bars = [a for tag, a in page.tags if tag == "rect"]
    assert [float(bar["height"]) for bar in bars] == [
        5.5,
        11.0,
    ]  # a missing value and a still entry have none
    assert float(bars[0]["y"]) == 12 - 5.5
    assert float(bars[1]["y"]) == 12
    assert "x ±2 m" in page.text
    assert "x: 1, -2, nan" in page.text


def test_entries_beyond_the_eighth_are_counted(read, frames):
    page = read(clips_section([Clip(frames(3), "arm", "", np.ones((2, 20)))]))
    assert page.count("svg", "bars") == 8
    assert "and 12 more entries" in page.text


@pytest.mark.parametrize("kind", ["angle", "values"])
def test_one_frame_and_no_actions(read, frames, kind):
    page = read(clips_section([Clip(frames(1), "mug"), Clip(frames(1), "mug", "", np.zeros((0, 1)), kind)]))
    assert page.count("figure") == 2
    assert page.count("rect") == 0


def test_no_clips_are_said(read):
    assert "No clips were given." in read(clips_section([])).text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"frames": np.zeros((2, 4, 4, 3))},
            r"clip 'mug' came as float64 \[2, 4, 4, 3\]; expected uint8 \[T, h, w, 3\]",
        ),
        ({"actions": np.zeros((2, 1))}, r"has 2 frames and actions \[2, 1\]; expected actions \[1, A\]"),
        ({"actions": np.zeros((1, 2)), "kind": "angle"}, r"expected actions \[1, 1\]"),
        ({"actions": np.zeros((1, 2)), "names": ("x",)}, r"has 1 names for 2 entries"),
        ({"film": np.zeros((0, 4, 4, 3), np.uint8)}, r"the film of clip 'mug' came as uint8 \[0, 4, 4, 3\]"),
    ],
)
def test_clips_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(HandsightError, match=message):
        Clip(**({"frames": np.zeros((2, 4, 4, 3), np.uint8), "category": "mug"} | fields))


def picture(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/webp;base64,"))))


def test_pictures_are_the_frames_given():
    y, x = np.mgrid[:80, :120]
    frame = np.stack([x * 2, y * 3, 255 - x * 2], axis=2).astype(np.uint8)
    back = np.asarray(picture(still(frame, "a slope", 200).get("src")).convert("RGB"), dtype=float)
    assert back.shape == frame.shape
    assert np.abs(back - frame).mean() < 4
    small = still(frame, "a slope", 40)
    assert (small.get("width"), small.get("height")) == ("60", "40")
    assert "a slope" in to_html(small)


def test_the_moving_picture_goes_forth_and_back(read, frames):
    film = np.stack([np.full((16, 16, 3), 40 * number, np.uint8) for number in range(5)])
    page = read(clips_section([Clip(frames(2, 16), "mug", film=film)]))
    uri = next(a["src"] for tag, a in page.tags if tag == "img" and a["alt"] == "mug, moving")
    moving = picture(uri)
    shades = []
    for number in range(moving.n_frames):
        moving.seek(number)
        shades.append(round(np.asarray(moving.convert("RGB")).mean() / 40))
    assert shades == [0, 1, 2, 3, 4, 3, 2, 1]
    still_one = next(a for tag, a in page.tags if tag == "source")
    assert still_one["media"] == "(prefers-reduced-motion: reduce)"


def test_example_clips_are_of_different_categories_and_tell_the_recorded_turns(shapes):
    clips = example_clips(shapes, np.random.default_rng(0), count=3)
    assert sorted(clip.category for clip in clips) == list(CATEGORIES)
    for clip in clips:
        assert clip.kind == "angle"
        steps = np.degrees(clip.actions[:, 0]) / 60  # the shapes turn by a sixth from frame to frame
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert len(clip.frames) == 6
        assert clip.split in ("train", "validation", "test")
    again = example_clips(shapes, np.random.default_rng(0), count=3)
    np.testing.assert_array_equal(clips[0].frames, again[0].frames)


def test_example_clips_of_another_stream_are_differences(shapes):
    (clip,) = example_clips(shapes, np.random.default_rng(1), count=1, action="observation.state")
    assert clip.kind == "values"
    assert clip.names == ("left.a", "right.a", "still")
    assert not clip.actions[:, 2].any()
    assert example_clips(shapes, np.random.default_rng(1), count=1, action="absent")[0].actions is None
