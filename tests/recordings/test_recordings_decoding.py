"""Decoding on demand: the same frames whatever the threads, the order, the files and the codec."""

from types import SimpleNamespace

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from handsight.errors import HandsightError
from handsight.recordings import decoding, frames, picturefile
from handsight.recordings.decoding import Decoder, usable_cores
from handsight.recordings.features import camera
from handsight.recordings.recording import Recording
from handsight.recordings.streams import cache_root
from handsight.recordings.videofile import VideoFile
from handsight.recordings.writer import Writer

LENGTHS = (30, 1, 25, 40)
PICTURES = np.random.default_rng(0).integers(0, 256, (sum(LENGTHS), 12, 18, 3), dtype=np.uint8)


def moving(count: int, height: int, width: int) -> np.ndarray:
    """Return smooth pictures of which no two are alike."""
    y, x = np.mgrid[:height, :width]
    waves = [np.stack([x * 3 + 5 * t, y * 4 + 7 * t, x + y + 9 * t], axis=-1) for t in range(count)]
    return (127 + 120 * np.sin(np.stack(waves) / 20)).astype(np.uint8)


def write(path, pictures, *, video, lengths=LENGTHS, **options):
    height, width = pictures.shape[1:3]
    with Writer(path, {"image": camera(height, width, video)}, 30, **options) as writer:
        for end, length in zip(np.cumsum(lengths), lengths, strict=True):
            writer.add_episode({"image": pictures[end - length : end]})
    return path


@pytest.fixture(scope="module", params=["png", "libx264", "libsvtav1"])
def root(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("r") / "r"
    if request.param == "png":
        return write(path, PICTURES, video=False, data_files_size_in_mb=0.02)
    long_gop = {"g": "20"} | ({"preset": "12"} if request.param == "libsvtav1" else {})
    pictures = moving(sum(LENGTHS), 66, 90)  # rows that FFmpeg pads
    return write(
        *(path, pictures),
        video=True,
        codec=request.param,
        codec_options=long_gop,
        video_files_size_in_mb=0.01,
    )


@pytest.fixture
def in_sequence(root):
    return np.concatenate([piece for _, piece in Recording(root).scan()])


@pytest.mark.parametrize("threads", [1, 3])
def test_any_order_and_any_number_of_threads_give_the_frames_of_a_scan(
    root, in_sequence, threads, monkeypatch
):
    monkeypatch.setattr("handsight.recordings.recording.usable_cores", lambda: threads)
    recording = Recording(root)
    generator = np.random.default_rng(1)
    for count in (1, 5, 40, 200):  # fewer than the threads; repeats
        order = generator.integers(0, len(in_sequence), count)
        np.testing.assert_array_equal(recording.frames(order), in_sequence[order])


def test_few_open_files_are_enough(root, in_sequence, monkeypatch):
    monkeypatch.setattr(frames, "_OPEN_FILES", 1)
    monkeypatch.setattr("handsight.recordings.recording.HELD_BYTES", 100)
    recording = Recording(root)
    for order in np.random.default_rng(2).integers(0, len(in_sequence), (5, 12)):
        np.testing.assert_array_equal(recording.frames(order), in_sequence[order])


def test_pixels_are_those_of_pyav(tmp_path):
    pictures = moving(9, 50, 38)
    root = write(tmp_path / "r", pictures, video=True, lengths=(9,), codec="libx264")
    with av.open(str(root / "videos/image/chunk-000/file-000.mp4")) as container:
        plain = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    np.testing.assert_array_equal(Recording(root).frames(np.arange(9)), plain)


def test_a_jump_backwards_and_one_over_keyframes(root):
    if not (root / "videos").exists():
        pytest.skip("of PNGs every one is a keyframe")
    path = root / "videos/image/chunk-000/file-000.mp4"
    times_s = np.arange(10) / 30
    plain = [np.array(frame) for frame in VideoFile(path).read(times_s, 0.01)]
    file = VideoFile(path)
    for index in (9, 0, 8, 8, 1, 9):
        (frame,) = file.read(times_s[[index]], 0.01)
        np.testing.assert_array_equal(frame, plain[index])
    file.close()


@pytest.fixture
def of_others(tmp_path):
    """A recording whose pictures lie in large row groups."""
    root = write(tmp_path / "r", PICTURES, video=False, data_files_size_in_mb=0.03)
    for path in (root / "data").rglob("*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=10**6)
    return root


@pytest.fixture
def large_groups(monkeypatch):
    """Row groups of a few pictures count as large, and none stay in memory."""
    monkeypatch.setattr(frames, "_LARGE_BYTES", 100)
    monkeypatch.setattr("handsight.recordings.recording.HELD_BYTES", 0)


def read_often(recording):
    for order in np.random.default_rng(3).integers(0, len(PICTURES), (20, 9)):
        np.testing.assert_array_equal(recording.frames(order), PICTURES[order])


def copies():
    return sorted(cache_root().rglob("*.pictures"))


@pytest.mark.usefixtures("large_groups")
def test_pictures_in_large_row_groups_are_copied_once_that_is_worth_it(of_others, caplog):
    recording = Recording(of_others)
    recording.frames([3, 80])
    assert not copies()
    read_often(recording)
    assert [path.stat().st_size for path in copies()] == [sum(map(len, encoded(of_others)))]
    assert "copying" in caplog.text
    caplog.clear()
    read_often(Recording(of_others))  # another run finds it
    assert not caplog.text
    with open(copies()[0], "r+b") as file:
        file.truncate(1000)
    with pytest.raises(HandsightError, match=r"ends before frame .*; delete it"):
        read_often(Recording(of_others))


def encoded(root):
    return [value["bytes"] for value in pq.read_table(root / "data")["image"].to_pylist()]


@pytest.mark.usefixtures("large_groups")
def test_without_room_for_a_copy_reading_goes_on(of_others, monkeypatch, caplog):
    monkeypatch.setattr(picturefile.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    read_often(Recording(of_others))
    assert "reading them at random is slow" in caplog.text
    assert not copies()


@pytest.mark.usefixtures("large_groups")
def test_reading_in_order_copies_nothing(of_others):
    recording = Recording(of_others)
    for _ in range(4):
        assert sum(len(piece) for _, piece in recording.scan()) == len(PICTURES)
    assert not copies()


class _Reader:
    """Reads numbers in place of frames; some of them are damaged."""

    def read(self, indices):
        for index in indices:
            if index in (20, 70):
                raise HandsightError(f"frame {index} is damaged")
            yield np.full((1, 1, 3), index, np.uint8)

    def close(self):
        pass


def test_of_several_damaged_frames_the_first_is_named():
    seen = {}
    with pytest.raises(HandsightError, match="frame 20 is damaged"):
        Decoder(_Reader, 4).decode(np.arange(100), seen.__setitem__)
    assert set(range(20)) <= set(seen)
    assert all(frame[0, 0, 0] == place for place, frame in seen.items())


@pytest.mark.parametrize(("told", "cores"), [("1", 1), ("2", 2), ("64", 3), ("", 3), ("all", 3), ("0", 3)])
def test_no_more_threads_than_allowed(told, cores, monkeypatch):
    monkeypatch.setattr(decoding.os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert usable_cores() == cores
