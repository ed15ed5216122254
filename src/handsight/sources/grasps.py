"""Patches that robots grasped at → a recording (Pinto and Gupta, ICRA 2016; Gupta et al., NeurIPS 2018)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.recordings.layout import shown
from handsight.sources.framing import Framing
from handsight.sources.intake import Progress
from handsight.sources.views import Clip, Dropped, Intake, Planned

SPLITS = {"Train": "train", "Validation": "validation", "Test": "test"}
"""Folder → the split that its episodes belong to."""

OUTCOMES = {"positive": True, "negative": False}
"""Folder → whether its grasps held the object."""

TABLE = "dataInfo.txt"
PICTURES = "Images"
ATTEMPTS_HEADER = ("PatchFilePath", "Theta", "Path", "GraspHeight", "GraspWidth")
"""First line of the tables of the later release, which also say where each patch comes from."""

BINS_N = 18
"""Angles that are told apart: 0°, 10°, … 170°."""

FEATURES = {"action": Feature("float32", (1,), ("grasp",), moves="angle", between="first", unit="rad")}
FACTS = {"split": "string", "success": "bool", "angle_bin": "int64"}
ATTEMPT_FACTS = {"attempt": "string", "row_px": "float64", "column_px": "float64"}


def ingest_grasps(
    source: Path,
    out: Path,
    *,
    size: int | None = None,
    square: bool = False,
    video: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a recording from a data set of grasped patches, with either header of its tables.

    The folders are `Train`, `Validation` and `Test`, as many of them as there are (the later release has no
    `Test`); in each `positive` and `negative`, grasps that held and grasps that failed; in each of these
    `Images` and the table `dataInfo.txt`. A table's first line describes it, in words of its authors, and
    lines `name,angle` follow; or it is `PatchFilePath,Theta,Path,GraspHeight,GraspWidth`, that of the later
    release, where each attempt is there 18 times, turned by 10° each.

    An episode is one patch, of one frame, the grasp in its middle; episodes stand in the order of the tables.
    The streams are `observation.images.camera` and `action` `[1]`, the angle tried in rad, as the table has
    it: that of the long side of the rectangle which the authors draw, 0 along the picture's x-axis and
    growing from x to y, which is clockwise, for y points down. The facts are `source`; `split`, by the
    folder; `success`; `angle_bin`; and, in the later release, `attempt`, the folder of the attempt, which its
    18 patches share, with `row_px` and `column_px`, where in that attempt's picture the grasp was. The same
    command again goes on after a kill.

    A gripper with two like fingers, turned by half a turn, does the same, so angles count mod π, and the 18
    bins share out half a turn: bin t of 0 … 17 stands for t · 10° and takes the angles less than 5° from it,
    mod 180° (The Curious Robot, ECCV 2016, section 3.1). So 176° and −4° belong to bin 0. Tables may have any
    angle of up to a full turn either way: turned copies pass half a turn. More is refused, as degrees are.
    The authors' detector counts its bins from −90°: its bin is `angle_bin` + 9, mod 18.

    Args:
        source: folder of `Train`, `Validation` and `Test`.
        out: folder of the recording.
        size: short side of the recorded patches in px, aspect ratio kept. Default: as they are, and then
            their encoded bytes are recorded unchanged.
        square: cut out the central square first; the grasp stays in the middle.
        video: store mp4, which is smaller, loses detail and needs even sides.
        skip_broken: leave out patches that cannot be read or whose line is at fault, and name them at the
            end. Default: stop at the first one.
        progress: told how many patches are done and how many there are.

    Returns:
        The folder of the recording.

    Raises:
        HandsightError: there is none of the three folders; a table is missing, has another header, or a split
            no records; a line has other fields, names a patch again, or has an angle that is no finite number
            or beyond a full turn; a patch is missing or cannot be read; patches differ in size; or `out`
            holds something else.
    """
    source, out = source.expanduser(), out.expanduser()
    settings: dict[str, Any] = {"format": "grasps", "folder": source.resolve().name, "size": size}
    settings |= {"square": square, "video": video}
    framing = Framing(size, square, even=video)
    tables = _read_tables(source)
    facts = FACTS | (ATTEMPT_FACTS if tables[0].names_attempts else {})
    intake = Intake(out, settings, FEATURES, facts, framing, video, skip_broken, progress)
    planned = (plan for table in tables for plan in _planned(table))
    return intake.record(planned, sum(len(table.rows) for table in tables), Dropped())


def angle_bin(angle_rad: float) -> int:
    """Return the bin of 0 … 17 whose angle, t · 10°, is the nearest to a finite angle, mod π."""
    return math.floor(angle_rad * BINS_N / math.pi + 0.5) % BINS_N


@dataclass(frozen=True)
class _Table:
    """A `dataInfo.txt`.

    Args:
        path: of the file.
        split: folder that it lies in, of `SPLITS`.
        outcome: folder in that one, of `OUTCOMES`.
        names_attempts: whether it has the later release's header.
        rows: number of the line → its fields, but for blank ones.
    """

    path: Path
    split: str
    outcome: str
    names_attempts: bool
    rows: Mapping[int, Sequence[str]]


