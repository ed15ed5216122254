"""The memory: what an agent went through, drawn from while it goes through more.

Lohmann et al. 2020, section 4.2-IV and appendix C. To the training loop it is a sampler like that of a
recording; behind it worker processes act in the world while the network learns from what came before.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from handsight.agents.exploration import CAMERA, Exploration, snapshot_name
from handsight.agents.gathering import Arrays, Gathering, Held, Waiting
from handsight.errors import HandsightError
from handsight.methods.rounds import Round
from handsight.recordings import Batch, Needs, Recording
from handsight.recordings.durable import partial, publish
from handsight.recordings.features import Between, Feature

FIRST_PRIORITY = 0.5
"""Of what was never drawn: above all that follows (appendix C: at most 0.27)."""

COUNTS = ("attempts_n", "successes_n", "chosen_n", "chosen_hits", "random_n", "random_hits")
"""Facts of experiences that the log adds up."""

PIECE_N = 100
"""Experiences that processes share at once: 65 MB at the paper's size, where all of a memory are 13 GB."""

PATIENCE_S = 30.0
"""After so long the other processes are told, if of nothing: they take long silence for a failure."""

SNAPSHOTS = "snapshots"
"""The weights that choose where to act, in a run's folder, a file a round."""

log = logging.getLogger("handsight")

Share = Callable[[Any], Any]
"""Gives every process what the first one has."""


