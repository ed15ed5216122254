import json
import multiprocessing
import time

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from counting_world import CountingWorld

from handsight.errors import HandsightError
from handsight.recordings import Recording
from handsight.worlds.collect import collect
from handsight.worlds.team import AHEAD_N
from handsight.worlds.turntable import Turntable


@pytest.fixture(autouse=True)
def no_process_stays():
    yield
    assert multiprocessing.active_children() == []


def tables(path):
    """Everything in the recording's data and episode files, bytes of pictures included."""
    data = [pq.read_table(file).to_pydict() for file in sorted(path.glob("data/**/*.parquet"))]
    episodes = [pq.read_table(file).to_pydict() for file in sorted(path.glob("meta/episodes/**/*.parquet"))]
    assert data
    assert episodes
    return data, episodes


def test_the_recording_does_not_depend_on_the_workers(tmp_path):
    world = Turntable(image_size=16, views=3)
    one = collect(world, tmp_path / "one", 5, seed=4)
    two = collect(world, tmp_path / "two", 5, seed=4, workers=2)
    assert (one.episodes_n, one.new_n) == (two.episodes_n, two.new_n) == (5, 5)
    assert tables(tmp_path / "one") == tables(tmp_path / "two")
    clip = world.episode(4, 3)
    world.close()
    (rows,), (facts,) = tables(tmp_path / "two")
    third = [row for row, episode in enumerate(rows["episode_index"]) if episode == 3]
    for view, row in enumerate(third):
        stored = np.frombuffer(rows["observation.images.camera"][row]["bytes"], np.uint8)
        picture = cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        np.testing.assert_array_equal(picture, clip.frames["observation.images.camera"][view])
        np.testing.assert_array_equal(rows["observation.pose"][row], clip.frames["observation.pose"][view])
    assert len(third) == 3
    assert {name: facts[name][3] for name in clip.facts} == clip.facts


@pytest.mark.parametrize("workers", [1, 2])
def test_collecting_goes_on_where_it_stopped(tmp_path, workers):
    told = []
    collect(CountingWorld(), tmp_path / "whole", 9, seed=1)
    collect(CountingWorld(), tmp_path / "parts", 4, seed=1, workers=workers)
    again = collect(
        CountingWorld(),
        tmp_path / "parts",
        9,
        seed=1,
        workers=workers,
        progress=lambda *now: told.append(now),
    )
    assert (again.episodes_n, again.new_n) == (9, 5)
    assert told == [(n, 9) for n in range(4, 10)]
    whole, parts = (Recording(tmp_path / name) for name in ("whole", "parts"))
    assert whole.num_episodes == parts.num_episodes == 9
    done = collect(CountingWorld(), tmp_path / "parts", 9, seed=1, workers=workers)
    assert (done.episodes_n, done.new_n) == (9, 0)
    fewer = collect(CountingWorld(), tmp_path / "parts", 3, seed=1, workers=workers)
    assert (fewer.episodes_n, fewer.new_n) == (9, 0)


def test_another_seed_is_refused(tmp_path):
    collect(CountingWorld(), tmp_path / "out", 2, seed=1)
    with pytest.raises(HandsightError, match=r'out .*"seed": 1.*"seed": 2.*new folder'):
        collect(CountingWorld(), tmp_path / "out", 4, seed=2)


def test_a_recording_from_before_an_option_goes_on_at_its_default(tmp_path):
    """So does an older one after an upgrade; with another value of the option it is another recording."""
    small = {"image_size": 16, "views": 2, "clutter": 0, "antialias": False}
    whole, older = tmp_path / "whole", tmp_path / "older"
    collect(Turntable(**small), whole, 3)
    collect(Turntable(**small), older, 2)
    info = json.loads((older / "meta/info.json").read_text())
    assert info["handsight"]["world"]["options"].pop("light_changes") == "clip"
    (older / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(HandsightError, match=r'goes on only as it began.*"light_changes": "frame"'):
        collect(Turntable(**small, light_changes="frame"), older, 3)
    assert collect(Turntable(**small), older, 3).new_n == 1
    assert "light_changes" not in Recording(older).info["handsight"]["world"]["options"]
    camera = "observation.images.camera"
    np.testing.assert_array_equal(
        Recording(older).frames(range(6), camera), Recording(whole).frames(range(6), camera)
    )


def test_a_hiccup_in_this_process_is_tried_again(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    assert collect(CountingWorld({1: "raise"}, notes), tmp_path / "out", 3).new_n == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_an_episode_that_never_works_is_named_and_the_others_are_kept(tmp_path, workers):
    world = CountingWorld({3: "always"})
    with pytest.raises(
        HandsightError,
        match=r"^episode 3 failed 3 times, last with ValueError: this one never works; the episodes before",
    ):
        collect(world, tmp_path / "out", 6, workers=workers)
    assert Recording(tmp_path / "out").num_episodes == 3
    assert collect(CountingWorld(), tmp_path / "out", 6, workers=workers).new_n == 3


def test_an_episode_that_never_works_waits_for_a_slower_one_before_it(tmp_path):
    with pytest.raises(HandsightError, match=r"^episode 1 failed 3 times"):
        collect(CountingWorld({0: "slow", 1: "always"}), tmp_path / "out", 4, workers=2)
    assert Recording(tmp_path / "out").num_episodes == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_user_can_mend_is_said_at_once(tmp_path, workers):
    with pytest.raises(HandsightError, match=r"^the world refuses$"):
        collect(CountingWorld({1: "refuse"}), tmp_path / "out", 4, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interruption_keeps_what_is_done_and_says_how_to_go_on(tmp_path, workers):
    def interrupt(done, count):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(
        KeyboardInterrupt, match=r"stopped; 3 of 8 episodes are kept in .*: the same command goes on"
    ):
        collect(CountingWorld(), tmp_path / "out", 8, workers=workers, progress=interrupt)
    assert Recording(tmp_path / "out").num_episodes == 3
    assert collect(CountingWorld(), tmp_path / "out", 8, workers=workers).new_n == 5


def test_workers_do_not_run_far_ahead(tmp_path):
    made = []

    def slow(done, count):
        if done == 1:
            time.sleep(0.7)
            made.extend(tmp_path.glob("made-*"))

    collect(CountingWorld(notes=tmp_path), tmp_path / "out", 30, workers=2, progress=slow)
    assert 1 <= len(made) <= 1 + 2 * AHEAD_N


@pytest.mark.parametrize(("option", "value"), [("count", 0), ("seed", -1), ("workers", 0)])
def test_numbers_out_of_range_are_refused(tmp_path, option, value):
    with pytest.raises(HandsightError, match=f"collect: {option} is {value}; it starts at"):
        collect(CountingWorld(), tmp_path / "out", **({"count": 2} | {option: value}))
    assert not (tmp_path / "out").exists()
