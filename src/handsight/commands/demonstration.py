"""`handsight demo`."""

from __future__ import annotations

import sys
from pathlib import Path

from handsight.commands.progress import counting
from handsight.demo import DemoSettings, demonstrate


def show_demo(out: Path, settings: DemoSettings) -> None:
    """Collect turning objects, pretrain four encoders, measure them on novel objects, write one page.

    Args:
        out: folder for the recording, the runs and the report; the same command again goes on where it stood.
        settings: how large.
    """
    page = demonstrate(out, settings, counting, lambda line: print(line, file=sys.stderr, flush=True))
    print((out / "table.md").read_text(encoding="utf-8"))
    print(f"open {page}")
