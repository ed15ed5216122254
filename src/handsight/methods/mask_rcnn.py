"""Mask R-CNN, trained on what an agent did and saw: the reference of learning to interact.

Lohmann et al., NeurIPS 2020, table 1 (rows b and h to j) and appendix D: a ResNet-18 that sees colours and
depth, from scratch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchvision.ops import masks_to_boxes

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.encoders.batches import batches as pieces
from handsight.encoders.batches import evaluating
from handsight.encoders.depth import depth_batches
from handsight.encoders.trunks import depth_options
from handsight.errors import HandsightError
from handsight.methods.detector import Detector, Found
from handsight.methods.method import Method, Optimisation, build_encoder, hold_beyond
from handsight.methods.segmenter import Things
from handsight.objectives.attempted import UNTESTED
from handsight.objectives.maps import nearest
from handsight.objectives.robust_set import OVERLAP, robust_set_loss
from handsight.recordings import Batch, Needs

NEED, DEPTH = "experience", "observation.depth_m"

SAME = 0.5
"""Intersection over union above which two attempts' masks are taken for one thing's."""

LEVELS = 4
"""Maps of the encoder that the pyramid stands on, the last ones."""

CLASSES = 3
"""Light, medium and heavy."""

FLIP = Augmentation(
    crop_scale=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    jitter_probability=0.0,
    grey_probability=0.0,
    flip_probability=0.5,
)
"""detectron2's augmentation: mirrored half of the time."""


