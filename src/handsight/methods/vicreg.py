"""VICReg, and its form with time: two views agree, and the numbers of an embedding vary independently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.methods.method import Method, build_encoder
from handsight.methods.visual import Decorrelation
from handsight.recordings import Batch, Needs, Pairing


class VICReg(Method):
    """VICReg (Bardes et al. 2022): two augmentations of one frame agree.

    Optimiser and augmentation are action-aware SSL's, as for all visual objectives.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each view; its size is the image size.
        projector_hidden: width of the two hidden layers of the projector, the paper's expander.
        projector_size: width of the embedding; both are 8192 in the paper.
    """

    name: ClassVar[str] = "vicreg"
    default_needs: ClassVar[Mapping[str, Needs]] = {"image": Needs(frames=1, views=2)}

    def __init__(
        self,
        encoder: str | Encoder = "resnet18",
        image_size: int = 128,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        projector_hidden: int = 2048,
        projector_size: int = 2048,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = dict(self.default_needs)
        self.visual = Decorrelation(self.encoder.embedding_size, projector_hidden, projector_size)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `vicreg`."""
        yield self.visual.alone(self.encoder, batches["image"]["views"])


class VICRegTT(Method):
    """VICReg through time: two frames of one clip agree.

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
        projector_hidden: width of the two hidden layers of the projector, the paper's expander.
        projector_size: width of the embedding; both are 8192 in the paper.
    """

    name: ClassVar[str] = "vicreg-tt"
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
        projector_hidden: int = 2048,
        projector_size: int = 2048,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        needs = self.default_needs["pair"]
        self.needs = {"pair": replace(needs, pairing=pairing, gap=gap, walk_steps=walk_steps)}
        self.visual = Decorrelation(self.encoder.embedding_size, projector_hidden, projector_size)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `vicreg`."""
        yield self.visual.alone(self.encoder, batches["pair"]["views"])
