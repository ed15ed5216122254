"""The command line from one end to the other, and what it says of bad input."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import timm
import torch
import yaml

from handsight import cli
from handsight.encoders import load_encoder
from handsight.recordings import Recording

TINY = [
    "--image-size",
    "16",
    "--encoder-options",
    '{"channels": [4, 4, 8, 8], "stem_width": 4}',
    "--batch-size",
    "12",
]


@pytest.fixture(autouse=True)
def _warnings_as_they_were(monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)


@pytest.fixture
def handsight(capsys):
    """Run a command; gives exit status, what was printed and what was said on standard error."""

    def call(*arguments):
        capsys.readouterr()
        status = cli.run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def refused(result, *words):
    """Check that a command ended with one clear line, and return it."""
    status, _, said = result
    lines = [line for line in said.splitlines() if line.startswith("handsight: ")]
    assert status == 2
    assert "Traceback" not in said
    assert len(lines) == 1, said
    for word in words:
        assert word in lines[0], lines[0]
    return lines[0]


def test_from_a_world_to_an_exported_encoder(handsight, tmp_path):
    data, out = tmp_path / "turntable", tmp_path / "run"
    categories = '["mug", "chair", "car"]'
    status, said, _ = handsight(
        "collect",
        "turntable",
        "--out",
        data,
        "--count",
        "30",
        "--views",
        "4",
        "--image-size",
        "24",
        "--workers",
        "1",
        "--categories",
        categories,
    )
    assert status == 0
    assert "30 episodes" in said
    status, said, _ = handsight("info", data)
    assert status == 0
    assert "30 (120 frames" in said
    assert "can train  simclr, simclr-tt, action-aware, supervised" in said
    assert handsight("check", data)[0] == 0
    pretrain = ["pretrain", "action-aware", "--data", data, "--out", out, "--steps", "3", *TINY]
    status, said, _ = handsight(*pretrain, "--dry-run")
    assert status == 0
    assert not out.exists()
    assert "3 steps of" in said
    assert handsight(*pretrain)[0] == 0
    assert handsight(*pretrain)[0] == 0  # again: nothing to do
    status, said, _ = handsight("evaluate", out)
    assert status == 0
    for row in ("random", "visual-only", "shuffled", "action-aware"):
        assert row in said
    assert (out / "controls" / "visual-only" / "encoder").is_dir()
    table = json.loads((out / "evaluation" / "objects.json").read_text())
    assert set(table["cells"]) == {"random", "visual-only", "shuffled", "action-aware"}
    assert handsight("report", out)[0] == 0
    assert "<html" in (out / "report" / "index.html").read_text()
    assert handsight("export", out, "--to", "timm")[0] == 0
    model = timm.create_model(
        "resnet18",
        checkpoint_path=str(out / "export-timm" / "model.safetensors"),
        num_classes=0,
        channels=[4, 4, 8, 8],
        stem_width=4,
    ).eval()
    images = torch.rand(2, 3, 16, 16)
    encoder = load_encoder(out)
    mean, std = encoder.preprocessing.mean.view(1, 3, 1, 1), encoder.preprocessing.std.view(1, 3, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(model((images - mean) / std), encoder.embed(images), atol=1e-5, rtol=1e-5)


def test_demo_at_its_smallest_draws_every_section(handsight, tmp_path):
    small = [
        "--objects",
        "160",
        "--views",
        "2",
        "--image-size",
        "16",
        "--frame-size",
        "24",
        "--steps",
        "2",
        "--batch-size",
        "16",
        "--channels",
        "[4, 4, 8, 8]",
    ]
    status, said, _ = handsight("demo", "--out", tmp_path / "demo", *small)
    assert status == 0
    page = (tmp_path / "demo" / "report" / "index.html").read_text()
    for row in ("random", "SimCLR", "SimCLR-TT", "AA-SimCLR", "supervised"):
        assert row in page
        assert row in said
    assert "interval" in said
    for heading in (
        "What was done and seen",
        "Training",
        "Nearest neighbours",
        "A map of the embedding",
        "How this was made",
    ):
        assert heading in page


def test_configuration_goes_out_and_comes_back_in(handsight, shapes_folder, tmp_path):
    options = [
        "--data",
        shapes_folder,
        "--out",
        tmp_path / "run",
        "--steps",
        "1",
        "--temperature",
        "0.3",
        *TINY,
    ]
    with pytest.raises(SystemExit):
        cli.run(["pretrain", "simclr", *map(str, options), "--print-config"])
    # jsonargparse prints and leaves by itself.


def test_yaml_gives_the_same_run_as_options(handsight, shapes_folder, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "data": [str(shapes_folder)],
                "out": str(tmp_path / "yaml"),
                "image_size": 16,
                "encoder_options": {"channels": [4, 4, 8, 8], "stem_width": 4},
                "batch_size": 12,
                "steps": 2,
                "augmentation": {"hue": 0.1},
            }
        )
    )
    assert handsight("pretrain", "simclr", "--config", file)[0] == 0
    options = [
        "--data",
        shapes_folder,
        "--out",
        tmp_path / "options",
        "--steps",
        "2",
        "--augmentation.hue",
        "0.1",
        *TINY,
    ]
    assert handsight("pretrain", "simclr", *options)[0] == 0
    first, second = (load_encoder(tmp_path / name).state_dict() for name in ("yaml", "options"))
    for key, value in first.items():
        assert torch.equal(value, second[key])


def test_help_names_options_with_hyphens(handsight, capsys):
    assert handsight()[0] == 0
    status, said, _ = handsight("--help")
    assert status == 0
    for command in cli.COMMANDS:
        assert f"  {command} " in said
    with pytest.raises(SystemExit) as left:
        cli.run(["pretrain", "action-aware", "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "--batch-size" in said
    assert "--batch_size" not in said
    assert "shuffle-actions" in said


def test_unknown_commands_methods_and_options(handsight, shapes_folder, tmp_path):
    refused(handsight("colect"), "there is no command 'colect'", "collect, ingest, info")
    refused(
        handsight("pretrain", "byol"),
        "there is no method 'byol'",
        "simclr, simclr-tt, action-aware, supervised",
    )
    refused(handsight("pretrain"), "takes a method: simclr")
    refused(handsight("collect", "kitchen"), "there is no world 'kitchen'; there are turntable")
    refused(handsight("ingest", "vhs"), "there is no format 'vhs'")
    refused(
        handsight("info", shapes_folder, "--colour", "red"),
        "unrecognized arguments: --colour red",
        "`handsight info --help`",
    )
    line = refused(
        handsight("pretrain", "simclr", "--data", shapes_folder, "--out", tmp_path / "x", "--steps", "many"),
        "--steps",
        "many",
    )
    assert "\n" not in line
    refused(
        handsight("pretrain", "simclr", "--data", shapes_folder),
        "`handsight pretrain simclr` needs --out",
        "`handsight pretrain simclr --help`",
    )


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


def test_a_stream_that_the_method_needs_and_the_recording_lacks(handsight, shapes_folder, tmp_path):
    data = tmp_path / "copy"
    shutil.copytree(shapes_folder, data)
    options = ["--out", tmp_path / "run", "--steps", "1", *TINY]
    line = refused(
        handsight("pretrain", "action-aware", "--data", data, *options, "--stream", "gripper"),
        "no stream 'gripper'",
        "action-aware",
    )
    assert "Methods that can train on it as it is: simclr, simclr-tt, action-aware, supervised" in line
    assert "it has: action, observation.state" in line
    refused(
        handsight("pretrain", "action-aware", "--data", data, *options, "--action", "arm"),
        "no stream 'arm'",
        "--action",
    )
    refused(
        handsight("pretrain", "simclr", "--data", data, *options, "--images", "wrist"),
        "wrist",
        "observation.images.camera",
    )
    refused(
        handsight("pretrain", "supervised", "--data", data, *options, "--label", "mood"), "no fact 'mood'"
    )


def test_an_empty_recording(handsight, make_shapes, tmp_path):
    make_shapes(tmp_path / "empty", episodes=0)
    refused(handsight("info", tmp_path / "empty"), "no episodes")
    refused(
        handsight("pretrain", "simclr", "--data", tmp_path / "empty", "--out", tmp_path / "run", *TINY),
        "no episodes",
    )


def test_a_batch_larger_than_the_data(handsight, shapes_folder, tmp_path):
    options = ["--data", shapes_folder, "--out", tmp_path / "run", "--steps", "1", *TINY[:-1], "100"]
    refused(
        handsight("pretrain", "simclr", *options),
        "a batch of 100 is larger than the data",
        "72 frames",
        "--batch-size 72",
    )
    assert not (tmp_path / "run").exists()


def test_evaluate_report_and_export_of_no_run(handsight, tmp_path):
    (tmp_path / "folder").mkdir()
    for command in ("evaluate", "report", "export"):
        refused(handsight(command, tmp_path / "folder"), "folder")
        refused(handsight(command, tmp_path / "nowhere"), "nowhere")


def test_no_opengl_says_what_to_install(tmp_path):
    done = _handsight(
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


def test_ctrl_c_stops_pretraining_tidily_and_the_same_command_goes_on(shapes_folder, tmp_path):
    command = [
        "pretrain",
        "simclr",
        "--data",
        shapes_folder,
        "--out",
        tmp_path / "run",
        "--steps",
        "2000",
        "--log-every",
        "1",
        *TINY,
    ]
    process = _start(*command)
    try:
        _wait_for(tmp_path / "run" / "log.jsonl", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "give the same command again to go on" in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*.pt"))) == 1


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
    process = _start("collect", *options, "--count", "1000000")
    try:
        deadline = time.monotonic() + 90
        # Some episodes' worth of bytes: then there is something to keep.
        while _bytes_in(tmp_path / "data") < 100_000:
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


@pytest.mark.filterwarnings("default::UserWarning")
def test_real_robot_episodes_train_and_are_probed(handsight, real_data, tmp_path):
    data = real_data / "robot-teleop-lerobot-v3"
    if not data.is_dir():
        pytest.skip(f"{data} is not there")
    out = tmp_path / "robot"
    options = [
        "--data",
        data,
        "--images",
        "image",
        "--action",
        "actions",
        "--out",
        out,
        "--steps",
        "2",
        *TINY,
    ]
    status, _, said = handsight("pretrain", "action-aware", *options)
    assert status == 0, said
    assert "difference of 'action'" in said
    status, said, complained = handsight("evaluate", out)
    assert status == 0, complained
    for row in ("random", "visual-only", "shuffled", "time gap alone", "proprioception alone", "mean action"):
        assert row in said
    assert (out / "evaluation" / "inverse-dynamics.json").exists()
    assert (out / "evaluation" / "behaviour-cloning.json").exists()


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # replaced by its successor meanwhile
            total += path.stat().st_size
    return total


def _environment(more=None):
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": "1",
        **(more or {}),
    }


def _handsight(*arguments, environment=None):
    command = [sys.executable, "-m", "handsight", *map(str, arguments)]
    return subprocess.run(
        command, env=_environment(environment), capture_output=True, text=True, timeout=120, check=False
    )


def _start(*arguments):
    command = [sys.executable, "-m", "handsight", *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, Ctrl-C is ignored and a child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _wait_for(path: Path, process) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
