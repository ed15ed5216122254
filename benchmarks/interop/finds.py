"""What a peer found in a recording, beside what we read from it ourselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from handsight.recordings import Recording
from handsight.recordings.features import BOOKKEEPING

VIDEO_LEVELS = 2
"""Decoders give the same pixels, but each FFmpeg has its own arithmetic from YUV to RGB."""
STATS_TOLERANCE = 1e-5
"""Peers calculate in float32."""


@dataclass(frozen=True)
class Finding:
    """One thing compared.

    Args:
        recording: which.
        reader: which peer read it.
        what: was compared.
        agrees: whether it is the same, as far as it can be.
        detail: by how much it differs.
    """

    recording: str
    reader: str
    what: str
    agrees: bool
    detail: str


def compare_lerobot(name: str, reader: str, recording: Recording, found: dict[str, Any]) -> Iterator[Finding]:
    """Yield what `lerobot_reads.py` found, thing by thing."""
    if "error" in found:
        yield Finding(name, reader, "opens", False, found["error"])
        return
    said = found["said"]
    n, starts = recording.num_frames, recording.episode_starts
    ours = [recording.num_episodes, n, recording.fps, n]
    theirs = [said["episodes"], said["frames"], said["fps"], said["from_loader"]]
    yield Finding(name, reader, "episodes, frames, rate, loader", ours == theirs, str(theirs))
    declared = {key: [f.dtype, list(f.shape)] for key, f in recording.features.items()}
    features = {key: value for key, value in said["features"].items() if key not in BOOKKEEPING}
    yield Finding(name, reader, "streams", declared == features, f"{len(features)} streams")
    episode = np.searchsorted(starts, np.arange(n), side="right") - 1
    tasks = [recording.tasks[e][0] for e in episode]
    yield Finding(name, reader, "tasks", tasks == found["item/task"].tolist(), f"{len(set(tasks))} tasks")
    ends = found["ends"]
    around = ends[:, None] + np.array(said["steps"])
    first, last = starts[episode[ends]][:, None], starts[episode[ends] + 1][:, None] - 1
    inside = np.clip(around, first, last)
    beyond = around != inside
    for stream in (*recording.features, *BOOKKEEPING):
        values = everything(recording, stream)
        yield alike(name, reader, f"{stream}, all", recording, stream, values, found[f"item/{stream}"])
        if f"around/{stream}" in found:
            seen = found[f"around/{stream}"]
            yield alike(name, reader, f"{stream}, around", recording, stream, values[inside], seen)
            padded = np.array_equal(found[f"is_pad/{stream}"], beyond)
            yield Finding(name, reader, f"{stream}_is_pad", padded, f"{int(beyond.sum())} beyond the ends")
    for stream, (mean, deviation) in said["normalised"].items():
        exact = not (stream in recording.features and recording.features[stream].dtype == "video")
        # A video's figures are of the frames before they were encoded, and of every few pixels.
        picture = stream in recording.features and recording.features[stream].is_camera
        bound = STATS_TOLERANCE if exact and not picture else 0.1
        text = f"mean within {mean:.1e} of 0, deviation within {deviation:.1e} of 1"
        yield Finding(name, reader, f"{stream}, normalised", max(mean, deviation) < bound, text)
    worst = max(said["stats_differ"].values())
    yield Finding(
        name, reader, "stats.json", worst < STATS_TOLERANCE, f"within {worst:.1e} of its own figures"
    )


def compare_rerun(name: str, reader: str, recording: Recording, found: dict[str, Any]) -> Iterator[Finding]:
    """Yield what `rerun_reads.py` found, thing by thing."""
    if "error" in found:
        yield Finding(name, reader, "opens", False, found["error"])
        return
    said = found["said"]
    yield Finding(
        name,
        reader,
        "episodes",
        said["version"] == "v3" and said["episodes"] == list(range(recording.num_episodes)),
        f"{len(said['episodes'])}, one written as {said['rrd_bytes']} bytes of its own format",
    )
    starts = recording.episode_starts
    for stream, feature in recording.features.items():
        kind = {"image": "picture", "video": "sample"}.get(feature.dtype, "numbers")
        key = f"{kind}/{stream}"
        place = found[f"at/{key}"]
        if not np.array_equal(starts[place[:, 0]] + place[:, 1], np.arange(recording.num_frames)):
            yield Finding(name, reader, f"{stream}, all", False, "other frames")
            continue
        values = found[f"values/{key}"] if kind == "numbers" else pictures(found, key, place[:, 0], kind)
        expected = everything(recording, stream)
        yield alike(
            name, reader, f"{stream}, all", recording, stream, expected, values.reshape(expected.shape)
        )
    place = found["at/text/task"]
    tasks = [recording.tasks[e][0] for e in place[:, 0]]
    agrees = tasks == found["values/text/task"][:, 0].tolist() and len(tasks) == recording.num_frames
    yield Finding(name, reader, "tasks", agrees, f"{len(set(tasks))} tasks")


def everything(recording: Recording, stream: str) -> npt.NDArray[Any]:
    """Return all of a stream as we read it; pictures `[N, H, W, 3]`."""
    if stream in recording.features and recording.features[stream].is_camera:
        return recording.frames(np.arange(recording.num_frames), stream)
    return recording.stream(stream)


def alike(
    name: str,
    reader: str,
    what: str,
    recording: Recording,
    stream: str,
    ours: npt.NDArray[Any],
    theirs: npt.NDArray[Any],
) -> Finding:
    """Compare a stream: numbers and PNGs exactly, videos within what decoders differ by."""
    feature = recording.features.get(stream)
    if feature is None or not feature.is_camera:
        # Peers give shape (1,) as a plain number, and float64 as float32.
        same = np.array_equal(ours.reshape(theirs.shape).astype(theirs.dtype), theirs)
        return Finding(name, reader, what, same, "equal" if same else "other values")
    if theirs.dtype != np.uint8:  # lerobot: [..., 3, H, W] in [0, 1]
        theirs = np.moveaxis(np.rint(theirs * 255).astype(np.uint8), -3, -1)
    if ours.shape != theirs.shape:
        return Finding(name, reader, what, False, f"{theirs.shape}, not {ours.shape}")
    difference = int(np.abs(ours.astype(np.int16) - theirs).max())
    levels = VIDEO_LEVELS if feature.dtype == "video" else 0
    return Finding(name, reader, what, difference <= levels, f"differs by {difference} of 255 at most")


def pictures(
    found: dict[str, Any], key: str, episode: npt.NDArray[np.int64], kind: str
) -> npt.NDArray[np.uint8]:
    """Decode what rerun hands over encoded: PNGs, or one episode's video packets after another."""
    parts = np.split(found[f"bytes/{key}"], found[f"ends/{key}"][:-1])
    if kind == "picture":
        decoded = [cv2.imdecode(part, cv2.IMREAD_COLOR) for part in parts]
        return np.stack([cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in decoded])
    frames: list[Any] = []
    for number in np.unique(episode):
        packets = [av.Packet(parts[i].tobytes()) for i in np.flatnonzero(episode == number)]
        annex_b = bytes(packets[0])[:3] in (b"\0\0\1", b"\0\0\0")
        decoder = av.CodecContext.create("h264" if annex_b else "libdav1d", "r")
        for packet in (*packets, None):
            frames.extend(decoder.decode(packet))
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
