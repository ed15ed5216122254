from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from objects_material import encoded, make_rt4k, pack, picture
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.recordings import Clips, Needs, Recording, Sampler, check
from handsight.sources import ingest_rt4k
from handsight.sources.intake import CAMERA


def ingest(source: Path, out: Path, **options: object) -> Recording:
    assert ingest_rt4k(source, out, **options) == out
    assert check(out, thorough=True) == []
    return Recording(out)


def test_a_clip_is_an_object_before_a_background_with_its_views_in_order(tmp_path: Path):
    views = (90, 2, 180, 1)
    make_rt4k(tmp_path / "RT4K", views=views)
    recording = ingest(tmp_path / "RT4K", tmp_path / "out", validation=0.0)
    assert recording.facts["source"].tolist() == [
        *("train/apple/apple_000/3", "train/apple/apple_001/5", "train/kanne/känne_007/5"),
        *("test/apple/apple_002/3", "test/kanne/känne_010/3"),
    ]
    assert recording.facts["category"].tolist() == ["apple", "apple", "kanne", "apple", "kanne"]
    assert recording.facts["instance"].tolist()[2] == "känne_007"
    assert recording.facts["background"].tolist() == ["3", "5", "5", "3", "3"]
    assert recording.facts["split"].tolist() == ["train"] * 3 + ["test"] * 2
    assert list(recording.tasks) == [("turn the object",)] * 5
    degrees = np.rad2deg(recording.stream("action")[:, 0].astype(float))
    np.testing.assert_allclose(degrees, np.tile([2, 4, 180, 360], 5), rtol=1e-6)
    for frame, seed in ((0, 3), (1, 1), (2, 0), (3, 2), (4, 7), (12, 1003)):
        np.testing.assert_array_equal(recording.frames([frame])[0], picture(seed))


def test_an_object_has_one_number_and_one_split_whatever_it_stands_before(tmp_path: Path):
    numbers = [(index, str(index % 3 + side)) for index in range(100, 140) for side in (0, 5)]
    train = [("apple", f"apple_{index}", background) for index, background in numbers]
    make_rt4k(tmp_path / "in", train=train, views=(1,))
    recording = ingest(tmp_path / "in", tmp_path / "out", validation=0.25)
    told = pd.DataFrame({name: recording.facts[name] for name in ("instance", "object", "split")})
    assert (told.groupby("instance").nunique() == 1).all(axis=None)
    assert told["object"].nunique() == 42
    shares = told.drop_duplicates("instance")["split"].value_counts()
    assert shares["test"] == 2
    assert 4 <= shares["validation"] <= 16
    make_rt4k(tmp_path / "fewer", train=train[30:40], views=(1,))
    fewer = ingest(tmp_path / "fewer", tmp_path / "out2", validation=0.25)
    alone, among = (set(zip(r.facts["source"], r.facts["split"], strict=True)) for r in (fewer, recording))
    assert alone < among


def test_turns_between_frames_are_right_across_missing_views(tmp_path: Path):
    views = (3, 10, 60, 61, 100, 135, 157, 180)
    make_rt4k(tmp_path / "in", views=views, missing={"apple_000": (60, 61, 100), "känne_007": (180,)})
    recording = ingest(tmp_path / "in", tmp_path / "out", validation=0.0)
    assert np.diff(recording.episode_starts).tolist() == [5, 8, 7, 8, 8]
    there = [*(3, 10, 135, 157, 180), *views, *views[:-1]]
    sampler = Sampler(Clips([recording], size=16), {"pair": Needs(2, between={"action": None})}, 20, seed=0)
    batch = sampler.batch("pair", 0)
    turns = Rotation.from_euler("z", 2 * np.array(there)[:, None], degrees=True)
    first, second = batch["frame_index"].numpy().T
    matrix = (turns[first].inv() * turns[second]).as_matrix()
    np.testing.assert_allclose(batch["action"], matrix[:, [1, 0], 0], atol=2e-6)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_encoded_pictures_are_kept_as_they_are_unless_they_change(tmp_path: Path, kind: str):
    make_rt4k(tmp_path / "in", kind=kind, views=(1, 2))
    recording = ingest(tmp_path / "in", tmp_path / "out")
    data = pq.read_table(recording.root / "data" / "chunk-000" / "file-000.parquet")
    name = "frame-000001.png" if kind == "PNG" else "frame-000001.jpg"
    assert data[CAMERA].to_pylist()[1] == {"bytes": encoded(picture(1), kind), "path": name}
    small = ingest(tmp_path / "in", tmp_path / "small", size=12)
    assert small.features[CAMERA].shape == (12, 12, 3)
    data = pq.read_table(small.root / "data" / "chunk-000" / "file-000.parquet")
    assert data[CAMERA].to_pylist()[1]["bytes"].startswith(b"\x89PNG")
    shrunk = picture(1).reshape(12, 2, 12, 2, 3).mean((1, 3))
    assert np.abs(small.frames([1])[0] - shrunk).mean() < 2


