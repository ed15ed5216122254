"""The behaviour-cloning probe: from one frame, what will the robot do within the coming second?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.intervals import LEVEL, RESAMPLES
from handsight.evaluation.robot import (
    MEAN_ACTION,
    PROPRIOCEPTION,
    ROWS,
    TIME,
    Ints,
    ProbeTask,
    RobotProbe,
    Trajectories,
    check_features,
    run_probe,
)

POINTS = 10
"""Moments within the coming second that are predicted."""

STARTS = 200
"""Most starting frames of one episode, evenly over time; see also `robot.ROWS`."""


def choose_starts(trajectories: Trajectories, per_episode: int = STARTS, horizon_s: float = 1.0) -> Ints:
    """Choose starting frames evenly over each episode that leave `horizon_s` to come; int64, ascending.

    Raises:
        HandsightError: where fewer than three episodes are longer than the horizon.
    """
    horizon = _horizon(trajectories, horizon_s)
    if per_episode < 1:
        raise HandsightError(
            f"behaviour cloning got {per_episode} starting frames per episode; expected at least 1"
        )
    runs = trajectories.runs()
    most = max(1, min(per_episode, ROWS // len(runs)))
    starts = [
        np.linspace(start, end - horizon - 1, min(most, end - start - horizon)).round().astype(np.int64)
        for start, end in runs
        if end - start > horizon
    ]
    if len(starts) < 3:
        raise HandsightError(
            f"{len(starts)} episodes are longer than {horizon_s:g} s; expected at least 3: record more, or "
            "shorten the horizon"
        )
    return np.concatenate(starts)


def behaviour_cloning(
    features: Mapping[str, NDArray[np.floating]],
    trajectories: Trajectories,
    generator: np.random.Generator,
    *,
    per_episode: int = STARTS,
    horizon_s: float = 1.0,
    points: int = POINTS,
    compare: Sequence[tuple[str, str]] = (),
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> RobotProbe:
    """Regress the coming second of actions on one frame's frozen features, one episode left out at a time.

    Beside the encoders stand controls on the same frames: proprioception at the frame, the time since the
    episode began (a scripted robot does the same thing at the same time), and the mean action. All are
    relative to the mean action at each moment, which is the regression's intercept.

    Args:
        features: encoder → `[N, D]`, row i being frame i; only the rows of `choose_starts(…)` are read.
        trajectories: what the robot did.
        generator: source of the bootstrap's draws.
        per_episode: most starting frames of one episode.
        horizon_s: how far ahead the last predicted moment lies.
        points: predicted moments, evenly spaced up to the horizon.
        compare: pairs of rows (encoders or controls) whose difference is wanted.
        resamples: of the bootstrap over episodes.
        level: of the intervals.

    Returns:
        R² and the mean absolute error in standard deviations, means over the joints that move.
    """
    starts = choose_starts(trajectories, per_episode, horizon_s)
    check_features(features, trajectories, starts)
    horizon = _horizon(trajectories, horizon_s)
    if points < 1:
        raise HandsightError(f"behaviour cloning got {points} moments to predict; expected at least 1")
    ahead = np.unique(np.linspace(horizon / points, horizon, points).round().astype(np.int64).clip(1))
    coming = trajectories.actions.astype(np.float64)[starts[:, None] + ahead]
    moving = trajectories.moving() & (np.ptp(coming, axis=(0, 1)) > 0)
    if not moving.any():
        raise HandsightError("no joint moves; expected a recording in which the robot acts")
    task = ProbeTask(
        targets=coming[:, :, moving],
        episode=trajectories.episode[starts],
        joints=tuple(np.array(trajectories.joints)[moving].tolist()),
        excluded=tuple(np.array(trajectories.joints)[~moving].tolist()),
        title=f"Behaviour cloning, the coming {horizon_s:g} s",
    )
    inputs: dict[str, NDArray[np.floating]] = {name: array[starts] for name, array in features.items()}
    inputs[PROPRIOCEPTION] = trajectories.felt[starts]
    inputs[TIME] = _elapsed_s(trajectories)[starts, None]
    inputs[MEAN_ACTION] = np.empty((len(starts), 0))
    return run_probe(task, inputs, generator, compare=compare, resamples=resamples, level=level)


def _horizon(trajectories: Trajectories, horizon_s: float) -> int:
    horizon = round(horizon_s * trajectories.fps)
    if horizon < 1:
        raise HandsightError(
            f"a horizon of {horizon_s:g} s is less than one frame at {trajectories.fps:g} frames per second; "
            "expected more"
        )
    return horizon


def _elapsed_s(trajectories: Trajectories) -> NDArray[np.float64]:
    starts = np.concatenate([np.full(end - start, start) for start, end in trajectories.runs()])
    elapsed_s: NDArray[np.float64] = (np.arange(len(starts)) - starts) / trajectories.fps
    return elapsed_s
