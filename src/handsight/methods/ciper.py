"""CIPER: one head contrasts two frames, another tells what was done between them (Xu and Triesch 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.methods.actions import Actions
from handsight.methods.method import Method, build_encoder
from handsight.methods.visual import Contrast
from handsight.objectives import PairHead
from handsight.recordings import Batch, Between, Needs, Pairing, Sampler


class CIPER(Method):
    """CIPER: NT-Xent between two frames of a clip, plus the action regressed from both.

    A baseline of action-aware self-supervised learning, whose settings it takes: the action is predicted, not
    aligned.

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
        stream: the recording's stream (or streams) that say what was done.
        between: what lies between the two frames of that stream; default: what the recording declares, else
            `difference`.
        action_limit: numbers of an action that are no sines, cosines or quaternions are clipped to this size
            before they are normalised.
        visual_weight: of the contrast between frames.
        action_weight: of the mean squared error of the action.
        temperature: of NT-Xent.
        projector_hidden: width of the projector's hidden layer.
        projector_size: width of the embedding that is contrasted.
    """

    name: ClassVar[str] = "ciper"
    default_needs: ClassVar[Mapping[str, Needs]] = {"pair": Needs(frames=2, between={"action": None})}

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
        stream: tuple[str, ...] | str = "action",
        between: Between | None = None,
        action_limit: float | None = None,
        visual_weight: float = 1.0,
        action_weight: float = 1.0,
        temperature: float = 0.1,
        projector_hidden: int = 256,
        projector_size: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.actions = Actions(stream, between, action_limit)
        needs = self.default_needs["pair"]
        needs = replace(needs, pairing=pairing, gap=gap, walk_steps=walk_steps)
        self.needs = {"pair": replace(needs, between=self.actions.between)}
        self.visual_weight, self.action_weight = visual_weight, action_weight
        self.visual = Contrast(self.encoder.embedding_size, projector_hidden, projector_size, temperature)

    def prepare(self, sampler: Sampler) -> None:
        """Learn the action's size and scale from the training pairs."""
        self.actions.prepare(sampler, "pair")
        self.action_prediction = PairHead(self.encoder.embedding_size, self.actions.size)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `contrast` and `action`."""
        batch = batches["pair"]
        views = batch["views"]
        first, second, contrast = self.visual(self.encoder, views[:, 0], views[:, 1])
        told = self.action_prediction(first, second)
        error = functional.mse_loss(told.float(), self.actions(batch).float())
        yield {"contrast": self.visual_weight * contrast, "action": self.action_weight * error}
