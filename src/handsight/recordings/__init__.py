"""Recordings: what was done and seen, on disk in LeRobotDataset v3.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handsight.recordings.cache import FrameCache as FrameCache
from handsight.recordings.check import check as check
from handsight.recordings.clips import Clips as Clips
from handsight.recordings.clips import choose_episodes as choose_episodes
from handsight.recordings.convert21 import convert as convert
from handsight.recordings.features import BOOKKEEPING as BOOKKEEPING
from handsight.recordings.features import Between as Between
from handsight.recordings.features import Feature as Feature
from handsight.recordings.features import Moves as Moves
from handsight.recordings.features import camera as camera
from handsight.recordings.info import Summary as Summary
from handsight.recordings.info import describe as describe
from handsight.recordings.needs import BOUNDED as BOUNDED
from handsight.recordings.needs import Needs as Needs
from handsight.recordings.needs import Pairing as Pairing
from handsight.recordings.needs import resolve_between as resolve_between
from handsight.recordings.problems import Problem as Problem
from handsight.recordings.recording import Recording as Recording
from handsight.recordings.repair import Repaired as Repaired
from handsight.recordings.repair import repair as repair
from handsight.recordings.splits import split_by_episode as split_by_episode
from handsight.recordings.writer import Writer as Writer

if TYPE_CHECKING:
    from handsight.recordings.sampler import Batch as Batch
    from handsight.recordings.sampler import Sampler as Sampler


def __getattr__(name: str) -> Any:
    """Import the sampler when it is first used: it alone needs PyTorch, and collecting starts without."""
    if name not in ("Batch", "Sampler"):
        raise AttributeError(f"handsight.recordings has no {name!r}")
    from handsight.recordings import sampler

    return getattr(sampler, name)
