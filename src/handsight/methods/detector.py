"""Mask R-CNN's parts after the trunk: pyramid, proposals, and heads for boxes, classes and masks.

Mask R-CNN (He et al., ICCV 2017) on feature pyramids (Lin et al., CVPR 2017), of torchvision's parts with
detectron2's settings. What detectron2 counts in pixels of pictures enlarged to 800 is scaled to the
encoder's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import fastrcnn_loss, project_masks_on_boxes
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from handsight.objectives.gather import gather

DETECTRON_PX = 800
"""Short side of the pictures that detectron2's sizes are for."""

ANCHOR_PX, CANONICAL_PX = 32, 224
"""Side of the smallest anchor, and of what is looked at on the fourth level, in such pictures."""

RATIOS = (0.5, 1.0, 2.0)

MaskLoss = Callable[[Tensor, Tensor], Tensor]
"""From logits and targets in [0, 1], both `[N, h, w]`, N at least 1, the mean over cells."""

Found = Mapping[str, Tensor]
"""`boxes` `[M, 4]`, `labels` `[M]` from 1, `scores` `[M]` and `masks` `[M, 1, H, W]`, in [0, 1]."""


class Detector(nn.Module):
    """Tells boxes, classes and masks by an encoder's maps, which are handed to it.

    Unlike in torchvision's `MaskRCNN`, which it is made of, pictures are neither normalised nor resized nor
    padded here, since the encoder sees to that; boxes are reckoned in float32 under autocast too; and losses
    are means over all processes.

    Args:
        channels: of the maps, from fine to coarse.
        image_size: side of the encoder's input, pixels.
        classes: of things, the background not counted.
        width: channels of the pyramid and of the mask's head.
        hidden: neurons of the box's head.
        regions: of a picture, proposed ones, that the heads learn from.
    """

    def __init__(
        self, channels: Sequence[int], image_size: int, classes: int, width: int, hidden: int, regions: int
    ) -> None:
        super().__init__()
        self.image_size = image_size
        scale = image_size / DETECTRON_PX
        names = [str(level) for level in range(len(channels))]
        pools = [
            MultiScaleRoIAlign(names, cells, sampling_ratio=2, canonical_scale=CANONICAL_PX * scale)
            for cells in (7, 14)
        ]
        sizes = tuple((ANCHOR_PX * scale * 2**level,) for level in range(len(channels) + 1))
        self.parts = MaskRCNN(
            _Pyramid(channels, width),
            rpn_anchor_generator=_Anchors(sizes, (RATIOS,) * len(sizes), image_size),
            rpn_head=_Precise(RPNHead(width, len(RATIOS))),
            rpn_post_nms_top_n_train=1000,
            box_batch_size_per_image=regions,
            box_roi_pool=pools[0],
            box_head=TwoMLPHead(width * 7 * 7, hidden),
            box_predictor=_Precise(FastRCNNPredictor(hidden, classes + 1)),
            mask_roi_pool=pools[1],
            mask_head=MaskRCNNHeads(width, (width,) * 4, 1),
            mask_predictor=_Precise(MaskRCNNPredictor(width, width, classes + 1)),
        )
        self._drawn = _Counted(self.parts.rpn.fg_bg_sampler)
        self.parts.rpn.fg_bg_sampler = self._drawn

    def losses(
        self, maps: Sequence[Tensor], targets: Sequence[Mapping[str, Tensor]], mask_loss: MaskLoss
    ) -> dict[str, Tensor]:
        """Return torchvision's losses by their names; drawn regions come from PyTorch's generator.

        Args:
            maps: of the encoder, `[B, C, h, w]` each, from fine to coarse.
            targets: of each picture, `boxes` float `[N, 4]` (left, top, right, bottom, pixels), `labels`
                int64 `[N]` from 1 and `masks` uint8 `[N, S, S]`; of no things, N is 0.
            mask_loss: what masks are compared by.
        """
        features = self.parts.backbone(maps)
        images, rpn, training = self._images(maps), self.parts.rpn, self.parts.rpn.training
        rpn.training = True  # it tells losses in this mode alone; none of its layers has modes
        try:
            proposals, losses = rpn(images, features, targets)
        finally:
            rpn.training = training
        losses = {name: _share(loss, self._drawn.count) for name, loss in losses.items()}
        heads = self.parts.roi_heads
        regions, which, labels, offsets = heads.select_training_samples(proposals, targets)
        pooled = heads.box_head(heads.box_roi_pool(features, regions, images.image_sizes))
        count = sum(len(each) for each in labels)
        pair = fastrcnn_loss(*heads.box_predictor(pooled), labels, offsets)
        for name, loss in zip(("loss_classifier", "loss_box_reg"), pair, strict=True):
            losses[name] = _share(loss, count)
        on = [each > 0 for each in labels]
        boxes = [each[mine] for each, mine in zip(regions, on, strict=True)]
        pooled = heads.mask_head(heads.mask_roi_pool(features, boxes, images.image_sizes))
        logits = heads.mask_predictor(pooled)
        label = torch.cat([each[mine] for each, mine in zip(labels, on, strict=True)])
        if len(label):
            masks = [
                project_masks_on_boxes(target["masks"], box, number[mine], logits.shape[-1])
                for target, box, number, mine in zip(targets, boxes, which, on, strict=True)
            ]
            own = logits[torch.arange(len(label), device=label.device), label]
            loss = mask_loss(own, torch.cat(masks))
        else:
            loss = logits.sum() * 0
        losses["loss_mask"] = _share(loss, len(label))
        return {name: loss.float() for name, loss in losses.items()}

    def detect(self, maps: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> list[Found]:
        """Return what is found in each picture, best first, at the pictures' own sizes; for evaluation mode.

        Args:
            maps: of the encoder, as `losses` takes them.
            sizes: height and width of each picture, pixels.
        """
        features, images = self.parts.backbone(maps), self._images(maps)
        proposals, _ = self.parts.rpn(images, features)
        found, _ = self.parts.roi_heads(features, proposals, images.image_sizes)
        return cast(list[Found], self.parts.transform.postprocess(found, images.image_sizes, list(sizes)))

    def _images(self, maps: Sequence[Tensor]) -> Any:
        """Return what torchvision asks the pictures' sizes of."""
        return ImageList(maps[0], [(self.image_size, self.image_size)] * len(maps[0]))


class _Pyramid(nn.Module):
    """Levels of equal width, and one more that is coarser."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.out_channels = width
        self.levels = FeaturePyramidNetwork(list(channels), width, LastLevelMaxPool())

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        levels: dict[str, Tensor] = self.levels({str(level): each for level, each in enumerate(maps)})
        return levels


class _Anchors(AnchorGenerator):  # type: ignore[misc]
    """Anchors where the cells are: torchvision's are for pictures padded to a multiple of 32.

    Strides are powers of two, as those at which torchvision reads the levels; nothing is rounded to pixels,
    since pictures are small.
    """

    def __init__(self, sizes: Any, ratios: Any, image_size: int) -> None:
        super().__init__(sizes, ratios)
        self._image_size = image_size
        tall = torch.tensor(RATIOS).sqrt()
        halves = torch.stack([-1 / tall, -tall, 1 / tall, tall], 1) / 2
        self._shapes = [halves * size for (size,) in sizes]

    def forward(self, image_list: Any, feature_maps: Sequence[Tensor]) -> list[Tensor]:
        device = feature_maps[0].device
        self.cell_anchors = [shapes.to(device) for shapes in self._shapes]
        grids = [tuple(each.shape[-2:]) for each in feature_maps]
        strides = [
            [2 ** torch.tensor(self._image_size / side).log2().round().long().item() for side in grid]
            for grid in grids
        ]
        anchors = torch.cat(self.grid_anchors(grids, strides))
        return [anchors] * len(image_list.image_sizes)


class _Precise(nn.Module):
    """Gives what another module gives in float32: boxes are told to less than a pixel."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, features: Any) -> Any:
        return _full(self.inner(features))


def _full(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) else [_full(each) for each in value]


class _Counted:
    """Draws as another sampler does, and keeps how many were drawn the last time."""

    def __init__(self, inner: Callable[[list[Tensor]], Any]) -> None:
        self._inner, self.count = inner, 0

    def __call__(self, labels: list[Tensor]) -> Any:
        drawn = self._inner(labels)
        self.count = sum(int(mask.sum()) for kind in drawn for mask in kind)
        return drawn


def _share(loss: Tensor, count: int) -> Tensor:
    """Return this process's share of a mean over what all processes counted, times their number."""
    counts = gather(torch.tensor([float(count)], device=loss.device))
    return loss * count / counts.mean().clamp(min=1 / len(counts))
