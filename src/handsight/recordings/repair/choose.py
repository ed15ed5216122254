"""Which of the episodes that were found are whole: all streams can be read, and all frames are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from handsight.errors import HandsightError
from handsight.recordings.columns import to_numpy
from handsight.recordings.features import Feature
from handsight.recordings.frames import read_picture
from handsight.recordings.repair.files import DataFile, Files
from handsight.recordings.repair.matching import Found
from handsight.recordings.repair.plan import Repair
from handsight.recordings.repair.table import Rows
from handsight.recordings.repair.videos import Placed, place
from handsight.recordings.sealed import FACT_TYPES
from handsight.recordings.videofile import VideoFile


@dataclass
class Chosen:
    """What of a recording can be used.

    Args:
        kept: the episodes, in the order of their old numbers.
        lost: number of an episode → why it cannot be used.
        placed: for each camera, old number of an episode → where it lies.
        hopeless: cameras that no episode has, where no other is whole; left as they are.
        dropped: other streams that no episode has; no longer declared.
    """

    kept: list[Found]
    lost: dict[int, str]
    placed: dict[str, dict[int, Placed]]
    hopeless: list[str]
    dropped: list[str]


def choose(
    root: Path,
    files: Files,
    rows: Rows,
    found: list[Found],
    info: Mapping[str, Any],
    features: Mapping[str, Feature],
    more: bool,
    thorough: bool,
) -> Chosen:
    """Divide episodes into those that are whole and the others.

    Args:
        root: of the recording.
        files: that there are.
        rows: of meta/episodes.
        found: the episodes whose rows of the data files are known.
        info: with usable `fps` and facts.
        features: of all streams.
        more: whether there are whole episodes elsewhere, in the journal.
        thorough: whether to decode every frame, not only the first of each episode.
    """
    lacking: dict[str, dict[int, str]] = {}
    placed = {}
    for name, feature in features.items():
        if feature.dtype == "video":
            placed[name] = place(files, name, found, rows, float(info["fps"]))
            lacking[name] = _without_video(
                files, name, feature, found, placed[name], float(info["fps"]), thorough
            )
        else:
            lacking[name] = _without_stream(root, name, feature, found, thorough)
    numbers = {one.episode for one in found}
    hopeless = [
        name for name, missing in lacking.items() if numbers and missing.keys() >= numbers and not more
    ]
    cameras = {name for name, feature in features.items() if feature.is_camera}
    others = set(features) - set(hopeless)
    dropped = [name for name in hopeless if (others & cameras if name in cameras else others)]
    lost: dict[int, str] = {}
    for name, missing in lacking.items():
        if name not in hopeless:
            for episode, why in missing.items():
                lost.setdefault(episode, why)
    for episode, why in _without_facts(rows, found, info):
        lost.setdefault(episode, why)
    kept = [one for one in found if one.episode not in lost]
    return Chosen(kept, lost, placed, [name for name in hopeless if name not in dropped], dropped)


def _without_stream(
    root: Path, name: str, feature: Feature, found: list[Found], thorough: bool
) -> dict[int, str]:
    """Return the episodes whose rows of a column cannot be read."""
    missing: dict[int, str] = {}
    for file, mine in _by_file(found):
        if name not in file.columns:
            missing |= {one.episode: f"{file.place} has no column {name!r}" for one in mine}
            continue
        if not feature.is_camera and _reads(file, name, feature):
            continue
        for one in mine:
            try:
                last = one.end if thorough or not feature.is_camera else one.first + 1
                column = file.rows_of(name, one.first, last).column(0)
                if not feature.is_camera:
                    to_numpy(column, feature, f"{file.place}, column {name!r}")
                for value in column if feature.is_camera else ():
                    shape = read_picture(root, value.as_py()).shape
                    if shape != feature.shape:
                        raise ValueError(f"of shape {shape}")
            except HandsightError as error:
                missing[one.episode] = str(error)
            except ValueError as error:
                missing[one.episode] = f"{file.place}: a frame of {name!r} is no picture ({error})"
        file.close()
    return missing


def _reads(file: DataFile, name: str, feature: Feature) -> bool:
    try:
        to_numpy(file.read(name), feature, "")
    except HandsightError:
        return False
    return True


def _by_file(found: list[Found]) -> Iterator[tuple[DataFile, list[Found]]]:
    files: dict[str, list[Found]] = {}
    for one in found:
        files.setdefault(one.file.place, []).append(one)
    for mine in files.values():
        yield mine[0].file, mine


def _without_video(
    files: Files,
    camera: str,
    feature: Feature,
    found: list[Found],
    placed: Mapping[int, Placed],
    fps: float,
    thorough: bool,
) -> dict[int, str]:
    """Return the episodes whose frames are not all in a camera's videos, or cannot be decoded."""
    missing = {
        one.episode: f"not all of its frames of {camera!r} are there"
        for one in found
        if one.episode not in placed
    }
    ordered = sorted(
        (one for one in found if one.episode in placed), key=lambda one: _order(placed[one.episode])
    )
    video: VideoFile | None = None
    number = None
    for one in ordered:
        at = placed[one.episode]
        try:
            if number != at.number:
                if video is not None:
                    video.close()
                number, video = at.number, None
            video = video or VideoFile(files.path(camera, at.number))
            times_s = at.from_s + np.arange(one.length if thorough else 1) / fps
            for frame in video.read(times_s, 0.49 / fps):
                if frame.shape != feature.shape:
                    raise HandsightError(f"a frame of {camera!r} is {frame.shape}")
        except HandsightError as error:
            missing[one.episode] = str(error)
            if video is not None:
                video.close()
            video = None
    if video is not None:
        video.close()
    return missing


