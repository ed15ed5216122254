"""What a repair mends, what it keeps, and that nothing is lost by it, even where it is killed."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings_samples import content, episode, new_writer, write
from recordings_wild import wild

from handsight.cli import run
from handsight.errors import HandsightError
from handsight.recordings import Recording, Repaired, check, journal, repair, shards
from handsight.recordings.features import Feature, camera
from handsight.recordings.repair import mend, plan
from handsight.recordings.writer import Writer

INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
LATER_EPISODES = "meta/episodes/chunk-000/file-001.parquet"
VIDEOS = "videos/observation.images.head/chunk-000"
FROM = "videos/observation.images.head/from_timestamp"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Six episodes in several data files, two videos and two files of meta/episodes; not to be changed."""
    root = tmp_path_factory.mktemp("r") / "r"
    write(root, 4, data_files_size_in_mb=0.01)
    return write(root, 6, data_files_size_in_mb=0.01)


@pytest.fixture
def copy(root, tmp_path):
    return Path(shutil.copytree(root, tmp_path / "copy"))


def assert_is(root, numbers):
    """Assert that a recording is just these episodes, read with pyarrow and PyAV alone, and checks clean."""
    there = content(root)
    rows, data = there["episodes"], there["data"]
    expected = [episode(number)[0] for number in numbers]
    lengths = [len(frames["action"]) for frames in expected]
    assert rows["episode_index"].tolist() == list(range(len(numbers)))
    assert rows["length"].tolist() == lengths
    assert data["index"].tolist() == list(range(sum(lengths)))
    assert data["episode_index"].tolist() == np.repeat(np.arange(len(numbers)), lengths).tolist()
    for name in ("action", "count", "label"):
        values = np.concatenate([frames[name] for frames in expected])
        np.testing.assert_array_equal(np.stack(data[name].to_list()), values)
    words = there["tasks"].reset_index().set_index("task_index")["task"]
    assert [words[i] for i in data["task_index"]] == np.repeat(
        [episode(number)[2] for number in numbers], lengths
    ).tolist()
    for name, frames in there["videos"].items():
        levels = np.concatenate([one[name] for one in expected]).astype(int)
        assert abs(np.stack(frames).astype(int) - levels).max() <= 4
    info = there["info"]
    assert (info["total_episodes"], info["total_frames"]) == (len(numbers), sum(lengths))
    assert json.loads((root / STATS).read_text())["action"]["count"] == [sum(lengths)]
    assert check(root, thorough=True) == []


def truncate(path, keep=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])


def edit_info(root, **changes):
    info = json.loads((root / INFO).read_text()) | changes
    (root / INFO).write_text(json.dumps({key: value for key, value in info.items() if value is not ...}))


def edit_column(path, name, edit):
    table = pq.read_table(path)
    values = pa.array(edit(table.column(name).to_pylist()), table.schema.field(name).type)
    pq.write_table(table.set_column(table.column_names.index(name), name, values), path)


def set_at(place, value):
    return lambda values: [*values[:place], value, *values[place + 1 :]]


def data(number):
    return f"data/chunk-000/file-{number:03d}.parquet"


def swap(one, other):
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def drop_column(path, name):
    pq.write_table(pq.read_table(path).drop_columns([name]), path)


def append(path, content):
    path.write_bytes(path.read_bytes() + content)


