"""`handsight collect`, `ingest`, `info` and `check`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from handsight.commands.parsing import Parser, Runner, choose, from_function, plain
from handsight.commands.progress import counting
from handsight.commands.writing import in_lines
from handsight.errors import HandsightError
from handsight.recordings import Recording, describe
from handsight.recordings import check as find_problems
from handsight.recordings import convert as convert_v21
from handsight.recordings import repair as mend
from handsight.sources import SOURCES
from handsight.worlds import WORLDS
from handsight.worlds import collect as collect_episodes


def collect(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the worlds, each with its own options."""
    return choose(parser, "world", {name: _collect_one(world) for name, world in WORLDS.items()}, arguments)


def _collect_one(world: Any) -> Callable[[Parser], Runner]:
    def build(parser: Parser) -> Runner:
        parser.description = (world.__doc__ or "").split("\n\n")[0]
        options = parser.add_argument_group("place and size")
        options.add_argument(
            "--out",
            type=Path,
            required=True,
            help="folder of the recording; the same command again goes on with it",
        )
        options.add_argument("--count", type=int, default=1000, help="episodes in all")
        options.add_argument("--seed", type=int, default=0, help="episode i is a function of the seed and i")
        options.add_argument(
            "--workers",
            type=int,
            default=os.cpu_count() or 1,
            help="processes that act; the recording does not depend on it",
        )
        options.add_argument(
            "--episode_limit_s",
            type=float,
            help="seconds after which a worker that has not finished its episode is taken for hung and"
            " replaced; 0: never; default: 20 times as long as the longest so far, 600 or more",
        )
        parser.add_class_arguments(world, as_group=True)

        def run(namespace: Any) -> None:
            values = plain(namespace, parser)
            out, count, seed, workers, limit_s = (
                values.pop(name) for name in ("out", "count", "seed", "workers", "episode_limit_s")
            )
            with counting("episodes") as progress:
                collect_episodes(world(**values), out, count, seed, workers, progress, limit_s)
            if (report := getattr(world, "report", None)) is not None:
                print(report(Recording(out)))
            print(f"{out}: {count} episodes. Next: handsight info {out}")

        return run

    return build


def ingest(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the formats, each with its own options."""
    known: dict[str, Callable[..., Any]] = {**SOURCES, "lerobot-v21": _lerobot_v21}
    return choose(parser, "format", {name: _ingest_one(source) for name, source in known.items()}, arguments)


def _ingest_one(source: Callable[..., Any]) -> Callable[[Parser], Runner]:
    def build(parser: Parser) -> Runner:
        parser.description = (source.__doc__ or "").split("\n\n")[0]
        takes_progress = "progress" in source.__annotations__
        parser.add_function_arguments(
            source, as_group=False, as_positional=True, skip={"progress"} if takes_progress else None
        )

        def run(namespace: Any) -> None:
            values = plain(namespace, parser)
            with counting("ingesting") as progress:
                source(**values, **({"progress": progress} if takes_progress else {}))
            print(f"{values['out']}: done. Next: handsight info {values['out']}")

        return run

    return build


def _lerobot_v21(source: Path, out: Path) -> None:
    """Convert a LeRobotDataset v2.1 to v3.0; pictures are not encoded again.

    Args:
        source: folder of the v2.1 recording; it is left as it is.
        out: folder of the new one.
    """
    convert_v21(source, out)


def info(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `info`."""
    return from_function(parser, show_info)


def show_info(path: str, images: list[str] | None = None, action: str | None = None) -> None:
    """Say what a recording holds and which methods it can train.

    Args:
        path: folder, or user/name on the Hugging Face Hub.
        images: cameras to use; default: all.
        action: name of the stream that is the action; default: action.
    """
    # Imported here: PyTorch takes seconds to import, and the other commands of this file do without.
    from handsight.training import trainable_methods

    recording = Recording(path, images=images, action=action)
    print("\n".join(in_lines(describe(recording))))
    methods = trainable_methods(recording)
    print("can train".ljust(11) + (", ".join(methods) or "nothing yet: it has no camera"))
    floats = [
        name
        for name, feature in recording.features.items()
        if feature.dtype.startswith("float") and len(feature.shape) == 1
    ]
    if "action" not in recording.features and floats:
        named = trainable_methods(Recording(recording.root, images=images, action=floats[0]))
        if more := ", ".join(name for name in named if name not in methods):
            print(f"{'':<11}with --action {' or --action '.join(floats)}: {more} too")


def check(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `check`."""
    return from_function(parser, show_check)


def show_check(path: Path, repair: bool = False, thorough: bool = False) -> None:
    """Say whether a recording is whole, or what is wrong and what to do.

    The exit status is 2 where there is an error.

    Args:
        path: folder of the recording.
        repair: mend what can be mended; what is replaced is kept in a folder inside the recording.
        thorough: decode every frame, not only the first of each episode.
    """
    if repair:
        done = mend(path, thorough=thorough)
        for one in done.repairs:
            print(one)
        if done.folder is not None:
            print(f"what was replaced is kept in {done.folder}")
    problems = find_problems(path, thorough=thorough)
    for problem in problems:
        print(f"{problem.severity}: {problem.where}: {problem.what}. {problem.remedy}")
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        left = " left that cannot be mended" if repair else ""
        plural = "s" if errors > 1 else ""
        raise HandsightError(f"{path} has {errors} error{plural}{left}; see above what to do")
    print(f"{path} is whole" + (f" ({len(problems)} warnings)" if problems else ""))
