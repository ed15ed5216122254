"""lerobot's own reader, timed. Runs in lerobot's environment; a question a line in, an answer a line out.

{"folder", "backend", "indices", "cores", "workers", "clock"} → {"seconds", "frames"}: `dataset[i]` one after
another, or through torch's DataLoader with worker processes. Pictures come as uint8, as lerobot trains.
"""

import functools
import json
import logging
import os
import sys
import time
from typing import Any

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

BATCH = 32


@functools.cache
def opened(folder: str, backend: str) -> LeRobotDataset:
    """Open a recording; once."""
    return LeRobotDataset("local/recording", root=folder, video_backend=backend, return_uint8=True)


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Read the frames asked for, twice where the recording is new, and say how long it took."""
    os.sched_setaffinity(0, range(question["cores"]))
    torch.set_num_threads(1)
    dataset = opened(question["folder"], question["backend"])
    indices = question["indices"]
    if question["workers"]:
        loader = torch.utils.data.DataLoader(
            torch.utils.data.Subset(dataset, indices),
            batch_size=BATCH,
            num_workers=question["workers"],
            persistent_workers=True,
        )
        for _ in loader:  # the workers start, and open what they read
            pass
        began = time.perf_counter()
        frames = sum(len(batch["index"]) for batch in loader)
        return {"seconds": time.perf_counter() - began, "frames": frames}
    clock = time.perf_counter if question["clock"] == "wall" else time.process_time
    began = clock()
    for index in indices:
        dataset[index]
    return {"seconds": clock() - began, "frames": len(indices)}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