def _read_tables(source: Path) -> list[_Table]:
    if not source.is_dir():
        raise HandsightError(f"{shown(source)} is not there; give the folder of {', '.join(SPLITS)}")
    splits = [split for split in SPLITS if (source / split).is_dir()]
    if not splits:
        raise HandsightError(
            f"{shown(source)} has none of the folders {', '.join(SPLITS)}; give the folder that they lie in"
        )
    tables = [_read_table(source, split, outcome) for split in splits for outcome in OUTCOMES]
    for split in splits:
        if not any(table.rows for table in tables if table.split == split):
            raise HandsightError(
                f"{shown(source / split)} has no records in its tables {TABLE}; restore or remove it"
            )
    for table in tables:
        if table.names_attempts != tables[0].names_attempts:
            raise HandsightError(
                f"{shown(table.path)} has another header than {shown(tables[0].path)}; "
                "the two releases make two recordings, so lay them into two folders"
            )
    return tables


def _read_table(source: Path, split: str, outcome: str) -> _Table:
    path = source / split / outcome / TABLE
    if not path.is_file():
        raise HandsightError(f"{shown(path)} is missing; expected the names and angles of {outcome} grasps")
    rows: dict[int, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = tuple(field.strip() for field in next(reader, ()))
            for fields in reader:
                if any(field.strip() for field in fields):
                    rows[reader.line_num] = [field.strip() for field in fields]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HandsightError(f"{shown(path)} cannot be read as a table ({error}); restore it") from None
    if not _is_header(header, has_rows=bool(rows)):
        raise HandsightError(
            f"{shown(path)} begins with '{','.join(header)}', which is no known header; expected "
            f"'{','.join(ATTEMPTS_HEADER)}', or a description of name,angle above the first record"
        )
    return _Table(path, split, outcome, header == ATTEMPTS_HEADER, rows)


def _is_header(header: tuple[str, ...], has_rows: bool) -> bool:
    """Whether a first line is the later release's, or one that describes `name,angle` in whatever words."""
    if len(header) == 2:
        return all(header) and _number(header[1]) is None  # else it is the first record
    if len(header) == 1:
        return header != ("",) and has_rows  # words alone could be any file's
    return header == ATTEMPTS_HEADER


def _planned(table: _Table) -> Iterator[Planned]:
    seen: dict[str, int] = {}
    for line, fields in table.rows.items():
        where, name = f"{shown(table.path)}, line {line},", f"{table.split}/{table.outcome}/{fields[0]}"
        if name in seen:
            # A name of its own: what is at fault must be at fault again when the ingestion goes on.
            yield Planned(f"{name}, line {line}", 1, partial(_refuse_again, where, fields[0], seen[name]))
        else:
            seen[name] = line
            yield Planned(name, 1, partial(_clip, where, table, fields))


def _refuse_again(where: str, name: str, line: int) -> Clip:
    raise HandsightError(f"{where} names {name}, as line {line} does; expected each patch once")


def _clip(where: str, table: _Table, fields: Sequence[str]) -> Clip:
    """Return the clip of one line of a table; `where` names the line."""
    expected = ATTEMPTS_HEADER if table.names_attempts else ("name", "angle")
    if len(fields) != len(expected):
        raise HandsightError(f"{where} is '{','.join(fields)}'; expected {','.join(expected)}")
    angle_rad = _angle_rad(where, fields[1])
    facts: dict[str, Any] = {
        "split": SPLITS[table.split],
        "success": OUTCOMES[table.outcome],
        "angle_bin": angle_bin(angle_rad),
    }
    if table.names_attempts:
        row_px, column_px = (_pixels(where, *pair) for pair in zip(expected[3:], fields[3:], strict=True))
        facts |= {"attempt": fields[2], "row_px": row_px, "column_px": column_px}
    picture = table.path.parent / PICTURES / fields[0]
    return Clip(
        places=[shown(picture)],
        read=lambda _: _read(where, picture),
        streams={"action": np.array([[angle_rad]], dtype=np.float32)},
        facts=facts,
        task="grasp what is in the middle",
    )


def _angle_rad(where: str, text: str) -> float:
    angle = _number(text)
    if angle is None or not math.isfinite(angle):
        raise HandsightError(f"{where} has the angle '{text}'; expected a finite number, in rad")
    if abs(angle) > 2 * math.pi:
        raise HandsightError(
            f"{where} has the angle {text}, beyond a full turn (2π rad); "
            f"the {BINS_N} bins share out half a turn in rad, so convert degrees"
        )
    return angle


def _pixels(where: str, name: str, text: str) -> float:
    place = _number(text)
    if place is None or not math.isfinite(place):
        raise HandsightError(f"{where} has the {name} '{text}'; expected a finite number of pixels")
    return place


def _read(where: str, picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except FileNotFoundError:
        raise HandsightError(f"{where} names {shown(picture)}, which is missing") from None
    except OSError as error:
        raise HandsightError(f"{where} names {shown(picture)}: {error.strerror}") from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
