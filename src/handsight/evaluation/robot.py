"""Robot probes' ground: trajectories, which joints count, and scores on episodes that were left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.evaluation.intervals import (
    LEVEL,
    RESAMPLES,
    Interval,
    cluster_sums,
    percentile_interval,
    resampled_sums,
)
from handsight.evaluation.ridge import held_out_predictions
from handsight.evaluation.table import Difference, Measure, Table

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

TIME_GAP, TIME, PROPRIOCEPTION, MEAN_ACTION = CONTROLS = (
    "time gap alone",
    "time alone",
    "proprioception alone",
    "mean action",
)
"""Rows that no camera is needed for."""

ROWS = 4000
"""Most rows of a regression: with many episodes each gives fewer, which cost little since frames resemble."""

R_SQUARED = Measure("R²", percent=False, decimals=3)
ABSOLUTE_ERROR = Measure("absolute error / std", percent=False, higher_is_better=False, decimals=3)


@dataclass(frozen=True)
class Trajectories:
    """What a robot did, frame by frame; an episode's frames are consecutive rows in time.

    Args:
        actions: float `[N, A]`, finite, in the recording's own units.
        episode: int64 `[N]`.
        fps: frames per second.
        names: of the joints, `A` of them; `joint 0` and so on where None.
        proprioception: float `[N, S]`, what the robot feels of itself; the actions where None.

    Raises:
        HandsightError: where shapes do not match, values are not finite, or an episode's rows are scattered.
    """

    actions: NDArray[np.floating]
    episode: Ints
    fps: float
    names: tuple[str, ...] | None = None
    proprioception: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        if self.actions.ndim != 2 or len(self.actions) != len(self.episode):
            raise HandsightError(
                f"actions have shape {self.actions.shape} for {len(self.episode)} frames; expected one row "
                "per frame"
            )
        if self.names is not None and len(self.names) != self.actions.shape[1]:
            raise HandsightError(
                f"{len(self.names)} joint names came for {self.actions.shape[1]} joints; expected one each"
            )
        if self.names is not None and len(set(self.names)) < len(self.names):
            raise HandsightError(f"joint names {', '.join(self.names)} repeat; expected each once")
        if self.proprioception is not None and len(self.proprioception) != len(self.episode):
            raise HandsightError(
                f"proprioception has {len(self.proprioception)} rows for {len(self.episode)} frames; "
                "expected one per frame"
            )
        if not np.isfinite(self.actions).all():
            raise HandsightError(
                "actions hold NaN or infinity; expected finite numbers: run `handsight check` on the "
                "recording"
            )
        if self.fps <= 0:
            raise HandsightError(f"the recording has {self.fps} frames per second; expected a number above 0")
        if np.count_nonzero(np.diff(self.episode)) + 1 != len(np.unique(self.episode)):
            raise HandsightError(
                "an episode's frames are scattered; expected consecutive rows: sort by episode and frame"
            )

    @property
    def joints(self) -> tuple[str, ...]:
        """The joints' names."""
        return self.names or tuple(f"joint {number}" for number in range(self.actions.shape[1]))

    @property
    def felt(self) -> NDArray[np.floating]:
        """Proprioception, or the actions where the recording has none; `[N, S]`."""
        return self.actions if self.proprioception is None else self.proprioception

    def runs(self) -> list[tuple[int, int]]:
        """Return each episode's first row and the row after its last."""
        starts = np.flatnonzero(np.diff(self.episode, prepend=self.episode[0] - 1))
        return list(zip(starts.tolist(), [*starts[1:].tolist(), len(self.episode)], strict=True))

    def moving(self) -> NDArray[np.bool_]:
        """Say which joints move at all, bool `[A]`: R² of a constant means nothing."""
        span = np.ptp(self.actions.astype(np.float64), axis=0)
        # Relative to the joint's own magnitude: a constant stored as float32 and converted may jitter by
        # rounding.
        return np.asarray(span > 1e-5 * np.abs(self.actions).max(axis=0))


@dataclass(frozen=True)
class RobotProbe:
    """What a robot probe found.

    Args:
        table: per encoder and control, means over joints with intervals over episodes, and paired
            differences.
        joints: the same R² joint by joint.
        excluded: names of the joints that never move, which are left out.
        rows_n: how many pairs or starting frames were used.
        strengths: per encoder and control, the L2 strength that each fold chose.
    """

    table: Table
    joints: Table
    excluded: tuple[str, ...]
    rows_n: int
    strengths: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class ProbeTask:
    """A regression that every encoder and control does on the same rows.

    Args:
        targets: float64 `[n, P, J]`: P points in time of J joints that move.
        episode: int64 `[n]`.
        joints: names of the J joints.
        excluded: names of the joints that never move.
        title: of the table.
    """

    targets: Doubles
    episode: Ints
    joints: tuple[str, ...]
    excluded: tuple[str, ...]
    title: str


