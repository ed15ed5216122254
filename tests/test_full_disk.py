"""A disk that is really full: one line, an exit status, nothing lost, and on it goes once there is room."""

import shutil
import subprocess
from pathlib import Path

import pytest

from handsight.recordings import Recording
from handsight.training import read_log
from nursery import Nursery

TINY = ("--image-size", "16", "--encoder-options", '{"channels": [4, 4, 8, 8], "stem_width": 4}')
UNSHARED = ("unshare", "--user", "--map-root-user", "--mount")


class Disk:
    """A file system of a size that can be changed, where only the commands of `run` see it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._nursery = Nursery(
            "handsight.commands.data",
            "handsight.commands.pretraining",
            "handsight.commands.measuring",
            "handsight.commands.handing",
            "handsight.export",
            "handsight.report",
            "handsight.training.events",
            within=UNSHARED,
        )
        self.shell(f"mount -t tmpfs -o size=4k tmpfs {folder}")

    def shell(self, command: str) -> None:
        status, said = self._nursery.run(shell=command)
        assert status == 0, said

    def size(self, kilobytes: int) -> None:
        """Make it so large, whatever is on it."""
        self.shell(f"mount -o remount,size={kilobytes}k {self.folder}")

    def run(self, *command: object, **options) -> tuple[int, str]:
        return self._nursery.run(*command, **options)

    def full(self, *command: object, **options) -> str:
        """Check that a command ends with one clear line, and return it."""
        status, said = self.run(*command, **options)
        lines = [line for line in said.splitlines() if line.startswith("handsight: ")]
        assert status == 2, said
        assert "Traceback" not in said
        assert "full" in lines[-1] or "room" in lines[-1] or "free" in lines[-1], said
        return lines[-1]

    def copied(self, to: Path) -> Path:
        """Copy everything on it to where the test can see it."""
        self.shell(f"cp -a {self.folder} {to}")
        return to

    def empty(self) -> None:
        self.shell(f"rm -rf {self.folder}/*")

    def close(self) -> None:
        self._nursery.close()


@pytest.fixture(scope="module")
def one_disk(tmp_path_factory):
    probe = [*UNSHARED, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path_factory.mktemp("probe"))]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("no user namespace here to mount a small file system in")
    disk = Disk(tmp_path_factory.mktemp("disk"))
    yield disk
    disk.close()


@pytest.fixture
def disk(one_disk):
    yield one_disk
    one_disk.empty()


@pytest.fixture(scope="module")
def finished(one_disk, shapes_folder, tmp_path_factory):
    """A run that is done."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    options = ["--data", shapes_folder, "--out", folder, "--steps", "3", "--batch-size", "12", *TINY]
    environment = {"HANDSIGHT_CACHE": str(folder.parent / "cache")}
    status, said = one_disk.run("pretrain", "simclr", *options, environment=environment)
    assert status == 0, said
    return folder


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("camera", ["png", "mp4"])
def test_collect(disk, tmp_path, camera):
    options = ["--count", "12", "--views", "4", "--image-size", "32", "--workers", "1"]
    options += ["--video", "true"] if camera == "mp4" else []
    assert disk.run("collect", "turntable", "--out", tmp_path / "whole", *options)[0] == 0
    kilobytes = sum(map(len, files(tmp_path / "whole").values())) // 1024
    out = disk.folder / "data"
    for share in (0, 0.2, 0.6, 1.2):  # the folder itself; an episode; another; the shards beside the journal
        disk.size(4 + int(share * kilobytes))
        assert "data" in disk.full("collect", "turntable", "--out", out, *options)
    disk.size(8 * kilobytes)
    assert disk.run("collect", "turntable", "--out", out, *options)[0] == 0
    assert files(disk.copied(tmp_path / "copy") / "data") == files(tmp_path / "whole")


