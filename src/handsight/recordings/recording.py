"""Reading a recording: any LeRobotDataset v3.0, ours or not."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.decoding import Decoder, usable_cores
from handsight.recordings.episodes import Episodes, read_episodes
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.frames import HELD_BYTES, FrameReader, ImageFrames, VideoFrames
from handsight.recordings.hub import folder_of
from handsight.recordings.layout import INFO, read_info, shown
from handsight.recordings.recovery import recover_if_killed
from handsight.recordings.selection import read_features
from handsight.recordings.splits import SPLITS, split_by_episode, unknown_parts
from handsight.recordings.streams import cache_root, cached_stream, stream_pieces

_SCAN = 64
"""Frames that `scan` gives at once."""


class Recording:
    """A recording that can be read.

    What a killed writer left in the journal is sealed first, unless a writer is still at work, whose unsealed
    episodes are then left out.

    Args:
        path: a folder, or `user/name` on the Hugging Face Hub.
        images: the cameras to use, by name; all of them where None.
        action: name on disk of the stream that shall be called `action`.
        streams: more of the same: wanted name → name on disk.
        revision: branch, tag or commit on the Hub.

    Attributes:
        root: its folder.
        info: its `info.json`.
        fps: frames per second.
        features: its streams, and the cameras in use, without the bookkeeping columns.
        cameras: names of the cameras in use.
        num_episodes: E.
        num_frames: N.
        episode_starts: global number of each episode's first frame, then N; int64 `[E + 1]`.
        facts: episode facts, each `[E]`.
        tasks: of each episode, in words.

    Raises:
        HandsightError: the folder is no recording, is damaged, has no episodes, or lacks a stream that is
            asked for.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        images: str | Sequence[str] | None = None,
        action: str | None = None,
        streams: Mapping[str, str] | None = None,
        revision: str | None = None,
    ) -> None:
        self.root = folder_of(path, revision)
        recover_if_killed(self.root)
        self.info: dict[str, Any] = read_info(self.root)
        self.fps = float(self.info["fps"])
        self._selection = read_features(self.root, self.info)
        self._on_disk = dict(streams or {}) | ({} if action is None else {"action": action})
        self.features = self._selection.pick(images, self._on_disk)
        self.cameras = tuple(name for name, feature in self.features.items() if feature.is_camera)
        self.num_episodes = int(self.info["total_episodes"])
        self.num_frames = int(self.info["total_frames"])
        if self.num_episodes == 0:
            raise HandsightError(f"{shown(self.root)} has no episodes yet; record some first")
        videos = [self.name_on_disk(name) for name in self.cameras if self.features[name].dtype == "video"]
        self._episodes: Episodes = read_episodes(self.root, self.info, videos)
        self.episode_starts = self._episodes.starts
        self.facts: Mapping[str, npt.NDArray[Any]] = self._episodes.facts
        self.tasks = self._episodes.tasks
        self._decoders: dict[tuple[str, bool], Decoder] = {}
        self._streams: dict[str, npt.NDArray[Any]] = {}
        self._process = os.getpid()
        self._reading = threading.Lock()

    @property
    def name(self) -> str:
        """Last part of the recording's path."""
        return self.root.resolve().name

    @property
    def episodes(self) -> Episodes:
        """Where the episodes lie on disk."""
        return self._episodes

    @property
    def unsupported(self) -> Mapping[str, str]:
        """Streams that cannot be read here (depth, audio), with the reason."""
        return self._selection.unsupported

    def name_on_disk(self, stream: str) -> str:
        """Return what a stream is called in the files."""
        return self._on_disk.get(stream, stream)

    @cached_property
    def fingerprint(self) -> str:
        """Key of the content: changes when `info.json`, or the size or time of a file that it counts.

        Changes.
        """
        digest = hashlib.blake2b((self.root / INFO).read_bytes(), digest_size=16)
        for folder in ("meta/episodes", "data", "videos"):
            for path in sorted((self.root / folder).rglob("*.*")):
                status = path.stat() if path.exists() else path.lstat()  # a link may lead nowhere
                place = path.relative_to(self.root).as_posix()
                digest.update(f"{place}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        return digest.hexdigest()

    def scan_stream(self, name: str) -> Iterator[npt.NDArray[Any]]:
        """Yield a stream of all frames in order, a few at a time, `[n, *shape]`; nothing of it is kept.

        Raises:
            HandsightError: there is no such stream, it is a camera, or a data file is damaged.
        """
        feature, column = self._numbers(name), self.name_on_disk(name)
        yield from stream_pieces(self.root, self._episodes.data_files(), column, feature)

    def stream(self, name: str) -> npt.NDArray[Any]:
        """Return a stream of all frames, `[N, *shape]`, read-only, memory-mapped; strings `[N]`, in memory.

        Raises:
            HandsightError: there is no such stream, it is a camera, or a data file is damaged.
        """
        feature = self._numbers(name)
        if name not in self._streams:
            column = self.name_on_disk(name)
            files = self._episodes.data_files()
            self._streams[name] = cached_stream(self.root, files, column, feature, self.fingerprint)
        return self._streams[name]

    def frames(self, indices: npt.ArrayLike, camera: str | None = None) -> npt.NDArray[np.uint8]:
        """Decode frames: RGB uint8 `[n, H, W, 3]`.

        Args:
            indices: global frame numbers `[n]`, in any order, repeats allowed.
            camera: which one; may be left out where only one is in use.

        Raises:
            HandsightError: a number is out of range, or a file is damaged.
        """
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < self.num_frames):
            raise HandsightError(
                f"frame {wanted.min() if wanted.min() < 0 else wanted.max()} was asked for; "
                f"{shown(self.root)} has frames 0 to {self.num_frames - 1}"
            )
        camera = self._one_camera(camera)
        unique, rows, which = np.unique(wanted, return_index=True, return_inverse=True)
        frames = self._decode(camera, unique, rows, len(wanted), in_sequence=False)
        again = np.flatnonzero(rows[which] != np.arange(len(wanted)))
        frames[again] = frames[rows[which[again]]]
        return frames

    def scan(self, camera: str | None = None, start: int = 0) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Yield all frames in order, a few at a time: the first one's number, and RGB uint8 `[n, H, W, 3]`.

        Args:
            camera: which one; may be left out where only one is in use.
            start: number of the first frame.
        """
        camera = self._one_camera(camera)
        for first in range(start, self.num_frames, _SCAN):
            indices = np.arange(first, min(first + _SCAN, self.num_frames))
            rows = indices - first
            yield first, self._decode(camera, indices, rows, len(rows), in_sequence=True)

    def splits(self) -> npt.NDArray[np.str_]:
        """Return each episode's part, `[E]`: the fact `split`, or else by a hash of the index.

        Raises:
            HandsightError: the fact holds something else.
        """
        if "split" not in self.facts:
            return split_by_episode(self.num_episodes)
        unknown = unknown_parts(self.facts["split"])
        if unknown:
            raise HandsightError(
                f"{shown(self.root)}: fact 'split' holds {unknown[0]!r}; expected {', '.join(SPLITS)}"
            )
        return np.asarray(self.facts["split"], dtype=np.str_)

    def close(self) -> None:
        """Close the files that `frames` and `scan` keep open; they open again when needed."""
        for decoder in self._decoders.values():
            decoder.close()
        self._decoders = {}

    def __getstate__(self) -> dict[str, Any]:
        left_out = ("_decoders", "_streams", "_reading")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self._decoders, self._streams = {}, {}
        self._reading, self._process = threading.Lock(), os.getpid()

    def _decode(
        self,
        camera: str,
        indices: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        count: int,
        *,
        in_sequence: bool,
    ) -> npt.NDArray[np.uint8]:
        """Return `count` frames, of which those of `rows` are decoded: frames `indices`, which ascend."""
        shape = self.features[camera].shape
        made = [np.empty((0, *shape), dtype=np.uint8)]
        making = threading.Lock()

        def put(place: int, frame: npt.NDArray[np.uint8]) -> None:
            if frame.shape != shape:
                raise HandsightError(
                    f"{shown(self.root)}: frame {indices[place]} of {camera!r} is {frame.shape}; "
                    f"meta/info.json says {shape}"
                )
            with making:
                if not len(made[0]):  # not before: info.json may say any size
                    made[0] = np.empty((count, *shape), dtype=np.uint8)
            made[0][rows[place]] = frame

        with self._reading:
            self._decoder(camera, in_sequence).decode(indices, put)
        return made[0]

    def _decoder(self, camera: str, in_sequence: bool) -> Decoder:
        if self._process != os.getpid():  # a forked process must not share file positions with its parent
            self._decoders, self._process = {}, os.getpid()
        key = (camera, in_sequence)
        if key not in self._decoders:
            name = self.name_on_disk(camera)
            video = self.features[camera].dtype == "video"

            def new_reader() -> FrameReader:
                if video:
                    return VideoFrames(self.root, self._episodes, name, self.fps, threads=in_sequence)
                if in_sequence:
                    return ImageFrames(self.root, self._episodes, name, held_bytes=0)
                return ImageFrames(self.root, self._episodes, name, HELD_BYTES // readers, copy)

            def copy() -> Path:
                return cache_root() / self.fingerprint / f"{quote(name, safe='')}.pictures"

            # In sequence a video decoder does better with threads of its own: there is nothing to skip.
            readers = 1 if video and in_sequence else usable_cores()
            self._decoders[key] = Decoder(new_reader, readers)
        return self._decoders[key]

    def _numbers(self, name: str) -> Feature:
        """Return the feature of a stream that is not pictures."""
        if name in BOOKKEEPING_FEATURES:
            feature = BOOKKEEPING_FEATURES[name]
        elif name in self.features:
            feature = self.features[name]
        else:
            raise self._selection.lacks(name, name, [n for n, f in self.features.items() if not f.is_camera])
        if feature.is_camera:
            raise HandsightError(f"{name!r} is a camera; its pictures come from frames() or scan()")
        return feature

    def _one_camera(self, camera: str | None) -> str:
        if camera is None and len(self.cameras) == 1:
            return self.cameras[0]
        if camera in self.cameras:
            return str(camera)
        if camera is None:
            raise HandsightError(
                f"{shown(self.root)} has cameras {', '.join(self.cameras) or '(none)'}; say which one"
            )
        raise self._selection.lacks(str(camera), "images", self.cameras)
