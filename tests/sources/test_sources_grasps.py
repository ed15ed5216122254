from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from curious_material import ATTEMPT_RAD, EARLIER, GRASPS, LATER, bar, make_attempts, make_grasps
from objects_material import encoded, picture
from PIL import Image

from handsight.augmentation import Augmentation
from handsight.augmentation.labels import move_labels
from handsight.cli import run
from handsight.errors import HandsightError
from handsight.recordings import Clips, Needs, Recording, Sampler, check
from handsight.sources import ingest_grasps
from handsight.sources.grasps import FEATURES, angle_bin
from handsight.sources.intake import CAMERA


def ingest(source: Path, out: Path, **options: object) -> Recording:
    assert ingest_grasps(source, out, **options) == out
    assert check(out, thorough=True) == []
    return Recording(out)


def refused(message: str, source: Path, out: Path, **options: object) -> None:
    with pytest.raises(HandsightError, match=re.escape(message)) as caught:
        ingest_grasps(source, out, **options)
    assert "\n" not in str(caught.value)


def test_a_patch_is_an_episode_of_one_frame_with_its_angle_and_outcome(tmp_path: Path):
    recording = ingest(make_grasps(tmp_path / "Patch_Dataset"), tmp_path / "out")
    patches = [(where, name, angle) for where, table in GRASPS.items() for name, angle in table]
    assert recording.facts["source"].tolist() == [f"{where}/{name}" for where, name, _ in patches]
    assert np.diff(recording.episode_starts).tolist() == [1] * len(patches)
    assert recording.facts["split"].tolist() == ["train"] * 5 + ["validation"] * 2 + ["test"] * 3
    assert recording.splits().tolist() == recording.facts["split"].tolist()
    assert recording.facts["success"].tolist() == ["positive" in where for where, _, _ in patches]
    assert recording.facts["success"].dtype == bool
    assert recording.facts["angle_bin"].tolist() == [0, 3, 9, 0, 13, 11, 2, 6, 17, 14]
    assert list(recording.facts) == ["source", "split", "success", "angle_bin"]
    assert list(recording.tasks) == [("grasp what is in the middle",)] * len(patches)
    np.testing.assert_array_equal(
        recording.stream("action")[:, 0], np.array([angle for *_, angle in patches], np.float32)
    )
    data = pq.read_table(recording.root / "data" / "chunk-000" / "file-000.parquet")[CAMERA].to_pylist()
    assert [row["bytes"] for row in data] == [encoded(picture(i), "JPEG") for i in range(len(patches))]


def test_the_later_release_says_which_attempt_a_patch_is_of(tmp_path: Path):
    recording = ingest(make_attempts(tmp_path / "in", copies_n=18), tmp_path / "out")
    assert recording.num_episodes == 4 * 18
    assert recording.facts["split"].tolist() == ["train"] * 36 + ["validation"] * 36
    attempts = np.unique(recording.facts["attempt"])
    assert len(attempts) == 4
    assert attempts[0] == "grasping_data/2/Train/grasp_negative"
    assert set(recording.facts["row_px"]) == {211.0}
    assert set(recording.facts["column_px"]) == {340.5}
    for attempt in attempts:
        mine = recording.facts["attempt"] == attempt
        assert sorted(recording.facts["angle_bin"][mine]) == list(range(18))
    angles = recording.stream("action")[:18, 0]
    np.testing.assert_allclose(angles, ATTEMPT_RAD["positive"] + np.pi * np.arange(18) / 18, rtol=1e-6)
    assert angles.max() > np.pi


def test_a_bin_is_the_nearest_of_18_angles_and_half_a_turn_is_none(tmp_path: Path):
    angles = np.random.default_rng(0).uniform(-2 * np.pi, 2 * np.pi, 2000)
    # On the circle of the doubled angle, half a turn is a whole one.
    circle = np.exp(2j * np.deg2rad(10) * np.arange(18))
    nearest = np.abs(np.exp(2j * angles)[:, None] - circle).argmin(axis=1)
    assert [angle_bin(angle) for angle in angles] == nearest.tolist()
    assert [angle_bin(np.deg2rad(10 * t)) for t in range(-18, 36)] == 3 * list(range(18))
    assert [angle_bin(np.deg2rad(degrees)) for degrees in (-4, 4, 176, 174, 6)] == [0, 0, 0, 17, 1]


