"""How fast are frames read, and in how much memory: from the cache, on demand, and by lerobot's own reader.

    python benchmarks/reading.py [ROOM] [--only PART ...] [--python PATH] [--out FILE.json]

Parts: `prepare` makes the recordings (2 GB; once), `cache` and `memory` read from the warm cache, and each
recording's name reads it on demand with lerobot beside: av1-480, av1-128, png-128, png-128-others, and
`real`, which is robot-teleop-lerobot-v3 in the folder that HANDSIGHT_REAL_DATA names. Without --only all of
them, and at last `show`, the tables. lerobot needs Python 3.12 and gets an environment of its own, and
FFmpeg's libraries for its torchcodec backend (Debian: apt-get install ffmpeg). Numbers are medians of several
repetitions, in which the readers take turns. Nothing else should run meanwhile; where that cannot be had,
--clock processor counts the processor's time in place of the clock's, on one core. The measuring process
keeps the memory it frees, as `pretrain` does, but for `memory`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import peers
from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.recordings.cache import FrameCache
from handsight.training.memory import freed_memory_kept
from reading_recordings import GROWING, RECORDINGS, bare_reader, folder_of, prepare

HERE = Path(__file__).parent
REPETITIONS, COUNT, BATCH, SIZE = 3, 128, 32, 128
CORES = len(os.sched_getaffinity(0))
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
Indices = NDArray[np.int64]
Rates = dict[str, list[float]]
"""Frames per second of each reader, one number a repetition."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("room", nargs="?", type=Path, default=peers.cache_folder().parent / "reading")
    parser.add_argument("--only", nargs="+", help="parts to do")
    parser.add_argument("--python", help="a Python 3.12; without it python3.12 is looked for")
    parser.add_argument("--out", type=Path, help="write all that was measured as JSON")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what a second is a second of")
    options = parser.parse_args()
    room = options.room.expanduser().resolve()
    os.environ["HANDSIGHT_CACHE"] = str(room / "cache")
    results = room / f"results-{options.clock}.json"
    real = ["real"] if "HANDSIGHT_REAL_DATA" in os.environ else []
    parts = options.only or ["prepare", "cache", "memory", *RECORDINGS, *real, "show"]
    for part in parts:
        if part == "prepare":
            prepare(room)
        elif part == "cache":
            save(results, part, cache_rates(room, options.clock))
        elif part == "memory":
            save(results, part, [resident(room, n, how) for n in GROWING for how in ("Handsight", "mapped")])
        elif part.startswith("resident:"):  # this program, asked by itself in a process of its own
            print(json.dumps(read_and_look(room, *part.split(":")[1:])))
        elif part == "show":
            show(results, options.out)
        elif (folder := folder_of(room, part)) is not None:
            save(results, part, against_lerobot(room, folder, options.python, options.clock))


def cache_rates(room: Path, clock: str) -> dict[str, Any]:
    """Return random frames/s from the warm cache at 128 px, and what memory alone would give."""
    recording = Recording(folder_of(room, f"grown-{GROWING[1]}"))
    cache = FrameCache(recording, "image", SIZE)
    cache.build()
    warm(cache.path)
    held = np.empty(
        (20_000, SIZE, SIZE, 3), dtype=np.uint8
    )  # in memory, too large for the processor's caches
    held[:] = 1
    blocks = np.ones((2, 2**28), dtype=np.uint8)
    rates: Rates = {}
    generator = np.random.default_rng(0)
    with freed_memory_kept(torch.device("cpu")), on_cores(1):
        for _ in range(REPETITIONS + 1):
            drawn = generator.integers(0, recording.num_frames, (200, BATCH))
            mapped = np.memmap(cache.path, np.uint8, "r", shape=cache.shape)
            note(rates, clock, "Handsight", drawn.size, cache.read, drawn)
            note(rates, clock, "memory-mapped", drawn.size, mapped.__getitem__, drawn)
            note(rates, clock, "array in memory", drawn.size, held.__getitem__, drawn % len(held))
            note(rates, clock, "memcpy, bytes", 2**28, lambda _: np.copyto(blocks[0], blocks[1]), [0])
    return {name: values[1:] for name, values in rates.items()}


