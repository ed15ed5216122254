"""The experiment behind the tables of learning to interact: an agent acts in rooms, and is measured.

A cell lets one agent act and learn, or a baseline learn from what was done beforehand, and measures on
sights of rooms that it never was in what things are told, with their masks and their mass.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
from numpy.typing import NDArray

from handsight.agents import video_pca
from handsight.agents.attempts import Acting
from handsight.agents.exploration import Exploration
from handsight.agents.feedback import SelfSupervision
from handsight.agents.filming import Filming
from handsight.agents.gathering import EXPERIENCE
from handsight.agents.learning import RandomChooser, senses_of
from handsight.encoders import Encoder
from handsight.encoders.batches import evaluating
from handsight.evaluation.detection import MASS_CLASSES
from handsight.evaluation.matching import confusion
from handsight.evaluation.things import (
    FOUND,
    Sights,
    Teller,
    draw_locations,
    figures_by_room,
    look_around,
    told_in,
)
from handsight.methods import LearningToInteract, MaskRCNN, Method, VideoPCA
from handsight.methods.rounds import Phase, Plan
from handsight.recordings import Recording
from handsight.studies.cells import Cell, Outcome, Score
from handsight.studies.controls import build_method
from handsight.studies.told_things import draw_told
from handsight.training import duration_s, pretrain, read_log
from handsight.worlds import Rooms, collect

WATCHED = ("box AP50", "mask AP50", "mass accuracy", FOUND)
"""What is looked at on validation rooms while the agent learns."""

ON_THINGS = ("points on things", "random points on things")
"""Of points where the agent acted, in the last `LATE` of its rounds: those it chose, and those it drew."""

LATE = 0.2

EVERYTHING = -20.0
"""A logit below which no thing is told: average precision wants the unsure ones too."""


def run(cell: Cell, work: Path) -> Outcome:
    """Run a cell.

    Its settings: `place` (options of the rooms), `method` (`name` and the constructor's arguments; of
    `random` those of the network alone), `training` (fields of `Training`), `looks` (how often validation
    rooms are looked at), how many `test` and `validation` sights there are; and for methods that do not act
    `told`: at how many `locations` how many `attempts` were made beforehand, by which `oracles`, and with
    which `senses` (fields of `SelfSupervision`).
    """
    settings = cell.settings
    place = Rooms(**settings["place"])
    arguments = dict(settings["method"])
    name = arguments.pop("name")
    torch.manual_seed(cell.seed)
    method = LearningToInteract(**arguments) if name == "random" else build_method(name, arguments)
    facts: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    scores: dict[str, Score] = {}
    senses = SelfSupervision(**settings["told"]["senses"]) if "told" in settings else SelfSupervision()
    if name != "random":
        acts = isinstance(method, LearningToInteract)
        folder = work / f"run-{cell.key}"
        validation = sights_of(place, "validation", settings["validation"], work)

        def look(encoder: Encoder, step: int) -> Mapping[str, float]:
            found = figures_by_room(told_in(validation, teller(method, senses)), validation.room)
            return {measure: found[measure][0] for measure in WATCHED if np.isfinite(found[measure][0])}

        steps = method.plan.steps if isinstance(method, LearningToInteract) else settings["training"]["steps"]
        pretrain(
            method,
            place if acts else experience_of(method, place, settings["told"], cell.seed, work),
            out=folder,
            seed=cell.seed,
            monitors=(look,),
            monitor_every=max(1, steps // settings["looks"]),
            **settings["training"],
        )
        log = read_log(folder)
        curves = _curves(log)
        scores = _hits(Recording(folder / EXPERIENCE)) if acts else {}
        facts = {"training seconds": duration_s(log), "steps": steps, **_waiting(log[-1])}
    test = sights_of(place, "test", settings["test"], work)
    pictures = told_in(test, teller(method.eval(), senses))
    scores |= _scores(figures_by_room(pictures, test.room))
    if isinstance(method, LearningToInteract):
        draw_told(method.segmenter, place, work / "pictures" / cell.key / "rooms.png", senses_of(method))
    place.close()
    facts |= {
        "found": confusion(pictures).sum(axis=(0, 2)).tolist(),
        "to be found": np.bincount(test.bins, minlength=len(MASS_CLASSES)).tolist(),
    }
    return Outcome(scores, curves, facts)


def experience_of(method: Method, place: Rooms, told: Mapping[str, Any], seed: int, work: Path) -> Recording:
    """Return what came of acting at random, or as oracles say, made by whichever cell is first; or films."""
    films = isinstance(method, VideoPCA)
    said = json.dumps([films, place.options(), dict(told), seed], sort_keys=True)
    folder = work / f"experience-{hashlib.blake2b(said.encode(), digest_size=6).hexdigest()}"
    count, attempts = told["locations"], told["attempts"]
    with filelock.FileLock(folder.with_suffix(".lock")):
        if films:
            collect(Filming(place, forces=attempts), folder, count, seed=seed)
        else:
            plan = Plan([Phase(1, count, 1, attempts, (1, 1))])
            # Where the masks are told, small things are not to be left out for how little of them shows.
            told_all = "masks" in told["oracles"]
            senses = SelfSupervision(**told["senses"])
            acting = Acting(senses=replace(senses, success=0.5) if told_all else senses)
            world = Exploration(place, RandomChooser(), plan, work, "train", acting, told["oracles"])
            collect(world, folder, count, seed=seed)
    return Recording(folder)


def sights_of(place: Rooms, split: str, count: int, work: Path) -> Sights:
    """Return sights of a split's rooms, the same for all cells of a place, made by whichever is first."""
    said = json.dumps([place.options(), split, count], sort_keys=True)
    path = work / f"sights-{hashlib.blake2b(said.encode(), digest_size=6).hexdigest()}.npz"
    with filelock.FileLock(path.with_suffix(".lock")):
        if not path.exists():
            locations = draw_locations(place, split, count, seed=("validation", "test").index(split))
            begun = path.with_suffix(".part.npz")
            look_around(place, locations).save(begun)
            begun.replace(path)
    return Sights.load(path)


