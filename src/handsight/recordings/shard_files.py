"""The large files that a seal writes: data files of many episodes, and videos of many episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from handsight.recordings.durable import partial
from handsight.recordings.layout import DATA, VIDEO, next_file
from handsight.recordings.sealed import Sealed
from handsight.recordings.videos import JoinedVideo

GROUP_BYTES = 256 * 1024
"""Of a row group, before compression: reading one frame reads one, and the footer has an entry for each."""


class DataShards:
    """Parquet files; a new one where the coming episode would reach the limit.

    A row group holds several short episodes or a part of a long one. One for each episode, as LeRobot writes,
    would give a file of one-frame episodes a footer as large as its data, and make of an hour's episode a
    gigabyte that has to be read for any of its frames.
    """

    def __init__(self, root: Path, sealed: Sealed, schema: pa.Schema, limit: float) -> None:
        self._root, self._schema, self._limit = root, schema, limit
        self._place, self._chunks_size = sealed.last["data"], sealed.chunks_size
        self._writer: pq.ParquetWriter | None = None
        self._sink: Any = None
        self._group: list[pa.RecordBatch] = []
        self._group_bytes = 0
        self._finished: list[Path] = []

    def add(self, batch: pa.RecordBatch) -> dict[str, int]:
        """Append an episode; return where it lies."""
        if self._writer is None or self._sink.tell() + self._group_bytes + batch.nbytes >= self._limit:
            self._finish()
            self._begin()
        if self._group_bytes + batch.nbytes > GROUP_BYTES:
            self._write_group()
        self._group.append(batch)
        self._group_bytes += batch.nbytes
        return {"data/chunk_index": self._place[0], "data/file_index": self._place[1]}

    def close(self) -> list[Path]:
        """Finish the last file; return all that were written."""
        self._finish()
        return self._finished

    def _begin(self) -> None:
        self._place = next_file(*self._place, self._chunks_size)
        path = self._root / DATA.format(chunk_index=self._place[0], file_index=self._place[1])
        self._sink = pa.OSFile(str(partial(path)), "wb")
        # Without statistics of columns: nobody looks for frames by the size of their action. A dictionary of
        # pictures, of which no two are alike, would only be in the way of who reads one.
        pictures = any(pa.types.is_struct(field.type) for field in self._schema)
        self._writer = pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="snappy",
            use_dictionary=not pictures,
            write_statistics=False,
        )
        self._finished.append(path)

    def _write_group(self) -> None:
        if self._writer is not None and self._group:
            table = pa.Table.from_batches(self._group, self._schema)
            parts = -(-self._group_bytes // GROUP_BYTES)
            self._writer.write_table(table, row_group_size=-(-table.num_rows // parts))
        self._group, self._group_bytes = [], 0

    def _finish(self) -> None:
        self._write_group()
        if self._writer is not None:
            self._writer.close()
            self._sink.close()
            self._writer = None


class VideoShards:
    """One camera's mp4 files; a new one where an episode would reach the limit or was encoded otherwise."""

    def __init__(self, root: Path, sealed: Sealed, key: str, fps: float, limit: float) -> None:
        self._root, self._key, self._fps, self._limit = root, key, fps, limit
        self._place, self._chunks_size = sealed.last[f"videos/{key}"], sealed.chunks_size
        self._video: JoinedVideo | None = None
        self._finished: list[Path] = []

    def add(self, source: Path, length: int) -> dict[str, Any]:
        """Append an episode of `length` frames; return where it lies."""
        video = self._video
        span = None
        if video is not None and video.size + source.stat().st_size < self._limit:
            span = video.add(source, length)
        if span is None:
            self.close()
            self._place = next_file(*self._place, self._chunks_size)
            chunk, file = self._place
            path = self._root / VIDEO.format(video_key=self._key, chunk_index=chunk, file_index=file)
            self._video = video = JoinedVideo(partial(path), self._fps)
            self._finished.append(path)
            span = video.add(source, length)
            assert span is not None, "an empty file takes any episode"
        return {
            f"videos/{self._key}/chunk_index": self._place[0],
            f"videos/{self._key}/file_index": self._place[1],
            f"videos/{self._key}/from_timestamp": span[0],
            f"videos/{self._key}/to_timestamp": span[1],
        }

    def close(self) -> list[Path]:
        """Finish the last file; return all that were written."""
        if self._video is not None:
            self._video.close()
            self._video = None
        return self._finished
