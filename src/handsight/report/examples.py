"""Example clips of a recording: episodes of different categories, with the actions between frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handsight.recordings import Feature, Recording, resolve_between
from handsight.recordings.needs import between_frames
from handsight.report.clips import Clip

STRIP_FRAMES = 7
FILM_FRAMES = 20


def example_clips(
    recording: Recording, generator: np.random.Generator, count: int = 4, action: str = "action"
) -> list[Clip]:
    """Draw example clips.

    Args:
        recording: whose first camera is shown.
        generator: source of the draws: which episodes, and which of their frames.
        count: how many clips at most; of as many categories as there are.
        action: the stream that is drawn between frames; where there is none, only frames are shown.

    Raises:
        HandsightError: where frames cannot be read.
    """
    lengths = np.diff(recording.episode_starts)
    categories = recording.facts.get("category")
    names = [""] * len(lengths) if categories is None else [str(name) for name in categories]
    splits = recording.splits()
    clips = []
    for episode in _spread(names, generator, count):
        start, length = int(recording.episode_starts[episode]), int(lengths[episode])
        strip = np.sort(generator.choice(length, min(STRIP_FRAMES, length), replace=False)) + start
        film = np.unique(np.linspace(0, length - 1, FILM_FRAMES).round().astype(np.int64)) + start
        actions, angle, feature = _actions(recording, action, strip)
        clips.append(
            Clip(
                recording.frames(strip, recording.cameras[0]),
                names[episode] or f"episode {episode}",
                str(splits[episode]),
                actions,
                "angle" if angle else "values",
                names=_names(feature, actions),
                unit=(feature.unit or "") if feature else "",
                film=recording.frames(film, recording.cameras[0]),
            )
        )
    return clips


def _spread(names: list[str], generator: np.random.Generator, count: int) -> list[int]:
    """Draw episodes, in order, of as many different names as there are."""
    order = [int(episode) for episode in generator.permutation(len(names))]
    chosen, seen = [], set()
    for episode in order:
        if names[episode] not in seen:
            seen.add(names[episode])
            chosen.append(episode)
    chosen += [episode for episode in order if episode not in set(chosen)]
    return sorted(chosen[:count])


def _actions(
    recording: Recording, action: str, frames: NDArray[np.int64]
) -> tuple[NDArray[np.float64] | None, bool, Feature | None]:
    """Return what lies between neighbouring frames `[n − 1, A]`, whether it is one angle, and the stream."""
    feature = recording.features.get(action)
    if feature is None or not feature.dtype.startswith("float") or len(frames) < 2:
        return None, False, None
    kind = resolve_between(action, feature, None)
    values = np.asarray(recording.stream(action), dtype=np.float32).reshape(recording.num_frames, -1)
    # A stack has one length per gap; its sum can be drawn.
    told = between_frames("sum" if kind == "stack" else kind, values, frames[:-1], frames[1:])
    found: NDArray[np.float64] = told.astype(np.float64)
    if kind == "angle":
        half = found.shape[1] // 2
        found = np.arctan2(found[:, :half], found[:, half:])
    return found, kind == "angle" and found.shape[1] == 1, feature


def _names(feature: Feature | None, actions: NDArray[np.float64] | None) -> tuple[str, ...] | None:
    if feature is None or actions is None or feature.names is None:
        return None
    return feature.names if len(feature.names) == actions.shape[1] else None
