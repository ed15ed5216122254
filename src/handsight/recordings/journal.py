"""The journal: episodes that are saved and not yet sealed into shards.

Arrow IPC streams one after another in one file, one record batch an episode; each batch's metadata carries
the episode's task, facts and checksum. It is only ever appended to; what a kill tore off at its end is
dropped when it is read, and a writer that goes on cuts it off and begins the next stream there.
"""

from __future__ import annotations

import itertools
import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from handsight.recordings.durable import synchronise
from handsight.recordings.layout import JOURNAL
from handsight.recordings.stats import Figures, from_lists, to_lists
from handsight.recordings.tables import DAMAGED

_STREAM = "episodes.arrow"
_KEY = b"handsight"
_FIRST_WORD, _LAST_WORD = b'{"episode": ', b'"record_crc32": '
_LONGEST_RECORD = 2**24
_BEGIN = b"\xff\xff\xff\xff"
_END_OF_STREAM = _BEGIN + b"\0\0\0\0"


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
        size: bytes it takes, videos included; known of an episode that was read.
        end: where it ends in the file; known of an episode that was read.
    """

    episode: int
    task: str
    facts: Mapping[str, Any]
    figures: Mapping[str, Figures]
    videos: Mapping[str, Path]
    batch: pa.RecordBatch
    size: int = 0
    end: int = 0


class Journal:
    """Appends episodes to a recording's journal; one that is there already is written over, unless kept.

    Args:
        root: of the recording.
        schema: of its data files.

    Attributes:
        size: bytes that its episodes take: a function of the episodes alone, not of how often it was resumed.
    """

    def __init__(self, root: Path, schema: pa.Schema) -> None:
        self._folder = root / JOURNAL
        self._schema = schema
        self._sink: Any = None
        self._stream: Any = None
        self._kept = 0
        self.size = 0

    def keep(self, entry: Entry) -> None:
        """Go on after an episode that `read` found there; called for each of them, before `append`."""
        self._kept = entry.end
        self.size += entry.size

    def video(self, key: str, episode: int) -> Path:
        """Return where an episode's video belongs until it is sealed."""
        return video_path(self._folder, key, episode)

    def append(self, entry: Entry) -> None:
        """Write an episode; when this returns, the operating system has it.

        Raises:
            OSError: as on a full disk; the journal must not be appended to after that.
        """
        if self._stream is None:
            self._open()
        message = entry.batch.serialize()
        sizes = {key: path.stat().st_size for key, path in entry.videos.items()}
        record = {
            "episode": entry.episode,
            "task": entry.task,
            "facts": dict(entry.facts),
            "figures": {name: to_lists(figures) for name, figures in entry.figures.items()},
            "videos": sizes,
            "crc32": zlib.crc32(message),
        }
        record["record_crc32"] = _checksum(record)
        self._stream.write_batch(entry.batch, custom_metadata={_KEY: json.dumps(record).encode()})
        self._sink.flush()
        self.size += message.size + sum(sizes.values())

    def close(self) -> None:
        """Close the stream; `read` takes it from there."""
        if self._stream is not None:
            self._stream.close()
            self._sink.close()
        self._stream = self._sink = None
        self._kept = self.size = 0

    def _open(self) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / _STREAM
        with open(path, "ab") as file:
            file.truncate(self._kept)
            if self._kept:
                file.write(_END_OF_STREAM)
        self._sink = pa.OSFile(str(path), "ab")
        self._stream = pa.ipc.new_stream(self._sink, self._schema)


def video_path(folder: Path, key: str, episode: int) -> Path:
    """Return where the journal in `folder` keeps an episode's video."""
    return folder / "videos" / key / f"episode-{episode:06d}.mp4"


