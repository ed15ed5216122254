"""What the cells of learning to interact's tables are at each scale: the rooms, the network, the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handsight.encoders.unet import UNET
from handsight.methods.rounds import Phase, Plan
from handsight.studies.cells import Settings
from handsight.studies.study import Scale

FAR_M = 1000.0
"""A reach that is as good as unlimited."""


@dataclass(frozen=True)
class Budget:
    """How large a scale is.

    Args:
        image_size: of the view, pixels.
        width: factor on the network's channels.
        padded: whether its maps keep their middle where it is (see `encoders.unet`).
        superpixel_px: of the smallest superpixel, in pixels of a 300 × 300 picture.
        superpixel_share: of a superpixel that has to change for all of it to count as moved.
        hidden: neurons of each head.
        coordinate_scale: of the heads.
        rounds: of acting and learning, over both phases.
        prefill: locations before the first round, over both phases.
        locations: in a round.
        attempts: at a location; where forces are tested, half as many.
        updates: steps of the optimiser in the first and in the last round.
        force_updates: the same where forces are tested.
        as_long: whether agents that test no forces act and learn for as long as those that do, in both their
            phases; the paper's stop after the first.
        frozen_rounds: of those with forces.
        memory_capacity: experiences.
        batch_size: experiences in a step.
        learning_rate: of Adam.
        precision: as in `Training`.
        workers: processes that act beside the training.
        rcnn: arguments of Mask R-CNN beside the network's.
        rcnn_steps: of its optimiser.
        rcnn_batch: pictures in its step.
        looks: how often validation rooms are looked at.
        validation: sights of validation rooms.
        test: sights of test rooms.
        headline_seeds: of the rows that a claim rests on.
        other_seeds: of the others.
    """

    image_size: int
    width: float
    padded: bool
    superpixel_px: int
    superpixel_share: float
    hidden: int
    coordinate_scale: float
    rounds: int
    prefill: int
    locations: int
    attempts: int
    updates: tuple[int, int]
    force_updates: tuple[int, int]
    as_long: bool
    frozen_rounds: int
    memory_capacity: int
    batch_size: int
    learning_rate: float
    precision: str
    workers: int
    rcnn: Mapping[str, int]
    rcnn_steps: int
    rcnn_batch: int
    looks: int
    validation: int
    test: int
    headline_seeds: int
    other_seeds: int


BUDGETS: Mapping[Scale, Budget] = {
    "tiny": Budget(
        image_size=75,
        width=0.1,
        padded=True,
        superpixel_px=50,
        superpixel_share=0.5,
        hidden=8,
        coordinate_scale=1.0,
        rounds=2,
        prefill=8,
        locations=2,
        attempts=4,
        updates=(1, 1),
        force_updates=(1, 1),
        as_long=True,
        frozen_rounds=0,
        memory_capacity=20,
        batch_size=4,
        learning_rate=1e-3,
        precision="32-true",
        workers=0,
        rcnn={"width": 8, "hidden": 8, "regions": 16},
        rcnn_steps=2,
        rcnn_batch=4,
        looks=1,
        validation=12,
        test=16,
        headline_seeds=1,
        other_seeds=1,
    ),
    "small": Budget(
        image_size=150,
        width=0.5,
        # Unpadded, a 38 × 38 map is stretched to 50 × 50: up to 18 pixels from what it saw.
        padded=True,
        # A quarter of the things have fewer than 53 pixels here; the paper's 200 would be 50 of these.
        superpixel_px=50,
        # Masks of 61 % of the things that were pushed overlap the true one by half; with a quarter, of 52 %.
        superpixel_share=0.5,
        hidden=64,
        coordinate_scale=0.1,
        rounds=60,
        prefill=1800,
        locations=36,
        attempts=20,
        updates=(15, 50),
        force_updates=(15, 50),
        as_long=True,
        frozen_rounds=5,
        memory_capacity=20_000,
        batch_size=16,
        learning_rate=1e-3,
        precision="bf16-mixed",
        workers=1,
        rcnn={"width": 64, "hidden": 256, "regions": 64},
        rcnn_steps=1500,
        rcnn_batch=8,
        looks=8,
        validation=120,
        test=400,
        headline_seeds=2,
        other_seeds=2,
    ),
    "paper": Budget(
        image_size=300,
        width=1.0,
        padded=False,
        superpixel_px=200,
        superpixel_share=0.25,
        hidden=128,
        coordinate_scale=1.0,
        rounds=1800,
        prefill=6000,
        locations=70,
        attempts=20,
        updates=(15, 45),
        force_updates=(15, 35),
        as_long=False,
        frozen_rounds=100,
        memory_capacity=20_000,
        batch_size=64,
        learning_rate=5e-4,
        precision="bf16-mixed",
        workers=35,
        rcnn={"width": 256, "hidden": 1024, "regions": 512},
        rcnn_steps=90_000,
        rcnn_batch=16,
        looks=20,
        validation=500,
        test=2000,
        headline_seeds=3,
        other_seeds=2,
    ),
}


def settings_of(
    budget: Budget,
    splits: str,
    *,
    weigh: bool = False,
    trained: bool = True,
    reach_m: float | None = None,
    **options: Any,
) -> Settings:
    """Return a cell's settings: the agent of one row at a budget.

    Args:
        budget: of the scale.
        splits: `novel-spaces` or `novel-objects`.
        weigh: whether the second half of the rounds tests forces; otherwise all rounds are without.
        trained: whether it is trained at all.
        reach_m: how far the agent reaches, where that is another than the paper's.
        options: of the method, that differ.
    """
    place: dict[str, Any] = {"image_size": budget.image_size, "splits": splits}
    network = {
        "encoder": UNET,
        "image_size": budget.image_size,
        "encoder_options": {"width": budget.width} | ({"padded": True} if budget.padded else {}),
        "hidden": budget.hidden,
        "coordinate_scale": budget.coordinate_scale,
    }
    halves = 1 if budget.as_long and not weigh else 2
    plan = {
        "rounds": budget.rounds // halves,
        "force_rounds": budget.rounds // 2 if weigh else 0,
        "prefill": budget.prefill // halves,
        "locations": budget.locations,
        "attempts": budget.attempts,
        "force_attempts": budget.attempts // 2,
        "updates": list(budget.updates),
        "force_updates": list(budget.force_updates),
        "frozen_rounds": budget.frozen_rounds,
        "memory_capacity": budget.memory_capacity,
        "superpixel_px": budget.superpixel_px,
        "superpixel_share": budget.superpixel_share,
    }
    name = {"name": "learning-to-interact" if trained else "random"}
    return {
        "place": place | ({} if reach_m is None else {"reach_m": reach_m}),
        "method": name | network | ({**plan, **options} if trained else {}),
        "training": {
            "batch_size": budget.batch_size,
            "learning_rate": budget.learning_rate,
            "precision": budget.precision,
            "checkpoint_every": 100,
            "log_every": 10,
            "workers": budget.workers,
        },
        "looks": budget.looks,
        "validation": budget.validation,
        "test": budget.test,
    }


def baseline_of(
    budget: Budget, splits: str, method: str, oracles: tuple[str, ...] = ("points",), **options: Any
) -> Settings:
    """Return a cell's settings: a baseline that learns from what was done beforehand.

    Args:
        budget: of the scale.
        splits: as in `settings_of`.
        method: `mask-rcnn` or `video-pca`.
        oracles: who said where to act, and what moved.
        options: of the method.
    """
    plan = settings_of(budget, splits)
    acted = plan["method"]
    locations = acted["rounds"] * budget.locations + acted["prefill"]
    told = {"oracles": list(oracles), "locations": locations, "attempts": budget.attempts}
    told["senses"] = {name: acted[name] for name in ("superpixel_px", "superpixel_share")}
    training = {**plan["training"], "workers": 1}
    if method == "mask-rcnn":
        narrow = {"channels": [16, 32, 64, 128], "stem_width": 16} if budget.width < 1 else {}
        network: dict[str, Any] = {"encoder": "resnet18", "image_size": budget.image_size, **budget.rcnn}
        if narrow:
            network["encoder_options"] = narrow
        training |= {"batch_size": budget.rcnn_batch, "learning_rate": 2e-3, "steps": budget.rcnn_steps}
        training |= {"warmup_steps": budget.rcnn_steps // 90}
    else:
        network = {
            name: value for name, value in acted.items()
            if name in ("encoder", "image_size", "encoder_options", "hidden", "coordinate_scale")
        }  # fmt: skip
        phase = Phase(acted["rounds"], acted["prefill"], budget.locations, budget.attempts, budget.updates)
        training["steps"] = Plan([phase]).steps
    return {**plan, "method": {"name": method, **network, **options}, "training": training, "told": told}
