"""What the cells of The Curious Robot's tables are at each scale: the world, the network, the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from handsight.encoders.alexnet import NATIVE_SIZE
from handsight.methods.curious_robot import AS_IT_IS, TASKS
from handsight.studies.cells import Settings
from handsight.studies.study import Scale
from handsight.worlds.objects import CATEGORIES

HANDLED = (
    *("mug", "cup", "bowl", "bottle", "vase", "pan", "teapot", "spoon", "fork", "knife", "hammer"),
    *("flashlight", "dumbbell", "car", "boat", "banana", "apple", "mushroom", "duck", "phone", "clock"),
)
"""Categories that the hand is given: things of a table."""

NEVER_HANDLED = tuple(sorted(set(CATEGORIES) - set(HANDLED)))
"""The other 25, of which the household stand-in is made."""

SHARES: Mapping[str, int] = {"grasp": 8, "push": 2, "poke": 1, "identity": 2}
"""Of so many interactions in a turn, how many are of each kind; the paper has 40,287 grasps, 5,472 pushes and
1,372 pokes."""

PICTURES: Mapping[str, int] = {"grasp": 1, "push": 2, "poke": 1, "identity": 2}
"""Pictures of a sample of each task."""


@dataclass(frozen=True)
class Budget:
    """How large a scale is.

    Args:
        world: options of the tabletop.
        episodes: interactions in all.
        image_size: of the root, pixels.
        width: factor on the root's channels and neurons.
        grasp_steps: of the first stage.
        steps: cycles of the second stage.
        batch_size: samples of each task in a cycle.
        learning_rate: of RMSprop.
        precision: as in `Training`.
        flip_probability: that a picture is mirrored, and what was done along with it.
        head_steps: of heads on the frozen root.
        head_learning_rate: of those.
        benchmarks: name → world (options of the turntable), objects, folds.
        finetune: `learning_rates` and `epochs` of fine-tuning's sweep.
        headline_seeds: of the rows that a claim rests on.
        other_seeds: of the others.
    """

    world: Mapping[str, Any]
    episodes: int
    image_size: int
    width: float
    grasp_steps: int
    steps: int
    batch_size: int
    learning_rate: float
    precision: str
    flip_probability: float
    head_steps: int
    head_learning_rate: float
    benchmarks: Mapping[str, Mapping[str, Any]]
    finetune: Mapping[str, list[float]]
    headline_seeds: int
    other_seeds: int


def _benchmarks(size: int, household: int, instances: int, cluttered: int, folds: int, views: int) -> Any:
    """Return the three stand-ins: novel categories, novel instances from all sides, cluttered scenes."""
    return {
        "household": {
            "world": {"image_size": size, "categories": list(NEVER_HANDLED), "views": 2, "clutter": 0},
            "objects": household,
            "folds": 0,
        },
        "instances": {
            "world": {
                "image_size": size,
                "categories": list(HANDLED),
                "views": views,
                "clutter": 0,
                # Or a clip's background or light would tell its object.
                "background_changes": "frame",
                "light_changes": "frame",
                # 30° to 60° above the horizon, as UW RGB-D's cameras.
                "camera_height_rad": [0.52, 1.05],
            },
            "objects": instances,
            "folds": folds,
        },
        "scenes": {
            "world": {"image_size": size, "views": 2, "clutter": 4},
            "objects": cluttered,
            "folds": 0,
        },
    }


def _plain(benchmarks: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the stand-ins with one colour a surface: small roots see shapes sooner so."""
    return {name: {**one, "world": {**one["world"], "finishes": "plain"}} for name, one in benchmarks.items()}


def _tabletop(size: int) -> dict[str, Any]:
    """Return options of the tabletop; a patch, 0.234 of the picture, is to be as large as the root's."""
    interactions = [kind for kind, count in SHARES.items() for _ in range(count)]
    return {
        "interactions": interactions,
        "image_size": size,
        "categories": list(HANDLED),
        # The paper's robot has one table. With one for each episode its colour alone would tell which two
        # pictures show the same object.
        "background_changes": "frame",
    }