def _order(placed: Placed) -> tuple[tuple[int, int], float]:
    return placed.number, placed.from_s


def _without_facts(rows: Rows, found: list[Found], info: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the episodes of which a declared fact is not known."""
    declared = (info.get("handsight") or {}).get("facts") or {}
    for name in declared:
        there = name in rows.table.column_names
        known = rows.table.column(name).is_valid().to_numpy() if there else [False] * len(rows)
        for one in found:
            if one.row < 0 or not known[one.row]:
                yield one.episode, f"its fact {name!r} is lost with its row of meta/episodes"


def mend_facts(
    info: dict[str, Any], rows: Rows, found: list[Found], more: bool, repairs: list[Repair]
) -> None:
    """Bring declared facts and columns of meta/episodes together; what no episode says is no longer declared.

    Args:
        info: whose `handsight` is corrected.
        rows: whose columns are brought to the declared types.
        found: the episodes that there are.
        more: whether there are episodes elsewhere, in the journal, whose facts are the declared ones.
        repairs: told what is changed.
    """
    ours = info.get("handsight")
    if not isinstance(ours, dict):
        return
    mine = [one.row for one in found if one.row >= 0]
    for name, kind in list(ours["facts"].items()):
        there = name in rows.table.column_names
        column = rows.table.column(name) if there else None
        if column is None or not pc.any(column.take(pa.array(mine, pa.int64())).is_valid()).as_py():
            if found and not more:
                repairs.append(Repair("meta/episodes", f"fact {name!r} is lost: no longer declared"))
                del ours["facts"][name]
                if there:
                    rows.table = rows.table.drop_columns([name])
            continue
        if str(kind) in FACT_TYPES and column.type == FACT_TYPES[kind]:
            continue
        wanted = FACT_TYPES.get(str(kind))
        _retype(rows, ours["facts"], name, wanted, repairs)


def _retype(rows: Rows, facts: dict[str, str], name: str, wanted: Any, repairs: list[Repair]) -> None:
    """Cast a fact's column to its declared type, or declare the type that it has."""
    column = rows.table.column(name)
    if wanted == pa.string() and column.type in FACT_TYPES.values():
        wanted = column.type  # anything could be words
    for kind in (wanted, *FACT_TYPES.values()):
        try:
            cast = None if kind is None else column.cast(kind)
        except (ValueError, NotImplementedError):
            continue
        if cast is not None:
            declared = next(word for word, of in FACT_TYPES.items() if of == kind)
            repairs.append(Repair("meta/episodes", f"fact {name!r} was {column.type}: now {declared}"))
            facts[name] = declared
            rows.table = rows.table.set_column(rows.table.column_names.index(name), name, cast)
            return
    repairs.append(
        Repair("meta/episodes", f"fact {name!r} was {column.type}, which no fact is: no longer declared")
    )
    del facts[name]
