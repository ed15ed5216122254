"""What a recording is, in figures: for `handsight info`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handsight.recordings.features import Feature
from handsight.recordings.recording import Recording
from handsight.recordings.splits import SPLITS
from handsight.recordings.videofile import video_codec


@dataclass(frozen=True)
class CameraSummary:
    """One camera: its size in pixels, and the format its pictures really have on disk (`png`, `av1`.

    `h264`, …).
    """

    name: str
    height: int
    width: int
    codec: str


@dataclass(frozen=True)
class FactSummary:
    """One episode fact: its type (`int64`, `float64`, `bool`, `string`), and how many values it takes."""

    name: str
    dtype: str
    distinct: int


@dataclass(frozen=True)
class Summary:
    """A recording in figures.

    Args:
        root: its folder.
        fps: frames per second.
        num_episodes: E.
        num_frames: N.
        duration_s: of all frames.
        lengths: shortest, median and longest episode, in frames.
        robot_type: LeRobot's name for the robot.
        cameras: those in use.
        streams: the others, with dtype, shape, unit and what is declared of them.
        unsupported: streams that cannot be read here, with the reason.
        facts: about its episodes.
        splits: episodes in each part.
        tasks: episodes of each task.
        world: what it was recorded in, where it says so.
        bytes_on_disk: of `data`, `videos` and `meta`.
    """

    root: Path
    fps: float
    num_episodes: int
    num_frames: int
    duration_s: float
    lengths: tuple[int, float, int]
    robot_type: str | None
    cameras: tuple[CameraSummary, ...]
    streams: Mapping[str, Feature]
    unsupported: Mapping[str, str]
    facts: tuple[FactSummary, ...]
    splits: Mapping[str, int]
    tasks: Mapping[str, int]
    world: Mapping[str, Any] | None
    bytes_on_disk: Mapping[str, int]


def describe(recording: Recording) -> Summary:
    """Return a recording in figures.

    Raises:
        HandsightError: a video cannot be opened, or the fact `split` holds something unknown.
    """
    lengths = np.diff(recording.episode_starts)
    facts, parts = recording.episodes.facts, recording.splits()
    return Summary(
        root=recording.root,
        fps=recording.fps,
        num_episodes=recording.num_episodes,
        num_frames=recording.num_frames,
        duration_s=recording.num_frames / recording.fps,
        lengths=(int(lengths.min()), float(np.median(lengths)), int(lengths.max())),
        robot_type=recording.info.get("robot_type"),
        cameras=tuple(_camera(recording, name) for name in recording.cameras),
        streams={name: f for name, f in recording.features.items() if not f.is_camera},
        unsupported=dict(recording.unsupported),
        facts=tuple(FactSummary(name, facts.kind(name), facts.distinct(name)) for name in facts),
        splits={part: count for part in SPLITS if (count := int((parts == part).sum()))},
        tasks=recording.tasks.counts(),
        world=(recording.info.get("handsight") or {}).get("world"),
        bytes_on_disk={folder: _size(recording.root / folder) for folder in ("data", "videos", "meta")},
    )


def _camera(recording: Recording, name: str) -> CameraSummary:
    height, width, _ = recording.features[name].shape
    if recording.features[name].dtype == "image":
        return CameraSummary(name, height, width, "png")
    place = recording.episodes.video_file(recording.name_on_disk(name), 0)
    return CameraSummary(name, height, width, video_codec(recording.root / place))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
