"""Small recordings that tests share."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from handsight.recordings import Feature, Recording, Writer, camera

torch.set_num_threads(1)  # tests run side by side

CATEGORIES = ("bar", "cross", "ring")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Keep decoded frames of tests out of the user's cache."""
    monkeypatch.setenv("HANDSIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _log_as_imported():
    """Undo what the command line did to the log when an earlier test of this process called it."""
    log = logging.getLogger("handsight")
    log.handlers, log.propagate, log.disabled = [], True, False
    log.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real inputs, for those who have them."""
    folder = Path(os.environ.get("HANDSIGHT_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real inputs at {folder} (HANDSIGHT_REAL_DATA names their folder)")
    return folder


def draw(category: str, angle_rad: float, size: int, colour: np.ndarray) -> np.ndarray:
    """Return a shape turned by an angle, uint8 `[size, size, 3]`."""
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    u, v = np.cos(angle_rad) * x + np.sin(angle_rad) * y, -np.sin(angle_rad) * x + np.cos(angle_rad) * y
    inside = {
        "bar": (abs(u) < 0.8) & (abs(v) < 0.2),
        "cross": (abs(u) < 0.8) & (abs(v) < 0.2) | (abs(v) < 0.8) & (abs(u) < 0.2),
        "ring": (abs(np.hypot(u, v) - 0.6) < 0.15) & ~((u > 0) & (abs(v) < 0.3)),
    }[category]
    return np.where(inside[..., None], colour, 30).astype(np.uint8)


def write_shapes(
    path: Path, episodes: int = 18, views: int = 6, size: int = 24, seed: int = 0, **writer
) -> Path:
    """Write a recording of turning shapes with facts, as a turntable's."""
    features = {
        "observation.images.camera": camera(size, size),
        "action": Feature("float32", (1,), ("angle",), moves="angle", between="angle", unit="rad"),
        "observation.state": Feature(
            "float32", (3,), ("left.a", "right.a", "still"), moves="nothing", between="difference"
        ),
    }
    facts = {"category": "string", "object": "int64", "split": "string"}
    generator = np.random.default_rng(seed)
    with Writer(path, features, fps=10, facts=facts, **writer) as recording:
        for episode in range(episodes):
            category = CATEGORIES[episode % len(CATEGORIES)]
            angles = generator.uniform(0, 2 * np.pi) + np.arange(views) * 2 * np.pi / views
            colour = generator.integers(80, 255, 3)
            frames = {
                "observation.images.camera": np.stack(
                    [draw(category, angle, size, colour) for angle in angles]
                ),
                "action": angles[:, None].astype(np.float32),
                "observation.state": np.stack(
                    [np.sin(angles), np.cos(angles), np.ones(views)], axis=1
                ).astype(np.float32),
            }
            split = ("train", "train", "validation", "test")[(episode // len(CATEGORIES)) % 4]
            recording.add_episode(frames, {"category": category, "object": episode, "split": split})
    return path


@pytest.fixture(scope="session")
def make_shapes():
    """The function that writes a recording of turning shapes."""
    return write_shapes


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory) -> Path:
    """Folder of a recording of 24 clips of turning shapes; not to be changed."""
    return write_shapes(tmp_path_factory.mktemp("recordings") / "shapes", episodes=24)


@pytest.fixture
def shapes(shapes_folder) -> Recording:
    """A recording of turning shapes: 12 clips to train on, 6 to validate, 6 to test."""
    return Recording(shapes_folder)


TINY_NETWORK = {
    "encoder": "resnet18",
    "image_size": 16,
    "encoder_options": {"channels": [4, 4, 8, 8], "stem_width": 4},
}
"""Arguments of any method for a network of a few thousand weights."""


@pytest.fixture(scope="session")
def tiny_network() -> dict:
    """Arguments of any method for a network of a few thousand weights."""
    return TINY_NETWORK
