"""SimCLR, and its form with time: two pictures are alike when they are of one frame, or of one clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.methods.method import Method, build_encoder
from handsight.methods.visual import Contrast
from handsight.recordings import Batch, Needs, Pairing


class SimCLR(Method):
    """SimCLR (Chen et al. 2020): two augmentations of one frame are alike.

    The settings are action-aware SSL's (Aubret et al. 2024).

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each view; its size is the image size.
        temperature: of NT-Xent.
        projector_hidden: width of the projector's hidden layer.
        projector_size: width of the embedding that is contrasted.
    """

    name: ClassVar[str] = "simclr"
    default_needs: ClassVar[Mapping[str, Needs]] = {"image": Needs(frames=1, views=2)}

    def __init__(
        self,
        encoder: str | Encoder = "resnet18",
        image_size: int = 128,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        temperature: float = 0.1,
        projector_hidden: int = 256,
        projector_size: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = dict(self.default_needs)
        self.visual = Contrast(self.encoder.embedding_size, projector_hidden, projector_size, temperature)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `contrast`."""
        yield self.visual.alone(self.encoder, batches["image"]["views"])


class SimCLRTT(Method):
    """SimCLR through time (Schneider et al. 2021; Aubret et al. 2024): two frames of one clip are alike.

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
        temperature: of NT-Xent.
        projector_hidden: width of the projector's hidden layer.
        projector_size: width of the embedding that is contrasted.
    """

    name: ClassVar[str] = "simclr-tt"
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
        temperature: float = 0.1,
        projector_hidden: int = 256,
        projector_size: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        needs = self.default_needs["pair"]
        self.needs = {"pair": replace(needs, pairing=pairing, gap=gap, walk_steps=walk_steps)}
        self.visual = Contrast(self.encoder.embedding_size, projector_hidden, projector_size, temperature)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `contrast`."""
        yield self.visual.alone(self.encoder, batches["pair"]["views"])
