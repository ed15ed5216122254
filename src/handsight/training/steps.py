"""One step of training after the other: batches, losses, gradients and the optimiser, for every method."""

from __future__ import annotations

import torch
from lightning.fabric import Fabric

from handsight.methods import Method, Optimisation
from handsight.training.batches import Batches, Source, generator_for
from handsight.training.optimisation import learning_rate, make_optimiser
from handsight.training.processes import average_gradients, synchronise_batch_norm


class Steps:
    """Takes the steps of one training; what a step does follows from its number and the weights alone.

    Args:
        fabric: devices, precision and processes.
        method: prepared, on the device; in training mode from here on.
        sampler: gives batches.
        settings: resolved.
        steps: in all, which the learning rate's schedule ends with.
        accumulate: slices of a batch that are forwarded one after another before a step.
        seed: of the run.

    Attributes:
        optimiser: of the method's trainable weights.
    """

    def __init__(
        self,
        fabric: Fabric,
        method: Method,
        sampler: Source,
        settings: Optimisation,
        steps: int,
        accumulate: int = 1,
        seed: int = 0,
    ) -> None:
        self.fabric, self.method, self.settings = fabric, method, settings
        self.steps, self.accumulate, self.seed = steps, accumulate, seed
        synchronise_batch_norm(method)
        method.train()
        self.optimiser = make_optimiser(method, settings)
        self._batches = Batches(sampler, method, seed, fabric.device)

    def take(self, step: int) -> dict[str, torch.Tensor]:
        """Take step `step`, and return its losses, by name: the means over slices and processes."""
        self.method.before_step(step)
        if any(stage.begins == step and stage.fresh for stage in self.method.stages):
            self.optimiser.state.clear()
        rate = learning_rate(self.settings, step, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parts = self.fabric.world_size * self.accumulate
        totals: dict[str, torch.Tensor] = {}
        for micro in range(self.accumulate):
            part = self.fabric.global_rank * self.accumulate + micro
            last = micro + 1 == self.accumulate
            following = (step + 1, part - micro) if last else (step, part + 1)
            drawn = self._batches.get(step, part, parts, following if following[0] < self.steps else None)
            # Dropout and the like: the same on every resume, different on every process.
            torch.manual_seed(int(generator_for(self.seed, f"model {part}", step).initial_seed()))
            with self.fabric.autocast():
                for group_losses in self.method.losses(drawn):
                    self.fabric.backward(sum(group_losses.values()) / self.accumulate)
                    for name, loss in group_losses.items():
                        totals[name] = totals.get(name, 0) + loss.detach() / self.accumulate
        average_gradients(self.method)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.method.after_step(step)
        if self.fabric.world_size > 1:
            totals = {name: self.fabric.all_reduce(total, reduce_op="mean") for name, total in totals.items()}
        return totals

    def close(self) -> None:
        """Stop fetching batches."""
        self._batches.close()
