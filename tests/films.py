"""A small recording of soft masks of what moves: squares on a table."""

from pathlib import Path

import numpy as np

from handsight.agents.exploration import CAMERA, DEPTH
from handsight.agents.feedback import STRIDE
from handsight.agents.filming import SOFT_MASK, streams
from handsight.recordings import Writer


def write_films(path: Path, locations: int = 60, size: int = 24) -> Path:
    """Write locations with a square each, which moves, softly told."""
    generator = np.random.default_rng(0)
    grid = size // STRIDE
    side = grid // 3
    with Writer(path, streams(size), fps=1, facts={"room": "string", "split": "string"}) as writer:
        for number in range(locations):
            row, column = generator.integers(grid - side, size=2)
            soft = np.zeros((grid, grid), np.float16)
            soft[row : row + side, column : column + side] = generator.uniform(0.8, 1)
            picture = np.full((size, size, 3), generator.integers(20, 60, 3), np.uint8)
            picture[np.kron(soft, np.ones((STRIDE, STRIDE))) > 0] = 220
            frame = {CAMERA: picture, DEPTH: np.full((size, size), 1.2, np.float16), SOFT_MASK: soft}
            split = ("train", "train", "validation", "test")[number % 4]
            frames = {name: value[None] for name, value in frame.items()}
            writer.add_episode(frames, {"room": f"table-{number % 7}", "split": split}, "film squares")
    return path