ALL = list(range(6))
DAMAGE = [
    (lambda r: (r / data(1)).unlink(), [0, 1, 3, 4, 5], "episode 2 left out: there are no data of them"),
    (
        lambda r: truncate(r / data(0)),
        [2, 3, 4, 5],
        "episodes 0 to 1 left out: .*file-000.parquet cannot be read",
    ),
    (lambda r: append(r / data(0), b"\0" * 4096), ALL, "bytes followed it that are not its own"),
    (
        lambda r: truncate(r / VIDEOS / "file-001.mp4"),
        [0, 1, 2, 3],
        "episodes 4 to 5 left out: not all of its frames",
    ),
    (
        lambda r: edit_column(r / data(1), "action", set_at(2, None)),
        [0, 1, 3, 4, 5],
        "episode 2 left out: .*missing values",
    ),
    (
        lambda r: edit_column(
            r / data(1), "observation.images.hand", set_at(0, {"bytes": b"no", "path": ""})
        ),
        [0, 1, 3, 4, 5],
        "episode 2 left out: .* is no picture",
    ),
    (lambda r: swap(r / data(0), r / data(2)), ALL, "comes here in the episodes' order: written anew"),
    (
        lambda r: edit_column(r / data(1), "index", set_at(2, 99)),
        ALL,
        "index was wrong or missing: written anew",
    ),
    (
        lambda r: edit_column(r / data(1), "episode_index", set_at(2, 9)),
        ALL,
        "episode_index was wrong or missing",
    ),
    (
        lambda r: edit_column(r / data(1), "timestamp", set_at(2, 9.0)),
        ALL,
        "timestamp was not frame_index / fps",
    ),
    (lambda r: edit_column(r / data(1), "task_index", set_at(2, 9)), ALL, "task_index was wrong or missing"),
    (lambda r: drop_column(r / data(1), "frame_index"), ALL, "frame_index was wrong or missing"),
    (lambda r: edit_info(r, total_episodes=4, total_frames=14), ALL, "'total_episodes' was 4: now 6"),
    (lambda r: edit_info(r, total_episodes=9, total_frames=99), ALL, "'total_frames' was 99: now 19"),
    (lambda r: edit_info(r, total_tasks=9), ALL, "'total_tasks' was 9: now 3"),
    (
        lambda r: edit_info(r, splits={"train": "0:77"}),
        ALL,
        "'splits' were not those of 6 episodes: now {'train': '0:6'}",
    ),
    (lambda r: edit_info(r, fps=29), ALL, "'fps' was 29: now 30, as the files are"),
    (lambda r: edit_info(r, fps=...), ALL, "it lacks 'fps': now 30, as the files are"),
    (lambda r: edit_info(r, data_path="{chunk_index.__class__}"), ALL, "'data_path' is .*: now data/chunk-"),
    (
        lambda r: edit_info(r, video_path="../{video_key}/{file_index}"),
        ALL,
        "'video_path' is .*: now videos/",
    ),
    (
        lambda r: edit_info(r, data_path="data/{chunk_index}/{file_index}"),
        ALL,
        "where not everything is: now data/chunk-",
    ),
    (lambda r: edit_info(r, codebase_version=...), ALL, "'codebase_version' was None: now v3.0"),
    (lambda r: (r / INFO).unlink(), ALL, "it was missing.* made anew from the files"),
    (lambda r: truncate(r / INFO), ALL, "could not be read .* made anew from the files"),
    (
        lambda r: (r / STATS).unlink(),
        ALL,
        r"figures of 11 streams taken again \('observation.images.hand' has no",
    ),
    (lambda r: truncate(r / STATS), ALL, "figures of 11 streams taken again"),
    (lambda r: (r / TASKS).unlink(), ALL, "made anew from meta/episodes and the data"),
    (lambda r: truncate(r / TASKS), ALL, "made anew from meta/episodes and the data"),
    (lambda r: truncate(r / EPISODES), [4, 5], "episodes 0 to 3 left out: its fact 'seed' is lost"),
    (
        lambda r: edit_column(r / EPISODES, "episode_index", lambda v: v[::-1]),
        ALL,
        "corrected: episode_index",
    ),
    (lambda r: edit_column(r / EPISODES, "length", lambda v: [1] * 4), ALL, "corrected: length"),
    (lambda r: drop_column(r / EPISODES, "data/file_index"), ALL, "corrected: data/file_index"),
    (lambda r: edit_column(r / EPISODES, FROM, lambda v: [s + 0.012 for s in v]), ALL, f"corrected: {FROM}"),
    (lambda r: edit_column(r / EPISODES, FROM, lambda v: [7.0] * 4), ALL, f"corrected: {FROM}"),
    (lambda r: drop_column(r / EPISODES, FROM), ALL, f"corrected: {FROM}"),
    (lambda r: (r / f"{data(7)}.partial").touch(), ALL, "partial: no episode uses it: put aside"),
    (lambda r: shutil.copy(r / data(0), r / data(7)), ALL, "file-007.parquet: no episode uses it: put aside"),
]


@pytest.mark.parametrize(("damage", "kept", "said"), DAMAGE)
def test_what_is_damaged_is_mended_or_left_out(copy, damage, kept, said):
    damage(copy)
    before = contents(copy)
    done = repair(copy, thorough=True)
    assert_is(copy, kept)
    assert "\n" not in "".join(map(str, done.repairs))
    assert [one for one in done.repairs if re.search(said, str(one))], list(map(str, done.repairs))
    assert before <= contents(copy)  # what was replaced is kept
    assert repair(copy, thorough=True) == Repaired((), None)


