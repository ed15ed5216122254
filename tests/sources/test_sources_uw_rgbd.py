from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from curious_material import UW_RGBD, crop_size, make_uw_rgbd
from objects_material import encoded, picture

from handsight.cli import run
from handsight.errors import HandsightError
from handsight.recordings import Recording, check
from handsight.sources import ingest_uw_rgbd
from handsight.sources.intake import CAMERA


def ingest(source: Path, out: Path, **options: object) -> Recording:
    assert ingest_uw_rgbd(source, out, **{"size": 16, "validation": 0.0, "test": 0.0} | options) == out
    assert check(out, thorough=True) == []
    return Recording(out)


def refused(message: str, source: Path, out: Path, **options: object) -> None:
    with pytest.raises(HandsightError, match=re.escape(message)) as caught:
        ingest_uw_rgbd(source, out, **{"size": 16} | options)
    assert "\n" not in str(caught.value)


def crops() -> list[tuple[int, int]]:
    """Number of the video and of the frame, as `make_uw_rgbd` counts them, in order."""
    return [(number, frame) for number, frames in enumerate(UW_RGBD.values()) for frame in frames]


def test_an_episode_is_a_video_of_an_instance_with_its_frames_in_order(tmp_path: Path):
    recording = ingest(make_uw_rgbd(tmp_path / "rgbd-dataset"), tmp_path / "out")
    assert recording.facts["source"].tolist() == list(UW_RGBD)
    assert np.diff(recording.episode_starts).tolist() == [len(frames) for frames in UW_RGBD.values()]
    assert recording.facts["category"].tolist() == ["apple"] * 3 + ["bell_pepper"] * 2
    instances = ["apple_1", "apple_1", "apple_2", "bell_pepper_2", "bell_pepper_10"]
    assert recording.facts["instance"].tolist() == instances
    assert recording.facts["video"].tolist() == [1, 2, 4, 1, 1]
    assert recording.facts["elevation_deg"].tolist() == [30, 45, 60, 30, 30]
    assert len(set(recording.facts["object"].tolist())) == 4
    assert set(recording.facts["split"]) == {"train"}
    assert list(recording.tasks) == [("turn the object",)] * 5
    assert list(recording.features)[:1] == [CAMERA]
    for row, (number, frame) in enumerate(crops()):
        height, width = crop_size(number, frame)
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        crop = picture(1000 * number + frame, height, width)[top : top + side, left : left + side]
        expected = cv2.resize(crop, (16, 16), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(recording.frames([row])[0], expected)


def test_all_of_a_crop_may_be_stretched(tmp_path: Path):
    source = make_uw_rgbd(tmp_path / "in")
    recording = ingest(source, tmp_path / "out", stretch=True)
    assert recording.features[CAMERA].shape == (16, 16, 3)
    for row, (number, frame) in enumerate(crops()):
        crop = picture(1000 * number + frame, *crop_size(number, frame))
        expected = cv2.resize(crop, (16, 16), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(recording.frames([row])[0], expected)
    refused("stretch came without a size; give --size", source, tmp_path / "none", stretch=True, size=None)
    refused(
        "was ingested with stretch true, now false is asked for", source, tmp_path / "out", validation=0.0
    )


def test_stored_as_video(tmp_path: Path):
    recording = ingest(make_uw_rgbd(tmp_path / "in"), tmp_path / "out", video=True, stretch=True)
    assert recording.features[CAMERA].dtype == "video"
    assert recording.num_frames == 13
    refused("size is 15 px; it must be", tmp_path / "in", tmp_path / "odd", size=15, video=True)


def test_crops_of_one_size_stay_as_they_are_and_others_need_a_size(tmp_path: Path):
    one = make_uw_rgbd(tmp_path / "one", {"apple/apple_1/1": (1,)})
    recording = ingest(one, tmp_path / "out", size=None, square=False)
    data = pq.read_table(recording.root / "data" / "chunk-000" / "file-000.parquet")
    assert data[CAMERA].to_pylist()[0]["bytes"] == encoded(picture(1, *crop_size(0, 1)))
    source = make_uw_rgbd(tmp_path / "in")
    refused("a recording has one size: give --size", source, tmp_path / "x", size=None, square=False)
    refused("a recording has one size: give --square true", source, tmp_path / "y", square=False)


def test_an_object_has_one_split_whatever_else_is_there(tmp_path: Path):
    videos = {f"cup/cup_{n}/{video}": (1,) for n in range(1, 31) for video in (1, 4)}
    recording = ingest(make_uw_rgbd(tmp_path / "in", videos), tmp_path / "out", validation=0.2, test=0.3)
    told = pd.DataFrame({name: recording.facts[name] for name in ("instance", "object", "split")})
    assert (told.groupby("instance").nunique() == 1).all(axis=None)
    shares = told.drop_duplicates("instance")["split"].value_counts()
    assert set(shares.index) == {"train", "validation", "test"}
    fewer = make_uw_rgbd(tmp_path / "fewer", dict(list(videos.items())[10:20]))
    few = ingest(fewer, tmp_path / "few", validation=0.2, test=0.3)
    alone, among = (set(zip(r.facts["source"], r.facts["split"], strict=True)) for r in (few, recording))
    assert alone < among


def test_what_is_no_crop_is_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    source = make_uw_rgbd(tmp_path / "in")
    instance = source / "apple" / "apple_1"
    content = (instance / "apple_1_1_1_crop.png").read_bytes()
    for name in ("apple_1_1_01_crop.png", "apple_2_1_16_crop.png", "crop.png", "._apple_1_1_1_crop.png"):
        (instance / name).write_bytes(content)
    (source / "apple" / "more" / "apple_3").mkdir(parents=True)
    recording = ingest(source, tmp_path / "out")
    assert recording.num_frames == 13
    assert "2 crops with another name (the first: apple/apple_1/apple_" in caplog.text
    assert "1 folders without crops of their own (the first: apple/more)" in caplog.text


def test_what_is_not_as_it_should_be_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    refused("nowhere is not there; give the folder of the categories", tmp_path / "nowhere", tmp_path / "out")
    source = make_uw_rgbd(tmp_path / "in")
    example = "expected pictures such as apple/apple_1/apple_1_1_1_crop.png"
    refused(f"in/apple holds no crop; {example}", source / "apple", tmp_path / "out")
    refused("share", source, tmp_path / "out", validation=0.6, test=0.6)
    assert not (tmp_path / "out").exists()
    make_uw_rgbd(source, {"apple/apple_1/3": (1,)})
    crop = source / "bell_pepper" / "bell_pepper_2" / "bell_pepper_2_1_6_crop.png"
    crop.write_bytes(crop.read_bytes()[:200])
    refused(
        "apple/apple_1 has crops of a video 3; expected 1 (30°), 2 (45°), 4 (60°)", source, tmp_path / "out"
    )
    recording = ingest(source, tmp_path / "rest", skip_broken=True)
    assert recording.facts["source"].tolist() == [*list(UW_RGBD)[:3], list(UW_RGBD)[4]]
    assert "bell_pepper/bell_pepper_2/bell_pepper_2_1_6_crop.png cannot be read as an image" in caplog.text
    assert "2 clips were broken and left out" in caplog.text
    crop.unlink()
    crop.mkdir()
    (source / "apple" / "apple_1" / "apple_1_3_1_crop.png").unlink()
    refused("bell_pepper_2_1_6_crop.png cannot be read (Is a directory)", source, tmp_path / "out")


def test_the_command_line_knows_it(tmp_path: Path):
    source = make_uw_rgbd(tmp_path / "in")
    assert run(["ingest", "uw-rgbd", str(source), str(tmp_path / "out"), "--size", "12"]) == 0
    assert run(["check", str(tmp_path / "out")]) == 0
    assert Recording(tmp_path / "out").features[CAMERA].shape == (12, 12, 3)
