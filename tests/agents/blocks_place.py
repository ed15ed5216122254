"""A place that is a picture: rectangles that shift to the right when pushed hard enough."""

from dataclasses import dataclass, field

import numpy as np

from handsight.worlds.places import Instance, Location, Outcome, Sight, check_force


@dataclass
class Block:
    """Rows and columns that it covers at first, the force that moves it, and how far away it is."""

    top: int
    left: int
    newtons: float
    colour: tuple[int, int, int]
    size: int = 18
    distance_m: float = 1.0
    mass_kg: float = 1.0


@dataclass
class Blocks:
    """Blocks shift by `step` pixels under a force that is enough; entry `diverges_at` of the log fails."""

    blocks: tuple[Block, ...]
    image_size: int = 90
    reach_m: float = 1.5
    step: int = 12
    diverges_at: int = -1
    name: str = "blocks"
    log: list = field(default_factory=list)

    def rooms(self, split):
        return ("table",)

    def options(self):
        return {}

    def enter(self, location):
        self.log.append(("enter", location))
        self.left = [block.left for block in self.blocks]
        image, depth = self.draw()
        return Sight(image, depth)

    def where(self, number):
        block = self.blocks[number]
        inside = np.zeros((self.image_size, self.image_size), bool)
        inside[block.top : block.top + block.size, self.left[number] : self.left[number] + block.size] = True
        return inside

    def draw(self):
        image = np.full((self.image_size, self.image_size, 3), (90, 120, 110), np.uint8)
        depth = np.full((self.image_size, self.image_size), 1.2, np.float32)
        depth[:, self.image_size * 2 // 3 :] = 2.0
        for number, block in enumerate(self.blocks):
            image[self.where(number)] = block.colour
            depth[self.where(number)] = block.distance_m
        return image, depth

    def apply_force(self, u, v, newtons, direction):
        check_force(self.image_size, u, v, newtons, direction)
        self.log.append((u, v, newtons, direction))
        touched = self.draw()[1][int(v), int(u)] <= self.reach_m
        for number, block in enumerate(self.blocks):
            if touched and self.where(number)[int(v), int(u)] and newtons >= block.newtons:
                self.left[number] += self.step
        diverged = len(self.log) - 1 == self.diverges_at
        return Outcome(self.draw()[0], bool(touched), diverged)

    def instances(self):
        depth = self.draw()[1]
        masks = [self.where(number) for number in range(len(self.blocks))]
        return [
            Instance("block", block.mass_kg, mask, bool((mask & (depth <= self.reach_m)).sum() >= 10))
            for block, mask in zip(self.blocks, masks, strict=True)
        ]

    def close(self):
        self.log.append(("close",))

    @property
    def forces(self):
        """What was pushed with what, in order."""
        return [entry[2] for entry in self.log if len(entry) == 4]


AT = Location("table", 7)


def one(newtons=30.0, **block):
    """A place with a single block in the middle of the left."""
    return Blocks((Block(30, 18, newtons, (220, 40, 40), **block),))
