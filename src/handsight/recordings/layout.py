"""Where things lie in a recording: LeRobotDataset v3.0's paths and keys, and our own beside them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Any

from handsight.errors import HandsightError, first_line
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature

VERSION = "v3.0"
INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FOLDERS = ("data", "videos", "meta")
JOURNAL = "journal"
LOCK = ".writer.lock"
BACKUPS = "repair-backup-"
"""Beginning of the folders in which a repair keeps what it replaced."""
PLAN = "plan.json"
PARTIAL = ".partial"
"""Ending of a file that is being written; nobody reads such a file."""

OWN_COLUMNS = ("episode_index", "tasks", "length", "dataset_from_index", "dataset_to_index")
OWN_PREFIXES = ("data/", "videos/", "meta/", "stats/")
MEGABYTE = 1024 * 1024
CHUNKS_SIZE = 1000
DATA_FILES_SIZE_IN_MB = 100
VIDEO_FILES_SIZE_IN_MB = 200
"""LeRobot's own, for a recording that does not say."""
SLOWEST, FASTEST = 1e-4, 1e6
"""Frames per second: one in three hours, and more than any camera gives."""

_CODEC_NAMES = {"libsvtav1": "av1", "libx264": "h264", "libx265": "hevc"}


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as its owner would type it, in one line: the home folder as `~`."""
    text = os.fspath(path)
    home = os.path.expanduser("~")
    if home != "/" and text.startswith(home + os.sep):
        text = "~" + text[len(home) :]
    return text if text.isprintable() else repr(text)[1:-1]


def repair_command(root: str | os.PathLike[str]) -> str:
    """Return what its owner types to have a recording mended."""
    return f"handsight check {shown(root)} --repair"


def how_to_mend(root: str | os.PathLike[str]) -> str:
    """Return the advice for a damaged file of a recording."""
    return f"restore it from a copy of the recording, or mend it: {repair_command(root)}"


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
        "chunks_size": CHUNKS_SIZE,
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
        HandsightError: the file is missing, is not JSON, is of another version, lacks keys that reading
            needs, or names files outside the recording.
    """
    path = root / INFO
    mend = how_to_mend(root)
    if not path.exists():
        if any(root.glob(f"{BACKUPS}*/{PLAN}")):
            raise HandsightError(f"{shown(root)} is under repair; to finish it: {repair_command(root)}")
        raise HandsightError(
            f"{shown(root)} is not a recording: it has no {INFO}; expected a LeRobotDataset v3.0 folder"
        )
    try:
        info = read_json(path)
    except (OSError, ValueError) as error:
        raise HandsightError(f"{shown(path)} cannot be read ({first_line(error)}); {mend}") from None
    if not isinstance(info, dict):
        raise HandsightError(f"{shown(path)} is not a JSON object; {mend}")
    _check_version(root, info)
    wrong = wrong_keys(info)
    if wrong:
        raise HandsightError(f"{shown(path)}: {next(iter(wrong.values()))}; {mend}")
    return info


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, is nested without end, or holds text that is not Unicode.
    """
    if not path.is_file():
        raise OSError("it is no file")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(value, ensure_ascii=False).encode(
            "utf-8"
        )  # half a surrogate can be neither shown nor written
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


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
        f"{shown(root)} is a LeRobotDataset of version {_short(version)}; expected v3.0 (v2.1 can be "
        "converted)"
    )


def wrong_keys(info: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the keys of `info.json` that reading or going on needs: key → in words."""
    wrong = {}
    for key, kinds, lowest in _NUMBERS:
        value = info.get(key)
        if value is None and key in _OPTIONAL:
            continue
        if not isinstance(value, kinds) or isinstance(value, bool):
            wrong[key] = f"{key!r} is {_short(value)}" if key in info else f"it lacks {key!r}"
        elif why := wrong_fps(info[key]) if key == "fps" else _out_of_range(info[key], lowest):
            wrong[key] = f"{key!r} is {_short(value)}; {why}"
    if not isinstance(info.get("features"), dict):
        wrong["features"] = "'features' is not an object" if "features" in info else "it lacks 'features'"
    for key, fields in (("data_path", ()), ("video_path", ("video_key",))):
        if info.get(key) is not None and (why := _wrong_pattern(info[key], fields)):
            wrong[key] = f"{key!r} is {_short(info[key])}: {why}"
    if not isinstance(info.get("handsight") or {}, dict):
        wrong["handsight"] = "'handsight' is not an object"
    return wrong


_NUMBERS: tuple[tuple[str, tuple[type, ...], int], ...] = (
    ("total_episodes", (int,), 0),
    ("total_frames", (int,), 0),
    ("total_tasks", (int,), 0),
    ("fps", (int, float), 0),
    ("chunks_size", (int,), 1),
    ("data_files_size_in_mb", (int, float), 0),
    ("video_files_size_in_mb", (int, float), 0),
)
_OPTIONAL = ("total_tasks", "chunks_size", "data_files_size_in_mb", "video_files_size_in_mb")


def _out_of_range(value: float, lowest: int) -> str | None:
    return None if lowest <= value <= 2**62 else f"it must be at least {lowest} and no more than 2⁶²"


def wrong_fps(fps: float) -> str | None:
    """Return what a number of frames per second must be, where it is something else."""
    if not fps > 0:
        return "it must be above zero"
    return None if SLOWEST <= fps <= FASTEST else f"it must be from {SLOWEST:g} to {FASTEST:g}"


def _wrong_pattern(pattern: Any, fields: tuple[str, ...]) -> str | None:
    """Return why a pattern of file names cannot be used: it could name anything, or a file somewhere else."""
    if not isinstance(pattern, str):
        return "it is no text"
    values: dict[str, Any] = {"chunk_index": 0, "file_index": 0, **dict.fromkeys(fields, "key")}
    try:
        for _, field, width, conversion in Formatter().parse(pattern):
            if field is None:
                continue
            number = field in ("chunk_index", "file_index")
            if (
                field not in values
                or conversion
                or not (_WIDTH.fullmatch(width or "") if number else not width)
            ):
                return f"it can hold {{{'}, {'.join(values)}}} alone"
        place = pattern.format(**values)
    except (ValueError, LookupError) as error:
        return first_line(error)
    return None if is_inside(place) else "it is no path below the recording"


_WIDTH = re.compile(r"(0?\d{1,2})?d?")


def is_inside(place: str) -> bool:
    """Whether a relative path, as a file of a recording names another, stays below the recording."""
    path = PurePosixPath(place)
    return (
        place.isprintable()
        and len(place) < 1000
        and "\\" not in place
        and not path.is_absolute()
        and bool(path.parts)
        and ".." not in path.parts
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
