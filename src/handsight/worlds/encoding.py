"""Encoding episodes where they are made: several processes encode at once, and little is left to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from handsight.recordings import Writer
from handsight.recordings.columns import Column
from handsight.recordings.episode import encode_episode
from handsight.recordings.stats import Figures
from handsight.worlds.world import Episode, World


@dataclass(frozen=True)
class EncodedEpisode:
    """An episode whose pictures are PNGs.

    Args:
        columns: by stream, numbers `[T, *shape]` or T PNGs.
        figures: by camera, of its pictures.
        facts: as the episode's.
        task: as the episode's.
    """

    columns: Mapping[str, Column]
    figures: Mapping[str, Figures]
    facts: Mapping[str, int | float | str | bool]
    task: str


Made = Episode | EncodedEpisode


def make(world: World, seed: int, index: int) -> Made:
    """Return an episode of a world as it is.

    Raises:
        HandsightError: the world cannot make it.
    """
    return world.episode(seed, index)


def make_encoded(world: World, seed: int, index: int) -> Made:
    """Return an episode of a world, encoded; but as it is where a camera is stored as video.

    Raises:
        HandsightError: the world cannot make it; a stream is not as the world declares it.
    """
    episode = world.episode(seed, index)
    if any(feature.dtype == "video" for feature in world.features.values()):
        return episode
    columns, figures = encode_episode(world.features, episode.frames)
    return EncodedEpisode(columns, figures, episode.facts, episode.task)


def write(writer: Writer, made: Made) -> None:
    """Add an episode to a recording; the same files come of it, encoded before or not.

    Raises:
        HandsightError: as `Writer.add_episode`.
    """
    if isinstance(made, EncodedEpisode):
        writer.add_encoded_episode(made.columns, {}, made.figures, made.facts, made.task)
    else:
        writer.add_episode(made.frames, made.facts, made.task)
