"""`handsight collect`, `ingest`, `info` and `check`: bad input and interruptions."""

import os
import shutil
import signal
import time

import numpy as np
import pytest
from commands_samples import TINY, bytes_in, in_a_process, refused, start

from handsight.recordings import Feature, Recording, Writer, camera


def test_a_folder_that_is_no_recording(handsight, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    for command in (["info"], ["check"], ["pretrain", "simclr", "--out", tmp_path / "run", "--data"]):
        refused(handsight(*command, tmp_path), str(tmp_path))
    refused(handsight("info", tmp_path / "nowhere"), "nowhere")
    assert (tmp_path / "notes.txt").read_text() == "nothing"


@pytest.mark.parametrize("damage", ["missing", "truncated"])
@pytest.mark.parametrize("pattern", ["data/**/*.parquet", "meta/info.json", "meta/episodes/**/*.parquet"])
def test_a_damaged_recording(handsight, shapes_folder, tmp_path, pattern, damage):
    data = tmp_path / "copy"
    shutil.copytree(shapes_folder, data)
    file = next(data.glob(pattern))
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    line = refused(
        handsight("pretrain", "simclr", "--data", data, "--out", tmp_path / "run", "--steps", "1", *TINY)
    )
    assert any(word in line for word in (file.name, "not a recording", "no recording", "meta/episodes"))
    assert not (tmp_path / "run").exists()
    status, said, complained = handsight("check", data)
    assert status == 2
    assert file.name in said + complained or "meta/episodes" in said


def test_an_empty_recording(handsight, make_shapes, tmp_path):
    make_shapes(tmp_path / "empty", episodes=0)
    refused(handsight("info", tmp_path / "empty"), "no episodes")
    refused(
        handsight("pretrain", "simclr", "--data", tmp_path / "empty", "--out", tmp_path / "run", *TINY),
        "no episodes",
    )


def test_info_names_every_method_that_an_action_would_let_it_train(handsight, tmp_path):
    features = {
        "observation.images.top": camera(8, 8),
        "observation.depth_m": Feature("float32", (8, 8), moves="map"),
        "torques": Feature("float32", (3,), moves="nothing"),
    }
    with Writer(tmp_path / "data", features, fps=10) as writer:
        writer.add_episode(
            {
                name: np.zeros((4, *one.shape), one.dtype.replace("image", "uint8"))
                for name, one in features.items()
            }
        )
    status, said, _ = handsight("info", tmp_path / "data")
    assert status == 0
    (line,) = (line.strip() for line in said.splitlines() if "--action" in line)
    assert line == "with --action torques: action-aware, ciper, equimod too"
    _, said, _ = handsight("info", tmp_path / "data", "--action", "torques")
    assert all(method in said for method in ("action-aware", "ciper", "equimod"))
    assert "--action" not in said


def test_no_opengl_says_what_to_install(tmp_path):
    done = in_a_process(
        "collect",
        "turntable",
        "--out",
        tmp_path / "data",
        "--count",
        "2",
        "--workers",
        "1",
        environment={"MUJOCO_GL": "osmesa", "LD_LIBRARY_PATH": ""},
    )
    if done.returncode == 0:
        pytest.skip("OSMesa is installed here")
    lines = [line for line in done.stderr.splitlines() if line.startswith("handsight: ")]
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "install" in lines[-1]


def test_ctrl_c_stops_collecting_tidily_and_the_same_command_goes_on(handsight, tmp_path):
    options = [
        "turntable",
        "--out",
        str(tmp_path / "data"),
        "--views",
        "4",
        "--image-size",
        "24",
        "--workers",
        "2",
    ]
    process = start("collect", *options, "--count", "1000000")
    try:
        deadline = time.monotonic() + 90
        # Some episodes' worth of bytes: then there is something to keep.
        while bytes_in(tmp_path / "data") < 100_000:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "goes on" in said
    assert "Traceback" not in said
    kept = Recording(tmp_path / "data").num_episodes
    assert 0 < kept < 1_000_000
    assert handsight("collect", *options, "--count", str(kept + 1))[0] == 0
    assert Recording(tmp_path / "data").num_episodes == kept + 1
