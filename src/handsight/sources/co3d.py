"""CO3D → a recording: objects that a camera walks around (Reizenstein et al., ICCV 2021)."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.recordings.layout import shown
from handsight.sources.files import natural_key
from handsight.sources.framing import Framing
from handsight.sources.intake import Progress
from handsight.sources.objects import OBJECT_FACTS, Objects
from handsight.sources.packed import PackedClip, PackedPictures, plan_posed, read_clips
from handsight.sources.poses import (
    ROTATION,
    ROTATION_FEATURE,
    TRANSLATION,
    TRANSLATION_FEATURE,
    Numbers,
    rotation_quaternions,
)
from handsight.sources.views import NO_PICTURE, Clip, Dropped, Intake, Planned, posed_rows

FOCAL_LENGTH = "observation.camera.focal_length"

FEATURES = {
    ROTATION: ROTATION_FEATURE,
    TRANSLATION: TRANSLATION_FEATURE,
    FOCAL_LENGTH: Feature("float32", (2,), ("x", "y"), moves="nothing", between="difference"),
}

ANNOTATIONS = "frame_annotations.jgz"
PICTURES = "data.h5"
TABLES = {"train": "dataset.parquet", "test": "dataset_test.parquet"}
POSE = tuple(f"a{number}" for number in range(1, 15))
"""R row by row, T and the focal length."""

_log = logging.getLogger(__name__)


def ingest_co3d(
    source: Path,
    out: Path,
    *,
    size: int | None = 256,
    square: bool = True,
    video: bool = False,
    validation: float = 0.1,
    test: float = 0.1,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a recording from CO3D, version 1 or 2: its folders with their annotations, or its packed form.

    The folders are `category/frame_annotations.jgz` and, where this says so, `category/sequence/images`. The
    other annotations are not needed, nor the set lists, which divide the frames of one sequence. The packed
    form, that of action-aware SSL's authors, is `data.h5`, read below category and object by `index`, with
    `dataset.parquet` and `dataset_test.parquet` (`category`, `object`, `index`, `a1` … `a14`); it is taken
    where `data.h5` is there.

    An episode is one sequence, its frames in order. The streams are `observation.images.camera`;
    `observation.camera.rotation` `[4]`, the annotated R as a quaternion wxyz (PyTorch3D multiplies from the
    right, so it turns from camera to world); `….translation` `[3]`, T; and `….focal_length` `[2]`, in the
    annotation's own format. The paper's action is these three, nine numbers: the quaternion of R₀ᵀ R₁ (here
    wxyz with w ≥ 0, there xyzw), T₁ − T₀ and f₁ − f₀. That `a1` … `a9` are R row by row is known; that
    `a10` … `a14` are T and then the focal length follows from the authors' name for the five and from their
    scales, three numbers of 10⁹ (reconstructions that failed) and two of 10.
    Poses are absolute: frames without a picture or a pose are left out and counted, what lies between two
    others stays right across the gap, and the clip stays whole. The facts are `source`, `category`,
    `instance` (the sequence), `object` (a number made of both) and `split`: the tables', or by `object`. The
    same command again goes on after a kill.

    Args:
        source: folder of the categories, or of the packed form.
        out: folder of the recording.
        size: short side of the recorded pictures in px, aspect ratio kept; `null` leaves them as they are,
            and where all are of one size and nothing is cut off, their encoded bytes are recorded unchanged.
        square: cut out the central square first: sequences differ in shape.
        video: store mp4, which is smaller, loses detail and needs even sides.
        validation: share of the objects, but for those of a test table, that are for validation.
        test: share of the objects that are for the final figure; the packed form says itself.
        skip_broken: leave out clips that cannot be read, and name them at the end. Default: stop at the first
            one.
        progress: told how many frames are done and how many there are.

    Returns:
        The folder of the recording.

    Raises:
        HandsightError: a file, a key of `data.h5` or a column of a table is missing; annotations cannot be
            read or have another form; a picture cannot be read; R is no rotation; pictures differ in size; or
            `out` holds something else.
    """
    source, out = source.expanduser(), out.expanduser()
    objects = Objects("co3d", validation, test)
    settings: dict[str, Any] = {"format": "co3d", "folder": source.resolve().name, "size": size}
    settings |= {"square": square, "video": video, "validation": validation, "test": test}
    framing, dropped = Framing(size, square, even=video), Dropped()
    intake = Intake(out, settings, FEATURES, OBJECT_FACTS, framing, video, skip_broken, progress)
    if (source / PICTURES).is_file():
        with PackedPictures(source / PICTURES) as pictures:
            clips = read_clips(source, TABLES, ("category", "object"), "index", numbers=POSE)
            planned = [_packed(clip, pictures, objects, dropped) for clip in clips]
            intake.record(planned, sum(plan.frames_n for plan in planned), dropped)
    else:
        files = _annotation_files(source, out, dropped)
        frames_n = sum(_unpacked(path).count(b'"frame_number"') for path in files)
        planned_later = (plan for path in files for plan in _sequences(source, path, objects, dropped))
        intake.record(planned_later, frames_n, dropped)
    _log.info("the paper's action: --stream '[\"%s\"]'", '", "'.join(FEATURES))
    return out


