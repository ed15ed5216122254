"""The training loop: one explicit loop for every method.

A run comes out the same however often it is stopped, and on however many processes.
"""

from __future__ import annotations

import json
import logging
import signal
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric import Fabric

from handsight.agents import Memory, Waiting
from handsight.encoders import Encoder
from handsight.errors import HandsightError, Interrupted
from handsight.methods import Method, Optimisation
from handsight.training.batches import Source
from handsight.training.memory import freed_memory_kept
from handsight.training.optimisation import learning_rate
from handsight.training.processes import same_everywhere
from handsight.training.run import IDENTITY, Run
from handsight.training.steps import Steps

if TYPE_CHECKING:
    from handsight.training.events import Events

Monitor = Callable[[Encoder, int], Mapping[str, float]]
"""Looks at the encoder while it learns, on validation objects only; what it returns is logged."""

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Told the steps done, the steps in all and the newest losses."""

HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()

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
    sampler: Source
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
        steps = Steps(
            self.fabric, self.method, self.sampler, self.settings, self.steps, self.accumulate, self.seed
        )
        start = self._resume(steps.optimiser)
        events = self._events(start)
        began = time.monotonic()
        try:
            with _stop_requests() as stop, freed_memory_kept(self.fabric.device):
                if isinstance(self.sampler, Memory):
                    self.sampler.stopping = stop
                for step in range(start, self.steps):
                    try:
                        losses = steps.take(step)
                    except Waiting:  # nothing was learned since the last checkpoint that is not in it
                        if step > start:
                            self._save(step, steps.optimiser)
                        raise Stopped(self.run.folder, step, self.steps) from None
                    done = step + 1
                    entry: dict[str, Any] = {}
                    if done % self.log_every == 0 or done == self.steps:
                        entry = {name: float(loss) for name, loss in losses.items()}
                        self._check_finite(entry, step)
                        entry["learning_rate"] = learning_rate(self.settings, step, self.steps)
                        if isinstance(self.sampler, Memory):
                            entry |= self.sampler.figures()
                    if (
                        self.monitors
                        and self.monitor_every
                        and (done % self.monitor_every == 0 or done == self.steps)
                    ):
                        entry |= self._look(done)
                    if entry and self.fabric.is_global_zero:
                        self.run.log({"step": step, **entry, **self._spent(began)})
                        if events is not None:
                            events.add(entry, done)
                    if self.progress is not None:
                        self.progress(done, self.steps, entry)
                    stopping = self._agreed(stop())
                    if done % self.checkpoint_every == 0 or done == self.steps or stopping:
                        # Weights whose loss is not finite must not replace a good checkpoint.
                        self._check_finite({name: float(loss) for name, loss in losses.items()}, step)
                        self._save(done, steps.optimiser)
                        if stopping and done < self.steps:
                            raise Stopped(self.run.folder, done, self.steps)
        finally:
            steps.close()
            if isinstance(self.sampler, Memory):
                self.sampler.close()
            if events is not None:
                events.close()

    def _spent(self, began: float) -> dict[str, float]:
        """Return how long this process trains by now, and how much of it the world was waited for, in s."""
        spent = {"seconds": time.monotonic() - began}
        if isinstance(self.sampler, Memory):
            spent |= {"seconds_waited": self.sampler.waited_s, "seconds_filled": self.sampler.filled_s}
        return {name: round(value, 3) for name, value in spent.items()}

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
            if isinstance(self.sampler, Memory):
                state["memory"] = self.sampler.state()
            self.run.save_checkpoint(state, step)
        self.fabric.barrier()

    def _resume(self, optimiser: torch.optim.Optimizer) -> int:
        """Go on where the run stands; return its step."""
        step = self._load(optimiser)
        told = json.dumps([self.run.config.get(part) for part in IDENTITY], sort_keys=True)
        if not same_everywhere(zlib.crc32(told.encode()), self.fabric.device):
            raise HandsightError(
                "the processes of this run were given different options or recordings; start all alike"
            )
        if not same_everywhere(step, self.fabric.device):
            raise HandsightError(
                f"the processes of this run found different checkpoints in {self.run.folder}; give a folder"
                " that all machines share with --out"
            )
        if self.fabric.is_global_zero:
            self.run.cut_log(step)
        self.fabric.barrier()
        if step:
            log.info("resuming %s at step %d of %d", self.run.folder, step, self.steps)
        return step

    def _load(self, optimiser: torch.optim.Optimizer) -> int:
        path = self.run.newest_checkpoint()
        if path is None:
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
            raise HandsightError(
                f"{path} is of another network ({_misfit(state['method'], self.method)}); give another folder"
                " with --out"
            ) from error
        if isinstance(self.sampler, Memory):
            self.sampler.restore(state["memory"], int(state["step"]))
        return int(state["step"])

    def _events(self, start: int) -> Events | None:
        if not self.fabric.is_global_zero:
            return None
        # Imported here: TensorBoard takes a second to import, and only training needs it.
        from handsight.training.events import Events

        return Events(self.run.folder / "tensorboard", start)


def _misfit(saved: Mapping[str, Any], method: Method) -> str:
    """Name the first of a checkpoint's tensors that does not fit a method."""
    wanted = method.state_dict()
    for name in (*saved, *wanted):
        there, here = (_shape(tensors.get(name)) for tensors in (saved, wanted))
        if there != here:
            return f"'{name}' is {there} there and {here} here"
    return "its optimiser's state does not fit"


def _shape(tensor: Any) -> str:
    return str(list(tensor.shape)) if isinstance(tensor, torch.Tensor) else "missing"


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C, SIGTERM and the end of the terminal into a request, answered between two steps.

    A second Ctrl-C stops at once; a launcher that asks twice, as torchrun does, is not in such a hurry.
    """
    asked = interrupted = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked, interrupted
        if interrupted and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked, interrupted = True, interrupted or number == signal.SIGINT

    earlier = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM, *HANGUP):
            if number in HANGUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # as under nohup
            earlier[number] = signal.signal(number, ask)
    except ValueError:
        # Not the main thread: signals are somebody else's.
        pass
    try:
        yield lambda: asked
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
