"""Weights from elsewhere: a checkpoint of timm or torchvision, or another encoder of Handsight."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor, nn

from handsight.encoders.folder import read_folder
from handsight.encoders.trunks import classifier_names
from handsight.errors import HandsightError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")


UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    SafetensorError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
)
"""What reading a file of another kind raises, in torch, safetensors and timm."""

COUNTER = "num_batches_tracked"
"""What batch norm counts, and checkpoints from before torch 0.4.1 lack; it changes no output."""


def load_weights(trunk: nn.Module, path: str | Path) -> None:
    """Load a local file or folder into a trunk; a classifier in it is left out. Pickled code is never run.

    Args:
        trunk: as `build_trunk` gives it.
        path: a state dict as timm and torchvision keep them (`.safetensors`, or `.pth` read with
            `weights_only`), a Handsight encoder folder, or a run folder.

    Raises:
        HandsightError: where it cannot be read, or holds the weights of another network.
    """
    path = Path(path)
    if path.is_dir():
        metadata, state = read_folder(path)
        load_checked(
            trunk, state, str(path), f"give name={metadata['name']} and options={metadata['options']}"
        )
    else:
        load_checked(
            trunk, _read_file(path), str(path), "give the name and options that they were trained with"
        )


def load_checked(trunk: nn.Module, state: Mapping[str, Tensor], source: str, advice: str) -> None:
    """Load a state dict that must fit the trunk entirely, its classifier aside.

    Args:
        trunk: as `build_trunk` gives it.
        state: tensors by name.
        source: where they come from, for the message.
        advice: what to do where they do not fit, for the message.

    Raises:
        HandsightError: naming the first few tensors that do not fit.
    """
    mismatch = _mismatch(trunk, state)
    convert = getattr(sys.modules[type(trunk).__module__], "checkpoint_filter_fn", None)
    if mismatch and convert is not None:
        # timm keeps beside each network how to read its older checkpoints and resize position embeddings.
        try:
            converted = dict(convert(dict(state), trunk))
        except (KeyError, IndexError, RuntimeError, AssertionError, ValueError, AttributeError):
            converted = {}  # not a checkpoint that timm knows: what is said below is about what came
        if converted and not _mismatch(trunk, converted):
            state, mismatch = converted, ""
    if mismatch:
        raise HandsightError(f"the weights in {source} are not of this network: {mismatch}; {advice}")
    trunk.load_state_dict({name: state[name] for name in trunk.state_dict() if name in state}, strict=False)


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise HandsightError(
            f"there is no {path}; give a local checkpoint or an encoder folder (nothing is downloaded)"
        )
    if path.suffix not in SUFFIXES:
        raise HandsightError(
            f"{path} does not look like a checkpoint; give one of {', '.join(SUFFIXES)}, or an encoder folder"
        )
    try:
        state = load_state_dict(str(path), device="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:160]
        raise HandsightError(
            f"{path} cannot be read as a state dict ({reason}); give .safetensors, or a .pth of tensors only"
        ) from error
    tensors = {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}
    if not tensors:
        raise HandsightError(f"{path} holds no tensors by name; give a state dict")
    return tensors


def _mismatch(trunk: nn.Module, state: Mapping[str, Tensor]) -> str:
    wanted = trunk.state_dict()
    classifiers = tuple(f"{name}." for name in classifier_names(trunk))
    missing = [name for name in wanted if name not in state and not name.endswith(COUNTER)]
    foreign = [name for name in state if name not in wanted and not name.startswith(classifiers)]
    shapes = [
        f"{name} is {list(state[name].shape)}, not {list(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    parts = [
        f"{len(names)} tensors {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for what, names in (("missing", missing), ("unknown", foreign), ("of another shape", shapes))
        if names
    ]
    return ", ".join(parts)
