"""How fast are interactions collected, and what does a cycle of The Curious Robot's four tasks cost?

    python benchmarks/interactions.py [ROOM] [--only PART ...] [--count N] [--workers N] [--out FILE.json]

`collect` records each kind of interaction by itself with one worker, and the paper's mixture with all, by the
wall's clock and everything included: laying the objects down, physics to rest, drawing, writing. `cycle` lets
a step of all four tasks, and steps of each task alone, take turns in one process, a block each; its ratio is
that of the cycle to the sum of the four, block by block. Nothing else should run meanwhile.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handsight.methods import CuriousRobot
from handsight.methods.curious_robot import TASKS
from handsight.recordings import Recording
from handsight.training import Training, made_with, prepare
from handsight.training.memory import freed_memory_kept
from handsight.training.steps import Steps
from handsight.worlds import Tabletop, collect

MIXTURE = ("grasp",) * 8 + ("push",) * 2 + ("poke",) + ("identity",) * 8
"""8,000 grasps, 2,000 pushes, 1,000 pokes and 8,000 identities are a thousand of these."""

WIDTH, SIZE, BATCH, BLOCKS, STEPS, WARM = 0.25, 64, 64, 8, 2, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("room", nargs="?", type=Path, help="folder to record in; default: a temporary one")
    parser.add_argument("--only", nargs="+", choices=("collect", "cycle"), default=("collect", "cycle"))
    parser.add_argument("--count", type=int, default=150, help="interactions of each kind")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="for the mixture")
    parser.add_argument("--out", type=Path, help="write what was measured as JSON")
    options = parser.parse_args()
    found: dict[str, Any] = {"made with": made_with()}
    with tempfile.TemporaryDirectory() as temporary:
        room = options.room or Path(temporary)
        if "collect" in options.only:
            found["collect"] = collecting(room, options.count, options.workers)
        if "cycle" in options.only:
            found["cycle"] = cycle(room)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def collecting(room: Path, count: int, workers: int) -> dict[str, Any]:
    """Return interactions per second: of each kind with one worker, and of the mixture with several."""
    found: dict[str, Any] = {}
    for kind in TASKS:
        found[kind] = rate(Tabletop(interactions=(kind,)), room / kind, count, 1)
    found["mixture"] = rate(Tabletop(interactions=MIXTURE), room / "mixture", 4 * count, workers)
    each = {"grasp": 8000, "push": 2000, "poke": 1000, "identity": 8000}
    alone = sum(number / found[kind]["interactions/s"] for kind, number in each.items())
    together = sum(each.values()) / found["mixture"]["interactions/s"]
    found["8,000, 2,000, 1,000 and 8,000"] = {
        "one core, min": alone / 60,
        f"{workers} workers, min": together / 60,
    }
    print(json.dumps(found, indent=1))
    return found


def rate(world: Tabletop, folder: Path, count: int, workers: int) -> dict[str, float]:
    """Record interactions and return how many a second, how many were discarded, how many grasps held."""
    world.episode(0, 0)  # the renderer opened, meshes made
    world.close()
    began = time.perf_counter()
    collect(world, folder, count, seed=0, workers=workers)
    wall_s = time.perf_counter() - began
    facts = Recording(folder).facts
    discarded = int(np.asarray(facts["discarded"]).sum())
    grasps = np.asarray(facts["interaction"]) == "grasp"
    held = float(np.asarray(facts["success"])[grasps].mean()) if grasps.any() else float("nan")
    return {
        "interactions/s": count / wall_s,
        "tried/s, discarded ones too": (count + discarded) / wall_s,
        "discarded": discarded,
        **({"grasps that held": held} if grasps.any() else {}),
    }


def cycle(room: Path) -> dict[str, Any]:
    """Return seconds of a cycle and of each task's own step, and their ratio, block by block."""
    recording = room / "trained"
    collect(Tabletop(image_size=276), recording, 8 * BATCH, seed=1)  # the four in turn, for a batch of each
    training = Training(
        steps=10_000, batch_size=BATCH, optimiser="rmsprop", learning_rate=1e-4, precision="32-true"
    )
    steps: dict[str, Steps] = {}
    for name, tasks in {"cycle": TASKS, **{task: (task,) for task in TASKS}}.items():
        torch.manual_seed(0)
        method = CuriousRobot(image_size=SIZE, encoder_options={"width": WIDTH}, tasks=tasks, grasp_steps=0)
        prepared = prepare(method, Recording(recording), training)
        steps[name] = Steps(prepared.fabric, prepared.method, prepared.sampler, prepared.settings, 10_000)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    with freed_memory_kept(torch.device("cpu")):
        done = dict.fromkeys(steps, 0)
        for block in range(-1, BLOCKS):  # the first warms
            for name, one in steps.items():
                began = time.perf_counter()
                for _ in range(WARM if block < 0 else STEPS):
                    one.take(done[name])
                    done[name] += 1
                if block >= 0:
                    seconds[name].append((time.perf_counter() - began) / STEPS)
    for one in steps.values():
        one.close()
    ratios = np.array(seconds["cycle"]) / np.sum([seconds[task] for task in TASKS], axis=0)
    found = {
        "seconds a step": {name: float(np.median(values)) for name, values in seconds.items()},
        "cycle / sum of the four": float(np.median(ratios)),
        "lowest and highest block": [float(ratios.min()), float(ratios.max())],
        "settings": f"width {WIDTH}, {SIZE} px, {BATCH} of each task, {torch.get_num_threads()} threads",
    }
    print(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    main()
