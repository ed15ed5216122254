"""`info.json` as the files bear it out."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np

from handsight.errors import HandsightError, first_line
from handsight.recordings.features import Between, Moves
from handsight.recordings.layout import (
    CHUNKS_SIZE,
    DATA,
    DATA_FILES_SIZE_IN_MB,
    INFO,
    JOURNAL,
    VERSION,
    VIDEO,
    VIDEO_FILES_SIZE_IN_MB,
    read_json,
    shown,
    wrong_fps,
    wrong_keys,
)
from handsight.recordings.packets import Packets
from handsight.recordings.repair.files import Files, look, numbered
from handsight.recordings.repair.plan import Repair
from handsight.recordings.repair.streams import mend_streams
from handsight.recordings.repair.table import Rows
from handsight.recordings.tables import DAMAGED

_DEFAULTS: dict[str, Any] = {
    "chunks_size": CHUNKS_SIZE,
    "data_files_size_in_mb": DATA_FILES_SIZE_IN_MB,
    "video_files_size_in_mb": VIDEO_FILES_SIZE_IN_MB,
    "data_path": DATA,
    "video_path": VIDEO,
}


def mended_info(root: Path, rows: Rows, repairs: list[Repair]) -> tuple[dict[str, Any], Files]:
    """Return `info.json` with everything that reading needs, and the files that it leads to.

    The counts of episodes, frames and tasks are left for later.

    Raises:
        HandsightError: it is of another version, or what is lost cannot be known from the files.
    """

    def say(what: str) -> None:
        repairs.append(Repair(INFO, what))

    info, anew = _read(root, say)
    _mend_version(root, info, say)
    wrong = wrong_keys(info)
    for key in wrong.keys() & _DEFAULTS.keys():
        say(f"{wrong[key]}: now {_DEFAULTS[key]}")
        info[key] = _DEFAULTS[key]
    for key, usual in (("data_path", DATA), ("video_path", VIDEO)):
        said = info.get(key) or usual
        wanted = _leads_nowhere(root, said) or bool(info.get("handsight"))  # a writer of ours knows no other
        if wanted and said != usual and not _leads_nowhere(root, usual):
            say(f"{key!r} was {said}, where not everything is: now {usual}")
            info[key] = usual
    files = look(root, info.get("data_path") or DATA, info.get("video_path") or VIDEO)
    mend_streams(root, info, files, rows, anew, say)
    _mend_fps(root, info, wrong.get("fps"), files, say)
    if "handsight" in wrong or ((root / JOURNAL).is_dir() and not info.get("handsight")):
        say("'handsight' was not an object: what it said of streams and facts is lost")
        info["handsight"] = {"streams": {}, "facts": {}, "world": None}
    _mend_declarations(info, say)
    return info, files


def _read(root: Path, say: Callable[[str], None]) -> tuple[dict[str, Any], bool]:
    """Return what `info.json` holds, or the beginning of a new one; and whether it is new."""
    try:
        info = read_json(root / INFO)
    except (OSError, ValueError) as error:
        info, reason = None, first_line(error) if (root / INFO).exists() else "it was missing"
    else:
        reason = "it is no JSON object"
    if isinstance(info, dict):
        return info, False
    say(
        f"could not be read ({reason}) and is made anew from the files: units, names of entries and what it"
        " said of the robot and the world are lost"
    )
    ours: dict[str, Any] = (
        {"handsight": {"streams": {}, "facts": {}, "world": None}} if (root / JOURNAL).is_dir() else {}
    )
    return {"codebase_version": VERSION, "robot_type": None, "features": {}, **_DEFAULTS, **ours}, True


def _mend_version(root: Path, info: dict[str, Any], say: Callable[[str], None]) -> None:
    version = info.get("codebase_version")
    if version == VERSION:
        return
    if isinstance(version, str) and re.fullmatch(r"v\d+\.\d+", version):
        raise HandsightError(
            f"{shown(root)} is a LeRobotDataset of version {version!r}; only {VERSION} can be repaired"
        )
    say(f"'codebase_version' was {version!r}: now {VERSION}, as the files are")
    info["codebase_version"] = VERSION


def _leads_nowhere(root: Path, pattern: str) -> bool:
    camera = "{video_key}" in pattern
    cameras = (
        [path.name for path in (root / "videos").iterdir()] if camera and (root / "videos").is_dir() else [""]
    )
    return not any(True for key in cameras for _ in numbered(root, pattern, key))


def _mend_declarations(info: dict[str, Any], say: Callable[[str], None]) -> None:
    """Mend our own part: what is declared of streams; the facts' types are left for later."""
    ours = info.get("handsight")
    if not isinstance(ours, dict):
        return
    for key in ("streams", "facts"):
        if not isinstance(ours.get(key), dict):
            say(f"'handsight' said nothing of {key}: now that there are none")
            ours[key] = {}
    for name, declared in list(ours["streams"].items()):
        for key, allowed in (("moves", get_args(Moves)), ("between", get_args(Between))):
            if isinstance(declared, dict) and declared.get(key) is not None and declared[key] not in allowed:
                say(f"stream {name!r} {key} was {declared[key]!r}, which there is not: no longer declared")
                declared[key] = None


def _mend_fps(
    root: Path, info: dict[str, Any], wrong: str | None, files: Files, say: Callable[[str], None]
) -> None:
    """Correct frames per second that cannot be, and those that neither times nor videos bear out.

    Raises:
        HandsightError: nothing says how many there are.
    """
    rates = [rate for camera in files.videos.values() for one in camera.values() for rate in _rates(one)]
    by_times = _fps_of_times(files)
    if wrong is None:
        said = float(info["fps"])
        if by_times is None or abs(by_times / said - 1) < 0.01:
            return
        if any(abs(rate / by_times - 1) > 0.01 for rate in rates):
            return
    elif by_times is None and not rates:
        raise HandsightError(
            f"{shown(root)}: {INFO} does not say the frames per second, and neither do the files; write 'fps'"
            " into it"
        )
    fps = _plain(by_times if by_times is not None else rates[0])
    say((wrong or f"'fps' was {info['fps']}") + f": now {fps}, as the files are")
    info["fps"] = fps


def _rates(video: Packets | str) -> list[float]:
    """Return the frames per second that a video file says, if it says any that there can be."""
    rate = float(video.rate or 0) if isinstance(video, Packets) else 0.0
    return [rate] if wrong_fps(rate) is None else []


def _fps_of_times(files: Files) -> float | None:
    """Return the frames per second by which the data files' times are frame_index / fps, if there is one."""
    ratios = []
    for file in files.data:
        frame = file.whole_numbers("frame_index")
        try:
            time_s = np.asarray(file.read("timestamp").to_numpy(), np.float64)
        except DAMAGED:
            continue
        if frame is not None and (later := (frame > 0) & (time_s > 0)).any():
            ratios.append(frame[later] / time_s[later])
        file.close()
    if not ratios:
        return None
    together = np.concatenate(ratios)
    fps = float(np.median(together))
    regular = (np.abs(together / fps - 1) < 1e-3).mean() > 0.5
    return fps if regular and wrong_fps(fps) is None else None


def _plain(fps: float) -> int | float:
    """Return fps without what float32 times add to it."""
    near = float(Fraction(fps).limit_denominator(1001))
    whole = round(fps)
    return whole if abs(fps - whole) < 1e-5 * fps else near if abs(fps - near) < 1e-5 * fps else fps
