"""Gathering: worker processes act, a thread writes down what comes of it, and the newest of it is at hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handsight.agents.exploration import CAMERA, Exploration
from handsight.errors import Interrupted
from handsight.recordings import Recording, Writer, journal
from handsight.worlds.collect import in_this_process
from handsight.worlds.encoding import write
from handsight.worlds.team import in_workers
from handsight.worlds.world import Episode

EXPERIENCE = "experience"
"""The recording of all that the agent went through, in a run's folder."""

TICK_S = 0.2

Arrays = dict[str, NDArray[Any]]


class Waiting(Interrupted):
    """The user asked to stop while the world was waited for."""

    def __init__(self) -> None:
        super().__init__("stopped while the world was waited for")


class _ClosedError(Exception):
    """Nothing more is wanted."""


class Held:
    """The newest experiences, by number: as arrays in memory.

    Args:
        exploration: says of what streams they are.
        live: how many are drawn from at most.
        spare: how many may come meanwhile, beside them; another takes the place of the one that is as much
            older as there are of both.
    """

    def __init__(self, exploration: Exploration, live: int, spare: int) -> None:
        self._exploration, self._spare = exploration, spare
        self._clear(live + spare)

    def get(self, stream: str, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Return a stream of some experiences, `[n, …]`, a copy."""
        copied: NDArray[Any] = self._arrays[stream][numbers % self._slots]
        return copied

    def put(self, stream: str, numbers: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Hold a stream of some experiences, `[n, …]`."""
        self._arrays[stream][numbers % self._slots] = values

    def all_of(self, numbers: NDArray[np.int64]) -> Arrays:
        """Return all streams of some experiences."""
        return {name: self.get(name, numbers) for name in self._arrays}

    def put_all(self, numbers: NDArray[np.int64], values: Mapping[str, NDArray[Any]]) -> None:
        """Hold all streams of some experiences."""
        for name, each in values.items():
            self.put(name, numbers, each)

    def read(self, recording: Recording, oldest: int) -> None:
        """Hold a recording's experiences from one on, in place of any others.

        There can be more of them than are held otherwise: what was gone through after the checkpoint that a
        run goes on from is not to take the place of what is drawn from there.
        """
        self._clear(max(self._slots, self._spare + recording.num_episodes - oldest))
        for first, pictures in recording.scan(CAMERA, start=oldest):
            self.put(CAMERA, np.arange(first, first + len(pictures)), pictures)
        for name in self._arrays.keys() - {CAMERA}:
            first = 0
            for piece in recording.scan_stream(name):
                numbers = np.arange(first, first + len(piece))
                wanted = numbers >= oldest
                self.put(name, numbers[wanted], piece[wanted])
                first += len(piece)

    def _clear(self, slots: int) -> None:
        """Hold nothing, in so many slots."""
        self._slots = slots
        self._arrays: Arrays = {
            name: np.zeros((slots, *feature.shape), "uint8" if feature.is_camera else feature.dtype)
            for name, feature in self._exploration.features.items()
        }


class Gathering:
    """Acts ahead of the training, as far as the weights to act with are known.

    Args:
        exploration: what is done.
        seed: of the run.
        folder: of the run; what was gathered there before is gone on with.
        workers: processes that act; 0 acts in this one, while it is waited for.
        held: where experiences go.
        oldest: number of the first that is asked for.

    Attributes:
        facts: by number, of each experience.
    """

    def __init__(
        self, exploration: Exploration, seed: int, folder: Path, workers: int, held: Held, oldest: int
    ) -> None:
        self.facts: dict[int, Mapping[str, Any]] = {}
        self._exploration, self._seed, self._workers = exploration, seed, workers
        self._root, self._held = folder / EXPERIENCE, held
        self._known = 0  # rounds whose weights are there
        self._there = 0  # experiences
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._closed = False
        self._remember(oldest)
        self._here = self._experiences() if workers == 0 else None
        self._thread = threading.Thread(target=self._gather, name="handsight-gathering", daemon=True)
        if self._here is None:
            self._thread.start()

    def know(self, rounds: int) -> None:
        """Take note that the weights at the start of the first so many rounds are there."""
        with self._changed:
            self._known = rounds
            self._changed.notify_all()

    def wait(self, end: int, stopping: Callable[[], bool], patience_s: float = float("inf")) -> int:
        """Wait until the first `end` experiences are there, or for so long.

        Returns:
            How many of these are there.

        Raises:
            HandsightError: what went wrong in the world.
            Waiting: the user asked to stop.
        """
        until = time.monotonic() + patience_s
        while self._there < end and time.monotonic() < until:
            if stopping():
                raise Waiting
            if self._here is not None:
                self._take(*next(self._here))
                continue
            with self._changed:
                if self._error is not None:
                    raise self._error
                self._changed.wait_for(lambda: self._there >= end, TICK_S)
        return min(self._there, end)

    def secure(self) -> None:
        """Wait until what is there is on the disk, for good."""
        journal.secure(self._root)

    def close(self) -> None:
        """Stop acting; what was gathered is kept."""
        if self._here is not None:
            self._here.close()
            return
        with self._changed:
            self._closed = True
        self._thread.join()

    def _remember(self, oldest: int) -> None:
        """Take up what an earlier process gathered, if it gathered anything."""
        with self._writer() as writer:
            if writer.next_episode == 0:
                return
        recording = Recording(self._root)
        self._held.read(recording, oldest)
        columns = {name: recording.facts[name].tolist() for name in self._exploration.facts}
        for number in range(recording.num_episodes):
            self.facts[number] = {name: column[number] for name, column in columns.items()}
        self._there = recording.num_episodes
        recording.close()

    def _gather(self) -> None:
        try:
            for number, streams in self._experiences():
                self._take(number, streams)
        except _ClosedError:
            pass
        except BaseException as error:  # the training's thread is the one to tell of it
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _take(self, number: int, streams: Arrays) -> None:
        self._held.put_all(np.array([number]), streams)
        with self._changed:
            self._there = number + 1
            self._changed.notify_all()

    def _experiences(self) -> Generator[tuple[int, Arrays], None, None]:
        """Yield experiences as they come, each written down before."""
        world = self._exploration
        with self._writer() as writer:
            numbers = range(writer.next_episode, world.plan.locations)
            team = (
                in_workers(world, self._seed, numbers, self._workers, ready=self._ready, encode=False)
                if self._workers
                else in_this_process(world, self._seed, numbers)
            )
            with closing(team):
                for number, episode in zip(numbers, team, strict=True):
                    assert isinstance(episode, Episode)  # as was asked
                    write(writer, episode)
                    self.facts[number] = episode.facts
                    yield number, dict(episode.frames)

    def _writer(self) -> Writer:
        world = self._exploration
        made = {"name": world.name, "seed": self._seed, "options": world.options()}
        return Writer(
            self._root, world.features, world.fps, facts=world.facts, robot_type=world.name, world=made
        )

    def _ready(self, location: int) -> bool:
        with self._changed:
            if self._closed:
                raise _ClosedError
            return self._exploration.plan.at_location(location).acts_with < self._known
