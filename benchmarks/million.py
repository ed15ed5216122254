"""What a recording of a million frames costs: time and memory of everything that is done with one.

    python benchmarks/million.py FOLDER              # all of it, but what is in the JSON already
    python benchmarks/million.py FOLDER open check   # only these measurements

Recordings of three forms (many episodes, few long ones, very many of a few frames) and three sizes are
written to FOLDER with the real writer. Each measurement is a process of its own, with one thread, whose
memory is watched.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parents[1] / "docs" / "results" / "million.json"
SIZES = (10_000, 100_000, 1_000_000)
FORMS: dict[str, Callable[[int], tuple[int, int]]] = {
    "episodes of 50": lambda frames: (frames // 50, 50),
    "10 episodes": lambda frames: (10, frames // 10),
    "episodes of 4": lambda frames: (frames // 4, 4),
}
"""Frames → episodes and the length of each."""
CAMERA, PIXELS, STEPS = "observation.images.camera", 16, 200
TINY = {
    "encoder": "resnet18",
    "image_size": PIXELS,
    "encoder_options": {"channels": [4, 4, 8, 8], "stem_width": 4},
}


class Watch:
    """Time and memory of what is done inside: the most anonymous memory beyond that at its beginning."""

    def __enter__(self) -> "Watch":
        self.before, self.peak, self._stop = _memory("RssAnon"), 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        self.began, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds, self.cpu = time.perf_counter() - self.began, time.process_time() - self.cpu
        self._stop.set()
        self._thread.join()
        self.peak = max(self.peak, _memory("RssAnon"))

    def _look(self) -> None:
        while not self._stop.wait(0.01):
            self.peak = max(self.peak, _memory("RssAnon"))

    def figures(self) -> dict[str, float]:
        """Return seconds of the clock and of the processor, and megabytes."""
        return {
            "seconds": round(self.seconds, 4),
            "cpu_s": round(self.cpu, 4),
            "at_rest_mb": round(self.before / 1e6, 1),
            "grown_mb": round((self.peak - self.before) / 1e6, 1),
            "peak_total_mb": round(_memory("VmHWM") / 1e6, 1),
        }


def _memory(name: str) -> int:
    """Return bytes: `RssAnon` is memory that only this process holds, `VmHWM` the most it had in all."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":"))


def write(root: Path, episodes: int, length: int) -> dict[str, float]:
    """Write a recording: frames of 16 × 16 pixels as PNG, an action, a state, three facts and three tasks."""
    from handsight.recordings import Feature, Writer, camera

    features = {
        CAMERA: camera(PIXELS, PIXELS),
        "action": Feature("float32", (2,), ("x", "y"), moves="nothing", between="difference"),
        "observation.state": Feature("float32", (4,)),
    }
    facts = {"object": "int64", "category": "string", "split": "string"}
    generator = np.random.default_rng(0)
    made: list[float] = []
    with Watch() as watch, Writer(root, features, fps=10, facts=facts) as writer:
        for episode in range(episodes):
            began = time.perf_counter()
            coarse = generator.integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
            pictures = np.repeat(coarse.repeat(4, 1).repeat(4, 2), length, axis=0)
            pictures[:, 0, 0, 0] = np.arange(length) % 256
            frames = {
                CAMERA: pictures,
                "action": generator.normal(size=(length, 2)).astype(np.float32),
                "observation.state": generator.normal(size=(length, 4)).astype(np.float32),
            }
            split = ("train", "train", "train", "validation", "test")[episode % 5]
            said = {"object": episode, "category": f"category {episode % 15}", "split": split}
            made.append(time.perf_counter() - began)
            task = ("push", "poke", "grasp")[episode % 3]
            if length <= 1000:
                writer.add_episode(frames, said, task)
            else:  # nobody has an hour in one array
                for row in range(length):
                    writer.add_frame({name: values[row] for name, values in frames.items()})
                writer.save_episode(said, task)
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    return watch.figures() | {"drawing_s": round(sum(made), 2), "disk_mb": round(size / 1e6, 1)}


def open_(root: Path) -> dict[str, float]:
    """Open the recording; its files are not in the system's cache."""
    for path in root.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began = time.perf_counter()
    from handsight import Recording

    import_s = time.perf_counter() - began
    with Watch() as watch:
        recording = Recording(root)
    return watch.figures() | {"import_s": round(import_s, 3), "frames": recording.num_frames}


def describe(root: Path) -> dict[str, float]:
    """Describe it, as `handsight info` does."""
    from handsight.recordings import Recording, describe

    recording = Recording(root)
    with Watch() as watch:
        describe(recording)
    return watch.figures()


def stream(root: Path) -> dict[str, float]:
    """Read the action of all frames, first from the files, then mapped from the cache."""
    from handsight.recordings import Recording
    from handsight.recordings.streams import cache_root

    recording = Recording(root)
    shutil.rmtree(cache_root() / recording.fingerprint / "streams", ignore_errors=True)
    with Watch() as watch:
        recording.stream("action")
    began = time.perf_counter()
    again = Recording(root)
    opened = time.perf_counter()
    again.stream("action")
    return watch.figures() | {"warm_s": round(time.perf_counter() - opened, 4), "open_s": opened - began}


