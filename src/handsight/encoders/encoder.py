"""The encoder: preprocessing, a trunk, named taps into it, and what is known about it, as one object."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata as packages
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from handsight.encoders.batches import Images, batches, evaluating
from handsight.encoders.depth import Depths, check_shape, depth_batches, fit_depth
from handsight.encoders.folder import CONFIGURATION, read_folder, write_folder
from handsight.encoders.preprocessing import Fit, Preprocessing
from handsight.encoders.trunks import (
    build_trunk,
    forward_tap,
    forward_taps,
    measure_trunk,
    normalisation,
    takes_depth,
    tap_names,
)
from handsight.encoders.weights import load_checked, load_weights
from handsight.errors import HandsightError

POOLED = "pooled"
"""The tap that every encoder has: the pooled embedding."""


class Encoder(nn.Module):
    """Images of any size in, one vector per image out.

    Some trunks (`unet-interaction`, and timm's with the option `in_chans: 4`) take depth beside the colours:
    it is an argument of its own, in metres, resized with the image. Where none is given they see zeros, so
    that any colour pictures can be embedded; the others refuse it.

    Args:
        name: of the trunk: any of timm's, `torchvision/resnet18` and its like, `alexnet-lrn`, or
            `unet-interaction`.
        image_size: side of the trunk's input, pixels; other images are resized (bilinear, antialiased).
        options: further arguments of `timm.create_model`, such as `channels: [32, 64, 128, 256]` for a thin
            ResNet, or of `AlexNet` or `UNet`, such as `width: 0.25`.
        weights: local checkpoint of timm or torchvision, encoder folder or run folder that fills the
            trunk; random weights where it is left out. Nothing is ever downloaded.
        mean: of each channel, RGB in [0, 1], that is subtracted; where it is left out the trunk's own, or
            ImageNet's.
        std: of each channel, RGB in [0, 1], that is divided by; where it is left out, likewise.
        fit: how an image that is not square becomes square: `stretch` keeps all of it, `crop` its middle.

    Attributes:
        recipe: how it was trained (method and settings), plain values.
        scores: what was measured of it, plain values.

    Raises:
        HandsightError: for an unknown name, settings that cannot be, or weights of another network.
    """

    def __init__(
        self,
        name: str = "resnet18",
        image_size: int = 64,
        *,
        options: Mapping[str, Any] | None = None,
        weights: str | Path | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        fit: Fit = "stretch",
    ) -> None:
        super().__init__()
        own_mean, own_std = normalisation(name)
        mean, std = own_mean if mean is None else mean, own_std if std is None else std
        self.preprocessing = Preprocessing(image_size, mean, std, fit)
        self.name = name
        self.options: dict[str, Any] = _plain(options or {})
        self.recipe: dict[str, Any] = {}
        self.scores: dict[str, Any] = {}
        trunk = build_trunk(name, image_size, self.options)
        self.embedding_size: int = measure_trunk(trunk, name, image_size)
        if weights is not None:
            load_weights(trunk, weights)
        # Convolutions are quicker this way round on GPUs in half precision and on CPUs alike.
        self.trunk: nn.Module = trunk.to(memory_format=torch.channels_last)

    @property
    def image_size(self) -> int:
        """Side of the trunk's input, pixels."""
        return self.preprocessing.image_size

    @property
    def takes_depth(self) -> bool:
        """Whether it looks at depth beside the colours."""
        return takes_depth(self.trunk)

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of what `features` returns: the maps from the first to the last, then `pooled`."""
        return (*tap_names(self.trunk), POOLED)

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known about the encoder, as plain values that can be written as JSON; a copy."""
        return {
            "name": self.name,
            "image_size": self.image_size,
            "mean": list(self.preprocessing.channel_mean),
            "std": list(self.preprocessing.channel_std),
            "fit": self.preprocessing.fit,
            "options": copy.deepcopy(self.options),
            "embedding_size": self.embedding_size,
            "recipe": copy.deepcopy(self.recipe),
            "scores": copy.deepcopy(self.scores),
            "handsight": _version(),
        }

    def forward(self, images: Tensor, depth_m: Tensor | None = None) -> Tensor:
        """Embed images, differentiably and in the module's present mode.

        Args:
            images: uint8 `[B, 3, H, W]` or `[B, H, W, 3]`, or floats of these shapes, in [0, 1] (the range is
                checked by `embed` and `features` only, as that makes a GPU wait); on the encoder's device.
            depth_m: float `[B, H, W]`, metres, 0 where nothing was measured, for a trunk that takes depth;
                zeros where it is left out. Its range is checked by `embed` and `features` only.

        Returns:
            `[B, embedding_size]`.

        Raises:
            HandsightError: for images or depth of another dtype or shape, or depth that the trunk does not
                take.
        """
        embedding: Tensor = self.trunk(self._input(images, depth_m))
        return embedding

    def forward_features(self, images: Tensor, depth_m: Tensor | None = None) -> dict[str, Tensor]:
        """Return maps `[B, C, h, w]` by tap, and `pooled` as `forward` gives it: all differentiable."""
        pooled, maps = forward_taps(self.trunk, self._input(images, depth_m))
        return {**maps, POOLED: pooled}

    def forward_tap(self, images: Tensor, tap: str, depth_m: Tensor | None = None) -> Tensor:
        """Return what lies at one tap, differentiably: its map `[B, C, h, w]`, or `pooled` `[B, D]`.

        Layers after the tap are not computed, but for torchvision's networks.

        Raises:
            HandsightError: there is no such tap; or for images or depth as `forward` refuses them.
        """
        if tap == POOLED:
            return cast(Tensor, self(images, depth_m))
        self.check_tap(tap)
        return forward_tap(self.trunk, self._input(images, depth_m), tap)

    def check_tap(self, tap: str) -> None:
        """Refuse the name of a tap that there is not.

        Raises:
            HandsightError: naming those that there are.
        """
        if tap not in self.taps:
            raise HandsightError(f"{self.name} has no tap '{tap}'; it has {', '.join(self.taps)}")

    @torch.no_grad()
    def tap_shape(self, tap: str) -> tuple[int, ...]:
        """Return the shape of what lies at a tap, without the batch: `(C, h, w)`, or `(D,)` for `pooled`."""
        if tap == POOLED:
            return (self.embedding_size,)
        was_training = self.training
        self.eval()
        black = next(self.parameters()).new_zeros(1, 3, self.image_size, self.image_size)
        shape = tuple(self.forward_tap(black, tap).shape[1:])
        self.train(was_training)
        return shape

    def embed(self, images: Images, batch_size: int = 256, *, depth_m: Depths | None = None) -> Tensor:
        """Embed images for use: in evaluation mode, without gradients, `batch_size` at a time.

        Args:
            images: see `Images`; on any device, a memory-mapped array included.
            batch_size: how many go through the trunk at once.
            depth_m: in metres, see `Depths`, for a trunk that takes depth; zeros where it is left out.

        Returns:
            float32 `[B, embedding_size]`, on the CPU. The module's mode is afterwards what it was.

        Raises:
            HandsightError: for images or depth of another dtype, shape or range, or depth that the trunk
                does not take.
        """
        with evaluating(self):
            each = [self(*sight).float().cpu() for sight in self._sights(images, depth_m, batch_size)]
        return torch.cat(each) if each else torch.empty(0, self.embedding_size)

    def features(
        self, images: Images, batch_size: int = 256, *, depth_m: Depths | None = None
    ) -> dict[str, Tensor]:
        """Return what lies at each tap, in the way of `embed`.

        Returns:
            float32 maps `[B, C, h, w]` by tap name, and `pooled` `[B, embedding_size]`, on the CPU. Tokens
            of a transformer are laid out as the patches they came from.

        Raises:
            HandsightError: as `embed`, and for no images at all.
        """
        with evaluating(self):
            each = [
                {tap: value.float().cpu() for tap, value in self.forward_features(*sight).items()}
                for sight in self._sights(images, depth_m, batch_size)
            ]
        if not each:
            raise HandsightError("features of no images were asked for; give at least one image")
        return {tap: torch.cat([batch[tap] for batch in each]) for tap in self.taps}

    def save(self, folder: str | Path) -> None:
        """Write `encoder.safetensors` and `encoder.json` into `folder`, each replaced only once it is whole.

        Raises:
            HandsightError: where the folder cannot be written, or `recipe` or `scores` are not plain values.
        """
        write_folder(folder, self.metadata, self.trunk.state_dict())

    def _input(self, images: Tensor, depth_m: Tensor | None) -> Tensor:
        """Return what the trunk takes, `[B, 3, S, S]`, or `[B, 4, S, S]` where it takes depth."""
        pictures: Tensor = self.preprocessing(images)
        if not self.takes_depth:
            self._refuse_depth(depth_m)
            return pictures
        if depth_m is None:
            depth = torch.zeros_like(pictures[:, :1])
        else:
            check_shape(depth_m, images)
            depth = fit_depth(depth_m, self.preprocessing).to(pictures)
        return torch.cat([pictures, depth], dim=1).contiguous(memory_format=torch.channels_last)

    def _sights(
        self, images: Images, depth_m: Depths | None, batch_size: int
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield images with their depth, checked, `batch_size` at a time."""
        self._refuse_depth(depth_m)
        colours = batches(images, batch_size, self.preprocessing)
        depths = depth_batches(depth_m, images, batch_size, self.preprocessing)
        return zip(colours, depths, strict=False)  # without depth there is no end of None

    def _refuse_depth(self, depth_m: Depths | None) -> None:
        if depth_m is not None and not self.takes_depth:
            raise HandsightError(
                f"{self.name} takes no depth; leave depth_m out, or train an encoder that takes it, such as "
                "unet-interaction"
            )


def load_encoder(path: str | Path, device: str | torch.device | None = None) -> Encoder:
    """Load what `Encoder.save` wrote.

    Args:
        path: an encoder folder, or a run folder with `encoder/` inside.
        device: where to put it; the CPU where it is left out.

    Returns:
        The encoder, in evaluation mode, with the very weights that were saved.

    Raises:
        HandsightError: for files that are missing, cut off, of another kind, or not of one another.
    """
    metadata, state = read_folder(path)
    try:
        with torch.random.fork_rng(
            devices=[]
        ):  # the weights drawn here are replaced: leave no trace of drawing
            encoder = Encoder(**{key: metadata[key] for key in CONFIGURATION})
    except (TypeError, AttributeError) as error:
        raise HandsightError(
            f"{path} describes no encoder that can be built ({error}); save it again"
        ) from error
    load_checked(encoder.trunk, state, str(path), "save the encoder again")
    encoder.recipe = metadata.get("recipe", {})
    encoder.scores = metadata.get("scores", {})
    return encoder.eval().to(device)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(options), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise HandsightError(
            f"options cannot be kept with the weights ({error}); use numbers, strings, lists and booleans"
        ) from error
    return plain


def _version() -> str:
    try:
        return packages.version("handsight")
    except packages.PackageNotFoundError:  # run from a source tree that is not installed
        return "not installed"
