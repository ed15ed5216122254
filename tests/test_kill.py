"""`kill -9` at ten moments of `collect` and of `pretrain`: what is resumed ends as what is left alone."""

import random
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from handsight.training import read_log
from nursery import Nursery

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills process groups")


@pytest.fixture(scope="module")
def nursery():
    started = Nursery(
        "handsight.commands.data",
        "handsight.commands.pretraining",
        "handsight.evaluation",
        "handsight.training.events",
    )
    yield started
    started.close()


def at_growth(path: Path, size: int, delay_s: float):
    """A moment: so much after a file has come to a size."""
    reached = []

    def come() -> bool:
        if not reached and path.exists() and path.stat().st_size >= size:
            reached.append(time.monotonic())
        return bool(reached) and time.monotonic() >= reached[0] + delay_s

    return come


def while_writing(folder: Path, pattern: str, skip: int = 0):
    """A moment: a file of this name is there, for the time it is being written; `skip` of them are let by."""
    seen: set[tuple[str, int]] = set()

    def come() -> bool:
        for path in folder.glob(pattern):
            try:
                seen.add((path.name, path.stat().st_ino))
            except FileNotFoundError:
                continue
        return len(seen) > skip

    return come


def after(seconds: float):
    """A moment: so long after the start."""
    started = time.monotonic()
    return lambda: time.monotonic() - started > seconds


def files(root: Path) -> dict[str, bytes]:
    """Every file of a recording, which are those of data, videos and meta."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(("camera", "kills"), [("png", 10), ("mp4", 5)])
def test_collect_killed_time_and_again_writes_the_same_files(nursery, tmp_path, camera, kills):
    """The whole process group is killed, and the parent alone, in turns; at work, and in sealing."""
    chance = random.Random(kills)
    # Enough that a fast machine, too, is still at it when its moment has come.
    options = ["--count", "96", "--views", "4", "--image-size", "32", "--workers", "2"]
    options += ["--video", "true"] if camera == "mp4" else []
    whole, root = tmp_path / "whole", tmp_path / "killed"
    assert nursery.run("collect", "turntable", "--out", whole, *options)[0] == 0
    expected = files(whole)
    assert {name.partition("/")[0] for name in expected} == {"data", "meta"} | (
        {"videos"} if camera == "mp4" else set()
    )
    size = sum(len(content) for name, content in expected.items() if name.startswith("data/"))
    journal = root / "journal" / "episodes.arrow"
    moments = [
        at_growth(journal, int(share * size), chance.uniform(0, 0.02))
        for share in sorted(chance.uniform(0, 0.8) for _ in range(kills - 3))
    ]
    moments += [while_writing(root, "*/**/*.partial", skip) for skip in (0, 1, 2)]
    ended = [
        nursery.run("collect", "turntable", "--out", root, *options, until=moment, group=turn % 2 == 0)
        for turn, moment in enumerate(moments)
    ]
    assert_killed(ended, kills - 2)  # a seal may be over before it is seen
    assert nursery.run("collect", "turntable", "--out", root, *options)[0] == 0
    assert files(root) == expected


def test_pretrain_killed_time_and_again_gives_the_same_losses_and_weights(nursery, shapes_folder, tmp_path):
    chance = random.Random(10)
    options = ["--data", str(shapes_folder), "--image-size", "16", "--batch-size", "12", "--steps", "60"]
    options += ["--encoder-options", '{"channels": [4, 4, 8, 8], "stem_width": 4}']
    options += ["--checkpoint-every", "4", "--log-every", "1"]
    whole, run = tmp_path / "whole", tmp_path / "killed"
    assert nursery.run("pretrain", "action-aware", "--out", whole, *options)[0] == 0
    size = (whole / "log.jsonl").stat().st_size
    moments = [after(chance.uniform(0, 0.3)), while_writing(run, "*.partial")]
    moments += [
        at_growth(run / "log.jsonl", int(share * size), chance.uniform(0, 0.05))
        for share in sorted(chance.uniform(0, 0.9) for _ in range(4))
    ]
    moments += [while_writing(run / "checkpoints", "*.partial", skip) for skip in (1, 2)]
    moments += [
        while_writing(run / "checkpoints", "step-000000060.pt"),
        while_writing(run, "encoder/.*.part"),
    ]
    chance.shuffle(middle := moments[2:8])
    command = ["pretrain", "action-aware", "--out", run, *options]
    ended = [nursery.run(*command, until=moment) for moment in (*moments[:2], *middle, *moments[8:])]
    assert_killed(ended, 7)  # a file may be written before it is seen
    assert nursery.run(*command)[0] == 0
    assert losses(run) == losses(whole)
    assert [entry["step"] for entry in losses(run)] == list(range(60))
    for name in ("encoder.safetensors", "encoder.json"):
        assert (run / "encoder" / name).read_bytes() == (whole / "encoder" / name).read_bytes()
    assert_same(*(torch.load(f / "checkpoints" / "step-000000060.pt") for f in (run, whole)))
    names = [
        {p.relative_to(f).as_posix() for p in f.rglob("*") if p.is_file() and p.parent.name != "tensorboard"}
        for f in (run, whole)
    ]
    assert names[0] == names[1]


def assert_killed(ended: list[tuple[int, str]], least: int) -> None:
    """Check how commands ended: most were killed, and nothing was said but what belongs on a line."""
    assert {status for status, _ in ended} <= {0, -signal.SIGKILL}, ended
    assert [status for status, _ in ended].count(-signal.SIGKILL) >= least
    assert not any("Traceback" in said for _, said in ended)


def losses(folder: Path) -> list[dict]:
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in read_log(folder)]


def assert_same(one, other) -> None:
    """Compare what checkpoints hold, bit for bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    else:
        assert one == other
