"""What all sources share: a recording with one camera, which goes on where it was killed."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature, camera
from handsight.recordings.layout import INFO, read_info, shown
from handsight.recordings.recording import Recording
from handsight.recordings.recovery import recover
from handsight.recordings.writer import Writer
from handsight.sources.framing import Framing

CAMERA = "observation.images.camera"

Progress = Callable[[int, int], None]
"""Told how many frames are done, and how many there are in all."""

_log = logging.getLogger(__name__)
_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class Earlier:
    """What an earlier run of the same ingestion left in the recording.

    Args:
        fps: frames per second.
        shape: height and width in px of its camera.
        lengths: source → numbers of frames of its episodes, in the order they were recorded.
    """

    fps: float
    shape: tuple[int, int]
    lengths: Mapping[str, list[int]]

    @property
    def last(self) -> str | None:
        """The source that was recorded last."""
        return next(reversed(list(self.lengths)), None)


def read_earlier(out: Path, settings: Mapping[str, Any]) -> Earlier | None:
    """Return what is in a recording already, sealed; None where there is none.

    Args:
        out: folder of the recording.
        settings: what the ingestion was asked for, which must be the same when it goes on.

    Raises:
        HandsightError: it is damaged, is not of this ingestion, or somebody is writing to it.
    """
    if not (out / INFO).is_file():
        return None
    info = read_info(out)
    before = (info.get("handsight") or {}).get("world") or {}
    if before.get("format") != settings["format"] or CAMERA not in info["features"]:
        raise HandsightError(f"{shown(out)} is a recording of something else; give a new folder")
    for name, value in settings.items():
        if before.get(name) != value:
            raise HandsightError(
                f"{shown(out)} was ingested with {name} {_said(before.get(name))}, "
                f"now {_said(value)} is asked for; use the same or give a new folder"
            )
    recover(out)
    info = read_info(out)
    height, width, _ = info["features"][CAMERA]["shape"]
    lengths: dict[str, list[int]] = {}
    if info["total_episodes"]:
        recording = Recording(out)
        for source, length in zip(recording.facts["source"], np.diff(recording.episode_starts), strict=True):
            # Moved to the end, so that the order of the keys is that of the last episodes.
            lengths[str(source)] = [*lengths.pop(str(source), []), int(length)]
    return Earlier(float(info["fps"]), (int(height), int(width)), lengths)


def open_writer(
    out: Path,
    shape: tuple[int, int],
    fps: float,
    *,
    video: bool,
    facts: Mapping[str, str],
    settings: Mapping[str, Any],
    streams: Mapping[str, Feature] = MappingProxyType({}),
) -> Writer:
    """Return the writer of a recording with one camera and other streams; other settings are refused."""
    features = {CAMERA: camera(*shape, video=video), **streams}
    return Writer(out, features, fps, facts=facts, world=settings)


def check_above_zero(**values: float | None) -> None:
    """Refuse options that are not above zero; None is left alone.

    Raises:
        HandsightError: naming the option.
    """
    for name, value in values.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise HandsightError(f"{name} is {value}; it must be above zero")


def one_shape(
    sizes: Mapping[str, tuple[int, int]], framing: Framing, earlier: Earlier | None
) -> tuple[int, int]:
    """Return the height and width in px that all pictures get.

    Args:
        sizes: height and width in px of the pictures as they are, by where they lie.
        framing: what becomes of them.
        earlier: what is recorded already.

    Raises:
        HandsightError: two of them would differ; the message names both.
    """
    first, expected = ("what is recorded already", earlier.shape) if earlier else ("", (0, 0))
    for where, size in sizes.items():
        shape = framing.shape(*size)
        if min(shape) < 1:
            raise HandsightError(f"{where} is {_by(size)} px; too small for a video, use --video false")
        if not first:
            first, expected = where, shape
        if shape != expected:
            advice = (
                "give --square true"
                if framing.size
                else "give --size and, where their shapes differ too, --square true"
            )
            raise HandsightError(
                f"{where} would be {_by(shape)} px, but {first} {_by(expected)} px; "
                f"a recording has one size: {advice}"
            )
    return expected


@dataclass
class Broken:
    """What happens to files that cannot be read: the first stops everything, or all are left out and named.

    Args:
        skip: leave them out.
        kind: what they are, in the plural.
    """

    skip: bool
    kind: str = "files"
    lines: list[str] = field(default_factory=list)

    def guard(self, things: Iterable[_Thing]) -> Iterator[_Thing]:
        """Yield what can be read; ends at a file's fault where files are left out, and raises it otherwise.

        Raises:
            HandsightError: the fault, with advice.
        """
        try:
            yield from things
        except HandsightError as error:
            if not self.skip:
                raise HandsightError(
                    f"{error}; mend or remove it, or give --skip-broken true to leave such {self.kind} out"
                ) from None
            self.lines.append(str(error))

    def report(self, out: Path, episodes_n: int) -> None:
        """Say what was left out.

        Raises:
            HandsightError: nothing at all could be read.
        """
        for line in self.lines:
            _log.warning("left out: %s", line)
        if self.lines and not episodes_n:
            raise HandsightError(
                f"none of the {len(self.lines)} {self.kind} could be read; the first: {self.lines[0]}"
            )
        if self.lines:
            _log.warning("%s: %d %s were broken and left out", shown(out), len(self.lines), self.kind)


class Counter:
    """Counts frames for whoever wants to know.

    Args:
        progress: told after each frame.
        total: how many are expected.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._done, self._total = 0, total

    def add(self, count: int) -> None:
        """Count frames that are done."""
        self._done += count
        self._total = max(self._total, self._done)
        if self._progress is not None and 0 < self._done < self._total:
            self._progress(self._done, self._total)

    def each(self, things: Iterable[_Thing]) -> Iterator[_Thing]:
        """Pass things on, counting each once it was dealt with."""
        for thing in things:
            yield thing
            self.add(1)

    def finish(self) -> None:
        """Say that all is done; what was expected was an estimate."""
        if self._progress is not None and self._done:
            self._progress(self._done, self._done)


def _said(value: Any) -> str:
    return "not given" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]} × {size[0]}"
