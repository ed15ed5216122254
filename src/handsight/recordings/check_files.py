"""Checking the large files of a recording, a few rows at a time: data files, and every camera's frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from handsight.errors import HandsightError, first_line
from handsight.recordings.columns import in_pieces
from handsight.recordings.episodes import Episodes
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.frames import FrameReader, ImageFrames, VideoFrames, open_data_file
from handsight.recordings.problems import MEND, Problem, damaged
from handsight.recordings.tables import DAMAGED

_TOLERANCE_S = 1e-4
"""LeRobot's own reader refuses a frame that lies further than this from its time."""
_FOOTER_BYTES = 32_000_000
"""Of a file's list of row groups, beyond which a reader's memory feels it."""
_GROUP_BYTES = 64_000_000
"""Of a row group of pictures, beyond which reading one frame is felt."""
_FRAMES = 512
"""Frames that are asked for at once."""

Wrong = Callable[[npt.NDArray[Any], int], tuple[str, str] | None]
"""Given some rows of a column and the first one's global frame number: what is wrong, and the remedy."""


def check_data(
    root: Path, episodes: Episodes, features: Mapping[str, Feature], fps: float, tasks: int
) -> Iterator[Problem]:
    """Yield what is wrong with the data files; of a column, what is wrong with it first."""
    columns = {n: f for n, f in features.items() if f.dtype != "video"} | dict(BOOKKEEPING_FEATURES)
    for place in episodes.data_files():
        where, first_frame, _ = place
        try:
            with open_data_file(root, place) as file:
                yield from _check_groups(file, where, columns)
                for name, feature in columns.items():
                    times = file.schema_arrow.names.count(name)
                    if times != 1:
                        what = f"is there {times} times" if times else "is missing"
                        yield Problem("error", where, f"column {name!r} {what}", MEND)
                    elif name in BOOKKEEPING_FEATURES:
                        wrong = _wrong_bookkeeping(name, episodes, fps, tasks)
                        yield from _check_column(file, where, name, feature, first_frame, wrong)
                    elif not feature.is_camera:
                        wrong = _wrong_numbers(name)
                        yield from _check_column(file, where, name, feature, first_frame, wrong)
        except HandsightError as error:
            yield damaged(root, where, error)


def _check_groups(file: pq.ParquetFile, where: str, columns: Mapping[str, Feature]) -> Iterator[Problem]:
    footer, remedy = file.metadata, "nothing; it is only slower"
    if footer.serialized_size > _FOOTER_BYTES:
        size = f"{footer.serialized_size / 1e6:.0f} MB"
        what = f"the list of its {footer.num_row_groups} row groups takes {size}, which every reader holds"
        yield Problem("warning", where, what, remedy)
    sizes = [footer.row_group(number).total_byte_size for number in range(footer.num_row_groups)]
    if max(sizes, default=0) > _GROUP_BYTES and any(feature.is_camera for feature in columns.values()):
        what = f"a row group takes {max(sizes) / 1e6:.0f} MB: reading one of its frames reads them all"
        yield Problem("warning", where, what, remedy)


def _check_column(
    file: pq.ParquetFile, where: str, name: str, feature: Feature, first_frame: int, wrong: Wrong
) -> Iterator[Problem]:
    try:
        for values in in_pieces(file, name, feature, f"column {name!r}"):
            found = wrong(values, first_frame)
            if found is not None:
                yield Problem("error", where, *found)
                return
            first_frame += len(values)
    except (HandsightError, *DAMAGED) as error:
        yield Problem("error", where, f"column {name!r}: {first_line(error)}", MEND)


def _wrong_numbers(name: str) -> Wrong:
    def wrong(values: npt.NDArray[Any], first_frame: int) -> tuple[str, str] | None:
        if values.dtype.kind != "f" or np.isfinite(values).all():
            return None
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        value = values[row][~np.isfinite(values[row])][0]
        what = f"stream {name!r} is {value} at frame {first_frame + row}"
        return what, "leave its episode out, or fill the gap in"

    return wrong


def _wrong_bookkeeping(name: str, episodes: Episodes, fps: float, tasks: int) -> Wrong:
    def wrong(values: npt.NDArray[Any], first_frame: int) -> tuple[str, str] | None:
        values = values[:, 0]
        index = np.arange(first_frame, first_frame + len(values))
        episode = np.searchsorted(episodes.starts, index, side="right") - 1
        frame_index = index - episodes.starts[episode]
        expected = {
            "index": index,
            "frame_index": frame_index,
            "episode_index": episode,
            "timestamp": frame_index / fps,
        }
        if name == "task_index":
            differs = (values < 0) | (values >= tasks)
        elif name == "timestamp":
            tolerance_s = np.maximum(_TOLERANCE_S, 1e-6 * expected[name])
            differs = ~(np.abs(values - expected[name]) <= tolerance_s)
        else:
            differs = values != expected[name]
        if not differs.any():
            return None
        row = int(np.flatnonzero(differs)[0])
        right = f"expected {expected[name][row]}" if name in expected else f"there are {tasks} tasks"
        return f"{name} is {values[row]} at frame {index[row]}; {right}", MEND

    return wrong


def check_frames(
    root: Path, episodes: Episodes, camera: str, feature: Feature, fps: float, thorough: bool
) -> Iterator[Problem]:
    """Decode the first frame of each episode, or every frame; yield what fails, once a file."""
    video = feature.dtype == "video"
    failed: set[str] = set()
    reader: FrameReader | None = None
    for first, end in episodes.runs(camera if video else None):
        place = episodes.video_file(camera, first) if video else episodes.data_file(first)
        if place in failed or not (root / place).is_file():
            continue
        if reader is None:
            reader = (
                VideoFrames(root, episodes, camera, fps)
                if video
                else ImageFrames(root, episodes, camera, held_bytes=0)
            )
        try:
            for some in _numbers(episodes, first, end, thorough):
                for index, frame in zip(some, reader.read(some), strict=True):
                    if frame.shape != feature.shape:
                        e = int(np.searchsorted(episodes.starts, index, side="right")) - 1
                        said = f"a frame of episode {e} is {frame.shape}; expected {feature.shape}"
                        raise HandsightError(said)
        except HandsightError as error:
            failed.add(place)
            yield damaged(root, place, error)
            reader.close()
            reader = None
    if reader is not None:
        reader.close()


def _numbers(episodes: Episodes, first: int, end: int, thorough: bool) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the numbers of all frames of these episodes, or of each one's first, a few at a time."""
    if thorough:
        last = int(episodes.starts[end])
        for begin in range(int(episodes.starts[first]), last, _FRAMES):
            yield np.arange(begin, min(begin + _FRAMES, last))
    else:
        for begin in range(first, end, _FRAMES):
            yield episodes.starts[begin : min(begin + _FRAMES, end)]
