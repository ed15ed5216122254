"""RT4K → a recording: toys turned on a turntable before a background (Aubret et al., ECCV 2024)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.recordings.layout import shown
from handsight.sources.framing import Framing
from handsight.sources.intake import Progress
from handsight.sources.objects import OBJECT_FACTS, Objects
from handsight.sources.packed import PackedClip, PackedPictures, read_clips
from handsight.sources.views import Clip, Dropped, Intake, Planned

VIEWS_N = 180
"""Pictures of a full turn, 2° apart."""

PICTURES = "data.h5"
TABLES = {"train": "dataset.parquet", "test": "dataset_test.parquet"}
"""Key in the file of pictures → its table."""

FEATURES = {"action": Feature("float32", (1,), ("turntable",), moves="angle", between="angle", unit="rad")}
FACTS = OBJECT_FACTS | {"background": "string"}


def ingest_rt4k(
    source: Path,
    out: Path,
    *,
    size: int | None = None,
    square: bool = False,
    video: bool = False,
    validation: float = 0.1,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a recording from RT4K: `data.h5`, `dataset.parquet` and `dataset_test.parquet`.

    An episode is one clip: an object before a background, its views in order. The streams are
    `observation.images.camera` and `action` `[1]`, the turntable's angle in rad, 2° times the view's number
    (the authors' side, face and three-quarter views are 180, 135 and 157). The angle is absolute: where
    views are missing the others keep theirs, what lies between two frames stays right across the gap, and
    the clip stays whole. The facts are `source`, `category`, `instance` (the object's name), `object` (a
    number made of category and name), `background` and `split`: objects of `dataset_test.parquet` are test
    objects, and some of the others, chosen by `object`, validation objects. The same command again goes on
    after a kill.

    Args:
        source: folder of the three files; one of the two tables may be missing.
        out: folder of the recording.
        size: short side of the recorded pictures in px, aspect ratio kept. Default: as they are, and then
            their encoded bytes are recorded unchanged.
        square: cut out the central square first.
        video: store mp4, which is smaller, loses detail and needs even sides.
        validation: share of the training table's objects that are for validation.
        skip_broken: leave out clips that cannot be read, and name them at the end. Default: stop at the first
            one.
        progress: told how many frames are done and how many there are.

    Returns:
        The folder of the recording.

    Raises:
        HandsightError: a file, a key of `data.h5` or a column of a table is missing; an entry is no picture;
            a view is no number from 0 to 180, or there twice in a clip; or `out` holds something else.
    """
    objects = Objects("rt4k", validation)
    source, out = source.expanduser(), out.expanduser()
    settings: dict[str, Any] = {"format": "rt4k", "folder": source.resolve().name, "size": size}
    settings |= {"square": square, "video": video, "validation": validation}
    framing = Framing(size, square, even=video)
    intake = Intake(out, settings, FEATURES, FACTS, framing, video, skip_broken, progress)
    with PackedPictures(source / PICTURES) as pictures:
        clips = read_clips(source, TABLES, ("5", "2", "3"), "h5_index", names=("0",))
        planned = [_planned(clip, pictures, objects) for clip in clips]
        return intake.record(planned, sum(plan.frames_n for plan in planned), Dropped())


def _planned(clip: PackedClip, pictures: PackedPictures, objects: Objects) -> Planned:
    category, instance, background = clip.keys
    facts = objects.facts(category, instance, clip.table) | {"background": background}

    def load() -> Clip:
        names = clip.names["0"]
        views = np.array([_view(name) for name in names])
        order = np.argsort(views, kind="stable")
        same = np.flatnonzero(np.diff(views[order]) == 0)
        if len(same):
            one, other = names[order[same[0] : same[0] + 2]]
            raise HandsightError(f"{one} and {other} are the same view of one clip; expected each view once")
        rows = clip.numbers["h5_index"][order]
        return Clip(
            places=[f"{name} in {shown(pictures.path)}" for name in names[order]],
            read=lambda index: pictures.read((clip.table,), int(rows[index])),
            streams={"action": (views[order, None] * (2 * np.pi / VIEWS_N)).astype(np.float32)},
            facts=facts,
            task="turn the object",
        )

    return Planned("/".join((clip.table, *clip.keys)), len(clip.names["0"]), load)


def _view(name: str) -> int:
    """Return a view's number, the third token from the end of its file's name."""
    tokens = str(name).split("_")
    token = tokens[-3] if len(tokens) >= 3 else ""
    if not (token.isascii() and token.isdigit() and int(token) <= VIEWS_N):
        raise HandsightError(
            f"file name '{name}' has no view: its third part from the end is '{token}'; "
            f"expected a number from 0 to {VIEWS_N}, as in apple_000_17_0_0.png"
        )
    return int(token)
