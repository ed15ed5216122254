"""Workers that die, fail, hang or are orphaned: the recording is that of one untroubled process."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from counting_world import CountingWorld

from handsight.errors import HandsightError
from handsight.worlds import team
from handsight.worlds.collect import collect
from handsight.worlds.patience import Patience

COUNT = 9
LIMIT_S = 1.5

ONE_OF_MANY = """
import sys
sys.path.insert(0, sys.argv[1])
from counting_world import CountingWorld
from handsight.worlds import collect
if __name__ == "__main__":
    notes, limit_s = sys.argv[3], float(sys.argv[4])
    trouble = {int(entry) : "stuck" for entry in sys.argv[5:]}
    collect(CountingWorld(trouble, notes, 0.2), sys.argv[2], 14, 1, workers=2, episode_limit_s=limit_s)
"""


@pytest.fixture(autouse=True)
def no_process_stays():
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture(scope="module")
def untroubled(tmp_path_factory):
    """What one process records."""
    folder = tmp_path_factory.mktemp("untroubled")
    collect(CountingWorld(), folder / "out", COUNT, seed=1)
    return files(folder / "out")


def files(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def troubled(folder, trouble, **options):
    """Collect with trouble; check that each happened, and return the recording's files."""
    notes = folder / "notes"
    notes.mkdir()
    collect(CountingWorld(trouble, notes), folder / "out", COUNT, seed=1, **options)
    assert len(list(notes.glob("trouble-*"))) == len(trouble)
    return files(folder / "out")


@pytest.mark.parametrize("kind", ["die", "raise", "kill", "hang", "stop", "half"])
def test_a_worker_that_goes_wrong_is_replaced(tmp_path, untroubled, kind, monkeypatch):
    monkeypatch.setattr(team, "CLOSE_S", 0.2)  # those that stand still do not close anything
    trouble = dict.fromkeys((0, 3, 4), kind)
    assert troubled(tmp_path, trouble, workers=2, episode_limit_s=LIMIT_S) == untroubled


@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_no_episode_is_missing_or_double(tmp_path, untroubled, seed):
    chance = random.Random(seed)
    kinds = ["die", "raise", "kill", "kill", "die", "hang"]
    trouble = {chance.randrange(COUNT): kind for kind in kinds}
    workers = chance.randint(2, 4)
    assert troubled(tmp_path, trouble, workers=workers, episode_limit_s=LIMIT_S) == untroubled


def test_an_episode_that_always_hangs_is_named(tmp_path):
    with pytest.raises(
        HandsightError, match=r"^episode 2 failed 3 times, last with no answer in 0\.4 s .*--episode-limit-s"
    ):
        collect(CountingWorld({2: "stuck"}), tmp_path / "out", 4, workers=2, episode_limit_s=0.4)
    assert pq.read_table(next((tmp_path / "out").glob("meta/episodes/**/*.parquet"))).num_rows == 2


def test_a_killed_worker_is_said_to_be_short_of_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(team, "ATTEMPTS_N", 1)
    (tmp_path / "notes").mkdir()
    with pytest.raises(HandsightError, match=r"its process was killed \(short of memory\? fewer workers"):
        collect(CountingWorld({1: "kill"}, tmp_path / "notes"), tmp_path / "out", 4, workers=2)


def test_without_a_limit_the_slow_are_waited_for():
    patience = Patience(None)
    assert patience.limit_s(5000.0, begun=True) == float("inf")  # how long they take is not known yet
    patience.learn(2.0)
    assert patience.limit_s(5000.0, begun=True) == 600
    patience.learn(3600.0)
    patience.learn(1.0)
    assert patience.limit_s(5000.0, begun=True) == 72_000
    assert Patience(0).limit_s(5000.0, begun=True) == float("inf")
    assert Patience(1.0).limit_s(5000.0, begun=False) == 120


def test_where_a_limit_comes_from_is_said():
    assert Patience(None).why == ", where no other took more than a 20th of that"
    assert "--episode-limit-s" in Patience(3.0).why


def test_nothing_done_for_long_is_said_once(caplog):
    patience = Patience(None)
    patience.limit_s(601.0, begun=True)
    patience.limit_s(601.0, begun=True)
    assert [r.message[:36] for r in caplog.records] == ["no episode is done after 601 s; if t"]


@pytest.mark.parametrize("trouble", [{}, {2: "raise"}])
def test_workers_close_their_worlds(tmp_path, trouble):
    """A simulator that is a process of its own would stay otherwise."""
    notes = tmp_path / "notes"
    notes.mkdir()
    collect(CountingWorld(trouble, notes), tmp_path / "out", 6, workers=2)
    acted, closed = (
        {p.name.partition("-")[2] for p in notes.glob(f"{what}-*")} for what in ("process", "closed")
    )
    assert len(acted) >= 2
    assert acted <= closed
    assert len(closed) >= 2 + len(trouble)


def test_a_limit_below_zero_is_refused(tmp_path):
    with pytest.raises(HandsightError, match=r"episode_limit_s is -1; it is 0 \(no limit\) or above"):
        collect(CountingWorld(), tmp_path / "out", 2, episode_limit_s=-1)


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture
def session(tmp_path):
    """Start collecting in a session of its own; gives the process and ends what is left of the session."""
    (tmp_path / "notes").mkdir()
    started = []

    def start(*arguments):
        script = tmp_path / "script.py"
        script.write_text(ONE_OF_MANY)
        here = str(Path(__file__).parent)
        started.append(
            subprocess.Popen(
                [
                    sys.executable,
                    str(script),
                    here,
                    str(tmp_path / "out"),
                    str(tmp_path / "notes"),
                    *arguments,
                ],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                start_new_session=True,
            )
        )
        wait_until(lambda: len(list((tmp_path / "notes").glob("made-*"))) >= 2)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def members(session):
    """The processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@linux
@pytest.mark.parametrize("at_work", ["on an episode", "hung"])
def test_workers_end_when_the_process_that_started_them_is_killed(session, at_work):
    process = session("0", *(["5", "6"] if at_work == "hung" else []))
    if at_work == "hung":
        time.sleep(1.5)
    assert len(members(process.pid)) >= 3
    process.kill()
    process.wait()
    wait_until(lambda: not members(process.pid), 10)


@linux
def test_time_in_which_everything_stood_still_does_not_count(session, tmp_path):
    process = session(str(LIMIT_S))
    everybody = members(process.pid)
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2 * LIMIT_S)
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
    assert process.wait(60) == 0
    assert len(list((tmp_path / "notes").glob("process-*"))) == 2


@linux
def test_the_server_that_workers_are_forks_of_may_die(session, tmp_path):
    process = session("0")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    server = next(pid for pid in children if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes())
    grandchildren = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    os.kill(int(server), signal.SIGKILL)
    os.kill(int(grandchildren[0]), signal.SIGKILL)
    assert process.wait(60) == 0
    collect(CountingWorld(), tmp_path / "whole", 14, seed=1)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
