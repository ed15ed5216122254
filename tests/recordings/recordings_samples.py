"""Small episodes, and a reader of LeRobotDataset v3.0 that shares nothing with Handsight's own."""

import io
import json
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image

from handsight.recordings.features import Feature, camera
from handsight.recordings.writer import Writer

FEATURES = {
    "observation.images.hand": camera(16, 24),
    "observation.images.head": camera(32, 48, video=True),
    "action": Feature("float32", (3,), ("x", "y", "z"), moves="nothing", between="difference", unit="m"),
    "observation.grid": Feature("float64", (2, 3)),
    "next.done": Feature("bool", (1,)),
    "count": Feature("int16", (1,)),
    "label": Feature("string", (1,)),
}
FACTS = {"seed": "int64", "mass_n": "float64", "category": "string", "success": "bool"}
FPS = 30


def new_writer(path, **options) -> Writer:
    options = {"facts": FACTS, "world": {"name": "table", "objects": [1, 2]}, "codec": "libx264"} | options
    return Writer(path, FEATURES, FPS, **options)


def video_frames(episode: int, length: int) -> np.ndarray:
    """Frames whose grey level names episode and frame, coarsely enough to survive the codec."""
    level = (episode * 31 + np.arange(length) * 12) % 200 + 20
    return np.broadcast_to(level[:, None, None, None], (length, 32, 48, 3)).astype(np.uint8)


def episode(index: int, length: int | None = None):
    """Return frames, facts and task of episode `index`, a pure function of it."""
    random = np.random.default_rng(index)
    length = 2 + index % 4 if length is None else length
    frames = {
        "observation.images.hand": random.integers(0, 256, (length, 16, 24, 3), dtype=np.uint8),
        "observation.images.head": video_frames(index, length),
        "action": random.normal(size=(length, 3)).astype(np.float32),
        "observation.grid": random.normal(size=(length, 2, 3)),
        "next.done": np.arange(length) == length - 1,
        "count": np.arange(length, dtype=np.int16) + index,
        "label": np.array([f"{index}·{t}" for t in range(length)]),
    }
    facts = {
        "seed": index,
        "mass_n": index / 7,
        "category": "mug" if index % 2 else "pan",
        "success": index % 3 == 0,
    }
    return frames, facts, ("push", "poke", "")[index % 3]


def write(path, count: int, **options) -> Path:
    with new_writer(path, **options) as writer:
        for index in range(writer.next_episode, count):
            frames, facts, task = episode(index)
            writer.add_episode(frames, facts, task)
    return Path(path)


def content(root: Path) -> dict:
    """Return all that a recording holds, read with pyarrow, Pillow and PyAV alone."""
    info = json.loads((root / "meta/info.json").read_text())
    episodes = pd.concat(
        [pq.read_table(p).to_pandas() for p in sorted((root / "meta/episodes").glob("*/*.parquet"))]
    )
    data = pd.concat([pq.read_table(p).to_pandas() for p in sorted((root / "data").glob("*/*.parquet"))])
    tasks = pd.read_parquet(root / "meta/tasks.parquet")
    videos = {}
    for key, feature in info["features"].items():
        if feature["dtype"] == "video":
            videos[key] = [
                frame for _, row in episodes.iterrows() for frame in _episode_video(root, info, key, row)
            ]
    return {"info": info, "episodes": episodes, "data": data, "tasks": tasks, "videos": videos}


def _episode_video(root, info, key, row):
    place = info["video_path"].format(
        video_key=key,
        chunk_index=row[f"videos/{key}/chunk_index"],
        file_index=row[f"videos/{key}/file_index"],
    )
    with av.open(str(root / place)) as container:
        frames = {
            round(f.time * info["fps"]): f.to_ndarray(format="rgb24") for f in container.decode(video=0)
        }
    first = round(row[f"videos/{key}/from_timestamp"] * info["fps"])
    return [frames[first + k] for k in range(row["length"])]


def picture(value) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(value["bytes"])))


def assert_holds(root: Path, count: int) -> None:
    """Assert that a recording holds exactly episodes 0 … count − 1, whichever way it came about."""
    there = content(root)
    info, episodes, data = there["info"], there["episodes"], there["data"]
    expected = [episode(index) for index in range(count)]
    lengths = [len(frames["action"]) for frames, _, _ in expected]
    ends = np.cumsum(lengths)
    assert (info["total_episodes"], info["total_frames"]) == (count, ends[-1])
    assert episodes["episode_index"].tolist() == list(range(count))
    assert episodes["length"].tolist() == lengths
    assert episodes["dataset_from_index"].tolist() == (ends - lengths).tolist()
    assert episodes["dataset_to_index"].tolist() == ends.tolist()
    assert [list(tasks) for tasks in episodes["tasks"]] == [[task] for _, _, task in expected]
    for name in FACTS:
        assert episodes[name].tolist() == [facts[name] for _, facts, _ in expected]
    assert data["index"].tolist() == list(range(ends[-1]))
    assert data["episode_index"].tolist() == np.repeat(np.arange(count), lengths).tolist()
    assert data["frame_index"].tolist() == [t for length in lengths for t in range(length)]
    np.testing.assert_array_equal(data["timestamp"], (data["frame_index"] / FPS).astype(np.float32))
    words = there["tasks"].reset_index().set_index("task_index")["task"]
    assert [words[i] for i in data["task_index"]] == [
        t for (_, _, t), n in zip(expected, lengths, strict=True) for _ in range(n)
    ]
    assert info["total_tasks"] == len(words) == min(count, 3)
    for name in ("action", "next.done", "count", "label"):
        np.testing.assert_array_equal(
            np.stack(data[name].to_list()), np.concatenate([f[name] for f, _, _ in expected])
        )
    grid = np.stack([np.stack(row) for row in data["observation.grid"]])
    np.testing.assert_array_equal(grid, np.concatenate([f["observation.grid"] for f, _, _ in expected]))
    pictures = np.stack([picture(value) for value in data["observation.images.hand"]])
    np.testing.assert_array_equal(
        pictures, np.concatenate([f["observation.images.hand"] for f, _, _ in expected])
    )
    head = np.stack(there["videos"]["observation.images.head"]).astype(int)
    assert abs(head - np.concatenate([f["observation.images.head"] for f, _, _ in expected])).max() <= 4
    stats = json.loads((root / "meta/stats.json").read_text())
    actions = np.concatenate([f["action"] for f, _, _ in expected]).astype(np.float64)
    np.testing.assert_allclose(stats["action"]["mean"], actions.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(stats["action"]["std"], actions.std(axis=0), atol=1e-9)
    assert stats["action"]["count"] == [len(actions)]
    left = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    assert not [place for place in left if place.endswith(".partial") or place.startswith(("journal", "."))]
