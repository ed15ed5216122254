"""What every method's runs keep to: resumed, in several processes, in another process, handed over."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from methods_table import METHODS
from runs_in_processes import build, fingerprint, train
from safetensors.torch import load_file

from handsight.encoders import load_encoder
from handsight.export import export
from handsight.methods import METHODS as KNOWN
from handsight.recordings import Recording
from handsight.studies.controls import build_method
from handsight.training import pretrain, read_config, read_log

pytestmark = pytest.mark.filterwarnings("ignore:action number .* never changes")
EVERY = pytest.mark.parametrize("name", METHODS)
SETTINGS = {"steps": 5, "batch_size": 12, "checkpoint_every": 2, "log_every": 1}


@pytest.fixture(scope="module")
def recordings(shapes_folder, tmp_path_factory) -> dict[str, Path]:
    """Folder of a recording for each method."""
    folders = {}
    for name, case in METHODS.items():
        folders[name] = shapes_folder
        if case.record is not None:
            folders[name] = tmp_path_factory.mktemp("recordings") / "own"
            case.record(folders[name])
    return folders


@pytest.fixture(scope="module")
def whole(recordings, tiny_network, tmp_path_factory):
    """Function of a method's name: the folder of its run in one go."""
    known: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in known:
            out = tmp_path_factory.mktemp("runs") / "run"
            known[name] = pretrain(
                build(name, tiny_network), Recording(recordings[name]), out=out, **SETTINGS
            )
        return known[name]

    return run


def losses(folder: Path) -> list[dict]:
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in read_log(folder)]


@EVERY
def test_a_run_logs_every_loss_and_can_be_built_again(name, whole, monkeypatch):
    folder, case = whole(name), METHODS[name]
    monkeypatch.setitem(KNOWN, case.method.name, case.method)
    assert [list(entry)[1:-2] for entry in read_log(folder)] == [list(case.losses)] * SETTINGS["steps"]
    config = read_config(folder)["method"]
    assert build_method(config.pop("name"), config).arguments == config


@EVERY
def test_a_resumed_run_is_the_run_in_one_go(name, whole, recordings, tiny_network, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, total, entry):
        if done == 3:
            raise Killed

    recording, steps = Recording(recordings[name]), []
    with pytest.raises(Killed):
        pretrain(build(name, tiny_network), recording, out=tmp_path / "cut", progress=kill, **SETTINGS)
    assert not (tmp_path / "cut" / "encoder").exists()
    resumed = pretrain(
        build(name, tiny_network),
        recording,
        out=tmp_path / "cut",
        progress=lambda *now: steps.append(now[0]),
        **SETTINGS,
    )
    assert steps == [3, 4, 5]  # the checkpoint at step 2 is where it went on
    assert losses(resumed) == losses(whole(name))
    weights = [load_file(folder / "encoder" / "encoder.safetensors") for folder in (resumed, whole(name))]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())


@EVERY
def test_the_encoder_of_a_run_is_handed_over(name, whole, recordings, tmp_path):
    encoder = load_encoder(whole(name))
    assert encoder.recipe["method"]["name"] == METHODS[name].method.name
    recording = Recording(recordings[name])
    pictures = recording.frames(range(3), recording.cameras[0])
    export(whole(name), "safetensors", tmp_path / "safetensors")
    assert torch.equal(load_encoder(tmp_path / "safetensors").embed(pictures), encoder.embed(pictures))
    export(whole(name), "timm", tmp_path / "timm")
    theirs = timm.create_model(f"local-dir:{tmp_path / 'timm'}", pretrained=True).eval()
    images = encoder.preprocessing(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    if encoder.takes_depth:
        images = torch.cat([images, torch.zeros_like(images[:, :1])], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(theirs(images), encoder.embed(pictures), atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def two_processes(recordings, tiny_network, tmp_path_factory) -> Path:
    """Folder in which two processes of one torchrun trained every method."""
    folder = tmp_path_factory.mktemp("two")
    given = folder / "given.json"
    given.write_text(json.dumps([tiny_network, {name: str(path) for name, path in recordings.items()}]))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    script = Path(__file__).with_name("runs_in_processes.py")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HANDSIGHT_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [*torchrun, str(script), str(given), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@EVERY
def test_another_process_builds_the_same_weights_and_gives_the_same_losses(
    name, two_processes, recordings, tiny_network
):
    here = fingerprint(name, tiny_network, Recording(recordings[name]))
    for rank in range(2):
        there = json.loads((two_processes / f"prints-{rank}.json").read_text())
        assert there[name] == here


@EVERY
def test_two_processes_give_the_losses_of_one(name, two_processes, recordings, tiny_network, tmp_path):
    one = read_log(train(name, tiny_network, recordings[name], tmp_path / "one"))
    two = read_log(two_processes / name)
    assert len(one) == len(two) > 0
    for alone, together in zip(one, two, strict=True):
        for key in METHODS[name].losses:
            assert together[key] == pytest.approx(alone[key], rel=1e-5, abs=1e-5), (key, alone["step"])
