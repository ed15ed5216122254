"""Exploration: what an agent does and sees in a place, location after location, as episodes of a world.

An episode is one location: the view before anything was done there, and what came of each attempt. So what an
agent went through is a recording like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from handsight.agents.attempts import Acting, Arrival, Experience, arrive, explore
from handsight.agents.choosing import half_random
from handsight.agents.feedback import centre_px
from handsight.agents.locations import visit
from handsight.agents.oracles import told_experience, told_points
from handsight.encoders.unet import STRIDE
from handsight.errors import HandsightError
from handsight.methods.acting import Oracle
from handsight.methods.rounds import Plan, Round
from handsight.recordings.features import Feature, camera
from handsight.worlds.places import Instance, Location, Place
from handsight.worlds.world import Episode, FactType

CAMERA = "observation.images.camera"
DEPTH = "observation.depth_m"
POINT = "attempts.point"
FORCE = "attempts.force"
FEEDBACK = "attempts.feedback"
MASK = "attempts.mask"

UNUSED = -1
"""Stands in place of the feedback of an attempt that was not made."""

Actions = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Cells int64 `[M, 2]`, rows and columns, and bins of forces int64 `[M]`."""


class Chooser(Protocol):
    """Says where to act: a network that learns meanwhile. It can be pickled."""

    def choose(self, arrival: Arrival, count: int, weights: Path | None) -> Actions:
        """Return at most `count` cells and forces, the best first.

        Args:
            arrival: what is seen.
            count: how many.
            weights: file of the weights to choose with.
        """

    def options(self) -> dict[str, Any]:
        """Return all that its choice depends on, beside the weights, as JSON can say it."""


@dataclass(frozen=True)
class Tally:
    """How often an agent's points lay on movable things within reach: the truth, for evaluation only.

    Args:
        chosen_n: points that were chosen.
        chosen_hits: of them, on something.
        random_n: points that were drawn.
        random_hits: of them, on something.
    """

    chosen_n: int
    chosen_hits: int
    random_n: int
    random_hits: int

    @classmethod
    def of(cls, points: NDArray[np.int64], chosen_n: int, instances: list[Instance]) -> Tally:
        """Count hits; the first `chosen_n` points were chosen, the others drawn."""
        rows, columns = centre_px(points).T
        within = [instance.mask[rows, columns] for instance in instances if instance.in_reach]
        hit = np.any(within, axis=0) if within else np.zeros(len(points), bool)
        return cls(chosen_n, int(hit[:chosen_n].sum()), len(points) - chosen_n, int(hit[chosen_n:].sum()))


def streams(image_size: int, attempts: int) -> dict[str, Feature]:
    """Return the streams of an exploration.

    Args:
        image_size: S, of the view, pixels.
        attempts: N, most at a location; what is left of them is `UNUSED`.
    """
    grid = image_size // STRIDE
    return {
        CAMERA: camera(image_size, image_size),
        DEPTH: Feature("float16", (image_size, image_size), moves="map", between="first", unit="m"),
        POINT: Feature("float32", (attempts, 2), moves="point", between="first"),
        FORCE: Feature("int8", (attempts,), moves="nothing", between="first"),
        FEEDBACK: Feature("int8", (attempts,), moves="nothing", between="first"),
        MASK: Feature("bool", (attempts, grid, grid), moves="map", between="first"),
    }