BUDGETS: Mapping[Scale, Budget] = {
    "tiny": Budget(
        world={**_tabletop(104), "views": 3, "categories": list(HANDLED[:3])},
        episodes=156,
        image_size=24,
        width=0.05,
        grasp_steps=1,
        steps=2,
        batch_size=4,
        learning_rate=1e-4,
        precision="32-true",
        flip_probability=0.5,
        head_steps=1,
        head_learning_rate=1e-4,
        benchmarks={
            name: {**one, "world": {**one["world"], "categories": list(NEVER_HANDLED[:2])}}
            for name, one in _benchmarks(24, 24, 12, 24, 1, 4).items()
        },
        finetune={"learning_rates": [1e-3], "epochs": [1]},
        headline_seeds=1,
        other_seeds=1,
    ),
    "small": Budget(
        world={**_tabletop(276), "finishes": "plain"},
        episodes=6_500,
        image_size=64,
        width=0.25,
        grasp_steps=200,
        steps=1_600,
        batch_size=32,
        learning_rate=1e-4,
        precision="bf16-mixed",
        flip_probability=0.5,
        head_steps=400,
        # At 1e-4 heads have not come to rest after so few steps.
        head_learning_rate=3e-4,
        benchmarks=_plain(_benchmarks(64, 1_250, 210, 1_380, 2, 8)),
        finetune={"learning_rates": [1e-3, 3e-4], "epochs": [5, 10]},
        headline_seeds=5,
        other_seeds=1,
    ),
    "paper": Budget(
        world=_tabletop(1_024),
        episodes=130_000,
        image_size=227,
        width=1.0,
        grasp_steps=20_000,
        steps=20_000,
        batch_size=128,
        learning_rate=1e-4,
        precision="32-true",
        flip_probability=0.0,
        head_steps=5_000,
        head_learning_rate=1e-4,
        benchmarks=_benchmarks(227, 2_500, 300, 7_680, 10, 60),
        finetune={"learning_rates": [1e-3, 3e-4, 1e-4], "epochs": [5, 10, 20, 40]},
        headline_seeds=5,
        other_seeds=3,
    ),
}


def settings_of(
    budget: Budget, method: str, tasks: tuple[str, ...] = TASKS, init: str | None = None
) -> Settings:
    """Return a cell's settings: one method at a budget.

    Every row sees about as many pictures in the second stage as a cycle of all four tasks shows, but for the
    ablations, which leave a task out of each cycle, as the paper's do.

    Args:
        budget: of the scale.
        method: by name; `random` and `given` train nothing.
        tasks: of The Curious Robot.
        init: file of the weights of `given`, a root of the paper's own size.
    """
    network: dict[str, Any] = {
        "encoder": "alexnet-lrn",
        "image_size": budget.image_size,
        "encoder_options": {"width": budget.width},
    }
    steps, own = budget.steps, {}
    whole = sum(PICTURES.values())
    if method == "curious-robot":
        first = budget.grasp_steps if "grasp" in tasks and len(tasks) > 1 else 0
        own = {"tasks": list(tasks), "grasp_steps": first}
        steps = first + (steps if len(tasks) > 1 else steps * whole // PICTURES[tasks[0]])
    elif method == "autoencoder":
        steps *= whole
    elif method == "supervised":
        steps *= whole // 2  # two views of each picture
    if init is not None:
        options = {"width": 1.0, "rectified": True}
        network |= {"image_size": NATIVE_SIZE, "encoder_options": options, "init": init}
    if method not in ("random", "given"):
        seen = replace(AS_IT_IS, size=budget.image_size, flip_probability=budget.flip_probability)
        augmentation = asdict(seen)
        network["augmentation"] = {
            name: list(value) if isinstance(value, tuple) else value for name, value in augmentation.items()
        }
    training = {
        "batch_size": budget.batch_size,
        "optimiser": "rmsprop",
        "learning_rate": budget.learning_rate,
        "weight_decay": 0.0,
        "precision": budget.precision,
    }
    return {
        "world": dict(budget.world),
        "episodes": budget.episodes,
        "method": {"name": method, **network, **own},
        "training": {**training, "steps": steps, "checkpoint_every": 100, "log_every": 20},
        "heads": {
            **training,
            "learning_rate": budget.head_learning_rate,
            "steps": budget.head_steps,
            "checkpoint_every": 100,
            "log_every": 20,
        },
        "heads_flip_probability": budget.flip_probability,
        "finetune": dict(budget.finetune),
        "benchmarks": {name: dict(one) for name, one in budget.benchmarks.items()},
    }
