"""An agent that learns: its network says where to act, and its memory is what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from handsight.agents.attempts import Acting, Arrival
from handsight.agents.exploration import Actions, Exploration
from handsight.agents.feedback import SelfSupervision
from handsight.agents.memory import SNAPSHOTS, Memory
from handsight.errors import HandsightError
from handsight.methods import METHODS
from handsight.methods.acting import ActingMethod
from handsight.worlds.places import Place


class LearningChooser:
    """Chooses as a method's network did at the start of a round.

    Args:
        name: of the method.
        arguments: of its constructor, plain values; what is done to pictures in training, and the weights it
            began with, make no difference here.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        self._name = name
        self._arguments = {
            key: value for key, value in arguments.items() if key not in ("augmentation", "init")
        }
        self._method: ActingMethod | None = None
        self._loaded: Path | None = None

    def choose(self, arrival: Arrival, count: int, weights: Path | None) -> Actions:
        """Return the network's proposals, with these weights.

        Raises:
            HandsightError: the weights are gone.
        """
        if count == 0:
            return RandomChooser().choose(arrival, count, weights)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # others act beside this one
        try:
            if self._method is None:
                built = METHODS[self._name](**self._arguments)
                assert isinstance(built, ActingMethod)
                self._method = built.eval()
            if weights is not None and weights != self._loaded:
                if not weights.is_file():
                    raise HandsightError(
                        f"{weights} is gone, and with it how to make experiences again that were lost; train "
                        "anew, in another folder"
                    )
                self._method.load_acting_weights(load_file(weights))
                self._loaded = weights
            return self._method.choose(arrival.sight.image, arrival.sight.depth_m, count)
        finally:
            torch.set_num_threads(threads)

    def options(self) -> dict[str, Any]:
        """Return the method and its arguments."""
        return {"method": self._name, **self._arguments}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_method": None, "_loaded": None}


class RandomChooser:
    """Chooses nothing, so that all attempts are at random."""

    def choose(self, arrival: Arrival, count: int, weights: Path | None) -> Actions:
        """Return no points."""
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)

    def options(self) -> dict[str, Any]:
        """Return that it is random."""
        return {"method": "random"}


def make_memory(
    method: ActingMethod,
    place: Place,
    folder: Path,
    *,
    batch_size: int,
    seed: int,
    split: str,
    workers: int,
    first_process: bool = True,
    share: Callable[[Any], Any] | None = None,
) -> Memory:
    """Return the memory that a method learns from while it acts in a place; the method is told of it.

    Args:
        method: says when and how it acts.
        place: where; its pictures are of the size that the method's encoder takes.
        folder: of the run.
        batch_size: experiences in a step, over all processes.
        seed: of the run.
        split: whose rooms it acts in.
        workers: processes that act.
        first_process: see `Memory`.
        share: see `Memory`.

    Raises:
        HandsightError: the sizes differ; or what `Memory` raises.
    """
    size = method.encoder.image_size
    if place.image_size != size:
        raise HandsightError(
            f"{place.name} shows pictures of {place.image_size} pixels and {method.name} learns from"
            f" {size}; give both the same size (--image-size, --{place.name}.image-size)"
        )
    exploration = Exploration(
        place,
        LearningChooser(method.name, method.arguments),
        method.plan,
        folder / SNAPSHOTS,
        split,
        Acting(senses=senses_of(method)),
        method.oracles,
    )
    memory = Memory(
        exploration,
        method.needs,
        batch_size,
        seed,
        folder,
        capacity=method.memory_capacity,
        prioritised=method.prioritised,
        workers=workers,
        first_process=first_process,
        share=share,
    )
    method.memory = memory
    return memory


def senses_of(method: ActingMethod) -> SelfSupervision:
    """Return how a method's agent tells what came of its acting."""
    return SelfSupervision(
        difference=method.difference,
        superpixels=method.superpixels,
        superpixel_px=method.superpixel_px,
        superpixel_share=method.superpixel_share,
        kernel=method.kernel,
    )
