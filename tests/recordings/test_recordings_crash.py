"""Kills and failures at any moment: what was saved is there once, and nothing else is."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from recordings_samples import assert_holds, content, episode, new_writer, write

from handsight.errors import HandsightError
from handsight.recordings import durable, journal, recovery, shards
from handsight.recordings.episode_rows import EpisodeRows
from handsight.recordings.recording import Recording
from handsight.recordings.recovery import recover

KILLER = """
import os, random, signal, sys, time
sys.path.insert(0, {here!r})
from recordings_samples import episode, new_writer
moments = random.Random(7)
for _ in range(8):
    ready, write_ready = os.pipe()
    child = os.fork()
    if child == 0:
        with new_writer({root!r}, journal_size_in_mb=0.02) as writer:
            os.write(write_ready, b"!")
            while True:
                os.write(1, b"%d\\n" % writer.add_episode(*episode(writer.next_episode)))
    os.read(ready, 1)
    time.sleep(moments.uniform(0.0, 0.3))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_kill_9_at_random_moments_loses_nothing(tmp_path):
    """Writers are killed, one after another, at random moments; what any of them announced must be there."""
    root = tmp_path / "r"
    source = KILLER.format(here=str(Path(__file__).parent), root=str(root))
    announced = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    ).stdout
    saved = [int(line) for line in announced.split()]
    assert len(saved) > 3  # of eight writers, on a busy machine
    assert saved == sorted(set(saved))  # no episode twice
    recording = Recording(root)
    assert recording.num_episodes in (saved[-1] + 1, saved[-1] + 2)  # killed between saving and announcing
    assert_holds(root, recording.num_episodes)
    write(root, recording.num_episodes + 2)
    assert_holds(root, recording.num_episodes + 2)


class Killed(BaseException):
    """Stands for a kill: nothing in the writer handles it."""


def steps_of_a_seal(monkeypatch, at: int, error=Killed):
    """Count what a seal does to the disk for good, and fail at one of it; return the counter."""
    done = []

    def counted(function):
        def step(*arguments, **options):
            if len(done) == at:
                done.append(None)
                raise error
            done.append(function.__name__)
            return function(*arguments, **options)

        return step

    for module, name in (
        (durable.os, "replace"),
        (durable, "synchronise"),
        (durable.os, "fsync"),
        (EpisodeRows, "table"),
        (journal.shutil, "rmtree"),
        (Path, "unlink"),
    ):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return done


def half_sealed(root):
    """Return a recording with three sealed episodes and four in the journal, of a writer that is gone."""
    write(root, 3)
    writer = new_writer(root)
    for index in range(3, 7):
        writer.add_episode(*episode(index))
    writer._journal.close()
    writer._lock.release()
    return root


def count_steps(tmp_path):
    root = half_sealed(tmp_path / "count")
    with pytest.MonkeyPatch.context() as patch:
        done = steps_of_a_seal(patch, -1)
        recover(root)
    return len(done)


def test_a_kill_between_any_two_steps_of_a_seal(tmp_path, monkeypatch):
    steps = count_steps(tmp_path)
    assert steps > 15
    killed = half_sealed(tmp_path / "killed")
    for at in range(steps):
        root = Path(shutil.copytree(killed, tmp_path / f"at-{at}"))
        with pytest.MonkeyPatch.context() as patch:
            steps_of_a_seal(patch, at)
            with pytest.raises(Killed):
                recover(root)
        assert Recording(root).num_episodes == 7
        assert_holds(root, 7)


@pytest.mark.parametrize("again", [0, 5, 9])
def test_a_kill_during_the_recovery_from_a_kill(tmp_path, again):
    root = half_sealed(tmp_path / "r")
    for at in (12, again, 15):
        with pytest.MonkeyPatch.context() as patch:
            steps_of_a_seal(patch, at)
            with pytest.raises(Killed):
                recover(root)
    write(root, 9)
    assert_holds(root, 9)


def test_an_interrupted_recording_equals_an_uninterrupted_one(tmp_path):
    whole = content(write(tmp_path / "whole", 7))
    parts = half_sealed(tmp_path / "parts")
    assert recover(parts) == 4
    parts = content(parts)
    assert parts["info"] == whole["info"]
    assert parts["tasks"].equals(whole["tasks"])
    for name in whole["data"]:
        assert str(parts["data"][name].tolist()) == str(whole["data"][name].tolist()), name
    np.testing.assert_array_equal(
        np.stack(parts["videos"]["observation.images.head"]),
        np.stack(whole["videos"]["observation.images.head"]),
    )


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("journal_size_in_mb", [0.02, 100])
def test_writers_that_go_on_after_kills_write_the_same_files(tmp_path, journal_size_in_mb):
    """Where shards end depends on the episodes alone, not on the moments of the kills."""
    whole = files(write(tmp_path / "whole", 14, journal_size_in_mb=journal_size_in_mb))
    root, tears = tmp_path / "killed", iter((0, 1, 700, 0, 40))
    for stop in (2, 3, 7, 8, 12):
        writer = new_writer(root, journal_size_in_mb=journal_size_in_mb)
        for index in range(writer.next_episode, stop):
            writer.add_episode(*episode(index))
        writer.add_frame({name: values[0] for name, values in episode(stop)[0].items()})  # never saved
        writer._lock.release()
        stream, tear = root / "journal/episodes.arrow", next(tears)
        if tear and stream.exists():
            with open(stream, "ab") as file:
                file.write(bytes(range(256)) * 3)
                file.truncate(file.tell() - tear)
    assert files(write(root, 14, journal_size_in_mb=journal_size_in_mb)) == whole
    assert len([name for name in whole if name.startswith("data/")]) > (journal_size_in_mb < 1)
    assert_holds(root, 14)


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_torn_end_of_the_journal_is_dropped(tmp_path, cut):
    root = half_sealed(tmp_path / "r")
    stream = root / "journal/episodes.arrow"
    with open(stream, "r+b") as file:
        file.truncate(stream.stat().st_size - 8 - cut)  # 8: the end mark of a stream that was closed
    assert recover(root) == 3
    assert_holds(root, 6)


