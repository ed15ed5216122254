"""The most memory that a method's training steps take, each measured in a process of its own."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.studies.controls import build_method
from handsight.training import Steps, Training, prepare
from handsight.training.memory import freed_memory_kept

STEPS = 2
"""In the second the optimiser's state is there beside all that a step takes; the others repeat it."""


def peak_bytes(
    methods: Mapping[str, Mapping[str, Any]], data: Path, training: Mapping[str, Any], seed: int, repeats: int
) -> dict[str, NDArray[np.float64]]:
    """Return label → what building a method and its steps took at most, in bytes `[repeats]`.

    On the CPU that is resident memory above what the process held before; on a GPU, what was allocated there.

    Args:
        methods: label → `name` and the constructor's arguments.
        data: folder of the recording.
        training: fields of `Training`.
        seed: of the run.
        repeats: of the measurement.

    Raises:
        HandsightError: a process was killed.
    """
    # One process imports everything and computes nothing; each measurement is a copy of it, which costs no
    # start and holds nothing of the others.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    asked = [(label, dict(methods[label])) for _ in range(repeats) for label in methods]
    arguments = (asked, data, dict(training), seed, torch.get_num_threads(), theirs)
    process = context.Process(target=_serve, args=arguments)
    process.start()
    theirs.close()
    found: dict[str, list[float]] = {label: [] for label in methods}
    try:
        for label, _ in asked:
            found[label].append(float(ours.recv()))
    except EOFError:
        raise HandsightError(
            f"the process that measured the memory of {label} ended; memory was short: make the batch smaller"
        ) from None
    finally:
        process.join()
    return {label: np.array(values) for label, values in found.items()}


def begin(
    arguments: Mapping[str, Any], recording: Recording, training: Mapping[str, Any], seed: int, steps: int
) -> Steps:
    """Return a method's training, ready for its first step."""
    arguments = dict(arguments)
    torch.manual_seed(seed)
    method = build_method(arguments.pop("name"), arguments)
    made = prepare(method, recording, Training(**training, steps=steps, seed=seed))
    return Steps(made.fabric, method, made.sampler, made.settings, made.steps, made.training.accumulate, seed)


def _serve(
    asked: list[tuple[str, dict[str, Any]]],
    data: Path,
    training: dict[str, Any],
    seed: int,
    threads: int,
    answer: Connection,
) -> None:
    context = multiprocessing.get_context("fork")
    # What is imported is left out of the copies' collections, which would write to, and so copy, all of it.
    gc.collect()
    gc.freeze()
    for _, arguments in asked:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_measure, args=(arguments, data, training, seed, threads, theirs))
        process.start()
        theirs.close()
        try:
            answer.send(ours.recv())
        except EOFError:
            break
        finally:
            process.join()
    gc.unfreeze()


def _measure(
    arguments: dict[str, Any],
    data: Path,
    training: dict[str, Any],
    seed: int,
    threads: int,
    answer: Connection,
) -> None:
    torch.set_num_threads(threads)
    recording = Recording(data)
    # A first step loads what any step needs, and does not count.
    _took(arguments, recording, training, seed, 1)
    answer.send(_took(arguments, recording, training, seed, STEPS))


def _took(
    arguments: Mapping[str, Any], recording: Recording, training: Mapping[str, Any], seed: int, count: int
) -> int:
    gc.collect()
    before = _resident_bytes()
    steps = begin(arguments, recording, training, seed, count)
    device = steps.fabric.device
    try:
        with freed_memory_kept(device):
            for step in range(count):
                steps.take(step)
            allocated = device.type == "cuda"
            return torch.cuda.max_memory_allocated(device) if allocated else _most_bytes() - before
    finally:
        steps.close()


def _resident_bytes() -> int:
    """Return the memory that this process holds, and let its most begin anew from there, where that works."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return _most_bytes()
    return _of_status("VmRSS") or _most_bytes()


def _most_bytes() -> int:
    """Return the most memory that this process held."""
    # In KiB on Linux, in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return _of_status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _of_status(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(name + ":")]
    return int(found[0]) * 1024 if found else None
