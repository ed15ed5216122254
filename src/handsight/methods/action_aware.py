"""Action-aware SSL: two frames of one clip are alike, and tell what was done between them.

Aubret, Teulière and Triesch, ECCV 2024; the method is their AA-SimCLR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.methods.method import Method, build_encoder
from handsight.objectives import ActionHead, ActionNormalisation, PairHead, Projector, nt_xent
from handsight.recordings import BOUNDED, Batch, Between, Needs, Pairing, Sampler


class ActionAware(Method):
    """AA-SimCLR: NT-Xent between two frames of a clip, plus NT-Xent between action and pair.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each view; its size is the image size.
        pairing: where the second frame comes from: anywhere in the clip, or a window.
        gap: least and most frames between the two (`window` only).
        stream: the recording's stream that says what was done; `--action` maps another name to `action`.
        between: what lies between the two frames of that stream; default: what the recording declares, else
            `difference`, which is right for absolute positions. Per-frame deltas want `sum`.
        combine: how the two representations meet the action: the authors' code concatenates them, the paper's
            text subtracts.
        visual_weight: of the contrast between frames.
        action_weight: of the contrast between action and pair.
        shuffle_actions: give each pair another pair's action: the control that shows what the action adds.
        temperature: of both NT-Xents.
        projector_hidden: width of the projector's hidden layer.
        projector_size: width of the embedding that is contrasted.
    """

    name: ClassVar[str] = "action-aware"
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
        stream: str = "action",
        between: Between | None = None,
        combine: Literal["concatenate", "difference"] = "concatenate",
        visual_weight: float = 1.0,
        action_weight: float = 1.0,
        shuffle_actions: bool = False,
        temperature: float = 0.1,
        projector_hidden: int = 256,
        projector_size: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = {
            "pair": replace(self.default_needs["pair"], pairing=pairing, gap=gap, between={stream: between})
        }
        self.stream = stream
        self.visual_weight = visual_weight
        self.action_weight = action_weight
        self.shuffle_actions = shuffle_actions
        self.temperature = temperature
        self.projector = Projector(self.encoder.embedding_size, projector_hidden, projector_size)
        self.pair_head = PairHead(self.encoder.embedding_size, projector_size, combine)
        self.embedding_size = projector_size

    def prepare(self, sampler: Sampler) -> None:
        """Learn the action's size and scale from the training pairs."""
        actions, kind = sampler.between_samples("pair", self.stream), sampler.kinds["pair", self.stream]
        if kind in BOUNDED:
            # Sines, cosines and quaternions are on one scale already; RT4K's [sin, cos] is used as it is.
            self.action_normalisation = ActionNormalisation.identity(actions.shape[1])
        else:
            names = sampler.clips.feature(self.stream).names if kind != "stack" else None
            self.action_normalisation = ActionNormalisation.of(actions, names)
        self.action_head = ActionHead(self.action_normalisation.size, out=self.embedding_size)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `contrast` and `action`."""
        batch = batches["pair"]
        views = batch["views"]
        first, second = self.encoder(views[:, 0]), self.encoder(views[:, 1])
        contrast = nt_xent(self.projector(first), self.projector(second), self.temperature)
        action = batch[self.stream]
        if self.shuffle_actions:
            # Rolled by one: every pair gets the action of another pair of the batch, and the marginal stays
            # as it was.
            action = action.roll(1, dims=0)
        done = self.action_head(self.action_normalisation(action))
        seen = self.pair_head(first, second)
        yield {
            "contrast": self.visual_weight * contrast,
            "action": self.action_weight * nt_xent(done, seen, self.temperature),
        }