def along_rad(pixels: np.ndarray) -> float:
    """The angle mod π of the axis along which the bright pixels lie, by their second moments."""
    weight = pixels[..., 0] - 40.0
    y, x = (np.indices(weight.shape).T - (len(weight) - 1) / 2).T
    return float(0.5 * np.arctan2(2 * (weight * x * y).sum(), (weight * (x * x - y * y)).sum()))


@pytest.mark.parametrize("angle_rad", [0.0, 0.5, 1.4, 2.2, -0.9])
def test_a_mirrored_patch_has_the_angle_that_the_stream_declares(angle_rad: float):
    moves = FEATURES["action"].moves
    mirrored = np.ascontiguousarray(bar(angle_rad)[:, ::-1])
    parameters = Augmentation(size=32, flip_probability=1.0).draw(torch.Generator().manual_seed(0), 1, 32, 32)
    assert parameters.flip.all()
    moved = move_labels(
        {"action": torch.tensor([[angle_rad]])}, {"action": moves}, parameters, between={"action": "first"}
    )
    off = float(moved.streams["action"]) - along_rad(mirrored)
    assert abs((off + np.pi / 2) % np.pi - np.pi / 2) < 0.02
    assert abs((along_rad(bar(angle_rad)) - angle_rad + np.pi / 2) % np.pi - np.pi / 2) < 0.02


def test_outcomes_and_bins_come_with_a_sample(tmp_path: Path):
    recording = ingest(make_grasps(tmp_path / "in"), tmp_path / "out")
    needs = Needs(facts=("success", "angle_bin"))
    sampler = Sampler(Clips([recording], split="train", size=24), {"grasp": needs}, 5, seed=0)
    batch = sampler.batch("grasp", 0)
    assert sampler.vocabulary["success"] == ["False", "True"]
    found = sorted(
        (bool(success), int(sampler.vocabulary["angle_bin"][code]))
        for success, code in zip(batch["success"], batch["angle_bin"], strict=True)
    )
    assert found == [(False, 0), (False, 13), (True, 0), (True, 3), (True, 9)]


def test_patches_of_many_sizes_need_one(tmp_path: Path):
    source = make_grasps(tmp_path / "in", sizes=((24, 24), (24, 30), (40, 36)))
    refused("would be 30 × 24 px, but", source, tmp_path / "out")
    refused("give --size", source, tmp_path / "out2")
    recording = ingest(source, tmp_path / "square", size=12, square=True)
    assert recording.features[CAMERA].shape == (12, 12, 3)
    assert recording.num_episodes == 10


def test_stored_as_video(tmp_path: Path):
    recording = ingest(make_grasps(tmp_path / "in"), tmp_path / "out", video=True)
    assert recording.features[CAMERA].dtype == "video"
    off = [np.abs(recording.frames([4])[0].astype(int) - picture(seed)).mean() for seed in range(10)]
    assert np.argmin(off) == 4


def test_splits_that_are_not_there_are_no_fault_and_those_without_records_are(tmp_path: Path):
    source = make_grasps(tmp_path / "in")
    shutil.rmtree(source / "Validation")
    assert set(ingest(source, tmp_path / "two").facts["split"]) == {"train", "test"}
    (source / "Test" / "positive" / "dataInfo.txt").write_text(EARLIER + "\n\n")
    assert ingest(source, tmp_path / "no successes").num_episodes == 7
    (source / "Test" / "negative" / "dataInfo.txt").write_text(EARLIER)
    refused("in/Test has no records in its tables dataInfo.txt", source, tmp_path / "out")
    shutil.rmtree(source / "Test")
    shutil.rmtree(source / "Train")
    refused("in has none of the folders Train, Validation, Test", source, tmp_path / "out")
    refused("nowhere is not there; give the folder of Train", tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "header", ["", "1.jpg,0.5", "name", "name,", "name,angle,success", LATER[:-6], "PatchFilePath,Theta,Path"]
)
def test_a_header_that_is_unknown_is_refused(tmp_path: Path, header: str):
    source = make_grasps(tmp_path / "in")
    table = source / "Train" / "negative" / "dataInfo.txt"
    table.write_text(header + "\n")
    refused(f"begins with '{header}', which is no known header; expected '{LATER}'", source, tmp_path / "out")
    refused("Train/negative/dataInfo.txt", source, tmp_path / "out", skip_broken=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "header", ["Names of the patches and the angles, in rad", "patch names and angles", "\ufeffname,angle"]
)
def test_a_header_may_describe_names_and_angles_in_other_words(tmp_path: Path, header: str):
    assert ingest(make_grasps(tmp_path / "in", header=header), tmp_path / "out").num_episodes == 10


