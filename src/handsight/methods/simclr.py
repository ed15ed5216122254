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
from handsight.objectives import Projector, nt_xent
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
        self.temperature = temperature
        self.projector = Projector(self.encoder.embedding_size, projector_hidden, projector_size)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `contrast`."""
        views = batches["image"]["views"]
        # Each view is forwarded by itself, so that batch norm's statistics are of one view, as in the
        # authors' code.
        first, second = self.encoder(views[:, 0]), self.encoder(views[:, 1])
        yield {"contrast": nt_xent(self.projector(first), self.projector(second), self.temperature)}


class SimCLRTT(Method):
    """SimCLR through time (Schneider et al. 2021; Aubret et al. 2024): two frames of one clip are alike.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each view; its size is the image size.
        pairing: where the second frame comes from: anywhere in the clip, or a window.
        gap: least and most frames between the two (`window` only).
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
        temperature: float = 0.1,
        projector_hidden: int = 256,
        projector_size: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = {"pair": replace(self.default_needs["pair"], pairing=pairing, gap=gap)}
        self.temperature = temperature
        self.projector = Projector(self.encoder.embedding_size, projector_hidden, projector_size)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `contrast`."""
        views = batches["pair"]["views"]
        first, second = self.encoder(views[:, 0]), self.encoder(views[:, 1])
        yield {"contrast": nt_xent(self.projector(first), self.projector(second), self.temperature)}