class Memory:
    """Draws batches from the newest experiences, in the manner of `Sampler`.

    Batch s follows from the seed, s and the priorities; those are its state. All that the agent goes through
    is kept as a recording, `experience/` in the run's folder, from which a run that was stopped goes on.

    Args:
        exploration: what makes experiences, in order.
        needs: the name of what is drawn and what one sample is, as the method says.
        batch_size: experiences in one batch, over all processes; none twice.
        seed: of the run.
        folder: of the run.
        capacity: experiences that are drawn from at most, the newest.
        prioritised: whether they are drawn by their priorities; else evenly.
        workers: processes that act.
        first_process: whether this is the one that has the workers.
        share: how the others learn what it has; None where there are none.

    Attributes:
        ahead: False: a batch cannot be drawn before the step that comes first has been learned from.
        waited_s: how long the world was waited for so far, beside the fillings of the memory.
        filled_s: how long these were waited for.

    Raises:
        HandsightError: a batch is larger than what is there at first.
    """

    ahead = False

    def __init__(
        self,
        exploration: Exploration,
        needs: Mapping[str, Needs],
        batch_size: int,
        seed: int,
        folder: Path,
        *,
        capacity: int = 20_000,
        prioritised: bool = True,
        workers: int = 1,
        first_process: bool = True,
        share: Share | None = None,
    ) -> None:
        self.exploration, self.plan = exploration, exploration.plan
        self.needs, self.batch_size, self.seed = dict(needs), batch_size, seed
        self.folder, self.capacity, self.workers = folder, capacity, workers
        self.prioritised, self.first_process, self._share_with = prioritised, first_process, share
        smallest = min(capacity, *(phase.prefill for phase in self.plan.phases))
        if batch_size > smallest:
            raise HandsightError(
                f"a batch of {batch_size} is larger than the {smallest} locations that the memory holds at"
                " first; make it smaller (--batch-size), or give more to begin with (--prefill)"
            )
        self.clips = _View(exploration)
        self.kinds: dict[tuple[str, str], Between] = {
            (name, stream): "first" for name, need in self.needs.items() for stream in need.between
        }
        self.vocabulary: dict[str, list[str]] = {}
        self.stopping: Callable[[], bool] = lambda: False
        self.waited_s = self.filled_s = 0.0
        # Beside what is drawn from, those of a round that is under way.
        self._held = Held(exploration, capacity, max(this.locations for this in self.plan.rounds))
        self._priorities = np.full(self.plan.locations, FIRST_PRIORITY)
        self._begun = 0  # rounds
        self._restored = False
        self._gathering: Gathering | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the whole plan: one epoch is all of it."""
        return self.plan.steps

    def batch(self, need: str, step: int, rank: int = 0, world_size: int = 1) -> Batch:
        """Return this process's slice of batch `step`, as `Sampler` does; `clip` says which experiences.

        Raises:
            HandsightError: when the batch does not divide by the number of processes.
        """
        if self.batch_size % world_size:
            raise HandsightError(
                f"a batch of {self.batch_size} does not divide by {world_size} processes; choose a multiple"
            )
        share = self.batch_size // world_size
        drawn = self._draw(need, step)[rank * share : (rank + 1) * share]
        batch: Batch = {
            "frames": torch.from_numpy(self._held.get(CAMERA, drawn)).permute(0, 3, 1, 2)[:, None],
            "frame_index": torch.from_numpy(drawn)[:, None],
            "clip": torch.from_numpy(drawn),
        }
        for stream in self.needs[need].between:
            batch[stream] = torch.from_numpy(self._held.get(stream, drawn).astype(np.float32))
        return batch

    def turn_to(self, step: int, weights: Callable[[], Mapping[str, Tensor]]) -> None:
        """Begin the rounds that begin with a step: keep the weights, and wait for what is done in them.

        Args:
            step: that comes next.
            weights: gives those that choose where to act, as they are now.

        Raises:
            HandsightError: what went wrong in the world.
            Waiting: the user asked to stop.
        """
        if self._gathering is None and self.first_process:
            oldest = self._oldest(step) if self._begun else 0
            self._gathering = Gathering(
                self.exploration, self.seed, self.folder, self.workers, self._held, oldest
            )
            self._gathering.know(self._begun)
        if self._restored:
            self._restored = False
            # After a power failure the newest may have to be made again.
            self._have(range(self._oldest(step - 1), self._end(self._begun)))
        while self._begun < len(self.plan.rounds) and self.plan.rounds[self._begun].first_step <= step:
            this = self.plan.rounds[self._begun]
            self._begun += 1
            if self._gathering is not None:
                self._keep(this, weights())
                if this.within == 0:
                    log.info("acting at %d locations, then learning begins", this.locations)
                self._gathering.know(self._begun)
            began = time.monotonic()
            self._have(range(this.first_location, this.first_location + this.locations))
            if this.within:
                self.waited_s += time.monotonic() - began
            else:
                self.filled_s += time.monotonic() - began

    def learn(self, experiences: Tensor, priorities: Tensor) -> None:
        """Set the priorities of experiences, int64 `[B]` and float `[B]`: of all processes' together."""
        self._priorities[experiences.cpu().numpy()] = priorities.double().cpu().numpy()

    def figures(self) -> dict[str, float]:
        """Return what is worth a line of the log, of the newest round: how often points lay on things."""
        if self._gathering is None or not self._begun:
            return {}
        last = self.plan.rounds[self._begun - 1]
        numbers = range(last.first_location, last.first_location + last.locations)
        facts = [self._gathering.facts[number] for number in numbers]
        total = {name: sum(fact[name] for fact in facts) for name in COUNTS}
        return {
            "hits_chosen": total["chosen_hits"] / max(1, total["chosen_n"]),
            "hits_random": total["random_hits"] / max(1, total["random_n"]),
            "successes": total["successes_n"] / max(1, total["attempts_n"]),
        }

    def state(self) -> dict[str, Any]:
        """Return what a run that goes on has to know; and let go of weights that nobody asks for again."""
        if self._gathering is not None:
            # What a power failure takes from here on is made again with weights that are kept.
            self._gathering.secure()
            oldest = self._begun - 3
            for path in (self.folder / SNAPSHOTS).glob("round-*.safetensors"):
                if path.name < snapshot_name(max(oldest, 0)):
                    path.unlink()
        return {"priorities": torch.from_numpy(self._priorities.copy())}

    def restore(self, state: Mapping[str, Any], step: int) -> None:
        """Stand where a run stood before a step; arguments as `state` gave them."""
        self._priorities = state["priorities"].numpy().copy()
        self._begun = sum(this.first_step < step for this in self.plan.rounds)
        self._restored = True

    def close(self) -> None:
        """Stop acting. What was gone through is kept."""
        if self._gathering is not None:
            self._gathering.close()
        self.exploration.close()

    def _draw(self, need: str, step: int) -> NDArray[np.int64]:
        end = self._end(self.plan.at_step(step).number + 1)
        live = np.arange(self._oldest(step), end)
        words = [self.seed, zlib.crc32(need.encode()), step]
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))
        weight = self._priorities[live] if self.prioritised else np.ones(len(live))
        return np.asarray(rng.choice(live, self.batch_size, replace=False, p=weight / weight.sum()))

    def _oldest(self, step: int) -> int:
        """Return the first experience that is drawn from at a step."""
        this = self.plan.at_step(step)
        return max(self.plan.first_location(this.phase), self._end(this.number + 1) - self.capacity)

    def _end(self, rounds: int) -> int:
        """Return how many experiences the first so many rounds have."""
        if rounds == 0:
            return 0
        last = self.plan.rounds[rounds - 1]
        return last.first_location + last.locations

    def _have(self, experiences: range) -> None:
        """Wait until experiences are there: in the first process, which gives them to the others.

        Raises:
            HandsightError: what went wrong in the world.
            Waiting: the user asked to stop; all processes then stop together.
        """
        if self._share_with is None:
            assert self._gathering is not None
            self._gathering.wait(experiences.stop, self.stopping)
            return
        first = experiences.start
        while first < experiences.stop:
            given: Arrays | None = None
            if self._gathering is not None:
                end = min(first + PIECE_N, experiences.stop)
                with suppress(Waiting):
                    there = self._gathering.wait(end, self.stopping, PATIENCE_S)
                    given = self._held.all_of(np.arange(first, there))
            given = self._share_with(given)
            if given is None:
                raise Waiting
            numbers = np.arange(first, first + len(given[CAMERA]))
            if self._gathering is None:
                self._held.put_all(numbers, given)
            first += len(numbers)

    def _keep(self, this: Round, weights: Mapping[str, Tensor]) -> None:
        """Write the weights down with which a later round acts."""
        path = self.folder / SNAPSHOTS / snapshot_name(this.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, partial(path))
        publish(path)


class _View:
    """What of `Clips` a memory has."""

    def __init__(self, exploration: Exploration) -> None:
        self._features = exploration.features
        self.recordings: tuple[Recording, ...] = ()
        self.split = exploration.split
        self.num_frames = exploration.plan.locations

    def feature(self, name: str) -> Feature:
        """Return the feature of a stream."""
        return self._features[name]
