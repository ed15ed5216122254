"""The figures of `stats.json`, taken again where they are not those of the recording."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature
from handsight.recordings.layout import STATS, read_info, read_json
from handsight.recordings.recording import Recording
from handsight.recordings.repair.plan import Plan, Repair
from handsight.recordings.sealed import totals_of_episodes, wrong_stats
from handsight.recordings.selection import read_features
from handsight.recordings.stats import Figures, PictureFigures, Total, streams_figures, to_lists

_PICTURES = 256
"""So many frames of a camera are looked at, evenly over the recording."""
_ROWS = 65_536


def mend_statistics(root: Path, plan: Plan, repairs: list[Repair]) -> None:
    """Take the figures again of streams whose figures are missing or not the recording's.

    Args:
        root: of the recording, otherwise mended.
        plan: that is carried out.
        repairs: told what is changed.
    """
    info = read_info(root)
    features = {**read_features(root, info).on_disk, **BOOKKEEPING_FEATURES}
    if not info["total_episodes"]:
        return
    wrong = wrong_stats(root, features, int(info["total_frames"]))
    taken = _taken(root, info, features, wrong) if wrong else {}
    if not taken:
        return
    try:
        stats = read_json(root / STATS)
    except (OSError, ValueError):
        stats = {}
    kept = (
        {name: value for name, value in stats.items() if name not in wrong} if isinstance(stats, dict) else {}
    )
    plan.new_json(STATS, kept | {name: to_lists(figures) for name, figures in taken.items()})
    name = next(iter(taken))
    done = [Repair(STATS, f"figures of {len(taken)} streams taken again ({name!r} {wrong[name]})")]
    plan.carry_out(done)
    repairs += done


def _taken(
    root: Path, info: Mapping[str, Any], features: Mapping[str, Feature], wrong: Mapping[str, str]
) -> dict[str, Figures]:
    frames = int(info["total_frames"])
    known = totals_of_episodes(root, int(info["total_episodes"]), {name: features[name] for name in wrong})
    taken = {name: figures for name, figures in known.items() if figures["count"][0] == frames}
    recording = Recording(root)
    for name in wrong:
        if name in taken:
            continue
        try:
            figures = _of_camera(recording, name) if features[name].is_camera else _of_stream(recording, name)
        except HandsightError:
            continue  # as check says
        if figures is not None:
            taken[name] = figures
    recording.close()
    return taken


def _of_camera(recording: Recording, name: str) -> Figures:
    counted = PictureFigures()
    every = np.unique(
        np.linspace(0, recording.num_frames - 1, min(_PICTURES, recording.num_frames)).astype(int)
    )
    for frame in every:
        counted.add(recording.frames([frame], name)[0])
    return counted.figures()


def _of_stream(recording: Recording, name: str) -> Figures | None:
    values = recording.stream(name)
    total = Total()
    for first in range(0, len(values), _ROWS):
        total.add(streams_figures({name: np.asarray(values[first : first + _ROWS])})[name])
    return total.figures()
