"""Recordings of many frames and many episodes: memory stays flat, and nothing comes out otherwise for it."""

import pickle
import shutil
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings_samples import assert_holds, write

from handsight.errors import HandsightError
from handsight.recordings import check_files, check_videos, columns
from handsight.recordings.check import check
from handsight.recordings.features import Feature, camera
from handsight.recordings.recording import Recording
from handsight.recordings.shard_files import GROUP_BYTES
from handsight.recordings.writer import Writer

DATA = "data/chunk-000/file-000.parquet"
ACTION = {"action": Feature("float32", (2,))}


def write_many(path, episodes, length):
    """Write episodes of an action that counts the frames."""
    with Writer(path, ACTION, fps=10, facts={"word": "string"}) as writer:
        for episode in range(episodes):
            number = episode * length + np.arange(length, dtype=np.float32)
            frames = {"action": np.stack([number, -number], axis=1)}
            writer.add_episode(frames, {"word": f"word {episode % 7}"}, task=f"task {episode % 3}")
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return write_many(tmp_path_factory.mktemp("few") / "r", 200, 2)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A thousand episodes of two frames; not to be changed."""
    return write_many(tmp_path_factory.mktemp("many") / "r", 1000, 2)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return write_many(tmp_path_factory.mktemp("short") / "r", 4, 1_000)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Four episodes of ten thousand frames; not to be changed."""
    return write_many(tmp_path_factory.mktemp("long") / "r", 4, 10_000)


KEPT_POOLS = []
"""Arrow frees some buffers late, from its own threads: a pool that is gone by then ends the process."""


def peak(action):
    """Return the most bytes that Python and numpy held at once, and the most that Arrow held."""
    action()  # what is made once and kept
    usual, arrow = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    KEPT_POOLS.append(arrow)
    pa.set_memory_pool(arrow)
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] + arrow.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)


def test_opening_takes_a_few_bytes_an_episode(few, many):
    grown = peak(lambda: Recording(many)) - peak(lambda: Recording(few))
    # Starts 8, place 16, task 12, word 10: held; and as much again while they are read.
    assert grown < 150 * (1000 - 200)


def test_checking_takes_no_more_for_more_frames(short, long, monkeypatch):
    monkeypatch.setattr(columns, "_PIECE_ROWS", 500)
    assert check(long) == []
    assert peak(lambda: check(long)) < 1.2 * peak(lambda: check(short))


def test_a_stream_is_built_in_flat_memory(short, long, monkeypatch, tmp_path):
    monkeypatch.setattr(columns, "_PIECE_ROWS", 500)

    def build(root):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        monkeypatch.setenv("HANDSIGHT_CACHE", str(tmp_path / "cache"))
        return Recording(root).stream("action")

    assert peak(lambda: build(long)) < 1.2 * peak(lambda: build(short))
    np.testing.assert_array_equal(build(long)[:, 0], np.arange(40_000))


def test_what_is_said_of_episodes_comes_out_as_it_was_said(many):
    recording = Recording(many)
    assert recording.facts["word"].dtype.kind == "U"
    assert recording.facts["word"].tolist() == [f"word {e % 7}" for e in range(1000)]
    assert list(recording.tasks) == [(f"task {e % 3}",) for e in range(1000)]
    assert recording.tasks[-1] == ("task 0",)
    assert recording.tasks[1:3] == (("task 1",), ("task 2",))
    assert recording.tasks.counts() == {"task 0": 334, "task 1": 333, "task 2": 333}
    with pytest.raises(IndexError):
        _ = recording.tasks[1000]


def test_a_row_group_holds_many_short_episodes_or_a_part_of_a_long_one(many, long):
    footer = pq.ParquetFile(many / DATA).metadata
    assert footer.num_row_groups == 1
    assert footer.num_rows == 2000
    for root, frames in ((many, 2_000), (long, 40_000)):
        groups = pq.ParquetFile(root / DATA)
        sizes = [groups.read_row_group(number).nbytes for number in range(groups.num_row_groups)]
        assert max(sizes) <= 1.01 * GROUP_BYTES
        assert sum(sizes) / len(sizes) > 0.5 * GROUP_BYTES or len(sizes) == 1
        np.testing.assert_array_equal(Recording(root).stream("action")[:, 0], np.arange(frames))


