"""The auto-encoder: The Curious Robot's baseline that sees the pictures and nothing of what was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.encoders.encoder import POOLED
from handsight.methods.curious_robot import AS_IT_IS
from handsight.methods.method import Method, build_encoder, hold_beyond
from handsight.objectives import PictureDecoder, reconstruction_loss
from handsight.recordings import Batch, Needs


class AutoEncoder(Method):
    """An encoder is trained so that a decoder can paint the picture again (Pinto et al., ECCV 2016, 4.2).

    The paper reports "an auto-encoder trained on all robot data" in table 1 and says nothing more about it;
    the decoder (`PictureDecoder`) and the loss, the mean squared error of pixels in [0, 1], are the usual
    ones. What is painted is the augmented view itself, so by default there is no augmentation: nothing asks
    views to be alike here, and crops and changed colours would only be more to paint.

    Args:
        encoder: a timm name, `torchvision/NAME`, or an `Encoder`.
        image_size: side of the encoder's square input, and of the picture that is painted, in pixels.
        encoder_options: further arguments of timm's model, as in `{"channels": [32, 64, 128, 256]}`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each picture; its size is the image size.
        tap: what the decoder sees: `pooled`, the embedding, or one of the encoder's maps. Layers that lie
            beyond the map keep the weights that they begin with.
        decoder_width: factor on the number of the decoder's channels.

    Raises:
        HandsightError: the encoder has no such tap, or the width is not above 0.
    """

    name: ClassVar[str] = "autoencoder"
    default_needs: ClassVar[Mapping[str, Needs]] = {"image": Needs(frames=1)}

    def __init__(
        self,
        encoder: str | Encoder = "resnet18",
        image_size: int = 128,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = AS_IT_IS,
        tap: str = POOLED,
        decoder_width: float = 1.0,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = dict(self.default_needs)
        self.tap = tap
        shape = hold_beyond(self.encoder, tap)
        self.decoder = PictureDecoder(shape, self.encoder.image_size, decoder_width)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `reconstruction`."""
        pictures = batches["image"]["views"].flatten(0, 1)
        painted = self.decoder(self.encoder.forward_tap(pictures, self.tap))
        yield {"reconstruction": reconstruction_loss(painted, pictures)}
