from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from objects_material import make_co3d, make_co3d_packed, picture, read_annotations, write_annotations
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.recordings import Clips, Needs, Recording, Sampler, check
from handsight.sources import ingest_co3d
from handsight.sources.co3d import FEATURES, ROTATION, TRANSLATION
from handsight.sources.intake import CAMERA

APPLE = "apple/110_13051_23361"


def ingest(source: Path, out: Path, **options: object) -> Recording:
    assert ingest_co3d(source, out, **{"size": 16, "validation": 0.0, "test": 0.0} | options) == out
    assert check(out, thorough=True) == []
    return Recording(out)


def expected_actions(views: list[dict[str, Any]], pairs: np.ndarray) -> np.ndarray:
    """The paper's nine numbers by scipy: quaternion of R0ᵀ R1 (wxyz, w ≥ 0), T1 − T0 and f1 − f0."""
    rows = []
    for one, other in ((views[a], views[b]) for a, b in pairs):
        turn = Rotation.from_matrix(np.array(one["R"]).T @ np.array(other["R"]))
        x, y, z, w = turn.as_quat(canonical=True)
        rest = [np.subtract(other[name], one[name]) for name in ("T", "focal_length")]
        rows.append(np.concatenate([[w, x, y, z], *rest]))
    return np.stack(rows)


