"""The recordings that other projects' readers are tried on, made anew each time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings import Feature, Writer, camera
from handsight.worlds import Turntable, collect

SEVERAL: dict[str, Feature] = {
    "observation.images.left": camera(48, 64),
    "observation.images.right": camera(96, 128, video=True),
    "observation.images.wrist": camera(64, 64, video=True),
    "observation.state": Feature("float32", (5,), ("a", "b", "c", "d", "e")),
    "action": Feature("float32", (2,), ("x", "y")),
    "next.reward": Feature("float32", (1,)),
}
KINDS: dict[str, Feature] = {
    "observation.images.top": camera(32, 32),
    "observation.matrix": Feature("float64", (2, 3)),
    "observation.text": Feature("string", (1,)),
    "observation.count": Feature("int64", (1,)),
    "action": Feature("float32", (1,)),
    "next.done": Feature("bool", (1,)),
}
"""One stream of each kind that a recording can hold; rerun reads neither `bool` nor matrices."""

TASKS = ("push the mug", "greife die Tasse", "", "把杯子拿起来")
SMALL: dict[str, float] = {"data_files_size_in_mb": 0.05, "video_files_size_in_mb": 0.03}
"""Limits that a few small episodes reach."""


def turntable_images(folder: Path) -> list[int]:
    """Write the turntable's objects, seen as PNGs."""
    collect(Turntable(image_size=64, views=8), folder, 6)
    return [8] * 6


def turntable_video(folder: Path) -> list[int]:
    """Write the turntable's objects, seen as AV1."""
    collect(Turntable(image_size=64, views=8, video=True), folder, 6)
    return [8] * 6


def several_cameras(folder: Path) -> list[int]:
    """Write two video cameras and one of images, with tasks in several scripts."""
    with Writer(folder, SEVERAL, fps=30, facts={"category": "string"}) as writer:
        return add_episodes(writer, SEVERAL, 0, (7, 1, 12, 5, 2))


def every_kind(folder: Path) -> list[int]:
    """Write a stream of each kind."""
    with Writer(folder, KINDS, fps=20) as writer:
        return add_episodes(writer, KINDS, 0, (4, 1, 6), facts=False)


def several_shards(folder: Path) -> list[int]:
    """Write files that are full after a few episodes, in sessions, so that meta/episodes has parts too."""
    lengths = []
    for session in range(3):
        with Writer(folder, SEVERAL, fps=30, facts={"category": "string"}, **SMALL) as writer:
            lengths += add_episodes(writer, SEVERAL, session, (6, 9, 1, 4))
    return lengths


def h264(folder: Path) -> list[int]:
    """Write video as H.264, at a rate that is no whole number."""
    with Writer(folder, SEVERAL, fps=29.97, facts={"category": "string"}, codec="libx264") as writer:
        return add_episodes(writer, SEVERAL, 0, (40, 3, 30))


def recovered(folder: Path) -> list[int]:
    """Write a session that is killed in the middle of an episode; the next opening finishes it."""
    child = subprocess.Popen([sys.executable, __file__, folder], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read(1)  # one episode is sealed, two are saved, a fourth is under way
    child.send_signal(signal.SIGKILL)
    if child.wait() != -signal.SIGKILL:
        raise HandsightError(f"the session that was to be killed ended by itself with {child.returncode}")
    return [5, 6, 3]


def begin_session(folder: Path) -> None:
    """Begin what `recovered` kills."""
    with Writer(folder, SEVERAL, fps=30, facts={"category": "string"}) as writer:
        add_episodes(writer, SEVERAL, 0, (5,))
    writer = Writer(folder, SEVERAL, fps=30, facts={"category": "string"})
    add_episodes(writer, SEVERAL, 1, (6, 3))
    for frame in zip(*episode(SEVERAL, 4, np.random.default_rng(9)).values(), strict=True):
        writer.add_frame(dict(zip(SEVERAL, frame, strict=True)))
    os.write(sys.stdout.fileno(), b".")
    signal.pause()


RECORDINGS: dict[str, Callable[[Path], list[int]]] = {
    "turntable, PNG": turntable_images,
    "turntable, AV1": turntable_video,
    "several cameras": several_cameras,
    "every kind of stream": every_kind,
    "several shards": several_shards,
    "H.264, 29.97 frames/s": h264,
    "killed and recovered": recovered,
}
"""Each writes a recording in a folder and returns the lengths of its episodes."""


def add_episodes(
    writer: Writer, features: dict[str, Feature], seed: int, lengths: Sequence[int], facts: bool = True
) -> list[int]:
    """Add episodes of these lengths, tasks taking turns; return the lengths."""
    generator = np.random.default_rng(seed)
    for number, length in enumerate(lengths):
        known = {"category": f"kind {number % 3}"} if facts else {}
        writer.add_episode(episode(features, length, generator), known, TASKS[number % len(TASKS)])
    return list(lengths)


def episode(features: dict[str, Feature], length: int, generator: np.random.Generator) -> dict[str, Any]:
    """Return streams of random numbers and pictures in which a bright square moves from frame to frame."""
    return {name: _stream(feature, length, generator) for name, feature in features.items()}


def _stream(feature: Feature, length: int, generator: np.random.Generator) -> Any:
    shape = (length, *feature.shape)
    if feature.is_camera:
        coarse = generator.integers(0, 256, (feature.shape[0] // 8, feature.shape[1] // 8, 3))
        frames = np.tile(coarse.repeat(8, 0).repeat(8, 1).astype(np.uint8), (length, 1, 1, 1))
        for number, frame in enumerate(frames):
            frame[8:16, (4 * number) % (feature.shape[1] - 8) :][:, :8] = 255
        return frames
    if feature.dtype == "string":
        return np.array([f"frame {number}, „so“" for number in range(length)])
    if feature.dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    if feature.dtype == "int64":
        return generator.integers(-(2**40), 2**40, shape)
    return generator.normal(size=shape).astype(feature.dtype)


if __name__ == "__main__":
    begin_session(Path(sys.argv[1]))