class MaskRCNN(Method):
    """Boxes, classes and masks of things, from a recording of attempts to move them (He et al. 2017).

    Every attempt that succeeded is a thing: its mask, and the box around it. Of several whose masks overlap
    by more than half (intersection over union) the first one counts, which was nearest to the view. What was
    not tried is background, as for the paper: recordings where an oracle put a point on each thing are meant,
    and for full supervision those where it told the masks too. A location where nothing moved is a picture
    without things.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`; the pyramid stands on its last four maps.
        image_size: side of the encoder's input in pixels.
        encoder_options: further arguments of the trunk, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: an earlier run.
        augmentation: what is done to each picture; its depth and masks are mirrored with it, and nothing is
            cropped.
        depth: whether the encoder sees depth beside the colours; of an `Encoder` it is its own.
        mass: whether mass classes are told apart, by the least force that is known to have moved a thing, or
            by what an oracle told.
        loss: of masks: `cross-entropy`, or `robust-set`, by which a mask near enough to the one that was seen
            is as good as that one.
        overlap: with `robust-set`, how much is near enough: intersection over union. The default is that of
            its authors' code.
        width: channels of the pyramid and of the mask's head; a quarter is enough for a laptop.
        hidden: neurons of the box's head.
        regions: proposed regions of a picture that the heads learn from.
    """

    name: ClassVar[str] = "mask-rcnn"
    # Appendix D; batches, warm-up and decay are detectron2's. 90,000 steps are so many passes over the 65,000
    # locations that the paper's agent learned from.
    optimisation: ClassVar[Optimisation] = Optimisation(
        batch_size=16,
        epochs=22,
        optimiser="sgd",
        learning_rate=2e-3,
        weight_decay=1e-4,
        schedule="steps",
        warmup_steps=1000,
    )
    default_needs: ClassVar[Mapping[str, Needs]] = {
        NEED: Needs(
            frames=1,
            between=dict.fromkeys((DEPTH, "attempts.force", "attempts.feedback", "attempts.mask"), "first"),
        )
    }

    def __init__(
        self,
        encoder: str | Encoder = "resnet18",
        image_size: int = 300,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = FLIP,
        depth: bool = True,
        mass: bool = False,
        loss: Literal["cross-entropy", "robust-set"] = "cross-entropy",
        overlap: float = OVERLAP,
        width: int = 256,
        hidden: int = 1024,
        regions: int = 512,
    ) -> None:
        super().__init__()
        if loss not in ("cross-entropy", "robust-set"):
            raise HandsightError(f"loss is {loss!r}; give cross-entropy or robust-set")
        if not 0 < overlap <= 1:
            raise HandsightError(f"overlap is {overlap}; give a bound above 0, at most 1")
        for what, number in (("width", width), ("hidden", hidden), ("regions", regions)):
            if number < 1:
                raise HandsightError(f"{what} is {number}; it must be at least 1")
        seeing = depth_options(encoder) if depth and isinstance(encoder, str) else {}
        self.encoder = build_encoder(encoder, image_size, {**seeing, **(encoder_options or {})}, init)
        self.arguments["depth"] = self.encoder.takes_depth  # as it is built again
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        between = dict(self.default_needs[NEED].between)
        if not self.encoder.takes_depth:
            del between[DEPTH]
        self.needs = {NEED: replace(self.default_needs[NEED], between=between)}
        self.mass = mass
        self.taps = self.encoder.taps[:-1][-LEVELS:]
        hold_beyond(self.encoder, self.taps[-1])
        channels, sides = zip(*(self.encoder.tap_shape(tap)[:2] for tap in self.taps), strict=True)
        if list(sides) != sorted(sides, reverse=True):
            raise HandsightError(
                f"{self.encoder.name} ends with maps of {', '.join(map(str, sides))} cells a side; give a "
                "network whose maps go from fine to coarse, such as resnet18"
            )
        self.detector = Detector(
            channels, self.encoder.image_size, CLASSES if mass else 1, width, hidden, regions
        )
        self._mask_loss = (
            partial(robust_set_loss, overlap=overlap)
            if loss == "robust-set"
            else functional.binary_cross_entropy_with_logits
        )

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield torchvision's: of regions' `objectness` and boxes, of classes, boxes and masks."""
        batch = batches[NEED]
        images = batch["views"][:, 0]
        size = images.shape[-1]
        depth_m = None
        if self.encoder.takes_depth:
            depth_m = nearest(batch[DEPTH], size)
        feedback, force = (batch[f"attempts.{name}"].round().long() for name in ("feedback", "force"))
        every = zip(batch["attempts.mask"] > 0.5, feedback, force, strict=True)
        targets = [things(*each, size, self.mass) for each in every]
        yield self.detector.losses(self._maps(images, depth_m), targets, self._mask_loss)

    def tell(
        self, images: NDArray[np.uint8], depths_m: NDArray[np.float32], batch_size: int = 8
    ) -> list[Things]:
        """Tell the things in pictures: in evaluation mode, without gradients.

        Args:
            images: uint8 `[B, H, W, 3]`, of any size.
            depths_m: float `[B, H, W]`; looked at by encoders that take it.
            batch_size: pictures that go through the network at once.

        Returns:
            The things of each picture, best first, with boxes. Their masks may overlap, and may be empty;
            bins are 0 where mass classes are not told apart.

        Raises:
            HandsightError: for images or depth as `Encoder.embed` refuses them.
        """
        preprocessing, found = self.encoder.preprocessing, list[Things]()
        seen = depths_m if self.encoder.takes_depth else None
        depths = depth_batches(seen, images, batch_size, preprocessing)
        with evaluating(self):
            for colours, depth_m in zip(pieces(images, batch_size, preprocessing), depths, strict=False):
                sizes = [(images.shape[1], images.shape[2])] * len(colours)
                found += [_told(each) for each in self.detector.detect(self._maps(colours, depth_m), sizes)]
        return found

    def _maps(self, images: Tensor, depth_m: Tensor | None) -> list[Tensor]:
        features = self.encoder.forward_features(images, depth_m)
        return [features[tap] for tap in self.taps]


def things(masks: Tensor, feedback: Tensor, force: Tensor, size: int, mass: bool) -> dict[str, Tensor]:
    """Return what attempts at a location say of the things there, as `Detector.losses` takes it.

    Args:
        masks: bool `[N, G, G]`, what moved, on the grid.
        feedback: int64 `[N]`: above 0 where an attempt succeeded, 1 by the predicted force, 2 where only the
            largest did, 3 where the next smaller did.
        force: int64 `[N]`, bins of the forces that were predicted; `UNTESTED` where none was tested.
        size: side of the picture, pixels, which the grid is spread over.
        mass: whether labels say the mass class, from 1, and what was moved by an untested force is left out;
            otherwise all are 1.

    Returns:
        `boxes` float32 `[M, 4]`, `labels` int64 `[M]` and `masks` uint8 `[M, size, size]`.
    """
    known = force != UNTESTED if mass else torch.ones_like(feedback, dtype=torch.bool)
    moved = ((feedback > 0) & known & masks.flatten(1).any(1)).nonzero()[:, 0]
    flat = masks[moved].flatten(1).float()
    both = flat @ flat.T
    area = both.diagonal()
    same = (both / (area[:, None] + area - both).clamp(min=1) > SAME).tolist()
    first: list[int] = []
    for number, others in enumerate(same):
        if not any(others[earlier] for earlier in first):
            first.append(number)
    kept = moved[first]
    shown = functional.interpolate(masks[kept][:, None].float(), (size, size), mode="nearest-exact")[:, 0]
    there = shown.flatten(1).any(1)  # in a picture smaller than the grid not all are
    shown, kept = shown[there], kept[there]
    boxes = masks_to_boxes(shown) + shown.new_tensor([0, 0, 1, 1])
    labels = torch.ones_like(kept)
    if mass:
        least = torch.stack([force, force, torch.full_like(force, CLASSES - 1), force - 1])
        labels = labels + least[feedback[kept], kept].clamp(0, CLASSES - 1)
    return {"boxes": boxes, "labels": labels, "masks": shown.to(torch.uint8)}


def _told(found: Found) -> Things:
    """Return what was found in a picture as things, each with its own box, which its mask need not fill."""
    sure, boxes = found["masks"][:, 0].float().cpu(), found["boxes"].double().cpu()
    at = sure.flatten(1).argmax(1)
    return Things(
        masks=(sure > 0.5).numpy(),
        scores=found["scores"].double().cpu().numpy(),
        bins=(found["labels"].cpu() - 1).numpy(),
        points=torch.stack([at // sure.shape[-1], at % sure.shape[-1]], 1).numpy(),
        boxes=torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).numpy(),
    )
