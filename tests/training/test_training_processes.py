"""Several processes do what one does."""

import os
import subprocess
import sys

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from handsight.methods import METHODS
from handsight.training import pretrain, read_log

NAMES = ("simclr", "action-aware")
SETTINGS = {"steps": 4, "batch_size": 12, "log_every": 1, "accelerator": "cpu"}

SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from test_training_processes import NAMES, normalise_a_part, train
data, out = Path(sys.argv[2]), Path(sys.argv[3])
for name in NAMES:
    train(data, out / name, name)
normalise_a_part(out)
torch.distributed.destroy_process_group()
"""


def train(data, out, name):
    from handsight.recordings import Recording

    torch.manual_seed(0)
    options = {"channels": [4, 4, 8, 8], "stem_width": 4}
    pretrain(METHODS[name]("resnet18", 16, options), Recording(data), out=out, **SETTINGS)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.BatchNorm2d(4),
        BatchNormAct2d(4),
        nn.Flatten(),
        nn.BatchNorm1d(64, affine=False),
    )


def loss_weights(rows: int) -> torch.Tensor:
    return torch.arange(rows * 64, dtype=torch.float32).view(rows, 64).sin()


def normalise_a_part(folder) -> None:
    from handsight.training.processes import synchronise_batch_norm

    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    norms = network()
    synchronise_batch_norm(norms)
    images = torch.load(folder / "images.pt")
    mine = images.chunk(size)[rank].clone().requires_grad_()
    out = norms(mine)
    (out * loss_weights(len(images)).chunk(size)[rank]).sum().backward()
    part = {"out": out.detach(), "grad": mine.grad, "state": norms.state_dict()}
    torch.save(part, folder / f"part-{rank}.pt")


@pytest.fixture(scope="module")
def two_processes(shapes_folder, tmp_path_factory):
    """Folder in which two processes of one torchrun trained both methods and normalised a batch."""
    folder = tmp_path_factory.mktemp("two")
    images = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 3 + 5
    torch.save(images, folder / "images.pt")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HANDSIGHT_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [*torchrun, str(script), os.path.dirname(__file__), str(shapes_folder), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_give_the_losses_of_one(name, two_processes, shapes_folder, tmp_path):
    train(shapes_folder, tmp_path / "one", name)
    one, two = read_log(tmp_path / "one"), read_log(two_processes / name)
    assert len(one) == len(two) == 4
    losses = {"simclr": ("contrast",), "action-aware": ("contrast", "action")}[name]
    for alone, together in zip(one, two, strict=True):
        for key in losses:
            assert together[key] == pytest.approx(alone[key], abs=1e-5), (key, alone["step"])


def test_batch_norm_over_processes_equals_batch_norm_over_the_whole_batch(two_processes):
    norms = network()
    whole = torch.load(two_processes / "images.pt").requires_grad_()
    out = norms(whole)
    (out * loss_weights(len(whole))).sum().backward()
    parts = [torch.load(two_processes / f"part-{rank}.pt") for rank in range(2)]
    torch.testing.assert_close(torch.cat([part["out"] for part in parts]), out.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat([part["grad"] for part in parts]), whole.grad, atol=1e-5, rtol=1e-4)
    for key, value in norms.state_dict().items():
        torch.testing.assert_close(parts[0]["state"][key], value, atol=1e-5, rtol=1e-5)