def test_tables_that_are_missing_unreadable_or_of_two_releases_are_named(tmp_path: Path):
    source = make_grasps(tmp_path / "in")
    table = source / "Test" / "negative" / "dataInfo.txt"
    table.write_bytes(b"name,angle\n\xff\xfe,1\n")
    refused("negative/dataInfo.txt cannot be read as a table (", source, tmp_path / "out")
    table.write_text(LATER + "\n14.jpg,2.9,a,1,2\n")
    refused("Test/negative/dataInfo.txt has another header than", source, tmp_path / "out")
    table.unlink()
    refused("Test/negative/dataInfo.txt is missing; expected the names and angles", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


FAULTS = [
    ("2.jpg,nan", "line 3, has the angle 'nan'; expected a finite number, in rad"),
    ("2.jpg,-inf", "line 3, has the angle '-inf'; expected a finite number"),
    ("2.jpg,left", "line 3, has the angle 'left'; expected a finite number"),
    ("2.jpg,90", "line 3, has the angle 90, beyond a full turn (2π rad); the 18 bins share out half a turn"),
    ("2.jpg,-6.3", "line 3, has the angle -6.3, beyond a full turn"),
    ("2.jpg", "line 3, is '2.jpg'; expected name,angle"),
    ("2.jpg,1,2", "line 3, is '2.jpg,1,2'; expected name,angle"),
    ("20.jpg,1", "Images/20.jpg, which is missing"),
    ("1.jpg,1", "line 3, names 1.jpg, as line 2 does; expected each patch once"),
    (",1", "line 3, names"),
]


@pytest.mark.parametrize(("row", "message"), FAULTS)
def test_a_line_at_fault_stops_it_or_costs_its_patch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, row: str, message: str
):
    source = make_grasps(tmp_path / "in")
    table = source / "Train" / "positive" / "dataInfo.txt"
    lines = table.read_text().splitlines()
    table.write_text("\r\n".join([*lines[:2], row, *lines[3:]]))
    refused(message, source, tmp_path / "out")
    refused("dataInfo.txt, line 3, ", source, tmp_path / "out")
    assert Recording(tmp_path / "out").facts["source"].tolist() == ["Train/positive/1.jpg"]
    for _ in range(2):
        caplog.clear()
        recording = ingest(source, tmp_path / "rest", skip_broken=True)
        assert recording.facts["source"].tolist()[:2] == ["Train/positive/1.jpg", "Train/positive/10.jpg"]
        assert recording.num_episodes == 9
        assert message in caplog.text
        assert "1 clips were broken and left out" in caplog.text
    table.write_text("\n".join(lines))
    assert ingest(source, tmp_path / "out").num_episodes == 10


def test_an_attempts_place_must_be_a_number(tmp_path: Path):
    source = make_attempts(tmp_path / "in")
    table = source / "Validation" / "positive" / "dataInfo.txt"
    table.write_text(table.read_text().replace("340.5", "middle"))
    refused("line 2, has the GraspWidth 'middle'; expected a finite number", source, tmp_path / "out")


def test_patches_that_cannot_be_read_stop_it_or_are_left_out(tmp_path: Path):
    source = make_grasps(tmp_path / "in")
    patch = source / "Train" / "negative" / "Images" / "1.jpg"
    patch.write_bytes(patch.read_bytes()[:200])
    refused("negative/Images/1.jpg cannot be read as an image (", source, tmp_path / "out")
    assert ingest(source, tmp_path / "rest", skip_broken=True).num_episodes == 9
    patch.unlink()
    patch.mkdir()
    refused("line 2, names", source, tmp_path / "out")
    refused("Is a directory", source, tmp_path / "out")


def test_the_command_line_knows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = make_grasps(tmp_path / "in")
    assert run(["ingest", "grasps", str(source), str(tmp_path / "out"), "--size", "12"]) == 0
    assert run(["check", str(tmp_path / "out")]) == 0
    assert Recording(tmp_path / "out").features[CAMERA].shape == (12, 12, 3)
    Image.fromarray(bar(0.3)).save(source / "Train" / "positive" / "Images" / "new.jpg")
    (source / "Test" / "negative" / "dataInfo.txt").unlink()
    assert run(["ingest", "grasps", str(source), str(tmp_path / "out"), "--size", "12"]) == 2
    assert "dataInfo.txt is missing" in capsys.readouterr().err
