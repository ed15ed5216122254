"""From typed signatures to options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

import yaml
from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from handsight.errors import HandsightError, first_line

Runner = Callable[[Namespace], None]

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "tuple": """a list, as in '["this", "that"]'""",
    "list": """a list, as in '["this", "that"]'""",
    "dict": """names with values, as in '{"this": 1}'""",
}
"""A type of Python's → what somebody types for it."""


class _Formatter(DefaultHelpFormatter):  # type: ignore[misc]
    """Writes options with hyphens; both spellings are understood."""

    def _format_action_invocation(self, action: Any) -> str:
        return _hyphenated(str(super()._format_action_invocation(action)))

    def _format_usage(self, *arguments: Any) -> str:
        return _hyphenated(str(super()._format_usage(*arguments)))

    def _get_type_str(self, action: Any) -> str | None:
        kind = super()._get_type_str(action)
        return kind and re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", kind)


class Parser(ArgumentParser):  # type: ignore[misc]
    """jsonargparse's parser, whose errors are one line.

    Args:
        prog: the command, as the user types it.
        description: what it does.

    Attributes:
        configured: option → the file after `--config` that it stands in, so that errors can name it.
    """

    def __init__(self, prog: str = "handsight", description: str | None = None) -> None:
        super().__init__(prog=prog, description=description, formatter_class=_Formatter)
        self.configured: Mapping[str, str] = {}

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Refuse what was typed.

        Raises:
            HandsightError: always.
        """
        command = self.prog.replace("[options] ", "")
        missing = re.search(r"arguments are required: (.+)", message)
        if missing is not None:
            # Options of a chosen method are called after it: `simclr.out`.
            chosen, _, option = missing[1].split(",")[0].strip().rpartition(".")
            command = f"{command} {chosen}".rstrip()
            message = f"`{command}` needs --{option}" if chosen else f"`{command}` needs {option}"
        unknown = re.search(r"(?:Subcommand '(.+?)' does not accept option|Option) '(.+?)'", message)
        if unknown is not None and unknown[2] in self.configured:
            command = f"{command} {unknown[1] or ''}".rstrip()
            file = self.configured[unknown[2]]
            message = f"{file} (--config) has {unknown[2]}, which is no option of `{command}`"
        raise HandsightError(f"{_one_line(message)}. `{command} --help` lists the options") from ex


def check_configuration(arguments: Sequence[str]) -> dict[str, str]:
    """Refuse files after `--config` that hold no options, by name, before they are parsed.

    Returns:
        Option → the file that it stands in.

    Raises:
        HandsightError: one is not there, cannot be read, is no YAML, or no options with values.
    """
    found: dict[str, str] = {}
    for argument, after in pairwise([*arguments, ""]):
        option, _, given = argument.partition("=")
        if option != "--config" or not (given or after):
            continue
        file, what = given or after, "give a YAML file of options, as --print-config writes it"
        try:
            options = yaml.safe_load(Path(file).read_text())
        except OSError as error:
            raise HandsightError(f"--config {file} cannot be read ({error.strerror}); {what}") from None
        except (yaml.YAMLError, ValueError) as error:
            raise HandsightError(f"--config {file} is not YAML ({first_line(error)}); {what}") from None
        if not isinstance(options, dict):
            raise HandsightError(f"--config {file} holds no options with values; {what}")
        found |= {str(option): file for option in options}
    return found


def _one_line(message: str) -> str:
    """Say in one line what an option got and what it takes."""
    lines = [line.strip(" -") for line in message.splitlines() if line.strip()]
    key = re.search(r'Parser key "([^"]+)"', lines[0])
    if key is None:
        return _hyphenated(lines[0])
    given = [line.removeprefix("Given value: ") for line in lines if line.startswith("Given value: ")]
    noise = ("Given value", "Does not validate", "Subtypes", "Errors")
    why = [line for line in lines[1:] if not line.startswith(noise)]
    option = key[1].replace("_", "-")
    # Of an entry of a list, what it was stands in the reason.
    entry = re.search(r"Got value: (.+?)\.?$", why[0]) if why else None
    what = given[-1] if given else entry[1] if entry else "something else"
    return f"--{option} was given {what}: {_in_words(why[0]) if why else 'it cannot be'}"


def _in_words(why: str) -> str:
    """Say what an option takes without Python's names of types; what is said otherwise stays."""
    kind = re.match(r"Expected an? <class '(\w+)'>", why)
    if kind is not None and kind[1] in _KINDS:
        return f"it takes {_KINDS[kind[1]]}"
    choice = re.match(r"Expected an? typing\.Literal\[(.+?)\]\.", why)
    return f"it takes one of {choice[1]}" if choice is not None else why


def _hyphenated(text: str) -> str:
    return re.sub(r"--[a-z_.]+", lambda option: option[0].replace("_", "-"), text)


def from_function(parser: Parser, function: Callable[..., None]) -> Runner:
    """Make a function's parameters the parser's options.

    Those without a default are positional, those whose default is False are flags.
    """
    parser.add_argument("--config", action="config", help="YAML file to read options from")
    several = {
        name: kind
        for name, hint in get_type_hints(function).items()
        if (kind := _kind_of_list(hint)) is not None
    }
    flags = {name for name, one in signature(function).parameters.items() if one.default is False}
    parser.add_function_arguments(function, as_group=False, as_positional=True, skip={*several, *flags})
    described = {
        parameter.arg_name: parameter.description
        for parameter in parse_docstring(function.__doc__ or "").params
    }
    for name, kind in several.items():
        # One after another, as in `--images top wrist`; a YAML list would be asked for otherwise.
        parser.add_argument(f"--{name}", type=kind, nargs="+", help=described.get(name))
    for name in sorted(flags):
        parser.add_argument(f"--{name}", action="store_true", help=described.get(name))

    def run(options: Namespace) -> None:
        values = parser.instantiate(options).as_dict()
        values.pop("config", None)
        function(**values)

    return run


def choose(
    parser: Parser,
    what: str,
    choices: Mapping[str, Callable[[Parser], Runner]],
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
            one = Parser(prog=f"{command} {name}")
            one.add_argument("--config", action="config", help="YAML file to read options from")
            runners[name] = build(one)
            commands.add_subcommand(
                name, one, help=(one.description or "").splitlines()[0] if one.description else None
            )
        else:
            commands.add_subcommand(name, Parser())

    def run(options: Namespace) -> None:
        chosen = options[what]
        runners[chosen](options[chosen])

    return run


def plain(options: Namespace, parser: Parser) -> dict[str, Any]:
    """Return the options as arguments, with classes made."""
    values: dict[str, Any] = dict(vars(parser.instantiate(options)))
    values.pop("config", None)
    return values


def existing(path: Path, what: str) -> Path:
    """Return a path that has to be there; `what` is what to give, as in `the folder of a run`.

    Raises:
        HandsightError: where it is not.
    """
    if not path.expanduser().exists():
        raise HandsightError(f"{path} is not there; give {what}")
    return path.expanduser()


def _kind_of_list(hint: Any) -> Any:
    """Return X for `list[X] | None`, else None."""
    kinds = [get_args(one)[0] for one in get_args(hint) if getattr(one, "__origin__", None) is list]
    return kinds[0] if kinds else None