def run_probe(
    task: ProbeTask,
    inputs: Mapping[str, NDArray[np.floating]],
    generator: np.random.Generator,
    *,
    compare: Sequence[tuple[str, str]],
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> RobotProbe:
    """Fit and judge every row's inputs `[n, D]` on the same episodes, folds, sweep and bootstrap draws."""
    unknown = {name for pair in compare for name in pair} - set(inputs)
    if unknown:
        raise HandsightError(
            f"no rows {', '.join(sorted(unknown))} to compare; there are {', '.join(inputs)}"
        )
    flat = task.targets.reshape(len(task.targets), -1)
    strengths, drawn, figures = {}, {}, {}
    seed = int(generator.integers(2**63))
    for name, x in inputs.items():
        held_out = held_out_predictions(x, flat, task.episode)
        sums = _episode_sums(task, held_out.predicted.reshape(task.targets.shape))
        strengths[name] = held_out.strengths
        figures[name] = _scores(sums.sum(axis=0, keepdims=True), task)[0]
        drawn[name] = _scores(resampled_sums(sums, np.random.default_rng(seed), resamples), task)
    columns = [
        R_SQUARED,
        ABSOLUTE_ERROR,
        *(Measure(joint, percent=False, decimals=2) for joint in task.joints),
    ]
    episodes_n = len(np.unique(task.episode))

    def interval(column: int, first: str, second: str | None = None) -> Interval:
        mean, samples = figures[first][column], drawn[first][:, column]
        if second is not None:
            mean, samples = mean - figures[second][column], samples - drawn[second][:, column]
        return percentile_interval(float(mean), samples, episodes_n, level)

    def table(title: str, wanted: range) -> Table:
        return Table(
            title=title,
            measures=tuple(columns[c] for c in wanted),
            cells={name: {columns[c].name: interval(c, name) for c in wanted} for name in inputs},
            over=f"{episodes_n} episodes",
            differences=tuple(
                Difference(a, b, columns[c].name, interval(c, a, b)) for a, b in compare for c in wanted
            ),
            notes=_notes(task),
        )

    return RobotProbe(
        table(task.title, range(2)),
        table(f"{task.title}, R² by joint", range(2, len(columns))),
        task.excluded,
        len(task.targets),
        strengths,
    )


def _episode_sums(task: ProbeTask, predicted: Doubles) -> Doubles:
    """Sum over each episode: count, squared spread, squared and absolute error; `[E, 1 + 3·J]`.

    Spread is about each target's mean over all episodes. A joint's points in time are added up.
    """
    spread = np.square(task.targets - task.targets.mean(axis=0))
    error = predicted - task.targets
    parts = [part.sum(axis=1) for part in (spread, np.square(error), np.abs(error))]
    return cluster_sums(np.concatenate([np.ones((len(error), 1)), *parts], axis=1), task.episode)


def _scores(sums: Doubles, task: ProbeTask) -> Doubles:
    """Return `[R, 2 + J]`: R² and normalised absolute error, means over joints, and R² by joint.

    R² is 1 − Σ squared error / Σ spread: a constant prediction cannot exceed 0 on what was measured. A joint
    without any spread in a resample sits that one out.
    """
    points = task.targets.shape[1]
    count = sums[:, :1] * points
    spread, squared, absolute = np.moveaxis(sums[:, 1:].reshape(len(sums), 3, -1), 1, 0)
    spread = np.where(spread > 0, spread, np.nan)
    joints_n = np.where(np.isnan(spread).all(axis=1), np.nan, (~np.isnan(spread)).sum(axis=1))
    r_squared = 1 - squared / spread
    normalised = absolute / np.sqrt(spread * count)
    means = [np.nansum(score, axis=1) / joints_n for score in (r_squared, normalised)]
    return np.column_stack([*means, r_squared])


def _notes(task: ProbeTask) -> tuple[str, ...]:
    if not task.excluded:
        return ()
    return (f"Left out because they never move: {', '.join(task.excluded)}.",)


def check_features(
    features: Mapping[str, NDArray[np.floating]], trajectories: Trajectories, rows: Ints
) -> None:
    """Refuse features that do not cover the frames a probe uses.

    Args:
        features: name → `[N, D]`, row i being frame i of the trajectories; rows that are not used may hold
            anything.
        trajectories: the frames.
        rows: int64, those that are used.
    """
    if not features:
        raise HandsightError("a robot probe got no encoders; expected at least one")
    taken = set(features) & set(CONTROLS)
    if taken:
        raise HandsightError(f"an encoder is called {taken.pop()!r}, as a control is; expected another name")
    for name, array in features.items():
        if array.ndim != 2 or len(array) != len(trajectories.episode):
            raise HandsightError(
                f"features of {name!r} have shape {array.shape}; expected [{len(trajectories.episode)}, D], "
                "one row per frame"
            )
        if not np.isfinite(array[rows]).all():
            raise HandsightError(
                f"features of {name!r} hold NaN or infinity at frames the probe uses; expected finite numbers"
            )
