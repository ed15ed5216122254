"""What `check` finds, and that no damage whatever makes it or `Recording` fail otherwise than in one line."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings_samples import episode, new_writer, write

from handsight.errors import HandsightError
from handsight.recordings.check import check
from handsight.recordings.features import Feature
from handsight.recordings.recording import Recording
from handsight.recordings.writer import Writer

DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
HEAD = "videos/observation.images.head/chunk-000/file-000.mp4"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five episodes; not to be changed."""
    return write(tmp_path_factory.mktemp("r") / "r", 5)


@pytest.fixture
def copy(root, tmp_path):
    return Path(shutil.copytree(root, tmp_path / "copy"))


def test_a_clean_recording_has_no_problems(root):
    assert check(root) == []
    assert check(root, thorough=True) == []


def test_a_recording_of_several_files_has_no_problems(tmp_path):
    assert check(write(tmp_path / "r", 8, data_files_size_in_mb=0.01, journal_size_in_mb=0.03)) == []


def test_a_folder_of_something_else_is_not_to_be_repaired(tmp_path):
    (only,) = check(tmp_path)
    assert "is not a recording" in only.what
    assert only.remedy.startswith("give the folder of a recording, as `handsight collect`")


def test_checking_changes_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    check(root, thorough=True)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def edit_info(root, **changes):
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps(info | changes))


def edit_feature(root, name, **changes):
    info = json.loads((root / "meta/info.json").read_text())
    info["features"][name] |= changes
    (root / "meta/info.json").write_text(json.dumps(info))


def edit_column(path, name, values):
    table = pq.read_table(path)
    column = pa.array(values, table.schema.field(name).type)
    pq.write_table(table.set_column(table.column_names.index(name), name, column), path, row_group_size=10**6)


def edited(name, place, value):
    """Return a mutation that puts a value into a column of the data file."""

    def mutate(root):
        values = pq.read_table(root / DATA).column(name).to_pylist()
        values[place] = value
        edit_column(root / DATA, name, values)

    return mutate


def without_column(path, name):
    pq.write_table(pq.read_table(path).drop_columns([name]), path)


def truncate(path, keep=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])


def blank_frames(root):
    """Zero what the video file holds between its first and its last box: the coded frames themselves."""
    content = bytearray((root / HEAD).read_bytes())
    start = content.find(b"mdat") + 4
    size = int.from_bytes(content[start - 8 : start - 4], "big") - 8
    content[start : start + size] = bytes(size)
    (root / HEAD).write_bytes(content)


