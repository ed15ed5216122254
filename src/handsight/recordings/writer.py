"""Writing a recording: frames become episodes, episodes survive a kill, shards are LeRobotDataset v3.0."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import filelock
import numpy as np
import pyarrow as pa

from handsight.errors import HandsightError
from handsight.recordings import journal
from handsight.recordings.columns import NUMBERS, Column, data_schema, to_arrow
from handsight.recordings.durable import one_line, write_json
from handsight.recordings.episode import Episode
from handsight.recordings.features import BOOKKEEPING, Feature
from handsight.recordings.layout import INFO, LOCK, MEGABYTE, is_fact, new_info, read_info, shown
from handsight.recordings.sealed import FACT_TYPES, read_sealed
from handsight.recordings.shards import seal
from handsight.recordings.splits import SPLITS
from handsight.recordings.stats import Figures

_NO_FACTS: Mapping[str, str] = MappingProxyType({})


class Writer:
    """Writes a recording, or goes on with one of Handsight's own.

    An episode survives `kill -9` of the process once `save_episode` has returned, and a power failure once it is sealed. Opening a
    recording that was killed finishes what was under way; the frames of an unsaved episode are gone. As a context
    manager it closes itself; after an exception the episode under way is discarded and everything saved is kept.

    Args:
        path: folder of the recording; new, empty, or a recording of the same features.
        features: what each frame holds, by stream.
        fps: frames per second.
        facts: what is known of each episode: name → `int64`, `float64`, `string` or `bool`.
        robot_type: LeRobot's name for the robot.
        world: what the episodes were recorded in, as JSON; going on with another one is refused.
        codec: FFmpeg's name of the encoder for `video` cameras: `libsvtav1`, `libx264`, `libx265`.
        codec_options: for the encoder; by default a keyframe every second frame and the usual quality.
        data_files_size_in_mb: a data file holds at most this much (1 MB = 1024² bytes), or one episode.
        video_files_size_in_mb: the same for a video file.
        journal_size_in_mb: saved episodes are sealed into shards when they take this much.

    Raises:
        HandsightError: the folder holds something else, or a recording of other features, fps, facts or world; another process
            is writing to it.
    """

    def __init__(
        self,
        path: str | Path,
        features: Mapping[str, Feature],
        fps: float,
        *,
        facts: Mapping[str, str] = _NO_FACTS,
        robot_type: str | None = None,
        world: Mapping[str, Any] | None = None,
        codec: str = "libsvtav1",
        codec_options: Mapping[str, str] | None = None,
        data_files_size_in_mb: float = 100,
        video_files_size_in_mb: float = 200,
        journal_size_in_mb: float = 100,
    ) -> None:
        self._root = Path(path).expanduser()
        self._features = dict(features)
        self._fps = float(fps)
        self._facts = dict(facts)
        self._codec, self._codec_options = codec, codec_options
        self._limit = journal_size_in_mb * MEGABYTE
        self._usable = True
        _check_declarations(self._features, self._fps, self._facts)
        info = new_info(
            self._features,
            self._fps,
            facts=self._facts,
            robot_type=robot_type,
            world=None if world is None else json.loads(json.dumps(world)),
            codec=codec,
            data_files_size_in_mb=data_files_size_in_mb,
            video_files_size_in_mb=video_files_size_in_mb,
        )
        self._lock = _lock(self._root)
        try:
            with one_line(self._root, "opening"):
                info = self._open(info)
        except BaseException:
            self._lock.release()
            raise
        self.next_episode = int(info["total_episodes"])
        self._next_frame = int(info["total_frames"])
        self._tasks = {task: i for i, task in enumerate(read_sealed(self._root, info).tasks)}
        self._journal = journal.Journal(self._root, data_schema(self._features))
        self._episode = self._new_episode()

    def _open(self, info: dict[str, Any]) -> dict[str, Any]:
        """Start a recording, or finish and check the one that is there; return its `info.json`."""
        others = [entry.name for entry in self._root.iterdir() if entry.name not in (LOCK, "meta", "journal")]
        if not (self._root / INFO).exists():
            if others or any((self._root / "meta").glob("*.parquet")):
                raise HandsightError(
                    f"{shown(self._root)} holds {others[0] if others else 'meta'} and is not a recording; give a new or empty folder"
                )
            write_json(self._root / INFO, info)
            return info
        there = read_info(self._root)
        read_sealed(self._root, there)
        for what, old, new in _differences(there, info):
            raise HandsightError(
                f"{shown(self._root)} was recorded with {what} {old}, now {new} is asked for; use the same or give a new folder"
            )
        seal(self._root)
        there = read_info(self._root)
        limits = {key: info[key] for key in ("data_files_size_in_mb", "video_files_size_in_mb")}
        if limits.items() <= there.items():
            return there
        write_json(self._root / INFO, there | limits)
        return there | limits

    def add_frame(self, frame: Mapping[str, Any]) -> None:
        """Add one frame to the episode under way.

        Args:
            frame: for each stream an array of its shape; cameras uint8 RGB `[H, W, 3]`; for shape `(1,)` also a plain number.

        Raises:
            HandsightError: a stream is missing, unknown, of another shape or dtype, or not finite. The frame is then not added.
        """
        self._check_usable()
        self._episode.extend({name: np.asarray(value)[None] for name, value in frame.items()})

    def save_episode(self, facts: Mapping[str, Any] = MappingProxyType({}), task: str = "") -> int:
        """Save the episode under way; return its index. When this returns, the episode survives a kill.

        Args:
            facts: a value for each declared fact.
            task: what was to be done, in words.

        Raises:
            HandsightError: the episode has no frames, or the facts are not the declared ones. The frames are then still there.
        """
        self._check_usable()
        if self._episode.length == 0:
            raise HandsightError(f"episode {self.next_episode} has no frames; add frames before saving it")
        checked = _check_facts(self._facts, facts, self.next_episode)
        self._usable = (
            False  # until it is done: after an interruption only reopening knows what the journal holds
        )
        with one_line(self._root, f"saving episode {self.next_episode}"):
            columns, figures = self._episode.finish()
            self._append(columns, figures, self._episode.videos, checked, task, self._episode.length)
        self._usable = True
        self._episode = self._new_episode()
        return self.next_episode - 1

    def add_episode(
        self, frames: Mapping[str, Any], facts: Mapping[str, Any] = MappingProxyType({}), task: str = ""
    ) -> int:
        """Add and save a whole episode; return its index.

        Args:
            frames: for each stream an array `[T, *shape]`.
            facts: a value for each declared fact.
            task: what was to be done, in words.

        Raises:
            HandsightError: as `add_frame` and `save_episode`; nothing is then added.
        """
        self._check_usable()
        if self._episode.length:
            raise HandsightError(
                "an episode is under way; save_episode or discard_episode before adding a whole one"
            )
        _check_facts(self._facts, facts, self.next_episode)
        self._episode.extend(frames)
        return self.save_episode(facts, task)

    def discard_episode(self) -> None:
        """Give up the episode under way."""
        self._check_usable()
        self._episode.discard()
        self._episode = self._new_episode()

    def close(self) -> None:
        """Discard the episode under way and seal what is saved. May be called more than once."""
        if not self._lock.is_locked:
            return
        self._usable = False
        try:
            with one_line(self._root, "closing"):
                self._episode.discard()
                self._seal()
                (self._root / LOCK).unlink(missing_ok=True)
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _new_episode(self) -> Episode:
        videos = {
            name: self._journal.video(name, self.next_episode)
            for name, feature in self._features.items()
            if feature.dtype == "video"
        }
        return Episode(self._features, self._fps, videos, self._codec, self._codec_options)

    def _append(
        self,
        columns: Mapping[str, Column],
        figures: Mapping[str, Figures],
        videos: Mapping[str, Path],
        facts: Mapping[str, Any],
        task: str,
        length: int,
    ) -> None:
        """Write an episode to the journal, and seal the journal when it is full."""
        index = np.arange(length)
        columns = dict(columns) | {
            "timestamp": (index / self._fps).astype(np.float32)[:, None],
            "frame_index": index[:, None],
            "episode_index": np.full((length, 1), self.next_episode),
            "index": self._next_frame + index[:, None],
            "task_index": np.full((length, 1), self._tasks.setdefault(task, len(self._tasks))),
        }
        schema = data_schema(self._features)
        kinds = self._features | {
            n: Feature("float32" if n == "timestamp" else "int64", (1,)) for n in BOOKKEEPING
        }
        batch = pa.RecordBatch.from_arrays(
            [to_arrow(kinds[n], columns[n]) for n in schema.names], schema=schema
        )
        self._journal.append(journal.Entry(self.next_episode, task, facts, figures, videos, batch))
        self.next_episode += 1
        self._next_frame += length
        if self._journal.size >= self._limit:
            self._seal()

    def _seal(self) -> None:
        self._journal.close()
        seal(self._root)

    def _check_usable(self) -> None:
        if not self._usable:
            raise HandsightError(
                f"the writer of {shown(self._root)} is closed or was interrupted; open a new one to go on"
            )


def recover(path: str | Path) -> int:
    """Seal what a killed writer left in a recording's journal; return the number of its episodes.

    Raises:
        HandsightError: the recording cannot be written to, or a writer is at work on it.
    """
    root = Path(path).expanduser()
    lock = _lock(root)
    try:
        with one_line(root, "recovering"):
            count = seal(root)
            (root / LOCK).unlink(missing_ok=True)
            return count
    finally:
        lock.release()


def _lock(root: Path) -> filelock.BaseFileLock:
    with one_line(root, "opening"):
        if root.exists() and not root.is_dir():
            raise HandsightError(f"{shown(root)} is a file; give a folder")
        root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(root / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise HandsightError(
                f"{shown(root)} is being written to by another process; wait until it is done"
            ) from None
        return lock


def _check_declarations(features: Mapping[str, Feature], fps: float, facts: Mapping[str, str]) -> None:
    if not (math.isfinite(fps) and fps > 0):
        raise HandsightError(f"fps is {fps}; it must be above zero")
    if not features:
        raise HandsightError("a recording needs at least one stream; none was declared")
    for name, feature in features.items():
        if not name or "/" in name or "\\" in name or name.startswith(".") or name in BOOKKEEPING:
            raise HandsightError(
                f"a stream cannot be called {name!r}: no slash, no leading dot, none of {', '.join(BOOKKEEPING)}"
            )
        if feature.dtype not in (*NUMBERS, "bool", "string", "image", "video"):
            raise HandsightError(
                f"stream {name!r} has dtype {feature.dtype!r}; it can be image, video, string, bool, {', '.join(NUMBERS)}"
            )
        if (
            not feature.shape
            or min(feature.shape) < 1
            or (feature.dtype == "string" and feature.shape != (1,))
        ):
            raise HandsightError(
                f"stream {name!r} has shape {feature.shape}; sizes start at 1, a single value or string is (1,)"
            )
        if feature.dtype == "video" and (feature.shape[0] % 2 or feature.shape[1] % 2):
            raise HandsightError(
                f"video {name!r} is {feature.shape[0]} × {feature.shape[1]}; both must be even (yuv420p): crop it, or use dtype image"
            )
    for name, kind in facts.items():
        if kind not in FACT_TYPES:
            raise HandsightError(f"fact {name!r} has type {kind!r}; it can be {', '.join(FACT_TYPES)}")
        if not name or not is_fact(name):
            raise HandsightError(f"a fact cannot be called {name!r}: that column belongs to LeRobot")


def _check_facts(declared: Mapping[str, str], facts: Mapping[str, Any], episode: int) -> dict[str, Any]:
    if set(facts) != set(declared):
        raise HandsightError(
            f"episode {episode} came with facts {', '.join(sorted(facts)) or 'none'}; expected {', '.join(sorted(declared)) or 'none'}"
        )
    checked = {name: _fact(name, declared[name], facts[name], episode) for name in declared}
    if "split" in checked and checked["split"] not in SPLITS:
        raise HandsightError(
            f"episode {episode}: fact 'split' is {checked['split']!r}; expected {', '.join(SPLITS)}"
        )
    return checked


def _fact(name: str, kind: str, value: Any, episode: int) -> Any:
    value = value.item() if isinstance(value, (np.generic, np.ndarray)) and np.size(value) == 1 else value
    truth = isinstance(value, bool)
    if kind == "bool" and truth or kind == "string" and isinstance(value, str):
        return value
    if kind == "int64" and isinstance(value, numbers.Integral) and not truth and -(2**63) <= value < 2**63:
        return int(value)
    if kind == "float64" and isinstance(value, numbers.Real) and not truth and math.isfinite(value):
        return float(value)
    raise HandsightError(
        f"episode {episode}: fact {name!r} is {value!r}; expected {'a finite ' if kind == 'float64' else ''}{kind}"
    )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what two `info.json` disagree about, of what must not change: (what, old, new)."""
    ours_old, ours_new = old["handsight"], new["handsight"]
    pairs = [(key, old.get(key), new.get(key)) for key in ("fps", "robot_type")]
    for name in dict.fromkeys([*old["features"], *new["features"]]):
        pairs.append((f"stream {name!r}", old["features"].get(name), new["features"].get(name)))
        pairs.append((f"stream {name!r}", ours_old["streams"].get(name), ours_new["streams"].get(name)))
    pairs += [
        ("facts", ours_old["facts"], ours_new["facts"]),
        ("world", ours_old.get("world"), ours_new.get("world")),
    ]
    return [(what, json.dumps(a), json.dumps(b)) for what, a, b in pairs if a != b]
