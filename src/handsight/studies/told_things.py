"""A figure of what an agent sees, tells, and learns from by acting, in rooms it never was in (figure 4)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from handsight.agents.attempts import Acting, arrive, explore
from handsight.agents.feedback import SelfSupervision
from handsight.agents.oracles import told_points
from handsight.encoders.batches import evaluating
from handsight.evaluation.drawing import draw_things
from handsight.evaluation.things import draw_locations
from handsight.methods.segmenter import Segmenter, Things
from handsight.worlds.places import Instance, Location, Place
from handsight.worlds.world import generator

ROWS = 6
PANEL_PX = 150
GAP_PX = 4
SHOWN = 0.3
"""Least score of a thing that is drawn."""

TRIED = 20
"""Locations that the most crowded ones are drawn from."""

Picture = NDArray[np.uint8]


def draw_told(segmenter: Segmenter, place: Place, path: Path, senses: SelfSupervision | None = None) -> Path:
    """Draw a few test locations: the view, the scores, what is told, the truth, and what acting shows.

    The last is what the agent would learn from there: what moved, as it senses it, when a point of each thing
    was pushed.
    """
    locations = draw_locations(place, "test", TRIED, seed=2)
    crowd = [_crowd(place, location) for location in locations]
    rows = []
    device = segmenter.encoder.preprocessing.mean.device
    acting = Acting(senses=senses or SelfSupervision())
    for number in np.argsort(np.negative(crowd), kind="stable")[:ROWS]:
        arrival = arrive(place, locations[int(number)], acting)
        instances = [instance for instance in place.instances() if instance.in_reach]
        image, depth_m = arrival.sight.image, arrival.sight.depth_m
        colours, depth = (torch.from_numpy(seen)[None].to(device) for seen in (image, depth_m))
        with evaluating(segmenter):
            scores = segmenter.tell(colours, depth).scores[0].sigmoid().cpu().numpy()
        (told,) = segmenter.segment(image[None], depth_m[None], float(np.log(SHOWN / (1 - SHOWN))))
        rng = generator(2, int(number))
        points, _ = told_points(rng, np.zeros((0, 2), np.int64), instances, depth_m, place.reach_m, most=32)
        felt = explore(place, arrival, points, np.ones(len(points), np.int64), rng, acting)
        rows.append(
            [
                image,
                _heat(scores, image),
                draw_things(image, told),
                draw_things(image, _truth(instances, len(image))),
                draw_things(image, _felt(felt.masks, felt.feedback, len(image))),
            ]
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = _sheet(rows)
    cv2.imwrite(str(path), sheet[:, :, ::-1])
    return path


def _crowd(place: Place, location: Location) -> int:
    """Return how many things there are to be found at a location."""
    place.enter(location)
    return sum(instance.in_reach for instance in place.instances())


def _heat(scores: NDArray[np.float32], image: Picture) -> Picture:
    """Return a grey view, brighter green where touching is thought to move something."""
    large: NDArray[np.float32] = cv2.resize(scores, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    grey = np.repeat(image.mean(axis=2, keepdims=True) * 0.5, 3, axis=2)
    grey[..., 1] += large * 128
    return np.asarray(np.clip(grey, 0, 255), np.uint8)


def _truth(instances: list[Instance], size: int) -> Things:
    masks = np.array([instance.mask for instance in instances], bool).reshape(-1, size, size)
    bins = np.array([instance.mass_class for instance in instances], np.int64)
    return Things(masks, np.ones(len(bins)), bins, np.zeros((0, 2), np.int64))


def _felt(masks: NDArray[np.bool_], feedback: NDArray[np.int64], size: int) -> Things:
    """Return what moved, by the force that it took: medium was tried between light and heavy."""
    worked = feedback > 0
    moved = np.repeat(np.repeat(masks[worked], size // masks.shape[1], 1), size // masks.shape[2], 2)
    force = np.array([1, 1, 2, 0])[feedback[worked]]
    return Things(moved, np.ones(len(moved)), force, np.zeros((0, 2), np.int64))


def _sheet(rows: list[list[Picture]]) -> Picture:
    step = PANEL_PX + GAP_PX
    sheet = np.full((step * len(rows) + GAP_PX, step * len(rows[0]) + GAP_PX, 3), 255, np.uint8)
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            top, left = GAP_PX + step * down, GAP_PX + step * across
            sized = cv2.resize(picture, (PANEL_PX, PANEL_PX), interpolation=cv2.INTER_AREA)
            sheet[top : top + PANEL_PX, left : left + PANEL_PX] = sized
    return sheet
