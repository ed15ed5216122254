"""The command line: a table of commands, whose options are the typed signatures of functions."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import TYPE_CHECKING, Any

from handsight.errors import HandsightError, Interrupted, first_line

if TYPE_CHECKING:
    from handsight.commands.parsing import Parser, Runner

COMMANDS: dict[str, tuple[str, str]] = {
    "collect": ("handsight.commands.data:collect", "let an agent act in a world, and record it"),
    "ingest": ("handsight.commands.data:ingest", "make a recording from other people's data"),
    "info": ("handsight.commands.data:info", "say what a recording holds and which methods it can train"),
    "check": ("handsight.commands.data:check", "say whether a recording is whole"),
    "pretrain": ("handsight.commands.pretraining:pretrain", "train an encoder on recordings"),
    "evaluate": ("handsight.commands.measuring:evaluate", "measure an encoder beside its controls"),
    "segment": ("handsight.commands.segmenting:segment", "tell the things in a picture"),
    "study": ("handsight.commands.studying:study", "run a table of a paper, cell by cell"),
    "export": ("handsight.commands.handing:export", "hand an encoder over"),
    "report": ("handsight.commands.handing:report", "write one HTML page of a run"),
    "demo": (
        "handsight.commands.handing:demo",
        "collect, pretrain, evaluate and report: five minutes, nothing at hand",
    ),
}
"""Command → (`module:function` that adds its options and returns what to run, one line of help).

Modules are imported when they are asked for.
"""


STOPPED = "stopped; give the same command again to go on"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; the exit status is 0, 2 after an error that the user can mend, 130 after Ctrl-C."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit status."""
    _quiet()
    try:
        return _run([_underscored(argument) for argument in arguments])
    except HandsightError as error:
        print(f"handsight: {error}", file=sys.stderr)
        return 2
    except Interrupted as stopped:
        if _is_first_process():
            print(f"handsight: {stopped}", file=sys.stderr)
        return 130
    except KeyboardInterrupt as interrupt:
        print(f"handsight: {str(interrupt) or STOPPED}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except (OSError, MemoryError, RuntimeError) as error:
        line = _in_a_line(error)
        if line is None:
            raise
        print(f"handsight: {line}", file=sys.stderr)
        return 2


def _in_a_line(error: Exception) -> str | None:
    """Return what to say of an error of the machine; None where it is an error of ours."""
    if isinstance(error, OSError):
        where = error.filename or "a file"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"{where}: the disk is full. Make room and give the same command again"
        what = error.strerror or str(error)
        return f"{where}: {what}. Make sure it is there, may be read and written, and has room"
    # PyTorch's own is a RuntimeError, and may not have been imported.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            f"out of memory ({first_line(error)}). Take smaller batches (--batch-size), slices of them"
            " (--accumulate) or smaller images, or close other programs"
        )
    return None


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if name == "--version":
        print(_version())
        return 0
    if name not in COMMANDS:
        raise HandsightError(
            f"there is no command '{name}'; there are {', '.join(COMMANDS)}."
            " `handsight --help` says what they do"
        )
    module, function = COMMANDS[name][0].split(":")
    with _ending_at_once():
        from handsight.commands.parsing import Parser, check_configuration

        build: Callable[[Parser, list[str]], Runner] = getattr(import_module(module), function)
    configured = check_configuration(arguments[1:])
    parser = Parser(prog=f"handsight {name}", description=COMMANDS[name][1])
    parser.configured = configured
    runner = build(parser, arguments[1:])
    runner(parser.parse_args(arguments[1:]))
    return 0


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process on the spot, while nothing is at stake.

    What interrupts an import can come out as any error, or be lost in one that the import catches.
    """

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, f"handsight: {STOPPED}\n".encode())
        os._exit(130)

    earlier = signal.getsignal(signal.SIGINT)
    mine = threading.current_thread() is threading.main_thread() and earlier is signal.default_int_handler
    if not mine:  # ignored, or somebody else's
        yield
        return
    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{words}" for name, (_, words) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: handsight COMMAND [options]",
            "",
            "Learn visual encoders from interaction.",
            "",
            *lines,
            "",
            "`handsight COMMAND --help` lists a command's options; --config FILE reads them from YAML,",
            "--print-config writes them.",
        ]
    )


def _version() -> str:
    try:
        return version("handsight")
    except PackageNotFoundError:
        return "source"


def _underscored(argument: str) -> str:
    """Let `--batch-size 8` say `--batch_size 8`."""
    if not argument.startswith("--") or argument == "--":
        return argument
    name, equals, value = argument.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _is_first_process() -> bool:
    """Whether this is the one process that speaks where several train together."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _quiet() -> None:
    """Say what is worth saying, in a line each, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("handsight: %(message)s"))
    log = logging.getLogger("handsight")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO if _is_first_process() else logging.ERROR)
    log.propagate = False
    for chatty in ("lightning", "lightning.fabric", "lightning_utilities"):
        logging.getLogger(chatty).setLevel(logging.ERROR)

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if category is UserWarning:
            log.warning("%s", message)

    warnings.showwarning = show  # type: ignore[assignment]