def read(root: Path) -> Iterator[Entry]:
    """Yield the whole episodes of a recording's journal; one torn by a kill ends it."""
    folder = root / JOURNAL
    try:
        # Not mapped into memory: a writer that goes on may cut a torn end off meanwhile.
        source = pa.OSFile(str(folder / _STREAM), "rb")
    except (OSError, pa.ArrowException):
        return
    with source:
        while True:
            try:
                stream = pa.ipc.open_stream(source)
            except DAMAGED:
                return
            while True:
                try:
                    batch, metadata = stream.read_next_batch_with_custom_metadata()
                    entry = _entry(folder, batch, json.loads((metadata or {})[_KEY]), source.tell())
                except StopIteration:
                    break  # the next stream, of a writer that went on
                except (*DAMAGED, AttributeError):
                    return
                if entry is None:
                    return
                yield entry


def size_of(root: Path) -> int:
    """Return the size of a recording's journal in bytes, without its videos; 0 where there is none."""
    path = root / JOURNAL / _STREAM
    return path.stat().st_size if path.is_file() else 0


def later_episodes(root: Path, end: int, size: int) -> int:
    """Return how many episodes stand behind a damaged one, where `read` stopped: a kill leaves none there.

    Args:
        root: of the recording.
        end: of the last entry that was read.
        size: of the journal before it was read; a writer at work may have added more.
    """
    if size <= end:
        return 0
    with open(root / JOURNAL / _STREAM, "rb") as file:
        file.seek(end)
        rest = file.read(size - end)
    return max(0, max(rest.count(word) for word in (_FIRST_WORD, _LAST_WORD)) - 1)


def salvage(root: Path, schema: pa.Schema) -> list[Entry]:
    """Return all whole episodes of a journal, whatever lies between them, in the order of their numbers.

    Args:
        root: of the recording, which nobody writes to.
        schema: of its data files.
    """
    path = root / JOURNAL / _STREAM
    content = path.read_bytes() if path.is_file() else b""
    starts = sorted({start for word in (_FIRST_WORD, _LAST_WORD) for start in _messages(content, word)})
    found: dict[int, Entry] = {}
    for start, end in itertools.pairwise([*starts, len(content)]):
        message = pa.BufferReader(schema.serialize().to_pybytes() + content[start:end])
        try:
            batch, metadata = pa.ipc.open_stream(message).read_next_batch_with_custom_metadata()
            entry = _entry(root / JOURNAL, batch, json.loads((metadata or {})[_KEY]), end)
        except (*DAMAGED, AttributeError, StopIteration):
            continue
        if entry is not None:
            found.setdefault(entry.episode, entry)
    return [found[episode] for episode in sorted(found)]


def _messages(content: bytes, word: bytes) -> Iterator[int]:
    """Yield where the messages begin in whose metadata a word stands."""
    at = content.find(word)
    while at >= 0:
        start = content.rfind(_BEGIN, 0, at)
        while start >= 0:
            size = int.from_bytes(content[start + 4 : start + 8], "little")
            if at < start + 8 + size < at + _LONGEST_RECORD:
                break
            start = content.rfind(_BEGIN, 0, start)
        if start >= 0:
            yield start
        at = content.find(word, at + 1)


def _entry(folder: Path, batch: pa.RecordBatch, record: dict[str, Any], end: int) -> Entry | None:
    batch.validate(full=True)  # its offsets are followed below
    message = batch.serialize()
    said = record.pop("record_crc32", None)
    if zlib.crc32(message) != record["crc32"] or said not in (None, _checksum(record)):
        return None
    sizes = record["videos"]
    videos = {key: video_path(folder, key, record["episode"]) for key in sizes}
    if any(not path.is_file() or path.stat().st_size != sizes[key] for key, path in videos.items()):
        return None
    figures = {name: from_lists(value) for name, value in record["figures"].items()}
    size = message.size + sum(sizes.values())
    return Entry(record["episode"], record["task"], record["facts"], figures, videos, batch, size, end)


def _checksum(record: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(record).encode())


def secure(root: Path) -> None:
    """Wait until what was appended to a recording's journal is on the disk; what was sealed is there."""
    with suppress(FileNotFoundError):
        synchronise(root / JOURNAL / _STREAM)


def remove(root: Path) -> None:
    """Remove the journal, its stream first: a video without its entry is nothing."""
    (root / JOURNAL / _STREAM).unlink(missing_ok=True)
    shutil.rmtree(root / JOURNAL, ignore_errors=True)