class Exploration:
    """Episode i is what the agent went through at its i-th location.

    It follows from the options, the seed, i and the weights at the start of the round before i's.

    Args:
        place: where.
        chooser: says where to act; half of the attempts are at random.
        plan: how many attempts, and with which weights.
        snapshots: folder of the weights, a file a round.
        split: whose rooms the locations are in.
        acting: how the agent acts.
        oracles: what it is told (appendix D): `points` on all things in reach, `masks` of what is at a point.

    Raises:
        HandsightError: the split has no rooms, or pictures do not divide into cells.
    """

    def __init__(
        self,
        place: Place,
        chooser: Chooser,
        plan: Plan,
        snapshots: Path,
        split: str,
        acting: Acting,
        oracles: Collection[Oracle] = (),
    ) -> None:
        self.place, self.chooser, self.plan, self.snapshots = place, chooser, plan, snapshots
        self.split, self.acting, self.oracles = split, acting, tuple(oracles)
        self.attempts = max(phase.attempts for phase in plan.phases)
        if not place.rooms(split):
            raise HandsightError(f"{place.name} has no rooms in the split '{split}'")
        if place.image_size % STRIDE:
            raise HandsightError(
                f"{place.name} shows pictures of {place.image_size} pixels; give a multiple of {STRIDE}:"
                f" what moved is told in cells of {STRIDE} × {STRIDE}"
            )

    name = "exploration"
    fps = 1

    @property
    def features(self) -> Mapping[str, Feature]:
        """The view, its depth, and what came of the attempts."""
        return streams(self.place.image_size, self.attempts)

    @property
    def facts(self) -> Mapping[str, FactType]:
        """Where it was, when, and how often the agent hit something."""
        numbers = ("room_seed", "round", "phase", "attempts_n", "successes_n", "forces_n", "dropped_n")
        tally = tuple(Tally.__dataclass_fields__)
        return {"room": "string", "split": "string", **dict.fromkeys((*numbers, *tally), "int64")}

    def options(self) -> dict[str, Any]:
        """Return what an episode depends on beside the seed, its index and the weights."""
        return {
            "place": {"name": self.place.name, **self.place.options()},
            "chooser": self.chooser.options(),
            "phases": [asdict(phase) for phase in self.plan.phases],
            "split": self.split,
            "acting": asdict(self.acting),
            "oracles": list(self.oracles),
        }

    def episode(self, seed: int, index: int) -> Episode:
        """Return what came of location `index`."""
        this = self.plan.at_location(index)
        found, _, dropped = visit(
            self.place, self.split, seed, index, lambda location, rng: self._explore(location, this, rng)
        )
        return self._told(*found, this, dropped)

    def close(self) -> None:
        """Give back what the place opened."""
        self.place.close()

    def _explore(
        self, location: Location, this: Round, rng: np.random.Generator
    ) -> tuple[Experience, Tally] | None:
        """Act at a location; None where the simulation fails there."""
        phase = self.plan.phases[this.phase]
        acting = replace(self.acting, weigh=phase.force)
        arrival = arrive(self.place, location, acting)
        instances = self.place.instances()
        weights = self.snapshots / snapshot_name(this.acts_with)
        chosen = self.chooser.choose(arrival, phase.attempts // 2, weights)
        grid = self.place.image_size // STRIDE
        points, bins = half_random(rng, *chosen, phase.attempts, grid, len(acting.forces_n))
        tally = Tally.of(points, min(len(chosen[0]), phase.attempts // 2), instances)
        reach_m, depth_m = self.place.reach_m, arrival.sight.depth_m
        if "points" in self.oracles:
            points, which = told_points(rng, points, instances, depth_m, reach_m)
            added = rng.integers(len(acting.forces_n), size=len(which))
            bins = np.where(which < 0, added, bins[which])
        if "masks" in self.oracles:
            experience = told_experience(arrival, points, instances, reach_m, acting.senses)
        else:
            experience = explore(self.place, arrival, points, bins, rng, acting)
        return None if experience.dropped else (experience, tally)

    def _told(self, experience: Experience, tally: Tally, this: Round, dropped: int) -> Episode:
        """Return an experience as an episode of one frame."""
        size, made = self.place.image_size, len(experience.points)
        grid = size // STRIDE
        point = np.zeros((self.attempts, 2), np.float32)
        # x and y of the pixel in the cell's middle, as recordings have them.
        point[:made] = (centre_px(experience.points[:, ::-1]) + 0.5) / size
        force, feedback = np.zeros(self.attempts, np.int8), np.full(self.attempts, UNUSED, np.int8)
        force[:made], feedback[:made] = experience.bins, experience.feedback
        mask = np.zeros((self.attempts, grid, grid), bool)
        mask[:made] = experience.masks
        frames = {
            CAMERA: experience.image,
            DEPTH: experience.depth_m.astype(np.float16),
            POINT: point,
            FORCE: force,
            FEEDBACK: feedback,
            MASK: mask,
        }
        facts = {
            "room": experience.room,
            "split": self.split,
            "room_seed": experience.seed,
            "round": this.number,
            "phase": this.phase,
            "attempts_n": made,
            "successes_n": int((experience.feedback > 0).sum()),
            "forces_n": int(experience.tries_n.sum()),
            "dropped_n": dropped,
            **asdict(tally),
        }
        task = "apply forces to what is in view"
        return Episode({name: np.asarray(value)[None] for name, value in frames.items()}, facts, task)


def snapshot_name(number: int) -> str:
    """Return the name of the file of the weights at the start of a round."""
    return f"round-{number:06d}.safetensors"
