"""Worker processes that make episodes: one that dies, fails or hangs is replaced, its episode made again."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from handsight.errors import HandsightError
from handsight.worlds.encoding import Made, make, make_encoded
from handsight.worlds.patience import Patience
from handsight.worlds.world import World

ATTEMPTS_N = 3
"""How often an episode is tried before its failure is the user's to know."""

AHEAD_N = 3
"""Episodes per worker that may be finished or under way before their turn: bounds the memory."""

STARTS_N = 10
"""How often starting a process is tried."""

CLOSE_S = 3.0
"""A process has this long to close its world."""

TICK_S = 0.5
"""Between two looks at workers that do not answer."""

Answer = Made | HandsightError | str
"""An episode, what the user can mend, or why there is neither."""

Heard = Answer | EOFError | None
"""An answer, the end of the process, or that it is ready to begin."""


def in_workers(
    world: World,
    seed: int,
    indices: range,
    workers: int,
    limit_s: float | None = None,
    ready: Callable[[int], bool] = lambda _: True,
    encode: bool = True,
) -> Generator[Made, None, None]:
    """Yield the episodes of `indices` in order, made and encoded by worker processes.

    Args:
        world: makes them.
        seed: of the recording.
        indices: which.
        workers: processes.
        limit_s: how long an episode may take; 0 sets no limit, and None one that follows from the others, as
            `Patience` says.
        ready: says whether an episode can be begun yet; asked again at each tick. What it raises ends all.
        encode: whether pictures are encoded where they are made.

    Raises:
        HandsightError: what the world raised, or an episode that failed `ATTEMPTS_N` times.
    """
    answers: queue.SimpleQueue[tuple[_Worker, Heard]] = queue.SimpleQueue()
    team = [_Worker(world, seed, answers, encode) for _ in range(min(workers, len(indices)))]
    todo, made, failures = deque(indices), dict[int, Made](), Counter[int]()
    patience, lost = Patience(limit_s), dict[int, HandsightError]()
    try:
        for index in indices:
            while index not in made:
                if index in lost:
                    raise lost[index]
                for worker in team:
                    due = bool(todo) and todo[0] < index + AHEAD_N * len(team)
                    if worker.index is None and due and ready(todo[0]):
                        worker.start(todo.popleft())
                for worker, answer in _answered(team, answers, patience):
                    number, worker.index = worker.index, None
                    if isinstance(answer, HandsightError):
                        raise answer
                    if isinstance(answer, Made) and number is not None:
                        patience.learn(worker.spent_s)
                        made[number] = answer
                        continue
                    if number is not None:  # it did not end while it had nothing to do
                        failures[number] += 1
                        if failures[number] < ATTEMPTS_N:
                            todo.appendleft(number)
                        else:  # those before it may still be under way, and are to be kept
                            lost[number] = failed(number, str(answer))
                            todo = deque(other for other in todo if other < number)
                    worker.stop()
                    team[team.index(worker)] = _Worker(world, seed, answers, encode)
            yield made.pop(index)
    finally:
        for worker in team:
            worker.stop()


