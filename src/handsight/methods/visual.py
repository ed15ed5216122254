"""Visual objectives: what makes two views alike, whatever the views are and whatever else is learned.

Each takes two views, `[B, 3, S, S]`, and gives the encoder's two representations and its loss. Methods
combine one of them with a way of choosing views (two augmentations of a frame, two frames of a clip) and with
other signals (the action).
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from torch import Tensor, nn

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.methods.momentum import SlowCopy
from handsight.objectives import Expander, Projector, byol, nt_xent, vicreg

Visual = Literal["nt-xent", "byol", "vicreg"]
"""By name, as an option."""

Seen = tuple[Tensor, Tensor, Tensor]
"""The representations of the first and of the second view, `[B, D]`, and the loss."""


class VisualObjective(nn.Module):
    """Base: `forward(encoder, first, second)` and what is done after the optimiser's step.

    Attributes:
        term: name of its loss.
    """

    term: ClassVar[str]

    def forward(self, encoder: nn.Module, first: Tensor, second: Tensor) -> Seen:
        """Return both representations and the loss.

        Each view is forwarded by itself, so that batch norm's statistics are of one view, as in the code of
        action-aware self-supervised learning.
        """
        raise NotImplementedError

    def alone(self, encoder: nn.Module, views: Tensor) -> dict[str, Tensor]:
        """Return the loss of two views, `[B, 2, 3, S, S]`, by its name: all that a visual method learns."""
        _, _, loss = self(encoder, views[:, 0], views[:, 1])
        return {self.term: loss}

    def after_step(self, encoder: nn.Module) -> None:
        """Follow the encoder, where something has to."""


class Contrast(VisualObjective):
    """NT-Xent (SimCLR).

    Args:
        features: D of the representation.
        hidden: width of the projector's hidden layer.
        out: width of the embedding.
        temperature: of NT-Xent.
    """

    term = "contrast"

    def __init__(self, features: int, hidden: int = 256, out: int = 128, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature
        self.projector = Projector(features, hidden, out)

    def forward(self, encoder: nn.Module, first: Tensor, second: Tensor) -> Seen:
        """Contrast the two views' embeddings with those of all others of the batch."""
        one, other = encoder(first), encoder(second)
        return one, other, nt_xent(self.projector(one), self.projector(other), self.temperature)


class Bootstrap(VisualObjective):
    """BYOL: a predictor on one view tells what a slow copy of encoder and projector says of the other.

    Args:
        encoder: what is learned; the slow copy begins as it is.
        hidden: width of the hidden layers.
        out: width of the embedding.
        momentum: of the slow copy.
    """

    term = "bootstrap"

    def __init__(self, encoder: Encoder, hidden: int = 4096, out: int = 256, momentum: float = 0.99) -> None:
        super().__init__()
        self.projector = Projector(encoder.embedding_size, hidden, out)
        self.predictor = Projector(out, hidden, out)
        self.slow_encoder = SlowCopy(encoder, momentum)
        self.slow_projector = SlowCopy(self.projector, momentum)

    def forward(self, encoder: nn.Module, first: Tensor, second: Tensor) -> Seen:
        """Tell each view's slow embedding from the other; the sum over both directions."""
        one, other = encoder(first), encoder(second)
        told = [self.predictor(self.projector(side)) for side in (one, other)]
        # The slow projector is fed with what the slow encoder says, never with the encoder's own features.
        slow = [self.slow_projector(self.slow_encoder(view)) for view in (first, second)]
        return one, other, byol(told[0], slow[1]) + byol(told[1], slow[0])

    def after_step(self, encoder: nn.Module) -> None:
        """Let the slow copies follow."""
        self.slow_encoder.follow(encoder)
        self.slow_projector.follow(self.projector)


class Decorrelation(VisualObjective):
    """VICReg.

    Args:
        features: D of the representation.
        hidden: width of the expander's hidden layers.
        out: width of the embedding.
    """

    term = "vicreg"

    def __init__(self, features: int, hidden: int = 2048, out: int = 2048) -> None:
        super().__init__()
        self.expander = Expander(features, hidden, out)

    def forward(self, encoder: nn.Module, first: Tensor, second: Tensor) -> Seen:
        """Make both views' embeddings agree, vary, and not repeat themselves."""
        one, other = encoder(first), encoder(second)
        return one, other, vicreg(self.expander(one), self.expander(other))


def visual_objective(
    name: Visual,
    encoder: Encoder,
    hidden: int | None = None,
    out: int | None = None,
    temperature: float = 0.1,
    momentum: float = 0.99,
) -> VisualObjective:
    """Return a visual objective by its name; widths that are None are its own defaults.

    Raises:
        HandsightError: there is none of that name.
    """
    widths = {key: value for key, value in {"hidden": hidden, "out": out}.items() if value is not None}
    if name == "nt-xent":
        return Contrast(encoder.embedding_size, **widths, temperature=temperature)
    if name == "byol":
        return Bootstrap(encoder, **widths, momentum=momentum)
    if name == "vicreg":
        return Decorrelation(encoder.embedding_size, **widths)
    raise HandsightError(f"visual is {name!r}; it can be one of {', '.join(get_args(Visual))}")
