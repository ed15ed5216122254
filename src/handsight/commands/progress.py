"""Progress of long jobs on a terminal, and in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

EVERY_S = 15.0
"""Seconds between lines where nobody watches a terminal."""

NONE: Mapping[str, float] = {}


class Advance(Protocol):
    """Takes what is done, what there is to do, and the newest figures."""

    def __call__(self, done: int, total: int, figures: Mapping[str, float] = NONE) -> None:
        """Show it."""


@contextmanager
def counting(title: str) -> Iterator[Advance]:
    """Give a callback that shows how far a long job is: a bar on a terminal, else a line now and then."""
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(title, total=None, figures="")

            def draw(done: int, total: int, figures: Mapping[str, float] = NONE) -> None:
                bar.update(task, completed=done, total=total)
                if figures:
                    bar.update(task, figures=_written(figures))

            yield draw
        return
    said = time.monotonic()

    def say(done: int, total: int, figures: Mapping[str, float] = NONE) -> None:
        nonlocal said
        if time.monotonic() - said > EVERY_S or done == total:
            said = time.monotonic()
            print(f"{title}: {done}/{total} {_written(figures)}".rstrip(), file=sys.stderr, flush=True)

    yield say


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=Console(stderr=True),
        transient=False,
    )


def _written(figures: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name} {value:.3g}" for name, value in figures.items() if name not in ("learning_rate", "seconds")
    )
