from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from objects_material import (
    encoded,
    make_mvimgnet,
    make_mvimgnet_packed,
    picture,
    walk,
    write_images_bin,
)
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.recordings import Clips, Needs, Recording, Sampler, check
from handsight.sources import ingest_mvimgnet
from handsight.sources.intake import CAMERA
from handsight.sources.mvimgnet import FEATURES, LANDSCAPE, ROTATION, TRANSLATION


def ingest(source: Path, out: Path, **options: object) -> Recording:
    assert ingest_mvimgnet(source, out, **{"size": 16, "validation": 0.0, "test": 0.0} | options) == out
    assert check(out, thorough=True) == []
    return Recording(out)


def expected_actions(poses: list[tuple[np.ndarray, np.ndarray]], pairs: np.ndarray) -> np.ndarray:
    """conj(q0) ⊗ q1 as wxyz with w ≥ 0, and t1 − t0, by scipy; `pairs` are global frame numbers."""
    turns = Rotation.from_quat(np.concatenate([q for q, _ in poses]), scalar_first=True)
    where = np.concatenate([t for _, t in poses])
    first, second = pairs.T
    relative = (turns[first].inv() * turns[second]).as_quat(canonical=True, scalar_first=True)
    return np.concatenate([relative, where[second] - where[first]], axis=1)


