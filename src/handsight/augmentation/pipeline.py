"""The augmentation of a training batch: settings, drawing of parameters, application."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from handsight.augmentation.blur import blur
from handsight.augmentation.colour import grey_of, jitter_
from handsight.augmentation.parameters import Parameters, draw_crops, uniform
from handsight.augmentation.resample import resample
from handsight.errors import HandsightError

CACHE_BYTES = 1 << 21
"""On the CPU, images are augmented as many at a time as fit in about this much: their passes then stay in
the cache."""


@dataclass(frozen=True)
class Augmentation:
    """Random resized crop, mirroring, colour jitter, grey and blur, in this order, drawn per image.

    The defaults are action-aware self-supervised learning's (ECCV 2024): crop and colour, neither mirroring
    nor blur.

    Args:
        size: of the result, in pixels.
        crop_scale: least and most area of the crop, as parts of the image's, in (0, 1].
        crop_ratio: least and most width / height of the crop, > 0.
        jitter_probability: that an image's colours change.
        brightness: strength ≥ 0; the factor is uniform in [max(0, 1 − strength), 1 + strength].
        contrast: likewise.
        saturation: likewise.
        hue: most turn of the hue either way, in turns of the colour wheel, in [0, 0.5].
        grey_probability: that an image becomes grey.
        flip_probability: that an image is mirrored left to right; labels move along by their declared
            `moves`.
        blur_probability: that an image is blurred.
        blur_sigma: least and most standard deviation of the blur, in pixels of the result, > 0; its kernel
            spans 10 % of `size`.
    """

    size: int = 128
    crop_scale: tuple[float, float] = (0.2, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    jitter_probability: float = 0.8
    brightness: float = 0.8
    contrast: float = 0.8
    saturation: float = 0.8
    hue: float = 0.2
    grey_probability: float = 0.2
    flip_probability: float = 0.0
    blur_probability: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        if self.size < 2:
            raise HandsightError(f"augmentation.size is {self.size}; give at least 2 pixels")
        for name in ("jitter_probability", "grey_probability", "flip_probability", "blur_probability"):
            self._within(name, (getattr(self, name),), 0.0, 1.0)
        for name in ("brightness", "contrast", "saturation"):
            self._within(name, (getattr(self, name),), 0.0, float("inf"))
        self._within("hue", (self.hue,), 0.0, 0.5)
        self._within("crop_scale", self.crop_scale, 0.0, 1.0, open_below=True)
        self._within("crop_ratio", self.crop_ratio, 0.0, float("inf"), open_below=True)
        self._within("blur_sigma", self.blur_sigma, 0.0, float("inf"), open_below=True)

    def _within(
        self, name: str, values: tuple[float, ...], low: float, high: float, open_below: bool = False
    ) -> None:
        inside = all((low < value if open_below else low <= value) and value <= high for value in values)
        if not inside or list(values) != sorted(values):
            given = values[0] if len(values) == 1 else values
            what = "a number" if len(values) == 1 else "two numbers, the lower first,"
            limits = f"above {low:g}" if open_below else f"of at least {low:g}"
            limits += "" if high == float("inf") else f" and at most {high:g}"
            raise HandsightError(f"augmentation.{name} is {given}; give {what} {limits}")

    def draw(self, generator: torch.Generator, count: int, height: int, width: int) -> Parameters:
        """Draw the parameters of a batch.

        They depend on the generator's state and the arguments only, and are drawn alike whatever the
        settings, so that switching one operation off leaves the others' parameters as they were. Draw for the
        global batch, then take each process's rows with `slice`.

        Args:
            generator: on the CPU, so that every device sees the same.
            count: images.
            height: of the images, in pixels.
            width: of the images, in pixels.
        """
        if count < 0 or height < 1 or width < 1:
            raise HandsightError(
                f"parameters were asked for {count} images of {height} × {width} pixels; "
                "give sizes of at least 1"
            )
        chances = uniform(generator, (count, 4), (0.0, 1.0))
        crop = draw_crops(generator, count, height, width, self.crop_scale, self.crop_ratio)
        strengths = (self.brightness, self.contrast, self.saturation)
        limits = [(max(0.0, 1.0 - strength), 1.0 + strength) for strength in strengths] + [
            (-self.hue, self.hue)
        ]
        factors = torch.stack([uniform(generator, (count,), limit) for limit in limits], dim=1).float()
        order = torch.rand(count, 4, generator=generator, dtype=torch.float64).argsort(dim=1)
        sigma = uniform(generator, (count,), self.blur_sigma).float()
        return Parameters(
            crop=crop,
            jitter=chances[:, 0] < self.jitter_probability,
            factors=factors,
            order=order,
            grey=chances[:, 1] < self.grey_probability,
            flip=chances[:, 2] < self.flip_probability,
            blur=torch.where(chances[:, 3] < self.blur_probability, sigma, 0.0),
            height=height,
            width=width,
            may_flip=self.flip_probability > 0,
        )

    def __call__(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Augment images.

        Args:
            images: uint8 `[N, 3, H, W]`, or float in [0, 1], on any device and in any memory format;
                unchanged.
            parameters: N of them, drawn for images of H × W.

        Returns:
            float32 `[N, 3, size, size]` in [0, 1], on the images' device, without gradients.

        Raises:
            HandsightError: where images and parameters do not belong together.
        """
        self._check(images, parameters)
        step = len(images)
        if images.device.type == "cpu":
            step = max(1, CACHE_BYTES // (4 * 3 * max(self.size**2, parameters.height * parameters.width)))
        result = torch.empty(len(images), 3, self.size, self.size, device=images.device)
        # Autocast would do the matrix products in half precision, coarser than the pictures' 8 bits.
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            for start in range(0, len(images), max(step, 1)):
                part = slice(start, start + step)
                self._apply(images[part], parameters.slice(start, start + step), result[part])
        return result

    def _apply(self, images: Tensor, parameters: Parameters, pixels: Tensor) -> None:
        device = images.device
        resample(images, parameters.crop.to(device), parameters.flip.to(device), self.size, out=pixels)
        if parameters.jitter.any():
            unchanged = parameters.factors.new_tensor([1.0, 1.0, 1.0, 0.0])
            jitter_(
                pixels,
                torch.where(parameters.jitter[:, None], parameters.factors, unchanged),
                parameters.order,
            )
        grey = parameters.grey.nonzero()[:, 0].to(device)
        if len(grey):
            pixels[grey] = grey_of(pixels[grey])[:, None].expand(-1, 3, -1, -1)
        blurred = parameters.blur.nonzero()[:, 0]
        if len(blurred):
            sigma = parameters.blur[blurred].to(device)
            blurred = blurred.to(device)
            pixels[blurred] = blur(pixels[blurred], sigma)

    def _check(self, images: Tensor, parameters: Parameters) -> None:
        if images.ndim != 4 or images.shape[1] != 3:
            raise HandsightError(
                f"images to augment have shape {list(images.shape)}; give [N, 3, height, width]"
            )
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise HandsightError(f"images to augment are {images.dtype}; give uint8, or float in [0, 1]")
        if images.is_floating_point() and len(images):
            low, high = (float(limit) for limit in images.detach().aminmax())
            if not 0 <= low <= high <= 1:
                raise HandsightError(
                    f"float images range from {low:g} to {high:g}; give [0, 1], or uint8 for 0 to 255"
                )
        if len(images) != len(parameters):
            raise HandsightError(
                f"{len(images)} images came with parameters for {len(parameters)}; draw one row per image"
            )
        if tuple(images.shape[2:]) != (parameters.height, parameters.width):
            drawn = f"{parameters.height} × {parameters.width}"
            raise HandsightError(
                f"images of {images.shape[2]} × {images.shape[3]} came with parameters drawn for {drawn}; "
                "draw them for the images' size"
            )