def test_damage_in_the_journal_is_not_sealed(tmp_path):
    root = half_sealed(tmp_path / "r")
    stream = root / "journal/episodes.arrow"
    content = bytearray(stream.read_bytes())
    content[-400:-300] = bytes(100)
    stream.write_bytes(content)
    assert recover(root) == 3
    assert_holds(root, 6)


def test_a_missing_video_ends_the_journal(tmp_path):
    root = half_sealed(tmp_path / "r")
    (root / "journal/videos/observation.images.head/episode-000006.mp4").unlink()
    assert recover(root) == 3
    assert_holds(root, 6)


@pytest.mark.parametrize("use", [recover, Recording, new_writer])
def test_episodes_behind_a_damaged_one_are_not_given_up(tmp_path, use):
    root = half_sealed(tmp_path / "r")
    (root / "journal/videos/observation.images.head/episode-000004.mp4").unlink()
    with pytest.raises(
        HandsightError,
        match=r"an episode in its journal is damaged, and 2 stand behind it; to keep those: .* --repair",
    ):
        use(root)
    assert [entry.episode for entry in journal.read(root)] == [3]
    assert len(list((root / "journal/videos/observation.images.head").iterdir())) == 3


@pytest.mark.parametrize("use", [recover, new_writer])
def test_shards_that_were_never_counted_are_not_written_over(tmp_path, use):
    root = half_sealed(tmp_path / "r")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "write_json", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            recover(root)
    (root / "journal/episodes.arrow").write_bytes(b"lost with the power")
    kept = {name: content for name, content in files(root).items() if not name.startswith("journal/")}
    if use is new_writer:
        with pytest.raises(
            HandsightError, match=r"holds episode 6, which meta/info\.json does not count; to have it"
        ):
            use(root)
    else:
        assert use(root) == 0
    assert len([name for name in kept if name.endswith("file-001.parquet")]) == 2
    assert kept.items() <= files(root).items()


def test_reading_seals_what_a_killed_writer_left(tmp_path, caplog):
    root = half_sealed(tmp_path / "r")
    assert Recording(root).num_episodes == 7
    assert "4 episodes of a killed writer were sealed from its journal" in caplog.text
    assert_holds(root, 7)


def test_reading_beside_a_writer_at_work_leaves_its_journal_alone(tmp_path, caplog):
    root = write(tmp_path / "r", 2)
    with new_writer(root) as writer:
        writer.add_episode(*episode(2))
        assert Recording(root).num_episodes == 2
        assert "1 episodes of a writer at work are not sealed yet: left out" in caplog.text
        writer.add_episode(*episode(3))
    assert Recording(root).num_episodes == 4


def test_what_cannot_be_sealed_is_said_and_kept(tmp_path, monkeypatch):
    root = half_sealed(tmp_path / "r")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "seal", refuse)
        with pytest.raises(
            HandsightError,
            match=r"4 episodes lie in a killed writer's journal and cannot be sealed: .*may not",
        ):
            Recording(root)
    assert Recording(root).num_episodes == 7


def test_a_journal_of_another_recording_is_refused(tmp_path):
    root, other = half_sealed(tmp_path / "r"), write(tmp_path / "other", 1)
    (root / "journal").rename(other / "journal")
    with pytest.raises(HandsightError, match="its journal goes on with episode 3, but episode 1 is next"):
        recover(other)
    assert_holds_journal(other)


def assert_holds_journal(root):
    assert [entry.episode for entry in journal.read(root)] == [3, 4, 5, 6]


def test_a_failed_write_closes_the_writer_but_keeps_what_was_saved(tmp_path, monkeypatch):
    writer = new_writer(tmp_path / "r")
    writer.add_episode(*episode(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            journal.Journal,
            "append",
            lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")),
        )
        with pytest.raises(HandsightError, match="saving an episode failed: the disk is full"):
            writer.add_episode(*episode(1))
    with pytest.raises(HandsightError, match="was interrupted; open a new one to go on"):
        writer.add_episode(*episode(1))
    writer.close()
    write(tmp_path / "r", 3)
    assert_holds(tmp_path / "r", 3)
