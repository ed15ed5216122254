"""Write a recording with lerobot's own writer. Runs in lerobot's environment; nothing of ours is there.

python lerobot_writes.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

LENGTHS = (9, 1, 14)


def main(folder: Path) -> None:
    """Write episodes with a video camera, an image camera and two vectors, in two sessions."""
    axes = ["height", "width", "channels"]
    features = {
        "observation.images.front": {"dtype": "video", "shape": (96, 128, 3), "names": axes},
        "observation.images.side": {"dtype": "image", "shape": (48, 64, 3), "names": axes},
        "observation.state": {"dtype": "float32", "shape": (4,), "names": ["a", "b", "c", "d"]},
        "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
    }
    dataset = LeRobotDataset.create("local/recording", fps=30, features=features, root=folder)
    generator = np.random.default_rng(0)
    for number, length in enumerate(LENGTHS):
        if number == 2:
            dataset.finalize()
            dataset = LeRobotDataset.resume("local/recording", root=folder)
        for time in range(length):
            frame = {
                name: picture(f["shape"], number, time)
                if f["dtype"] in ("image", "video")
                else generator.normal(size=f["shape"]).astype(np.float32)
                for name, f in features.items()
            }
            dataset.add_frame({**frame, "task": f"task {number % 2}"})
        dataset.save_episode()
    dataset.finalize()


def picture(shape: tuple[int, int, int], number: int, time: int) -> np.ndarray:
    """Return waves of a colour that is the episode's own, moving in time."""
    y, x = np.mgrid[: shape[0], : shape[1]] / 12
    waves = np.stack([np.sin(x + time / 3), np.cos(y + number), np.sin(x + y - time / 5)], axis=-1)
    return (127.5 * (1 + waves)).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
