"""The table of commands, and how what goes wrong becomes one line and an exit status."""

import errno
import os
import subprocess
import sys

import pytest

from handsight import cli
from handsight.errors import HandsightError, Interrupted


class OutOfMemoryError(RuntimeError):
    """Stands for PyTorch's."""


@pytest.fixture
def ending(monkeypatch, capsys):
    """Run a command that ends by raising an error; gives the exit status and what was said."""

    def call(error):
        def fail(arguments):
            raise error

        monkeypatch.setattr(cli, "_run", fail)
        status = cli.run([])
        return status, capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (HandsightError("no such thing; take another"), 2, "no such thing; take another"),
        (Interrupted("stopped after 3 steps"), 130, "stopped after 3 steps"),
        (KeyboardInterrupt(), 130, "stopped; give the same command again to go on"),
        (KeyboardInterrupt("stopped; 3 of 8 are kept"), 130, "stopped; 3 of 8 are kept"),
        (
            OSError(errno.ENOSPC, "No space left", "out/x"),
            2,
            "out/x: the disk is full. Make room and give the",
        ),
        (OSError(errno.EDQUOT, "Quota exceeded"), 2, "a file: the disk is full. Make room and give the same"),
        (
            PermissionError(errno.EACCES, "Permission denied", "out/x"),
            2,
            "out/x: Permission denied. Make sure",
        ),
        (MemoryError("Unable to allocate 9 TiB\nof it"), 2, "out of memory (Unable to allocate 9 TiB). Take"),
        (
            OutOfMemoryError("CUDA out of memory."),
            2,
            "out of memory (CUDA out of memory.). Take smaller batches",
        ),
        (BrokenPipeError(), 0, None),
    ],
)
def test_what_goes_wrong_is_a_line_and_a_status(ending, error, status, line):
    got, said = ending(error)
    assert got == status
    assert said == "" if line is None else said.startswith(f"handsight: {line}")
    assert said.count("\n") == (line is not None)


def test_an_error_of_ours_is_not_hidden(ending):
    with pytest.raises(RuntimeError, match="a bug"):
        ending(RuntimeError("a bug"))


def test_of_several_processes_the_first_alone_says_that_it_was_stopped(ending, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert ending(Interrupted("stopped after 3 steps")) == (130, "")
    status, said = ending(HandsightError("what went wrong here"))
    assert (status, said) == (2, "handsight: what went wrong here\n")


@pytest.mark.parametrize("command", ["collect", "ingest", "info", "check"])
def test_commands_that_only_record_do_not_wait_for_pytorch(command):
    source = f"""
import sys
from handsight import cli
try:
    cli.run([{command!r}, "--help"])
finally:
    assert "torch" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([sys.executable, "-c", source], env=environment, check=True, capture_output=True)


def test_an_entry_of_a_list_that_cannot_be_is_named(tmp_path, capsys):
    asked = [
        "collect",
        "tabletop",
        "--out",
        str(tmp_path / "out"),
        "--count",
        "1",
        "--interactions",
        '["lift"]',
    ]
    assert cli.run(asked) == 2
    assert "--interactions was given lift: " in capsys.readouterr().err
