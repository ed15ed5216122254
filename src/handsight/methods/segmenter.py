"""The segmenter: an encoder and the heads that tell the things in a picture, and how to touch them.

Learning about objects by learning to interact with them (NeurIPS 2020), section 4.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from handsight.encoders import Encoder, Images, load_encoder
from handsight.encoders.batches import batches, evaluating
from handsight.encoders.depth import Depths, depth_batches
from handsight.encoders.folder import WEIGHTS as ENCODER_WEIGHTS
from handsight.encoders.folder import find_folder, replace_file, weights_file
from handsight.encoders.unet import STRIDE
from handsight.errors import HandsightError
from handsight.objectives import InteractionHeads
from handsight.objectives.interaction import Told
from handsight.objectives.proposals import MOST, Proposals, propose

ENCODER, WEIGHTS, DESCRIPTION = "encoder", "heads.safetensors", "heads.json"
FORMAT, FORMAT_VERSION = "handsight-heads", 1
HEADS = ("channels", "hidden", "coordinate_scale")
"""What the heads are built by."""

SURE = 0.0
"""The logit that a thing's score reaches to be told: touching it rather moves something than not."""


@dataclass(frozen=True)
class Things:
    """The things that were told in a picture, best first.

    Args:
        masks: bool `[M, H, W]`, at the picture's size; they do not overlap.
        scores: float64 `[M]`, how likely touching it moves something, 0 to 1.
        bins: int64 `[M]`, of the force that this takes: 0 light, 1 medium, 2 heavy.
        points: int64 `[M, 2]`, row and column of the pixel to touch.
        boxes: float64 `[M, 4]`: left, top, width, height in pixels, of networks that tell boxes beside masks;
            None where a thing's box is what its mask lies in.
    """

    masks: NDArray[np.bool_]
    scores: NDArray[np.float64]
    bins: NDArray[np.int64]
    points: NDArray[np.int64]
    boxes: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def most(self, count: int) -> Things:
        """Return the best of them, `count` at most."""
        boxes = None if self.boxes is None else self.boxes[:count]
        return Things(self.masks[:count], self.scores[:count], self.bins[:count], self.points[:count], boxes)


class Segmenter(nn.Module):
    """Pictures in, the things in them out. It holds the encoder and the heads it is given, and nothing more.

    The heads stand on the encoder's last map, brought to a cell for each `STRIDE` × `STRIDE` pixels of its
    input. Depth is for encoders that take it; the others see the colours alone, whether it is given or not.

    Args:
        encoder: one that pictures are stretched for, so that each cell has a place in the picture.
        heads: built for the channels of the encoder's last map.

    Raises:
        HandsightError: where the encoder crops pictures.
    """

    def __init__(self, encoder: Encoder, heads: InteractionHeads) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, heads
        if encoder.preprocessing.fit != "stretch":
            raise HandsightError(
                f"a segmenter was to stand on an encoder with fit {encoder.preprocessing.fit!r}, which sees "
                "a part of a picture; train one with fit 'stretch'"
            )

    @property
    def tap(self) -> str:
        """The encoder's last map."""
        return self.encoder.taps[-2]

    def tell(self, images: Tensor, depth_m: Tensor | None = None, *, detection: bool = True) -> Told:
        """Say of each cell what the heads say, differentiably and in the module's present mode.

        Args:
            images: as `Encoder.forward` takes them.
            depth_m: float `[B, H, W]`, metres.
            detection: whether what tells scores and embeddings is being trained; otherwise the encoder and
                the detection's head are used as they are, in evaluation mode and without gradient, so that
                nothing of them changes, and only the forces have one.

        Raises:
            HandsightError: for images or depth as `Encoder.forward` refuses them.
        """
        if detection:
            return self.heads.tell(self._map(images, depth_m))
        with evaluating(self.encoder):
            features = self._map(images, depth_m)
        with evaluating(self.heads):
            told = self.heads.tell(features)
        return told._replace(logits=self.heads.force(features))

    def propose(
        self,
        images: Tensor,
        depth_m: Tensor | None = None,
        count: int = MOST,
        *,
        threshold: float = SURE,
    ) -> Proposals:
        """Propose things in pictures, on the grid: in evaluation mode, without gradients, on their device.

        Args:
            images: as `Encoder.forward` takes them.
            depth_m: float `[B, H, W]`, metres.
            count: things in a picture at most.
            threshold: a logit that their scores reach.

        Raises:
            HandsightError: for images or depth as `Encoder.forward` refuses them, or a count below 1.
        """
        with evaluating(self):
            return propose(*self.heads.tell(self._map(images, depth_m)), count=count, threshold=threshold)

    def segment(
        self,
        images: Images,
        depth_m: Depths | None = None,
        threshold: float = SURE,
        *,
        count: int = MOST,
        batch_size: int = 8,
    ) -> list[Things]:
        """Tell the things in pictures, at the pictures' own size.

        Args:
            images: see `Images`; of any size.
            depth_m: in metres, see `Depths`.
            threshold: a logit that their scores reach: 0 for likelier than not, lower for more of them.
            count: things in a picture at most.
            batch_size: pictures that go through the network at once.

        Returns:
            The things of each picture. A mask's cells are as wide as cells of the grid: 3 pixels, where the
            picture has the encoder's size.

        Raises:
            HandsightError: for images or depth as `Encoder.embed` refuses them, or a count below 1.
        """
        preprocessing = self.encoder.preprocessing
        depths = depth_batches(depth_m, images, batch_size, preprocessing)
        found: list[Things] = []
        for colours, depth in zip(batches(images, batch_size, preprocessing), depths, strict=False):
            told = self.propose(colours, depth, count, threshold=threshold)
            for mine in zip(*told, strict=True):
                found.append(_things(Proposals(*(each.cpu() for each in mine)), _size(images[len(found)])))
        return found

    def save(self, folder: str | Path) -> None:
        """Write `encoder/` (see `Encoder.save`), and `heads.safetensors` and `heads.json` beside it.

        Raises:
            HandsightError: where the folder cannot be written.
        """
        folder = Path(folder)
        self.encoder.save(folder / ENCODER)
        description = json.dumps(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "channels": self.heads.channels,
                "hidden": self.heads.hidden,
                "coordinate_scale": self.heads.coordinate_scale,
                "encoder": _fingerprint(folder / ENCODER),
            },
            sort_keys=True,
        )
        try:
            replace_file(folder / WEIGHTS, weights_file(self.heads.state_dict(), handsight=description))
            replace_file(folder / DESCRIPTION, (description + "\n").encode())
        except OSError as error:
            raise HandsightError(
                f"the heads cannot be saved in {folder}: {error.strerror}; choose a folder that can be "
                "written, or make room"
            ) from error

    def _map(self, images: Tensor, depth_m: Tensor | None) -> Tensor:
        """Return the encoder's last map, on the grid of cells: other trunks' are brought to it bilinearly."""
        features = self.encoder.forward_tap(images, self.tap, depth_m if self.encoder.takes_depth else None)
        grid = self.encoder.image_size // STRIDE
        if features.shape[-1] == grid:
            return features
        return nn.functional.interpolate(features, (grid, grid), mode="bilinear")


