"""Two processes give one process's loss and gradients."""

import torch
from torch import distributed as dist
from torch import multiprocessing, nn

from handsight.errors import HandsightError
from handsight.objectives import nt_xent
from handsight.objectives.gather import gather, world

PROCESSES, BATCH, SIZE = 2, 6, 5


def model_and_batch():
    generator = torch.Generator().manual_seed(3)
    model = nn.Linear(SIZE, 4).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    first, second = torch.randn(2, BATCH, SIZE, generator=generator, dtype=torch.float64)
    return model, first, second


def one_process(rank, meeting_file, results):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting_file}", rank=rank, world_size=PROCESSES)
    try:
        model, first, second = model_and_batch()
        part = slice(rank * BATCH // PROCESSES, (rank + 1) * BATCH // PROCESSES)
        loss = nt_xent(model(first[part]), model(second[part]))
        loss.backward()
        # What distributed data parallel training does with gradients.
        for parameter in model.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= PROCESSES
        try:
            gather(torch.ones(1 + rank, 2))
            message = "accepted"
        except HandsightError as error:
            message = str(error)
        torch.save((loss.detach(), [p.grad for p in model.parameters()], message), f"{results}/{rank}.pt")
    finally:
        dist.destroy_process_group()


def test_two_processes_give_one_processs_loss_and_gradients(tmp_path):
    multiprocessing.spawn(one_process, args=(tmp_path / "meeting", tmp_path), nprocs=PROCESSES)
    losses, gradients, messages = zip(
        *(torch.load(tmp_path / f"{rank}.pt") for rank in range(PROCESSES)), strict=True
    )

    model, first, second = model_and_batch()
    whole = nt_xent(model(first), model(second))
    whole.backward()
    torch.testing.assert_close(torch.stack(losses).mean(), whole.detach())
    for rank in range(PROCESSES):
        for distributed, alone in zip(gradients[rank], model.parameters(), strict=True):
            torch.testing.assert_close(distributed, alone.grad)
    assert set(messages) == {
        "the processes hold [1, 2] embeddings; give each the same number (drop the last, incomplete batch)"
    }


def test_one_process_gathers_itself():
    rows = torch.ones(3, 2)
    assert world() == (0, 1)
    assert gather(rows) is rows
