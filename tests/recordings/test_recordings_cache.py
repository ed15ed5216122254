"""The frame cache: right sizes, resumable, bounded, shared."""

import subprocess
import sys
from collections import namedtuple

import cv2
import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.recordings import cache
from handsight.recordings.cache import FrameCache
from handsight.recordings.features import camera
from handsight.recordings.recording import Recording
from handsight.recordings.writer import Writer

LENGTHS = (70, 1, 30)
FRAMES = np.random.default_rng(3).integers(0, 256, (sum(LENGTHS), 20, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("r") / "r"
    with Writer(path, {"image": camera(20, 30)}, 10) as writer:
        for end, length in zip(np.cumsum(LENGTHS), LENGTHS, strict=True):
            writer.add_episode({"image": FRAMES[end - length : end]})
    return path


@pytest.fixture
def recording(root):
    return Recording(root)


EXPECTED = np.stack([cv2.resize(frame, (12, 8), interpolation=cv2.INTER_AREA) for frame in FRAMES])


def test_frames_are_resized_with_their_aspect_kept(recording):
    frames = FrameCache(recording, "image", 8)
    assert frames.shape == (101, 8, 12, 3)
    assert frames.nbytes == 101 * 8 * 12 * 3
    order = np.random.default_rng(0).integers(0, 101, 200)
    before = frames.read(order)  # not built: decoded on demand
    frames.build()
    np.testing.assert_array_equal(frames.read(order), EXPECTED[order])
    np.testing.assert_array_equal(before, EXPECTED[order])
    np.testing.assert_array_equal(FrameCache(recording, "image", 8).read(order), EXPECTED[order])


def test_portrait_frames(tmp_path):
    with Writer(tmp_path / "r", {"image": camera(30, 20)}, 10) as writer:
        writer.add_episode({"image": np.zeros((1, 30, 20, 3), np.uint8)})
    assert FrameCache(Recording(tmp_path / "r"), "image", 10).shape == (1, 15, 10, 3)


def test_full_size_is_not_touched(recording):
    frames = FrameCache(recording, "image", 20)
    frames.build()
    np.testing.assert_array_equal(frames.read(np.arange(101)), FRAMES)


def test_enlarging_warns(recording):
    with pytest.warns(
        UserWarning, match="20 × 30 and are enlarged to a short side of 40; nothing is gained by more than 20"
    ):
        frames = FrameCache(recording, "image", 40)
    np.testing.assert_array_equal(
        frames.read([7])[0], cv2.resize(FRAMES[7], (60, 40), interpolation=cv2.INTER_LINEAR)
    )


def test_building_reports_progress_and_is_done_once(recording):
    seen = []
    FrameCache(recording, "image", 8).build(lambda done, total: seen.append((done, total)))
    assert seen == [(64, 101), (101, 101)]
    FrameCache(recording, "image", 8).build(lambda done, total: pytest.fail("decoded again"))


class Killed(BaseException):
    pass


def test_a_kill_while_building_costs_only_the_rest(recording):
    frames = FrameCache(recording, "image", 8)

    def kill(done, total):
        raise Killed

    with pytest.raises(Killed):
        frames.build(kill)
    with open(frames.path, "ab") as file:
        file.write(b"part of a frame")
    seen = []
    again = FrameCache(recording, "image", 8)
    again.build(lambda done, total: seen.append(done))
    assert seen == [101]  # the first 64 were kept
    np.testing.assert_array_equal(again.read(np.arange(101)), EXPECTED)


@pytest.mark.parametrize("max_bytes", [0, 100, 50 * 8 * 12 * 3 + 5, 10**9])
def test_beyond_the_limit_frames_come_out_the_same(recording, max_bytes):
    frames = FrameCache(recording, "image", 8, max_bytes=max_bytes)
    frames.build()
    order = np.random.default_rng(0).integers(0, 101, 50)
    np.testing.assert_array_equal(frames.read(order), EXPECTED[order])
    size = frames.path.stat().st_size if frames.path.exists() else 0
    assert size <= max_bytes
    assert frames.shape == (101, 8, 12, 3)
    assert frames.nbytes == EXPECTED.nbytes


def test_a_larger_limit_goes_on_where_a_smaller_one_stopped(recording):
    FrameCache(recording, "image", 8, max_bytes=EXPECTED.nbytes // 2).build()
    seen = []
    frames = FrameCache(recording, "image", 8)
    frames.build(lambda done, total: seen.append(done))
    assert seen == [101]
    np.testing.assert_array_equal(frames.read(np.arange(101)), EXPECTED)


BUILDER = """
import sys
from handsight.recordings.cache import FrameCache
from handsight.recordings.recording import Recording
frames = FrameCache(Recording(sys.argv[1]), "image", 8)
frames.build()
print(int(frames.read(range(101)).sum()))
"""


def test_two_processes_may_build_at_once(root):
    command = [sys.executable, "-c", BUILDER, str(root)]
    builders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [int(builder.communicate()[0]) for builder in builders] == [int(EXPECTED.sum())] * 2


def test_another_size_or_recording_is_another_cache(recording, tmp_path):
    with Writer(tmp_path / "r", {"image": camera(20, 30)}, 10) as writer:
        writer.add_episode({"image": FRAMES[:5]})
    other = Recording(tmp_path / "r")
    assert (
        len(
            {
                FrameCache(recording, "image", 8).path,
                FrameCache(recording, "image", 9).path,
                FrameCache(other, "image", 8).path,
            }
        )
        == 3
    )


def test_a_full_disk_is_said_beforehand(recording, monkeypatch):
    usage = namedtuple("usage", "free")(1000)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        HandsightError,
        match=r"caching 'image' at 8 pixels needs 0\.0 MB and 0\.0 MB are free; free some, bound",
    ):
        FrameCache(recording, "image", 8).build()


def test_a_disk_that_fills_up_is_one_line(recording, monkeypatch):
    monkeypatch.setattr(
        cache.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(HandsightError, match=r"needs 0\.0 MB and .* MB are free"):
        FrameCache(recording, "image", 8).build()


def test_a_cache_that_cannot_be_written_is_one_line(recording, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HANDSIGHT_CACHE", str(tmp_path / "file"))
    with pytest.raises(HandsightError, match="caching frames failed"):
        FrameCache(recording, "image", 8).build()


def test_wrong_use_is_said(recording):
    with pytest.raises(HandsightError, match=r"no camera 'top' in use \(it has: image\)"):
        FrameCache(recording, "top", 8)
    with pytest.raises(HandsightError, match="a short side of 0; it must be at least 1 pixel"):
        FrameCache(recording, "image", 0)
    with pytest.raises(HandsightError, match="frames 0 to 101 were asked for; there are 101"):
        FrameCache(recording, "image", 8).read([0, 101])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc says how much memory a process has")
def test_reading_does_not_make_the_process_grow_by_what_it_reads(tmp_path):
    pictures = np.random.default_rng(5).integers(0, 256, (64, 128, 128, 3), dtype=np.uint8)
    path = tmp_path / "frames"
    path.write_bytes(np.tile(pictures.reshape(-1), 16).tobytes())  # 50 MB
    program = f"""
import numpy as np, pathlib
from handsight.recordings.framefile import FrameFile

def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

file = FrameFile(pathlib.Path({str(path)!r}), (128, 128, 3))
frames = np.zeros((8, 128, 128, 3), np.uint8)
before = resident_bytes()
for first in range(0, 1024, 8):
    file.read(np.arange(first, first + 8), frames, np.arange(8))
print((resident_bytes() - before) // 2**20)
"""
    grown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert int(grown.stdout) < 10


def test_a_cache_that_was_cut_is_said(recording):
    frames = FrameCache(recording, "image", 8)
    frames.build()
    frames.read([0])
    with open(frames.path, "r+b") as file:
        file.truncate(8 * 12 * 3 * 50 + 7)
    np.testing.assert_array_equal(frames.read([49]), EXPECTED[[49]])
    with pytest.raises(HandsightError, match="ends before frame 50; delete it"):
        frames.read([3, 50])


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_are_the_same_whatever_the_threads(recording, threads, monkeypatch):
    monkeypatch.setattr(cache, "usable_cores", lambda: threads)
    order = np.random.default_rng(1).permutation(101)
    np.testing.assert_array_equal(FrameCache(recording, "image", 8).read(order), EXPECTED[order])
    np.testing.assert_array_equal(FrameCache(recording, "image", 8).read([7]), EXPECTED[[7]])


def test_a_system_that_cannot_read_into_memory_reads_the_same(recording, monkeypatch):
    frames = FrameCache(recording, "image", 8)
    frames.build()
    monkeypatch.delattr("os.preadv")
    np.testing.assert_array_equal(frames.read([100, 0, 7]), EXPECTED[[100, 0, 7]])
