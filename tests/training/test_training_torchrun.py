"""The command line under torchrun: one process killed, Ctrl-C, and on to the losses of a single process."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handsight.training import Run, read_log

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

STEPS = 9


@pytest.fixture
def start(shapes_folder, tmp_path):
    """Start `handsight pretrain` under a launcher, in a process group of its own; ends what is left of it."""
    started = []

    def launch(out: Path, *launcher: str) -> subprocess.Popen:
        command = [sys.executable, *launcher, "-m", "handsight", "pretrain", "action-aware"]
        command += ["--data", str(shapes_folder), "--out", str(out), "--steps", str(STEPS)]
        command += ["--image-size", "16", "--encoder-options", '{"channels": [4, 4, 8, 8], "stem_width": 4}']
        command += [
            "--batch-size",
            "12",
            "--log-every",
            "1",
            "--checkpoint-every",
            "1",
            "--accelerator",
            "cpu",
        ]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        for pid in [process.pid, *ranks(process.pid).values()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.communicate()


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def ranks(launcher: int) -> dict[str, int]:
    """Rank → process, of those that a launcher started."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children")
    found = {}
    for pid in children.read_text().split() if children.exists() else ():
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        rank = [entry[5:].decode() for entry in environment if entry.startswith(b"RANK=")]
        found |= dict.fromkeys(rank, int(pid))
    return found


def wait_for_steps(out: Path, steps: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while len(read_log(out)) < steps:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(process: subprocess.Popen) -> tuple[int, str, list[str]]:
    """Exit status, all that was said, and what of it Handsight said."""
    said, _ = process.communicate(timeout=90)
    return process.returncode, said, re.findall(r"^handsight: .*", said, re.MULTILINE)


@pytest.mark.slow
def test_stopped_under_torchrun_and_resumed_it_gives_the_losses_of_one_process(start, tmp_path):
    out = tmp_path / "two"
    process = start(out, *TORCHRUN)
    wait_for_steps(out, 2, process)
    os.kill(ranks(process.pid)["1"], signal.SIGKILL)
    status, said, lines = ended(process)
    assert status != 0
    assert "another of the 2 processes of this run has ended; it said why, or it was killed" in lines[-1]
    assert not re.search(r"^\[rank.\]: Traceback", said, re.MULTILINE), said

    process = start(out, *TORCHRUN)
    wait_for_steps(out, 5, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal's Ctrl-C
    status, said, lines = ended(process)
    assert status != 0
    stopped = [
        line for line in lines if re.search(r"stopped after \d of 9 steps; give the same command", line)
    ]
    assert len(stopped) == 1, said
    assert not re.search(r"^\[rank.\]: Traceback", said, re.MULTILINE), said

    status, said, lines = ended(start(out, *TORCHRUN))
    assert status == 0, said
    assert len([line for line in lines if "resuming" in line]) == 1  # one process speaks
    assert said.count("9 steps done") == 1
    status, said, _ = ended(start(tmp_path / "one"))
    assert status == 0, said
    one, two = read_log(tmp_path / "one"), read_log(out)
    assert [entry["step"] for entry in two] == list(range(STEPS))
    for alone, together in zip(one, two, strict=True):
        for name in ("contrast", "action"):
            assert together[name] == pytest.approx(alone[name], rel=1e-5), (name, alone["step"])


def on_machine(number: int) -> tuple[str, ...]:
    """The launcher of one of two machines, both this one."""
    place = ("--nnodes=2", f"--node-rank={number}", "--nproc-per-node=1")
    return ("-m", "torch.distributed.run", *place, "--master-addr=127.0.0.1", f"--master-port={PORT}")


PORT = 20_000 + os.getpid() % 10_000


@pytest.mark.slow
def test_machines_that_do_not_share_the_folder_are_told(start, tmp_path):
    config = Run(tmp_path / "second", {}).folder / "config.yaml"
    status, said, _ = ended(start(tmp_path / "first"))
    assert status == 0, said
    config.write_bytes((tmp_path / "first" / "config.yaml").read_bytes())  # and no checkpoint
    machines = [start(tmp_path / name, *on_machine(n)) for n, name in enumerate(("first", "second"))]
    for status, said, _ in map(ended, machines):
        assert status != 0
        assert re.search(
            r"the processes of this run found different checkpoints in .*all machines share", said
        )
        assert not re.search(r"^\[rank.\]: Traceback", said, re.MULTILINE), said
