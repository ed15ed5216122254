"""A recording in figures."""

import pytest
from recordings_samples import write

from handsight.recordings.info import describe
from handsight.recordings.recording import Recording


def test_our_own(tmp_path):
    summary = describe(Recording(write(tmp_path / "r", 6)))
    assert summary.lengths == (2, 3.0, 5)
    assert (summary.num_episodes, summary.num_frames) == (6, 19)
    assert summary.duration_s == pytest.approx(19 / 30)
    assert [(c.name, c.height, c.width, c.codec) for c in summary.cameras] == [
        ("observation.images.hand", 16, 24, "png"),
        ("observation.images.head", 32, 48, "h264"),
    ]
    assert list(summary.streams) == ["action", "observation.grid", "next.done", "count", "label"]
    assert summary.streams["action"].unit == "m"
    assert [(f.name, f.distinct) for f in summary.facts] == [
        ("seed", 6),
        ("mass_n", 6),
        ("category", 2),
        ("success", 2),
    ]
    assert sum(summary.splits.values()) == 6
    assert summary.tasks == {"push": 2, "poke": 2, "": 2}
    assert summary.world == {"name": "table", "objects": [1, 2]}
    assert summary.bytes_on_disk["data"] == sum(
        p.stat().st_size for p in (tmp_path / "r/data").rglob("*.parquet")
    )


def test_a_real_one(real_data):
    summary = describe(Recording(real_data / "robot-teleop-lerobot-v3"))
    assert [(c.name, c.height, c.width, c.codec) for c in summary.cameras] == [("image", 480, 640, "mpeg4")]
    assert summary.lengths == (351, 401.5, 449)
    assert summary.world is None
    assert summary.robot_type == "lingzu_highcam_pi05"
