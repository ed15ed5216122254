"""Checking the large files of a recording: data files, video files, and frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.columns import to_numpy
from handsight.recordings.episodes import Episodes
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.frames import FrameReader, ImageFrames, VideoFrames, open_data_file
from handsight.recordings.layout import codec_name
from handsight.recordings.problems import Problem

_TOLERANCE_S = 1e-4
"""LeRobot's own reader refuses a frame that lies further than this from its time."""
_COPY = "restore it from a copy of the recording"


def check_data(
    root: Path, episodes: Episodes, features: Mapping[str, Feature], fps: float, tasks: int
) -> Iterator[Problem]:
    """Yield what is wrong with the data files."""
    for place, (first, end) in zip(episodes.data_files(), episodes.runs(), strict=True):
        try:
            with open_data_file(root, place) as file:
                yield from _check_data_file(file, place[0], episodes, first, end, features, fps, tasks)
        except HandsightError as error:
            yield Problem("error", place[0], str(error), _COPY)


def _check_data_file(
    file: pq.ParquetFile,
    where: str,
    episodes: Episodes,
    first: int,
    end: int,
    features: Mapping[str, Feature],
    fps: float,
    tasks: int,
) -> Iterator[Problem]:
    lengths = np.diff(episodes.starts[first : end + 1])
    groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    if groups != lengths.tolist():
        what = f"{len(groups)} row groups for {end - first} episodes: reading one episode reads others too"
        yield Problem("warning", where, what, "nothing; it is only slower")
    wanted = {n: f for n, f in features.items() if f.dtype != "video"} | dict(BOOKKEEPING_FEATURES)
    for name, feature in wanted.items():
        if name not in file.schema_arrow.names:
            yield Problem("error", where, f"column {name!r} is missing", _COPY)
        elif not feature.is_camera:
            try:
                values = to_numpy(file.read(columns=[name]).column(0), feature, f"column {name!r}")
            except (OSError, pa.ArrowException, HandsightError) as error:
                yield Problem(
                    "error", where, f"column {name!r}: {(str(error).splitlines() or [''])[0]}", _COPY
                )
                continue
            if name in BOOKKEEPING_FEATURES:
                yield from _check_bookkeeping(name, values[:, 0], where, episodes, first, end, fps, tasks)
            elif values.dtype.kind == "f" and not np.isfinite(values).all():
                row = int(np.argwhere(~np.isfinite(values))[0][0])
                frame = int(episodes.starts[first]) + row
                what = f"stream {name!r} is {values[row][~np.isfinite(values[row])][0]} at frame {frame}"
                yield Problem("error", where, what, "leave its episode out, or fill the gap in")


def _check_bookkeeping(
    name: str,
    values: npt.NDArray[Any],
    where: str,
    episodes: Episodes,
    first: int,
    end: int,
    fps: float,
    tasks: int,
) -> Iterator[Problem]:
    starts = episodes.starts[first : end + 1]
    lengths = np.diff(starts)
    index = np.arange(starts[0], starts[-1])
    frame_index = index - np.repeat(starts[:-1], lengths)
    expected = {
        "index": index,
        "frame_index": frame_index,
        "episode_index": np.repeat(np.arange(first, end), lengths),
        "timestamp": frame_index / fps,
    }
    if name == "task_index":
        wrong = (values < 0) | (values >= tasks)
    elif name == "timestamp":
        wrong = ~(np.abs(values - expected[name]) <= np.maximum(_TOLERANCE_S, 1e-6 * expected[name]))
    else:
        wrong = values != expected[name]
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        came = f"{name} is {values[row]} at frame {index[row]}"
        right = f"; expected {expected[name][row]}" if name in expected else f"; there are {tasks} tasks"
        yield Problem("error", where, came + right, _COPY)


