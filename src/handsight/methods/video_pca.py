"""VideoPCA's network: what moves when it is pushed, told from a single picture (Stretcu and Leordeanu 2015).

The baseline of learning to interact (Lohmann et al. 2020, table 1, row g, and appendix D): the same network,
trained by the squared error to soft masks of films; `agents/video_pca.py` makes these, and things of what is
told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.encoders.batches import batches as pieces
from handsight.encoders.batches import evaluating
from handsight.encoders.depth import depth_batches
from handsight.encoders.unet import STRIDE, UNET
from handsight.errors import HandsightError
from handsight.methods.learning_to_interact import JITTER
from handsight.methods.method import Method, Optimisation, build_encoder, hold_beyond
from handsight.objectives import mean_squared_error
from handsight.objectives.maps import nearest
from handsight.recordings import Batch, Needs

NEED, DEPTH, MASK = "film", "observation.depth_m", "film.mask"


class VideoPCA(Method):
    """Where something would move, from soft masks of films of what was pushed (Stretcu and Leordeanu 2015).

    Args:
        encoder: a trunk by name, or an `Encoder`; its last map is brought to a cell for 3 × 3 pixels.
        image_size: side of the encoder's input in pixels.
        encoder_options: further arguments of the trunk, as in `{"width": 0.5}`.
        init: weights to begin with: an earlier run.
        augmentation: what is done to each picture; its depth and soft mask are mirrored with it, and nothing
            is cropped.
        hidden: neurons of the head.
        coordinate_scale: what rows and columns are multiplied by where they join the features, as in
            `InteractionHeads`.
    """

    name: ClassVar[str] = "video-pca"
    # As many steps as learning to interact takes, at its rate, over as many locations.
    optimisation: ClassVar[Optimisation] = Optimisation(
        batch_size=64, epochs=50, optimiser="adam", learning_rate=5e-4, weight_decay=1e-4 / 64
    )
    default_needs: ClassVar[Mapping[str, Needs]] = {
        NEED: Needs(frames=1, between=dict.fromkeys((DEPTH, MASK), "first"))
    }

    def __init__(
        self,
        encoder: str | Encoder = UNET,
        image_size: int = 300,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = JITTER,
        hidden: int = 128,
        coordinate_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise HandsightError(f"hidden is {hidden}; it must be at least 1")
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = dict(self.default_needs)
        self.coordinate_scale = coordinate_scale
        channels = hold_beyond(self.encoder, self.encoder.taps[-2])[0]
        self.head = nn.Sequential(
            nn.Conv2d(channels + 2, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, 1, 1)
        )

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `mask`: the mean squared error of the soft mask."""
        batch = batches[NEED]
        images = batch["views"][:, 0]
        told = self._tell(images, nearest(batch[DEPTH], images.shape[-1]))
        wanted = nearest(batch[MASK], told.shape[-1])
        yield {"mask": mean_squared_error(told.flatten(1).float(), wanted.flatten(1))}

    def soft_masks(
        self, images: NDArray[np.uint8], depths_m: NDArray[np.float32], batch_size: int = 8
    ) -> NDArray[np.float32]:
        """Tell where something would move: in evaluation mode, without gradients.

        Args:
            images: uint8 `[B, H, W, 3]`, of any size.
            depths_m: float `[B, H, W]`; looked at by encoders that take it.
            batch_size: pictures that go through the network at once.

        Returns:
            float32 `[B, G, G]`, about 0 to 1; G is a third of the encoder's image size.

        Raises:
            HandsightError: for images or depth as `Encoder.embed` refuses them.
        """
        preprocessing = self.encoder.preprocessing
        depths = depth_batches(depths_m, images, batch_size, preprocessing)
        colours = pieces(images, batch_size, preprocessing)
        with evaluating(self):
            told = [self._tell(*each).float().cpu() for each in zip(colours, depths, strict=False)]
        grid = self.encoder.image_size // STRIDE
        return np.asarray(torch.cat(told).numpy() if told else np.zeros((0, grid, grid), np.float32))

    def _tell(self, images: Tensor, depth_m: Tensor | None) -> Tensor:
        """Return what the head says of each cell, `[B, G, G]`."""
        seen = depth_m if self.encoder.takes_depth else None
        features = self.encoder.forward_tap(images, self.encoder.taps[-2], seen)
        grid = self.encoder.image_size // STRIDE
        if features.shape[-1] != grid:
            features = functional.interpolate(features, (grid, grid), mode="bilinear")
        places = self.coordinate_scale * torch.arange(grid, device=features.device).to(features.dtype)
        columns = places.expand(len(features), 1, grid, grid)
        told: Tensor = self.head(torch.cat([features, columns.mT, columns], dim=1))
        return told[:, 0]
