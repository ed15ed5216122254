"""Trunks: the network inside an encoder, by its name in timm, in torchvision, or among our own."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import timm
import torch
import torchvision
from torch import Tensor, nn

from handsight.encoders.alexnet import ALEXNET, AlexNet
from handsight.encoders.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from handsight.encoders.unet import UNET, UNet
from handsight.errors import HandsightError

OWN: Mapping[str, type[AlexNet | UNet]] = {ALEXNET: AlexNet, UNET: UNet}
"""The networks that stand in this room."""

DEPTH_CHANNELS = 4
"""Channels of a trunk's input: colours, and depth in metres."""

TORCHVISION = "torchvision/"
"""Prefix of the names of torchvision's ResNets; a name without it is timm's."""

TORCHVISION_TAPS = ("layer1", "layer2", "layer3", "layer4")

SET_BY_ENCODER = {
    *("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir", "weights"),
    *("num_classes", "features_only"),
}
"""Options that the encoder sets itself, so that nothing is downloaded and no classifier comes back."""


def build_trunk(name: str, image_size: int, options: Mapping[str, Any]) -> nn.Module:
    """Build a network without its classifier and with random weights; nothing is downloaded.

    Args:
        name: any of timm's, `torchvision/resnet18` and its like, or one of `OWN`.
        image_size: side of the input, pixels; passed on where weights depend on it.
        options: further arguments of `timm.create_model`, of torchvision's builder, or of our own network.
            With `in_chans: 4` timm's take depth as a fourth channel.

    Raises:
        HandsightError: for a name nobody knows (with the closest ones), or options it does not take.
    """
    decided = sorted(SET_BY_ENCODER & set(options))
    if decided:
        raise HandsightError(
            f"the encoder sets {', '.join(decided)} itself; leave it out of options (weights are given apart)"
        )
    channels = options.get("in_chans", 3)
    if channels not in ((3, DEPTH_CHANNELS) if timm.is_model(name) else (3,)):
        raise HandsightError(
            f"in_chans is {channels}; an encoder takes RGB images: leave it out of options, or give timm's "
            f"networks {DEPTH_CHANNELS}, for depth beside the colours"
        )
    resnets = [TORCHVISION + each for each in _torchvision_resnets()]
    if name not in (*OWN, *resnets) and not timm.is_model(name):
        close = _closest(name, [*timm.list_models(), *resnets, *OWN])
        raise HandsightError(f"there is no network called {name!r}; {close}")
    try:
        if name in OWN:
            known = [option for option in inspect.signature(OWN[name]).parameters if option != "image_size"]
            unknown = sorted(options.keys() - set(known))
            if unknown:
                raise HandsightError(
                    f"{name} has no option {', '.join(map(repr, unknown))}; it has {', '.join(known)}"
                )
            return OWN[name](image_size, **options)
        if name in resnets:
            builder = torchvision.models.get_model_builder(name.removeprefix(TORCHVISION))
            trunk: nn.Module = builder(weights=None, **arguments(name, image_size, options))
            trunk.fc = nn.Identity()
            return trunk
        built: nn.Module = timm.create_model(name, num_classes=0, **arguments(name, image_size, options))
        built.takes_depth = channels == DEPTH_CHANNELS
        return built
    except HandsightError:
        raise
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError, AttributeError) as error:
        raise HandsightError(
            f"{name} cannot be built at {image_size} px with options {dict(options)}: {_one_line(error)}; "
            "change image_size or options"
        ) from error


