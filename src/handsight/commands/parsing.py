"""From typed signatures to options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser, Namespace

from handsight.errors import HandsightError

Runner = Callable[[Namespace], None]


def from_function(parser: ArgumentParser, function: Callable[..., None]) -> Runner:
    """Make a function's parameters the parser's options; those without a default are positional."""
    parser.add_argument("--config", action="config", help="YAML file to read options from")
    several = {
        name: kind
        for name, hint in get_type_hints(function).items()
        if (kind := _kind_of_list(hint)) is not None
    }
    parser.add_function_arguments(function, as_group=False, as_positional=True, skip=set(several))
    described = {
        parameter.arg_name: parameter.description
        for parameter in parse_docstring(function.__doc__ or "").params
    }
    for name, kind in several.items():
        # One after another, as in `--images top wrist`; a YAML list would be asked for otherwise.
        parser.add_argument(f"--{name}", type=kind, nargs="+", help=described.get(name))

    def run(options: Namespace) -> None:
        values = parser.instantiate_classes(options).as_dict()
        values.pop("config", None)
        function(**values)

    return run


def choose(
    parser: ArgumentParser,
    what: str,
    choices: Mapping[str, Callable[[ArgumentParser], Runner]],
    arguments: Sequence[str],
) -> Runner:
    """Let the first argument choose between parsers; only the chosen one is built.

    Raises:
        HandsightError: for a choice that there is not.
    """
    command = parser.prog
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    asked_for_help = bool(arguments) and arguments[0] in ("-h", "--help")
    if named is not None and named not in choices and not asked_for_help:
        raise HandsightError(
            f"there is no {what} '{named}'; there are {', '.join(choices)}."
            f" `{command} {next(iter(choices))} --help` lists its options"
        )
    if named is None and not asked_for_help:
        raise HandsightError(
            f"`{command}` takes a {what}: {', '.join(choices)}."
            f" `{command} {next(iter(choices))} --help` lists its options"
        )
    commands = parser.add_subcommands(dest=what, metavar=what.upper())
    runners: dict[str, Runner] = {}
    for name, build in choices.items():
        if named in (None, name):
            one = ArgumentParser(
                prog=f"{command} {name}", formatter_class=parser.formatter_class, exit_on_error=False
            )
            one.add_argument("--config", action="config", help="YAML file to read options from")
            runners[name] = build(one)
            commands.add_subcommand(
                name, one, help=(one.description or "").splitlines()[0] if one.description else None
            )
        else:
            commands.add_subcommand(name, ArgumentParser())

    def run(options: Namespace) -> None:
        chosen = options[what]
        runners[chosen](options[chosen])

    return run


def plain(options: Namespace, parser: ArgumentParser) -> dict[str, Any]:
    """Return the options as arguments, with classes made."""
    values: dict[str, Any] = dict(vars(parser.instantiate_classes(options)))
    values.pop("config", None)
    return values


def existing(path: Path, what: str) -> Path:
    """Return a path that has to be there.

    Raises:
        HandsightError: where it is not.
    """
    if not path.expanduser().exists():
        raise HandsightError(f"{path} is not there; give the folder of a {what}")
    return path.expanduser()


def _kind_of_list(hint: Any) -> Any:
    """Return X for `list[X] | None`, else None."""
    kinds = [get_args(one)[0] for one in get_args(hint) if getattr(one, "__origin__", None) is list]
    return kinds[0] if kinds else None