def _annotation_files(source: Path, out: Path, dropped: Dropped) -> list[Path]:
    if not source.is_dir():
        raise HandsightError(f"{shown(source)} is not there; give the folder of CO3D's categories")
    if (source / ANNOTATIONS).is_file():
        raise HandsightError(f"{shown(source)} is one category; give the folder above it")
    folders = [path for path in source.iterdir() if path.is_dir() and path.resolve() != out.resolve()]
    folders = [path for path in folders if not path.name.startswith(".")]
    files = [path / ANNOTATIONS for path in sorted(folders, key=lambda path: natural_key(path.name))]
    found = [path for path in files if path.is_file()]
    if not found:
        raise HandsightError(f"{shown(source)} holds neither {PICTURES} nor any category/{ANNOTATIONS}")
    dropped.add("folders without annotations", (path.parent.name for path in files if path not in found))
    return found


def _unpacked(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise HandsightError(f"{shown(path)} cannot be unpacked ({error}); restore it") from None


def _sequences(source: Path, path: Path, objects: Objects, dropped: Dropped) -> Iterator[Planned]:
    """Yield the sequences of one category; its annotations are held meanwhile."""
    category = path.parent.name
    frames: dict[str, list[Mapping[str, Any]]] = {}
    try:
        for frame in json.loads(_unpacked(path)):
            frames.setdefault(str(frame["sequence_name"]), []).append(frame)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise HandsightError(f"{shown(path)} holds no list of CO3D's frame annotations ({reason})") from None
    for name in sorted(frames, key=natural_key):
        if not (path.parent / name).is_dir():
            dropped.add("sequences without a folder", [f"{category}/{name}"])
            continue
        facts = objects.facts(category, name)
        load = partial(_from_annotations, source, f"{category}/{name}", frames[name], facts, dropped)
        yield Planned(f"{category}/{name}", len(frames[name]), load)


def _from_annotations(
    source: Path, where: str, frames: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], dropped: Dropped
) -> Clip:
    rows = [_annotated(frame, f"{where}, annotation {number}") for number, frame in enumerate(frames)]
    rows.sort(key=lambda row: row[0])
    there = [(path, pose) for _, path, pose in rows if (source / path).is_file()]
    dropped.add(NO_PICTURE, (path for _, path, _ in rows if not (source / path).is_file()))
    if not there:
        raise HandsightError(f"{where} has none of its {len(rows)} pictures; restore them")
    places = [path for path, _ in there]
    poses = np.stack([pose for _, pose in there])
    return _clip(where, places, lambda row: (source / places[row]).read_bytes(), poses, facts, dropped)


def _annotated(frame: Mapping[str, Any], where: str) -> tuple[int, str, Numbers]:
    """Return a frame's number, its picture's path and its pose `[14]`, NaN where it has none."""
    try:
        number, path = int(frame["frame_number"]), str(frame["image"]["path"])
        viewpoint = frame.get("viewpoint")
        if viewpoint is None:
            return number, path, np.full(len(POSE), np.nan)
        parts = []
        for name, shape in (("R", (3, 3)), ("T", (3,)), ("focal_length", (2,))):
            part = np.array(viewpoint[name], dtype=np.float64)
            if part.shape != shape:
                raise ValueError(f"{name} has shape {part.shape}, expected {shape}")
            parts.append(part.reshape(-1))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise HandsightError(f"{where} is no frame annotation of CO3D: {what}") from None
    return number, path, np.concatenate(parts)


def _packed(clip: PackedClip, pictures: PackedPictures, objects: Objects, dropped: Dropped) -> Planned:
    category, instance = clip.keys
    make = partial(_clip, facts=objects.facts(category, instance, clip.table), dropped=dropped)
    return plan_posed(clip, pictures, "index", "picture", POSE, make)


def _clip(
    where: str,
    places: list[str],
    read: Callable[[int], bytes],
    poses: Numbers,
    facts: Mapping[str, Any],
    dropped: Dropped,
) -> Clip:
    """Return the clip of pictures that have finite poses `[T, 14]`: R row by row, T and focal length."""
    rows = posed_rows(where, places, poses, dropped)
    kept = [places[row] for row in rows]
    return Clip(
        places=kept,
        read=lambda index: read(rows[index]),
        streams={
            ROTATION: rotation_quaternions(poses[rows, :9].reshape(-1, 3, 3), kept),
            TRANSLATION: poses[rows, 9:12].astype(np.float32),
            FOCAL_LENGTH: poses[rows, 12:].astype(np.float32),
        },
        facts=facts,
        task="walk around the object",
    )
