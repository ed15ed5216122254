"""Decoding many frames at once, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from handsight.recordings.frames import FrameReader

_LEAST = 4
"""So many frames are worth a thread."""


class Decoder:
    """Decodes frames of one camera; each thread has its own reader, and a stretch of the frames.

    One decoder with several threads of its own would wait for itself at every jump.

    Args:
        new_reader: makes a reader of the camera.
        threads: that decode, at most.
    """

    def __init__(self, new_reader: Callable[[], FrameReader], threads: int) -> None:
        self._new_reader, self._threads = new_reader, threads
        self._readers: list[FrameReader] = []

    def decode(
        self, indices: npt.NDArray[np.int64], put: Callable[[int, npt.NDArray[np.uint8]], None]
    ) -> None:
        """Call `put(i, frame)` with each of `indices`, which ascend; from several threads, in any order.

        Raises:
            HandsightError: a frame cannot be decoded; of several, the first one's.
        """
        self._readers = self._readers or [self._new_reader() for _ in range(self._threads)]

        def stretch(number: int, first: int, end: int) -> None:
            for place, frame in enumerate(self._readers[number].read(indices[first:end]), first):
                put(place, frame)

        in_stretches(len(indices), self._threads, stretch)

    def close(self) -> None:
        """Close all files."""
        for reader in self._readers:
            reader.close()
        self._readers = []


def in_stretches(count: int, threads: int, work: Callable[[int, int, int], None]) -> None:
    """Call `work(number, first, end)` for parts of 0 … count − 1, each in a thread of its own.

    Raises:
        Exception: what `work` raised; of several, what came of the first part.
    """
    parts = max(1, min(threads, count // _LEAST))
    edges = np.linspace(0, count, parts + 1).astype(np.int64).tolist()
    if parts == 1:
        return work(0, 0, count)
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(work, n, edges[n], edges[n + 1]) for n in range(parts)]:
            done.result()
    return None


def usable_cores() -> int:
    """Return how many cores this process may use: what the system allows, at most `OMP_NUM_THREADS`.

    Processes that share a machine are told their part by that variable; torchrun sets it.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(told)) if told.isdecimal() and int(told) > 0 else allowed
