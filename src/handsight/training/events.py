"""A run's curves for TensorBoard, written as they come: what the disk refuses, the caller is told."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

from handsight.errors import HandsightError

FORMAT = "brain.Event:2"


class Events:
    """Writes one file of TensorBoard's events; TensorBoard's own writer does it in a thread, and fails there.

    Args:
        folder: for the file; made where it is not there.
        start: steps done before; what an earlier file, of a run that was killed, shows beyond is hidden.

    Raises:
        HandsightError: the file cannot be written, here or later.
    """

    def __init__(self, folder: Path, start: int) -> None:
        self._path = folder / f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            raise self._failed(error) from error
        self._records = RecordWriter(self._file)
        self._write(Event(file_version=FORMAT))
        if start:
            self._write(Event(step=start + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Add what was measured at a step."""
        entries = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(Event(step=step, summary=Summary(value=entries)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        try:
            self._records.write(event.SerializeToString())
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> HandsightError:
        return HandsightError(
            f"cannot write {self._path} ({error.strerror}); make room and give the same command again"
        )
