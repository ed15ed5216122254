"""What can be asked of a training run; what is not said is the method's own."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from handsight.errors import HandsightError
from handsight.methods import Method, Optimisation

Precision = Literal["auto", "32-true", "bf16-mixed"]
Optimiser = Literal["adamw", "adam", "sgd", "rmsprop"]
Schedule = Literal["constant", "cosine", "steps"]
TrainingSplit = Literal["train", "validation", "test", "all"]

CHOICES: dict[str, tuple[str, ...]] = {
    "precision": get_args(Precision),
    "optimiser": get_args(Optimiser),
    "schedule": get_args(Schedule),
    "split": get_args(TrainingSplit),
}
"""Fields of `Training` that are one of a few words: the command line checks them, Python does not."""


@dataclass(frozen=True)
class Training:
    """How to train; what is None is the method's own, which is its paper's.

    Args:
        steps: of the optimiser; or say `epochs`.
        epochs: passes over the training frames.
        batch_size: samples in a step, over all processes and slices.
        optimiser: by name.
        learning_rate: of the optimiser.
        weight_decay: decoupled, as AdamW's; the others add it to the gradient.
        schedule: of the learning rate.
        warmup_steps: over which the learning rate grows linearly from zero.
        accumulate: slices of the batch that are forwarded one after another, to save memory; a contrast sees
            its own slice only.
        precision: of the forward pass; weights, their gradients and losses are float32. `auto` is bfloat16
            where the machine computes in it and the network gains by it, else float32; what it was is
            written down, and holds when the run goes on, on whatever machine.
        accelerator: as Lightning Fabric names them.
        devices: processes on this machine; under torchrun, what torchrun says.
        split: episodes to train on; where a method acts, rooms to act in.
        workers: processes that act beside the training, where a method acts while it learns; 0 acts in this
            one, between the steps.
        max_episodes: only so many of each recording's first episodes are trained on; default: all.
        hold_out: indices of episodes that are never trained on, beside those of the other splits.
        frame_size: short side in pixels at which frames are cached; default: the encoder's image size.
        cache_gb: most frames kept decoded per camera in 10⁹ bytes; beyond it they are decoded on demand.
            Default: all.
        seed: of everything random.
        checkpoint_every: steps between checkpoints.
        log_every: steps between lines of the log.
        monitor_every: steps between looks of the monitors; 0 for none.
    """

    steps: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    optimiser: Optimiser | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    schedule: Schedule | None = None
    warmup_steps: int | None = None
    accumulate: int = 1
    precision: Precision = "auto"
    accelerator: str = "auto"
    devices: int = 1
    workers: int = 1
    split: TrainingSplit = "train"
    max_episodes: int | None = None
    hold_out: tuple[int, ...] = ()
    frame_size: int | None = None
    cache_gb: float | None = None
    seed: int = 0
    checkpoint_every: int = 500
    log_every: int = 10
    monitor_every: int = 0

    def __post_init__(self) -> None:
        if self.steps is not None and self.epochs is not None:
            raise HandsightError(
                f"both steps = {self.steps} and epochs = {self.epochs} were given; give one of them"
            )
        for name in (
            "steps",
            "epochs",
            "batch_size",
            "accumulate",
            "devices",
            "max_episodes",
            "checkpoint_every",
            "log_every",
            "frame_size",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise HandsightError(f"{name} is {value}; it must be at least 1")
        for name in ("workers", "weight_decay", "warmup_steps", "cache_gb", "seed", "monitor_every"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise HandsightError(f"{name} is {value}; it must be at least 0")
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise HandsightError(f"{name} is {value!r}; it can be one of {', '.join(allowed)}")
        if self.seed >= 2**63:
            raise HandsightError(f"seed is {self.seed}; it must be below 2^63")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise HandsightError(f"learning_rate is {self.learning_rate}; it must be above 0, and finite")

    def settings(self, method: Method) -> Optimisation:
        """Return the method's settings with what was said here instead."""
        said = {
            name: value for name in asdict(method.optimisation) if (value := getattr(self, name)) is not None
        }
        return replace(method.optimisation, **said)
