"""LeRobotDataset v2.1 → v3.0."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings_samples import content

from handsight.errors import HandsightError
from handsight.recordings.check import check
from handsight.recordings.convert21 import convert
from handsight.recordings.recording import Recording

LENGTHS = (5, 1, 7, 3)
FPS = 15
TASKS = ("lift", "place", "lift", "lift")


def old(root: Path, b_frames: int = 0) -> Path:
    """Write a recording of v2.1 with pyarrow and PyAV: one file an episode, meta files in JSON lines."""
    rows, stats = [], []
    first = 0
    for e, length in enumerate(LENGTHS):
        (root / "data/chunk-000").mkdir(parents=True, exist_ok=True)
        table = {
            "observation.state": pa.array([[e, t] for t in range(length)], pa.list_(pa.float32(), 2)),
            "next.reward": pa.array([t / 2 for t in range(length)], pa.float32()),
            "timestamp": pa.array([t / FPS for t in range(length)], pa.float32()),
            "frame_index": pa.array(range(length)),
            "episode_index": pa.array([e] * length),
            "index": pa.array(range(first, first + length)),
            "task_index": pa.array([0] * length),
        }
        pq.write_table(pa.table(table), root / f"data/chunk-000/episode_{e:06d}.parquet")
        encode(root / f"videos/chunk-000/front/episode_{e:06d}.mp4", e, length, b_frames)
        rows.append({"episode_index": e, "tasks": [TASKS[e]], "length": length})
        picture = {key: [[[0.5]]] * 3 for key in ("min", "max", "mean", "std")} | {"count": [length]}
        stats.append({"episode_index": e, "stats": {"front": picture}})
        first += length
    features = {
        "observation.state": {"dtype": "float32", "shape": [2], "names": ["e", "t"]},
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
        "front": {
            "dtype": "video",
            "shape": [32, 48, 3],
            "names": ["height", "width", "channels"],
            "info": None,
        },
        "depth": {"dtype": "video", "shape": [32, 48, 1], "names": None},
        **{
            n: {"dtype": "int64", "shape": [1], "names": None}
            for n in ("frame_index", "episode_index", "index", "task_index")
        },
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    }
    info = {
        "codebase_version": "v2.1",
        "robot_type": "arm",
        "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS),
        "fps": FPS,
        "chunks_size": 1000,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": features,
    }
    (root / "meta").mkdir()
    (root / "meta/info.json").write_text(json.dumps(info))
    (root / "meta/tasks.jsonl").write_text(
        '{"task_index": 0, "task": "lift"}\n{"task_index": 1, "task": "place"}\n'
    )
    (root / "meta/episodes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "meta/episodes_stats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in stats))
    return root


def level(episode, t):
    return 30 + 50 * episode + 7 * t


def encode(path, episode, length, b_frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "10", "bf": str(b_frames)})
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for t in range(length):
            frame = av.VideoFrame.from_ndarray(
                np.full((32, 48, 3), level(episode, t), np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = t, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("b_frames", [0, 3])
def test_everything_arrives_without_reencoding(tmp_path, b_frames):
    source = old(tmp_path / "old", b_frames)
    assert convert(source, tmp_path / "new") == 4
    there = content(tmp_path / "new")
    assert there["info"]["codebase_version"] == "v3.0"
    assert there["info"]["robot_type"] == "arm"
    assert there["info"]["features"]["front"]["info"]["video.codec"] == "h264"
    assert there["episodes"]["length"].tolist() == list(LENGTHS)
    assert [tasks[0] for tasks in there["episodes"]["tasks"]] == list(TASKS)
    state = np.stack(there["data"]["observation.state"].to_list())
    assert state.tolist() == [[e, t] for e, length in enumerate(LENGTHS) for t in range(length)]
    decoded = [
        frames for e in range(4) for frames in decode(source / f"videos/chunk-000/front/episode_{e:06d}.mp4")
    ]
    np.testing.assert_array_equal(np.stack(there["videos"]["front"]), np.stack(decoded))
    packets = [p for e in range(4) for p in coded(source / f"videos/chunk-000/front/episode_{e:06d}.mp4")]
    assert [p for path in sorted((tmp_path / "new/videos").rglob("*.mp4")) for p in coded(path)] == packets
    stats = json.loads((tmp_path / "new/meta/stats.json").read_text())
    assert stats["front"]["count"] == [16]
    np.testing.assert_allclose(np.ravel(stats["front"]["mean"]), [0.5] * 3)
    assert check(tmp_path / "new", thorough=True) == []


def decode(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def coded(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_our_reader_finds_each_frame(tmp_path):
    convert(old(tmp_path / "old", 3), tmp_path / "new")
    recording = Recording(tmp_path / "new")
    expected = [level(e, t) for e, length in enumerate(LENGTHS) for t in range(length)]
    order = np.random.default_rng(0).permutation(16)
    np.testing.assert_allclose(
        recording.frames(order).mean(axis=(1, 2, 3)), np.array(expected)[order], atol=3
    )


def test_pictures_in_the_parquet(tmp_path):
    source = old(tmp_path / "old")
    info = json.loads((source / "meta/info.json").read_text())
    info["features"]["front"]["dtype"] = "image"
    (source / "meta/info.json").write_text(json.dumps(info))
    for e, length in enumerate(LENGTHS):
        path = source / f"data/chunk-000/episode_{e:06d}.parquet"
        (source / "images").mkdir(exist_ok=True)
        for t in range(length):
            picture = av.VideoFrame.from_ndarray(np.full((32, 48, 3), level(e, t), np.uint8), format="rgb24")
            picture.to_image().save(source / f"images/{e}-{t}.png")
        values = [
            {
                "bytes": (source / f"images/{e}-{t}.png").read_bytes() if t % 2 else None,
                "path": f"images/{e}-{t}.png",
            }
            for t in range(length)
        ]
        pq.write_table(pq.read_table(path).append_column("front", pa.array(values)), path)
    convert(source, tmp_path / "new")
    frames = Recording(tmp_path / "new").frames(np.arange(16))
    assert frames[:, 0, 0, 0].tolist() == [
        level(e, t) for e, length in enumerate(LENGTHS) for t in range(length)
    ]


def test_a_killed_conversion_goes_on(tmp_path):
    source = old(tmp_path / "old")

    class Killed(BaseException):
        pass

    def kill(done, total):
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        convert(source, tmp_path / "new", kill)
    seen = []
    assert convert(source, tmp_path / "new", lambda done, total: seen.append((done, total))) == 4
    assert seen == [(3, 4), (4, 4)]
    assert check(tmp_path / "new") == []
    convert(source, tmp_path / "whole")
    one, other = content(tmp_path / "new"), content(tmp_path / "whole")
    assert one["info"] == other["info"]
    np.testing.assert_array_equal(one["videos"]["front"], other["videos"]["front"])


def test_what_is_left_out_is_said(tmp_path, caplog):
    convert(old(tmp_path / "old"), tmp_path / "new")
    assert "stream depth is left out: 'depth' is no RGB camera but of shape [32, 48, 1]" in caplog.text


def test_reading_v21_names_the_command(tmp_path):
    source = old(tmp_path / "old")
    with pytest.raises(
        HandsightError,
        match=rf"is a LeRobotDataset v2\.1; .*: handsight ingest lerobot-v21 {source} NEW_FOLDER$",
    ):
        Recording(source)


VIDEO = "videos/chunk-000/front/episode_000002.mp4"
DAMAGE = [
    (lambda r: shutil.rmtree(r / "meta"), "the meta files of LeRobotDataset v2.1 cannot be read"),
    (
        lambda r: (r / "meta/episodes.jsonl").write_text("{"),
        "the meta files of LeRobotDataset v2.1 cannot be read",
    ),
    (lambda r: (r / "meta/episodes.jsonl").write_text(""), "row i is not episode i"),
    (lambda r: (r / "data/chunk-000/episode_000002.parquet").unlink(), "episode_000002.parquet is missing"),
    (
        lambda r: (r / "data/chunk-000/episode_000002.parquet").write_bytes(b"PAR1"),
        "episode_000002.parquet cannot be read",
    ),
    (lambda r: (r / VIDEO).unlink(), "episode_000002.mp4 is missing"),
    (lambda r: (r / VIDEO).write_bytes(b"?"), "episode_000002.mp4 cannot be read as a video"),
    (lambda r: encode(r / VIDEO, 2, 6, 0), "episode_000002.mp4 holds 6 frames; its episode has 7"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_damage_is_one_line_and_what_was_converted_stays(tmp_path, damage, message):
    source = old(tmp_path / "old")
    damage(source)
    with pytest.raises(HandsightError, match=message):
        convert(source, tmp_path / "new")
    if (tmp_path / "new/meta/episodes").exists():
        assert Recording(tmp_path / "new").num_episodes == 2


def test_other_versions_are_refused(tmp_path):
    source = old(tmp_path / "old")
    info = json.loads((source / "meta/info.json").read_text()) | {"codebase_version": "v2.0"}
    (source / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(HandsightError, match=r"is of version 'v2\.0'; this converts LeRobotDataset v2\.1"):
        convert(source, tmp_path / "new")
