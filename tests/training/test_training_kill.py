"""A run killed between any two things it does to the disk ends, resumed, as the run that was not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from handsight.errors import HandsightError
from handsight.methods import METHODS
from handsight.training import pretrain, read_log
from handsight.training.run import Run

SETTINGS = {"steps": 2, "batch_size": 8, "checkpoint_every": 1, "log_every": 1, "accelerator": "cpu"}

SCRIPT = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
import handsight.training.events  # what every process would import again
import handsight.evaluation
import torch._dynamo
from test_training_kill import resumed, train_counting

def in_a_process(function, *arguments):
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        function(*arguments)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

data, out = Path(sys.argv[2]), Path(sys.argv[3])
assert in_a_process(train_counting, data, out / "whole", None) == 0
at = 0
while True:
    status = in_a_process(train_counting, data, out / f"at-{at}", at)
    if status == 0:
        break
    assert status == 9, (at, status)
    assert in_a_process(resumed, data, out / f"at-{at}") == 0, at
    at += 1
print(at)
"""


def resumed(data: Path, out: Path) -> None:
    from handsight.recordings import Recording

    torch.manual_seed(0)
    options = {"channels": [4, 4, 8, 8], "stem_width": 4}
    pretrain(METHODS["simclr"]("resnet18", 16, options), Recording(data), out=out, **SETTINGS)


def train_counting(data: Path, out: Path, at: int | None) -> None:
    """Train, and die at the at-th thing done to the disk: before it, or with a file half written."""
    done = []

    def counted(owner, name, half=None):
        real = getattr(owner, name)

        def step(*arguments, **options):
            if any(str(out) in _place(argument) for argument in arguments[:2]):
                if len(done) == at:
                    if half is not None:
                        half(real, *arguments, **options)
                    os._exit(9)
                done.append(name)
            return real(*arguments, **options)

        setattr(owner, name, step)

    for name in ("replace", "fsync", "mkdir"):
        counted(os, name)
    counted(Path, "unlink")
    counted(torch, "save", _half_of_a_file)
    counted(Path, "write_text", _half_of_a_text)
    counted(Run, "log", _half_of_a_line)
    resumed(data, out)


def _place(value) -> str:
    """The path that an argument is, or that a file it stands for has."""
    if isinstance(value, int):
        link = Path(f"/proc/self/fd/{value}")
        return str(link.readlink()) if link.is_symlink() else ""
    if isinstance(value, Run):
        return str(value.folder)
    return str(value) if isinstance(value, str | Path) else ""


def _half_of_a_file(save, what, target) -> None:
    save(what, target)
    target.write_bytes(target.read_bytes()[: target.stat().st_size // 2])


def _half_of_a_text(write, path, text, **options) -> None:
    write(path, text[: len(text) // 2], **options)


def _half_of_a_line(log, run, entry) -> None:
    with run.log_path.open("a") as file:
        file.write(json.dumps(entry)[:20])


def content(folder: Path) -> dict:
    """Everything in a run's folder, without the times of the log and TensorBoard's files."""
    held = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "tensorboard"
    }
    del held["log.jsonl"], held["checkpoints/step-000000002.pt"]
    losses = [{key: v for key, v in entry.items() if key != "seconds"} for entry in read_log(folder)]
    return held | {"losses": losses}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks files up in /proc")
def test_a_kill_at_anything_done_to_the_disk(shapes_folder, tmp_path):
    paths = [os.path.dirname(__file__), str(shapes_folder), str(tmp_path)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *paths],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    moments = int(done.stdout)
    assert moments > 25
    whole = content(tmp_path / "whole")
    assert len(whole["losses"]) == 2
    for at in range(moments):
        assert content(tmp_path / f"at-{at}") == whole, at


def test_what_a_checkpoint_stands_on_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    """A machine that goes down keeps what was waited for: the log, the file, its name."""
    run = Run(tmp_path / "run", {})
    run.log({"step": 0})
    run.save_checkpoint({"step": 1}, 1)
    events = []
    for name in ("fsync", "replace", "unlink"):
        real = getattr(os, name)

        def noted(what, *arguments, name=name, real=real, **options):
            events.append((name, Path(_place(what)).name))
            return real(what, *arguments, **options)

        monkeypatch.setattr(os, name, noted)
    run.save_checkpoint({"step": 2}, 2)
    new = "step-000000002.pt"
    assert events == [
        ("fsync", "log.jsonl"),
        ("fsync", f"{new}.partial"),
        ("replace", f"{new}.partial"),
        ("fsync", "checkpoints"),
        ("unlink", "step-000000001.pt"),
    ]


def test_one_process_at_a_time_trains_in_a_folder(tmp_path):
    run = Run(tmp_path / "run", {})
    busy = pytest.raises(HandsightError, match=r"run is a run that another process is training; wait")
    with run.held(), busy, Run(tmp_path / "run", {}).held():
        pass
    with run.held():
        assert [path.name for path in run.folder.iterdir()].count(".training.lock") == 1
    assert [path.name for path in run.folder.iterdir()] == ["config.yaml"]
