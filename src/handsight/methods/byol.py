"""BYOL, and its form with time: from one view, tell what a slow copy says of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.methods.method import Method, build_encoder
from handsight.methods.visual import Bootstrap
from handsight.recordings import Batch, Needs, Pairing


class BYOL(Method):
    """BYOL (Grill et al. 2020): tell a slow copy's embedding of another view of the frame.

    Optimiser and augmentation are action-aware SSL's, as for all visual objectives; the momentum is constant.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each view; its size is the image size.
        momentum: of the slow copy of encoder and projector.
        projector_hidden: width of the projector's and the predictor's hidden layer.
        projector_size: width of the embedding that is told.
    """

    name: ClassVar[str] = "byol"
    default_needs: ClassVar[Mapping[str, Needs]] = {"image": Needs(frames=1, views=2)}

    def __init__(
        self,
        encoder: str | Encoder = "resnet18",
        image_size: int = 128,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        momentum: float = 0.99,
        projector_hidden: int = 4096,
        projector_size: int = 256,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = dict(self.default_needs)
        self.visual = Bootstrap(self.encoder, projector_hidden, projector_size, momentum)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `bootstrap`."""
        yield self.visual.alone(self.encoder, batches["image"]["views"])

    def after_step(self, step: int) -> None:
        """Let the slow copies follow."""
        self.visual.after_step(self.encoder)


class BYOLTT(Method):
    """BYOL through time: tell a slow copy's embedding of another frame of the clip.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each view; its size is the image size.
        pairing: where the second frame comes from: anywhere in the clip (`uniform`), `gap` frames on
            (`window`), where a walk of single steps leads (`random-walk`), or the other side (`opposite`).
        gap: least and most frames between the two (`window` only).
        walk_steps: of the walk (`random-walk` only); default: as many as the clip has frames.
        momentum: of the slow copy of encoder and projector.
        projector_hidden: width of the projector's and the predictor's hidden layer.
        projector_size: width of the embedding that is told.
    """

    name: ClassVar[str] = "byol-tt"
    default_needs: ClassVar[Mapping[str, Needs]] = {"pair": Needs(frames=2)}

    def __init__(
        self,
        encoder: str | Encoder = "resnet18",
        image_size: int = 128,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        pairing: Pairing = "uniform",
        gap: tuple[int, int] | None = None,
        walk_steps: int | None = None,
        momentum: float = 0.99,
        projector_hidden: int = 4096,
        projector_size: int = 256,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        needs = self.default_needs["pair"]
        self.needs = {"pair": replace(needs, pairing=pairing, gap=gap, walk_steps=walk_steps)}
        self.visual = Bootstrap(self.encoder, projector_hidden, projector_size, momentum)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `bootstrap`."""
        yield self.visual.alone(self.encoder, batches["pair"]["views"])

    def after_step(self, step: int) -> None:
        """Let the slow copies follow."""
        self.visual.after_step(self.encoder)
