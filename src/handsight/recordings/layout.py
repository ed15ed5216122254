"""Where things lie in a recording: LeRobotDataset v3.0's paths and keys, and our own beside them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from handsight.errors import HandsightError
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature

VERSION = "v3.0"
INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
JOURNAL = "journal"
LOCK = ".writer.lock"
PARTIAL = ".partial"
"""Ending of a file that is being written; nobody reads such a file."""

OWN_COLUMNS = ("episode_index", "tasks", "length", "dataset_from_index", "dataset_to_index")
OWN_PREFIXES = ("data/", "videos/", "meta/", "stats/")
MEGABYTE = 1024 * 1024

_CODEC_NAMES = {"libsvtav1": "av1", "libx264": "h264", "libx265": "hevc"}


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as its owner would type it: the home folder as `~`."""
    text = os.fspath(path)
    home = os.path.expanduser("~")
    return "~" + text[len(home) :] if home != "/" and text.startswith(home + os.sep) else text


def is_fact(column: str) -> bool:
    """Whether a column of meta/episodes is an episode fact, not LeRobot's own bookkeeping."""
    return column not in OWN_COLUMNS and not column.startswith(OWN_PREFIXES)


def frame_rate(fps: float) -> Fraction:
    """Return frames per second as the fraction a video container wants (29.97 becomes 2997/100)."""
    return Fraction(fps).limit_denominator(10_000)


def codec_name(encoder: str) -> str:
    """Return the format that an FFmpeg encoder writes, as `info.json` names it: `libsvtav1` writes `av1`."""
    return _CODEC_NAMES.get(encoder, encoder)


def next_file(chunk: int, file: int, chunks_size: int) -> tuple[int, int]:
    """Return the chunk and file number that follow."""
    return (chunk, file + 1) if file + 1 < chunks_size else (chunk + 1, 0)


def new_info(
    features: Mapping[str, Feature],
    fps: float,
    *,
    facts: Mapping[str, str],
    robot_type: str | None,
    world: Mapping[str, Any] | None,
    codec: str,
    data_files_size_in_mb: float,
    video_files_size_in_mb: float,
) -> dict[str, Any]:
    """Return the `info.json` of a recording without episodes."""
    described: dict[str, Any] = {
        name: _feature_info(feature, fps, codec) for name, feature in features.items()
    }
    described |= {name: _feature_info(feature, fps, codec) for name, feature in BOOKKEEPING_FEATURES.items()}
    streams = {
        name: {"moves": feature.moves, "between": feature.between, "unit": feature.unit}
        for name, feature in features.items()
    }
    return {
        "codebase_version": VERSION,
        "robot_type": robot_type,
        "total_episodes": 0,
        "total_frames": 0,
        "total_tasks": 0,
        "chunks_size": 1000,
        "data_files_size_in_mb": data_files_size_in_mb,
        "video_files_size_in_mb": video_files_size_in_mb,
        "fps": int(fps) if float(fps).is_integer() else float(fps),
        "splits": {"train": "0:0"},
        "data_path": DATA,
        "video_path": VIDEO if any(feature.dtype == "video" for feature in features.values()) else None,
        "features": described,
        "handsight": {"streams": streams, "facts": dict(facts), "world": world},
    }


def _feature_info(feature: Feature, fps: float, codec: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "dtype": feature.dtype,
        "shape": list(feature.shape),
        "names": None if feature.names is None else list(feature.names),
    }
    if feature.dtype == "video":
        entry["info"] = {
            "video.height": feature.shape[0],
            "video.width": feature.shape[1],
            "video.codec": codec_name(codec),
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": int(fps) if float(fps).is_integer() else float(fps),
            "video.channels": 3,
            "has_audio": False,
        }
    return entry


def read_info(root: Path) -> dict[str, Any]:
    """Read and check `meta/info.json`.

    Raises:
        HandsightError: the file is missing, is not JSON, is of another version or lacks keys that reading
            needs.
    """
    path = root / INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HandsightError(
            f"{shown(root)} is not a recording: it has no {INFO}; expected a LeRobotDataset v3.0 folder"
        ) from None
    except (OSError, ValueError) as error:
        raise HandsightError(
            f"{shown(path)} cannot be read ({_first_line(error)}); restore it from a copy of the recording"
        ) from None
    if not isinstance(info, dict):
        raise HandsightError(f"{shown(path)} is not a JSON object; restore it from a copy of the recording")
    _check_version(root, info)
    wrong = _wrong_keys(info)
    if wrong:
        raise HandsightError(f"{shown(path)}: {wrong}; restore it from a copy of the recording")
    return info


def _check_version(root: Path, info: Mapping[str, Any]) -> None:
    version = info.get("codebase_version")
    if version == VERSION:
        return
    if version == "v2.1":
        raise HandsightError(
            f"{shown(root)} is a LeRobotDataset v2.1; expected v3.0. "
            f"Convert it without re-encoding: handsight ingest lerobot-v21 {shown(root)} NEW_FOLDER"
        )
    raise HandsightError(
        f"{shown(root)} is a LeRobotDataset of version {version!r}; expected v3.0 (v2.1 can be converted)"
    )


def _wrong_keys(info: Mapping[str, Any]) -> str | None:
    for key, kinds in (
        ("total_episodes", int),
        ("total_frames", int),
        ("features", dict),
        ("fps", (int, float)),
    ):
        value = info.get(key)
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"{key!r} is {value!r}" if key in info else f"it lacks {key!r}"
    if info["total_episodes"] < 0 or info["total_frames"] < 0:
        return "it counts fewer than zero episodes or frames"
    if not (math.isfinite(info["fps"]) and info["fps"] > 0):
        return f"'fps' is {info['fps']!r}; it must be above zero"
    for key in ("data_path", "video_path"):
        if not isinstance(info.get(key, ""), (str, type(None))):
            return f"{key!r} is {info[key]!r}"
    if not isinstance(info.get("handsight") or {}, dict):
        return "'handsight' is not an object"
    return None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
