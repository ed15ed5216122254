"""What heads tell of interactions with objects that were never touched, against what came of them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from handsight.evaluation.grasping import precision_recall
from handsight.evaluation.pushing import push_errors
from handsight.methods import CuriousRobot
from handsight.methods.curious_robot import PATCH, SCENE
from handsight.recordings import FrameCache, Recording
from handsight.studies.cells import Score
from handsight.worlds.tabletop.bench import TABLE_M

Kind = Literal["grasp", "push", "poke"]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

BATCH = 256
RECALLS = np.linspace(0.0, 1.0, 21)


def tell(method: CuriousRobot, recording: Recording) -> dict[str, Score]:
    """Score grasps, pushes and pokes of the test objects.

    A grasp is told to hold where its log-odds are above a threshold, the one best on the validation objects:
    of grasps tried at random few hold, and heads say so. Each outcome counts half. The area under the ROC
    curve needs no threshold.

    Args:
        method: with heads for all three, in evaluation mode.
        recording: of the tabletop, all three in it.
    """
    values, held, objects = _grasps(method, recording, "test")
    threshold = _best_threshold(*_grasps(method, recording, "validation")[:2])
    weight = np.where(held, 0.5 / max(1, held.sum()), 0.5 / max(1, (~held).sum())) * len(held)
    scores = {"grasp balanced accuracy": _weighted((values > threshold) == held, weight, objects)}
    scores["grasp AUC"] = _weighted(_told_apart(values, held), weight, objects)
    told, done, objects = _regressed(method, recording, "push", "test")
    errors = push_errors(told, done, 2 * TABLE_M)
    scores["push start error (m)"] = Score.of(errors.start_m, objects)
    scores["push direction error (°)"] = Score.of(errors.angle_deg, objects)
    told, done, objects = _regressed(method, recording, "poke", "test")
    mean = _streams(recording, "poke", "train").mean(axis=0)
    slope = np.abs(told - done)[:, 0] / np.abs(done - mean)[:, 0].mean()
    scores["poke slope error / training mean's"] = Score.of(slope, objects)
    return scores


def precision_recall_curve(method: CuriousRobot, recording: Recording) -> dict[str, Any]:
    """Return precision at even steps of recall, of the test objects' grasps, to be drawn."""
    values, held, _ = _grasps(method, recording, "test")
    curve = precision_recall(values, held)
    # At a recall, the best precision that reaches it: a curve that falls.
    best = [curve.precision[curve.recall >= least - 1e-12].max() for least in RECALLS]
    return {"x": RECALLS, "y": np.array(best)}


def _grasps(
    method: CuriousRobot, recording: Recording, split: str
) -> tuple[Doubles, NDArray[np.bool_], Ints]:
    """Return log-odds at the angles tried, whether they held, and the objects."""
    episodes = _episodes(recording, "grasp", split)
    bins = torch.from_numpy(np.asarray(recording.facts["angle_bin"])[episodes].astype(np.int64))
    odds = _through(lambda images: method.tell_grasp(images), _pictures(method, recording, PATCH, episodes))
    held = np.asarray(recording.facts["success"])[episodes].astype(bool)
    return odds.gather(1, bins[:, None])[:, 0].double().numpy(), held, _objects(recording, episodes)


def _best_threshold(values: Doubles, held: NDArray[np.bool_]) -> float:
    """Return the threshold with the best balanced accuracy, 0 where there is one outcome."""
    if held.all() or not held.any():
        return 0.0
    order = np.argsort(values)
    rising, outcome = values[order], held[order]
    # Told to fail: all up to and including a place.
    below_failed, below_held = np.cumsum(~outcome), np.cumsum(outcome)
    balanced = below_failed / (~held).sum() + 1 - below_held / held.sum()
    place = int(balanced[:-1].argmax()) if len(values) > 1 else 0
    return float((rising[place] + rising[min(place + 1, len(rising) - 1)]) / 2)


def _told_apart(values: Doubles, held: NDArray[np.bool_]) -> Doubles:
    """Return which share of the grasps of the other outcome each is on the right side of.

    Of those equal to it half count, and half of none. The mean over either outcome is the area under the ROC
    curve.
    """
    apart = np.full(len(values), 0.5)
    if held.any() and not held.all():
        for mine, others, sign in ((held, ~held, 1), (~held, held, -1)):
            rising = np.sort(sign * values[others])
            below, up_to = (np.searchsorted(rising, sign * values[mine], side) for side in ("left", "right"))
            apart[mine] = (below + up_to) / (2 * len(rising))
    return apart


def _regressed(
    method: CuriousRobot, recording: Recording, kind: Kind, split: str
) -> tuple[Doubles, Doubles, Ints]:
    """Return what was told, what was done, and the objects."""
    episodes = _episodes(recording, kind, split)
    if kind == "push":
        before, after = (_pictures(method, recording, SCENE, episodes, place) for place in (0, 1))
        both = torch.cat([before, after], dim=1)
        told = _through(lambda images: method.tell_push(images[:, :3], images[:, 3:]), both)
    else:
        told = _through(
            lambda images: method.tell_poke(images), _pictures(method, recording, PATCH, episodes)
        )
    return told.double().numpy(), _streams(recording, kind, split), _objects(recording, episodes)


def _streams(recording: Recording, kind: Kind, split: str) -> Doubles:
    names = {"push": ("push.start", "push.end", "push.height_m"), "poke": ("poke.line",), "grasp": ()}
    rows = recording.episode_starts[_episodes(recording, kind, split)]
    return np.concatenate([recording.stream(name)[rows] for name in names[kind]], axis=1).astype(np.float64)


def _episodes(recording: Recording, kind: Kind, split: str) -> Ints:
    mine = (np.asarray(recording.facts["interaction"]) == kind) & (recording.splits() == split)
    return np.flatnonzero(mine).astype(np.int64)


def _objects(recording: Recording, episodes: Ints) -> Ints:
    return np.asarray(recording.facts["object"])[episodes].astype(np.int64)


def _pictures(
    method: CuriousRobot, recording: Recording, camera: str, episodes: Ints, place: int = 0
) -> torch.Tensor:
    """Return a frame of each episode, as training saw it, `[N, 3, h, w]`, uint8."""
    cache = FrameCache(recording, camera, method.encoder.image_size)
    return torch.from_numpy(cache.read(recording.episode_starts[episodes] + place)).permute(0, 3, 1, 2)


def _through(told: Any, pictures: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([told(pictures[at : at + BATCH]) for at in range(0, len(pictures), BATCH)])


def _weighted(right: NDArray[np.bool_] | Doubles, weight: Doubles, objects: Ints) -> Score:
    """Bring weighted scores together by their objects."""
    _, place = np.unique(objects, return_inverse=True)
    total = np.bincount(place, weights=weight).astype(np.float64)
    return Score(np.bincount(place, weights=weight * right) / total, total)
