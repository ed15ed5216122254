"""Encoders measured on a robot's episodes: what was done between two frames, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation import (
    RobotProbe,
    Trajectories,
    behaviour_cloning,
    choose_pairs,
    choose_starts,
    embed_frames,
    inverse_dynamics,
)
from handsight.recordings import Between, Clips, Recording, resolve_between
from handsight.studies.benchmark import with_random

PROPRIOCEPTION = ("observation.state", "state")
"""Streams in which a robot says what it feels of itself, by the names in use."""


def measure_robot(
    encoders: Mapping[str, Encoder],
    recording: Recording,
    *,
    stream: str = "action",
    between: Between | None = None,
    compare: Sequence[tuple[str, str]] = (),
    seen: Sequence[int] = (),
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, RobotProbe]:
    """Measure encoders on a robot's episodes, one episode left out at a time, beside what needs no eyes.

    Args:
        encoders: row → encoder; a row `random` is added in front.
        recording: with a float stream of actions; every camera in use is embedded, and the embeddings stand
            side by side.
        stream: the actions.
        between: `difference` for positions, `sum` for steps; default: as the stream declares, else
            `difference`.
        compare: pairs of rows whose difference is wanted.
        seen: episodes that the encoders were pretrained on, to be said under the tables: a probe leaves an
            episode out, its encoder may have seen it.
        seed: of the random encoder and of the bootstrap.
        say: told what is being done.

    Returns:
        `inverse dynamics` and `behaviour cloning`.

    Raises:
        HandsightError: where the recording has no such stream, or too few episodes.
    """
    if stream not in recording.features:
        streams = ", ".join(name for name, feature in recording.features.items() if not feature.is_camera)
        raise HandsightError(
            f"{recording.root} has no stream '{stream}' (it has: {streams}). Say which to use: --action NAME"
        )
    feature = recording.features[stream]
    kind = resolve_between(stream, feature, between)
    if kind not in ("difference", "sum"):
        raise HandsightError(
            f"stream '{stream}' is a {kind}; the robot probes take positions (difference) or steps (sum)"
        )
    lengths = np.diff(recording.episode_starts)
    felt = next((name for name in PROPRIOCEPTION if name in recording.features), None)
    trajectories = Trajectories(
        actions=_flat(recording, stream),
        episode=np.repeat(np.arange(recording.num_episodes), lengths),
        fps=recording.fps,
        names=feature.names if feature.names and len(feature.names) == feature.shape[0] else None,
        proprioception=None if felt is None else _flat(recording, felt),
    )
    rows = np.union1d(choose_pairs(trajectories).rows, choose_starts(trajectories))
    features = {}
    for name, encoder in with_random(encoders, [recording], seed).items():
        say(f"embedding with {name}")
        features[name] = _embed(encoder, recording, rows)
    say("probing")
    generator = np.random.default_rng(seed)
    found = {
        "inverse dynamics": inverse_dynamics(
            features, trajectories, generator, between=kind, compare=compare
        ),
        "behaviour cloning": behaviour_cloning(features, trajectories, generator, compare=compare),
    }
    if not seen:
        return found
    listed = ", ".join(map(str, seen))
    note = (
        f"The probes leave whole episodes out; pretraining did not: it saw episodes {listed}"
        " (their pictures, and where a method uses them their actions)."
    )
    return {
        name: replace(probe, table=replace(probe.table, notes=(*probe.table.notes, note)))
        for name, probe in found.items()
    }


def _flat(recording: Recording, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    values = recording.stream(name)
    return np.asarray(values.reshape(len(values), -1))


def _embed(
    encoder: Encoder, recording: Recording, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return features `[N, cameras × D]`, filled in at the rows that are asked for."""
    clips = Clips([recording], split=None, size=encoder.image_size)
    device = next(encoder.parameters()).device
    found = [embed_frames(encoder, clips.read, rows + track.offset, device=device) for track in clips.tracks]
    features = np.zeros((recording.num_frames, sum(part.shape[1] for part in found)), dtype=np.float32)
    features[rows] = np.concatenate(found, axis=1)
    return features
