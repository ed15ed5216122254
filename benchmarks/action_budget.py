"""At what size of picture, variety of objects and number of steps does the action signal show?

The plan, the decision rule and the results stand in docs/results/action-budget.md. A run that was stopped goes on;
several processes share the runs between them.

    handsight collect turntable --out DATA --image-size 48 --views 12 --count 3840
    python benchmarks/action_budget.py grid DATA RUNS             # train and measure on validation objects
    python benchmarks/action_budget.py confirm DATA RUNS 48 3840 1500   # once, on test objects, fresh seed
"""

import json
import sys
from pathlib import Path

import filelock
import torch

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder, load_encoder
from handsight.evaluation import Split
from handsight.methods import METHODS
from handsight.recordings import Recording
from handsight.studies.benchmark import measure_objects
from handsight.training import made_with, pretrain

ROWS = {"SimCLR": "simclr", "SimCLR-TT": "simclr-tt", "AA-SimCLR": "action-aware"}
SIZES, OBJECTS, STEPS = (32, 48), (960, 3840), (400, 1000)
COMPARE = (("AA-SimCLR", "SimCLR-TT"), ("AA-SimCLR", "SimCLR"), ("SimCLR-TT", "SimCLR"))
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "action-budget"


def train(recording: Recording, folder: Path, method: str, size: int, objects: int, steps: int, seed: int) -> None:
    """Train one run; the encoders after each of `STEPS` are kept as `encoder-STEPS`."""
    torch.manual_seed(seed)
    made = METHODS[method](
        encoder="resnet18",
        image_size=size,
        encoder_options={"channels": [32, 64, 128, 256], "stem_width": 32},
        augmentation=Augmentation(size=size),
    )

    def keep(encoder: Encoder, step: int) -> dict[str, float]:
        if step in STEPS:
            encoder.save(folder.with_name(f"{folder.name}-encoder-{step}"))
        return {}

    pretrain(
        made,
        recording,
        out=folder,
        steps=steps,
        batch_size=128,
        learning_rate=1e-3,
        precision="bf16-mixed",
        max_episodes=objects,
        seed=seed,
        checkpoint_every=100,
        monitor_every=min(STEPS),
        monitors=[keep],
    )


def measure(recording: Recording, runs: Path, name: str, size: int, objects: int, steps: int, split: Split) -> None:
    """Measure the three encoders of one cell, and keep the table."""
    path = RESULTS / f"{name}.json"
    if path.exists():
        return
    encoders = {
        row: load_encoder(runs / f"{run_name(method, size, objects, name)}-encoder-{steps}") for row, method in ROWS.items()
    }
    found = measure_objects(encoders, [recording], compare=COMPARE, seed=0, evaluate_on=split, title=f"{name}, {split} objects")
    RESULTS.mkdir(parents=True, exist_ok=True)
    table = json.loads(found.benchmark.table.to_json())
    cell = {"size": size, "objects": objects, "steps": steps, "split": split, "made": made_with(), "table": table}
    path.write_text(json.dumps(cell, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for measure_name in ("linear probe", "kNN"):
        row = [f"{row} {cells[measure_name].mean * 100:.1f}" for row, cells in found.benchmark.table.cells.items()]
        print(name, measure_name, *row, flush=True)


def run_name(method: str, size: int, objects: int, name: str) -> str:
    """Return a run's folder; the confirmation's are its own."""
    return f"{'confirm-' if name.startswith('confirm') else ''}{method}-{size}px-{objects}"


def main(what: str, data: str, runs: str, *cell: str) -> None:
    """Run the grid or the confirmation."""
    torch.set_num_threads(1)
    recording, folder = Recording(data), Path(runs)
    folder.mkdir(parents=True, exist_ok=True)
    confirm = what == "confirm"
    chosen = [tuple(int(part) for part in cell)] if confirm else [(s, o, max(STEPS)) for s in SIZES for o in OBJECTS]
    for size, objects, steps in chosen:
        for method in ROWS.values():
            name = run_name(method, size, objects, "confirm" if confirm else "grid")
            try:
                with filelock.FileLock(folder / f"{name}.lock", timeout=0):
                    train(recording, folder / name, method, size, objects, max(STEPS) if not confirm else steps, seed=1 if confirm else 0)
            except filelock.Timeout:
                print(f"{name} is another process's", flush=True)
    for size, objects, _ in chosen:
        for steps in [chosen[0][2]] if confirm else STEPS:
            name = f"{'confirm-' if confirm else ''}{size}px-{objects}-{steps}"
            if all((folder / f"{run_name(m, size, objects, name)}-encoder-{steps}").exists() for m in ROWS.values()):
                with filelock.FileLock(folder / f"measure-{name}.lock"):
                    measure(recording, folder, name, size, objects, steps, "test" if confirm else "validation")


if __name__ == "__main__":
    main(*sys.argv[1:])