PROBLEMS = [
    (lambda r: truncate(r / "meta/info.json"), "error", "meta/info.json", "cannot be read"),
    (lambda r: (r / "meta/info.json").unlink(), "error", "meta/info.json", "is not a recording"),
    (lambda r: edit_info(r, codebase_version="v2.1"), "error", "meta/info.json", "is a LeRobotDataset v2.1"),
    (lambda r: edit_info(r, total_episodes=0), "warning", "meta/info.json", "has no episodes"),
    (
        lambda r: edit_info(r, total_tasks=9),
        "warning",
        "meta/tasks.parquet",
        "holds 3 tasks; meta/info.json counts 9",
    ),
    (
        lambda r: edit_feature(r, "action", dtype="complex64"),
        "warning",
        "meta/info.json",
        "stream 'action' cannot be used",
    ),
    (lambda r: edit_feature(r, "action", shape=[4]), "error", DATA, "column 'action'.*says shape"),
    (
        lambda r: edit_feature(r, "observation.images.head", shape=[30, 48, 3]),
        "error",
        HEAD,
        "is 32 × 48; .* says 30 × 48",
    ),
    (
        lambda r: edit_feature(r, "observation.images.hand", shape=[8, 8, 3]),
        "error",
        DATA,
        r"is \(16, 24, 3\); expected \(8, 8, 3\)",
    ),
    (
        lambda r: edit_feature(r, "observation.images.head", info={"video.codec": "av1"}),
        "warning",
        HEAD,
        "is h264; meta/info.json says av1",
    ),
    (lambda r: truncate(r / EPISODES), "error", "meta/episodes", "cannot be read"),
    (
        lambda r: edit_column(r / EPISODES, "episode_index", [1, 0, 2, 3, 4]),
        "error",
        "meta/episodes",
        "row i is not episode i",
    ),
    (lambda r: edit_column(r / EPISODES, "length", [1] * 5), "error", "meta/episodes", "add up to 5 frames"),
    (lambda r: without_column(r / EPISODES, "seed"), "error", "meta/episodes", "lacks the fact 'seed'"),
    (
        lambda r: edit_column(r / EPISODES, "mass_n", [np.nan] * 5),
        "warning",
        "meta/episodes",
        "fact 'mass_n' is not finite",
    ),
    (
        lambda r: edit_column(r / EPISODES, "tasks", [["dance"]] * 5),
        "error",
        "meta/tasks.parquet",
        "lacks the task 'dance'",
    ),
    (
        lambda r: (r / "meta/tasks.parquet").unlink(),
        "error",
        "meta/tasks.parquet",
        "tasks.parquet is missing",
    ),
    (
        lambda r: (r / "meta/stats.json").unlink(),
        "warning",
        "meta/stats.json",
        "missing: LeRobot cannot normalise",
    ),
    (lambda r: truncate(r / "meta/stats.json"), "warning", "meta/stats.json", "cannot be read"),
    (lambda r: (r / DATA).unlink(), "error", DATA, "is missing"),
    (lambda r: truncate(r / DATA), "error", DATA, "cannot be read"),
    (lambda r: without_column(r / DATA, "action"), "error", DATA, "column 'action' is missing"),
    (edited("action", 3, [0, np.nan, 0]), "error", DATA, "stream 'action' is nan at frame 3"),
    (edited("action", 3, None), "error", DATA, "column 'action' has missing values"),
    (edited("index", 3, 9), "error", DATA, "index is 9 at frame 3; expected 3"),
    (edited("frame_index", 3, 9), "error", DATA, "frame_index is 9 at frame 3; expected 1"),
    (edited("episode_index", 3, 9), "error", DATA, "episode_index is 9 at frame 3; expected 1"),
    (edited("timestamp", 3, 9.0), "error", DATA, "timestamp is 9.0 at frame 3; expected 0.03"),
    (edited("task_index", 3, 9), "error", DATA, "task_index is 9 at frame 3; there are 3 tasks"),
    (
        edited("observation.images.hand", 0, {"bytes": b"no", "path": ""}),
        "error",
        DATA,
        "of frame 0 is no picture",
    ),
    (lambda r: (r / HEAD).unlink(), "error", HEAD, "file-000.mp4 is missing"),
    (lambda r: truncate(r / HEAD), "error", HEAD, "cannot be read as a video"),
    (
        lambda r: shutil.copy(write(r.parent / "s", 2) / HEAD, r / HEAD),
        "error",
        HEAD,
        "episode 2 lacks 4 of its 4 frames",
    ),
    (blank_frames, "error", HEAD, "cannot be decoded at 0.000 s|has no frame at"),
    (
        lambda r: edit_column(
            r / EPISODES,
            "videos/observation.images.head/from_timestamp",
            np.array([0, 2, 5, 9, 14]) / 30 + 0.01,
        ),
        "warning",
        HEAD,
        "frames of episode 0 lie up to 0.0100 s off",
    ),
    (
        lambda r: (r / "data/chunk-000/file-009.parquet.partial").touch(),
        "warning",
        "data/chunk-000/file-009.parquet.partial",
        "never fin",
    ),
]


@pytest.mark.parametrize(("damage", "severity", "where", "what"), PROBLEMS)
def test_what_is_wrong_is_found(copy, damage, severity, where, what):
    damage(copy)
    problems = check(copy)
    found = [p for p in problems if p.where == where and p.severity == severity and re.search(what, p.what)]
    assert found, [str(problem) for problem in problems]
    assert found[0].remedy
    assert "\n" not in str(found[0])


