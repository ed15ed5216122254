"""`handsight demo`."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

SMALL = [
    *("--objects", "160", "--views", "2", "--image-size", "16", "--frame-size", "24"),
    *("--batch-size", "16", "--channels", "[4, 4, 8, 8]"),
]


def test_demo_at_its_smallest_draws_every_section(handsight, tmp_path):
    status, said, _ = handsight("demo", "--out", tmp_path / "demo", *SMALL, "--steps", "2")
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


def living(group):
    """Return the processes of a group that have not ended; one that nobody has asked after has."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(path.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
def test_trainings_of_a_killed_demo_write_checkpoints_and_end(tmp_path):
    out = tmp_path / "demo"
    with (tmp_path / "said.txt").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "handsight", "demo", "--out", out, *SMALL, "--steps", "1000000"],
            stdout=said,
            stderr=said,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    try:
        until = time.monotonic() + 120
        while len(list(out.glob("runs/*/log.jsonl"))) < 2 and time.monotonic() < until:
            assert process.poll() is None, (tmp_path / "said.txt").read_text()
            time.sleep(0.1)
        process.kill()
        process.wait()
        while (left := living(process.pid)) and time.monotonic() < until:
            time.sleep(0.1)
        assert left == []
        assert len(list(out.glob("runs/*/checkpoints/*"))) >= 2
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
