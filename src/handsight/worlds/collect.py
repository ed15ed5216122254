"""Collecting: worker processes make a world's episodes, this one writes them down in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from handsight.errors import HandsightError
from handsight.recordings import Writer
from handsight.worlds.world import Episode, World

ATTEMPTS_N = 3
"""How often an episode is tried before its failure is the user's to know."""

AHEAD_N = 3
"""Episodes per worker that may be finished or under way before their turn: bounds the memory."""

Progress = Callable[[int, int], None]
"""Called with (episodes recorded, episodes wanted) at the start and after each episode."""


@dataclass(frozen=True)
class Collected:
    """What `collect` did.

    Args:
        path: the recording.
        episodes_n: in it now.
        new_n: of them made by this call; 0 where the recording was complete already.
    """

    path: Path
    episodes_n: int
    new_n: int


def collect(
    world: World,
    out: str | Path,
    count: int,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Collected:
    """Record `count` episodes of `world` in the folder `out`; called again, it goes on where it stopped.

    The recording is the same whatever `workers` is, and whether or not it was made in one go. A worker that
    dies or fails is replaced and its episode made again.

    Args:
        world: what makes the episodes.
        out: folder of the recording: new, or begun with the same world, options and seed.
        count: episodes that the recording is to have in the end.
        seed: of all randomness, 0 or above.
        workers: processes that make episodes; with 1 they are made in this one.
        progress: told of each episode recorded.

    Raises:
        HandsightError: a number is out of range; the folder holds something else; an episode fails time and
            again, naming it and the cause.
        KeyboardInterrupt: at Ctrl-C, after everything finished is safe.
    """
    for name, value, lowest in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < lowest:
            raise HandsightError(f"collect: {name} is {value}; it starts at {lowest}")
    made = {"name": world.name, "seed": seed, "options": world.options()}
    with Writer(
        out, world.features, world.fps, facts=world.facts, robot_type=world.name, world=made
    ) as writer:
        first = writer.next_episode
        if progress is not None:
            progress(first, count)
        indices = range(first, count)
        source = (
            _in_this_process(world, seed, indices)
            if workers == 1
            else _in_workers(world, seed, indices, workers)
        )
        try:
            for episode in source:
                writer.add_episode(episode.frames, episode.facts, episode.task)
                if progress is not None:
                    progress(writer.next_episode, count)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped; {writer.next_episode} of {count} episodes are kept in {out}: "
                "the same command goes on from there"
            ) from None
        finally:
            source.close()
        return Collected(Path(out), writer.next_episode, writer.next_episode - first)


def _in_this_process(world: World, seed: int, indices: range) -> Generator[Episode, None, None]:
    """Yield the episodes of `indices`, made here."""
    try:
        for index in indices:
            for attempt in range(1, ATTEMPTS_N + 1):
                try:
                    episode = world.episode(seed, index)
                    break
                except HandsightError:
                    raise
                except Exception as error:
                    if attempt == ATTEMPTS_N:
                        raise _failed(index, _cause(error)) from error
                    world.close()
            yield episode
    finally:
        world.close()


def _in_workers(world: World, seed: int, indices: range, workers: int) -> Generator[Episode, None, None]:
    """Yield the episodes of `indices` in order, made by worker processes."""
    team = [_Worker(world, seed) for _ in range(min(workers, len(indices)))]
    todo, made, failures = deque(indices), dict[int, Episode](), Counter[int]()
    try:
        for index in indices:
            while index not in made:
                for worker in team:
                    if worker.index is None and todo and todo[0] < index + AHEAD_N * len(team):
                        worker.start(todo.popleft())
                for ready in wait([worker.connection for worker in team if worker.index is not None]):
                    worker = next(worker for worker in team if worker.connection is ready)
                    number, answer = worker.finish()
                    if isinstance(answer, Episode):
                        made[number] = answer
                        continue
                    failures[number] += 1
                    if failures[number] == ATTEMPTS_N:
                        raise _failed(number, answer)
                    worker.stop()
                    team[team.index(worker)] = _Worker(world, seed)
                    todo.appendleft(number)
            yield made.pop(index)
    finally:
        for worker in team:
            worker.stop()


class _Worker:
    """A process that makes one episode after another.

    Attributes:
        index: of the episode under way; None where it waits for one.
        connection: becomes readable when the episode is done or the process is gone.
    """

    def __init__(self, world: World, seed: int) -> None:
        context = _context()
        self.connection, theirs = context.Pipe()
        self.index: int | None = None
        self._process = context.Process(target=_serve, args=(world, seed, theirs), daemon=True)
        with _interruption_held():
            self._process.start()
        theirs.close()  # so that the process's end is seen here

    def start(self, index: int) -> None:
        """Let it make an episode."""
        self.index = index
        with suppress(OSError):  # it is gone, which `finish` will see
            self.connection.send(index)

    def finish(self) -> tuple[int, Episode | str]:
        """Return the index and the episode, or why there is none.

        Raises:
            HandsightError: what the world raised.
        """
        assert self.index is not None
        index, self.index = self.index, None
        try:
            answer: Episode | HandsightError | str = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            answer = f"its process ended with status {self._process.exitcode}"
        if isinstance(answer, HandsightError):
            raise answer
        return index, answer

    def stop(self) -> None:
        """End the process."""
        self.connection.close()
        self._process.kill()  # it holds nothing that could be lost
        self._process.join()
        self._process.close()


def _context() -> Any:
    """Return how processes are started: not as forks of this one, which a graphics context does not survive.

    Where the system allows, they are forks of a server that has imported everything and opened nothing.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@contextmanager
def _interruption_held() -> Iterator[None]:
    """Keep Ctrl-C from processes started here, even while they import; this one sees it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(world: World, seed: int, connection: Connection) -> None:
    """Answer each index with its episode or with what went wrong, until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    os.environ.setdefault(
        "LP_NUM_THREADS", "1"
    )  # Mesa's software renderer: a thread here, as there are several processes
    with suppress(EOFError, OSError):
        while True:
            index = connection.recv()
            try:
                answer: Episode | HandsightError | str = world.episode(seed, index)
            except HandsightError as error:
                answer = HandsightError(str(error))
            except Exception as error:  # a bug or a hiccup: told, and tried again elsewhere
                answer = _cause(error)
            connection.send(answer)


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _failed(index: int, cause: str) -> HandsightError:
    return HandsightError(
        f"episode {index} failed {ATTEMPTS_N} times, last with {cause[:300]}; the episodes before it are kept"
    )