def sample(recording: Recording, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Actions `[count, 8]` and frame numbers of a training batch."""
    needs = Needs(2, between=dict.fromkeys(FEATURES))
    batch = Sampler(Clips([recording], size=16), {"pair": needs}, count, seed=0).batch("pair", 0)
    return np.concatenate([batch[name] for name in FEATURES], axis=1), batch["frame_index"].numpy()


def test_folders_become_clips_with_the_papers_eight_numbers(tmp_path: Path):
    poses = make_mvimgnet(tmp_path / "in")
    recording = ingest(tmp_path / "in", tmp_path / "out")
    assert recording.facts["source"].tolist() == ["0/0a1b", "0/2c3d", "29/ä7", "192/5e6f"]
    assert recording.facts["category"].tolist() == ["bag", "bag", "bookshelf", "192"]
    assert recording.facts["instance"].tolist() == ["0a1b", "2c3d", "ä7", "5e6f"]
    assert len(set(recording.facts["object"].tolist())) == 4
    assert recording.tasks[0] == ("walk around the object",)
    assert np.diff(recording.episode_starts).tolist() == [12] * 4
    assert recording.features[CAMERA].shape == (16, 16, 3)
    found, pairs = sample(recording, 48)
    in_order = [poses[name] for name in recording.facts["source"]]
    np.testing.assert_allclose(found[:, :7], expected_actions(in_order, pairs), atol=2e-5)
    lying = (pairs[:, 0] // 12) % 2 == 0  # 32 × 24 and 24 × 32 px take turns
    assert found[:, 7].tolist() == lying.astype(float).tolist()


def test_the_packed_form_gives_the_same_action(tmp_path: Path):
    poses = make_mvimgnet_packed(tmp_path / "in")
    recording = ingest(tmp_path / "in", tmp_path / "out")
    assert recording.facts["source"].tolist() == [
        *("train/0/0a1b", "train/0/2c3d", "train/29/ä7", "test/192/5e6f")
    ]
    assert recording.facts["split"].tolist() == ["train"] * 3 + ["test"]
    found, pairs = sample(recording, 15)
    in_order = [poses[name.partition("/")[2]] for name in recording.facts["source"]]
    np.testing.assert_allclose(found[:, :7], expected_actions(in_order, pairs), atol=2e-5)
    assert set(found[:, 7]) == {1.0}
    make_mvimgnet(tmp_path / "folders")
    folders = ingest(tmp_path / "folders", tmp_path / "out2")
    assert folders.facts["object"].tolist() == recording.facts["object"].tolist()


def test_bytes_are_kept_where_nothing_changes(tmp_path: Path):
    make_mvimgnet(tmp_path / "in", sizes=((24, 32),))
    recording = ingest(tmp_path / "in", tmp_path / "out", size=None, square=False)
    data = pq.read_table(recording.root / "data" / "chunk-000" / "file-000.parquet")
    assert data[CAMERA].to_pylist()[13]["bytes"] == encoded(picture(101, 24, 32), "JPEG")
    make_mvimgnet(tmp_path / "mixed")
    with pytest.raises(HandsightError, match=r"images/000.jpg would be 24 × 32 px, but .*give --size and"):
        ingest_mvimgnet(tmp_path / "mixed", tmp_path / "out2", size=None, square=False)


def test_splits_are_by_object(tmp_path: Path):
    instances = [(str(number % 5), f"{number:x}") for number in range(60)]
    make_mvimgnet(tmp_path / "in", instances, frames_n=1)
    recording = ingest(tmp_path / "in", tmp_path / "out", validation=0.2, test=0.3)
    splits = recording.facts["split"].tolist()
    assert 6 <= splits.count("validation") <= 20
    assert 10 <= splits.count("test") <= 26


def test_frames_without_picture_or_pose_are_left_out_counted_and_right_across(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    poses = make_mvimgnet(tmp_path / "in")
    images = tmp_path / "in" / "0" / "0a1b" / "images"
    for name in ("003.jpg", "004.jpg"):
        (images / name).unlink()
    (images / "other.jpg").write_bytes(encoded(picture(7)))
    (tmp_path / "in" / "empty").mkdir()
    recording = ingest(tmp_path / "in", tmp_path / "out")
    assert "1 folders without an instance (the first: empty)" in caplog.text
    assert "2 poses without a picture (the first: 0/0a1b/images/003.jpg)" in caplog.text
    assert "1 pictures without a pose (the first: 0/0a1b/images/other.jpg)" in caplog.text
    assert np.diff(recording.episode_starts).tolist() == [10, 12, 12, 12]
    there = [index for index in range(12) if index not in (3, 4)]
    first = tuple(part[there] for part in poses["0/0a1b"])
    in_order = [first, *(poses[name] for name in ("0/2c3d", "29/ä7", "192/5e6f"))]
    found, pairs = sample(recording, 46)
    np.testing.assert_allclose(found[:, :7], expected_actions(in_order, pairs), atol=2e-5)


def test_packed_frames_without_a_pose_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    make_mvimgnet_packed(tmp_path / "in")
    table = pd.read_parquet(tmp_path / "in" / "dataset_train2.parquet")
    table.loc[1, "q2"] = np.nan
    table.drop(index=3).to_parquet(tmp_path / "in" / "dataset_train2.parquet")
    recording = ingest(tmp_path / "in", tmp_path / "out", size=24)
    assert np.diff(recording.episode_starts).tolist() == [3, 5, 5, 5]
    assert "1 pictures without a pose (the first: 0/0a1b, frame 1,)" in caplog.text
    middle = picture(4, 24, 32)[:, 4:28].astype(int)
    assert np.abs(recording.frames([2])[0] - middle).mean() < 4  # JPEG


def refused(message: str, source: Path, out: Path, **options: object) -> None:
    with pytest.raises(HandsightError, match=re.escape(message)) as caught:
        ingest_mvimgnet(source, out, **options)
    assert "\n" not in str(caught.value)


def test_quaternions_off_by_rounding_are_made_unit_and_others_refused_by_name(tmp_path: Path):
    poses = make_mvimgnet(tmp_path / "in", frames_n=2)
    bin_file = tmp_path / "in" / "0" / "0a1b" / "sparse" / "0" / "images.bin"
    rotations, translations = poses["0/0a1b"]
    write_images_bin(bin_file, ["000.jpg", "001.jpg"], (rotations * 1.0009, translations))
    lengths = np.linalg.norm(ingest(tmp_path / "in", tmp_path / "out").stream(ROTATION), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)
    rotations = np.array([rotations[0], [0.5, 0.5, 0.5, 0.6]])
    write_images_bin(bin_file, ["000.jpg", "001.jpg"], (rotations, translations))
    refused(
        "0/0a1b/images/001.jpg has the rotation (0.5, 0.5, 0.5, 0.6), of length 1.054; expected a unit",
        tmp_path / "in",
        tmp_path / "out2",
    )


def test_faults_of_one_instance_are_named_and_can_be_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    make_mvimgnet(tmp_path / "in", frames_n=2)
    instance = tmp_path / "in" / "0" / "0a1b"
    shutil.rmtree(instance / "images")
    refused("0/0a1b has poses of 2 pictures and none of these in its", tmp_path / "in", tmp_path / "o")
    shutil.rmtree(instance / "sparse")
    (instance / "images").mkdir()
    refused("0/0a1b/sparse/0/images.bin is missing; expected COLMAP's", tmp_path / "in", tmp_path / "o")
    assert not (tmp_path / "o").exists()
    recording = ingest(tmp_path / "in", tmp_path / "out", skip_broken=True)
    assert recording.num_episodes == 3
    assert "1 clips were broken and left out" in caplog.text


def test_missing_layouts_keys_and_columns_are_named(tmp_path: Path):
    refused("nowhere is not there; give the folder of", tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "in" / "0").mkdir(parents=True)
    refused("in holds no instance; expected data2.h5, or folders class/", tmp_path / "in", tmp_path / "out")
    source = tmp_path / "packed"
    make_mvimgnet_packed(source)
    table = pd.read_parquet(source / "dataset_train2.parquet")
    table.assign(category=77).to_parquet(source / "dataset_train2.parquet")
    refused("packed/data2.h5 has no key '77', which its table names", source, tmp_path / "out")
    table.assign(object="zz").to_parquet(source / "dataset_train2.parquet")
    refused("packed/data2.h5 has no key '0/zz', which its table names", source, tmp_path / "out")
    table.drop(columns="q3").to_parquet(source / "dataset_train2.parquet")
    refused("dataset_train2.parquet has no column 'q3' (it has: category, object", source, tmp_path / "out")
    table.assign(object=None).to_parquet(source / "dataset_train2.parquet")
    refused("dataset_train2.parquet, row 0, column 'object' is empty", source, tmp_path / "out")
    table.assign(frame=table["frame"] + 3).to_parquet(source / "dataset_train2.parquet")
    refused("key '0/0a1b', holds 5 pictures; the table asks for number 5", source, tmp_path / "out")


def test_streams_declare_what_lies_between():
    assert [FEATURES[name].between for name in (ROTATION, TRANSLATION, LANDSCAPE)] == [
        *("relative_rotation", "difference", "first")
    ]


def test_a_damaged_reconstruction_is_refused_wherever_it_breaks_off(tmp_path: Path):
    from handsight.sources.colmap import read_images_bin

    names = ["ä.jpg", "b.jpg"]
    path = write_images_bin(tmp_path / "images.bin", names, walk(0, 2))
    whole = path.read_bytes()
    found = read_images_bin(path)
    order = [found.names.index(name) for name in names]
    np.testing.assert_array_equal(found.rotations[order], walk(0, 2)[0])
    np.testing.assert_array_equal(found.translations[order], walk(0, 2)[1])
    for length in (0, 7, 8, 50, 71, 75, 80, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(HandsightError, match=r"images\.bin breaks off or is no COLMAP"):
            read_images_bin(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(HandsightError, match=f"it has {len(whole) + 1} bytes and should have {len(whole)}"):
        read_images_bin(path)
