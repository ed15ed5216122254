"""`handsight export`, `report` and `demo`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import Namespace

from handsight.commands.parsing import Parser, Runner, existing, from_function, plain


def export(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `export`."""
    return from_function(parser, export_run)


def export_run(run: Path, to: Literal["timm", "safetensors"] = "timm", out: Path | None = None) -> None:
    """Hand an encoder over to another library.

    Args:
        run: folder of a run or of an encoder.
        to: `timm`: a file that `timm.create_model(name, checkpoint_path=FILE)` loads; `safetensors`: the
            weights and a JSON.
        out: folder to write to; default: RUN/export-TO.
    """
    from handsight.export import export as write

    folder = out or existing(run, "the folder of a run") / f"export-{to}"
    print(write(run, to, folder))


def report(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `report`."""
    return from_function(parser, report_run)


def report_run(run: Path, out: Path | None = None) -> None:
    """Write one self-contained HTML page of a run.

    Args:
        run: folder of a run.
        out: file to write; default: RUN/report/index.html.
    """
    from handsight.report import run_report, write

    page = out or run / "report" / "index.html"
    print(write(run_report(existing(run, "the folder of a run")), page))


def demo(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `demo`."""
    from handsight.commands.demonstration import show_demo
    from handsight.demo import DemoSettings

    parser.add_argument("--config", action="config", help="YAML file to read options from")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        help="folder for everything; the same command again goes on where it stood",
    )
    parser.add_class_arguments(DemoSettings, as_group=True)

    def run(options: Namespace) -> None:
        values = plain(options, parser)
        show_demo(values.pop("out"), DemoSettings(**values))

    return run
