"""Action-aware SSL: two frames of one clip are alike, and tell what was done between them.

Aubret, Teulière and Triesch, ECCV 2024: AA-SimCLR, AA-BYOL and AA-VICReg, by the visual objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.methods.actions import Actions
from handsight.methods.method import Method, build_encoder
from handsight.methods.visual import Visual, visual_objective
from handsight.objectives import ActionHead, PairHead, nt_xent
from handsight.recordings import Batch, Between, Needs, Pairing, Sampler


class ActionAware(Method):
    """AA-SSL: a visual objective on two frames of a clip, plus NT-Xent between action and pair.

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
        stream: the recording's stream that says what was done; `--action` maps another name to `action`. Or
            several, as in `--stream '["a", "b"]'`: their numbers together are the action.
        between: what lies between the two frames of that stream; default: what the recording declares, else
            `difference`, which is right for absolute positions. Per-frame deltas want `sum`.
        action_limit: numbers of an action that are no sines, cosines or quaternions are clipped to this size
            before they are normalised; the paper clips MVImgNet's translations to 50. Default: they are not.
        action_noise: standard deviation of the noise that is added to each number of an action, in that
            number's own standard deviations; sines, cosines and quaternions get it as they are.
        combine: how the two representations meet the action: the authors' code concatenates them, the paper's
            text subtracts.
        visual: the objective between the two frames: `nt-xent` makes AA-SimCLR, `byol` AA-BYOL, `vicreg`
            AA-VICReg.
        visual_weight: of the visual objective.
        action_weight: of the contrast between action and pair.
        shuffle_actions: give each pair another pair's action: the control that shows what the action adds.
        temperature: of both NT-Xents.
        momentum: of the slow copy (`byol` only).
        projector_hidden: width of the visual projector's hidden layers; default: the objective's own.
        projector_size: width of the embedding of a frame; default: the objective's own.
        action_embedding_size: width of the embeddings of action and pair.
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
        walk_steps: int | None = None,
        stream: tuple[str, ...] | str = "action",
        between: Between | None = None,
        action_limit: float | None = None,
        action_noise: float = 0.0,
        combine: Literal["concatenate", "difference"] = "concatenate",
        visual: Visual = "nt-xent",
        visual_weight: float = 1.0,
        action_weight: float = 1.0,
        shuffle_actions: bool = False,
        temperature: float = 0.1,
        momentum: float = 0.99,
        projector_hidden: int | None = None,
        projector_size: int | None = None,
        action_embedding_size: int = 128,
    ) -> None:
        super().__init__()
        if not action_noise >= 0:
            raise HandsightError(f"action_noise is {action_noise}; it must be at least 0")
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.actions = Actions(stream, between, action_limit)
        needs = self.default_needs["pair"]
        needs = replace(needs, pairing=pairing, gap=gap, walk_steps=walk_steps)
        self.needs = {"pair": replace(needs, between=self.actions.between)}
        self.action_noise, self.shuffle_actions = action_noise, shuffle_actions
        self.visual_weight, self.action_weight = visual_weight, action_weight
        self.temperature, self.action_embedding_size = temperature, action_embedding_size
        self.visual = visual_objective(
            visual, self.encoder, projector_hidden, projector_size, temperature, momentum
        )
        self.pair_head = PairHead(self.encoder.embedding_size, action_embedding_size, combine)

    def prepare(self, sampler: Sampler) -> None:
        """Learn the action's size and scale from the training pairs."""
        self.actions.prepare(sampler, "pair")
        self.action_head = ActionHead(self.actions.size, out=self.action_embedding_size)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `action` beside the visual objective's loss: `contrast`, `bootstrap` or `vicreg`."""
        batch = batches["pair"]
        views = batch["views"]
        first, second, alike = self.visual(self.encoder, views[:, 0], views[:, 1])
        action = self.actions(batch)
        if self.action_noise:
            action = action + self.action_noise * torch.randn_like(action)
        if self.shuffle_actions:
            # Rolled by one: every pair gets the action of another pair of the batch, and the marginal stays
            # as it was.
            action = action.roll(1, dims=0)
        done, seen = self.action_head(action), self.pair_head(first, second)
        yield {
            self.visual.term: self.visual_weight * alike,
            "action": self.action_weight * nt_xent(done, seen, self.temperature),
        }

    def after_step(self, step: int) -> None:
        """Let what follows the encoder follow."""
        self.visual.after_step(self.encoder)
