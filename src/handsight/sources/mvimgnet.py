"""MVImgNet → a recording: objects that a camera walks around, with COLMAP's poses (Yu et al., CVPR 2023)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.recordings.layout import shown
from handsight.sources.colmap import read_images_bin
from handsight.sources.files import natural_key
from handsight.sources.framing import Framing
from handsight.sources.intake import Progress
from handsight.sources.objects import OBJECT_FACTS, Objects
from handsight.sources.packed import PackedClip, PackedPictures, plan_posed, read_clips
from handsight.sources.pictures import IMAGE_SUFFIXES, encoded_size
from handsight.sources.poses import (
    ROTATION,
    ROTATION_FEATURE,
    TRANSLATION,
    TRANSLATION_FEATURE,
    Numbers,
    unit_quaternions,
)
from handsight.sources.views import NO_PICTURE, NO_POSE, Clip, Dropped, Intake, Planned, posed_rows

LANDSCAPE = "observation.camera.landscape"

FEATURES = {
    ROTATION: ROTATION_FEATURE,
    TRANSLATION: TRANSLATION_FEATURE,
    LANDSCAPE: Feature("float32", (1,), ("landscape",), moves="nothing", between="first"),
}
PICTURES = "data2.h5"
TABLES = {"train": "dataset_train2.parquet", "test": "dataset_test2.parquet"}
POSE = ("q0", "q1", "q2", "q3", "t0", "t1", "t2")
NAMES = "mvimgnet_category.txt"
"""`label,name` lines, from the data set's own repository."""

RECONSTRUCTION = "sparse/0/images.bin"

_log = logging.getLogger(__name__)


