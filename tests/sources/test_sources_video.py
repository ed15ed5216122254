from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from sources_material import grey_ramp, make_video, numbers, quarters

import handsight.errors
from handsight.errors import HandsightError
from handsight.recordings import Feature, Recording, Writer
from handsight.sources import ingest_video
from handsight.sources.intake import CAMERA

ROTATED_90 = (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30)
MIRRORED = (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)


def episodes(recording: Recording) -> list[list[int]]:
    return [numbers(recording.frames(range(a, b))) for a, b in pairwise(recording.episode_starts)]


def ingest(source: Path, out: Path, **options: object) -> Recording:
    assert ingest_video(source, out, **{"video": False, **options}) == out
    return Recording(out)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.avi", "mpeg4"),
        ("a.mkv", "libvpx-vp9"),
        ("a.mov", "libx264"),
        ("a.webm", "libvpx-vp9"),
    ],
)
def test_containers_and_codecs(tmp_path: Path, name: str, codec: str):
    recording = ingest(make_video(tmp_path / name, grey_ramp(9), codec=codec), tmp_path / "out")
    assert recording.fps == 10
    assert recording.features[CAMERA].shape == (32, 48, 3)
    assert recording.features[CAMERA].dtype == "image"
    assert episodes(recording) == [list(range(9))]
    assert recording.facts["source"].tolist() == [name]
    assert recording.facts["start_s"].tolist() == [0.0]
    assert "category" not in recording.facts


def test_stored_as_video(tmp_path: Path):
    make_video(tmp_path / "in" / "a.mp4", grey_ramp(5))
    recording = ingest(tmp_path / "in", tmp_path / "out", video=True)
    assert recording.features[CAMERA].dtype == "video"
    assert episodes(recording) == [list(range(5))]


def test_colours_and_picture_survive(tmp_path: Path):
    picture = quarters()
    path = make_video(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pix_fmt="bgr0")
    assert np.array_equal(ingest(path, tmp_path / "out").frames([1])[0], picture)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [(ROTATED_90, np.rot90(quarters())), (MIRRORED, quarters()[:, ::-1])],
    ids=["rotated", "mirrored"],
)
def test_turned_upright(tmp_path: Path, matrix: tuple[int, ...], expected: np.ndarray):
    path = make_video(tmp_path / "a.mp4", [quarters()] * 3, matrix=matrix)
    frame = ingest(path, tmp_path / "out").frames([0])[0]
    assert frame.shape == expected.shape
    for row in (0.25, 0.75):  # the middles of the quarters: their borders are blurred by the codec
        for column in (0.25, 0.75):
            y, x = int(row * frame.shape[0]), int(column * frame.shape[1])
            assert np.abs(frame[y, x].astype(int) - expected[y, x]).max() < 40


def test_variable_frame_rate_keeps_time(tmp_path: Path):
    times = [0.0, 0.1, 0.2, 0.6, 0.7, 1.2, 1.3]
    path = make_video(tmp_path / "a.mkv", grey_ramp(7), codec="mpeg4", times_s=times)
    recording = ingest(path, tmp_path / "out", fps=10)
    # 0.4 s lies midway between 0.2 s and 0.6 s: the earlier one.
    assert episodes(recording) == [[0, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6][: recording.num_frames]]
    nearest = [min(range(7), key=lambda i, t=k / 10: (round(abs(times[i] - t), 6), i)) for k in range(14)]
    assert episodes(recording) == [nearest]


def test_square_pixels(tmp_path: Path):
    path = make_video(tmp_path / "a.mkv", grey_ramp(2), codec="mpeg4", aspect=Fraction(4, 3))
    assert ingest(path, tmp_path / "out").features[CAMERA].shape == (32, 64, 3)


def test_transparent_video_lies_over_white(tmp_path: Path):
    frame = np.zeros((32, 48, 4), np.uint8)
    frame[:, 24:] = (200, 10, 30, 255)
    recording = ingest(
        make_video(tmp_path / "a.mov", [frame] * 2, codec="qtrle", pix_fmt="argb"), tmp_path / "out"
    )
    assert recording.frames([0])[0][5, 5].tolist() == [255, 255, 255]
    assert recording.frames([0])[0][5, 40].tolist() == [200, 10, 30]


