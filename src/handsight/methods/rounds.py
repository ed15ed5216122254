"""Rounds: when an agent that acts while it learns acts, and when it learns from what it did."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from handsight.errors import HandsightError


@dataclass(frozen=True)
class Phase:
    """A part of the training with a memory of its own.

    Args:
        rounds: how often the agent acts and then learns.
        prefill: locations that it acts at before the first round.
        locations: that it acts at in a round.
        attempts: at a location, half of them at random.
        updates: steps of the optimiser in the first and in the last round; those between lie between.
        force: whether attempts test which force it takes; else each applies the largest once.
        frozen_rounds: of them, the first, in which nothing but what tells the force is trained.
    """

    rounds: int
    prefill: int
    locations: int
    attempts: int
    updates: tuple[int, int]
    force: bool = False
    frozen_rounds: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "prefill", "locations", "attempts"):
            if getattr(self, name) < 1:
                raise HandsightError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if min(self.updates) < 1:
            raise HandsightError(f"updates are {self.updates}; each must be at least 1")

    def updates_in(self, number: int) -> int:
        """Return how many steps round `number`, from 1, has (appendix D: linearly annealed)."""
        first, last = self.updates
        return int(first + (last - first) * number / self.rounds)


@dataclass(frozen=True)
class Round:
    """A round, its number counted through all phases.

    Args:
        number: from 0, fillings of the memory included.
        phase: which of the plan's.
        within: its number in the phase; 0 fills the memory.
        first_location: of those that the agent acts at in it.
        locations: how many.
        first_step: of the optimiser.
        steps: how many; none where the memory is filled.
    """

    number: int
    phase: int
    within: int
    first_location: int
    locations: int
    first_step: int
    steps: int

    @property
    def acts_with(self) -> int:
        """The round at whose start the weights were that choose where to act in this one.

        The one before, so that the agent acts while the network still learns from what came before.
        """
        return max(self.number - 1, 0)


class Plan:
    """All rounds of a training.

    Args:
        phases: one after the other.
    """

    def __init__(self, phases: Sequence[Phase]) -> None:
        self.phases = tuple(phases)

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        """All rounds, in order."""
        rounds: list[Round] = []
        location = step = 0
        for number, phase in enumerate(self.phases):
            for within in range(phase.rounds + 1):
                locations = phase.locations if within else phase.prefill
                steps = phase.updates_in(within) if within else 0
                rounds.append(Round(len(rounds), number, within, location, locations, step, steps))
                location, step = location + locations, step + steps
        return tuple(rounds)

    @property
    def steps(self) -> int:
        """Steps of the optimiser in all."""
        return self.rounds[-1].first_step + self.rounds[-1].steps

    @property
    def locations(self) -> int:
        """Locations in all."""
        return self.rounds[-1].first_location + self.rounds[-1].locations

    def at_step(self, step: int) -> Round:
        """Return the round that a step belongs to; the last one's for steps beyond."""
        starts = [this.first_step for this in self.rounds]
        return self.rounds[max(bisect_right(starts, step) - 1, 0)]

    def at_location(self, location: int) -> Round:
        """Return the round in which a location is acted at."""
        starts = [this.first_location for this in self.rounds]
        return self.rounds[bisect_right(starts, location) - 1]

    def first_location(self, phase: int) -> int:
        """Return the first location of a phase, with which its memory begins."""
        return next(this.first_location for this in self.rounds if this.phase == phase)

    def first_step(self, phase: int) -> int:
        """Return the first step of a phase."""
        return next(this.first_step for this in self.rounds if this.phase == phase)

    def frozen(self, step: int) -> bool:
        """Whether only what tells the force is trained at a step."""
        this = self.at_step(step)
        return this.within <= self.phases[this.phase].frozen_rounds and self.phases[this.phase].force
