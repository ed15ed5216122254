from __future__ import annotations

import logging
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sources_material import grey_ramp, numbers, quarters

from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.sources import SOURCES, ingest_images, ingest_video
from handsight.sources.intake import CAMERA
from handsight.sources.pictures import read_picture, read_size


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def save_clip(folder: Path, count: int, first: int = 0) -> None:
    for number, frame in enumerate(grey_ramp(count + first)[first:], start=first):
        save(folder / f"frame{number}.png", frame)


def episodes(recording: Recording) -> list[list[int]]:
    return [numbers(recording.frames(range(a, b))) for a, b in pairwise(recording.episode_starts)]


def ingest(source: Path, out: Path, **options: Any) -> Recording:
    assert ingest_images(source, out, **options) == out
    return Recording(out)


def test_folders_as_clips_in_natural_order(tmp_path: Path):
    save_clip(tmp_path / "in" / "cup" / "clip10", 12)
    save_clip(tmp_path / "in" / "cup" / "clip9", 2, first=3)
    save_clip(tmp_path / "in" / "bowl" / "clip1", 3)
    recording = ingest(tmp_path / "in", tmp_path / "out", fps=5)
    assert recording.fps == 5
    assert recording.facts["source"].tolist() == ["bowl/clip1", "cup/clip9", "cup/clip10"]
    assert recording.facts["category"].tolist() == ["bowl", "cup", "cup"]
    assert episodes(recording) == [[0, 1, 2], [3, 4], list(range(12))]
    assert recording.features[CAMERA].dtype == "image"


def test_one_folder_of_images_is_one_clip(tmp_path: Path):
    save_clip(tmp_path / "turn", 3)
    recording = ingest(tmp_path / "turn", tmp_path / "out")
    assert recording.facts["source"].tolist() == ["turn"]
    assert "category" not in recording.facts
    assert episodes(recording) == [[0, 1, 2]]


def test_an_image_an_episode(tmp_path: Path):
    save_clip(tmp_path / "in", 11)
    recording = ingest(tmp_path / "in", tmp_path / "out", layout="image-per-episode")
    assert recording.facts["source"].tolist() == [f"frame{i}.png" for i in range(11)]
    assert episodes(recording) == [[i] for i in range(11)]


def test_folders_as_categories(tmp_path: Path):
    save_clip(tmp_path / "in" / "cup", 2)
    save_clip(tmp_path / "in" / "bowl" / "more", 1)
    recording = ingest(tmp_path / "in", tmp_path / "out", layout="category-folders")
    assert recording.facts["category"].tolist() == ["bowl", "cup", "cup"]
    save_clip(tmp_path / "in", 1)
    refused("frame0.png lies directly in", tmp_path / "in", tmp_path / "other", layout="category-folders")


def test_stored_as_video(tmp_path: Path):
    save_clip(tmp_path / "in", 4)
    recording = ingest(tmp_path / "in", tmp_path / "out", video=True)
    assert recording.features[CAMERA].dtype == "video"
    assert episodes(recording) == [[0, 1, 2, 3]]


