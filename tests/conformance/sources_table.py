"""The sources that the conformance suite goes over: a new one adds its line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from conformance_guide import example
from curious_material import GRASPS, UW_RGBD, make_attempts, make_grasps, make_uw_rgbd
from objects_material import (
    CO3D,
    MVIMGNET,
    make_co3d,
    make_co3d_packed,
    make_mvimgnet,
    make_mvimgnet_packed,
    make_rt4k,
)
from PIL import Image
from sources_material import grey_ramp, make_video

from handsight.sources import (
    ingest_co3d,
    ingest_grasps,
    ingest_images,
    ingest_mvimgnet,
    ingest_rt4k,
    ingest_uw_rgbd,
    ingest_video,
)
from handsight.sources.co3d import FEATURES as CO3D_STREAMS
from handsight.sources.mvimgnet import FEATURES as MVIMGNET_STREAMS


@dataclass(frozen=True)
class Source:
    """A source, and a small input for it.

    Args:
        ingest: the function.
        make: writes the input, in the layout of the real thing, into a folder that is not there yet.
        episodes: fact `source` → frames, in the order of the recording.
        fps: of the recording.
        options: of the ingestion, so that it is quick.
        streams: what a recording of it has beside the camera.
    """

    ingest: Callable[..., Path]
    make: Callable[[Path], Any]
    episodes: Mapping[str, int]
    fps: float
    options: Mapping[str, Any] = field(default_factory=dict)
    streams: tuple[str, ...] = ()


VIDEOS = {"bowl/a.mp4": 4, "cup/b.mkv": 3}
IMAGES = {"bowl/clip1": 3, "cup/clip9": 2, "cup/clip10": 4}
ARCHIVES = {"1.npz": 3, "more/2.npz": 5, "more/10.npz": 2}


def make_videos(folder: Path) -> None:
    """Write two files of two categories, 10 frames per second."""
    for name, length in VIDEOS.items():
        make_video(folder / name, grey_ramp(length))


def make_images(folder: Path) -> None:
    """Write folders of numbered pictures."""
    for name, length in IMAGES.items():
        (folder / name).mkdir(parents=True)
        for number, pixels in enumerate(grey_ramp(length)):
            Image.fromarray(pixels).save(folder / name / f"frame{number}.png")


def make_archives(folder: Path) -> None:
    """Write the archives of docs/guides/extending.md."""
    generator = np.random.default_rng(0)
    for name, length in ARCHIVES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(folder / name, frames=grey_ramp(length), action=generator.normal(size=(length, 2)))


RT4K_CLIPS = (
    *("train/apple/apple_000/3", "train/apple/apple_001/5", "train/kanne/känne_007/5"),
    *("test/apple/apple_002/3", "test/kanne/känne_010/3"),
)

ATTEMPTS = tuple(
    f"{split}/{outcome}/{outcome.upper()}{letter}.jpg"
    for split in ("Train", "Validation")
    for outcome in ("positive", "negative")
    for letter in "QWE"
)

SOURCES: dict[str, Source] = {
    "video": Source(ingest_video, make_videos, VIDEOS, 10, {"video": False}),
    "video, cut into clips of mp4": Source(
        ingest_video, make_videos, {"bowl/a.mp4": 4, "cup/b.mkv": 2}, 10, {"clip_s": 0.2}
    ),
    "images": Source(ingest_images, make_images, IMAGES, 5, {"fps": 5.0}),
    "rt4k": Source(ingest_rt4k, make_rt4k, dict.fromkeys(RT4K_CLIPS, 6), 10, streams=("action",)),
    "mvimgnet": Source(
        ingest_mvimgnet,
        make_mvimgnet,
        {"/".join(names): 12 for names in MVIMGNET},
        10,
        {"size": 16},
        tuple(MVIMGNET_STREAMS),
    ),
    "mvimgnet, packed": Source(
        ingest_mvimgnet,
        make_mvimgnet_packed,
        {("test/" if names == MVIMGNET[-1] else "train/") + "/".join(names): 5 for names in MVIMGNET},
        10,
        {"size": 16},
        tuple(MVIMGNET_STREAMS),
    ),
    "co3d": Source(
        ingest_co3d, make_co3d, {"/".join(names): 6 for names in CO3D}, 10, {"size": 16}, tuple(CO3D_STREAMS)
    ),
    "co3d, packed": Source(
        ingest_co3d,
        make_co3d_packed,
        {("test/" if names == CO3D[-1] else "train/") + "/".join(names): 6 for names in CO3D},
        10,
        {"size": 16},
        tuple(CO3D_STREAMS),
    ),
    "grasps": Source(
        ingest_grasps,
        make_grasps,
        {f"{where}/{name}": 1 for where, patches in GRASPS.items() for name, _ in patches},
        10,
        streams=("action",),
    ),
    "grasps, of the later release": Source(
        ingest_grasps, make_attempts, dict.fromkeys(ATTEMPTS, 1), 10, {"size": 16}, ("action",)
    ),
    "uw-rgbd": Source(
        ingest_uw_rgbd,
        make_uw_rgbd,
        {video: len(frames) for video, frames in UW_RGBD.items()},
        10,
        {"size": 16},
    ),
    "the guide's archives": Source(
        example("npz_source").ingest_npz, make_archives, ARCHIVES, 10, streams=("action",)
    ),
}
"""Each source with a small input."""
