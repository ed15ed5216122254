"""A small recording of what an agent went through: squares on a table that move when they are touched."""

from pathlib import Path

import numpy as np

from handsight.agents.exploration import CAMERA, DEPTH, FEEDBACK, FORCE, MASK, POINT, UNUSED, streams
from handsight.agents.feedback import STRIDE
from handsight.recordings import Writer


def write_experiences(path: Path, locations: int = 60, size: int = 24, attempts: int = 4) -> Path:
    """Write experiences; half of the attempts hit a square, bright squares are heavy, one row is unused."""
    generator = np.random.default_rng(0)
    grid = size // STRIDE
    facts = {"room": "string", "split": "string"}
    with Writer(path, streams(size, attempts), fps=1, facts=facts) as writer:
        for number in range(locations):
            picture = np.full((size, size, 3), generator.integers(20, 60, 3), np.uint8)
            truth = np.zeros((2, grid, grid), bool)
            bright = generator.integers(0, 3, 2)
            for thing in range(2):
                row = int(generator.integers(grid - 2))
                column = int(generator.integers(grid // 2 - 2)) + thing * grid // 2
                truth[thing, row : row + 2, column : column + 2] = True
            for mask, level in zip(truth, bright, strict=True):
                picture[np.kron(mask, np.ones((STRIDE, STRIDE))) > 0] = 90 + 80 * level
            depth = np.full((size, size), 1.2, np.float16)
            cell = generator.integers(0, grid, (attempts, 2))
            cell[:2] = [generator.choice(np.argwhere(mask)) for mask in truth]
            which = [next((n for n, mask in enumerate(truth) if mask[tuple(c)]), None) for c in cell]
            force = generator.integers(0, 3, attempts)
            feedback = np.full(attempts, UNUSED)
            masks = np.zeros((attempts, grid, grid), bool)
            for n in range(attempts - 1):
                if which[n] is None:
                    feedback[n] = 0
                else:
                    feedback[n] = 1 + (force[n] < bright[which[n]]) + 2 * (force[n] > bright[which[n]])
                    masks[n] = truth[which[n]]
            frame = {
                CAMERA: picture,
                DEPTH: depth,
                POINT: ((cell[:, ::-1] + 0.5) * STRIDE / size).astype(np.float32),
                FORCE: force.astype(np.int8),
                FEEDBACK: feedback.astype(np.int8),
                MASK: masks,
            }
            split = ("train", "train", "validation", "test")[number % 4]
            frames = {name: np.asarray(value)[None] for name, value in frame.items()}
            writer.add_episode(frames, {"room": f"table-{number % 7}", "split": split}, "touch squares")
    return path