def test_a_single_file(tmp_path: Path):
    recording = ingest(save(tmp_path / "a.png", quarters()), tmp_path / "out", layout="image-per-episode")
    assert np.array_equal(recording.frames([0])[0], quarters())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int):
    picture = quarters(32, 48)
    # EXIF 2.3, tag 0x0112: where the stored picture's row 0 and column 0 belong in the upright one.
    stored = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.swapaxes(0, 1),
        6: np.rot90(picture, 1),
        7: picture[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", np.ascontiguousarray(stored), exif=exif)
    assert np.array_equal(read_picture(path), picture)
    assert read_size(path) == (32, 48)


def test_kinds_of_pixels(tmp_path: Path):
    grey = (np.arange(48, dtype=np.uint8) * 5)[None].repeat(32, 0)
    expected = np.repeat(grey[:, :, None], 3, 2)
    deep = grey.astype(np.uint16) * 256 + 255
    assert np.array_equal(read_picture(save(tmp_path / "grey.png", grey)), expected)
    assert np.array_equal(read_picture(save(tmp_path / "deep.png", deep)), expected)
    assert np.array_equal(read_picture(save(tmp_path / "deep.tif", deep)), expected)
    see_through = np.dstack([expected, np.where(grey < 100, 0, 255).astype(np.uint8)])
    over_white = np.where(grey[:, :, None] < 100, 255, expected)
    assert np.array_equal(read_picture(save(tmp_path / "rgba.png", see_through)), over_white)
    Image.fromarray(expected).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    assert np.abs(read_picture(tmp_path / "palette.png").astype(int) - expected).max() <= 5
    Image.fromarray(quarters()).convert("CMYK").save(tmp_path / "cmyk.tif")
    assert np.array_equal(read_picture(tmp_path / "cmyk.tif"), quarters())
    Image.fromarray(grey > 100).save(tmp_path / "one_bit.png")
    assert set(np.unique(read_picture(tmp_path / "one_bit.png"))) == {0, 255}


def test_mixed_sizes(tmp_path: Path):
    save(tmp_path / "in" / "a.png", quarters(32, 48))
    save(tmp_path / "in" / "b.png", quarters(64, 96))
    save(tmp_path / "in" / "c.png", quarters(60, 40))
    refused(
        "b.png would be 96 × 64 px, but a.png 48 × 32 px; a recording has one size: give --size",
        tmp_path / "in",
        tmp_path / "out",
    )
    refused(
        "c.png would be 16 × 24 px, but a.png 24 × 16 px; a recording has one size: give --square true",
        tmp_path / "in",
        tmp_path / "out",
        size=16,
    )
    assert not (tmp_path / "out").exists()
    recording = ingest(tmp_path / "in", tmp_path / "out", size=16, square=True)
    assert recording.features[CAMERA].shape == (16, 16, 3)
    assert recording.num_frames == 3


class _StopError(Exception):
    pass


def test_goes_on_where_it_stopped_and_takes_in_what_came_since(tmp_path: Path):
    for name in ("clip2", "clip3", "clip4"):
        save_clip(tmp_path / "in" / name, 3)

    def stop(done: int, total: int) -> None:
        assert total == 9
        if done == 5:
            raise _StopError

    with pytest.raises(_StopError):
        ingest_images(tmp_path / "in", tmp_path / "out", progress=stop)
    assert Recording(tmp_path / "out").facts["source"].tolist() == ["clip2"]
    save_clip(tmp_path / "in" / "clip1", 2)
    recording = ingest(tmp_path / "in", tmp_path / "out")
    assert recording.facts["source"].tolist() == ["clip2", "clip1", "clip3", "clip4"]
    assert episodes(recording) == [[0, 1, 2], [0, 1], [0, 1, 2], [0, 1, 2]]
    assert ingest(tmp_path / "in", tmp_path / "out").num_episodes == 4


def refused(message: str, source: Path, out: Path, **options: Any) -> None:
    with pytest.raises(HandsightError, match=re.escape(message)) as caught:
        ingest_images(source, out, **options)
    assert "\n" not in str(caught.value)


def test_faults_are_told_by_name(tmp_path: Path):
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8))
    broken = {
        "torn.png": (whole.read_bytes()[:900], "torn.png cannot be read as an image ("),
        "text.jpg": (b"hello", "text.jpg cannot be read as an image (it is none of the known image formats)"),
        "empty.png": (b"", "empty.png cannot be read as an image (it is none of the known image formats)"),
        "phone.HEIC": (b"x", "phone.HEIC is HEIC, which cannot be read; convert it to PNG or JPEG"),
    }
    for name, (content, message) in broken.items():
        (tmp_path / name).write_bytes(content)
        refused(message, tmp_path / name, tmp_path / "out", layout="image-per-episode")
    pages = [Image.fromarray(quarters()), Image.fromarray(quarters()[::-1])]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    refused(
        "pages.tif holds 2 pictures; expected one, so split it first",
        tmp_path / "pages.tif",
        tmp_path / "out",
    )
    save(tmp_path / "float.tif", np.ones((4, 4), np.float32))
    refused("float.tif holds floats, whose range is unknown", tmp_path / "float.tif", tmp_path / "out")
    (tmp_path / "none").mkdir()
    refused("none holds no files; known endings are .bmp .jpeg", tmp_path / "none", tmp_path / "out2")


def test_clip_with_a_broken_image_is_left_out_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    save_clip(tmp_path / "in" / "clip1", 3)
    save_clip(tmp_path / "in" / "clip2", 3)
    save_clip(tmp_path / "in" / "clip3", 3)
    (tmp_path / "in" / "clip1" / "frame1.png").write_bytes(b"")
    torn = save(tmp_path / "in" / "clip2" / "frame2.png", quarters())
    torn.write_bytes(torn.read_bytes()[:-40])
    with caplog.at_level(logging.WARNING):
        recording = ingest(tmp_path / "in", tmp_path / "out", skip_broken=True)
    assert recording.facts["source"].tolist() == ["clip3"]
    assert episodes(recording) == [[0, 1, 2]]
    assert re.search(r"left out: .*clip1/frame1.png cannot be read", caplog.text)
    assert re.search(r"left out: .*clip2/frame2.png cannot be read", caplog.text)


def test_sources_by_name():
    assert SOURCES["video"] is ingest_video
    assert SOURCES["images"] is ingest_images
    assert all(source.__name__ == f"ingest_{name.replace('-', '_')}" for name, source in SOURCES.items())
