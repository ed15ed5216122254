"""The training loop: one explicit loop for every method.

A run comes out the same however often it is stopped, and on however many processes.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric import Fabric

from handsight.encoders import Encoder
from handsight.errors import HandsightError, Interrupted
from handsight.methods import Method, Optimisation
from handsight.recordings import Sampler
from handsight.training.batches import Batches, generator_for
from handsight.training.optimisation import learning_rate, make_optimiser
from handsight.training.processes import average_gradients, synchronise_batch_norm
from handsight.training.run import Run

Monitor = Callable[[Encoder, int], Mapping[str, float]]
"""Looks at the encoder while it learns, on validation objects only; what it returns is logged."""

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Told the steps done, the steps in all and the newest losses."""

log = logging.getLogger("handsight")


class Stopped(Interrupted):
    """The user asked to stop (Ctrl-C or SIGTERM); the checkpoint at `step` is written."""

    def __init__(self, folder: Path, step: int, steps: int) -> None:
        super().__init__(
            f"stopped after {step} of {steps} steps; give the same command again to go on ({folder})"
        )
        self.step = step


@dataclass
class Loop:
    """Everything one run needs, put together by `pretrain`.

    Args:
        fabric: devices, precision and processes.
        method: prepared, on the device.
        sampler: gives batches.
        settings: resolved.
        steps: in all.
        accumulate: slices of a batch that are forwarded one after another before a step; a contrast sees its
            own slice only.
        seed: of the run.
        run: its folder; None writes nothing.
        checkpoint_every: steps between checkpoints.
        log_every: steps between lines of the log.
        monitors: looked at every `monitor_every` steps and at the end.
        monitor_every: steps between looks.
        progress: called after each step.
    """

    fabric: Fabric
    method: Method
    sampler: Sampler
    settings: Optimisation
    steps: int
    accumulate: int
    seed: int
    run: Run
    checkpoint_every: int
    log_every: int
    monitors: Sequence[Monitor] = ()
    monitor_every: int = 0
    progress: Progress | None = None

    def go(self) -> None:
        """Train from where the run stands to its last step."""
        synchronise_batch_norm(self.method)
        optimiser = make_optimiser(self.method, self.settings)
        start = self._resume(optimiser)
        batches = Batches(self.sampler, self.method, self.seed, self.fabric.device)
        writer = self._tensorboard()
        self.method.train()
        began = time.monotonic()
        try:
            with _stop_requests() as stop:
                for step in range(start, self.steps):
                    losses = self._step(step, batches, optimiser)
                    done = step + 1
                    entry: dict[str, Any] = {}
                    if done % self.log_every == 0 or done == self.steps:
                        entry = {name: float(loss) for name, loss in losses.items()}
                        self._check_finite(entry, step)
                        entry["learning_rate"] = learning_rate(self.settings, step, self.steps)
                    if (
                        self.monitors
                        and self.monitor_every
                        and (done % self.monitor_every == 0 or done == self.steps)
                    ):
                        entry |= self._look(done)
                    if entry and self.fabric.is_global_zero:
                        self.run.log({"step": step, **entry, "seconds": round(time.monotonic() - began, 3)})
                        for name, value in entry.items():
                            writer.add_scalar(name, value, done)
                    if self.progress is not None:
                        self.progress(done, self.steps, entry)
                    stopping = self._agreed(stop())
                    if done % self.checkpoint_every == 0 or done == self.steps or stopping:
                        # Weights whose loss is not finite must not replace a good checkpoint.
                        self._check_finite({name: float(loss) for name, loss in losses.items()}, step)
                        self._save(done, optimiser)
                        if stopping and done < self.steps:
                            raise Stopped(self.run.folder, done, self.steps)
        finally:
            batches.close()
            writer.close()

    def _step(self, step: int, batches: Batches, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
        self.method.before_step(step)
        rate = learning_rate(self.settings, step, self.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        parts = self.fabric.world_size * self.accumulate
        totals: dict[str, torch.Tensor] = {}
        for micro in range(self.accumulate):
            part = self.fabric.global_rank * self.accumulate + micro
            last = micro + 1 == self.accumulate
            following = (step + 1, part - micro) if last else (step, part + 1)
            drawn = batches.get(step, part, parts, following if following[0] < self.steps else None)
            # Dropout and the like: the same on every resume, different on every process.
            torch.manual_seed(int(generator_for(self.seed, f"model {part}", step).initial_seed()))
            with self.fabric.autocast():
                for group_losses in self.method.losses(drawn):
                    self.fabric.backward(sum(group_losses.values()) / self.accumulate)
                    for name, loss in group_losses.items():
                        totals[name] = totals.get(name, 0) + loss.detach() / self.accumulate
        average_gradients(self.method)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        self.method.after_step(step)
        if self.fabric.world_size > 1:
            totals = {name: self.fabric.all_reduce(total, reduce_op="mean") for name, total in totals.items()}
        return totals

    def _agreed(self, asked: bool) -> bool:
        """Whether any process was asked to stop: all stop after one step, or some would wait for ever."""
        if self.fabric.world_size == 1:
            return asked
        return bool(
            self.fabric.all_reduce(torch.tensor(float(asked), device=self.fabric.device), reduce_op="sum") > 0
        )

    def _check_finite(self, losses: Mapping[str, float], step: int) -> None:
        for name, value in losses.items():
            if value != value or abs(value) == float("inf"):
                raise HandsightError(
                    f"the loss '{name}' is {value} at step {step}; try a smaller --learning-rate."
                    f" The last checkpoint is kept in {self.run.folder}"
                )

    def _look(self, step: int) -> dict[str, float]:
        values: dict[str, float] = {}
        if self.fabric.is_global_zero:
            training = self.method.encoder.training
            for monitor in self.monitors:
                values |= monitor(self.method.encoder, step)
            self.method.encoder.train(training)
        self.fabric.barrier()
        return values

    def _save(self, step: int, optimiser: torch.optim.Optimizer) -> None:
        if self.fabric.is_global_zero:
            state = {
                "step": step,
                "method_name": self.method.name,
                "method": self.method.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            self.run.save_checkpoint(state, step)
        self.fabric.barrier()

    def _resume(self, optimiser: torch.optim.Optimizer) -> int:
        path = self.run.newest_checkpoint()
        if path is None:
            if self.fabric.is_global_zero:
                self.run.cut_log(0)
            self.fabric.barrier()
            return 0
        state = self.run.load_checkpoint(path)
        if state["method_name"] != self.method.name:
            raise HandsightError(
                f"{path} is a checkpoint of {state['method_name']}, not of {self.method.name};"
                " give another folder with --out"
            )
        try:
            self.method.load_state_dict(state["method"])
            optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError, KeyError) as error:
            first = str(error).splitlines()[0]
            raise HandsightError(
                f"{path} does not fit this method ({first}); give another folder with --out"
            ) from error
        step = int(state["step"])
        if self.fabric.is_global_zero:
            self.run.cut_log(step)
        self.fabric.barrier()
        log.info("resuming %s at step %d of %d", self.run.folder, step, self.steps)
        return step

    def _tensorboard(self) -> Any:
        if not self.fabric.is_global_zero:
            return _NoWriter()
        # Imported here: TensorBoard takes a second to import, and only training needs it.
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.run.folder / "tensorboard"))


class _NoWriter:
    """Stands where another process writes."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Close nothing."""


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request, answered between two steps; a second stops at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    earlier = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            earlier[number] = signal.signal(number, ask)
    except ValueError:
        # Not the main thread: signals are somebody else's.
        pass
    try:
        yield lambda: asked
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
