"""What the tests of the commands share: a small network, processes of their own, and what a refusal is."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from handsight.studies.cells import Cell, Outcome, Score

TINY = [
    "--image-size",
    "16",
    "--encoder-options",
    '{"channels": [4, 4, 8, 8], "stem_width": 4}',
    "--batch-size",
    "12",
]


OWN_STREAMS = ("curious-robot", "learning-to-interact", "mask-rcnn", "video-pca")
"""Methods that take streams which few recordings have."""


def refused(result, *words):
    """Check that a command ended with one clear line, its last, and return it."""
    status, _, said = result
    lines = said.splitlines()
    assert status == 2, said
    assert "Traceback" not in said
    assert lines[-1].startswith("handsight: "), said
    for word in words:
        assert word in lines[-1], lines[-1]
    return lines[-1]


def bytes_in(folder: Path) -> int:
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


def in_a_process(*arguments, environment=None):
    command = [sys.executable, "-m", "handsight", *map(str, arguments)]
    return subprocess.run(
        command, env=_environment(environment), capture_output=True, text=True, timeout=120, check=False
    )


def start(*arguments):
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


def wait_for(path: Path, process) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def guess(cell: Cell, work: Path) -> Outcome:
    """Stand for an experiment that costs nothing."""
    values = np.random.default_rng(cell.seed).uniform(0, cell.settings["level"], 8)
    return Outcome({"score": Score(values, np.ones(8))})
