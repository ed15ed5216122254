"""Features: what an encoder says about labelled frames, and the standardisation that all protocols share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handsight.errors import HandsightError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with how many frames are done and how many there are."""


class Embeds(Protocol):
    """What evaluation asks of an encoder: uint8 `[B, 3, H, W]` in, float32 `[B, D]` out."""

    def embed(self, images: Tensor) -> Tensor:
        """Return one embedding per image."""
        ...


@dataclass(frozen=True)
class LabelledFrames:
    """Frames of one split that can be read by number, and what is known of each.

    Args:
        read: gives the frames of some numbers, uint8 `[n, h, w, 3]`.
        index: int64 `[N]`, the numbers that `read` understands.
        category: int64 `[N]`.
        object: int64 `[N]`, the instance; its frames are resampled together.
        clip: int64 `[N]`, the episode (and camera) a frame is from.
        frame: int64 `[N]`, the frame's place within its clip.
    """

    read: Callable[[Ints], NDArray[np.uint8]]
    index: Ints
    category: Ints
    object: Ints
    clip: Ints
    frame: Ints

    def __post_init__(self) -> None:
        _same_length(
            "labelled frames",
            index=self.index,
            category=self.category,
            object=self.object,
            clip=self.clip,
            frame=self.frame,
        )

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Features:
    """The embeddings of one split's frames with their labels; row i of each belongs to one frame.

    Args:
        embeddings: float32 `[N, D]`, finite.
        category: int64 `[N]`.
        object: int64 `[N]`, the instance.
        clip: int64 `[N]`, the episode (and camera).
        frame: int64 `[N]`, the frame's place within its clip.

    Raises:
        HandsightError: where lengths differ, there are no rows, or a value is not finite.
    """

    embeddings: Floats
    category: Ints
    object: Ints
    clip: Ints
    frame: Ints

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or 0 in self.embeddings.shape:
            raise HandsightError(
                f"features have shape {self.embeddings.shape}; expected [N, D] with N and D above 0: "
                "choose a split that has frames"
            )
        _same_length(
            "features",
            embeddings=self.embeddings,
            category=self.category,
            object=self.object,
            clip=self.clip,
            frame=self.frame,
        )
        if not np.isfinite(self.embeddings).all():
            broken_n = int((~np.isfinite(self.embeddings).all(axis=1)).sum())
            raise HandsightError(
                f"{broken_n} of {len(self)} embeddings hold NaN or infinity; expected finite numbers: "
                "the encoder diverged, take an earlier checkpoint"
            )

    def __len__(self) -> int:
        return len(self.embeddings)

    def with_embeddings(self, embeddings: Floats) -> Features:
        """Return the same frames under other embeddings."""
        return Features(embeddings, self.category, self.object, self.clip, self.frame)


def extract(
    encoder: Embeds,
    frames: LabelledFrames,
    *,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Features:
    """Embed labelled frames, batch by batch, in evaluation mode and without gradients.

    Args:
        encoder: already on `device`. A module is put into evaluation mode, and back into its own afterwards.
        frames: what to embed.
        batch_size: frames per forward.
        device: where the encoder is.
        progress: told after each batch how many frames are done.

    Raises:
        HandsightError: where there are no frames, or the embeddings are not finite.
    """
    if len(frames) == 0:
        raise HandsightError(
            "there are no frames to embed; expected at least one: choose a split that has episodes"
        )
    embeddings = embed_frames(
        encoder, frames.read, frames.index, batch_size=batch_size, device=device, progress=progress
    )
    return Features(embeddings, frames.category, frames.object, frames.clip, frames.frame)


def embed_frames(
    encoder: Embeds,
    read: Callable[[Ints], NDArray[np.uint8]],
    index: Ints,
    *,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Floats:
    """Embed the frames of some numbers; float32 `[len(index), D]`. See `extract`."""
    modes = [(m, m.training) for m in encoder.modules()] if isinstance(encoder, torch.nn.Module) else []
    if isinstance(encoder, torch.nn.Module):
        encoder.eval()
    rows: list[Floats] = []
    try:
        with torch.inference_mode():
            for start in range(0, len(index), batch_size):
                images = torch.from_numpy(np.ascontiguousarray(read(index[start : start + batch_size])))
                embedded = encoder.embed(images.permute(0, 3, 1, 2).to(device))
                rows.append(embedded.float().cpu().numpy())
                if progress is not None:
                    progress(min(start + batch_size, len(index)), len(index))
    finally:
        for module, training in modes:  # module by module: a frozen trunk stays in the mode it was in
            module.training = training
    return np.concatenate(rows)


@dataclass(frozen=True)
class Standardiser:
    """Takes each dimension to mean 0 and standard deviation 1 over the training split.

    Dimensions that do not vary in training (a dead unit) become 0 everywhere, so that none is blown up on
    other splits.

    Args:
        mean: float32 `[D]`.
        scale: float32 `[D]`; one over the standard deviation, or 0.
    """

    mean: Floats
    scale: Floats

    @classmethod
    def fit(cls, embeddings: Floats) -> Standardiser:
        """Fit to the training split's embeddings `[N, D]`."""
        mean = embeddings.mean(axis=0, dtype=np.float64)
        deviation = embeddings.std(axis=0, dtype=np.float64)
        # Below this share of its own magnitude, a float32 dimension's deviation is rounding.
        alive = deviation > 1e-6 * np.abs(embeddings).max(axis=0)
        scale = np.where(alive, 1.0 / np.where(alive, deviation, 1.0), 0.0)
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def __call__(self, embeddings: Floats) -> Floats:
        """Return the standardised embeddings, float32 `[N, D]`."""
        if embeddings.shape[1] != len(self.mean):
            raise HandsightError(
                f"embeddings have {embeddings.shape[1]} dimensions; the training split had {len(self.mean)}: "
                "use one encoder for all splits"
            )
        return ((embeddings - self.mean) * self.scale).astype(np.float32)


def standardise(train: Features, *others: Features) -> tuple[Features, ...]:
    """Standardise splits by the training split's mean and deviation; the training split comes first."""
    standardiser = Standardiser.fit(train.embeddings)
    return tuple(split.with_embeddings(standardiser(split.embeddings)) for split in (train, *others))


def unit_length(embeddings: Floats) -> Tensor:
    """Return rows of length 1 (zeros stay zeros), so that a dot product is a cosine; float32 `[N, D]`."""
    return torch.nn.functional.normalize(torch.from_numpy(np.ascontiguousarray(embeddings)).float(), dim=1)


def _same_length(what: str, **arrays: NDArray[np.generic]) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise HandsightError(f"{what} differ in length ({said}); expected one label per frame")