def load_segmenter(path: str | Path, device: str | torch.device | None = None) -> Segmenter:
    """Load what `Segmenter.save` wrote.

    Args:
        path: its folder, such as that of a run.
        device: where to put it; the CPU where it is left out.

    Returns:
        The segmenter, in evaluation mode, with the very weights that were saved.

    Raises:
        HandsightError: for files that are missing, cut off, of another kind, or not of one another.
    """
    encoder, folder = load_encoder(path), find_folder(path)
    beside = folder if (folder / DESCRIPTION).is_file() else folder.parent
    description, state = _read_heads(beside)
    if description["encoder"] != _fingerprint(folder):
        raise HandsightError(
            f"{WEIGHTS} in {beside} was trained with another encoder than {folder}; save or copy both again"
        )
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced: leave no trace of drawing
        heads = InteractionHeads(*(description[name] for name in HEADS))
    try:
        heads.load_state_dict(state)
    except RuntimeError as error:
        raise HandsightError(f"{beside / WEIGHTS} holds other weights than {DESCRIPTION} says") from error
    return Segmenter(encoder, heads).eval().to(device)


def _read_heads(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        text = (folder / DESCRIPTION).read_text(encoding="utf-8").strip()
        description = json.loads(text)
    except FileNotFoundError as error:
        raise HandsightError(
            f"{folder} holds no {DESCRIPTION}: its encoder was trained without telling things apart; give a "
            "run of learning-to-interact"
        ) from error
    except (OSError, ValueError) as error:
        raise HandsightError(f"{folder / DESCRIPTION} cannot be read ({error}); save it again") from error
    wanted = {"format": FORMAT, "format_version": FORMAT_VERSION}
    known = isinstance(description, dict) and wanted.items() <= description.items()
    if not known or not {*HEADS, "encoder"} <= description.keys():
        raise HandsightError(
            f"{folder / DESCRIPTION} describes no heads that this Handsight reads; save it again, or update "
            "Handsight"
        )
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            header = (file.metadata() or {}).get("handsight")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except FileNotFoundError as error:
        raise HandsightError(f"{folder} has no {WEIGHTS}; copy or save it again") from error
    except (OSError, SafetensorError) as error:
        raise HandsightError(
            f"{folder / WEIGHTS} is cut off or damaged ({error}); copy or save it again"
        ) from error
    if header != text:
        raise HandsightError(
            f"{WEIGHTS} and {DESCRIPTION} in {folder} are not of the same heads; save or copy both again"
        )
    return description, state


def _fingerprint(encoder: Path) -> str:
    return hashlib.sha256((encoder / ENCODER_WEIGHTS).read_bytes()).hexdigest()


def _size(image: Any) -> tuple[int, int]:
    """Return height and width of one image as users hold it, pixels."""
    shape: Sequence[int] = image.shape if hasattr(image, "shape") else np.asarray(image).shape
    return (shape[1], shape[2]) if shape[0] == 3 else (shape[0], shape[1])


def _things(proposed: Proposals, size: tuple[int, int]) -> Things:
    """Bring what is proposed in one picture from the grid to the picture's size."""
    points, scores, bins, masks = (each[proposed.valid] for each in proposed[:4])
    rows, columns = (
        ((torch.arange(side) + 0.5) * cells / side).long()
        for side, cells in zip(size, masks.shape[1:], strict=True)
    )
    scale = torch.tensor(size) / torch.tensor(masks.shape[1:])
    return Things(
        masks=masks[:, rows][:, :, columns].numpy(),
        scores=scores.double().numpy(),
        bins=bins.numpy(),
        points=((points + 0.5) * scale).floor().long().numpy(),
    )
