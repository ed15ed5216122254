"""The inverse-dynamics probe: from what was seen at two moments, what did the robot do between them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.intervals import LEVEL, RESAMPLES
from handsight.evaluation.robot import (
    MEAN_ACTION,
    PROPRIOCEPTION,
    ROWS,
    TIME_GAP,
    Doubles,
    Ints,
    ProbeTask,
    RobotProbe,
    Trajectories,
    check_features,
    run_probe,
)

GAPS = (1, 5, 10, 30)
"""Frames between the two moments."""

PAIRS = 200
"""Most pairs of one episode, spread over the gaps and evenly over time; see also `robot.ROWS`."""


@dataclass(frozen=True)
class Pairs:
    """Two rows of one episode each, and the gap between them in frames; int64 `[n]`."""

    first: Ints
    second: Ints

    @property
    def gap(self) -> Ints:
        """Frames from the first to the second."""
        return self.second - self.first

    @property
    def rows(self) -> Ints:
        """The rows whose features are needed, ascending."""
        return np.unique(np.concatenate([self.first, self.second]))


def choose_pairs(trajectories: Trajectories, gaps: Sequence[int] = GAPS, per_episode: int = PAIRS) -> Pairs:
    """Choose pairs evenly over each episode, as many of each gap; an episode shorter than a gap lacks it.

    Raises:
        HandsightError: where a gap is below 1, or fewer than three episodes are long enough for any gap.
    """
    if min(gaps, default=0) < 1 or per_episode < len(gaps):
        raise HandsightError(
            f"inverse dynamics got gaps {list(gaps)} and {per_episode} pairs per episode; expected gaps from "
            "1 and a pair per gap"
        )
    runs = trajectories.runs()
    per_gap = max(1, min(per_episode, ROWS // len(runs)) // len(gaps))
    first: list[Ints] = []
    second: list[Ints] = []
    for start, end in runs:
        for gap in gaps:
            count = min(per_gap, end - start - gap)
            if count > 0:
                chosen = np.linspace(start, end - gap - 1, count).round().astype(np.int64)
                first.append(chosen)
                second.append(chosen + gap)
    pairs = Pairs(
        np.concatenate([*first, np.empty(0, np.int64)]), np.concatenate([*second, np.empty(0, np.int64)])
    )
    if len(np.unique(trajectories.episode[pairs.first])) < 3:
        raise HandsightError(
            f"fewer than 3 episodes are longer than {min(gaps)} frames; expected at least 3: record more, or "
            "shorten the gaps"
        )
    return pairs


def inverse_dynamics(
    features: Mapping[str, NDArray[np.floating]],
    trajectories: Trajectories,
    generator: np.random.Generator,
    *,
    gaps: Sequence[int] = GAPS,
    per_episode: int = PAIRS,
    between: Literal["difference", "sum"] = "difference",
    compare: Sequence[tuple[str, str]] = (),
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> RobotProbe:
    """Regress what was done between two frames on frozen features of both, one episode left out at a time.

    The input is `[f₀; f₁ − f₀]`, state and change. Beside the encoders stand controls on the same pairs: the
    time gap alone (one value per gap), proprioception at the first frame, and the mean action.

    Args:
        features: encoder → `[N, D]`, row i being frame i; only the rows of `choose_pairs(…).rows` are read.
        trajectories: what the robot did.
        generator: source of the bootstrap's draws.
        gaps: frames between the two moments; one regression serves all.
        per_episode: most pairs of one episode.
        between: `difference` where actions are positions, `sum` where they are steps (delta actions).
        compare: pairs of rows (encoders or controls) whose difference is wanted.
        resamples: of the bootstrap over episodes.
        level: of the intervals.

    Returns:
        R² and the mean absolute error in standard deviations, means over the joints that move.
    """
    pairs = choose_pairs(trajectories, gaps, per_episode)
    check_features(features, trajectories, pairs.rows)
    done = _done_between(trajectories, pairs, between)
    # A joint may move, yet always by the same amount between any two frames: no R² either.
    moving = trajectories.moving() & (np.ptp(done, axis=0) > 1e-5 * np.abs(trajectories.actions).max(axis=0))
    if not moving.any():
        raise HandsightError(
            "no joint moves between any two frames; expected a recording in which the robot acts"
        )
    task = ProbeTask(
        targets=done[:, None, moving],
        episode=trajectories.episode[pairs.first],
        joints=tuple(np.array(trajectories.joints)[moving].tolist()),
        excluded=tuple(np.array(trajectories.joints)[~moving].tolist()),
        title=f"Inverse dynamics, gaps of {', '.join(str(gap) for gap in gaps)} frames",
    )
    inputs: dict[str, NDArray[np.floating]] = {
        name: np.concatenate([f[pairs.first], f[pairs.second] - f[pairs.first]], axis=1)
        for name, f in features.items()
    }
    inputs[TIME_GAP] = (pairs.gap[:, None] == np.unique(pairs.gap)).astype(np.float64)
    inputs[PROPRIOCEPTION] = trajectories.felt[pairs.first]
    inputs[MEAN_ACTION] = np.empty((len(pairs.first), 0))
    return run_probe(task, inputs, generator, compare=compare, resamples=resamples, level=level)


def _done_between(trajectories: Trajectories, pairs: Pairs, between: str) -> Doubles:
    actions = trajectories.actions.astype(np.float64)
    if between == "difference":
        difference: Doubles = actions[pairs.second] - actions[pairs.first]
        return difference
    if between == "sum":
        total = np.concatenate([np.zeros((1, actions.shape[1])), actions.cumsum(axis=0)])
        steps: Doubles = total[pairs.second] - total[pairs.first]  # first … second − 1
        return steps
    raise HandsightError(f"what lies between two frames is {between!r}; expected difference or sum")