def test_odd_sides_lose_a_line_only_as_video(tmp_path: Path):
    path = make_video(tmp_path / "a.mkv", grey_ramp(2, 33, 47), codec="ffv1", pix_fmt="bgr0")
    assert ingest(path, tmp_path / "images").features[CAMERA].shape == (33, 47, 3)
    assert ingest(path, tmp_path / "video", video=True).features[CAMERA].shape == (32, 46, 3)


def test_size_and_square(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", grey_ramp(3))
    assert ingest(path, tmp_path / "a", size=16).features[CAMERA].shape == (16, 24, 3)
    recording = ingest(path, tmp_path / "b", size=16, square=True)
    assert recording.features[CAMERA].shape == (16, 16, 3)
    assert episodes(recording) == [[0, 1, 2]]


def test_folder_in_natural_order_with_categories(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for name in ("cup/take10.mp4", "cup/take2.mp4", "bowl/one/a.mp4"):
        make_video(tmp_path / "in" / name, grey_ramp(2))
    (tmp_path / "in" / "notes.txt").write_text("x")
    (tmp_path / "in" / "cup" / "._take2.mp4").write_bytes(b"resource fork")
    with caplog.at_level(logging.INFO):
        recording = ingest(tmp_path / "in", tmp_path / "in" / "recording")
    assert recording.facts["source"].tolist() == ["bowl/one/a.mp4", "cup/take2.mp4", "cup/take10.mp4"]
    assert recording.facts["category"].tolist() == ["bowl", "cup", "cup"]
    assert "1 files are no video files and left out (1 × .txt)" in caplog.text


def test_one_rate_for_all_files(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    make_video(tmp_path / "in" / "a.mp4", grey_ramp(4), fps=10)
    make_video(tmp_path / "in" / "b.mp4", grey_ramp(8), fps=20)
    with caplog.at_level(logging.INFO):
        recording = ingest(tmp_path / "in", tmp_path / "out")
    assert recording.fps == 10
    assert episodes(recording) == [[0, 1, 2, 3], [0, 2, 4, 6]]
    assert (
        "the recording has 10 frames per second; 1 files are resampled to that (b.mp4 has 20)" in caplog.text
    )


@pytest.mark.parametrize(
    ("count", "lengths"), [(9, [4, 4]), (10, [4, 4, 2]), (3, [3]), (1, [1]), (8, [4, 4])]
)
def test_clips(tmp_path: Path, count: int, lengths: list[int]):
    path = make_video(tmp_path / "a.mp4", grey_ramp(count))
    recording = ingest(path, tmp_path / "out", clip_s=0.4)
    assert np.diff(recording.episode_starts).tolist() == lengths
    assert recording.facts["start_s"].tolist() == [0.4 * i for i in range(len(lengths))]
    assert list(chain(*episodes(recording))) == list(range(sum(lengths)))


def test_links_are_followed_but_not_in_circles(tmp_path: Path):
    make_video(tmp_path / "elsewhere" / "1 %03d:é.mp4", grey_ramp(2))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cup").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in", target_is_directory=True)
    recording = ingest(tmp_path / "in", tmp_path / "out")
    assert recording.facts["source"].tolist() == ["cup/1 %03d:é.mp4"]
    assert episodes(recording) == [[0, 1]]


def test_progress_ends_where_all_is_done(tmp_path: Path):
    make_video(tmp_path / "in" / "a.mp4", grey_ramp(4))
    make_video(tmp_path / "in" / "b.mp4", grey_ramp(6))
    told: list[tuple[int, int]] = []
    ingest(tmp_path / "in", tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told[0] == (1, 10)
    assert told[-1] == (10, 10)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


_KILLED = """
import os, signal, sys
from pathlib import Path
from handsight.sources import ingest_video
def progress(done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
clip_s = float(sys.argv[4]) or None
video = sys.argv[5] == "video"
ingest_video(Path(sys.argv[1]), Path(sys.argv[2]), clip_s=clip_s, video=video, progress=progress)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize(
    ("killed_at", "clip_s", "kind"), [(8, 0.0, "images"), (7, 0.4, "video"), (10, 0.3, "images")]
)
def test_goes_on_after_a_kill(tmp_path: Path, killed_at: int, clip_s: float, kind: str):
    for name in ("a", "b", "c"):
        make_video(tmp_path / "in" / f"{name}.mp4", grey_ramp(6))
    environment = {**os.environ, "PYTHONPATH": str(Path(handsight.errors.__file__).parents[1])}
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "in"), str(tmp_path / "out")]
    killed = subprocess.run([*command, str(killed_at), str(clip_s), kind], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    options = {"clip_s": clip_s or None, "video": kind == "video"}
    resumed = ingest(tmp_path / "in", tmp_path / "out", **options)
    straight = ingest(tmp_path / "in", tmp_path / "straight", **options)
    assert resumed.facts["source"].tolist() == straight.facts["source"].tolist()
    assert resumed.facts["start_s"].tolist() == straight.facts["start_s"].tolist()
    assert episodes(resumed) == episodes(straight)


def test_again_takes_in_what_came_since_and_nothing_twice(tmp_path: Path):
    make_video(tmp_path / "in" / "b.mp4", grey_ramp(4))
    ingest(tmp_path / "in", tmp_path / "out", clip_s=0.2)
    assert ingest(tmp_path / "in", tmp_path / "out", clip_s=0.2).num_episodes == 2
    make_video(tmp_path / "in" / "a.mp4", grey_ramp(8), fps=20)
    recording = ingest(tmp_path / "in", tmp_path / "out", clip_s=0.2)
    assert recording.fps == 10  # that of the recording, though the new file comes first
    assert recording.facts["source"].tolist() == ["b.mp4", "b.mp4", "a.mp4", "a.mp4"]
    assert episodes(recording) == [[0, 1], [2, 3], [0, 2], [4, 6]]


def refused(message: str, source: Path, out: Path, **options: object) -> None:
    with pytest.raises(HandsightError, match=re.escape(message)) as caught:
        ingest_video(source, out, **options)
    assert "\n" not in str(caught.value)


def test_other_options_are_refused_when_going_on(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", grey_ramp(3))
    ingest(path, tmp_path / "out")
    refused(
        "was ingested with size not given, now 16 is asked for", path, tmp_path / "out", size=16, video=False
    )
    refused("was ingested with video false, now true is asked for", path, tmp_path / "out")


def test_recording_of_something_else_is_refused(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", grey_ramp(3))
    with Writer(tmp_path / "out", {"state": Feature("float32", (1,))}, 10) as writer:
        writer.add_episode({"state": np.zeros(3, np.float32)})
    refused("is a recording of something else; give a new folder", path, tmp_path / "out", video=False)


def test_missing_and_empty_sources(tmp_path: Path):
    refused(
        "nowhere is not there; give a file, or a folder of video files",
        tmp_path / "nowhere",
        tmp_path / "out",
    )
    (tmp_path / "in").mkdir()
    refused("in holds no files; known endings are .avi .flv", tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "a.txt").write_text("x")
    refused("in holds no video files among its 1; known endings are .avi", tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_options_out_of_range(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", grey_ramp(2))
    refused("fps is 0; it must be above zero", path, tmp_path / "out", fps=0)
    refused("clip_s is nan; it must be above zero", path, tmp_path / "out", clip_s=float("nan"))
    refused("size is 15 px; it must be above zero, and even for video", path, tmp_path / "out", size=15)
    assert not (tmp_path / "out").exists()


def test_frame_rate_that_is_a_clock_is_refused(tmp_path: Path):
    path = make_video(tmp_path / "a.mkv", grey_ramp(2), codec="mpeg4", fps=1000)
    refused("a.mkv states 1000 frames per second; give --fps", path, tmp_path / "out")
    assert ingest(path, tmp_path / "out", fps=10).num_frames == 1


def test_files_that_differ_in_size(tmp_path: Path):
    make_video(tmp_path / "in" / "a.mp4", grey_ramp(2))
    make_video(tmp_path / "in" / "b.mp4", grey_ramp(2, 48, 32))
    message = "b.mp4 would be 32 × 48 px, but a.mp4 48 × 32 px; a recording has one size: "
    refused(message + "give --size and", tmp_path / "in", tmp_path / "out")
    refused("give --square true", tmp_path / "in", tmp_path / "out", size=16)
    assert not (tmp_path / "out").exists()
    assert ingest(tmp_path / "in", tmp_path / "out", size=16, square=True).num_episodes == 2


def broken_files(folder: Path) -> dict[str, str]:
    """One whole file, and broken ones with what is said of them."""
    make_video(folder / "a.mp4", grey_ramp(4))
    (folder / "b.mp4").write_bytes((folder / "a.mp4").read_bytes()[:400])
    (folder / "c.mkv").write_bytes(b"not a video at all")
    (folder / "d.mkv").write_bytes(b"")
    with av.open(str(folder / "e.mkv"), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
    return {
        "b.mp4": "cannot be opened as a video",
        "c.mkv": "cannot be opened as a video",
        "d.mkv": "cannot be opened as a video",
        "e.mkv": "has no video stream",
    }


def test_broken_files_are_refused_by_name_before_anything_is_written(tmp_path: Path):
    for name, fault in broken_files(tmp_path / "in").items():
        with pytest.raises(HandsightError, match=rf"{re.escape(name)} {fault}.*; mend or remove it"):
            ingest_video(tmp_path / "in" / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_broken_files_are_left_out_and_named_where_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    faults = broken_files(tmp_path / "in")
    recording = ingest(tmp_path / "in", tmp_path / "out", skip_broken=True)
    assert recording.facts["source"].tolist() == ["a.mp4"]
    for name, fault in faults.items():
        assert re.search(rf"left out: .*{re.escape(name)} {fault}", caplog.text)
    assert "4 files were broken and left out" in caplog.text
    (tmp_path / "in" / "a.mp4").unlink()
    refused(
        "none of the 4 files could be read; the first: ",
        tmp_path / "in",
        tmp_path / "other",
        skip_broken=True,
    )


def test_file_that_breaks_off_keeps_nothing_but_its_whole_clips(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 255, (40, 32, 48, 3), dtype=np.uint8)
    path = make_video(tmp_path / "in" / "b.mkv", noise, codec="mpeg4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    make_video(tmp_path / "in" / "a.mp4", grey_ramp(4))
    make_video(tmp_path / "in" / "c.mp4", grey_ramp(4))
    refused("b.mkv breaks off after", tmp_path / "in", tmp_path / "out", video=False)
    assert Recording(tmp_path / "out").facts["source"].tolist() == ["a.mp4"]
    recording = ingest(tmp_path / "in", tmp_path / "out", skip_broken=True)
    assert recording.facts["source"].tolist() == ["a.mp4", "c.mp4"]
    clips = ingest(tmp_path / "in", tmp_path / "clips", skip_broken=True, clip_s=0.8)
    assert clips.facts["source"].tolist().count("b.mkv") >= 1
    assert set(np.diff(clips.episode_starts)[clips.facts["source"] == "b.mkv"]) == {8}
    assert "b.mkv breaks off after" in caplog.text


def test_real_video(tmp_path: Path, real_video: Path):
    recording = ingest(real_video, tmp_path / "out", size=64)
    assert (recording.num_frames, recording.fps) == (310, 30)
    assert recording.features[CAMERA].shape == (64, 114, 3)
    with av.open(str(real_video)) as container:
        frame = [frame for frame, _ in zip(container.decode(video=0), range(201), strict=False)][-1]
        reference = frame.to_ndarray(width=114, height=64, format="rgb24", interpolation="AREA")
    assert np.abs(recording.frames([200])[0].astype(int) - reference).mean() < 4