def teller(method: Method, senses: SelfSupervision) -> Teller:
    """Return what tells things by a method's network as it is, and by these senses where it uses any."""
    if isinstance(method, MaskRCNN):
        return method.tell
    if isinstance(method, VideoPCA):
        return video_pca.teller(method, senses=senses)
    assert isinstance(method, LearningToInteract)
    segmenter = method.segmenter

    def tell(images: NDArray[np.uint8], depths_m: NDArray[np.float32]) -> Any:
        with evaluating(segmenter):
            return segmenter.segment(images, depths_m, EVERYTHING, batch_size=len(images))

    return tell


def _scores(figures: Mapping[str, tuple[float, NDArray[np.float64]]]) -> dict[str, Score]:
    """Return figures as scores by room: the jackknife's pseudo-values, their mean the figure.

    Of what was not found no mass was told: that counts as 0.
    """
    scores = {}
    for name in figures:
        whole, without = np.nan_to_num(figures[name][0]), np.nan_to_num(figures[name][1])
        pseudo = len(without) * whole - (len(without) - 1) * without
        scores[name] = Score(pseudo - pseudo.mean() + whole, np.ones(len(without)))
    return scores


def _hits(experience: Recording) -> dict[str, Score]:
    """Return how many of an agent's late points lay on movable things within reach, by room."""
    facts = {name: np.asarray(values) for name, values in experience.facts.items()}
    late = facts["round"] > (1 - LATE) * facts["round"].max()
    _, room = np.unique(facts["room"][late], return_inverse=True)
    scores = {}
    for name, kind in zip(ON_THINGS, ("chosen", "random"), strict=True):
        points, hits = (
            np.bincount(room, weights=facts[f"{kind}_{what}"][late]).astype(np.float64)
            for what in ("n", "hits")
        )
        scores[name] = Score(hits[points > 0] / points[points > 0], points[points > 0])
    return scores


def _waiting(last: Mapping[str, Any]) -> dict[str, float]:
    """Return for which part of the time the world was waited for, and for how long its memory was filled."""
    if "seconds_waited" not in last:
        return {}
    learning = last["seconds"] - last["seconds_filled"]
    return {"filling seconds": last["seconds_filled"], "waited": round(last["seconds_waited"] / learning, 4)}


def _curves(log: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what was watched, and how often points lay on things, along the steps."""
    curves: dict[str, Any] = {}
    for measure in (*WATCHED, "hits_chosen", "hits_random", "successes"):
        rows = [entry for entry in log if measure in entry]
        curves[measure] = {
            "x": [entry["step"] + 1 for entry in rows],
            "y": [entry[measure] for entry in rows],
        }
    return curves
