"""The episode under way: checked frame by frame, encoded as it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.columns import Column
from handsight.recordings.features import Feature
from handsight.recordings.stats import Figures, PictureFigures
from handsight.recordings.videos import EpisodeVideo

_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
)
"""The fastest way that still compresses: smaller and quicker than level 1's own strategy. One filter for all:
trying each on each row takes a third longer and saves 2 % at 128 pixels, nothing at 640 × 480."""


_PACK = 1024
"""Frames that came one by one are joined when there are so many: an array takes ten times a few numbers."""


class Episode:
    """Frames that are not saved yet.

    Args:
        features: what each frame holds.
        fps: frames per second.
        videos: where each video camera's mp4 goes.
        codec: FFmpeg's name of the encoder.
        codec_options: for the encoder; None for the defaults.
    """

    def __init__(
        self,
        features: Mapping[str, Feature],
        fps: float,
        videos: Mapping[str, Path],
        codec: str,
        codec_options: Mapping[str, str] | None,
    ) -> None:
        self.length = 0
        self.videos = dict(videos)
        self._features = features
        self._chunks: dict[str, list[npt.NDArray[Any]]] = {
            n: [] for n, f in features.items() if not f.is_camera
        }
        self._recent: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in self._chunks}
        self._images: dict[str, list[bytes]] = {n: [] for n, f in features.items() if f.dtype == "image"}
        self._figures = {name: PictureFigures() for name, feature in features.items() if feature.is_camera}
        self._encoders: dict[str, EpisodeVideo] = {}
        self._new_encoder: Callable[[str], EpisodeVideo] = lambda name: EpisodeVideo(
            videos[name], features[name].shape, fps, codec, codec_options
        )

    def conform(self, frames: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
        """Return frames as they are kept, for each stream `[n, *shape]`; nothing is added yet.

        Raises:
            HandsightError: a stream is missing, unknown, of another shape, dtype or length, or not finite.
        """
        missing = [name for name in self._features if name not in frames]
        unknown = [name for name in frames if name not in self._features]
        if missing or unknown:
            came = f"lacks {', '.join(missing)}" if missing else f"has an undeclared {', '.join(unknown)}"
            raise HandsightError(f"frame {self.length} {came}; expected {', '.join(self._features)}")
        checked = {n: conform(n, feature, frames[n], self.length) for n, feature in self._features.items()}
        lengths = {name: len(values) for name, values in checked.items()}
        if len(set(lengths.values())) > 1:
            raise HandsightError(
                f"streams of an episode differ in length: {lengths}; expected a row per frame"
            )
        return checked

    def extend(self, checked: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add frames that `conform` returned."""
        for name, values in checked.items():
            if name in self._chunks:
                self._add_numbers(name, values)
            else:
                self._add_pictures(name, values)
        self.length += len(next(iter(checked.values())))

    def _add_numbers(self, name: str, values: npt.NDArray[Any]) -> None:
        self._recent[name].append(values)
        if len(self._recent[name]) == _PACK:
            self._chunks[name].append(np.concatenate(self._recent[name]))
            self._recent[name] = []

    def _add_pictures(self, name: str, frames: npt.NDArray[np.uint8]) -> None:
        if name not in self._images and name not in self._encoders and len(frames):
            self._encoders[name] = self._new_encoder(name)
        for frame in frames:
            self._figures[name].add(frame)
            if name in self._images:
                self._images[name].append(encode_png(frame))
            else:
                self._encoders[name].add(frame)

    def finish(self) -> tuple[dict[str, Column], dict[str, Figures]]:
        """Finish the videos; return the columns of the data file and the cameras' figures."""
        for encoder in self._encoders.values():
            encoder.close()
        self._encoders = {}
        columns: dict[str, Column] = {
            name: np.concatenate([*chunks, *self._recent[name]]) for name, chunks in self._chunks.items()
        }
        columns.update(self._images)
        return columns, {name: figures.figures() for name, figures in self._figures.items()}

    def discard(self) -> None:
        """Give everything up."""
        for encoder in self._encoders.values():
            encoder.discard()
        self._encoders = {}


def encode_episode(
    features: Mapping[str, Feature], frames: Mapping[str, Any]
) -> tuple[dict[str, Column], dict[str, Figures]]:
    """Return what `Writer.add_encoded_episode` takes of an episode without videos: columns and figures.

    Args:
        features: what each frame holds; no camera of dtype `video`.
        frames: for each stream an array `[T, *shape]`.

    Raises:
        HandsightError: a stream is missing, unknown, of another shape, dtype or length, or not finite.
    """
    episode = Episode(features, fps=1, videos={}, codec="", codec_options=None)  # which are the videos'
    episode.extend(episode.conform(frames))
    return episode.finish()


def encode_png(frame: npt.NDArray[np.uint8]) -> bytes:
    """Return an RGB frame `[H, W, 3]` as PNG bytes."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), _PNG)
    assert done, "OpenCV refused to encode an image of checked shape and dtype"
    return bytes(encoded.tobytes())


def conform(name: str, feature: Feature, values: Any, first: int) -> npt.NDArray[Any]:
    """Return `[n, *shape]` in the stream's dtype, or say which frame does not fit.

    Args:
        name: of the stream, for the message.
        feature: what the stream declares.
        values: one row per frame; a stream of shape `(1,)` may come without its last axis.
        first: number of the first frame, for the message.

    Raises:
        HandsightError: another shape; a dtype that does not convert without loss of kind; NaN or infinity.
    """
    array = np.asarray(values)
    if feature.shape == (1,) and array.ndim == 1 and not feature.is_camera:
        array = array[:, None]
    expected = f"{'uint8' if feature.is_camera else feature.dtype} {feature.shape}"
    if array.ndim == 0 or array.shape[1:] != feature.shape:
        came = f"{array.dtype} {array.shape[1:]}"
        raise HandsightError(f"stream {name!r}, frame {first}: {came} came; expected {expected}")
    if feature.dtype == "string":
        if array.dtype.kind not in "UO" or not all(isinstance(text, str) for text in array.flat):
            raise HandsightError(f"stream {name!r}, frame {first}: {array.dtype} came; expected {expected}")
        return array.reshape(len(array))
    kind = np.dtype("uint8" if feature.is_camera else feature.dtype)
    if (feature.is_camera and array.dtype != kind) or not np.can_cast(array.dtype, kind, "same_kind"):
        raise HandsightError(f"stream {name!r}, frame {first}: {array.dtype} came; expected {expected}")
    with np.errstate(over="ignore"):
        converted = array.astype(kind)  # a copy: the caller may go on writing into its buffer
    if kind.kind == "f" and not np.isfinite(converted).all():
        bad = first + int(np.argwhere(~np.isfinite(converted))[0][0])
        value = array[bad - first][~np.isfinite(converted[bad - first])][0]
        raise HandsightError(f"stream {name!r}, frame {bad}: {value} came; expected finite {expected}")
    if kind.kind in "iu" and array.dtype != kind and not np.array_equal(converted, array):
        raise HandsightError(f"stream {name!r}: values beyond {kind} came; expected {expected}")
    return converted
