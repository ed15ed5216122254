"""Writing a recording: frames become episodes, episodes survive a kill, shards are LeRobotDataset v3.0."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings import journal
from handsight.recordings.columns import Column, data_schema, episode_batch
from handsight.recordings.declarations import check_declarations, check_facts
from handsight.recordings.durable import one_line
from handsight.recordings.episode import Episode
from handsight.recordings.features import Feature
from handsight.recordings.layout import MEGABYTE, new_info, shown
from handsight.recordings.recovery import begin, lock, unlock
from handsight.recordings.sealed import read_sealed
from handsight.recordings.shards import pending, refuse_uncounted, seal
from handsight.recordings.stats import Figures
from handsight.recordings.videos import JoinedVideo

_NO_FACTS: Mapping[str, str] = MappingProxyType({})
_ROW_BYTES = 8192
"""What an episode takes beside its frames in the memory of a seal: its row of meta/episodes."""


class Writer:
    """Writes a recording, or goes on with one of Handsight's own.

    An episode survives `kill -9` of the process once `save_episode` has returned, and a power failure once it
    is sealed. The next writer goes on where one was killed, and the recording comes out the same, file by
    file; only the frames of an unsaved episode are gone. As a context manager it closes itself; after an
    exception the episode under way is discarded and everything saved is kept.

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
        journal_size_in_mb: saved episodes are sealed into shards when they take this much, with 8 KiB for
            each episode itself.

    Raises:
        HandsightError: the folder holds something else, or a recording of other features, fps, facts or
            world; another process is writing to it.
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
        check_declarations(self._features, self._fps, self._facts)
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
        self._lock = lock(self._root)
        try:
            with one_line(self._root, "opening"):
                self._resume(begin(self._root, info))
        except BaseException:
            unlock(self._root, self._lock)
            raise
        self._episode = self._new_episode()

    def add_frame(self, frame: Mapping[str, Any]) -> None:
        """Add one frame to the episode under way.

        Args:
            frame: for each stream an array of its shape; cameras uint8 RGB `[H, W, 3]`; for shape `(1,)` also
                a plain number.

        Raises:
            HandsightError: a stream is missing, unknown, of another shape or dtype, or not finite. The frame
                is then not added.
        """
        self._check_usable()
        checked = self._episode.conform({name: np.asarray(value)[None] for name, value in frame.items()})
        with self._changing("adding a frame"):
            self._episode.extend(checked)

    def save_episode(self, facts: Mapping[str, Any] = MappingProxyType({}), task: str = "") -> int:
        """Save the episode under way; return its index. When this returns, the episode survives a kill.

        Args:
            facts: a value for each declared fact.
            task: what was to be done, in words.

        Raises:
            HandsightError: the episode has no frames, or the facts are not the declared ones. The frames are
                then still there.
        """
        self._check_usable()
        if self._episode.length == 0:
            raise HandsightError(f"episode {self.next_episode} has no frames; add frames before saving it")
        checked = check_facts(self._facts, facts, self.next_episode)
        with self._changing("saving an episode"):
            columns, figures = self._episode.finish()
            self._append(columns, figures, self._episode.videos, checked, task, self._episode.length)
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
        check_facts(self._facts, facts, self.next_episode)
        checked = self._episode.conform(frames)
        with self._changing("adding an episode"):
            self._episode.extend(checked)
        return self.save_episode(facts, task)

    def add_encoded_episode(
        self,
        columns: Mapping[str, Column],
        videos: Mapping[str, Path],
        figures: Mapping[str, Figures] = MappingProxyType({}),
        facts: Mapping[str, Any] = MappingProxyType({}),
        task: str = "",
    ) -> int:
        """Save an episode whose pictures are encoded already; return its index.

        Args:
            columns: for each stream numbers `[T, *shape]`, for each image camera T PNGs or JPEGs; at least
                one of them.
            videos: for each video camera an mp4 of T frames that begins on a keyframe; it is copied, not
                re-encoded.
            figures: the cameras' figures, where they are known.
            facts: a value for each declared fact.
            task: what was to be done, in words.

        Raises:
            HandsightError: streams or facts are not the declared ones.
        """
        self._check_usable()
        checked = check_facts(self._facts, facts, self.next_episode)
        streams = [name for name, feature in self._features.items() if feature.dtype != "video"]
        if set(columns) != set(streams) or set(videos) != set(self._features) - set(streams):
            raise HandsightError(
                f"episode {self.next_episode} came with {', '.join((*columns, *videos))}; expected "
                f"{', '.join(self._features)}"
            )
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise HandsightError(f"episode {self.next_episode} came with different or no frames: {lengths}")
        length = next(iter(lengths.values()))
        own = {key: self._journal.video(key, self.next_episode) for key in videos}
        with one_line(self._root, "copying a video"):
            for key, path in own.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                video = JoinedVideo(path, self._fps)  # packet by packet: what is saved can be sealed
                try:
                    video.add(videos[key], length)
                finally:
                    video.close()
        with self._changing("saving an episode"):
            self._append(columns, figures, own, checked, task, length)
        return self.next_episode - 1

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
        finally:
            unlock(self._root, self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _resume(self, info: Mapping[str, Any]) -> None:
        """Stand where the last writer stood.

        What it left in the journal stays there, so that a kill does not decide where shards end.
        """
        self.next_episode = int(info["total_episodes"])
        self._next_frame = int(info["total_frames"])
        sealed = read_sealed(self._root, info)
        self._sealed = self.next_episode
        self._tasks = {task: i for i, task in enumerate(sealed.tasks)}
        self._schema = data_schema(self._features)
        self._journal = journal.Journal(self._root, self._schema)
        for entry in pending(self._root, info):
            self._journal.keep(entry)
            self._tasks.setdefault(entry.task, len(self._tasks))
            self.next_episode += 1
            self._next_frame += entry.batch.num_rows
        refuse_uncounted(self._root, sealed, self.next_episode)
        self._seal_if_full()

    def _new_episode(self) -> Episode:
        videos = {
            name: self._journal.video(name, self.next_episode)
            for name, feature in self._features.items()
            if feature.dtype == "video"
        }
        return Episode(self._features, self._fps, videos, self._codec, self._codec_options)

    @contextmanager
    def _changing(self, doing: str) -> Iterator[None]:
        """Hold the writer unusable meanwhile: after an interruption, only the files know what was done."""
        self._usable = False
        with one_line(self._root, doing):
            yield
        self._usable = True

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
        number = self._tasks.setdefault(task, len(self._tasks))
        batch = episode_batch(
            self._features,
            self._schema,
            columns,
            self.next_episode,
            self._next_frame,
            length,
            number,
            self._fps,
        )
        self._journal.append(journal.Entry(self.next_episode, task, facts, figures, videos, batch))
        self.next_episode += 1
        self._next_frame += length
        self._seal_if_full()

    def _seal_if_full(self) -> None:
        rows_bytes = (self.next_episode - self._sealed) * _ROW_BYTES
        if self._journal.size + rows_bytes >= self._limit:
            self._seal()

    def _seal(self) -> None:
        self._journal.close()
        seal(self._root)
        self._sealed = self.next_episode

    def _check_usable(self) -> None:
        if not self._usable:
            raise HandsightError(
                f"the writer of {shown(self._root)} is closed or was interrupted; open a new one to go on"
            )
