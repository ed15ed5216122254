"""In which world, at what picture size, object variety and number of steps does the action signal show?

Plans, decision rules and results stand in docs/results/action-budget.md. What was stopped goes on; several
processes share the runs between them.

    python benchmarks/action_budget.py FOLDER CELL            # train, and measure on validation objects
    python benchmarks/action_budget.py FOLDER CELL confirm    # once: a fresh seed, test objects
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import torch

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder, load_encoder
from handsight.methods import METHODS
from handsight.recordings import Recording
from handsight.studies.benchmark import measure_objects
from handsight.training import made_with, pretrain
from handsight.worlds import Turntable, collect

ROWS = {"SimCLR": "simclr", "SimCLR-TT": "simclr-tt", "AA-SimCLR": "action-aware"}
COMPARE = (("AA-SimCLR", "SimCLR-TT"), ("AA-SimCLR", "SimCLR"), ("SimCLR-TT", "SimCLR"))
STEPS = (400, 1000)
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "action-budget"
SIXTEEN = (
    *("mug", "bowl", "bottle", "chair", "table", "lamp", "car", "aeroplane"),
    *("boat", "hammer", "dumbbell", "umbrella", "duck", "cactus", "guitar", "camera"),
)
PLAIN = {"image_size": 40, "categories": SIXTEEN, "clutter": 0, "backgrounds": 8, "views": 24}


@dataclass(frozen=True)
class Cell:
    """A world and how an encoder learns from it; `objects` of `count` are used."""

    world: dict[str, Any] = field(default_factory=dict)
    count: int = 960
    objects: int = 960
    size: int = 40


CELLS = {
    **{f"default-{s}px-{o}": Cell({"image_size": 48}, 3840, o, s) for s in (32, 48) for o in (960, 3840)},
    "plain-uneven": Cell({**PLAIN, "turns": "uneven"}),
    "plain-even": Cell(PLAIN),
    "plain-uneven-frame": Cell({**PLAIN, "turns": "uneven", "background_changes": "frame"}),
}


def train(recording: Recording, folder: Path, method: str, cell: Cell, seed: int) -> None:
    """Train one run; the encoders after each of `STEPS` are kept beside it."""
    torch.manual_seed(seed)
    made = METHODS[method](
        encoder="resnet18",
        image_size=cell.size,
        encoder_options={"channels": [32, 64, 128, 256], "stem_width": 32},
        augmentation=Augmentation(size=cell.size),
    )

    def keep(encoder: Encoder, step: int) -> dict[str, float]:
        if step in STEPS:
            encoder.save(folder.with_name(f"{folder.name}-encoder-{step}"))
        return {}

    pretrain(
        made,
        recording,
        out=folder,
        steps=max(STEPS),
        batch_size=128,
        learning_rate=1e-3,
        precision="bf16-mixed",
        max_episodes=cell.objects,
        seed=seed,
        checkpoint_every=100,
        monitor_every=min(STEPS),
        monitors=[keep],
    )


def main(where: str, name: str, what: str = "validation") -> None:
    """Collect, train and measure one cell."""
    torch.set_num_threads(1)
    cell, confirm = CELLS[name], what == "confirm"
    folder = Path(where) / name
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / "collect.lock"):
        collect(Turntable(**cell.world), folder / "turntable", cell.count, seed=0, workers=2)
    recording = Recording(folder / "turntable")
    prefix = "confirm-" if confirm else ""
    for method in ROWS.values():
        try:
            with filelock.FileLock(folder / f"{prefix}{method}.lock", timeout=0):
                train(recording, folder / f"{prefix}{method}", method, cell, seed=1 if confirm else 0)
        except filelock.Timeout:
            print(f"{method} is another process's", flush=True)
    for steps in STEPS[-1:] if confirm else STEPS:
        with filelock.FileLock(folder / "measure.lock"):
            measure(recording, folder, prefix, name, steps, confirm)


def measure(recording: Recording, folder: Path, prefix: str, name: str, steps: int, confirm: bool) -> None:
    """Measure the three encoders of one cell where all are there, and keep the table."""
    path = RESULTS / f"{prefix}{name}-{steps}.json"
    folders = {row: folder / f"{prefix}{method}-encoder-{steps}" for row, method in ROWS.items()}
    if path.exists() or not all(encoder.exists() for encoder in folders.values()):
        return
    encoders = {row: load_encoder(encoder) for row, encoder in folders.items()}
    split = "test" if confirm else "validation"
    title = f"{name}, {steps} steps, {split} objects"
    found = measure_objects(encoders, [recording], compare=COMPARE, seed=0, evaluate_on=split, title=title)
    RESULTS.mkdir(parents=True, exist_ok=True)
    table = json.loads(found.benchmark.table.to_json())
    result = {"cell": name, "steps": steps, "split": split, "made": made_with(), "table": table}
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for measured in ("linear probe", "kNN"):
        figures = [
            f"{row} {row_cells[measured].mean * 100:.1f}"
            for row, row_cells in found.benchmark.table.cells.items()
        ]
        print(title, measured, *figures, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
