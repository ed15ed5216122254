"""Collecting: worker processes make a world's episodes, this one writes them down in order."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from handsight.errors import HandsightError
from handsight.recordings import Writer
from handsight.recordings.layout import INFO, read_info
from handsight.worlds.encoding import write
from handsight.worlds.team import ATTEMPTS_N, cause, failed, in_workers
from handsight.worlds.world import Episode, World

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
    episode_limit_s: float | None = None,
) -> Collected:
    """Record `count` episodes of `world` in the folder `out`; called again, it goes on where it stopped.

    The recording is the same whatever `workers` is, and however often it was killed: file by file, unless
    Ctrl-C, an error or a reader came between, which close the files begun. A worker that dies, fails or hangs
    is replaced and its episode made again.

    Args:
        world: what makes the episodes.
        out: folder of the recording: new, or begun with the same world, options and seed.
        count: episodes that the recording is to have in the end.
        seed: of all randomness, 0 or above.
        workers: processes that make episodes; with 1 they are made in this one.
        progress: told of each episode recorded.
        episode_limit_s: seconds after which a worker that has not finished its episode is taken for hung; 0
            for never. Default: 20 times as long as the longest episode so far, 600 s or more. Episodes made
            in this process have no limit.

    Raises:
        HandsightError: a number is out of range; the folder holds something else; an episode fails time and
            again, naming it and the cause.
        KeyboardInterrupt: at Ctrl-C, after everything finished is safe.
    """
    for name, value, lowest in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < lowest:
            raise HandsightError(f"collect: {name} is {value}; it starts at {lowest}")
    if episode_limit_s is not None and not episode_limit_s >= 0:
        raise HandsightError(f"collect: episode_limit_s is {episode_limit_s}; it is 0 (no limit) or above")
    made = {"name": world.name, "seed": seed, "options": _options(world, Path(out))}
    with Writer(
        out, world.features, world.fps, facts=world.facts, robot_type=world.name, world=made
    ) as writer:
        first = writer.next_episode
        if progress is not None:
            progress(first, count)
        indices = range(first, count)
        source = (
            in_this_process(world, seed, indices)
            if workers == 1
            else in_workers(world, seed, indices, workers, episode_limit_s)
        )
        try:
            for episode in source:
                write(writer, episode)
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


def _options(world: World, out: Path) -> dict[str, Any]:
    """Return the world's options as a recording of it says them.

    A recording that was begun before an option came to its world does not say it. At its default the
    episodes are what they were: it goes on as it began, without it.
    """
    options = world.options()
    if not (out.expanduser() / INFO).exists():
        return options
    made = (read_info(out.expanduser()).get("handsight") or {}).get("world") or {}
    begun = made.get("options") if made.get("name") == world.name else None
    if not isinstance(begun, dict):
        return options
    defaults = {one.name: one.default for one in fields(world)} if is_dataclass(world) else dict[str, Any]()
    return {
        name: value
        for name, value in options.items()
        if name in begun or name not in defaults or value != defaults[name]
    }


def in_this_process(world: World, seed: int, indices: range) -> Generator[Episode, None, None]:
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
                        raise failed(index, cause(error)) from error
                    world.close()
            yield episode
    finally:
        world.close()
