"""An encoder on disk, a folder: `encoder.safetensors`, its weights, and `encoder.json`, what they mean."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from handsight.errors import HandsightError

WEIGHTS = "encoder.safetensors"
DESCRIPTION = "encoder.json"
FORMAT = "handsight-encoder"
FORMAT_VERSION = 1

CONFIGURATION = ("name", "image_size", "mean", "std", "fit", "options")
"""The constructor's arguments; they stand in the header of the weights too, which mean nothing without."""


def write_folder(folder: str | Path, metadata: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write an encoder's folder; each file is replaced whole, so a crash leaves the old one or the new one.

    Raises:
        HandsightError: where the folder cannot be written, or the metadata is not plain values.
    """
    folder = Path(folder)
    try:
        text = (
            json.dumps(
                {"format": FORMAT, "format_version": FORMAT_VERSION, **metadata}, indent=2, allow_nan=False
            )
            + "\n"
        )
    except (TypeError, ValueError) as error:
        raise HandsightError(
            f"the encoder's recipe or scores cannot be written as JSON ({error}); keep to plain finite values"
        ) from error
    content = weights_file(state, handsight=_configuration(metadata))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / WEIGHTS, content)
        replace_file(folder / DESCRIPTION, text.encode())
    except OSError as error:
        raise HandsightError(
            f"the encoder cannot be saved in {folder}: {error.strerror}; choose a folder that can be written,"
            " or make room"
        ) from error


def weights_file(state: Mapping[str, Tensor], **header: str) -> bytes:
    """Return a state dict as the content of a safetensors file, with entries for its header."""
    # Cloned, since safetensors refuses tensors that share memory or are not laid out row by row.
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in state.items()
    }
    return save(tensors, metadata={"format": "pt", **header})


def read_folder(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read an encoder's folder, or that of a run folder with `encoder/` inside.

    Returns:
        The metadata, and the trunk's state dict on the CPU.

    Raises:
        HandsightError: for files that are missing, cut off, of another kind, or not of one another.
    """
    folder = find_folder(path)
    try:
        metadata = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HandsightError(
            f"{folder / DESCRIPTION} cannot be read ({error}); save the encoder again"
        ) from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise HandsightError(
            f"{folder / DESCRIPTION} describes no Handsight encoder; give a folder written by Encoder.save"
        )
    if metadata.get("format_version") != FORMAT_VERSION:
        raise HandsightError(
            f"{folder} has encoder format {metadata.get('format_version')}; this Handsight reads "
            f"{FORMAT_VERSION}: update Handsight"
        )
    missing = [key for key in CONFIGURATION if key not in metadata]
    if missing:
        raise HandsightError(f"{folder / DESCRIPTION} lacks {', '.join(missing)}; save the encoder again")
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except FileNotFoundError as error:
        raise HandsightError(f"{folder} has no {WEIGHTS}; give a folder written by Encoder.save") from error
    except (OSError, SafetensorError) as error:
        raise HandsightError(
            f"{folder / WEIGHTS} is cut off or damaged ({error}); copy or save the encoder again"
        ) from error
    if header.get("handsight") != _configuration(metadata):
        raise HandsightError(
            f"{WEIGHTS} and {DESCRIPTION} in {folder} are not of the same encoder; save or copy both again"
        )
    return metadata, state


def find_folder(path: str | Path) -> Path:
    """Return the encoder folder that `path` is or that the run folder `path` has inside.

    Raises:
        HandsightError: where there is none.
    """
    path = Path(path)
    for folder in (path, path / "encoder"):
        if (folder / DESCRIPTION).is_file():
            return folder
    if not path.exists():
        raise HandsightError(f"there is no {path}; give an encoder folder or a run folder")
    raise HandsightError(
        f"{path} holds no {DESCRIPTION}, nor does its encoder/; give an encoder folder or a finished run"
    )


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, then put it in its place in one step.

    Raises:
        OSError: where that cannot be done; `path` is then as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _configuration(metadata: Mapping[str, Any]) -> str:
    return json.dumps({key: metadata[key] for key in CONFIGURATION}, sort_keys=True)
