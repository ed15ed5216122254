"""What the cells of action-aware SSL's tables are at each scale: the world, the network, the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from handsight.augmentation import Augmentation
from handsight.studies.cells import Settings
from handsight.studies.study import Scale

SHOWN = (
    *("mug", "bottle", "chair", "table", "lamp", "car", "aeroplane", "boat"),
    *("hammer", "duck", "guitar", "camera"),
)
"""Categories that encoders learn from and are measured on."""

UNSEEN = ("bowl", "dumbbell", "umbrella", "cactus", "teapot", "elephant", "truck", "fish")
"""Categories of the transfer benchmark."""


@dataclass(frozen=True)
class Budget:
    """How large a scale is.

    Args:
        world: options of the turntable.
        objects: clips, one object each; seven in ten train, one validates, two test.
        transfer: options of the turntable that differ where categories that were never shown are measured.
        transfer_objects: clips of these.
        image_size: of the encoder, pixels.
        encoder: by name.
        encoder_options: of timm's model.
        steps: of the optimiser, in rows that a claim rests on and those beside them.
        short_steps: of the tables that vary one thing at a time.
        batch_size: pairs in a step.
        learning_rate: of AdamW.
        precision: as in `Training`.
        heads: widths of BYOL's and VICReg's heads, where they are not to be their papers'.
        headline_seeds: of the rows that a claim rests on.
        other_seeds: of the others.
        short_headline_seeds: of the rows that a claim rests on in tables that vary one thing at a time.
    """

    world: Mapping[str, Any]
    objects: int
    transfer: Mapping[str, Any]
    transfer_objects: int
    image_size: int
    encoder: str
    encoder_options: Mapping[str, Any] | None
    steps: int
    short_steps: int
    batch_size: int
    learning_rate: float
    precision: str
    heads: Mapping[str, int]
    headline_seeds: int
    other_seeds: int
    short_headline_seeds: int


_WORLD = {
    "categories": list(SHOWN),
    "turns": "uneven",
    "finishes": "plain",
    "backgrounds": 8,
    "clutter": 0,
}
"""Small encoders at small budgets see shapes sooner where nothing is patterned."""

BUDGETS: Mapping[Scale, Budget] = {
    "tiny": Budget(
        world={**_WORLD, "categories": list(SHOWN[:3]), "image_size": 24, "views": 9},
        objects=30,
        transfer={"categories": list(UNSEEN[:2])},
        transfer_objects=20,
        image_size=24,
        encoder="resnet18",
        encoder_options={"channels": [8, 8, 16, 16], "stem_width": 8},
        steps=3,
        short_steps=3,
        batch_size=16,
        learning_rate=1e-3,
        precision="32-true",
        heads={"projector_hidden": 32, "projector_size": 16},
        headline_seeds=1,
        other_seeds=1,
        short_headline_seeds=1,
    ),
    "small": Budget(
        world={
            **_WORLD,
            "image_size": 32,
            "views": 24,
            "tilt_rad": 0.0,
            "backgrounds": 1,
            "camera_height_rad": [0.3, 0.5],
            "fov_rad": [0.7, 0.7],
            "space": [1.0, 1.0],
        },
        objects=1200,
        transfer={"categories": list(UNSEEN)},
        transfer_objects=320,
        image_size=32,
        encoder="resnet18",
        # A block a stage: a ResNet-10. With the usual strides its last maps would be of one pixel.
        encoder_options={
            "channels": [16, 32, 64, 128],
            "stem_width": 16,
            "layers": [1, 1, 1, 1],
            "output_stride": 8,
        },
        steps=6000,
        short_steps=3000,
        batch_size=128,
        learning_rate=1e-3,
        precision="bf16-mixed",
        heads={},
        headline_seeds=5,
        other_seeds=1,
        short_headline_seeds=3,
    ),
    "paper": Budget(
        world={"categories": list(SHOWN), "turns": "even", "views": 180, "image_size": 128},
        objects=4000,
        transfer={"categories": list(UNSEEN)},
        transfer_objects=800,
        image_size=128,
        encoder="resnet18",
        encoder_options=None,
        steps=280_000,
        short_steps=280_000,
        batch_size=256,
        learning_rate=5e-4,
        precision="bf16-mixed",
        heads={},
        headline_seeds=5,
        other_seeds=3,
        short_headline_seeds=5,
    ),
}


COST: Mapping[Scale, Mapping[str, int]] = {
    "tiny": {"objects": 30, "blocks": 2, "block_steps": 1, "warm_steps": 1, "repeats": 2},
    "small": {"objects": 60, "blocks": 20, "block_steps": 3, "warm_steps": 3, "repeats": 3},
    "paper": {"objects": 60, "blocks": 20, "block_steps": 10, "warm_steps": 10, "repeats": 3},
}
"""How a step's cost is measured; see `studies.step_cost`."""


def settings_of(budget: Budget, method: str, **arguments: Any) -> Settings:
    """Return a cell's settings: one method at a budget."""
    return {
        "world": dict(budget.world),
        "objects": budget.objects,
        "transfer": {"world": dict(budget.transfer), "objects": budget.transfer_objects},
        "method": _method(budget, method, arguments),
        "training": {
            **_training(budget),
            "steps": budget.steps,
            "checkpoint_every": 250,
            "log_every": 50,
        },
    }


def cost_settings(
    scale: Scale, methods: Mapping[str, tuple[str, Mapping[str, Any]]], beside: Sequence[str]
) -> Settings:
    """Return the settings of the cell that measures what steps cost.

    Args:
        scale: of network and batch.
        methods: label → method and its arguments.
        beside: labels that all are compared with.
    """
    budget = BUDGETS[scale]
    return {
        "world": dict(budget.world),
        "methods": {label: _method(budget, name, arguments) for label, (name, arguments) in methods.items()},
        "beside": list(beside),
        "training": _training(budget),
        **COST[scale],
    }


def _method(budget: Budget, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    network: dict[str, Any] = {
        "encoder": budget.encoder,
        "image_size": budget.image_size,
        "encoder_options": None if budget.encoder_options is None else dict(budget.encoder_options),
    }
    own = dict(arguments)
    if name != "random":
        augmentation = own.pop("augmentation", Augmentation())
        network["augmentation"] = _listed(asdict(replace(augmentation, size=budget.image_size)))
    if name.startswith(("byol", "vicreg")) or own.get("visual", "nt-xent") != "nt-xent":
        network |= budget.heads
    return {"name": name, **network, **own}


def _training(budget: Budget) -> dict[str, Any]:
    return {
        "batch_size": budget.batch_size,
        "learning_rate": budget.learning_rate,
        "precision": budget.precision,
    }


def _listed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
