"""Several processes do what one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from handsight.training import read_log

SCRIPT = """
import sys, torch
import handsight
from handsight.recordings import Recording
from handsight.methods import METHODS
from handsight.training import pretrain
torch.set_num_threads(1)
data, out, name = sys.argv[1:]
torch.manual_seed(0)
method = METHODS[name]("resnet18", 16, {"channels": [4, 4, 8, 8], "stem_width": 4})
pretrain(method, Recording(data), out=out, steps=4, batch_size=12, log_every=1, accelerator="cpu", accumulate=1)
"""


def train(data: Path, out: Path, name: str, processes: int) -> list[dict[str, float]]:
    script = out.with_suffix(".py")
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else [sys.executable]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([*launcher, str(script), str(data), str(out), name], env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return read_log(out)


@pytest.mark.parametrize("name", ["simclr", "action-aware"])
def test_two_processes_give_the_losses_of_one(name, shapes_folder, tmp_path):
    one = train(shapes_folder, tmp_path / "one", name, 1)
    two = train(shapes_folder, tmp_path / "two", name, 2)
    assert len(one) == len(two) == 4
    for alone, together in zip(one, two, strict=True):
        for key in ("contrast", "action"):
            if key in alone:
                assert together[key] == pytest.approx(alone[key], abs=1e-5), (key, alone["step"])


def _normalise_in_parts(rank: int, size: int, port: int, folder: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=size)
    from handsight.training.processes import synchronise_batch_norm

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), BatchNormAct2d(4), nn.Flatten(), nn.BatchNorm1d(64, affine=False))
    synchronise_batch_norm(network)
    images = torch.load(f"{folder}/images.pt")
    mine = images.chunk(size)[rank].clone().requires_grad_()
    out = network(mine)
    (out * torch.arange(out.numel() * size, dtype=torch.float32).view(-1, 64).chunk(size)[rank].sin()).sum().backward()
    torch.save({"out": out.detach(), "grad": mine.grad, "state": network.state_dict()}, f"{folder}/part-{rank}.pt")
    torch.distributed.destroy_process_group()


def test_batch_norm_over_processes_equals_batch_norm_over_the_whole_batch(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    images = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 3 + 5
    torch.save(images, tmp_path / "images.pt")
    torch.multiprocessing.spawn(_normalise_in_parts, args=(2, port, str(tmp_path)), nprocs=2)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), BatchNormAct2d(4), nn.Flatten(), nn.BatchNorm1d(64, affine=False))
    whole = images.clone().requires_grad_()
    out = network(whole)
    (out * torch.arange(out.numel(), dtype=torch.float32).view(-1, 64).sin()).sum().backward()
    parts = [torch.load(tmp_path / f"part-{rank}.pt") for rank in range(2)]
    torch.testing.assert_close(torch.cat([part["out"] for part in parts]), out.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat([part["grad"] for part in parts]), whole.grad, atol=1e-5, rtol=1e-4)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(parts[0]["state"][key], value, atol=1e-5, rtol=1e-5)