def test_pictures_of_a_long_episode_are_found_in_their_row_groups(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (120, 64, 64, 3), dtype=np.uint8)
    with Writer(tmp_path / "r", {"image": camera(64, 64)}, fps=10) as writer:
        for some in np.split(pictures, [100, 101]):
            writer.add_episode({"image": some})
    assert pq.ParquetFile(tmp_path / "r" / DATA).num_row_groups > 5
    order = np.random.default_rng(1).permutation(120)
    np.testing.assert_array_equal(Recording(tmp_path / "r").frames(order), pictures[order])
    assert check(tmp_path / "r", thorough=True) == []


def test_many_episodes_are_sealed_before_their_rows_fill_the_memory(tmp_path):
    write(tmp_path / "r", 9, journal_size_in_mb=5 * 8192 / 2**20)
    assert len(list((tmp_path / "r/meta/episodes").rglob("*.parquet"))) > 2
    assert_holds(tmp_path / "r", 9)


def test_frames_that_come_one_by_one_are_those_that_come_at_once(tmp_path):
    numbers = np.arange(5000, dtype=np.float32).reshape(2500, 2)
    with Writer(tmp_path / "r", ACTION, fps=10) as writer:
        for row in numbers:
            writer.add_frame({"action": row})
        writer.save_episode()
    np.testing.assert_array_equal(Recording(tmp_path / "r").stream("action"), numbers)


@pytest.mark.parametrize("row", [0, 6, 7, 13])
@pytest.mark.parametrize(("column", "wrong"), [("index", 99), ("timestamp", 9.0), ("action", np.nan)])
def test_the_frame_that_is_wrong_is_named_wherever_the_pieces_end(tmp_path, row, column, wrong, monkeypatch):
    root = write_many(tmp_path / "r", 7, 2)
    table = pq.read_table(root / DATA)
    values = table.column(column).to_pylist()
    values[row] = [0.0, wrong] if column == "action" else wrong
    changed = pa.array(values, table.schema.field(column).type)
    pq.write_table(table.set_column(table.column_names.index(column), column, changed), root / DATA)
    whole = check(root)
    assert f"at frame {row}" in whole[0].what
    monkeypatch.setattr(columns, "_PIECE_ROWS", 7)
    assert check(root) == whole


def test_times_of_videos_are_checked_alike_in_small_pieces(tmp_path, monkeypatch):
    root = write(tmp_path / "r", 5)
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    table, name = pq.read_table(path), "videos/observation.images.head/from_timestamp"
    times = table.column(name).to_pylist()
    times[1], times[3] = times[1] + 0.01, times[3] + 9
    changed = table.set_column(table.column_names.index(name), name, pa.array(times))
    pq.write_table(changed, path)
    whole = check(root, thorough=True)
    words = " ".join(problem.what for problem in whole)
    assert "frames of episode 1 lie up to 0.0100 s off" in words
    assert "episode 3 lacks 5 of its 5 frames" in words
    monkeypatch.setattr(check_videos, "_FRAMES", 3)
    monkeypatch.setattr(check_files, "_FRAMES", 2)
    assert check(root, thorough=True) == whole


def test_a_row_group_that_is_too_large_is_said(tmp_path, monkeypatch):
    root = write(tmp_path / "r", 3)
    monkeypatch.setattr(check_files, "_GROUP_BYTES", 1000)
    monkeypatch.setattr(check_files, "_FOOTER_BYTES", 1000)
    said = [problem.what for problem in check(root)]
    assert "the list of its 1 row groups takes 0 MB, which every reader holds" in said
    assert "a row group takes 0 MB: reading one of its frames reads them all" in said


def test_a_fact_that_names_no_part_is_named(many, tmp_path):
    root = shutil.copytree(many, tmp_path / "r")
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("split", pa.array(["train"] * 999 + ["evening"])), path)
    with pytest.raises(HandsightError, match="fact 'split' holds 'evening'"):
        Recording(root).splits()


def test_a_stream_is_mapped_once_and_does_not_travel(many):
    recording = Recording(many)
    stream = recording.stream("action")
    assert isinstance(stream, np.memmap)
    assert recording.stream("action") is stream
    assert len(pickle.dumps(recording)) < 100 * 1000
