"""What lerobot finds in a recording. Runs in lerobot's environment, where nothing of ours is installed.

python lerobot_reads.py FOLDER BACKEND OUT.npz
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.configs.types import FeatureType, NormalizationMode
from lerobot.datasets.compute_stats import aggregate_stats, compute_episode_stats
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.processor import NormalizerProcessorStep
from lerobot.utils.feature_utils import dataset_to_policy_features

STEPS = (-2, -1, 0, 1, 3)
"""Frames before and after, for the queries across episodes' boundaries."""


def main(folder: Path, backend: str, out: Path) -> None:
    """Read everything, the boundaries again with neighbours, and what normalises it."""
    dataset = LeRobotDataset("local/recording", root=folder, video_backend=backend)
    meta = dataset.meta
    # Before anything is decoded here: workers that inherit an open decoder share its place in the file.
    loader = torch.utils.data.DataLoader(dataset, batch_size=4, num_workers=2)
    from_loader = sum(len(batch["index"]) for batch in loader)
    items = [dataset[index] for index in range(len(dataset))]
    arrays = {f"item/{name}": stacked([item[name] for item in items]) for name in (*meta.features, "task")}
    ends = sorted(
        {
            int(e[key]) - back
            for e in meta.episodes
            for key, back in (("dataset_from_index", 0), ("dataset_to_index", 1))
        }
    )
    asked = {
        name: [step / dataset.fps for step in STEPS]
        for name, feature in meta.features.items()
        if feature["dtype"] != "string" and name.startswith(("observation", "action", "next"))
    }
    around = LeRobotDataset("local/recording", root=folder, video_backend=backend, delta_timestamps=asked)
    windows = [around[index] for index in ends]
    for name in asked:
        arrays[f"around/{name}"] = stacked([window[name] for window in windows])
        arrays[f"is_pad/{name}"] = stacked([window[f"{name}_is_pad"] for window in windows])
    arrays["ends"] = np.array(ends)
    said = {
        "episodes": meta.total_episodes,
        "frames": len(dataset),
        "fps": meta.fps,
        "features": {name: [f["dtype"], list(f["shape"])] for name, f in meta.features.items()},
        "from_loader": from_loader,
        "normalised": normalised(dataset, items),
        "stats_differ": stats_differ(dataset, items),
        "steps": STEPS,
    }
    np.savez(out, said=json.dumps(said), **arrays)


def stacked(values: list[Any]) -> np.ndarray:
    """Return tensors, numbers or texts of all frames as one array."""
    return np.stack([np.asarray(value) for value in values])


def normalised(dataset: LeRobotDataset, items: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return mean and deviation of what lerobot's own normaliser makes of each vector, by our stats."""
    features = dataset_to_policy_features(dataset.meta.features)
    modes = {kind: NormalizationMode.MEAN_STD for kind in FeatureType}
    step = NormalizerProcessorStep(features=features, norm_map=modes, stats=dataset.meta.stats)
    found = {}
    for name in features:
        if dataset.meta.features[name]["dtype"] == "string":
            continue
        values = torch.stack([item[name] for item in items]).float()
        kind = features[name].type
        made = step._apply_transform(values, name, kind)
        if kind != FeatureType.VISUAL:
            deviation = made.reshape(len(made), -1).std(0, unbiased=False)
            found[name] = [
                float(made.reshape(len(made), -1).mean(0).abs().max()),
                float((deviation - 1).abs().max()),
            ]
        else:
            found[name] = [
                float(made.mean((0, 2, 3)).abs().max()),
                float((made.std((0, 2, 3)) - 1).abs().max()),
            ]
    return found


def stats_differ(dataset: LeRobotDataset, items: list[dict[str, Any]]) -> dict[str, float]:
    """Return by how much our stats.json differs from lerobot's own figures of the same vectors.

    Without quantiles, which lerobot reads off a histogram, and matrices, where one-frame episodes fail it.
    """
    numbers = {
        name: feature
        for name, feature in dataset.meta.features.items()
        if feature["dtype"] not in ("string", "image", "video") and len(feature["shape"]) == 1
    }
    parts = []
    for entry in dataset.meta.episodes:
        rows = items[int(entry["dataset_from_index"]) : int(entry["dataset_to_index"])]
        values = {
            n: stacked([row[n] for row in rows]).reshape(len(rows), *f["shape"]) for n, f in numbers.items()
        }
        parts.append(compute_episode_stats(values, numbers))
    theirs = aggregate_stats(parts)
    return {
        f"{name}/{key}": relative_difference(dataset.meta.stats[name][key], value)
        for name in numbers
        for key, value in theirs[name].items()
        if key in ("min", "max", "mean", "std", "count")
    }


def relative_difference(one: Any, other: Any) -> float:
    """Return how far two figures are apart, relative to the larger of 1 and the second."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    return float((np.abs(one - other) / np.maximum(1, np.abs(other))).max())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
