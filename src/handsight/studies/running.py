"""Running cells: those that have no outcome yet, several side by side, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import filelock
import torch

from handsight.errors import HandsightError, Interrupted
from handsight.studies.cells import Cell, CellStore, Outcome
from handsight.training import made_with
from handsight.training.run import write_atomically

Experiment = Callable[[Cell, Path], Outcome]
"""Runs a cell; what it needs on the way (recordings, runs) it keeps in the folder, and finds there again."""

EXPERIMENTS: dict[str, str] = {
    "turned-objects": "handsight.studies.turned_objects:run",
    "handled-objects": "handsight.studies.handled_objects:run",
    "found-things": "handsight.studies.found_things:run",
    "step-cost": "handsight.studies.step_cost:run",
}
"""Name of an experiment → `module:function`, imported in the process that runs it."""

Progress = Callable[[int, int], None]
"""Called with cells done and cells in all."""


def run_cells(
    cells: Sequence[Cell],
    store: CellStore,
    work: Path,
    *,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> int:
    """Run what has no outcome yet; return how many cells were run here.

    A cell that another process is running is left to it. Ctrl-C stops; the same call goes on, a training that
    was under way from its last checkpoint.

    Args:
        cells: of one or several studies.
        store: where outcomes are kept.
        work: recordings and runs on the way; may be removed when the study is done.
        workers: cells at a time; the machine's cores are divided between them.
        progress: told after each cell.

    Raises:
        HandsightError: a cell failed, naming it; the others' outcomes are kept.
    """
    wanted = list(dict.fromkeys(cells))
    waiting = deque(cell for cell in wanted if store.get(cell) is None)
    done, ran = len(wanted) - len(waiting), 0
    progress(done, len(wanted))
    threads = max(1, (os.cpu_count() or 1) // max(1, min(workers, len(waiting))))
    under_way: dict[Any, _Process] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < workers:
                process = _Process(waiting.popleft(), store.folder, work, threads)
                under_way[process.sentinel] = process
            for sentinel in wait(list(under_way)):
                ran += under_way.pop(sentinel).result()
                done += 1
                progress(done, len(wanted))
    finally:
        for process in under_way.values():
            process.stop()
    return ran


class _Process:
    """A process that runs one cell.

    Attributes:
        sentinel: becomes ready when the process has ended.
    """

    def __init__(self, cell: Cell, kept: Path, work: Path, threads: int) -> None:
        # Not a fork of this process: neither a graphics context nor a thread pool survives one.
        context = multiprocessing.get_context("spawn")
        self._cell = cell
        self._ours, theirs = context.Pipe(duplex=False)
        arguments = (cell.experiment, dict(cell.settings), cell.seed, kept, work, threads, theirs)
        self._process = context.Process(target=_serve, args=arguments)
        self._process.start()
        theirs.close()  # so that the process's end is seen here
        self.sentinel = self._process.sentinel

    def result(self) -> bool:
        """Return whether the cell was run there.

        Raises:
            HandsightError: it failed, or its process was killed.
        """
        try:
            answer: bool | str = self._ours.recv()
        except EOFError:
            self._process.join()
            status = self._process.exitcode
            answer = f"its process ended with status {status}; if memory was short, give fewer --workers"
        self._process.join()
        if isinstance(answer, str):
            raise HandsightError(
                f"a cell of {self._cell.experiment} ({self._cell.key}, seed {self._cell.seed})"
                f" failed: {answer}"
            )
        return answer

    def stop(self) -> None:
        """End it; a training that is under way writes its checkpoint first."""
        self._process.terminate()
        self._process.join()


def _serve(
    experiment: str,
    settings: dict[str, Any],
    seed: int,
    kept: Path,
    work: Path,
    threads: int,
    answer: Connection,
) -> None:
    # Ctrl-C reaches every process of a terminal; the first one decides, and tells this one by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=stop_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        answer.send(run_cell(Cell(experiment, settings, seed), CellStore(kept), work))
    except (HandsightError, Interrupted) as error:
        answer.send(str(error))


def stop_with_parent() -> None:
    """Stop this process when the one that started it has ended; a training writes its checkpoint first."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def run_cell(cell: Cell, store: CellStore, work: Path) -> bool:
    """Run a cell in this process; False where another process has it or has done it."""
    work.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(work / f"{cell.key}.lock", timeout=0):
            if store.get(cell) is not None:
                return False
            with _counted(work / f"{cell.key}.core-seconds") as spent:
                outcome = experiment_named(cell.experiment)(cell, work)
                store.put(cell, outcome, spent(), made_with())
            return True
    except filelock.Timeout:
        return False


@contextmanager
def _counted(tally: Path) -> Iterator[Callable[[], float]]:
    """Count the seconds that a core is busy for this process and those it starts, in all sittings.

    The machine's other work does not count, as it would by the clock.
    """
    before = float(tally.read_text(encoding="utf-8")) if tally.exists() else 0.0
    began = _core_seconds()

    def spent() -> float:
        return before + _core_seconds() - began

    try:
        yield spent
    except BaseException:
        with suppress(HandsightError):  # a full disk, which may be what ended it
            write_atomically(tally, f"{spent():.1f}\n")
        raise


def _core_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def experiment_named(name: str) -> Experiment:
    """Return the function that runs an experiment: by its name here, or as `module:function`.

    Raises:
        HandsightError: there is none of that name.
    """
    place = EXPERIMENTS.get(name, name)
    if ":" not in place:
        raise HandsightError(f"there is no experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    module, function = place.split(":")
    found: Experiment = getattr(import_module(module), function)
    return found