def test_pretrain(disk, shapes_folder, tmp_path):
    options = ["--data", shapes_folder, "--steps", "6", "--batch-size", "12", *TINY]
    options += ["--log-every", "1", "--checkpoint-every", "2"]
    assert disk.run("pretrain", "action-aware", "--out", tmp_path / "whole", *options)[0] == 0
    checkpoint = (tmp_path / "whole" / "checkpoints" / "step-000000006.pt").stat().st_size // 1024
    out, said = disk.folder / "run", []
    # Nothing fits; the settings; events or log; a checkpoint; not two; the last, and not the encoder.
    for kilobytes in (4, 8, 12, 16, checkpoint // 2, checkpoint + 40, 2 * checkpoint + 24):
        disk.size(kilobytes)
        said.append(disk.full("pretrain", "action-aware", "--out", out, *options))
    print(*said, sep="\n")
    assert len({line.split("(")[0] for line in said}) >= 4
    disk.size(8 * checkpoint)
    assert disk.run("pretrain", "action-aware", "--out", out, *options)[0] == 0
    run = disk.copied(tmp_path / "copy") / "run"
    assert losses(run) == losses(tmp_path / "whole")
    for name in ("encoder.safetensors", "encoder.json"):
        assert (run / "encoder" / name).read_bytes() == (tmp_path / "whole" / "encoder" / name).read_bytes()


def losses(folder: Path) -> list[dict]:
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in read_log(folder)]


def test_caches_of_frames_and_of_streams(disk, shapes_folder, tmp_path):
    options = ["--data", shapes_folder, "--steps", "2", "--batch-size", "12", *TINY]
    frames = Recording(shapes_folder).num_frames * 16 * 16 * 3 // 1024
    environment = {"HANDSIGHT_CACHE": str(disk.folder / "cache")}
    for kilobytes in (4, frames // 2, frames):  # nothing, half the frames, the frames and no stream
        disk.size(kilobytes)
        line = disk.full(
            "pretrain", "action-aware", "--out", tmp_path / "run", *options, environment=environment
        )
        assert "cache" in line
    disk.size(4 * frames)
    command = ["pretrain", "action-aware", "--out", tmp_path / "run", *options]
    assert disk.run(*command, environment=environment)[0] == 0


@pytest.mark.parametrize("to", ["timm", "safetensors"])
def test_export(disk, finished, to):
    command = ["export", finished, "--to", to, "--out", disk.folder / "given"]
    for kilobytes in (4, 12, 40):
        disk.size(kilobytes)
        assert "given" in disk.full(*command)
    disk.size(2000)
    assert disk.run(*command)[0] == 0


def test_evaluate_and_report(disk, finished):
    disk.size(2000)
    disk.shell(f"cp -a {finished} {disk.folder}/run; du -sk {disk.folder}/run; df -k {disk.folder}")
    run = disk.folder / "run"
    disk.shell(f"head -c 1900k /dev/zero > {disk.folder}/filler 2>/dev/null || true")
    assert str(run) in disk.full("evaluate", run, "--controls", "false")
    assert str(run) in disk.full("report", run)
    disk.shell(f"rm {disk.folder}/filler")
    assert disk.run("evaluate", run, "--controls", "false")[0] == 0
    assert disk.run("report", run)[0] == 0


def test_ingest(disk, tmp_path):
    import cv2
    import numpy as np

    pictures = tmp_path / "pictures" / "thing"
    pictures.mkdir(parents=True)
    for number in range(12):
        noise = np.random.default_rng(number).integers(0, 256, (48, 48, 3), dtype=np.uint8)
        cv2.imwrite(str(pictures / f"{number}.png"), noise)
    for kilobytes in (4, 24):
        disk.size(kilobytes)
        assert "data" in disk.full("ingest", "images", tmp_path / "pictures", disk.folder / "data")
    disk.size(2000)
    assert disk.run("ingest", "images", tmp_path / "pictures", disk.folder / "data")[0] == 0
    assert disk.run("check", disk.folder / "data")[0] == 0
