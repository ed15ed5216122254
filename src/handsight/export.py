"""Export: an encoder for people who do not have Handsight."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, get_args

import timm
import torch
from torch import nn

from handsight.encoders import Encoder, load_encoder
from handsight.encoders.folder import DESCRIPTION, WEIGHTS, replace_file, weights_file
from handsight.encoders.trunks import TORCHVISION, arguments
from handsight.errors import HandsightError

Format = Literal["safetensors", "timm"]
"""`safetensors`: weights and a description as JSON. `timm`: a folder that `timm.create_model` loads."""

SAME = 1e-4
"""How far the embeddings of the exported network may lie from the encoder's, of the largest entry."""

README = """\
# {architecture}, trained with Handsight

`model.safetensors` holds the weights, `config.json` how the network is built and what images it takes.

```python
import timm
import torch
from PIL import Image

model = timm.create_model("local-dir:{folder}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
image = transform(Image.open("image.png").convert("RGB")){depth}
with torch.no_grad():
    embedding = model(image[None])  # [1, {embedding_size}]
```

From the weights alone: `timm.create_model({call})`.

Images are RGB in [0, 1], {fit} {image_size} × {image_size} pixels (bilinear), less {mean}, divided by {std}.
"""

DEPTH = """
depth_m = torch.zeros_like(image[:1])  # where it is known: metres, resized with the image, nearest neighbours
image = torch.cat([image, depth_m])"""

HOW_FITTED = {"stretch": "stretched to", "crop": "resized by the short side and cropped in the middle to"}


def export(source: str | Path | Encoder, to: Format, out: str | Path) -> Path:
    """Write an encoder in a format that others read.

    Args:
        source: an encoder, an encoder folder or a run folder.
        to: see `Format`.
        out: folder to write into; it is made where it does not exist. Files in it are never replaced.

    Returns:
        The folder.

    Raises:
        HandsightError: for a format that is not known, a source that cannot be read, files that are there
            already, or a network that timm does not have.
    """
    if to not in get_args(Format):
        raise HandsightError(f"there is no export to {to!r}; the formats are {', '.join(get_args(Format))}")
    encoder = source if isinstance(source, Encoder) else load_encoder(source)
    folder = Path(out)
    names = {
        "safetensors": (WEIGHTS, DESCRIPTION),
        "timm": ("model.safetensors", "config.json", "README.md"),
    }[to]
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise HandsightError(f"{folder} has {', '.join(there)} already; give another folder, or remove them")
    if to == "safetensors":
        with _whole_or_nothing(folder, names):
            encoder.save(folder)
        return folder
    architecture, model_args = _in_timm(encoder)
    _check_same(encoder, architecture, model_args)
    contents = (
        weights_file(encoder.trunk.state_dict()),
        (json.dumps(_timm_config(encoder, architecture, model_args), indent=2) + "\n").encode(),
        _readme(encoder, architecture, model_args, folder).encode(),
    )
    with _whole_or_nothing(folder, names):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in zip(names, contents, strict=True):
            replace_file(folder / name, content)
    return folder


@contextmanager
def _whole_or_nothing(folder: Path, names: tuple[str, ...]) -> Iterator[None]:
    """Remove what was written of files that are not all written, so that the same call can be made again."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            for name in names:
                (folder / name).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise HandsightError(
            f"{folder} cannot be written: {error.strerror}; make room there, or choose another folder"
        ) from error


def _in_timm(encoder: Encoder) -> tuple[str, dict[str, Any]]:
    """Return a network's name in timm and the arguments it is built with."""
    if timm.is_model(encoder.name):
        return encoder.name, arguments(encoder.name, encoder.image_size, encoder.options)
    architecture = encoder.name.removeprefix(TORCHVISION)
    if not timm.is_model(architecture) or encoder.options:
        what = f"{encoder.name} with options {encoder.options}" if encoder.options else encoder.name
        raise HandsightError(f"timm has no network that is {what}; export to safetensors instead")
    return architecture, {}


def _check_same(encoder: Encoder, architecture: str, model_args: Mapping[str, Any]) -> None:
    """Build the network as the receiver will, and compare what it says, on the CPU in single precision."""
    ours = copy.deepcopy(encoder).cpu().float()
    images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    depth_m = torch.ones(2, 48, 48) if ours.takes_depth else None  # the same, however it is resized
    wanted = ours.embed(images, depth_m=depth_m)
    if not bool(wanted.isfinite().all()):
        raise HandsightError(
            "the encoder's embeddings are not finite: its training broke down; export another"
        )
    with torch.random.fork_rng(devices=[]):
        theirs: nn.Module = timm.create_model(architecture, num_classes=0, **model_args)
    try:
        theirs.load_state_dict(ours.trunk.state_dict())
        with torch.no_grad():
            seen = ours.preprocessing(images)
            got = theirs.eval()(
                torch.cat([seen, torch.ones_like(seen[:, :1])], 1) if ours.takes_depth else seen
            )
        same = bool((got - wanted).abs().max() <= SAME * wanted.abs().max())
    except RuntimeError:  # other names, shapes or numbers of tensors
        same = False
    if not same:
        raise HandsightError(
            f"timm's {architecture} is not the network in this encoder, {encoder.name}; "
            "export to safetensors instead"
        )


def _timm_config(encoder: Encoder, architecture: str, model_args: Mapping[str, Any]) -> dict[str, Any]:
    """Return timm's description of a model folder; ours stands beside it, where timm does not look."""
    known = encoder.metadata
    theirs = timm.models.get_pretrained_cfg(architecture)
    return {
        "architecture": architecture,
        "num_classes": 0,
        "num_features": encoder.embedding_size,
        "model_args": dict(model_args),
        "pretrained_cfg": {
            "tag": "handsight",
            "custom_load": False,
            "input_size": [3 + encoder.takes_depth, encoder.image_size, encoder.image_size],
            "fixed_input_size": bool(theirs.fixed_input_size),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash" if known["fit"] == "stretch" else "center",
            "mean": known["mean"],
            "std": known["std"],
            "num_classes": 0,
            "pool_size": None,
            # Where it is named, timm makes weights for four channels of those for three.
            "first_conv": None if encoder.takes_depth else theirs.first_conv,
            "classifier": theirs.classifier,
        },
        "handsight": known,
    }


def _readme(encoder: Encoder, architecture: str, model_args: Mapping[str, Any], folder: Path) -> str:
    known = encoder.metadata
    options = "".join(f", {key}={value!r}" for key, value in model_args.items())
    return README.format(
        architecture=architecture,
        folder=folder.name,
        call=f'"{architecture}", num_classes=0{options}, checkpoint_path="{folder.name}/model.safetensors"',
        fit=HOW_FITTED[known["fit"]],
        depth=DEPTH if encoder.takes_depth else "",
        **{key: known[key] for key in ("embedding_size", "image_size", "mean", "std")},
    )
