"""Filming: what moves when an oracle's points are pushed, location after location, as episodes of a world.

Lohmann et al. 2020, appendix D, "The videoPCA baseline": what the method `video-pca` learns from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from handsight.agents.exploration import CAMERA, DEPTH
from handsight.agents.feedback import centre_px
from handsight.agents.locations import visit
from handsight.agents.oracles import told_points
from handsight.agents.video_pca import COMPONENTS, soft_mask
from handsight.encoders.unet import STRIDE
from handsight.errors import HandsightError
from handsight.recordings.features import Feature, camera
from handsight.worlds.places import DIRECTIONS, FILM_FRAMES, FILM_STEP_S, FORCES_N, FilmedPlace, Location
from handsight.worlds.world import Episode, FactType

SOFT_MASK = "film.mask"


def streams(image_size: int) -> dict[str, Feature]:
    """Return the streams: the view, its depth, and how likely each cell shows something that moves.

    Args:
        image_size: S, of the view, pixels.
    """
    grid = image_size // STRIDE
    return {
        CAMERA: camera(image_size, image_size),
        DEPTH: Feature("float16", (image_size, image_size), moves="map", between="first", unit="m"),
        SOFT_MASK: Feature("float16", (grid, grid), moves="map", between="first"),
    }


class Filming:
    """Episode i is a location, one point of each thing in reach of which is pushed and filmed.

    Forces are applied one after another, the largest there is, in directions that are drawn; nothing is put
    back between them. The films' soft masks are added, to 1 at most.

    Args:
        place: where.
        split: whose rooms the locations are in.
        forces: most at a location.
        frames: of a film after its first picture.
        step_s: from one to the next.
        components: that explain what does not move.

    Raises:
        HandsightError: the place cannot be filmed, the split has no rooms, or no force is to be applied.
    """

    def __init__(
        self,
        place: FilmedPlace,
        split: str = "train",
        forces: int = 20,
        frames: int = FILM_FRAMES,
        step_s: float = FILM_STEP_S,
        components: int = COMPONENTS,
    ) -> None:
        self.place, self.split, self.forces = place, split, forces
        self.frames, self.step_s, self.components = frames, step_s, components
        if not callable(getattr(place, "film", None)):
            raise HandsightError(f"{place.name} cannot be filmed; give a place that can, such as rooms")
        if not place.rooms(split):
            raise HandsightError(f"{place.name} has no rooms in the split '{split}'")
        for what, number in (("forces", forces), ("components", components)):
            if number < 1:
                raise HandsightError(f"filming: {what} is {number}; it starts at 1")

    name = "filming"
    fps = 1

    @property
    def features(self) -> Mapping[str, Feature]:
        """The view, its depth, and the soft mask."""
        return streams(self.place.image_size)

    @property
    def facts(self) -> Mapping[str, FactType]:
        """Where it was, and how many forces were applied."""
        numbers = ("room_seed", "forces_n", "dropped_n")
        return {"room": "string", "split": "string", **dict.fromkeys(numbers, "int64")}

    def options(self) -> dict[str, Any]:
        """Return what an episode depends on beside the seed and its index."""
        own = ("split", "forces", "frames", "step_s", "components")
        return {
            "place": {"name": self.place.name, **self.place.options()},
            **{name: getattr(self, name) for name in own},
        }

    def episode(self, seed: int, index: int) -> Episode:
        """Return what was filmed at location `index`; locations where the simulation fails are left out."""
        frames, location, dropped = visit(self.place, self.split, seed, index, self._filmed)
        facts = {
            "room": location.room,
            "split": self.split,
            "room_seed": location.seed,
            "forces_n": frames.pop("forces_n"),
            "dropped_n": dropped,
        }
        frames = {name: np.asarray(value)[None] for name, value in frames.items()}
        return Episode(frames, facts, "film what forces move")

    def close(self) -> None:
        """Give back what the place opened."""
        self.place.close()

    def _filmed(self, location: Location, rng: np.random.Generator) -> dict[str, Any] | None:
        """Return a location's streams and its number of forces; None where the simulation fails there."""
        sight, instances = self.place.enter(location), self.place.instances()
        none = np.zeros((0, 2), np.int64)
        points, _ = told_points(rng, none, instances, sight.depth_m, self.place.reach_m, self.forces)
        soft = np.zeros([side // STRIDE for side in sight.depth_m.shape], np.float32)
        for point, direction in zip(points, rng.integers(len(DIRECTIONS), size=len(points)), strict=True):
            v, u = centre_px(point).tolist()
            film = self.place.film(u, v, FORCES_N[-1], int(direction), self.frames, self.step_s)
            if film.diverged:
                return None
            soft += soft_mask(film.images, self.components)
        return {
            CAMERA: sight.image,
            DEPTH: sight.depth_m.astype(np.float16),
            SOFT_MASK: soft.clip(0, 1).astype(np.float16),
            "forces_n": len(points),
        }