def arguments(name: str, image_size: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a network is built with: its options, and the image size where its weights depend on it."""
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    configuration = timm.models.get_pretrained_cfg(name) if timm.is_model(name) else None
    if configuration is not None and configuration.fixed_input_size:
        given.setdefault("img_size", image_size)
    return given


def normalisation(name: str) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and deviation of RGB in [0, 1] that a network is given: its own, or ImageNet's."""
    own: tuple[Sequence[float], Sequence[float]] | None = getattr(OWN.get(name), "normalisation", None)
    return own or (IMAGENET_MEAN, IMAGENET_STD)


def depth_options(name: str) -> dict[str, Any]:
    """Return the options with which a network takes depth, where it can be told to."""
    return {"in_chans": DEPTH_CHANNELS} if timm.is_model(name) else {}


def takes_depth(trunk: nn.Module) -> bool:
    """Say whether a fourth channel of a trunk's input is depth in metres."""
    return bool(getattr(trunk, "takes_depth", False))


def measure_trunk(trunk: nn.Module, name: str, image_size: int) -> int:
    """Return the embedding size, from the embedding of one black image.

    Raises:
        HandsightError: where the network does not take this size, or does not pool.
    """
    was_training = trunk.training
    trunk.eval()
    try:
        with torch.no_grad():
            channels = 3 + takes_depth(trunk)
            pooled = trunk(next(trunk.parameters()).new_zeros(1, channels, image_size, image_size))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise HandsightError(
            f"{name} does not take images of {image_size} px: {_one_line(error)}; choose another image_size"
        ) from error
    finally:
        trunk.train(was_training)
    if not isinstance(pooled, Tensor) or pooled.ndim != 2:
        raise HandsightError(
            f"{name} with these options gives no vector per image; leave global_pool out of options"
        )
    return int(pooled.shape[1])


def tap_names(trunk: nn.Module) -> tuple[str, ...]:
    """Return the names of a trunk's intermediate maps, from the first to the last."""
    if isinstance(trunk, torchvision.models.ResNet):
        return TORCHVISION_TAPS
    return tuple(str(info["module"]) for info in trunk.feature_info)  # type: ignore[union-attr]


def forward_taps(trunk: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Run a trunk once and return its pooled embedding `[B, D]` and its maps `[B, C, h, w]` by tap name.

    Tokens of a transformer are laid out as the patches they came from; class tokens are left out.
    """
    if isinstance(trunk, torchvision.models.ResNet):
        maps: dict[str, Tensor] = {}
        hooks = [_keep(trunk.get_submodule(tap), tap, maps) for tap in TORCHVISION_TAPS]
        try:
            return trunk(images), maps
        finally:
            for hook in hooks:
                hook.remove()
    last, each = trunk.forward_intermediates(images, output_fmt="NCHW")  # type: ignore[operator]
    return trunk.forward_head(last), dict(zip(tap_names(trunk), each, strict=True))  # type: ignore[operator]


def forward_tap(trunk: nn.Module, images: Tensor, tap: str) -> Tensor:
    """Return a trunk's map at one tap, `[B, C, h, w]`; later layers run in torchvision's networks alone."""
    if isinstance(trunk, torchvision.models.ResNet):
        return forward_taps(trunk, images)[1][tap]
    number = tap_names(trunk).index(tap)
    (found,) = trunk.forward_intermediates(  # type: ignore[operator]
        images, indices=[number], output_fmt="NCHW", stop_early=True, intermediates_only=True
    )
    return cast(Tensor, found)


def classifier_names(trunk: nn.Module) -> tuple[str, ...]:
    """Return the names under which checkpoints of this trunk keep a classifier."""
    named = (getattr(trunk, "pretrained_cfg", None) or {}).get("classifier") or "fc"
    return (named,) if isinstance(named, str) else tuple(named)


def _torchvision_resnets() -> list[str]:
    models = torchvision.models
    return [
        name
        for name in models.list_models()
        if models.get_model_builder(name).__module__ == models.resnet.__name__
    ]


def _keep(module: nn.Module, tap: str, maps: dict[str, Tensor]) -> torch.utils.hooks.RemovableHandle:
    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        maps[tap] = output

    return module.register_forward_hook(keep)


def _closest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=4, cutoff=0.5)
    return f"close are {', '.join(close)}" if close else "timm.list_models() lists them"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
