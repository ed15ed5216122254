"""UW RGB-D objects, cropped → a recording: objects that turn on a turntable (Lai et al., ICRA 2011)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.layout import shown
from handsight.sources.files import natural_key
from handsight.sources.framing import Framing, Picture, resize
from handsight.sources.intake import Progress
from handsight.sources.objects import OBJECT_FACTS, Objects
from handsight.sources.views import Clip, Dropped, Intake, Planned

ELEVATIONS_DEG = {1: 30, 2: 45, 4: 60}
"""Number of a video → how far above the object its camera stood."""

FACTS = OBJECT_FACTS | {"video": "int64", "elevation_deg": "int64"}

ENDING = "_crop.png"
"""Of the pictures; depth, masks and places lie beside them and end otherwise."""

EXAMPLE = "apple/apple_1/apple_1_1_1_crop.png"


def ingest_uw_rgbd(
    source: Path,
    out: Path,
    *,
    size: int | None = 128,
    square: bool = True,
    stretch: bool = False,
    video: bool = False,
    validation: float = 0.1,
    test: float = 0.1,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a recording from the UW RGB-D Object Dataset's cropped pictures, all or those for evaluation.

    The pictures are `CATEGORY/CATEGORY_N/CATEGORY_N_VIDEO_FRAME_crop.png`, below the folder `rgbd-dataset`.
    Depth (`_depthcrop.png`), masks (`_maskcrop.png`) and the crops' places (`_loc.txt`) are left out.

    An episode is one video of one instance, its frames in the order of their numbers (those for evaluation
    are every fifth). The one stream is `observation.images.camera`: by which angle the turntable turned from
    frame to frame, the files do not say. The facts are `source`, `category`, `instance` (as in `apple_1`),
    `object` (a number made of both), `split` by `object`, `video`, and `elevation_deg` of its camera: videos
    1, 2 and 4 were taken from 30°, 45° and 60°. The data set's own test leaves one instance of each category
    out at a time: `category` and `instance` say which these are. The same command again goes on after a kill.

    Args:
        source: folder of the categories.
        out: folder of the recording.
        size: short side of the recorded pictures in px, aspect ratio kept; `null` leaves them as they are,
            and each crop has a size of its own.
        square: cut out the central square first, for crops differ in shape; what is long loses its ends.
        stretch: take all of each crop and stretch it to a square of `size` px instead.
        video: store mp4, which is smaller, loses detail and needs even sides.
        validation: share of the objects that are for validation.
        test: share of the objects that are for the final figure.
        skip_broken: leave out videos that cannot be read, and name them at the end. Default: stop at the
            first one.
        progress: told how many frames are done and how many there are.

    Returns:
        The folder of the recording.

    Raises:
        HandsightError: there is no such picture, or one cannot be read; a video has another number; pictures
            differ in size; `stretch` came without `size`; or `out` holds something else.
    """
    source, out = source.expanduser(), out.expanduser()
    objects = Objects("uw-rgbd", validation, test)
    settings: dict[str, Any] = {"format": "uw-rgbd", "folder": source.resolve().name, "size": size}
    settings |= {"square": square, "stretch": stretch, "video": video, "validation": validation, "test": test}
    if stretch and size is None:
        raise HandsightError("stretch came without a size; give --size, the side of the square in px")
    framing = (_Stretching if stretch else Framing)(size, square, even=video)
    dropped = Dropped()
    planned = list(_videos(source, out, objects, dropped))
    intake = Intake(out, settings, {}, FACTS, framing, video, skip_broken, progress)
    return intake.record(planned, sum(plan.frames_n for plan in planned), dropped)


class _Stretching(Framing):
    """All of each picture becomes a square of `size` px."""

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return the square's sides, whatever came."""
        assert self.size is not None
        return self.size, self.size

    def apply(self, picture: Picture) -> Picture:
        """Stretch a picture."""
        return np.ascontiguousarray(resize(picture, *self.shape(*picture.shape[:2])))


def _videos(source: Path, out: Path, objects: Objects, dropped: Dropped) -> Iterator[Planned]:
    if not source.is_dir():
        raise HandsightError(f"{shown(source)} is not there; give the folder of the categories, rgbd-dataset")
    found = False
    for category in _subfolders(source, out):
        for instance in _subfolders(category, out):
            where = f"{category.name}/{instance.name}"
            videos = _frames(category.name, instance, dropped)
            if not videos:
                dropped.add("folders without crops of their own", [where])
            facts = objects.facts(category.name, instance.name)
            for number, frames in sorted(videos.items()):
                found = True
                load = partial(_clip, where, number, frames, facts)
                yield Planned(f"{where}/{number}", len(frames), load)
    if not found:
        raise HandsightError(
            f"{shown(source)} holds no crop; expected pictures such as {EXAMPLE}, "
            "so give the folder of the categories"
        )


def _subfolders(folder: Path, out: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(
        (path for path in found if path.resolve() != out.resolve()), key=lambda path: natural_key(path.name)
    )


def _frames(category: str, instance: Path, dropped: Dropped) -> dict[int, dict[int, Path]]:
    """Return the pictures of an instance by the numbers of their videos and frames."""
    videos: dict[int, dict[int, Path]] = {}
    if not re.fullmatch(re.escape(category) + r"_\d+", instance.name, re.ASCII):
        return videos
    # Numbers have no zeros in front, so that no two names are one frame.
    known = re.compile(re.escape(instance.name) + r"_([1-9]\d*)_([1-9]\d*)" + re.escape(ENDING), re.ASCII)
    for path in instance.iterdir():
        if path.name.endswith(ENDING) and not path.name.startswith("."):
            name = known.fullmatch(path.name)
            if name:
                videos.setdefault(int(name[1]), {})[int(name[2])] = path
            else:
                dropped.add("crops with another name", [f"{category}/{instance.name}/{path.name}"])
    return videos


def _clip(where: str, number: int, frames: Mapping[int, Path], facts: Mapping[str, Any]) -> Clip:
    if number not in ELEVATIONS_DEG:
        expected = ", ".join(f"{video} ({degrees}°)" for video, degrees in ELEVATIONS_DEG.items())
        raise HandsightError(f"{where} has crops of a video {number}; expected {expected}")
    paths = [frames[frame] for frame in sorted(frames)]
    return Clip(
        places=[f"{where}/{path.name}" for path in paths],
        read=lambda index: _read(paths[index]),
        streams={},
        facts={**facts, "video": number, "elevation_deg": ELEVATIONS_DEG[number]},
        task="turn the object",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HandsightError(f"{shown(path)} cannot be read ({error.strerror})") from None