def test_stored_as_video(tmp_path: Path):
    recording = ingest(make_rt4k(tmp_path / "in"), tmp_path / "out", video=True)
    assert recording.features[CAMERA].dtype == "video"
    off = [np.abs(recording.frames([7])[0].astype(int) - picture(seed)).mean() for seed in range(18)]
    assert np.argmin(off) == 7
    assert recording.num_frames == 30


def refused(message: str, source: Path, out: Path, **options: object) -> None:
    with pytest.raises(HandsightError, match=re.escape(message)) as caught:
        ingest_rt4k(source, out, **options)
    assert "\n" not in str(caught.value)


def rewrite(path: Path, **columns: object) -> None:
    pd.read_parquet(path).assign(**columns).to_parquet(path)


def test_missing_files_keys_and_columns_are_named(tmp_path: Path):
    refused("nowhere/data.h5 is missing", tmp_path / "nowhere", tmp_path / "out")
    source = make_rt4k(tmp_path / "in")
    pd.read_parquet(source / "dataset.parquet").drop(columns="5").to_parquet(source / "dataset.parquet")
    refused("dataset.parquet has no column '5' (it has: 0, 1, 2", source, tmp_path / "out")
    with h5py.File(make_rt4k(source) / "data.h5", "a") as file:
        del file["test"]
    refused("in/data.h5 has no key 'test', which its table names", source, tmp_path / "out")
    (source / "dataset_test.parquet").unlink()
    assert ingest(source, tmp_path / "train-only").num_episodes == 3
    (source / "dataset.parquet").unlink()
    refused("has neither dataset.parquet nor dataset_test.parquet", source, tmp_path / "out2")


def test_what_is_not_as_it_should_be_is_named(tmp_path: Path):
    source = make_rt4k(tmp_path / "in")
    table = source / "dataset.parquet"
    rewrite(table, h5_index=900)
    refused("key 'train', holds 18 pictures; the table asks for number 900", source, tmp_path / "out")
    rewrite(table, h5_index=0.5)
    refused("row 0, column 'h5_index' is 0.5; expected a whole number", source, tmp_path / "out")
    rewrite(table, h5_index="x")
    refused("string; expected numbers", source, tmp_path / "out")
    make_rt4k(source)
    rewrite(table, **{"0": "apple_000_3_none_0_0.png"})
    refused("third part from the end is 'none'; expected a number from 0 to 180", source, tmp_path / "out")
    rewrite(table, **{"0": "apple_000_3_17_0_0.png"})
    refused("are the same view of one clip; expected each view once", source, tmp_path / "out")
    make_rt4k(source)
    table.write_bytes(table.read_bytes()[:-20])
    refused("dataset.parquet cannot be read as parquet", source, tmp_path / "out")
    make_rt4k(source)
    with h5py.File(source / "data.h5", "a") as file:
        del file["train"]
        file["train"] = np.zeros((18, 4), np.float32)
    refused("key 'train', is float32 (18, 4); expected encoded pictures", source, tmp_path / "out")
    (source / "data.h5").write_bytes(b"no HDF5 at all")
    refused("in/data.h5 cannot be read (", source, tmp_path / "out")
    refused("validation 1.0 and test 0.0 came; expected shares", source, tmp_path / "out", validation=1.0)
    assert not (tmp_path / "out").exists()


def test_pictures_that_cannot_be_read_stop_it_or_cost_their_clip(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    source = make_rt4k(tmp_path / "in", views=(1, 2, 3))
    pictures = [encoded(picture(seed)) for seed in range(9)]
    pictures[4] = pictures[4][:200]
    with h5py.File(source / "data.h5", "a") as file:
        del file["train"]
        pack(file, "train", pictures)
    refused("apple_001_5_2_0_0.png in", source, tmp_path / "out")
    refused("data.h5 cannot be read as an image (", source, tmp_path / "out")
    recording = ingest(source, tmp_path / "out", skip_broken=True)
    assert recording.facts["instance"].tolist() == ["apple_000", "känne_007", "apple_002", "känne_010"]
    assert "left out: apple_001_5_2_0_0.png" in caplog.text
    assert "1 clips were broken and left out" in caplog.text


def test_objects_both_trained_and_tested_on_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    shared = ("apple", "apple_000", "9")
    ingest(make_rt4k(tmp_path / "in", test=[shared], views=(1,)), tmp_path / "out")
    assert "1 objects are both in the training and in the test table (the first: apple/a" in caplog.text
