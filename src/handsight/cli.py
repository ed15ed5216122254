"""The command line: a table of commands, whose options are the typed signatures of functions."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from handsight.commands.parsing import Parser, Runner
from handsight.errors import HandsightError, Interrupted

COMMANDS: dict[str, tuple[str, str]] = {
    "collect": ("handsight.commands.data:collect", "let an agent act in a world, and record it"),
    "ingest": ("handsight.commands.data:ingest", "make a recording from other people's data"),
    "info": ("handsight.commands.data:info", "say what a recording holds and which methods it can train"),
    "check": ("handsight.commands.data:check", "say whether a recording is whole"),
    "pretrain": ("handsight.commands.pretraining:pretrain", "train an encoder on recordings"),
    "evaluate": ("handsight.commands.measuring:evaluate", "measure an encoder beside its controls"),
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
        print(f"handsight: {stopped}", file=sys.stderr)
        return 130
    except KeyboardInterrupt as interrupt:
        print(f"handsight: {interrupt or 'stopped; give the same command again to go on'}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        what = error.strerror or str(error)
        print(
            f"handsight: {error.filename or 'a file'}: {what}."
            " Make sure it is there, may be read and written, and has room",
            file=sys.stderr,
        )
        return 2


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
    build: Callable[[Parser, list[str]], Runner] = getattr(import_module(module), function)
    parser = Parser(prog=f"handsight {name}", description=COMMANDS[name][1])
    runner = build(parser, arguments[1:])
    runner(parser.parse_args(arguments[1:]))
    return 0


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


def _quiet() -> None:
    """Say what is worth saying, in a line each, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("handsight: %(message)s"))
    log = logging.getLogger("handsight")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    for chatty in ("lightning", "lightning.fabric", "lightning_utilities"):
        logging.getLogger(chatty).setLevel(logging.ERROR)

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if category is UserWarning:
            log.warning("%s", message)

    warnings.showwarning = show  # type: ignore[assignment]