def ingest_mvimgnet(
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
    """Make a recording from MVImgNet: its folders with COLMAP's reconstructions, or its packed form.

    The folders are `class/instance/images` and `class/instance/sparse/0/images.bin`. The packed form, that
    of action-aware SSL's authors, is `data2.h5`, read below category and object by the frame's number, with
    `dataset_train2.parquet` and `dataset_test2.parquet` (`category`, `object`, `frame`, `q0` … `q3`,
    `t0` … `t2`); it is taken where `data2.h5` is there. `mvimgnet_category.txt`, laid beside either, names
    the categories.

    An episode is one instance, its pictures in order. The streams are `observation.images.camera`;
    `observation.camera.rotation` `[4]`, from world to camera, a quaternion wxyz; `….translation` `[3]`, in
    the reconstruction's own unit; and `….landscape` `[1]`, 1 where the pictures are wider than high.
    The paper's action is these three: conj(q₀) ⊗ q₁ (here with w ≥ 0), t₁ − t₀, and the flag.
    Poses are absolute: frames without a picture or a pose are left out and counted, what lies between two
    others stays right across the gap, and the clip stays whole. The facts are `source`, `category`,
    `instance`, `object` (a number made of class and instance) and `split`: the tables', or by `object`. The
    same command again goes on after a kill.

    Args:
        source: folder of the classes, or of the packed form.
        out: folder of the recording.
        size: short side of the recorded pictures in px, aspect ratio kept; `null` leaves them as they are,
            and where all are of one size and nothing is cut off, their encoded bytes are recorded unchanged.
        square: cut out the central square first: the data set has upright and lying pictures.
        video: store mp4, which is smaller, loses detail and needs even sides.
        validation: share of the objects, but for those of a test table, that are for validation.
        test: share of the objects that are for the final figure; the packed form says itself.
        skip_broken: leave out clips that cannot be read, and name them at the end. Default: stop at the first
            one.
        progress: told how many frames are done and how many there are.

    Returns:
        The folder of the recording.

    Raises:
        HandsightError: a file, a key of `data2.h5` or a column of a table is missing; a reconstruction has
            none of its pictures; a picture cannot be read; a quaternion is off unit length by more than 1e-3;
            pictures differ in size; or `out` holds something else.
    """
    source, out = source.expanduser(), out.expanduser()
    objects = Objects("mvimgnet", validation, test, _read_names(source))
    settings: dict[str, Any] = {"format": "mvimgnet", "folder": source.resolve().name, "size": size}
    settings |= {"square": square, "video": video, "validation": validation, "test": test}
    framing, dropped = Framing(size, square, even=video), Dropped()
    intake = Intake(out, settings, FEATURES, OBJECT_FACTS, framing, video, skip_broken, progress)
    if (source / PICTURES).is_file():
        with PackedPictures(source / PICTURES) as pictures:
            clips = read_clips(source, TABLES, ("category", "object"), "frame", numbers=POSE)
            planned = [_packed(clip, pictures, objects, dropped) for clip in clips]
            intake.record(planned, sum(plan.frames_n for plan in planned), dropped)
    else:
        planned = list(_folders(source, out, objects, dropped))
        intake.record(planned, sum(plan.frames_n for plan in planned), dropped)
    _log.info("the paper's action: --stream '[\"%s\"]' --action-limit 50", '", "'.join(FEATURES))
    return out


def _read_names(source: Path) -> dict[str, str]:
    path = source / NAMES
    if not path.is_file():
        return {}
    pairs = [line.partition(",") for line in path.read_text(encoding="utf-8-sig").splitlines()]
    return {label.strip(): name.strip() for label, comma, name in pairs if comma}


def _folders(source: Path, out: Path, objects: Objects, dropped: Dropped) -> Iterator[Planned]:
    if not source.is_dir():
        raise HandsightError(f"{shown(source)} is not there; give the folder of MVImgNet's classes")
    found = False
    for label in _subfolders(source, out):
        instances = [folder for folder in _subfolders(label, out) if _is_instance(folder)]
        if not instances:
            dropped.add("folders without an instance", [label.name])
        for instance in instances:
            found = True
            facts = objects.facts(label.name, instance.name)
            load = partial(_from_folder, instance, facts, dropped)
            yield Planned(f"{label.name}/{instance.name}", len(_picture_files(instance)), load)
    if not found:
        raise HandsightError(
            f"{shown(source)} holds no instance; expected {PICTURES}, "
            f"or folders class/instance/images with class/instance/{RECONSTRUCTION}"
        )


def _subfolders(folder: Path, out: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(
        (path for path in found if path.resolve() != out.resolve()), key=lambda path: natural_key(path.name)
    )


def _is_instance(folder: Path) -> bool:
    return (folder / "images").is_dir() or (folder / "sparse").is_dir()


def _picture_files(instance: Path) -> dict[str, Path]:
    folder = instance / "images"
    if not folder.is_dir():
        return {}
    return {path.name: path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES}


def _from_folder(instance: Path, facts: Mapping[str, Any], dropped: Dropped) -> Clip:
    poses, files = read_images_bin(instance / RECONSTRUCTION), _picture_files(instance)
    where = f"{instance.parent.name}/{instance.name}"
    order = sorted(range(len(poses.names)), key=lambda row: natural_key(poses.names[row]))
    rows = [row for row in order if poses.names[row] in files]
    if not rows:
        raise HandsightError(
            f"{where} has poses of {len(poses.names)} pictures and none of these in its folder images, "
            f"which holds {len(files)} others; restore them"
        )
    names = [poses.names[row] for row in rows]
    dropped.add(NO_PICTURE, (f"{where}/images/{name}" for name in sorted({*poses.names} - {*names})))
    dropped.add(NO_POSE, (f"{where}/images/{name}" for name in sorted({*files} - {*names})))
    return _clip(
        where,
        [f"{where}/images/{name}" for name in names],
        lambda row: files[names[row]].read_bytes(),
        np.concatenate([poses.rotations, poses.translations], axis=1)[rows],
        facts,
        dropped,
    )


def _packed(clip: PackedClip, pictures: PackedPictures, objects: Objects, dropped: Dropped) -> Planned:
    category, instance = clip.keys
    make = partial(_clip, facts=objects.facts(category, instance, clip.table), dropped=dropped)
    return plan_posed(clip, pictures, "frame", "frame", POSE, make)


def _clip(
    where: str,
    places: list[str],
    read: Callable[[int], bytes],
    poses: Numbers,
    facts: Mapping[str, Any],
    dropped: Dropped,
) -> Clip:
    """Return the clip of pictures that have finite poses `[T, 7]`, quaternion wxyz and translation."""
    rows = posed_rows(where, places, poses, dropped)
    kept = [places[row] for row in rows]
    height, width = encoded_size(read(rows[0]), kept[0])
    return Clip(
        places=kept,
        read=lambda index: read(rows[index]),
        streams={
            ROTATION: unit_quaternions(poses[rows, :4], kept),
            TRANSLATION: poses[rows, 4:].astype(np.float32),
            LANDSCAPE: np.full((len(rows), 1), width > height, dtype=np.float32),
        },
        facts=facts,
        task="walk around the object",
    )