def test_a_split_of_other_names_is_found(tmp_path):
    with Writer(tmp_path / "r", {"a": Feature("float32", (1,))}, 10, facts={"split": "string"}) as writer:
        writer.add_episode({"a": [0.0]}, {"split": "train"})
    edit_column(tmp_path / "r" / EPISODES, "split", ["val"])
    assert [problem.what for problem in check(tmp_path / "r")] == [
        "fact 'split' holds 'val'; expected train, validation, test"
    ]


def test_a_journal_is_found(tmp_path):
    with new_writer(tmp_path / "r") as writer:
        writer.add_episode(*episode(0))
        (found,) = [problem for problem in check(tmp_path / "r") if problem.where == "journal"]
        assert found.severity == "warning"
        assert found.what == "1 saved episodes are not sealed into shards yet"
    assert check(tmp_path / "r") == []


def test_no_folder_is_said(tmp_path):
    with pytest.raises(HandsightError, match="does not exist or is no folder"):
        check(tmp_path / "none")


def test_a_recording_in_the_wild(real_data):
    problems = check(real_data / "robot-teleop-lerobot-v3")
    assert {(problem.severity, problem.where.split("/")[0]) for problem in problems} == {
        ("warning", "meta"),
        ("warning", "videos"),
    }
    assert sum("is mpeg4; meta/info.json says h264" in problem.what for problem in problems) == 6


def places(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


MUTATIONS = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["delete", "truncate", "flip", "zero", "insert"]),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8),
)


@given(st.lists(MUTATIONS, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_damage_to_the_files_is_a_traceback(root, mutations):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(root, Path(folder) / "r"))
        for number, kind, where in mutations:
            files = places(copy)
            mutate_bytes(copy / files[number % len(files)], kind, where)
        assert_says_it_in_one_line(copy)


def mutate_bytes(path, kind, where):
    content = bytearray(path.read_bytes())
    if kind == "delete" or not content:
        path.unlink()
        return
    for place in where:
        at = int(place * len(content))
        if kind == "truncate":
            del content[at:]
            break
        if kind == "insert":
            content[at:at] = b"\xff\x00"
        else:
            content[at] = 0 if kind == "zero" else content[at] ^ (1 << int(place * 8) % 8)
    path.write_bytes(content)


def assert_says_it_in_one_line(root):
    messages = [str(problem) for problem in check(root)]
    try:
        read_everything(root)
    except HandsightError as error:
        messages.append(str(error))
    assert not [message for message in messages if "\n" in message]


def read_everything(root):
    recording = Recording(root)
    for name, feature in recording.features.items():
        if feature.is_camera:
            recording.frames(np.arange(recording.num_frames), name)
        else:
            recording.stream(name)
    recording.splits()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5), JSON, st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_info_is_a_traceback(root, path, value, remove):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(root, Path(folder) / "r"))
        info = json.loads((copy / "meta/info.json").read_text())
        place = info
        for number in path:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = keys[number % len(keys)]
            if isinstance(place[key], (dict, list)) and place[key] and number != path[-1]:
                place = place[key]
                continue
            if remove and isinstance(place, dict):
                del place[key]
            else:
                place[key] = value
            break
        (copy / "meta/info.json").write_text(json.dumps(info))
        assert_says_it_in_one_line(copy)


@given(st.integers(0, 200), st.sampled_from(["drop", "null", "text", "negative", "huge"]))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_table_of_episodes_is_a_traceback(root, number, kind):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(root, Path(folder) / "r"))
        frame = pd.read_parquet(copy / EPISODES)
        kept = [name for name in frame.columns if not name.startswith("stats/")]
        name = kept[number % len(kept)]
        if kind == "drop":
            frame = frame.drop(columns=name)
        else:
            value = {"null": None, "text": "?", "negative": -7, "huge": 2**62}[kind]
            column = frame[name].astype(object)
            column.iloc[number % 5] = value
            frame[name] = column if kind != "text" else [str(entry) for entry in column]
        try:
            frame.to_parquet(copy / EPISODES)
        except pa.ArrowException:
            return  # no such table can be
        assert_says_it_in_one_line(copy)
