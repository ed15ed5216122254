"""Precision: what `auto` is, and where bfloat16 cannot be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from handsight.encoders import Encoder
from handsight.errors import HandsightError

Resolved = Literal["32-true", "bf16-mixed"]
"""A precision as Lightning Fabric names them."""

LEAST_INTENSITY = 50
"""Multiply-adds per number put out from which bfloat16 is chosen.

Measured on two Zen 4 cores (docs/results/training-step.md): networks of plain convolutions and attention lie
above it and train 1.2 to 1.8 times as fast in bfloat16; those of depthwise convolutions lie below, and gain
little or train at half the speed.
"""


def choose_precision(encoder: Encoder, accelerator: str) -> Resolved:
    """Return what `auto` is: bfloat16 where the machine computes in it and the encoder gains, else float32.

    It depends on the network and the machine only, nothing is timed: the same command chooses the same.

    Args:
        encoder: that will be trained.
        accelerator: as Fabric names it.
    """
    if not _computes_bfloat16(accelerator):
        return "32-true"
    anatomy = anatomy_of(encoder)
    trusted = _on_gpu(accelerator) or not anatomy.misread
    return "bf16-mixed" if trusted and anatomy.intensity >= LEAST_INTENSITY else "32-true"


def check_bfloat16(encoder: Encoder, accelerator: str) -> None:
    """Refuse bfloat16 where its gradients would be wrong.

    Raises:
        HandsightError: naming the layer.
    """
    misread = () if _on_gpu(accelerator) else anatomy_of(encoder).misread
    if misread:
        raise HandsightError(
            f"bf16-mixed on a CPU gives wrong gradients where a convolution reaches beyond all that it sees,"
            f" as {misread[0]} of {encoder.name} at {encoder.image_size} px; give --precision 32-true, or a"
            " larger --image-size"
        )


@dataclass(frozen=True)
class Anatomy:
    """How a network computes one image.

    Attributes:
        intensity: multiply-adds of a forward pass per number that its layers put out. The former become
            quicker in bfloat16, the latter are converted and carried.
        misread: names of the convolutions that oneDNN (3.13, in PyTorch 2.15) computes wrongly in bfloat16:
            what it returns holds memory that nobody wrote.
    """

    intensity: float
    misread: tuple[str, ...]


def anatomy_of(encoder: Encoder) -> Anatomy:
    """Embed a black image and look on; the encoder stays as it is."""
    numbers, misread = 0, []

    def look(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal numbers
        numbers += output.numel() if isinstance(output, Tensor) else 0
        if isinstance(layer, nn.Conv2d) and _misreads(layer, inputs[0].shape[2:]):
            misread.append(names[layer])

    names = {module: name for name, module in encoder.trunk.named_modules()}
    hooks = [module.register_forward_hook(look) for module in names if not any(module.children())]
    try:
        with FlopCounterMode(display=False) as operations:
            encoder.embed(torch.zeros(1, 3, encoder.image_size, encoder.image_size))
    finally:
        for hook in hooks:
            hook.remove()
    return Anatomy(float(operations.get_total_flops() / 2 / max(1, numbers)), tuple(misread))


def _misreads(layer: nn.Conv2d, seen: torch.Size) -> bool:
    """Whether a convolution goes wrong on maps of this height and width.

    Found by trying sizes up to 7, kernels up to 16 and strides up to 4, with 3 to 512 channels, in groups or
    not: against float64, after memory was filled with NaN.
    """
    padding = layer.padding if isinstance(layer.padding, tuple) else (0, 0)
    axes = zip(seen, layer.kernel_size, layer.stride, padding, strict=True)
    return any(
        (kernel > 1 and size < stride) or around > size or (kernel > 3 and kernel == size == stride)
        for size, kernel, stride, around in axes
    )


def _on_gpu(accelerator: str) -> bool:
    return accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()


def _computes_bfloat16(accelerator: str) -> bool:
    if _on_gpu(accelerator):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # True for AVX-512 BF16, which every processor with AMX has too.
    return accelerator in ("auto", "cpu") and bool(torch.cpu._is_avx512_bf16_supported())