def check_videos(
    root: Path, episodes: Episodes, camera: str, feature: Feature, info: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield what is wrong with one camera's video files.

    What they are, and where their frames lie in time.
    """
    places = np.array([episodes.video_file(camera, e) for e in range(len(episodes.data))])
    for place in dict.fromkeys(places.tolist()):
        try:
            with av.open(str(root / place)) as container:
                stream = container.streams.video[0]
                yield from _check_header(place, stream, camera, feature, info)
                times = [
                    float(p.pts * stream.time_base) for p in container.demux(stream) if p.pts is not None
                ]
        except (OSError, IndexError, ValueError, av.error.FFmpegError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            yield Problem("error", place, f"cannot be read as a video ({reason})", _COPY)
            continue
        yield from _check_times(
            place, np.sort(times), np.flatnonzero(places == place), episodes, camera, info["fps"]
        )


def _check_header(
    place: str, stream: Any, camera: str, feature: Feature, info: Mapping[str, Any]
) -> Iterator[Problem]:
    if stream.codec_context is None:
        raise ValueError("of a format that FFmpeg does not know")
    codec = str(stream.codec_context.codec.canonical_name)
    described = info["features"][camera].get("info")
    declared = described.get("video.codec") if isinstance(described, dict) else None
    if isinstance(declared, str) and codec_name(declared) != codec:
        yield Problem(
            "warning", place, f"is {codec}; meta/info.json says {declared}", "nothing; it is read as it is"
        )
    if (stream.height, stream.width) != feature.shape[:2]:
        said = f"{feature.shape[0]} × {feature.shape[1]}"
        what = f"is {stream.height} × {stream.width}; meta/info.json says {said}"
        yield Problem("error", place, what, "correct the shape in meta/info.json")


def _check_times(
    place: str,
    times_s: npt.NDArray[np.float64],
    episode_numbers: npt.NDArray[np.intp],
    episodes: Episodes,
    camera: str,
    fps: float,
) -> Iterator[Problem]:
    for e in episode_numbers:
        length = int(episodes.starts[e + 1] - episodes.starts[e])
        wanted = episodes.from_s[camera][e] + np.arange(length) / fps
        right = np.clip(np.searchsorted(times_s, wanted), 1, max(len(times_s) - 1, 1))
        near = np.full(length, np.inf)
        for candidate in (right - 1, right):
            inside = candidate < len(times_s)
            gap = np.abs(times_s[candidate[inside]] - wanted[inside])
            near[inside] = np.minimum(near[inside], gap)
        if not (near <= 0.49 / fps).all():
            lost = int((~(near <= 0.49 / fps)).sum())
            what = f"episode {e} lacks {lost} of its {length} frames"
            yield Problem("error", place, what, "leave the episode out, or restore the file from a copy")
        elif (near > _TOLERANCE_S).any():
            what = f"frames of episode {e} lie up to {near.max():.4f} s off: LeRobot would refuse them"
            yield Problem("warning", place, what, "nothing, for Handsight; correct from_timestamp")


def check_frames(
    root: Path, episodes: Episodes, camera: str, feature: Feature, fps: float, thorough: bool
) -> Iterator[Problem]:
    """Decode the first frame of each episode, or every frame; yield what fails, once a file."""
    video = feature.dtype == "video"
    failed: set[str] = set()
    reader: FrameReader | None = None
    for e in range(len(episodes.data)):
        place = episodes.video_file(camera, e) if video else episodes.data_file(e)
        if place in failed or not (root / place).is_file():
            continue
        if reader is None:
            reader = (
                VideoFrames(root, episodes, camera, fps) if video else ImageFrames(root, episodes, camera)
            )
        end = episodes.starts[e + 1] if thorough else episodes.starts[e] + 1
        try:
            for frame in reader.read(np.arange(episodes.starts[e], end)):
                if frame.shape != feature.shape:
                    raise HandsightError(f"a frame of episode {e} is {frame.shape}; expected {feature.shape}")
        except HandsightError as error:
            failed.add(place)
            yield Problem("error", place, str(error), _COPY)
            reader.close()
            reader = None
    if reader is not None:
        reader.close()
