"""Small recordings that are damaged: ours, one of a killed writer, and one as other programs write them."""

import io
import json
from fractions import Fraction

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from recordings_samples import episode, new_writer, write


def make_bases(folder):
    """Write the recordings that are damaged; return their folders."""
    ours = write(folder / "ours", 3, data_files_size_in_mb=0.01)
    write(ours, 5, data_files_size_in_mb=0.01)
    killed = write(folder / "killed", 2)
    writer = new_writer(killed)
    for index in (2, 3, 4):
        writer.add_episode(*episode(index))
    writer._journal.close()
    writer._lock.release()
    wild(folder / "wild")
    return [ours, killed, folder / "wild"]


def wild(root):
    """Write a recording as others do: its own names, one row group, lists, no key of ours, no stats."""
    lengths, fps = (4, 3, 5), 10
    count = sum(lengths)
    random_ = np.random.default_rng(0)
    columns = {
        "actions": pa.array(
            random_.normal(size=(count, 2)).astype(np.float32).tolist(), pa.list_(pa.float32())
        ),
        "still": pa.array([{"bytes": png(random_, 8, 10), "path": None} for _ in range(count)]),
        "note": pa.array([f"n{i}" for i in range(count)]),
        "timestamp": pa.array([t / fps for n in lengths for t in range(n)], pa.float32()),
        "frame_index": pa.array([t for n in lengths for t in range(n)]),
        "episode_index": pa.array(np.repeat(np.arange(3), lengths)),
        "index": pa.array(np.arange(count)),
        "task_index": pa.array(np.repeat([0, 1, 0], lengths)),
    }
    (root / "data/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(columns), root / "data/chunk-000/file-000.parquet")
    (root / "videos/top/chunk-000").mkdir(parents=True)
    encode(root / "videos/top/chunk-000/file-000.mp4", 16, 24, count, fps)
    starts = np.cumsum([0, *lengths[:-1]])
    rows = {
        "episode_index": [0, 1, 2],
        "tasks": [["fold"], ["stack"], ["fold"]],
        "length": list(lengths),
        "data/chunk_index": [0] * 3,
        "data/file_index": [0] * 3,
        "dataset_from_index": starts.tolist(),
        "dataset_to_index": (starts + lengths).tolist(),
        "videos/top/chunk_index": [0] * 3,
        "videos/top/file_index": [0] * 3,
        "videos/top/from_timestamp": (starts / fps).tolist(),
        "videos/top/to_timestamp": ((starts + lengths) / fps).tolist(),
        "operator": ["ann", None, "bo"],
        "quality": [1.0, None, 2.0],
    }
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(rows), root / "meta/episodes/chunk-000/file-000.parquet")
    tasks = pa.table({"task_index": [0, 1], "__index_level_0__": ["fold", "stack"]})
    pq.write_table(tasks, root / "meta/tasks.parquet")
    features = {
        "actions": {"dtype": "float32", "shape": [2], "names": ["a", "b"]},
        "still": {"dtype": "image", "shape": [3, 8, 10], "names": ["channels", "height", "width"]},
        "top": {"dtype": "video", "shape": [16, 24, 3], "names": ["height", "width", "channels"]},
        "note": {"dtype": "string", "shape": [1], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{
            name: {"dtype": "int64", "shape": [1], "names": None}
            for name in ("frame_index", "episode_index", "index", "task_index")
        },
    }
    info = {
        "codebase_version": "v3.0",
        "robot_type": "arm",
        "total_episodes": 3,
        "total_frames": count,
        "total_tasks": 2,
        "chunks_size": 1000,
        "fps": fps,
        "splits": {"train": "0:3"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": features,
        "uploader": "somebody",
    }
    (root / "meta/info.json").write_text(json.dumps(info))


def png(random_, height, width):
    picture = av.VideoFrame.from_ndarray(
        random_.integers(0, 255, (height, width, 3), dtype=np.uint8), format="rgb24"
    )
    encoded = io.BytesIO()
    picture.to_image().save(encoded, "png")
    return encoded.getvalue()


def encode(path, height, width, count, fps):
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=fps, options={"g": "3"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for t in range(count):
            frame = av.VideoFrame.from_ndarray(
                np.full((height, width, 3), 20 + 15 * t, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = t, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
