"""How fast is a training step: ours, the same network bare, and lightly's SimCLR on the same images?

    python benchmarks/training.py [ROOM] [--only WORD ...] [--rounds N] [--limit_s S]

Each row is measured in a process of its own, a few steps at a time, and the rows take turns; numbers are
medians over the rounds; on two cores a round takes a quarter of an hour. What is measured is kept in ROOM:
what was stopped goes on, --limit_s begins no measurement after so many seconds, and --only measures the rows
whose names hold all of the words. The tables show what is there. Nothing else should run meanwhile. lightly
gets an environment of its own, which shares our PyTorch. What was found stands in
docs/results/training-step.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import peers
from handsight.methods import METHODS
from handsight.recordings import Recording
from handsight.recordings.cache import FrameCache
from handsight.training import made_with
from handsight.worlds import Turntable, collect

STEPS = Path(__file__).parent / "steps"
RESULT = Path(__file__).parents[1] / "docs" / "results" / "training-step.json"
SIZES = {64: 256, 128: 64}
"""Side of the images in pixels → samples in a batch; a sample is two views."""
OBJECTS, VIEWS, SEED = 96, 24, 0
WARM, TIMED = 2, 4
BARE = {
    ("contiguous_format", False): "as PyTorch comes",
    ("channels_last", False): "channels last",
    ("channels_last", True): "channels last, freed memory kept",
}
FLOAT32, BFLOAT16 = "32-true", "bf16-mixed"


@dataclass(frozen=True)
class Row:
    """What is measured: a function of steps/our_steps.py, or lightly; at one image size."""

    name: str
    size: int
    function: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """A name that no other row has."""
        return f"{self.size} px, {self.name}"


def rows() -> list[Row]:
    """Return all rows."""
    found = []
    for size in SIZES:
        for precision in (FLOAT32, BFLOAT16):
            mixed = {"precision": precision}
            found.append(Row(f"handsight simclr, {precision}", size, "whole", {"method": "simclr", **mixed}))
            for (layout, kept), name in BARE.items():
                options = {"layout": layout, "kept": kept, **mixed}
                found.append(Row(f"bare {name}, {precision}", size, "bare", options))
            for workers in (0, 1, 2):
                name = f"lightly, {precision}, {workers} workers"
                found.append(Row(name, size, "lightly", {"workers": workers, **mixed}))
            found.append(Row(f"parts, {precision}", size, "parts", mixed))
    # The other methods where a step is longest for its heads: many samples of small images.
    size = min(SIZES)
    for method in METHODS:
        if method != "simclr":
            name = f"handsight {method}, auto"
            found.append(Row(name, size, "whole", {"method": method, "precision": "auto"}))
    return found


def main() -> None:
    """Measure what is asked for and not there yet; print the tables and write them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("room", nargs="?", type=Path, default=peers.cache_folder().parent / "training")
    parser.add_argument("--only", nargs="+", default=[], help="words that a row's name holds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit_s", type=float, default=float("inf"), help="begin no measurement after it")
    parser.add_argument("--out", type=Path, default=RESULT, help="where to write all that was measured")
    options = parser.parse_args()
    room = options.room.expanduser().resolve()
    os.environ["HANDSIGHT_CACHE"] = str(room / "cache")
    prepare_images(room)
    lightly = peers.interpreter(STEPS / "lightly.txt", shared=True)
    began = time.monotonic()
    for turn in range(options.rounds):
        for row in rows():
            path = room / "measured" / f"{row.title}, round {turn}.json"
            wanted = all(word in row.title for word in options.only)
            if wanted and not path.exists() and time.monotonic() - began < options.limit_s:
                found = measure(row, room, lightly)
                path.parent.mkdir(exist_ok=True)
                path.write_text(json.dumps(found), encoding="utf-8")
                print(f"{path.stem}: {'–'.join(said(found))}", flush=True)
    show(room, options.out, lightly)


def prepare_images(room: Path) -> None:
    """Make the recording, and for lightly folders of the same frames at the same sizes; once."""
    collect(Turntable(image_size=max(SIZES), views=VIEWS), room / "turntable", OBJECTS, seed=SEED, workers=2)
    recording = Recording(room / "turntable")
    for size in SIZES:
        folder = images(room, size)
        if not folder.exists():
            cache = FrameCache(recording, recording.cameras[0], size)
            cache.build()
            partial = folder.with_suffix(".partial")
            partial.mkdir(parents=True, exist_ok=True)
            for index, frame in enumerate(cache.read(np.arange(recording.num_frames))):
                Image.fromarray(frame).save(partial / f"{index:06d}.png")
            partial.rename(folder)


def images(room: Path, size: int) -> Path:
    """Return the folder of the frames at a size."""
    return room / f"images-{size}"


