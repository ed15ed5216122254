"""The journal: episodes that are saved and not yet sealed into shards.

One Arrow IPC stream, one record batch an episode; each batch's metadata carries the episode's task, facts and
checksum. It is only ever appended to, and what a kill tore off at its end is dropped when it is read.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from handsight.recordings.durable import synchronise
from handsight.recordings.layout import JOURNAL
from handsight.recordings.stats import Figures, from_lists, to_lists

_STREAM = "episodes.arrow"
_KEY = b"handsight"


@dataclass(frozen=True)
class Entry:
    """One saved episode.

    Args:
        episode: its index.
        task: in words; may be empty.
        facts: its episode facts.
        figures: of its cameras, which are costly to take again.
        videos: its mp4 of each video camera.
        batch: its rows of the data file.
    """

    episode: int
    task: str
    facts: Mapping[str, Any]
    figures: Mapping[str, Figures]
    videos: Mapping[str, Path]
    batch: pa.RecordBatch


class Journal:
    """Appends episodes to a recording's journal.

    Args:
        root: of the recording.
        schema: of its data files.
    """

    def __init__(self, root: Path, schema: pa.Schema) -> None:
        self._folder = root / JOURNAL
        self._schema = schema
        self._sink: Any = None
        self._stream: Any = None
        self.size = 0

    def video(self, key: str, episode: int) -> Path:
        """Return where an episode's video belongs until it is sealed."""
        return video_path(self._folder, key, episode)

    def append(self, entry: Entry) -> None:
        """Write an episode; when this returns, the operating system has it.

        Raises:
            OSError: as on a full disk; the journal must not be appended to after that.
        """
        if self._stream is None:
            self._folder.mkdir(exist_ok=True)
            self._sink = pa.OSFile(str(self._folder / _STREAM), "wb")
            self._stream = pa.ipc.new_stream(self._sink, self._schema)
        sizes = {key: path.stat().st_size for key, path in entry.videos.items()}
        record = {
            "episode": entry.episode,
            "task": entry.task,
            "facts": dict(entry.facts),
            "figures": {name: to_lists(figures) for name, figures in entry.figures.items()},
            "videos": sizes,
            "crc32": _checksum(entry.batch),
        }
        self._stream.write_batch(entry.batch, custom_metadata={_KEY: json.dumps(record).encode()})
        self._sink.flush()
        self.size = self._sink.tell() + sum(sizes.values())

    def synchronise(self) -> None:
        """Wait until everything appended is on the disk."""
        if self._sink is not None:
            self._sink.flush()
            synchronise(self._folder / _STREAM)

    def close(self) -> None:
        """Close the stream; `read` takes it from there."""
        if self._stream is not None:
            self._stream.close()
            self._sink.close()
        self._stream = self._sink = None
        self.size = 0


def video_path(folder: Path, key: str, episode: int) -> Path:
    """Return where the journal in `folder` keeps an episode's video."""
    return folder / "videos" / key / f"episode-{episode:06d}.mp4"


def read(root: Path) -> Iterator[Entry]:
    """Yield the whole episodes of a recording's journal; one torn by a kill ends it."""
    folder = root / JOURNAL
    try:
        source = pa.memory_map(str(folder / _STREAM), "r")
    except (OSError, pa.ArrowException):
        return
    with source:
        try:
            stream = pa.ipc.open_stream(source)
        except (OSError, pa.ArrowException):
            return
        while True:
            try:
                batch, metadata = stream.read_next_batch_with_custom_metadata()
                entry = _entry(folder, batch, json.loads((metadata or {})[_KEY]))
            except (StopIteration, OSError, pa.ArrowException, KeyError, TypeError, ValueError):
                return
            if entry is None:
                return
            yield entry


def _entry(folder: Path, batch: pa.RecordBatch, record: Mapping[str, Any]) -> Entry | None:
    if _checksum(batch) != record["crc32"]:
        return None
    videos = {key: video_path(folder, key, record["episode"]) for key in record["videos"]}
    if any(
        not path.is_file() or path.stat().st_size != record["videos"][key] for key, path in videos.items()
    ):
        return None
    figures = {name: from_lists(value) for name, value in record["figures"].items()}
    return Entry(record["episode"], record["task"], record["facts"], figures, videos, batch)


def remove(root: Path) -> None:
    """Remove the journal, its stream first: a video without its entry is nothing."""
    (root / JOURNAL / _STREAM).unlink(missing_ok=True)
    shutil.rmtree(root / JOURNAL, ignore_errors=True)


def _checksum(batch: pa.RecordBatch) -> int:
    return zlib.crc32(batch.serialize())
