"""Several processes do what one does."""

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import distributed, multiprocessing, nn

PROCESSES = 2


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


def normalise_a_part(rank, folder) -> None:
    from handsight.training.processes import synchronise_batch_norm

    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=PROCESSES)
    norms = network()
    synchronise_batch_norm(norms)
    images = torch.load(folder / "images.pt")
    mine = images.chunk(PROCESSES)[rank].clone().requires_grad_()
    out = norms(mine)
    (out * loss_weights(len(images)).chunk(PROCESSES)[rank]).sum().backward()
    part = {"out": out.detach(), "grad": mine.grad, "state": norms.state_dict()}
    torch.save(part, folder / f"part-{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """Folder in which two processes normalised a batch."""
    folder = tmp_path_factory.mktemp("two")
    images = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 3 + 5
    torch.save(images, folder / "images.pt")
    multiprocessing.spawn(normalise_a_part, args=(folder,), nprocs=PROCESSES)
    return folder


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
