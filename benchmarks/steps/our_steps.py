"""Steps of ours, and of the bare network, timed in a process of their own for ../training.py.

    python our_steps.py FUNCTION '{"size": 64, …}'      # its arguments; one line of JSON

`whole` steps go through `train`, `bare` ones are the network on synthetic tensors, and `parts` says where a
step goes.
"""

import itertools
import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from handsight.methods import METHODS, Method, Optimisation
from handsight.objectives import Projector
from handsight.recordings import Recording
from handsight.training import Training, prepare, train
from handsight.training.batches import Batches
from handsight.training.memory import freed_memory_kept
from handsight.training.optimisation import make_optimiser
from handsight.training.pretrain import Prepared

CPU = torch.device("cpu")
KERNELS = {
    "convolution": "convolutions",
    "batch_norm": "batch norm",
    "threshold": "ReLU",
    "clamp_min": "ReLU",
    "max_pool": "pooling",
    "_adamw": "optimiser",
}
"""Part of a kernel's name → what it belongs to."""


def whole(
    method: str, recording: str, size: int, batch_size: int, precision: str, warm: int, steps: int
) -> dict[str, Any]:
    """Time whole steps: between two calls of `progress`, with a line of the log and TensorBoard's each."""
    ends = []
    with tempfile.TemporaryDirectory() as out:
        # One more than is timed: the last step has no next batch to fetch.
        prepared = _prepared(method, recording, size, batch_size, precision, warm + steps + 1)
        train(prepared, Path(out) / "run", progress=lambda *_: ends.append(time.perf_counter()))
        log = (Path(out) / "run" / "log.jsonl").read_text().splitlines()
    return {
        "steps_s": _differences(ends[warm - 1 : -1]),
        "precision": prepared.training.precision,
        "last": json.loads(log[-1]),
    }


def bare(
    layout: str, kept: bool, size: int, batch_size: int, precision: str, warm: int, steps: int
) -> dict[str, Any]:
    """Time forward, backward and optimiser of SimCLR's network on two views, one after the other.

    Args:
        layout: of images and weights, `contiguous_format` or `channels_last`.
        kept: freed memory is kept between steps, as in our loop.
        size: of the images, pixels.
        batch_size: images in a view.
        precision: as Fabric names it.
        warm: steps before those that are timed.
        steps: timed.
    """
    method, memory_format = _method("simclr", size), getattr(torch, layout)
    encoder = method.encoder
    network = torch.nn.Sequential(encoder.trunk, Projector(encoder.embedding_size))
    network.to(memory_format=memory_format).train()
    optimiser = make_optimiser(network, Optimisation())
    views = torch.randn(2, batch_size, 3, size, size).unbind()
    views = [view.contiguous(memory_format=memory_format) for view in views]
    ends = []
    with freed_memory_kept(CPU) if kept else nullcontext():
        for _ in range(warm + steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
                loss = sum(network(view).float().square().mean() for view in views)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            ends.append(time.perf_counter())
    return {"steps_s": _differences(ends[warm - 1 :])}


def parts(
    recording: str, size: int, batch_size: int, precision: str, warm: int, steps: int
) -> dict[str, Any]:
    """Time the parts of SimCLR's step one after another, and the kernels of one more step."""
    prepared = _prepared("simclr", recording, size, batch_size, precision, warm + steps)
    method, clock = prepared.method.train(), Clock()
    batches = Batches(prepared.sampler, method, 0, CPU)
    optimiser = make_optimiser(method, prepared.settings)
    clock.watch(prepared.sampler, "batch", "sampler")
    clock.watch(method.encoder.preprocessing, "forward", "normalising")
    with freed_memory_kept(CPU):
        for step in range(warm):
            _step(step, prepared, batches, optimiser, clock)
        clock.spent.clear()
        for step in range(warm, warm + steps):
            _step(step, prepared, batches, optimiser, clock)
        spent = {part: seconds / steps for part, seconds in clock.spent.items()}
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            _step(0, prepared, batches, optimiser, clock)
    batches.close()
    kernels: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages():
        kind = next((kind for name, kind in KERNELS.items() if name in event.key), "other")
        kernels[kind] += event.self_cpu_time_total / 1e6
    return {"parts_s": spent, "kernels_s": dict(kernels), "product_flops": products()}


def _step(
    step: int, prepared: Prepared, batches: Batches, optimiser: torch.optim.Optimizer, clock: "Clock"
) -> None:
    with clock.part("augmentation"):
        drawn = batches.get(step, 0, 1, None)
    with prepared.fabric.autocast():
        with clock.part("forward"):
            loss = sum(next(iter(prepared.method.losses(drawn))).values())
        with clock.part("backward"):
            prepared.fabric.backward(loss)
    with clock.part("optimiser"):
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


class Clock:
    """Seconds by part; what a part calls that is a part itself counts there and not here."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a block."""
        self._inner.append(0.0)
        began = time.perf_counter()
        yield
        whole = time.perf_counter() - began
        self.spent[name] += whole - self._inner.pop()
        if self._inner:
            self._inner[-1] += whole

    def watch(self, holder: Any, function: str, name: str) -> None:
        """Time every call of a function of an object."""
        original: Callable[..., Any] = getattr(holder, function)

        def timed(*given: Any, **named: Any) -> Any:
            with self.part(name):
                return original(*given, **named)

        setattr(holder, function, timed)


def products(size: int = 2048, repetitions: int = 8) -> Mapping[str, float]:
    """Return the operations per second of a large matrix product: as fast as computing goes here."""
    rates = {}
    for precision, dtype in (("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)):
        matrix, seconds = torch.randn(size, size).to(dtype), []
        for _ in range(repetitions):
            began = time.perf_counter()
            matrix @ matrix
            seconds.append(time.perf_counter() - began)
        rates[precision] = 2 * size**3 / min(seconds)
    return rates


def _prepared(
    method: str, recording: str, size: int, batch_size: int, precision: str, steps: int
) -> Prepared:
    training = Training(
        steps=steps, batch_size=batch_size, precision=precision, split="all", log_every=1, accelerator="cpu"
    )
    return prepare(_method(method, size), Recording(recording), training)


def _method(name: str, size: int) -> Method:
    torch.manual_seed(0)
    return METHODS[name](encoder="resnet18", image_size=size)


def _differences(ends: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(ends)]


if __name__ == "__main__":
    done = {"whole": whole, "bare": bare, "parts": parts}[sys.argv[1]](**json.loads(sys.argv[2]))
    memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**done, "memory_bytes": memory_bytes}))
