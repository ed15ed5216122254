"""The supervised reference: what an encoder of equal budget reaches when it is told the categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.methods.method import Method, build_encoder
from handsight.objectives import LinearClassifier, classification_loss
from handsight.recordings import Batch, Needs, Sampler


class Supervised(Method):
    """Cross-entropy on an episode fact.

    Each frame is seen in two augmented views, so that a step has as many pictures as SimCLR's.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each view; its size is the image size.
        label: the episode fact that is the label.
    """

    name: ClassVar[str] = "supervised"
    default_needs: ClassVar[Mapping[str, Needs]] = {"image": Needs(frames=1, views=2, facts=("category",))}

    def __init__(
        self,
        encoder: str | Encoder = "resnet18",
        image_size: int = 128,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        label: str = "category",
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = {"image": replace(self.default_needs["image"], facts=(label,))}
        self.label = label

    def prepare(self, sampler: Sampler) -> None:
        """Give the classifier as many outputs as the training episodes have labels."""
        self.classifier = LinearClassifier(self.encoder.embedding_size, len(sampler.vocabulary[self.label]))

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `cross_entropy`."""
        batch = batches["image"]
        views = batch["views"]
        scores = self.classifier(self.encoder(views.flatten(0, 1)))
        yield {
            "cross_entropy": classification_loss(scores, batch[self.label].repeat_interleave(views.shape[1]))
        }
