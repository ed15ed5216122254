"""The recordings that `reading.py` reads, and readers of their pictures with nothing around the decoder."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.recordings import Feature, Recording, Writer, camera
from handsight.worlds import Turntable, collect

GROWING = (5_000, 20_000, 80_000)
RECORDINGS = ("av1-480", "av1-128", "png-128", "png-128-others")
ACTION = Feature("float32", (1,))


def prepare(room: Path) -> None:
    """Make the recordings that are not there."""
    for name, world, count in (
        ("av1-480", Turntable(image_size=480, views=36, video=True), 20),
        ("av1-128", Turntable(image_size=128, views=36, video=True), 60),
        ("png-128", Turntable(image_size=128, views=36), 60),
    ):
        print(name, flush=True)
        collect(world, room / name, count)
    if not (room / "png-128-others").exists():
        print("png-128-others", flush=True)
        as_others_write(room / "png-128", room / "making")
        (room / "making").rename(room / "png-128-others")
    for count in GROWING:
        if not (room / f"grown-{count}").exists():
            print(f"grown-{count}", flush=True)
            grow(room / "making", count)
            (room / "making").rename(room / f"grown-{count}")


def as_others_write(source: Path, folder: Path) -> None:
    """Write 40 episodes of 360 pictures, each one row group, as LeRobot writes them."""
    shutil.rmtree(folder, ignore_errors=True)
    pictures = encoded_pictures(Recording(source))
    features = {"observation.images.camera": camera(128, 128), "action": ACTION}
    with Writer(folder, features, 30) as writer:
        for number in range(40):
            first = 360 * number % len(pictures)
            columns = {
                "observation.images.camera": pictures[first : first + 360],
                "action": np.zeros((360, 1)),
            }
            writer.add_encoded_episode({**columns, "action": np.zeros((360, 1), np.float32)}, {})
    for path in (folder / "data").rglob("*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=360)


def grow(folder: Path, count: int) -> None:
    """Write so many frames of plain colours: what is in them does not matter once they are in the cache."""
    shutil.rmtree(folder, ignore_errors=True)
    plain = [np.full((128, 128, 3), level, np.uint8) for level in range(256)]
    pictures = [cv2.imencode(".png", picture)[1].tobytes() for picture in plain]
    with Writer(folder, {"image": camera(128, 128), "action": ACTION}, 30) as writer:
        for first in range(0, count, 500):
            columns = {"image": [pictures[i % 256] for i in range(first, first + 500)]}
            writer.add_encoded_episode({**columns, "action": np.zeros((500, 1), np.float32)}, {})


def folder_of(room: Path, name: str) -> Path:
    """Return where a recording lies.

    Raises:
        HandsightError: it is not there.
    """
    if name == "real":
        data = os.environ.get("HANDSIGHT_REAL_DATA")
        folder = Path(data or ".").expanduser() / "robot-teleop-lerobot-v3"
        if not data or not folder.is_dir():
            raise HandsightError(f"no recording {folder}; HANDSIGHT_REAL_DATA names the folder it lies in")
        return folder.resolve()
    if not (room / name).is_dir():
        raise HandsightError(f"there is no {name} in {room}; make it with --only prepare")
    return room / name


def encoded_pictures(recording: Recording) -> list[bytes]:
    """Return the encoded pictures of an image camera."""
    column = recording.name_on_disk(recording.cameras[0])
    files = [
        pq.read_table(recording.root / place, columns=[column])
        for place, _, _ in recording.episodes.data_files()
    ]
    return [picture["bytes"] for file in files for picture in file[column].to_pylist()]


def bare_reader(recording: Recording, name: str) -> Callable[[NDArray[np.int64]], None]:
    """Return what decodes frames and does nothing else: no reader on one core can be faster."""
    if recording.features[name].dtype == "image":
        encoded = [np.frombuffer(picture, np.uint8) for picture in encoded_pictures(recording)]

        def decode(indices: NDArray[np.int64]) -> None:
            for index in indices:
                cv2.cvtColor(cv2.imdecode(encoded[index], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

        return decode
    return _BareVideo(recording, name).decode


class _BareVideo:
    """PyAV with one thread: seek, decode up to the frame, convert it, copy it."""

    def __init__(self, recording: Recording, name: str) -> None:
        episodes, name = recording.episodes, recording.name_on_disk(name)
        self._files: dict[str, Any] = {}
        self._ticks: list[tuple[str, int]] = []
        self._convert = VideoReformatter()
        self._out = np.empty(recording.features[recording.cameras[0]].shape, np.uint8)
        for episode in range(recording.num_episodes):
            place = episodes.video_file(name, episode)
            if place not in self._files:
                container = av.open(str(recording.root / place))
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                self._files[place] = [container, stream, iter(()), -1]
            tick_s = float(self._files[place][1].time_base)
            length = int(np.diff(recording.episode_starts)[episode])
            times_s = episodes.from_s[name][episode] + np.arange(length) / recording.fps
            self._ticks += [(place, round(time_s / tick_s)) for time_s in times_s]

    def decode(self, indices: NDArray[np.int64]) -> None:
        for index in indices:
            place, tick = self._ticks[index]
            file = self._files[place]
            container, stream, frames, last = file
            if index != last + 1:
                container.seek(tick, stream=stream, backward=True)
                frames = container.decode(stream)
            frame = next(frames)
            while frame.pts < tick - 1:
                frame = next(frames)
            file[2:] = [frames, index]
            height, width, _ = self._out.shape
            plane = self._convert.reformat(frame, format="rgb24", threads=1).planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)
            self._out[:] = rows[:, : 3 * width].reshape(self._out.shape)