def contents(root):
    return {path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_whole_recording_is_left_as_it_is(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert repair(root, thorough=True) == Repaired((), None)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_camera_of_which_nothing_is_left_is_given_up_while_another_is_whole(copy):
    shutil.rmtree(copy / "videos")
    said = [one.what for one in repair(copy).repairs]
    assert "nothing of 'observation.images.head' can be read: no longer declared; the rest stays" in said
    assert Recording(copy).cameras == ("observation.images.hand",)
    assert_is(copy, ALL)


def test_facts_that_are_lost_everywhere_are_no_longer_declared(tmp_path):
    root = write(tmp_path / "r", 3)
    truncate(root / EPISODES)
    said = [one.what for one in repair(root).repairs]
    assert [what for what in said if "fact" in what] == [
        f"fact {name!r} is lost: no longer declared" for name in ("seed", "mass_n", "category", "success")
    ]
    assert dict(Recording(root).facts) == {}
    assert_is(root, [0, 1, 2])


def test_figures_that_cannot_be_are_taken_again(copy):
    stats = json.loads((copy / STATS).read_text())
    right = stats["observation.images.head"]["std"]
    stats["observation.images.head"]["std"] = [[[0.0]]] * 3
    (copy / STATS).write_text(json.dumps(stats))
    assert [problem.what for problem in check(copy)] == [
        "'observation.images.head' differs between frames, and its deviation is zero"
    ]
    repair(copy)
    assert check(copy) == []
    np.testing.assert_allclose(
        json.loads((copy / STATS).read_text())["observation.images.head"]["std"], right
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_cannot_be_mended_is_left_and_said(copy, value, capsys):
    edit_column(copy / data(1), "action", set_at(2, [0, value, 0]))
    before = contents(copy)
    assert run(["check", str(copy), "--repair"]) == 2
    out, err = capsys.readouterr()
    assert f"stream 'action' is {value} at frame 7" in out
    assert err == f"handsight: {copy} has 1 error left that cannot be mended; see above what to do\n"
    assert contents(copy) == before


def test_the_command_says_what_it_mended_and_where_the_rest_is(copy, capsys):
    (copy / data(1)).unlink()
    assert run(["check", str(copy)]) == 2
    assert "or mend it with --repair" in capsys.readouterr().out
    assert run(["check", str(copy), "--repair", "--thorough"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mended: meta/episodes: episode 2 left out: there are no data of them"
    assert lines[-2:] == [f"what was replaced is kept in {copy}/repair-backup-1", f"{copy} is whole"]
    assert (
        "mended: meta/info.json: 'total_episodes' was 6: now 5"
        in (copy / "repair-backup-1/mended.txt").read_text()
    )


def foreign(root):
    """Return a recording of another program, with an episode whose last rows are gone."""
    wild(root)
    table = pq.read_table(root / data(0))
    pq.write_table(table.slice(0, 10), root / data(0))
    return root


def test_a_recording_of_another_program_keeps_what_is_its_own(tmp_path):
    root = foreign(tmp_path / "r")
    before = pd.read_parquet(root / EPISODES)
    repair(root, thorough=True)
    info = json.loads((root / INFO).read_text())
    assert (info["uploader"], info["robot_type"], info["total_frames"]) == ("somebody", "arm", 10)
    assert "handsight" not in info
    after = pd.read_parquet(root / EPISODES)
    assert list(after.columns)[: len(before.columns)] == list(before.columns)
    assert after["operator"].tolist() == before["operator"].tolist()
    assert after["length"].tolist() == [
        4,
        3,
        3,
    ]  # the rows that are left of the last go with its first frames
    recording = Recording(root)
    assert recording.stream("note").tolist() == [f"n{i}" for i in range(10)]
    assert [problem.severity for problem in check(root, thorough=True)] == [
        "warning"
    ]  # a fact with gaps, as before


def test_splits_of_another_program_follow_its_episodes(tmp_path):
    wild(tmp_path / "r")
    edit_info(tmp_path / "r", splits={"train": "0:2", "val": "2:3"})
    edit_column(tmp_path / "r" / data(0), "actions", set_at(0, None))
    repair(tmp_path / "r")
    assert json.loads((tmp_path / "r" / INFO).read_text())["splits"] == {"train": "0:1", "val": "1:2"}
    assert Recording(tmp_path / "r").facts["operator"].tolist() == ["", "bo"]


def killed_writer(root):
    """Return a recording with three sealed episodes and four in the journal of a writer that is gone."""
    write(root, 3)
    writer = new_writer(root)
    for index in range(3, 7):
        writer.add_episode(*episode(index))
    writer._journal.close()
    writer._lock.release()
    return root


def journal_video(root, number):
    return root / f"journal/videos/observation.images.head/episode-{number:06d}.mp4"


def zero(path, word, count):
    content = bytearray(path.read_bytes())
    place = content.find(word)
    content[place : place + count] = bytes(count)
    path.write_bytes(content)


JOURNALS = [
    (lambda r: None, [*ALL, 6]),
    (lambda r: journal_video(r, 4).unlink(), [0, 1, 2, 3, 5, 6]),
    (
        lambda r: journal_video(r, 5).write_bytes(bytes(journal_video(r, 5).stat().st_size)),
        [0, 1, 2, 3, 4, 6],
    ),
    (lambda r: zero(r / "journal/episodes.arrow", b'{"episode": 5', 40), [0, 1, 2, 3, 4, 6]),
    (lambda r: truncate(r / "journal/episodes.arrow", 0.9), [0, 1, 2, 3, 4, 5]),
    (lambda r: (r / "journal/episodes.arrow").write_bytes(b"?"), [0, 1, 2]),
    (lambda r: truncate(r / data(0)), [3, 4, 5, 6]),
    (lambda r: truncate(r / EPISODES), [3, 4, 5, 6]),
    (lambda r: edit_info(r, total_episodes=2, total_frames=5), [*ALL, 6]),
    (lambda r: (r / ".writer.lock").touch(), [*ALL, 6]),
]


@pytest.mark.parametrize(("damage", "kept"), JOURNALS)
def test_the_whole_episodes_of_a_journal_are_kept(tmp_path, damage, kept):
    root = killed_writer(tmp_path / "r")
    damage(root)
    repair(root, thorough=True)
    assert_is(root, kept)
    assert not (root / "journal").exists()


def test_a_folder_where_the_journals_episodes_will_be_sealed_is_put_aside(tmp_path):
    root = killed_writer(tmp_path / "r")
    for place in (LATER_EPISODES, "data/chunk-000/file-001.parquet", f"{VIDEOS}/file-001.mp4"):
        (root / place).mkdir(parents=True, exist_ok=True)
    repairs = repair(root).repairs
    assert "was a folder: put aside" in " ".join(map(str, repairs))
    assert_is(root, [*ALL, 6])


def test_shards_that_were_never_counted_are_counted(tmp_path):
    root = killed_writer(tmp_path / "r")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "write_json", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            shards.seal(root)
    shutil.rmtree(root / "journal")
    repair(root)
    assert_is(root, [*ALL, 6])


def test_a_world_does_not_go_on_where_its_numbers_have_moved(tmp_path):
    root = write(tmp_path / "r", 6, data_files_size_in_mb=0.01)
    (root / data(1)).unlink()
    repair(root)
    with pytest.raises(
        HandsightError, match="lost episodes in a repair, and its world makes each by its number"
    ):
        new_writer(root)
    with Writer(
        tmp_path / "robot", {"a": Feature("float32", (1,))}, 10, data_files_size_in_mb=0.0001
    ) as writer:
        for _ in range(3):
            writer.add_episode({"a": [0.0, 1.0]})
    (tmp_path / "robot" / data(1)).unlink()
    repair(tmp_path / "robot")
    with Writer(tmp_path / "robot", {"a": Feature("float32", (1,))}, 10) as writer:
        assert writer.add_episode({"a": [2.0]}) == 2
    assert check(tmp_path / "robot") == []


class Killed(BaseException):
    """Stands for a kill: nothing in the repair handles it."""


def steps_of_a_repair(monkeypatch, at, error=Killed):
    """Count what a repair does to the disk, and fail at one of it and from there on; return the counter."""
    done = []

    def counted(function):
        def step(*arguments, **options):
            if 0 <= at <= len(done):
                raise error
            done.append(function.__name__)
            return function(*arguments, **options)

        return step

    for module, name in (
        (plan.os, "replace"),
        (plan, "synchronise"),
        (plan, "write_json"),
        (plan.shutil, "rmtree"),
        (pq, "write_table"),
        (Path, "unlink"),
        (Path, "mkdir"),
        (mend, "seal"),
        (mend, "write_tasks"),
        (journal, "remove"),
    ):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return done


def thoroughly_damaged(root):
    """Return a recording that needs everything: a lost shard, wrong counts, no tasks, a damaged journal."""
    write(root, 3, data_files_size_in_mb=0.01)
    writer = new_writer(root, data_files_size_in_mb=0.01)
    for index in range(3, 7):
        writer.add_episode(*episode(index))
    writer._journal.close()
    writer._lock.release()
    truncate(root / data(0))
    (root / TASKS).unlink()
    edit_info(root, total_frames=1)
    journal_video(root, 4).unlink()
    return root


def test_a_repair_that_is_killed_is_finished_by_the_next(tmp_path):
    damaged = thoroughly_damaged(tmp_path / "damaged")
    whole = Path(shutil.copytree(damaged, tmp_path / "whole"))
    with pytest.MonkeyPatch.context() as patch:
        steps = steps_of_a_repair(patch, -1)
        repair(whole)
    kept = [2, 3, 5, 6]
    assert_is(whole, kept)
    assert len(steps) > 40
    for at in range(0, len(steps), len(steps) // 16):
        root = Path(shutil.copytree(damaged, tmp_path / f"at-{at}"))
        with pytest.MonkeyPatch.context() as patch:
            steps_of_a_repair(patch, at)
            with pytest.raises(Killed):
                repair(root)
        if not (root / INFO).exists():
            with pytest.raises(
                HandsightError, match=r"is under repair; to finish it: handsight check .* --repair$"
            ):
                Recording(root)
        repair(root)
        assert_is(root, kept)
        assert {(damaged / place).read_bytes() for place in (data(0), INFO)} <= contents(root)
        shutil.rmtree(root)


def test_a_full_disk_changes_nothing(tmp_path):
    damaged = thoroughly_damaged(tmp_path / "r")
    before = contents(damaged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pq, "write_table", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        with pytest.raises(
            HandsightError, match="repairing failed: the disk is full; free some space and run again"
        ):
            repair(damaged)
    assert contents(damaged) == before - {b""}  # the killed writer's lock
    assert not list(damaged.glob("repair-backup-*"))


REFUSED = [
    (lambda r: shutil.rmtree(r), "does not exist or is no folder"),
    (
        lambda r: edit_info(r, codebase_version="v2.1"),
        r"is a LeRobotDataset of version 'v2\.1'; only v3\.0 can be",
    ),
    (lambda r: shutil.rmtree(r / "data"), "no episode is whole .its data are gone.: nothing was changed"),
    (
        lambda r: [shutil.rmtree(p) for p in r.iterdir()],
        "does not say the frames per second, and neither do the files",
    ),
]


@pytest.mark.parametrize(("damage", "message"), REFUSED)
def test_what_no_repair_can_help_is_said_and_nothing_is_changed(copy, damage, message):
    damage(copy)
    before = contents(copy)
    with pytest.raises(HandsightError, match=message) as caught:
        repair(copy)
    assert "\n" not in str(caught.value)
    assert contents(copy) == before


def test_a_recording_that_is_being_written_is_left_alone(tmp_path):
    with new_writer(tmp_path / "r") as writer:
        writer.add_episode(*episode(0))
        with pytest.raises(HandsightError, match="is being written to by another writer"):
            repair(tmp_path / "r")


def test_the_only_camera_is_not_given_up(tmp_path):
    with Writer(
        tmp_path / "r",
        {"image": camera(16, 16, video=True), "a": Feature("float32", (1,))},
        10,
        codec="libx264",
    ) as writer:
        writer.add_episode({"image": np.zeros((3, 16, 16, 3), np.uint8), "a": [1.0, 2.0, 3.0]})
    truncate(tmp_path / "r/videos/image/chunk-000/file-000.mp4")
    assert repair(tmp_path / "r").repairs == ()
    assert Recording(tmp_path / "r").stream("a")[:, 0].tolist() == [1, 2, 3]
    assert {problem.where for problem in check(tmp_path / "r")} == {"videos/image/chunk-000/file-000.mp4"}
