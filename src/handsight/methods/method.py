"""What a method is: an encoder, what it needs of a recording, and the losses of one batch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.recordings import Batch, Needs, Sampler


@dataclass(frozen=True)
class Optimisation:
    """How a method's paper trained it; `pretrain` takes these where the user says nothing else.

    Args:
        batch_size: samples in a step, over all processes.
        epochs: passes over the training frames.
        optimiser: by name.
        learning_rate: of the optimiser.
        weight_decay: decoupled, as AdamW's; the others add it to the gradient.
        schedule: `constant`, `cosine` down to zero, or `steps`: a tenth from two thirds of the training on, a
            hundredth from eight ninths on.
        warmup_steps: over which the learning rate grows linearly from zero.
    """

    batch_size: int = 256
    epochs: int = 100
    optimiser: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    learning_rate: float = 5e-4
    weight_decay: float = 1e-6
    schedule: Literal["constant", "cosine", "steps"] = "constant"
    warmup_steps: int = 0


@dataclass(frozen=True)
class Stage:
    """A part of a training, in which some of a method's needs are drawn.

    Args:
        begins: with which step.
        needs: names of those that are drawn from there on.
        fresh: whether the optimiser forgets what it has gathered so far.
    """

    begins: int
    needs: tuple[str, ...]
    fresh: bool = False


class Method(nn.Module):
    """Base of all methods: subclasses set `encoder`, `needs` and `augmentation`, and give `losses`.

    Attributes:
        name: on the command line and in tables.
        encoder: what is being learned.
        needs: name → what one sample is.
        augmentation: applied by the loop to every frame, `Needs.views` times.
        optimisation: the paper's settings.
        planned_steps: how many steps a training takes where nobody says; None where that depends on the data.
        default_needs: the needs when the constructor is given nothing else, so that a recording can be asked
            which methods it can train.
        arguments: what the constructor was given, as plain values.

    Every argument of the constructor is typed, documented in the class's docstring, and has a default. The
    conformance suite asks what follows, and what the methods below say, of each method in `METHODS`:

    - The same seed of PyTorch's generator gives the same weights and losses, in any process; no other global
      generator is used, and that one only in the constructor, `prepare` and `losses`, before which the loop
      seeds it.
    - The state is tensors alone. With it a run that was stopped goes on as if it had not been.
    - A weight that takes no gradient (a slow copy's) has `requires_grad` off; gradients reach all others.
    - Losses are means over samples, so that several processes give what one gives for the whole batch.
    """

    name: ClassVar[str]
    optimisation: ClassVar[Optimisation] = Optimisation()
    default_needs: ClassVar[Mapping[str, Needs]]
    planned_steps: int | None = None
    encoder: Encoder
    needs: dict[str, Needs]
    augmentation: Augmentation
    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the constructor's arguments, defaults filled in: they are the run's configuration."""
        method = super().__new__(cls)
        # Partially: copying and unpickling come here without arguments; what is missing __init__ reports.
        bound = inspect.signature(cls).bind_partial(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments.get("encoder")
        if isinstance(given, Encoder):
            # Built already: what is written down is how to build it again.
            bound.arguments |= {"image_size": given.image_size, "encoder_options": given.options or None}
        # nn.Module's own __setattr__ works only after its __init__.
        object.__setattr__(
            method, "arguments", {name: _plain(value) for name, value in bound.arguments.items()}
        )
        return method

    def prepare(self, sampler: Sampler) -> None:
        """Build what depends on the data, before the optimiser is made: sizes of heads, normalisation.

        Called again, it begins anew.
        """

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The parts of a training, the first from step 0; where it has no parts, one that draws all needs."""
        return (Stage(0, tuple(self.needs)),)

    def needs_at(self, step: int) -> tuple[str, ...]:
        """Return the names of the needs that are drawn for a step."""
        return next(stage.needs for stage in reversed(self.stages) if stage.begins <= step)

    def do_without(self, need: str) -> str:
        """Say in a sentence how to train where a recording lacks a need; nothing where that cannot be."""
        return ""

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield named scalars, already weighted.

        What is yielded together is summed and backwarded before the next is asked for. Tasks that share no
        graph yield one by one, and only one graph is held at a time.

        Args:
            batches: need → batch, those of the step's stage, not to be changed; beside the sampler's
                entries, `views` float32 `[B, F·V, 3, S, S]` in [0, 1], augmented. Where they are mirrored, so
                is what the streams say.

        Yields:
            Finite scalars in float32, also under autocast, by name: the same names at every step of a stage.
        """
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write what was learned and can be used without the method: `encoder/`, and heads that go with it.

        Raises:
            HandsightError: the folder cannot be written.
        """
        self.encoder.save(folder / "encoder")

    def before_step(self, step: int) -> None:
        """Act before a step's batches are drawn; the first step of a resumed run is not 0."""

    def after_step(self, step: int) -> None:
        """Act after the optimiser's step: a momentum encoder, a memory."""


def build_encoder(
    encoder: str | Encoder, image_size: int, encoder_options: Mapping[str, Any] | None, init: Path | None
) -> Encoder:
    """Return the encoder a method was asked for: by name, fresh or from a local file, or as it is."""
    if isinstance(encoder, Encoder):
        return encoder
    return Encoder(encoder, image_size, options=encoder_options, weights=init)


def hold_beyond(encoder: Encoder, tap: str) -> tuple[int, ...]:
    """Keep an encoder's weights that a tap does not depend on from being trained; return the tap's shape."""
    encoder.check_tap(tap)
    weights = [weight for weight in encoder.parameters() if weight.requires_grad]
    side, was_training = encoder.image_size, encoder.training
    black = next(encoder.parameters()).new_zeros(1, 3, side, side)
    encoder.eval()
    with torch.enable_grad():
        seen = encoder.forward_tap(black, tap)
    encoder.train(was_training)
    trained = seen.requires_grad  # not so where all of the encoder is held already
    reached = (
        torch.autograd.grad(seen.sum(), weights, allow_unused=True) if trained else [None] * len(weights)
    )
    for weight, gradient in zip(weights, reached, strict=True):
        if gradient is None:
            weight.requires_grad_(False)
    return tuple(seen.shape[1:])


def _plain(value: Any) -> Any:
    """Return a constructor's argument as YAML can hold it."""
    if isinstance(value, Encoder):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(entry) for name, entry in asdict(value).items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value
