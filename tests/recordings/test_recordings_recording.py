"""Reading recordings: ours, others', mapped, damaged."""

import json
import multiprocessing
import pickle
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings_samples import episode, write

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.recordings.recording import Recording
from handsight.recordings.writer import Writer


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Six episodes in several files; not to be changed."""
    return write(
        tmp_path_factory.mktemp("r") / "r", 6, data_files_size_in_mb=0.01, video_files_size_in_mb=0.004
    )


@pytest.fixture
def copy(root, tmp_path):
    return Path(shutil.copytree(root, tmp_path / "copy"))


def joined(name, count=6):
    return np.concatenate([episode(index)[0][name] for index in range(count)])


def test_streams_come_back_memory_mapped_and_read_only(root):
    recording = Recording(root)
    for name in ("action", "observation.grid", "next.done", "count"):
        stream = recording.stream(name)
        assert isinstance(stream, np.memmap)
        assert stream.dtype == recording.features[name].dtype
        assert stream.shape == (recording.num_frames, *recording.features[name].shape)
        np.testing.assert_array_equal(stream.reshape(joined(name).shape), joined(name))
        with pytest.raises(ValueError, match="read-only"):
            stream[0] = 0
    assert recording.stream("label").tolist() == joined("label").tolist()
    assert recording.stream("index")[:, 0].tolist() == list(range(recording.num_frames))


def test_frames_of_pictures_and_videos(root):
    recording = Recording(root)
    order = np.random.default_rng(0).integers(0, recording.num_frames, 40)
    pictures = recording.frames(order, "observation.images.hand")
    np.testing.assert_array_equal(pictures, joined("observation.images.hand")[order])
    videos = recording.frames(order, "observation.images.head")
    assert videos.dtype == np.uint8
    assert videos.shape == (40, 32, 48, 3)
    assert abs(videos.astype(int) - joined("observation.images.head")[order]).max() <= 4
    assert recording.frames([], "observation.images.hand").shape == (0, 16, 24, 3)


def test_scanning_equals_jumping(root):
    recording = Recording(root)
    for name in recording.cameras:
        for start in (0, 7):
            pieces = list(recording.scan(name, start=start))
            assert pieces[0][0] == start
            everything = np.concatenate([frames for _, frames in pieces])
            np.testing.assert_array_equal(
                everything, recording.frames(np.arange(start, recording.num_frames), name)
            )


def test_facts_tasks_and_splits(root):
    recording = Recording(root)
    assert recording.facts["seed"].tolist() == list(range(6))
    assert recording.facts["category"].tolist() == ["pan", "mug"] * 3
    assert recording.facts["success"].dtype == np.bool_
    assert set(recording.facts) == {"seed", "mass_n", "category", "success"}
    assert tuple(recording.tasks) == (("push",), ("poke",), ("",)) * 2
    assert set(recording.splits()) == {"train", "validation", "test"}
    assert (recording.name, recording.fps, recording.num_episodes) == ("r", 30.0, 6)
    assert np.diff(recording.episode_starts).tolist() == [2 + i % 4 for i in range(6)]
    assert recording.features["action"].between == "difference"


def test_a_split_that_is_recorded_is_used(tmp_path):
    wanted = ["test", "train", "validation", "train"]
    with Writer(tmp_path / "r", {"a": Feature("float32", (1,))}, 10, facts={"split": "string"}) as writer:
        for split in wanted:
            writer.add_episode({"a": [0.0]}, {"split": split})
    assert Recording(tmp_path / "r").splits().tolist() == wanted


def test_a_stream_can_have_another_name(root):
    recording = Recording(
        root, action="observation.grid", streams={"gaze": "count"}, images="observation.images.head"
    )
    assert recording.cameras == ("observation.images.head",)
    assert set(recording.features) == {"action", "gaze", "observation.images.head", "next.done", "label"}
    np.testing.assert_array_equal(recording.stream("action"), joined("observation.grid"))
    np.testing.assert_array_equal(recording.stream("gaze")[:, 0], joined("count"))
    assert recording.frames([0]).shape == (1, 32, 48, 3)


STREAMS = r"\(it has: action, observation.grid, next.done, count, label\)"
CAMERAS = r"\(it has: observation.images.hand, observation.images.head\)"
ABSENT = [
    (
        lambda r: Recording(r, action="actions"),
        rf"r has no stream 'actions' {STREAMS}. Say which to use: --action action$",
    ),
    (
        lambda r: Recording(r, images="head"),
        rf"no camera 'head' {CAMERAS}. Say which to use: --images observation.images.h",
    ),
    (
        lambda r: Recording(r, streams={"gaze": "xy"}),
        r"no stream 'xy' .*Say which to use: Recording\(…, streams=.'gaze'",
    ),
    (
        lambda r: Recording(r).stream("gaze"),
        rf"no stream 'gaze' {STREAMS}. Say which to use: Recording\(…, streams=.'gaze'",
    ),
    (lambda r: Recording(r).stream("observation.images.hand"), "is a camera; its pictures come from frames"),
    (
        lambda r: Recording(r).frames([0]),
        "has cameras observation.images.hand, observation.images.head; say which one",
    ),
    (lambda r: Recording(r).frames([0], "top"), rf"no camera 'top' {CAMERAS}"),
    (
        lambda r: Recording(r).frames([99], "observation.images.hand"),
        "frame 99 was asked for; .* has frames 0 to 18",
    ),
    (lambda r: Recording(r).frames([-1], "observation.images.hand"), "frame -1 was asked for"),
]


@pytest.mark.parametrize(("use", "message"), ABSENT)
def test_what_is_not_there_is_named_with_what_is(root, use, message):
    with pytest.raises(HandsightError, match=message):
        use(root)


def test_home_is_shown_as_its_owner_types_it(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    with pytest.raises(HandsightError, match=r"^~/r has no stream 'actions'"):
        Recording("~/r", action="actions")


def test_the_fingerprint_follows_the_content(copy):
    before = Recording(copy).fingerprint
    assert Recording(copy).fingerprint == before
    write(copy, 7)
    assert Recording(copy).fingerprint != before
    assert len(Recording(copy).stream("action")) == Recording(copy).num_frames


def test_a_recording_can_be_sent_to_another_process(root):
    recording = Recording(root, images="observation.images.head")
    before = recording.frames([3])
    again = pickle.loads(pickle.dumps(recording))
    np.testing.assert_array_equal(again.frames([3]), before)
    recording.close()
    np.testing.assert_array_equal(recording.frames([3]), before)


def _send(connection, recording):
    connection.send(recording.frames([5, 1]))
    connection.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_files_of_its_own(root):
    recording = Recording(root, images="observation.images.hand")
    expected = recording.frames([5, 1])
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_send, args=(theirs, recording))
    child.start()
    np.testing.assert_array_equal(ours.recv(), expected)
    child.join()
    np.testing.assert_array_equal(recording.frames([5, 1]), expected)


def edit_info(root, **changes):
    path = root / "meta/info.json"
    info = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in info.items() if value is not ...}))


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DATA, HEAD = "data/chunk-000/file-000.parquet", "videos/observation.images.head/chunk-000/file-000.mp4"
DAMAGE = [
    (lambda r: shutil.rmtree(r), "does not exist; give the folder of a recording, or user/name on the Hub"),
    (lambda r: shutil.rmtree(r / "meta"), "is not a recording: it has no meta/info.json"),
    (lambda r: truncate(r / "meta/info.json"), "info.json cannot be read .*restore it from a copy"),
    (lambda r: edit_info(r, fps=0), "'fps' is 0; it must be above zero"),
    (lambda r: edit_info(r, features=...), "it lacks 'features'"),
    (
        lambda r: edit_info(r, codebase_version="v2.1"),
        "is a LeRobotDataset v2.1; expected v3.0.* handsight ingest lerobot-v21 ",
    ),
    (lambda r: edit_info(r, codebase_version="v2.0"), "of version 'v2.0'; expected v3.0"),
    (lambda r: edit_info(r, codebase_version=...), "of version None; expected v3.0"),
    (lambda r: edit_info(r, total_episodes=0), "has no episodes yet; record some first"),
    (lambda r: edit_info(r, total_episodes=9), "meta/episodes has 6 episodes; meta/info.json counts 9"),
    (lambda r: edit_info(r, total_frames=9), "add up to 19 frames; meta/info.json counts 9"),
    (lambda r: shutil.rmtree(r / "meta/episodes"), "has no files in meta/episodes"),
    (lambda r: truncate(r / "meta/episodes/chunk-000/file-000.parquet"), "file-000.parquet cannot be read"),
    (lambda r: (r / DATA).unlink(), "data/chunk-000/file-000.parquet is missing; restore it"),
    (lambda r: truncate(r / DATA), "data/chunk-000/file-000.parquet cannot be read"),
    (
        lambda r: shutil.copy(r / "data/chunk-000/file-001.parquet", r / DATA),
        r"holds \d+ frames; meta/episodes counts \d+",
    ),
    (lambda r: (r / HEAD).unlink(), "file-000.mp4 is missing; restore it"),
    (lambda r: (r / HEAD).write_bytes(b""), "file-000.mp4 cannot be opened as a video"),
    (lambda r: shutil.copy(write(r.parent / "short", 1) / HEAD, r / HEAD), "file-000.mp4 has no frame at"),
]


def read_everything(root):
    recording = Recording(root)
    recording.stream("action")
    for name in recording.cameras:
        recording.frames(np.arange(recording.num_frames), name)


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_damage_is_one_clear_line(copy, damage, message):
    damage(copy)
    with pytest.raises(HandsightError, match=message) as caught:
        read_everything(copy)
    assert "\n" not in str(caught.value)


def test_a_column_that_does_not_fit_is_named(copy):
    info = json.loads((copy / "meta/info.json").read_text())
    info["features"]["action"]["shape"] = [4]
    info["features"]["other"] = {"dtype": "float32", "shape": [1], "names": None}
    (copy / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(
        HandsightError,
        match=r"column 'action' holds .* values in .* frames; meta/info.json says shape \(4,\)",
    ):
        Recording(copy).stream("action")
    with pytest.raises(HandsightError, match=r"column 'other' is missing; meta/info.json declares it"):
        Recording(copy).stream("other")


def foreign(root: Path) -> Path:
    """Write a recording as others do: plain lists, one row group, pictures beside, depth, sound."""
    lengths, fps = [4, 3], 10
    image = np.random.default_rng(0).integers(0, 255, (7, 8, 10, 3), dtype=np.uint8)
    (root / "frames").mkdir(parents=True)
    for i in range(7):
        av.VideoFrame.from_ndarray(image[i], format="rgb24").to_image().save(root / f"frames/{i}.png")
    columns = {
        "actions": pa.array([[float(i), float(-i)] for i in range(7)], pa.list_(pa.float64())),
        "still": pa.array([{"bytes": None, "path": f"frames/{i}.png"} for i in range(7)]),
        "depth": pa.array([0] * 7),
        "timestamp": pa.array([t / fps for n in lengths for t in range(n)], pa.float32()),
    }
    (root / "data/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(columns), root / "data/chunk-000/file-000.parquet")
    rows = {
        "episode_index": [0, 1],
        "tasks": [["x"], ["x"]],
        "length": lengths,
        "dataset_from_index": [0, 4],
        "dataset_to_index": [4, 7],
        "data/chunk_index": [0, 0],
        "data/file_index": [0, 0],
        "operator": ["ann", None],
    }
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(rows), root / "meta/episodes/chunk-000/file-000.parquet")
    features = {
        "actions": {"dtype": "float32", "shape": [2], "names": {"motors": ["a", "b"]}},
        "still": {"dtype": "image", "shape": [3, 8, 10], "names": ["channels", "height", "width"]},
        "depth": {"dtype": "video", "shape": [8, 10, 1], "names": None},
        "sound": {"dtype": "audio", "shape": [1], "names": None},
    }
    info = {
        "codebase_version": "v3.0",
        "fps": fps,
        "total_episodes": 2,
        "total_frames": 7,
        "features": features,
    }
    (root / "meta/info.json").write_text(json.dumps(info))
    return image


def test_recordings_of_others_open(tmp_path):
    image = foreign(tmp_path / "r")
    recording = Recording(tmp_path / "r", action="actions")
    assert recording.cameras == ("still",)
    assert recording.features["still"].shape == (8, 10, 3)
    np.testing.assert_array_equal(recording.frames([6, 2]), image[[6, 2]])
    assert recording.stream("action").dtype == np.float32
    assert recording.stream("action")[:, 1].tolist() == [-0.0, -1, -2, -3, -4, -5, -6]
    assert recording.facts["operator"].tolist() == ["ann", ""]
    with pytest.raises(
        HandsightError,
        match=r"no camera 'depth' \('depth' is no RGB camera but of shape \[8, 10, 1\]; it has: still",
    ):
        Recording(tmp_path / "r", images="depth")


def test_a_drifted_from_timestamp_still_finds_the_right_frame(copy):
    path = copy / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    name = "videos/observation.images.head/from_timestamp"
    drifted = pa.array(table.column(name).to_numpy() + 0.3 / 30)
    pq.write_table(table.set_column(table.column_names.index(name), name, drifted), path)
    videos = Recording(copy).frames(np.arange(19), "observation.images.head").astype(int)
    assert abs(videos - joined("observation.images.head")).max() <= 4


def test_a_real_recording(real_data):
    folder = real_data / "robot-teleop-lerobot-v3"
    recording = Recording(folder, action="actions", images="image")
    assert (recording.num_episodes, recording.num_frames, recording.fps) == (6, 2387, 30.0)
    table = pq.read_table(folder / "data/chunk-000/file-003.parquet")
    expected = np.array(table.column("actions").to_pylist(), np.float32)
    np.testing.assert_array_equal(recording.stream("action")[slice(*recording.episode_starts[3:5])], expected)
    with av.open(str(folder / "videos/image/chunk-000/file-003.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    first = int(recording.episode_starts[3])
    got = recording.frames([first + 400, first, first + 123])
    np.testing.assert_array_equal(got, np.stack([frames[400], frames[0], frames[123]]))
    with pytest.raises(
        HandsightError,
        match=r"no stream 'action' \(it has: actions, state\). Say which to use: --action actions$",
    ):
        Recording(folder).stream("action")
