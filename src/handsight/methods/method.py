"""What a method is: an encoder, what it needs of a recording, and the losses of one batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

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
        weight_decay: decoupled, as AdamW's.
        schedule: `constant`, or `cosine` down to zero.
        warmup_steps: over which the learning rate grows linearly from zero.
    """

    batch_size: int = 256
    epochs: int = 100
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 5e-4
    weight_decay: float = 1e-6
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = 0


class Method(nn.Module):
    """Base of all methods: subclasses set `encoder`, `needs` and `augmentation`, and give `losses`.

    Attributes:
        name: on the command line and in tables.
        encoder: what is being learned.
        needs: name → what one sample is.
        augmentation: applied by the loop to every frame, `Needs.views` times.
        optimisation: the paper's settings.
    """

    name: ClassVar[str]
    optimisation: ClassVar[Optimisation] = Optimisation()
    encoder: Encoder
    needs: dict[str, Needs]
    augmentation: Augmentation

    def prepare(self, sampler: Sampler) -> None:
        """Build what depends on the data (sizes of heads, constants of normalisation), before the optimiser is made."""

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[tuple[str, Tensor]]:
        """Yield named scalars, already weighted; their sum is what the step descends, and each is backwarded as it comes.

        Args:
            batches: need → batch; beside the sampler's entries, `views` float32 `[B, F·V, 3, S, S]` in [0, 1], augmented.
        """
        raise NotImplementedError

    def before_step(self, step: int) -> None:
        """Act before a step's batches are drawn."""

    def after_step(self, step: int) -> None:
        """Act after the optimiser's step: a momentum encoder, a memory."""


def build_encoder(
    encoder: str | Encoder, image_size: int, encoder_options: Mapping[str, Any] | None, init: Path | None
) -> Encoder:
    """Return the encoder a method was asked for: by name, freshly initialised or from a local file, or as it is."""
    if isinstance(encoder, Encoder):
        return encoder
    return Encoder(encoder, image_size, options=encoder_options, weights=init)