def sample(recording: Recording, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Actions `[count, 9]` and frame numbers of a training batch."""
    needs = Needs(2, between=dict.fromkeys(FEATURES))
    batch = Sampler(Clips([recording], size=16), {"pair": needs}, count, seed=0).batch("pair", 0)
    return np.concatenate([batch[name] for name in FEATURES], axis=1), batch["frame_index"].numpy()


def test_folders_become_clips_with_the_papers_nine_numbers(tmp_path: Path):
    views = make_co3d(tmp_path / "in")
    recording = ingest(tmp_path / "in", tmp_path / "out")
    assert recording.facts["source"].tolist() == list(views)
    assert recording.facts["category"].tolist() == ["apple", "apple", "toytruck"]
    assert recording.facts["instance"].tolist()[1] == "189_20393_38136"
    assert len(set(recording.facts["object"].tolist())) == 3
    found, pairs = sample(recording, 18)
    flat = [view for name in recording.facts["source"] for view in views[name]]
    np.testing.assert_allclose(found, expected_actions(flat, pairs), atol=2e-5)


def test_the_packed_form_gives_the_same_action(tmp_path: Path):
    views = make_co3d_packed(tmp_path / "in")
    recording = ingest(tmp_path / "in", tmp_path / "out", size=24)
    assert recording.facts["source"].tolist() == [
        *(f"train/{APPLE}", "train/apple/189_20393_38136", "test/toytruck/379_44700_88573")
    ]
    assert recording.facts["split"].tolist() == ["train", "train", "test"]
    found, pairs = sample(recording, 12)
    flat = [view for name in views for view in views[name]]
    np.testing.assert_allclose(found, expected_actions(flat, pairs), atol=2e-5)
    assert np.abs(recording.frames([8])[0].astype(int) - picture(102, 24, 32)[:, 4:28]).mean() < 4  # JPEG
    make_co3d(tmp_path / "folders")
    folders = ingest(tmp_path / "folders", tmp_path / "out2")
    assert folders.facts["object"].tolist() == recording.facts["object"].tolist()


def test_frames_stand_by_number_and_those_without_picture_or_pose_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    views = make_co3d(tmp_path / "in")
    apple = tmp_path / "in" / "apple"
    frames = read_annotations(apple)
    frames[2]["viewpoint"] = None
    del frames[3]["viewpoint"]
    frames[9]["viewpoint"]["T"] = [0.0, float("nan"), 1.0]
    write_annotations(apple, frames[::-1])
    (tmp_path / "in" / frames[4]["image"]["path"]).unlink()
    (tmp_path / "in" / "banana").mkdir()
    shutil.rmtree(tmp_path / "in" / "toytruck" / "379_44700_88573")
    recording = ingest(tmp_path / "in", tmp_path / "out")
    assert np.diff(recording.episode_starts).tolist() == [3, 5]
    for said in (
        "1 folders without annotations (the first: banana)",
        f"1 poses without a picture (the first: {APPLE}/images/frame000005.jpg)",
        f"3 pictures without a pose (the first: {APPLE}/images/frame000003.jpg)",
        "1 sequences without a folder (the first: toytruck/379_44700_88573)",
    ):
        assert said in caplog.text
    there = [(APPLE, i) for i in (0, 1, 5)] + [("apple/189_20393_38136", i) for i in (0, 1, 2, 4, 5)]
    found, pairs = sample(recording, 8)
    expected = expected_actions([views[name][index] for name, index in there], pairs)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_cameras_that_were_not_found_are_far_away_and_nothing_worse(tmp_path: Path):
    make_co3d(tmp_path / "in")
    frames = read_annotations(tmp_path / "in" / "apple")
    frames[0]["viewpoint"]["T"] = [3.1e9, -7.5e8, 1.2e9]
    write_annotations(tmp_path / "in" / "apple", frames)
    recording = ingest(tmp_path / "in", tmp_path / "out")
    np.testing.assert_allclose(recording.stream(TRANSLATION)[0], [3.1e9, -7.5e8, 1.2e9], rtol=1e-6)


def refused(message: str, source: Path, out: Path, **options: object) -> None:
    with pytest.raises(HandsightError, match=re.escape(message)) as caught:
        ingest_co3d(source, out, **options)
    assert "\n" not in str(caught.value)


def _viewpoint(change: Callable[[dict[str, Any]], Any]) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda frames: change(frames[1]["viewpoint"])


IDENTITY = np.eye(3).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_viewpoint(lambda v: v.update(R=IDENTITY[:2])), "R has shape (2, 3), expected (3, 3)"),
        (_viewpoint(lambda v: v.update(T=[1.0])), "T has shape (1,), expected (3,)"),
        (_viewpoint(lambda v: v.update(focal_length=2.0)), "focal_length has shape (), expected (2,)"),
        (_viewpoint(lambda v: v.pop("focal_length")), "has no 'focal_length'"),
        (_viewpoint(lambda v: v.update(T="abc")), "is no frame annotation of CO3D: could not convert"),
        (
            _viewpoint(lambda v: v.update(R=(2 * np.eye(3)).tolist())),
            "frame000002.jpg has the rotation matrix (2, 0, 0, 0, 2, 0, 0, 0, 2), which is off orthonormal",
        ),
        (_viewpoint(lambda v: v.update(R=(-np.eye(3)).tolist())), "which mirrors; expected a rotation"),
        (lambda frames: frames[1].pop("image"), f"{APPLE}, annotation 1 is no frame annotation of CO3D"),
    ],
)
def test_annotations_of_another_form_are_named_and_cost_their_clip(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], Any], message: str
):
    make_co3d(tmp_path / "in", frames_n=2)
    frames = read_annotations(tmp_path / "in" / "apple")
    change(frames)
    write_annotations(tmp_path / "in" / "apple", frames)
    refused(message, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert ingest(tmp_path / "in", tmp_path / "out", skip_broken=True).num_episodes == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "apple/frame_annotations.jgz cannot be unpacked ("),
        (gzip.compress(b"[]" * 999)[:-12], "apple/frame_annotations.jgz cannot be unpacked ("),
        (gzip.compress(b"{nonsense"), "apple/frame_annotations.jgz holds no list of CO3D's frame anno"),
        (gzip.compress(b'{"a": 1}'), "apple/frame_annotations.jgz holds no list of CO3D's frame annotatio"),
        (gzip.compress(b'[{"a": 1}]'), "frame annotations (KeyError: 'sequence_name')"),
    ],
    ids=["not packed", "cut short", "not JSON", "no list", "other entries"],
)
def test_annotations_that_cannot_be_read_are_named(tmp_path: Path, content: bytes, message: str):
    make_co3d(tmp_path / "in", frames_n=1)
    (tmp_path / "in" / "apple" / "frame_annotations.jgz").write_bytes(content)
    refused(message, tmp_path / "in", tmp_path / "out")


def test_pictures_that_are_gone_or_cannot_be_read_are_named(tmp_path: Path):
    make_co3d(tmp_path / "in", frames_n=2)
    images = tmp_path / "in" / APPLE / "images"
    whole = (images / "frame000002.jpg").read_bytes()
    (images / "frame000002.jpg").write_bytes(whole[:300])
    refused("images/frame000002.jpg cannot be read as an image", tmp_path / "in", tmp_path / "out")
    for path in images.iterdir():
        path.unlink()
    refused(f"{APPLE} has none of its 2 pictures; restore them", tmp_path / "in", tmp_path / "out")


def test_missing_layouts_keys_and_columns_are_named(tmp_path: Path):
    refused("nowhere is not there; give the folder of CO3D's", tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "in" / "apple").mkdir(parents=True)
    refused("holds neither data.h5 nor any category/frame_annotations.jgz", tmp_path / "in", tmp_path / "out")
    make_co3d(tmp_path / "raw", frames_n=1)
    refused("apple is one category; give the folder above it", tmp_path / "raw" / "apple", tmp_path / "out")
    source = tmp_path / "packed"
    make_co3d_packed(source)
    table = pd.read_parquet(source / "dataset.parquet")
    table.drop(columns="a14").to_parquet(source / "dataset.parquet")
    refused("dataset.parquet has no column 'a14' (it has: category, object, index", source, tmp_path / "out")
    table.to_parquet(source / "dataset.parquet")
    with h5py.File(source / "data.h5", "a") as file:
        del file["apple"]["189_20393_38136"]
    refused("data.h5 has no key 'apple/189_20393_38136', which its table", source, tmp_path / "out2")
    assert ingest(source, tmp_path / "out3", skip_broken=True).num_episodes == 2
    with h5py.File(source / "data.h5", "a") as file:
        file["apple"].create_group("189_20393_38136")
    refused("key 'apple/189_20393_38136', is a group; expected encoded pictures", source, tmp_path / "out")


def test_the_rotation_is_a_unit_quaternion_and_the_camera_square(tmp_path: Path):
    make_co3d(tmp_path / "in")
    recording = ingest(tmp_path / "in", tmp_path / "out")
    np.testing.assert_allclose(np.linalg.norm(recording.stream(ROTATION), axis=1), 1, atol=1e-6)
    assert recording.features[CAMERA].shape == (16, 16, 3)
    assert recording.features[CAMERA].dtype == "image"
