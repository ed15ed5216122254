"""What the sources of turned objects share: going on after a kill, progress, and the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from objects_material import (
    make_co3d,
    make_co3d_packed,
    make_mvimgnet,
    make_mvimgnet_packed,
    make_rt4k,
)

import handsight.errors
from handsight import cli
from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.sources import SOURCES

MAKERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "rt4k": ("rt4k", make_rt4k),
    "mvimgnet": ("mvimgnet", make_mvimgnet),
    "mvimgnet, packed": ("mvimgnet", make_mvimgnet_packed),
    "co3d": ("co3d", make_co3d),
    "co3d, packed": ("co3d", make_co3d_packed),
}
EVERY = pytest.mark.parametrize("case", list(MAKERS))


@pytest.fixture(autouse=True)
def _warnings_as_they_were(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)


def same(one: Recording, other: Recording) -> None:
    for name in one.facts:
        assert one.facts[name].tolist() == other.facts[name].tolist(), name
    assert one.episode_starts.tolist() == other.episode_starts.tolist()
    everything = range(one.num_frames)
    np.testing.assert_array_equal(one.frames(everything), other.frames(everything))
    for name in (name for name, feature in one.features.items() if not feature.is_camera):
        np.testing.assert_array_equal(one.stream(name), other.stream(name))


class _StopError(Exception):
    pass


@EVERY
@pytest.mark.parametrize("video", [False, True])
def test_goes_on_where_it_stopped(tmp_path: Path, case: str, video: bool):
    name, make = MAKERS[case]
    make(tmp_path / "in")
    calls: list[tuple[int, int]] = []
    options = {"video": video, "size": 16}

    def stop(done: int, total: int) -> None:
        if done == 13:
            raise _StopError

    with pytest.raises(_StopError):
        SOURCES[name](tmp_path / "in", tmp_path / "out", progress=stop, **options)
    begun = Recording(tmp_path / "out").num_episodes
    SOURCES[name](
        tmp_path / "in", tmp_path / "out", progress=lambda done, total: calls.append((done, total)), **options
    )
    SOURCES[name](tmp_path / "in", tmp_path / "straight", **options)
    resumed, straight = Recording(tmp_path / "out"), Recording(tmp_path / "straight")
    assert 1 <= begun < straight.num_episodes
    same(resumed, straight)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert {total for _, total in calls} == {calls[-1][0]} == {straight.num_frames}
    SOURCES[name](tmp_path / "in", tmp_path / "out", **options)
    same(Recording(tmp_path / "out"), straight)


_KILLED = """
import os, signal, sys
from pathlib import Path
from handsight.sources import SOURCES

def progress(done, total):
    if done == 15:
        os.kill(os.getpid(), signal.SIGKILL)

SOURCES[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]), progress=progress)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("case", ["rt4k", "mvimgnet", "co3d"])
def test_goes_on_after_a_kill(tmp_path: Path, case: str):
    name, make = MAKERS[case]
    make(tmp_path / "in")
    environment = {**os.environ, "PYTHONPATH": str(Path(handsight.errors.__file__).parents[1])}
    command = [sys.executable, "-c", _KILLED, name, str(tmp_path / "in"), str(tmp_path / "out")]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    for out in ("out", "straight"):
        SOURCES[name](tmp_path / "in", tmp_path / out)
    same(Recording(tmp_path / "out"), Recording(tmp_path / "straight"))


@EVERY
def test_other_options_or_another_recording_are_refused(tmp_path: Path, case: str):
    name, make = MAKERS[case]
    make(tmp_path / "in")
    SOURCES[name](tmp_path / "in", tmp_path / "out", size=16)
    with pytest.raises(HandsightError, match="was ingested with size 16, now 12 is asked for"):
        SOURCES[name](tmp_path / "in", tmp_path / "out", size=12)
    other, make_other = MAKERS["rt4k" if name == "co3d" else "co3d"]
    make_other(tmp_path / "other")
    SOURCES[other](tmp_path / "other", tmp_path / "out2", size=16)
    with pytest.raises(HandsightError, match="out2 is a recording of something else; give a new folder"):
        SOURCES[name](tmp_path / "in", tmp_path / "out2", size=16)


def test_a_recording_inside_of_its_source_is_not_taken_for_a_part_of_it(tmp_path: Path):
    make_mvimgnet(tmp_path / "mvimgnet")
    make_co3d(tmp_path / "co3d")
    for name, episodes_n in (("mvimgnet", 4), ("co3d", 3)):
        for _ in range(2):
            out = SOURCES[name](tmp_path / name, tmp_path / name / "out", size=16)
            assert Recording(out).num_episodes == episodes_n


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    status = cli.run([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("case", ["rt4k", "mvimgnet", "co3d"])
def test_from_the_command_line_to_a_trained_encoder(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
):
    make = MAKERS[case][1]
    make(tmp_path / "in")
    options = ["--size", "24", "--square", "true", "--validation", "0"]
    options += [] if case == "rt4k" else ["--test", "0"]
    status, said, told = run(capsys, "ingest", case, tmp_path / "in", tmp_path / "out", *options)
    assert status == 0, told
    assert "Next: handsight info" in said
    status, said, _ = run(capsys, "check", tmp_path / "out")
    assert (status, said.rstrip().endswith("is whole")) == (0, True)
    # Where the action is several streams, the last line names them.
    hint = told.rpartition("the paper's action: ")[2].split() if case != "rt4k" else []
    action = [word.strip("'") for word in " ".join(hint).split(" --")]
    chosen = [word for part in action if part for word in _option(part)]
    network = ["--image-size", "16", "--encoder-options", '{"channels": [4, 4, 8, 8], "stem_width": 4}']
    training = ["--batch-size", "8", "--steps", "2"]
    status, _, told = run(
        capsys,
        *("pretrain", "action-aware", "--data", tmp_path / "out", "--out", tmp_path / "run"),
        *(*network, *training, *chosen),
    )
    assert status == 0, told
    assert (tmp_path / "run" / "encoder" / "encoder.safetensors").is_file()
    status, _, told = run(capsys, "ingest", case, tmp_path / "nowhere", tmp_path / "out2")
    assert status == 2
    assert told.startswith("handsight: ")
    assert told.count("\n") == 1


def _option(words: str) -> list[str]:
    """An option as a shell would pass it."""
    name, _, value = words.removeprefix("--").partition(" ")
    return [f"--{name}", value.strip("'")]
