"""Views of objects, with what lies beside them → a recording: what rt4k, mvimgnet and co3d share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.columns import Column
from handsight.recordings.episode import encode_png
from handsight.recordings.features import Feature
from handsight.recordings.layout import shown
from handsight.recordings.stats import PictureFigures
from handsight.recordings.writer import Writer
from handsight.sources.framing import Framing, Picture
from handsight.sources.intake import (
    CAMERA,
    Broken,
    Counter,
    Earlier,
    Progress,
    one_shape,
    open_writer,
    read_earlier,
)
from handsight.sources.pictures import decode_picture, encoded_size

NO_POSE = "pictures without a pose"
NO_PICTURE = "poses without a picture"
"""Why frames are left out, after their number."""

FPS = 10
"""Frames per second of these recordings: the data sets know an order of pictures, and no steady rate."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """Views of one object, in order.

    Args:
        places: what messages call each picture.
        read: gives the encoded bytes of picture i.
        streams: what lies beside the pictures, float32 `[T, D]` each.
        facts: of the episode, but for `source`.
        task: in words.
    """

    places: Sequence[str]
    read: Callable[[int], bytes]
    streams: Mapping[str, npt.NDArray[np.float32]]
    facts: Mapping[str, Any]
    task: str


@dataclass(frozen=True)
class Planned:
    """A clip that is not read yet.

    Args:
        source: its name, which no other clip has.
        frames_n: of it, for the progress.
        load: reads all of it but the pictures.
    """

    source: str
    frames_n: int
    load: Callable[[], Clip]


@dataclass
class Dropped:
    """Frames and folders that are left out, counted for one line at the end; the same place counts once."""

    _found: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, reason: str, places: Iterable[str]) -> None:
        """Count places that are left out for a reason, which reads on after their number."""
        self._found.setdefault(reason, {}).update(dict.fromkeys(places))

    def report(self, out: Path) -> None:
        """Say what was left out, if anything was."""
        said = [
            f"{len(places)} {reason} (the first: {next(iter(places))})"
            for reason, places in self._found.items()
            if places
        ]
        if said:
            _log.warning("%s: left out: %s", shown(out), "; ".join(said))


@dataclass(frozen=True)
class Intake:
    """How views become a recording.

    Args:
        out: its folder.
        settings: what the ingestion was asked for, kept in the recording.
        streams: beside the camera.
        facts: name → type, but for `source`.
        framing: what becomes of each picture.
        video: store mp4, else the encoded pictures as they are or, where they change, PNG.
        skip_broken: leave out clips that cannot be read.
        progress: told how many frames are done.
    """

    out: Path
    settings: Mapping[str, Any]
    streams: Mapping[str, Feature]
    facts: Mapping[str, str]
    framing: Framing
    video: bool
    skip_broken: bool
    progress: Progress | None

    def record(self, planned: Iterable[Planned], frames_n: int, dropped: Dropped) -> Path:
        """Record the clips that are not recorded yet; return the folder.

        Args:
            planned: the clips, in the order they shall have; the same order when an ingestion goes on.
            frames_n: of all of them, about.
            dropped: what loading them leaves out; said at the end.

        Raises:
            HandsightError: a clip cannot be read; pictures differ in size; there is none; or the folder holds
                something else.
        """
        earlier, broken = read_earlier(self.out, self.settings), Broken(self.skip_broken, "clips")
        clips, peeked = iter(planned), list[Planned]()
        shape = earlier.shape if earlier else self._first_shape(_noting(clips, peeked), broken)
        if shape is None:
            dropped.report(self.out)
            broken.report(self.out, episodes_n=0)
            raise HandsightError("no clip has a picture that can be recorded; see what was left out")
        broken.lines.clear()  # what was met on the way to the first picture is met again
        count = Counter(self.progress, frames_n)
        with open_writer(
            self.out,
            shape,
            FPS,
            video=self.video,
            facts={"source": "string", **self.facts},
            settings=self.settings,
            streams=self.streams,
        ) as writer:
            for plan in chain(peeked, clips):
                if earlier is not None and plan.source in earlier.lengths:
                    count.add(sum(earlier.lengths[plan.source]))
                    continue
                for clip in broken.guard(_loaded(plan)):
                    self._add(writer, plan.source, clip, shape, count, broken)
            count.finish()
            dropped.report(self.out)
            broken.report(self.out, writer.next_episode)
        return self.out

    def _first_shape(self, clips: Iterable[Planned], broken: Broken) -> tuple[int, int] | None:
        """Return height and width in px of the recording, by the first picture that can be read."""
        for plan in clips:
            for clip in broken.guard(_loaded(plan)):
                for size in broken.guard(encoded_size(clip.read(i), clip.places[i]) for i in range(1)):
                    return one_shape({clip.places[0]: size}, self.framing, None)
        return None

    def _add(
        self,
        writer: Writer,
        source: str,
        clip: Clip,
        shape: tuple[int, int],
        count: Counter,
        broken: Broken,
    ) -> None:
        """Record one clip, or nothing of it where one of its pictures cannot be read."""
        recorded = _VideoClip(writer, clip) if self.video else _ImageClip(writer, clip)
        for index, (picture, encoded) in enumerate(count.each(broken.guard(_pictures(clip)))):
            height, width = picture.shape[:2]
            if self.framing.shape(height, width) != shape:
                one_shape({clip.places[index]: (height, width)}, self.framing, Earlier(FPS, shape, {}))
            framed = self.framing.apply(picture)
            untouched = framed.shape == picture.shape  # nothing was cut off, so nothing was resized
            recorded.add(framed, encoded if untouched else None)
        recorded.save({"source": source, **clip.facts})


class _ImageClip:
    """A clip whose pictures are kept encoded."""

    def __init__(self, writer: Writer, clip: Clip) -> None:
        self._writer, self._clip = writer, clip
        self._encoded: list[bytes] = []
        self._figures = PictureFigures()

    def add(self, picture: Picture, encoded: bytes | None) -> None:
        """Add a picture, and the bytes that it may be kept as."""
        self._figures.add(picture)
        self._encoded.append(encode_png(picture) if encoded is None else encoded)

    def save(self, facts: Mapping[str, Any]) -> None:
        """Save the clip if it is whole."""
        if len(self._encoded) == len(self._clip.places):
            columns: dict[str, Column] = {CAMERA: self._encoded, **self._clip.streams}
            figures = {CAMERA: self._figures.figures()}
            self._writer.add_encoded_episode(columns, {}, figures, facts, self._clip.task)


class _VideoClip:
    """A clip whose pictures become a video."""

    def __init__(self, writer: Writer, clip: Clip) -> None:
        self._writer, self._clip = writer, clip
        self._length = 0

    def add(self, picture: Picture, encoded: bytes | None) -> None:
        """Add a picture; what it was encoded as does not matter."""
        values = {name: stream[self._length] for name, stream in self._clip.streams.items()}
        self._writer.add_frame({CAMERA: picture, **values})
        self._length += 1

    def save(self, facts: Mapping[str, Any]) -> None:
        """Save the clip if it is whole, else give it up."""
        if self._length == len(self._clip.places):
            self._writer.save_episode(facts, self._clip.task)
        elif self._length:
            self._writer.discard_episode()


def posed_rows(
    where: str, places: Sequence[str], poses: npt.NDArray[np.float64], dropped: Dropped
) -> list[int]:
    """Return the rows of a clip whose pose `[T, D]` is known; the others are left out and counted.

    Raises:
        HandsightError: there is none.
    """
    rows: list[int] = np.flatnonzero(np.isfinite(poses).all(axis=1)).tolist()
    if not rows:
        raise HandsightError(f"{where} has no frame with a pose; remove it")
    known = set(rows)
    dropped.add(NO_POSE, (place for row, place in enumerate(places) if row not in known))
    return rows


def _pictures(clip: Clip) -> Iterator[tuple[Picture, bytes | None]]:
    """Yield each picture, and its encoded bytes where they may be kept."""
    for index, place in enumerate(clip.places):
        encoded = clip.read(index)
        picture, plain = decode_picture(encoded, place)
        yield picture, encoded if plain else None


def _loaded(plan: Planned) -> Iterator[Clip]:
    yield plan.load()


def _noting(clips: Iterator[Planned], seen: list[Planned]) -> Iterator[Planned]:
    """Pass clips on, and keep those that were taken."""
    for plan in clips:
        seen.append(plan)
        yield plan
