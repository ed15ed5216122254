"""The experiment behind a method's cost: the time and memory of a training step, beside other methods'.

All methods are built in one process and take turns, a block of steps each, so that whatever else the machine
does meets all of them alike: ratios are taken block by block, and blocks are what an interval resamples.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handsight.recordings import Recording
from handsight.studies.cells import Cell, Outcome, Score
from handsight.studies.step_memory import begin, peak_bytes
from handsight.studies.turned_objects import collected
from handsight.training.memory import freed_memory_kept


def run(cell: Cell, work: Path) -> Outcome:
    """Run a cell.

    Its settings: `world`, `objects` and `training` as those of turned objects; `methods` (label → `name` and
    the constructor's arguments), `beside` (labels that all are compared with), `blocks`, `block_steps`,
    `warm_steps` (of each method, not counted) and `repeats` (of the memory's measurement). Scores are
    called `LABEL: MEASURE`.
    """
    settings = cell.settings
    recording = collected(settings["world"], settings["objects"], cell.seed, work)
    # Memory first: what it starts must not find this process large already.
    memory = peak_bytes(
        settings["methods"], recording.root, settings["training"], cell.seed, settings["repeats"]
    )
    seconds = _timed(settings, recording, cell.seed)
    scores = {}
    for label in settings["methods"]:
        scores[f"{label}: step (ms)"] = _each(1000 * seconds[label])
        scores[f"{label}: memory (MB)"] = _each(memory[label] / 1e6)
        for other in settings["beside"]:
            scores[f"{label}: time / {other}"] = _each(seconds[label] / seconds[other])
            scores[f"{label}: memory / {other}"] = _each(memory[label] / memory[other])
    return Outcome(scores, facts={"threads": torch.get_num_threads()})


def _each(values: NDArray[np.float64]) -> Score:
    return Score(values, np.ones(len(values)))


def _timed(settings: Mapping[str, Any], recording: Recording, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return label → seconds of a step, by block `[blocks]`."""
    blocks, each, warm = settings["blocks"], settings["block_steps"], settings["warm_steps"]
    steps, done = {}, dict.fromkeys(settings["methods"], 0)
    found: dict[str, list[float]] = {label: [] for label in settings["methods"]}
    order = np.random.default_rng(seed)
    with ExitStack() as stack:
        for label, arguments in settings["methods"].items():
            steps[label] = one = begin(
                arguments, recording, settings["training"], seed, warm + each * blocks + 1
            )
            stack.callback(one.close)
        device = next(iter(steps.values())).fabric.device
        stack.enter_context(freed_memory_kept(device))
        for label, one in steps.items():
            for _ in range(warm):
                one.take(done[label])
                done[label] += 1
        for _ in range(blocks):
            for label in order.permutation(list(steps)).tolist():
                _wait(device)
                began = time.perf_counter()
                for _ in range(each):
                    steps[label].take(done[label])
                    done[label] += 1
                _wait(device)
                found[label].append((time.perf_counter() - began) / each)
    return {label: np.array(values) for label, values in found.items()}


def _wait(device: torch.device) -> None:
    """Let a GPU finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
