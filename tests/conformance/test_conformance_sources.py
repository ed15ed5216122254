"""What every source keeps to: each has a line in `sources_table.SOURCES` and goes through all this."""

import hashlib
import inspect
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conformance_checks import check_arguments, check_range, global_randomness, one_line, same_content
from sources_table import SOURCES

from handsight.errors import HandsightError
from handsight.recordings import Clips, Feature, Needs, Recording, Sampler, Writer, check
from handsight.sources import SOURCES as KNOWN

EVERY = pytest.mark.parametrize("name", SOURCES)
AWKWARD = "Küche 100%d é 日本 [a] (2)"
"""Everything below a folder of this name: blanks, other scripts, what shells and FFmpeg take for patterns."""


def ingest(name, source, out, **more) -> Path:
    case = SOURCES[name]
    return case.ingest(source, out, **case.options, **more)


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, and what it holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Function of a source's name: its small input, made once and not to be changed."""
    known: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in known:
            known[name] = tmp_path_factory.mktemp("sources") / AWKWARD / "input"
            known[name].parent.mkdir()
            SOURCES[name].make(known[name])
        return known[name]

    return make


@pytest.fixture(scope="session")
def whole(made, tmp_path_factory):
    """Function of a source's name: its recording, what `progress` was told, copies as a kill leaves it."""
    known: dict[str, tuple[Path, list[tuple[int, int]], list[Path]]] = {}

    def run(name: str) -> tuple[Path, list[tuple[int, int]], list[Path]]:
        if name not in known:
            folder = tmp_path_factory.mktemp("ingested") / AWKWARD
            out, told, kills = folder / "recording", [], []

            def progress(done: int, total: int) -> None:
                # What a kill at this moment would leave on the disk.
                kills.append(folder / f"killed-{len(told)}")
                shutil.copytree(out, kills[-1])
                told.append((done, total))

            assert ingest(name, made(name), out, progress=progress) == out
            known[name] = out, told, kills
        return known[name]

    return run


def test_every_source_has_a_line_in_the_table():
    missing = set(KNOWN.values()) - {case.ingest for case in SOURCES.values()}
    assert not missing, "add it to sources_table.SOURCES"


@EVERY
def test_every_option_is_documented_typed_and_has_a_default(name):
    check_arguments(SOURCES[name].ingest, positional=2)
    parameters = list(inspect.signature(SOURCES[name].ingest).parameters.values())
    assert [parameter.name for parameter in parameters[:2]] == ["source", "out"]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters[2:])
    assert parameters[-1].name == "progress"