def resident(room: Path, frames: int, how: str) -> dict[str, Any]:
    """Read random frames in a process of its own; return how large that is."""
    FrameCache(Recording(folder_of(room, f"grown-{frames}")), "image", SIZE).build()
    command = [sys.executable, __file__, room, "--only", f"resident:{frames}:{how}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"frames": frames, "how": how, **json.loads(done.stdout)}


def read_and_look(room: Path, frames: str, how: str) -> dict[str, float]:
    """Read 20,000 random frames from the cache; return this process's memory in MiB, anonymous and mapped."""
    cache = FrameCache(Recording(folder_of(room, f"grown-{frames}")), "image", SIZE)
    mapped = np.memmap(cache.path, np.uint8, "r", shape=cache.shape) if how == "mapped" else None
    for batch in np.random.default_rng(0).integers(0, cache.shape[0], (20_000 // BATCH, BATCH)):
        _ = cache.read(batch) if mapped is None else mapped[batch]
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return {"anonymous_mib": sizes["Anonymous"], "mapped_mib": sizes["Rss"] - sizes["Anonymous"]}


def against_lerobot(room: Path, folder: Path, python: str | None, clock: str) -> dict[str, Any]:
    """Return frames/s of every reader in every order, on one core and on all."""
    recording = Recording(folder)
    camera = recording.cameras[0]
    caches = [FrameCache(recording, camera, s) for s in {SIZE, min(recording.features[camera].shape[:2])}]
    for cache in caches:
        cache.build()
        cache.read(np.arange(min(2000, recording.num_frames)))
    bare = bare_reader(recording, camera)
    backends = ["torchcodec", "pyav"] if recording.features[camera].dtype == "video" else ["torchcodec"]
    generator = np.random.default_rng(0)
    found: dict[str, Rates] = {}
    # Two of them: worker processes that inherit an open decoder of lerobot's share its place in the file.
    kept = freed_memory_kept(torch.device("cpu"))
    with kept, served(room, python) as ask, served(room, python) as ask_workers:
        for repetition in range(REPETITIONS + 1):
            start = int(generator.integers(0, recording.num_frames - COUNT - 64))
            orders = {
                "random": generator.integers(0, recording.num_frames, COUNT),
                "shuffled": generator.permutation(recording.num_frames)[:COUNT],
                "in sequence": np.arange(start, start + COUNT),
            }
            for order, indices in orders.items():
                rates: Rates = {}
                ours(rates, clock, recording, caches, indices)
                note(rates, clock, "limit: decoder alone, 1 core", COUNT, bare, [indices])
                for backend in backends:
                    question = {"folder": str(folder), "backend": backend, "indices": indices.tolist()}
                    alone = {**question, "cores": 1, "workers": 0, "clock": clock}
                    rates[f"lerobot, {backend}, 1 core"] = [ask(alone)]
                    if clock == "wall":
                        several = {**question, "cores": CORES, "workers": CORES, "clock": clock}
                        rates[f"lerobot, {backend}, {CORES} workers"] = [ask_workers(several)]
                if clock == "wall":
                    on_all_cores(rates, recording, order, indices)
                for name, values in rates.items() if repetition else ():  # the first warms everything
                    found.setdefault(order, {}).setdefault(name, []).extend(values)
    return {"shape": recording.features[camera].shape, "frames": recording.num_frames, "rates": found}


def ours(rates: Rates, clock: str, recording: Recording, caches: list[FrameCache], indices: Indices) -> None:
    """Note how fast we read on one core: from the cache, one frame a call, and by batches."""
    batches = np.split(indices, len(indices) // BATCH)
    with on_cores(1):
        recording.close()
        recording.frames(indices[:BATCH])  # files opened, as lerobot's are
        for cache in caches:
            warm(cache.path)
            note(rates, clock, f"Handsight, cache at {cache.size} px, 1 core", COUNT, cache.read, batches)
        note(rates, clock, "Handsight, a frame a call, 1 core", COUNT, recording.frames, indices[:, None])
        note(rates, clock, f"Handsight, {BATCH} a call, 1 core", COUNT, recording.frames, batches)
    recording.close()


def warm(file: Path) -> None:
    """Bring a file into the system's memory: some machines let go within seconds of what nothing reads."""
    for _ in range(2):
        with open(file, "rb", buffering=0) as opened:
            while opened.read(2**24):
                pass


def on_all_cores(rates: Rates, recording: Recording, order: str, indices: Indices) -> None:
    """Note how fast we read on all cores: by batches, and in sequence also as the cache is built."""
    batches = np.split(indices, len(indices) // BATCH)
    recording.frames(indices)
    note(rates, "wall", f"Handsight, {BATCH} a call, all cores", COUNT, recording.frames, batches)
    if order == "in sequence":
        pieces = recording.scan(start=int(indices[0]))
        next(pieces)
        read = COUNT // 64
        note(rates, "wall", "Handsight, scan, all cores", 64 * read, lambda _: next(pieces), range(read))


@contextmanager
def served(room: Path, python: str | None) -> Iterator[Callable[[dict[str, Any]], float]]:
    """Give a function that asks lerobot, in its own environment, for frames/s."""
    peer = peers.interpreter(HERE / "interop" / "lerobot.txt", python=python)
    alone = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(room / "huggingface")}
    process = subprocess.Popen(
        [peer, HERE / "interop" / "lerobot_serves.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**peers.clean_environment(), **alone},
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(question: dict[str, Any]) -> float:
        print(json.dumps(question), file=process.stdin, flush=True)
        line = process.stdout.readline()
        if not line:
            raise HandsightError("lerobot ended without an answer; its error stands above")
        said = json.loads(line)
        return float(said["frames"] / said["seconds"])

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Let this process use so many cores meanwhile."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def note(
    rates: Rates, clock: str, name: str, count: int, read: Callable[[Any], object], parts: Iterable[Any]
) -> None:
    """Read all parts and note how many frames a second it was."""
    began = CLOCKS[clock]()
    for part in parts:
        read(part)
    rates.setdefault(name, []).append(count / (CLOCKS[clock]() - began))


def save(path: Path, part: str, found: Any) -> None:
    """Keep what was measured."""
    results = json.loads(path.read_text()) if path.exists() else {}
    results[part] = found
    versions = {module.__name__: module.__version__ for module in (av, cv2, np)}
    results["made with"] = {"python": platform.python_version(), "cores": CORES, **versions}
    path.write_text(json.dumps(results, indent=1) + "\n")


def show(path: Path, out: Path | None) -> None:
    """Print the tables: medians, from lowest to highest in brackets, and ratios."""
    results = json.loads(path.read_text())
    for part, found in results.items():
        print(f"\n{part}")
        if part == "cache":
            table(found, "array in memory")
        elif part == "memory":
            for row in found:
                print(
                    f"{row['frames']:>8} frames, {row['how']:10} anonymous {row['anonymous_mib']:7.0f} MiB, "
                    f"mapped {row['mapped_mib']:7.0f} MiB"
                )
        elif "rates" in found:
            for order, rates in found["rates"].items():
                print(f"- {order}")
                table(rates, "lerobot, torchcodec, 1 core")
        else:
            print(found)
    if out:
        out.write_text(json.dumps(results, indent=1) + "\n")


def table(rates: Rates, reference: str) -> None:
    """Print each reader's rate, and its ratio to the reference's in the same repetition."""
    for name, values in rates.items():
        ratio = np.median(np.divide(values, rates[reference]))
        print(f"  {name:42} {np.median(values):12,.0f} [{min(values):,.0f}–{max(values):,.0f}] × {ratio:.2f}")


if __name__ == "__main__":
    try:
        main()
    except HandsightError as error:
        sys.exit(f"reading: {error}")
