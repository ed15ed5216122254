"""What the writer leaves on disk, read by others' readers; and what it refuses."""

import json
import warnings

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings_samples import FACTS, FEATURES, assert_holds, content, episode, new_writer, write

from handsight.errors import HandsightError
from handsight.recordings import durable
from handsight.recordings.features import Feature, camera
from handsight.recordings.writer import Writer


def test_episodes_come_out_as_they_went_in(tmp_path):
    assert_holds(write(tmp_path / "r", 7), 7)


def test_layout_is_lerobot_v3(tmp_path):
    root = write(tmp_path / "r", 4)
    places = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    assert places == [
        "data/chunk-000/file-000.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
        "videos/observation.images.head/chunk-000/file-000.mp4",
    ]
    info = json.loads((root / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert info["splits"] == {"train": "0:4"}
    assert info["chunks_size"] == 1000
    assert info["data_path"] == "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    assert info["features"]["index"] == {"dtype": "int64", "shape": [1], "names": None}
    head = info["features"]["observation.images.head"]
    assert head["dtype"] == "video"
    assert head["shape"] == [32, 48, 3]
    assert head["names"] == ["height", "width", "channels"]
    assert head["info"]["video.codec"] == "h264"
    assert info["handsight"]["streams"]["action"] == {
        "moves": "nothing",
        "between": "difference",
        "unit": "m",
    }
    assert info["handsight"]["world"] == {"name": "table", "objects": [1, 2]}

    data = pq.ParquetFile(root / "data/chunk-000/file-000.parquet")
    assert data.metadata.row_group(0).column(0).compression == "SNAPPY"
    types = {field.name: field.type for field in data.schema_arrow}
    assert "observation.images.head" not in types
    assert types["observation.images.hand"] == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    assert pa.types.is_fixed_size_list(types["action"])
    assert types["action"].list_size == 3
    assert types["action"].value_type == pa.float32()
    assert types["count"] == pa.int16()
    assert types["timestamp"] == pa.float32()
    assert types["task_index"] == pa.int64()
    described = json.loads(data.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert described["observation.images.hand"] == {"_type": "Image"}

    tasks = pd.read_parquet(root / "meta/tasks.parquet")
    assert tasks.index.tolist() == ["push", "poke", ""]
    assert tasks["task_index"].tolist() == [0, 1, 2]

    columns = pq.read_schema(root / "meta/episodes/chunk-000/file-000.parquet").names
    key = "videos/observation.images.head"
    wanted = [f"{key}/{part}" for part in ("chunk_index", "file_index", "from_timestamp", "to_timestamp")]
    assert {*wanted, *FACTS, "meta/episodes/chunk_index", "stats/action/q99", "stats/timestamp/std"} <= set(
        columns
    )


def test_videos_begin_each_episode_on_a_keyframe_and_never_drift(tmp_path):
    root = write(tmp_path / "r", 9)
    rows = content(root)["episodes"]
    key = "videos/observation.images.head"
    assert rows[f"{key}/from_timestamp"].tolist() == (rows["dataset_from_index"] / 30).tolist()
    assert rows[f"{key}/to_timestamp"].tolist() == (rows["dataset_to_index"] / 30).tolist()
    with av.open(str(root / "videos/observation.images.head/chunk-000/file-000.mp4")) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None]
        stream = container.streams.video[0]
        times = [p.pts * stream.time_base for p in packets]
        assert [round(t * 30) for t in times] == list(range(len(packets)))
        assert all(p.pts == p.dts for p in packets)
        assert all(packets[first].is_keyframe for first in rows["dataset_from_index"])
        assert (stream.codec_context.pix_fmt, stream.codec_context.has_b_frames) == ("yuv420p", 0)


@pytest.mark.parametrize("codec", ["libsvtav1", "libx265"])
def test_other_codecs(tmp_path, codec):
    features = {"image": camera(64, 64, video=True)}
    with Writer(tmp_path / "r", features, 10, codec=codec) as writer:
        for e in range(2):
            frames = np.full((3, 64, 64, 3), 40 + 100 * e, np.uint8)
            writer.add_episode({"image": frames})
    there = content(tmp_path / "r")
    assert (
        there["info"]["features"]["image"]["info"]["video.codec"]
        == {"libsvtav1": "av1", "libx265": "hevc"}[codec]
    )
    levels = np.array([frame.mean() for frame in there["videos"]["image"]])
    np.testing.assert_allclose(levels, [40, 40, 40, 140, 140, 140], atol=3)


def test_statistics_of_pictures_are_in_unit_range(tmp_path):
    features = {"image": camera(8, 8)}
    frames = np.zeros((4, 8, 8, 3), np.uint8)
    frames[2:, ..., 0] = 255
    with Writer(tmp_path / "r", features, 10) as writer:
        writer.add_episode({"image": frames})
    stats = json.loads((tmp_path / "r/meta/stats.json").read_text())["image"]
    assert np.shape(stats["mean"]) == (3, 1, 1)
    np.testing.assert_allclose(np.ravel(stats["mean"]), [0.5, 0, 0])
    np.testing.assert_allclose(np.ravel(stats["std"]), [0.5, 0, 0])
    np.testing.assert_allclose(np.ravel(stats["max"]), [1, 0, 0])
    np.testing.assert_allclose(np.ravel(stats["q99"]), [1, 0, 0])
    assert stats["count"] == [4]


def test_files_roll_over_at_their_limits(tmp_path):
    root = write(tmp_path / "r", 12, data_files_size_in_mb=0.01, video_files_size_in_mb=0.004)
    data, videos = (sorted((root / folder).rglob("file-*")) for folder in ("data", "videos"))
    assert len(data) > 2
    assert len(videos) > 1
    for path in data:
        assert path.stat().st_size <= 0.01 * 1024**2 + pq.read_metadata(path).serialized_size + 100
    assert_holds(root, 12)


def test_a_small_journal_seals_often(tmp_path):
    root = write(tmp_path / "r", 6, journal_size_in_mb=0.001)
    assert len(list((root / "meta/episodes/chunk-000").iterdir())) == 6
    assert_holds(root, 6)


def test_chunks_hold_a_thousand_files(tmp_path):
    root = write(tmp_path / "r", 1)
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps(info | {"chunks_size": 2}))
    for count in (2, 3):
        write(root, count)
    assert [p.parent.name + "/" + p.name for p in sorted((root / "data").rglob("*.parquet"))] == [
        "chunk-000/file-000.parquet",
        "chunk-000/file-001.parquet",
        "chunk-001/file-000.parquet",
    ]
    assert_holds(root, 3)


def test_frame_by_frame_equals_all_at_once(tmp_path):
    once = write(tmp_path / "once", 3)
    with new_writer(tmp_path / "frames") as writer:
        for index in range(3):
            frames, facts, task = episode(index)
            for t in range(len(frames["action"])):
                writer.add_frame({name: values[t] for name, values in frames.items()})
            assert writer.save_episode(facts, task) == index
    assert_same_bytes(once, tmp_path / "frames")


def test_the_same_episodes_give_the_same_bytes(tmp_path):
    assert_same_bytes(write(tmp_path / "a", 5), write(tmp_path / "b", 5))


def assert_same_bytes(one, other):
    places = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert places == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    assert all((one / place).read_bytes() == (other / place).read_bytes() for place in places)


def test_resuming_goes_on(tmp_path):
    for count in (2, 2, 5, 9):
        write(tmp_path / "r", count)
        assert_holds(tmp_path / "r", count)


def interrupted_session(root):
    with new_writer(root) as writer:
        for index in range(3):
            writer.add_episode(*episode(index))
        writer.add_frame({name: values[0] for name, values in episode(3)[0].items()})
        raise ZeroDivisionError


def test_an_exception_discards_only_the_episode_under_way(tmp_path):
    with pytest.raises(ZeroDivisionError):
        interrupted_session(tmp_path / "r")
    assert_holds(tmp_path / "r", 3)


def test_discarded_episodes_leave_nothing(tmp_path):
    with new_writer(tmp_path / "r") as writer:
        for index in range(2):
            frames, facts, task = episode(index)
            writer.add_frame({name: values[0] for name, values in frames.items()})
            writer.discard_episode()
            writer.add_episode(frames, facts, task)
        assert writer.next_episode == 2
    assert_holds(tmp_path / "r", 2)


def test_the_callers_buffer_may_be_used_again(tmp_path):
    buffer = np.zeros(2, np.float32)
    with Writer(tmp_path / "r", {"action": Feature("float32", (2,))}, 10) as writer:
        for t in range(3):
            buffer[:] = t
            writer.add_frame({"action": buffer})
        writer.save_episode()
    assert np.stack(content(tmp_path / "r")["data"]["action"]).tolist() == [[0, 0], [1, 1], [2, 2]]


def test_fps_may_be_a_fraction(tmp_path):
    with Writer(tmp_path / "r", {"image": camera(16, 16, video=True)}, 29.97, codec="libx264") as writer:
        for _ in range(2):
            writer.add_episode({"image": np.zeros((40, 16, 16, 3), np.uint8)})
    with av.open(str(tmp_path / "r/videos/image/chunk-000/file-000.mp4")) as container:
        times = np.array([float(frame.time) for frame in container.decode(video=0)])
    np.testing.assert_allclose(times, np.arange(80) / 29.97, atol=1e-4)


def without(frames, name):
    return {key: value for key, value in frames.items() if key != name}


FRAMES = episode(0)[0]
WRONG_FRAMES = [
    (without(FRAMES, "action"), "frame 0 lacks action; expected observation.images.hand"),
    (FRAMES | {"gaze": 1}, "frame 0 has an undeclared gaze; expected"),
    (
        FRAMES | {"action": np.ones((2, 4), np.float32)},
        r"stream 'action', frame 0: float32 \(4,\) came; expected float32 \(3,\)",
    ),
    (FRAMES | {"action": np.ones((3, 3))}, "streams of an episode differ in length"),
    (
        FRAMES | {"action": [[0, 0, 0], [0, np.nan, 0]]},
        "stream 'action', frame 1: nan came; expected finite float32",
    ),
    (
        FRAMES | {"action": [[0, 0, 0], [0, 1e300, 0]]},
        "stream 'action', frame 1: 1e\\+300 came; expected finite float32",
    ),
    (
        FRAMES | {"observation.grid": np.full((2, 2, 3), -np.inf)},
        "stream 'observation.grid', frame 0: -inf came",
    ),
    (FRAMES | {"count": [0.5, 1]}, "stream 'count', frame 0: float64 came; expected int16"),
    (FRAMES | {"count": [0, 2**15]}, "stream 'count': values beyond int16 came"),
    (FRAMES | {"label": [1, 2]}, "stream 'label', frame 0: int64 came; expected string"),
    (
        FRAMES | {"observation.images.hand": np.zeros((2, 16, 24, 3), np.float32)},
        "stream 'observation.images.hand', frame 0: float32 came; expected uint8",
    ),
    (
        FRAMES | {"observation.images.head": np.zeros((2, 48, 32, 3), np.uint8)},
        r"frame 0: uint8 \(48, 32, 3\) came; expected uint8 \(32, 48, 3\)",
    ),
]


@pytest.mark.parametrize(("frames", "message"), WRONG_FRAMES)
def test_wrong_frames_are_refused_and_nothing_is_lost(tmp_path, frames, message):
    with new_writer(tmp_path / "r") as writer:
        with pytest.raises(HandsightError, match=message):
            writer.add_episode(frames, *episode(0)[1:])
        writer.add_episode(*episode(0))
    assert_holds(tmp_path / "r", 1)


def test_the_number_of_a_wrong_frame_counts_from_the_episodes_start(tmp_path):
    with Writer(tmp_path / "r", {"action": Feature("float32", (1,))}, 10) as writer:
        writer.add_frame({"action": 1})
        with pytest.raises(HandsightError, match="stream 'action', frame 1: nan came"):
            writer.add_frame({"action": np.nan})
        writer.add_frame({"action": 2.0})
        writer.save_episode()
    assert content(tmp_path / "r")["data"]["action"].tolist() == [1, 2]


GOOD_FACTS = episode(0)[1]
WRONG_FACTS = [
    (
        without(GOOD_FACTS, "seed"),
        "episode 0 came with facts category, mass_n, success; expected category, mass_n, seed",
    ),
    (GOOD_FACTS | {"size": 1}, "came with facts .*size.*; expected"),
    (GOOD_FACTS | {"seed": 0.5}, "fact 'seed' is 0.5; expected int64"),
    (GOOD_FACTS | {"seed": True}, "fact 'seed' is True; expected int64"),
    (GOOD_FACTS | {"seed": 2**63}, "expected int64"),
    (GOOD_FACTS | {"mass_n": float("inf")}, "fact 'mass_n' is inf; expected a finite float64"),
    (GOOD_FACTS | {"category": 3}, "fact 'category' is 3; expected string"),
    (GOOD_FACTS | {"success": 1}, "fact 'success' is 1; expected bool"),
]


@pytest.mark.parametrize(("facts", "message"), WRONG_FACTS)
def test_wrong_facts_are_refused_and_the_frames_kept(tmp_path, facts, message):
    frames, good, task = episode(0)
    with new_writer(tmp_path / "r") as writer:
        for t in range(len(frames["action"])):
            writer.add_frame({name: values[t] for name, values in frames.items()})
        with pytest.raises(HandsightError, match=message):
            writer.save_episode(facts, task)
        writer.save_episode(good, task)
    assert_holds(tmp_path / "r", 1)


def test_numpy_scalars_are_facts(tmp_path):
    frames, facts, task = episode(1)
    facts = {
        "seed": np.int32(1),
        "mass_n": np.float64(1 / 7),
        "category": np.str_("mug"),
        "success": np.bool_(False),
    }
    with new_writer(tmp_path / "r") as writer:
        writer.add_episode(*episode(0))
        writer.add_episode(frames, facts, task)
    assert_holds(tmp_path / "r", 2)


def test_a_split_has_three_names(tmp_path):
    with (
        Writer(tmp_path / "r", {"action": Feature("float32", (1,))}, 10, facts={"split": "string"}) as writer,
        pytest.raises(HandsightError, match="fact 'split' is 'val'; expected train, validation, test"),
    ):
        writer.add_episode({"action": [1.0]}, {"split": "val"})


ONE = {"action": Feature("float32", (1,))}
WRONG_DECLARATIONS = [
    ({}, {}, "at least one stream"),
    ({"a/b": Feature("float32", (1,))}, {}, "cannot be called 'a/b'"),
    ({"..": Feature("float32", (1,))}, {}, r"cannot be called '\.\.'"),
    ({"index": Feature("float32", (1,))}, {}, "cannot be called 'index'"),
    ({"a": Feature("complex64", (1,))}, {}, "dtype 'complex64'; it can be image, video"),
    ({"a": Feature("float32", ())}, {}, r"shape \(\); a single value is \(1,\)"),
    ({"a": Feature("string", (2,))}, {}, r"a string has shape \(1,\)"),
    ({"a": camera(15, 16, video=True)}, {}, "15 × 16; both must be even"),
    (ONE, {"a": "int32"}, "fact 'a' has type 'int32'; it can be int64"),
    (ONE, {"length": "int64"}, "a fact cannot be called 'length'"),
    (ONE, {"stats/x": "int64"}, "a fact cannot be called 'stats/x'"),
]


@pytest.mark.parametrize(("features", "facts", "message"), WRONG_DECLARATIONS)
def test_wrong_declarations_are_refused_before_anything_is_written(tmp_path, features, facts, message):
    with pytest.raises(HandsightError, match=message):
        Writer(tmp_path / "r", features, 10, facts=facts)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_fps_is_above_zero(tmp_path, fps):
    with pytest.raises(HandsightError, match=r"it must be (above zero|from 0.0001 to 1e\+06)"):
        Writer(tmp_path / "r", ONE, fps)


CHANGES = [
    (
        {"features": FEATURES | {"action": Feature("float32", (4,))}},
        r"stream 'action' .*\"shape\": \[3\].*, not .*\[4\]",
    ),
    ({"features": without(FEATURES, "label")}, "stream 'label'"),
    ({"features": FEATURES | {"gaze": Feature("float32", (2,))}}, "stream 'gaze'"),
    (
        {
            "features": FEATURES
            | {
                "action": Feature(
                    "float32", (3,), ("x", "y", "z"), moves="sides", between="difference", unit="m"
                )
            }
        },
        '"moves": "nothing".*, not .*"sides"',
    ),
    ({"fps": 25}, "fps 30, not 25"),
    ({"world": {"name": "room"}}, 'world .*"table".*, not .*"room"'),
    ({"facts": {"seed": "int64"}}, "facts"),
    ({"robot_type": "arm"}, 'robot_type null, not "arm"'),
    ({"codec": "libsvtav1"}, '"video.codec": "h264".*"av1"'),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_going_on_differently_is_refused(tmp_path, change, message):
    root = write(tmp_path / "r", 2)
    same = {
        "features": FEATURES,
        "fps": 30,
        "facts": FACTS,
        "world": {"name": "table", "objects": [1, 2]},
        "codec": "libx264",
    }
    options = same | change
    with pytest.raises(HandsightError, match="goes on only as it began: it has .*" + message):
        Writer(root, options.pop("features"), options.pop("fps"), **options)
    assert_holds(root, 2)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        HandsightError, match=r"holds notes\.txt and no meta/info\.json; give a new or empty folder"
    ):
        new_writer(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(HandsightError, match="is a file; give a folder"):
        new_writer(tmp_path / "notes.txt")


def test_a_recording_of_others_is_not_added_to(tmp_path):
    root = write(tmp_path / "r", 1)
    info = json.loads((root / "meta/info.json").read_text())
    del info["handsight"]
    (root / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(HandsightError, match="was not written by Handsight"):
        new_writer(root)


def test_one_writer_at_a_time(tmp_path):
    with (
        new_writer(tmp_path / "r"),
        pytest.raises(HandsightError, match="being written to by another writer"),
    ):
        new_writer(tmp_path / "r")
    new_writer(tmp_path / "r").close()


def test_a_closed_writer_says_so(tmp_path):
    writer = new_writer(tmp_path / "r")
    writer.close()
    writer.close()
    with pytest.raises(HandsightError, match="is closed or was interrupted; open a new one to go on"):
        writer.add_episode(*episode(0))
    with pytest.raises(HandsightError, match="is closed"):
        writer.discard_episode()


def test_empty_episodes_are_refused(tmp_path):
    with new_writer(tmp_path / "r") as writer:
        with pytest.raises(HandsightError, match="episode 0 has no frames"):
            writer.save_episode(GOOD_FACTS)
        with pytest.raises(HandsightError, match="episode 0 has no frames"):
            writer.add_episode({name: values[:0] for name, values in FRAMES.items()}, GOOD_FACTS)
        writer.add_frame({name: values[0] for name, values in FRAMES.items()})
        with pytest.raises(HandsightError, match="an episode is under way"):
            writer.add_episode(*episode(0))


def test_a_full_disk_is_one_line_and_keeps_what_was_saved(tmp_path, monkeypatch):
    writer = new_writer(tmp_path / "r")
    writer.add_episode(*episode(0))
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(durable.os, "replace", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(
        HandsightError, match=r"closing failed: the disk is full; free some space .*saved episodes are kept"
    ):
        writer.close()
    monkeypatch.undo()
    write(tmp_path / "r", 2)
    assert_holds(tmp_path / "r", 2)


def test_warnings_stay_silent(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / "r", 1)