@EVERY
def test_the_recording_is_whole_and_holds_the_sources_episodes(name, whole):
    case, path = SOURCES[name], whole(name)[0]
    assert check(path, thorough=True) == []
    recording = Recording(path)
    lengths = np.diff(recording.episode_starts)
    found = list(zip(recording.facts["source"].tolist(), lengths.tolist(), strict=True))
    if "clip_s" in case.options:
        clip_n = round(case.options["clip_s"] * case.fps)
        wanted = [(source, clip_n) for source, n in case.episodes.items() for _ in range(n // clip_n)]
    else:
        wanted = list(case.episodes.items())
    assert found == wanted
    assert recording.fps == case.fps
    streams = {key: feature for key, feature in recording.features.items() if not feature.is_camera}
    assert tuple(streams) == case.streams
    for key, feature in streams.items():
        check_range(key, feature, recording.stream(key))
        assert feature.between is not None, key
    for (camera,) in [recording.cameras]:
        frames = recording.frames(range(recording.num_frames), camera)
        assert len(np.unique(frames.reshape(len(frames), -1), axis=0)) > 1


@EVERY
def test_a_batch_can_be_drawn(name, whole):
    recording, case = Recording(whole(name)[0]), SOURCES[name]
    need = Needs(frames=2, views=2, between=dict.fromkeys(case.streams), facts=("source",))
    batch = Sampler(Clips([recording], split=None, size=16), {"pair": need}, 4, seed=0).batch("pair", 0)
    assert batch["frames"].dtype == torch.uint8
    assert min(batch["frames"].shape[-2:]) == 16
    for stream in case.streams:
        assert batch[stream].dtype == torch.float32
        assert batch[stream].isfinite().all()


@EVERY
def test_the_same_call_makes_the_same_bytes_and_leaves_source_and_randomness_alone(
    name, made, whole, tmp_path, monkeypatch
):
    source = made(name)
    before = tree(source), {path: path.stat().st_mtime_ns for path in source.rglob("*")}, global_randomness()
    monkeypatch.chdir(source.parent)
    out = ingest(name, Path(source.name), tmp_path / "again")
    after = tree(source), {path: path.stat().st_mtime_ns for path in source.rglob("*")}, global_randomness()
    assert before == after
    assert tree(out) == tree(whole(name)[0])


@EVERY
def test_progress_grows_to_its_end(name, whole):
    told = whole(name)[1]
    assert told
    for (done, total), (then, total_then) in pairwise(told):
        assert 0 <= done <= total
        assert done <= then
        assert total <= total_then or then == total_then
    assert told[-1][0] == told[-1][1]


@EVERY
def test_what_was_killed_goes_on_to_the_same_recording(name, made, whole):
    path, _, kills = whole(name)
    for killed in (kills[0], kills[len(kills) // 2], kills[-1]):
        assert ingest(name, made(name), killed) == killed
        assert check(killed) == []
        same_content(killed, path)


@EVERY
def test_what_was_interrupted_goes_on_to_the_same_recording(name, made, whole, tmp_path):
    told = whole(name)[1]

    def interrupt(done: int, total: int) -> None:
        if done >= told[len(told) // 2][0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(name, made(name), tmp_path / "out", progress=interrupt)
    same_content(ingest(name, made(name), tmp_path / "out"), whole(name)[0])


@EVERY
def test_what_is_complete_stays_as_it_is(name, made, whole):
    path = whole(name)[0]
    before, told = tree(path), []
    ingest(name, made(name), path, progress=lambda *now: told.append(now))
    assert tree(path) == before
    assert all(done <= total for done, total in told)


@EVERY
def test_going_on_with_other_options_is_refused(name, made, whole):
    path, case = whole(name)[0], SOURCES[name]
    before = tree(path)
    option, value = next(
        (option, value)
        for option, value in (("size", 8), ("fps", 3.0))
        if option in inspect.signature(case.ingest).parameters
    )
    with pytest.raises(HandsightError, match=f"{option} .*give a new folder") as caught:
        case.ingest(made(name), path, **{**case.options, option: value})
    one_line(caught.value)
    assert tree(path) == before


@EVERY
@pytest.mark.parametrize("kind", ["a folder of files", "a file", "another recording"])
def test_a_place_that_is_taken_is_refused_and_left_alone(name, kind, made, tmp_path):
    out = tmp_path / "out"
    if kind == "a folder of files":
        out.mkdir()
        (out / "mine.txt").write_text("keep me")
    elif kind == "a file":
        out.write_text("keep me")
    else:
        with Writer(out, {"action": Feature("float32", (1,))}, 10) as writer:
            writer.add_episode({"action": np.zeros((2, 1), np.float32)})
    before = tree(tmp_path)
    with pytest.raises(HandsightError) as caught:
        ingest(name, made(name), out)
    assert "out" in one_line(caught.value)
    assert tree(tmp_path) == before


@EVERY
def test_a_source_that_is_missing_or_empty_is_refused_before_anything_is_written(name, tmp_path):
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(HandsightError) as caught:
            ingest(name, source, tmp_path / "out")
        assert source.name in one_line(caught.value)
        assert not (tmp_path / "out").exists()


def first_of_each_kind(folder: Path) -> list[Path]:
    kinds: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            kinds.setdefault(path.suffix, path)
    return [path.relative_to(folder) for path in kinds.values()]


def refusal(name, source, out, **more) -> str | None:
    """Return the line by which a source is refused; None where a recording of it is made."""
    try:
        ingest(name, source, out, **more)
    except HandsightError as error:
        return one_line(error)
    return None


@EVERY
@pytest.mark.parametrize("damage", ["removed", "emptied", "cut", "another kind"])
def test_a_damaged_file_is_named_and_the_recording_completed_once_it_is_mended(
    name, damage, made, whole, tmp_path
):
    """Where a source can do without the file, or is told to, it makes a clean recording of the rest."""
    for number, place in enumerate(first_of_each_kind(made(name))):
        folder = tmp_path / str(number)
        source, out = shutil.copytree(made(name), folder / "input"), folder / "out"
        content = (source / place).read_bytes()
        if damage == "removed":
            (source / place).unlink()
        else:
            kept = {"emptied": b"", "cut": content[: len(content) // 2], "another kind": b"no such thing\n"}
            (source / place).write_bytes(kept[damage])
        if "skip_broken" in inspect.signature(SOURCES[name].ingest).parameters:
            line = refusal(name, source, folder / "rest", skip_broken=True)
            assert line is not None or check(folder / "rest", thorough=True) == []
        line = refusal(name, source, out)
        if line is None:
            assert check(out, thorough=True) == []
            continue
        assert any(name in line for name in (place.name, place.parent.name, source.name) if name), line
        (source / place).write_bytes(content)
        same_content(ingest(name, source, out), whole(name)[0])


@EVERY
def test_the_recording_may_lie_in_the_sources_folder(name, made, whole, tmp_path):
    source = shutil.copytree(made(name), tmp_path / "input")
    for _ in range(2):
        same_content(ingest(name, source, source / "recording"), whole(name)[0])