def cause(error: Exception) -> str:
    """Return what went wrong, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def failed(index: int, why: str) -> HandsightError:
    """Return the error of an episode that is not tried again."""
    return HandsightError(
        f"episode {index} failed {ATTEMPTS_N} times, last with {why[:300]}; the episodes before it are kept"
    )


def _answered(
    team: list[_Worker], answers: queue.SimpleQueue[tuple[_Worker, Heard]], patience: Patience
) -> Iterator[tuple[_Worker, Answer]]:
    """Wait for an answer, a tick at most; yield it, and the workers that have taken too long."""
    began = time.monotonic()
    with suppress(queue.Empty):
        worker, answer = answers.get(timeout=TICK_S)
        if worker in team:  # not one that was replaced
            if answer is None:
                worker.ready, worker.spent_s = True, 0.0
            else:
                yield worker, worker.end() if isinstance(answer, EOFError) else answer
    # Time in which this process was stopped, or wrote, was not waited: only so much of it counts.
    waited_s = min(time.monotonic() - began, 2 * TICK_S)
    for worker in list(team):
        if worker.index is None:
            continue
        worker.spent_s += waited_s
        limit_s = patience.limit_s(worker.spent_s, begun=worker.ready)
        if worker.spent_s > limit_s:
            yield worker, f"no answer in {limit_s:g} s{patience.why}"


class _Worker:
    """A process that makes one episode after another, and a thread that waits for what it answers.

    The thread, not the caller, is what a process that stops in mid-answer keeps waiting.

    Args:
        world: makes the episodes.
        seed: of the recording.
        answers: takes (this worker, what is heard of it).
        encode: whether it encodes pictures.

    Attributes:
        index: of the episode under way; None where it waits for one.
        spent_s: on that episode, as far as was waited for it.
        ready: whether the process has begun to listen.
    """

    def __init__(
        self,
        world: World,
        seed: int,
        answers: queue.SimpleQueue[tuple[_Worker, Heard]],
        encode: bool,
    ) -> None:
        context = _context()
        self.index: int | None = None
        self.spent_s = 0.0
        self.ready = False
        self._answers = answers
        self._connection, theirs = context.Pipe()
        self._process = _begun(context, (world, seed, theirs, encode))
        theirs.close()  # so that the process's end is seen here
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def start(self, index: int) -> None:
        """Let it make an episode."""
        self.index, self.spent_s = index, 0.0
        with suppress(OSError):  # it is gone, as the thread will see
            self._connection.send(index)

    def end(self) -> str:
        """Say how a process ended that has ended."""
        self._process.join()
        status = self._process.exitcode
        if status == -signal.SIGKILL:
            return "its process was killed (short of memory? fewer workers take less)"
        return f"its process ended with status {status}"

    def stop(self) -> None:
        """End the process, after it closed its world if it can; again, it does nothing."""
        if self._connection.closed:
            return
        self._process.terminate()
        self._process.join(CLOSE_S)
        self._process.kill()
        if self._process.exitcode is not None and self._thread.is_alive():
            # The server that it is a fork of has died, and it is only believed to have.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._thread.join()
        self._connection.close()
        self._process.close()

    def _listen(self) -> None:
        while True:
            try:
                answer: Heard = self._connection.recv()
            except (EOFError, OSError):
                self._answers.put((self, EOFError()))
                return
            except Exception as error:  # an answer that cannot be unpickled
                answer = cause(error)
            self._answers.put((self, answer))


def _begun(context: Any, arguments: tuple[Any, ...]) -> Any:
    """Return a worker process that has begun.

    Raises:
        HandsightError: none can be started.
    """
    for _ in range(STARTS_N):
        process = context.Process(target=_serve, args=arguments, daemon=True)
        try:
            with _interruption_held():
                process.start()
            return process
        except (OSError, EOFError) as error:
            # The server that it was to be a fork of may just have died: another is started once that is seen.
            why = cause(error)
            time.sleep(TICK_S)
    raise HandsightError(f"no worker process can be started ({why}); fewer --workers need fewer")


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


def _serve(world: World, seed: int, connection: Connection, encode: bool) -> None:
    """Answer each index with its episode or with what went wrong, until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    signal.signal(signal.SIGTERM, lambda *_: _end(world))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Mesa's software renderer draws in this thread then: the other processes keep the other cores busy.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    with suppress(EOFError, OSError):
        connection.send(None)
        while True:
            index = connection.recv()
            try:
                made = make_encoded if encode else make
                answer: Answer = made(world, seed, index)
            except HandsightError as error:
                answer = HandsightError(str(error))
            except Exception as error:  # a bug or a hiccup: told, and tried again elsewhere
                answer = cause(error)
            connection.send(answer)


def _end(world: World) -> None:
    """End this process, in whatever it is; a simulator that is a process of its own would stay."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        world.close()
    finally:
        os._exit(1)


def _end_with_parent() -> None:
    """End this process when the one that started it has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(CLOSE_S)
        os._exit(1)