def cache(root: Path) -> dict[str, float]:
    """Decode all frames into the frame cache."""
    from handsight.recordings import FrameCache, Recording

    frames = FrameCache(Recording(root), CAMERA, PIXELS)
    frames.path.unlink(missing_ok=True)
    with Watch() as watch:
        frames.build()
    return watch.figures()


def read(root: Path) -> dict[str, float]:
    """Read frames anywhere: from the cache (20,000), and decoded on demand (2,000)."""
    from handsight.recordings import FrameCache, Recording

    recording = Recording(root)
    frames = FrameCache(recording, CAMERA, PIXELS)
    generator = np.random.default_rng(0)
    wanted = generator.integers(0, recording.num_frames, (78, 256))
    with Watch() as watch:
        for batch in wanted:
            frames.read(batch)
    some = generator.integers(0, recording.num_frames, (8, 250))
    with Watch() as demand:
        for batch in some:
            recording.frames(batch)
    return watch.figures() | {
        "frames_per_s": round(wanted.size / watch.seconds),
        "decoded_per_s": round(some.size / demand.seconds),
        "decoding_grown_mb": demand.figures()["grown_mb"],
    }


def check(root: Path, thorough: bool = False) -> dict[str, float]:
    """Check it."""
    from handsight.recordings import check as find_problems

    with Watch() as watch:
        problems = find_problems(root, thorough=thorough)
    assert not problems, problems[0]
    return watch.figures()


def train(root: Path, name: str) -> dict[str, float]:
    """Train 200 steps of a method with a tiny network; what it takes to begin is measured by itself."""
    import torch

    from handsight.methods import METHODS
    from handsight.recordings import Recording
    from handsight.training.pretrain import prepare, train
    from handsight.training.settings import Training

    torch.set_num_threads(1)
    out = root.with_name(f"{root.name} {name}")
    shutil.rmtree(out, ignore_errors=True)
    method = METHODS[name](**TINY)
    recording = Recording(root)
    with Watch() as beginning:
        prepared = prepare(method, recording, Training(steps=STEPS, batch_size=256, checkpoint_every=STEPS))
    with Watch() as watch:
        train(prepared, out)
    shutil.rmtree(out)
    return watch.figures() | {
        "prepare_s": round(beginning.seconds, 3),
        "prepare_grown_mb": beginning.figures()["grown_mb"],
    }


MEASUREMENTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "open": open_,
    "describe": describe,
    "stream": stream,
    "cache": cache,
    "read": read,
    "simclr": lambda root: train(root, "simclr"),
    "simclr-tt": lambda root: train(root, "simclr-tt"),
    "action-aware": lambda root: train(root, "action-aware"),
    "check": check,
    "thorough": lambda root: check(root, thorough=True),
}


def main(where: str, only: list[str]) -> None:
    """Make what is missing, and print the table of all."""
    folder = Path(where)
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"measured": {}}
    for form, shape in FORMS.items():
        for frames in SIZES:
            root = folder / f"{form}, {frames}"
            for what in ("write", *(only or MEASUREMENTS)):
                key = f"{form} | {frames} | {what}"
                if key not in found["measured"]:
                    if what == "write":
                        shutil.rmtree(root, ignore_errors=True)
                    found["measured"][key] = _measured(folder, what, root, *shape(frames))
                    found["made"] = _made()
                    RESULT.write_text(json.dumps(found, indent=1) + "\n")
                    print(key, found["measured"][key], flush=True)
    print(table(found["measured"]))


def _measured(folder: Path, *what: object) -> dict[str, float]:
    environment = {**os.environ, "HANDSIGHT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--measure", *map(str, what)], env=environment, stdout=subprocess.PIPE
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _made() -> dict[str, str]:
    from handsight.training import made_with

    return {**made_with(), "pyarrow": version("pyarrow"), "date": date.today().isoformat()}


def table(measured: dict[str, Any]) -> str:
    """Return a Markdown table: processor seconds and megabytes grown, and bytes per further frame."""
    lines = [
        "| form | what | " + " | ".join(f"{frames:,} frames" for frames in SIZES) + " | bytes a frame |",
        "| --- | --- |" + " ---: |" * (len(SIZES) + 1),
    ]
    for form in FORMS:
        for what in ("write", *MEASUREMENTS):
            row = [measured.get(f"{form} | {frames} | {what}") for frames in SIZES]
            cells = [f"{one['cpu_s']:.3g} s, {one['grown_mb']:.0f} MB" if one else "" for one in row]
            if row[-1] and row[-2]:
                grown_mb = row[-1]["grown_mb"] - row[-2]["grown_mb"]
                cells.append(f"{grown_mb * 1e6 / (SIZES[-1] - SIZES[-2]):.0f}")
            lines.append(f"| {form} | {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        what, root, episodes, length = sys.argv[2], Path(sys.argv[3]), *map(int, sys.argv[4:])
        figures = write(root, episodes, length) if what == "write" else MEASUREMENTS[what](root)
        print(json.dumps(figures))
    else:
        main(sys.argv[1], sys.argv[2:])