def measure(row: Row, room: Path, lightly: Path) -> dict[str, Any]:
    """Run a row's steps in a process of its own."""
    asked = {"size": row.size, "batch_size": SIZES[row.size], "warm": WARM, "steps": TIMED, **row.options}
    environment = dict(os.environ)
    if row.function == "lightly":
        environment = peers.clean_environment()
        command = [lightly, STEPS / "lightly_steps.py"]
        asked["folder"] = str(images(room, row.size))
    else:
        command = [sys.executable, STEPS / "our_steps.py", row.function]
        if row.function != "bare":
            asked["recording"] = str(room / "turntable")
    load = os.getloadavg()[0]
    done = subprocess.run(
        [*command, json.dumps(asked)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{row.title}: {done.stderr[-2000:]}")
    return {"load before": load, **json.loads(done.stdout.splitlines()[-1])}


def said(found: Mapping[str, Any]) -> list[str]:
    """Return a measurement's fastest and slowest step, in words."""
    steps = found.get("steps_s") or [sum(found["parts_s"].values())]
    return [f"{seconds:.2f} s" for seconds in (min(steps), max(steps))]


def read(room: Path, row: Row) -> list[dict[str, Any]]:
    """Return what was measured of a row, by round."""
    paths = sorted((room / "measured").glob(f"{row.title}, round *.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def show(room: Path, out: Path, lightly: Path) -> None:
    """Print the tables of what is there, and write all of it down."""
    measured = {row.title: found for row in rows() if (found := read(room, row))}
    rates = {
        title: [SIZES[int(title.split()[0])] / statistics.median(each["steps_s"]) for each in found]
        for title, found in measured.items()
        if "steps_s" in found[0]
    }
    tables = [*(speeds(size, rates, measured) for size in SIZES), targets(rates), others(rates)]
    tables += [where(size, measured) for size in SIZES]
    print("\n\n".join(table for table in tables if table))
    made = made_with() | {"lightly": peers.versions(lightly).get("lightly", "")}
    settings = {"seed": SEED, "warm": WARM, "timed": TIMED, "threads": torch.get_num_threads()}
    found = {"made": made, "settings": settings, "measured": measured}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


Rates = Mapping[str, list[float]]
"""Title of a row → samples per second, by round."""


def speeds(size: int, rates: Rates, measured: Mapping[str, Any]) -> str:
    """Return the table of one image size."""
    lines = [
        f"| {size} px, {SIZES[size]} samples in a batch | samples/s | rounds | GB |",
        "| --- | --- | --- | --- |",
    ]
    for title, each in rates.items():
        start, _, name = title.partition(", ")
        if start == f"{size} px" and not name.endswith("auto"):
            memory = statistics.median(found["memory_bytes"] for found in measured[title]) / 1e9
            between = f"{min(each):.1f} to {max(each):.1f}"
            lines.append(f"| {name} | {statistics.median(each):.1f} | {between} | {memory:.1f} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def targets(rates: Rates) -> str:
    """Return the ratios: of ours to the bare step and to lightly's best, paired by round."""
    lines = ["| ours, as a multiple of | " + " | ".join(f"{size} px" for size in SIZES) + " |"]
    lines.append("| --- |" + " --- |" * len(SIZES))
    pairs = [
        *((own, f"bare {name}, {own}") for own in (FLOAT32, BFLOAT16) for name in BARE.values()),
        *((own, f"lightly, {its}") for own in (FLOAT32, BFLOAT16) for its in (FLOAT32, BFLOAT16)),
    ]
    for own, other in pairs:
        cells = []
        for size in SIZES:
            ours = rates.get(f"{size} px, handsight simclr, {own}", [])
            # The workers with which lightly was fastest over all rounds.
            rivals = [each for title, each in rates.items() if title.startswith(f"{size} px, {other}")]
            best = max(rivals, key=statistics.median, default=[])
            ratios = [one / its for one, its in zip(ours, best, strict=False)]
            cells.append(_spread(ratios, 2))
        lines.append(f"| handsight {own} / {other} | {' | '.join(cells)} |")
    return "\n".join(lines)


def others(rates: Rates) -> str:
    """Return what the other methods cost, as multiples of SimCLR-TT's step."""
    size = min(SIZES)
    base = rates.get(f"{size} px, handsight simclr-tt, auto")
    if base is None:
        return ""
    lines = [f"| {size} px, precision auto | samples/s | step, simclr-tt = 1 |", "| --- | --- | --- |"]
    for title, each in rates.items():
        if title.endswith(", auto"):
            ratios = [reference / own for reference, own in zip(base, each, strict=False)]
            name = title.split(" ")[3].rstrip(",")
            lines.append(f"| {name} | {statistics.median(each):.1f} | {_spread(ratios, 3)} |")
    return "\n".join(lines)


def where(size: int, measured: Mapping[str, Any]) -> str:
    """Return where a step of ours goes, by part and by kernel, in milliseconds."""
    lines = []
    for kind, what in (("parts_s", "part"), ("kernels_s", "kernel, both threads")):
        table: dict[str, list[str]] = {}
        for precision in (FLOAT32, BFLOAT16):
            found = measured.get(f"{size} px, parts, {precision}", [])
            for part in found[0][kind] if found else ():
                seconds = statistics.median(each[kind].get(part, 0.0) for each in found)
                whole = statistics.median(sum(each[kind].values()) for each in found)
                table.setdefault(part, []).append(f"{seconds * 1e3:.0f} ms, {seconds / whole:.1%}")
        if table:
            lines += ["", f"| {size} px, {what} | {FLOAT32} | {BFLOAT16} |", "| --- | --- | --- |"]
            lines += [f"| {part} | {' | '.join(cells)} |" for part, cells in table.items()]
    return "\n".join(lines)


def _spread(ratios: Sequence[float], digits: int) -> str:
    if not ratios:
        return "–"
    middle, low, high = (
        f"{each:.{digits}f}" for each in (statistics.median(ratios), min(ratios), max(ratios))
    )
    return f"{middle} ({low} to {high})"


if __name__ == "__main__":
    main()
