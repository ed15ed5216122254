"""What the processes of a test load: losses on parts of one batch, and little else, as each loads it anew."""

import torch
from objectives_table import LOSSES
from torch import distributed

BATCH = 6
PROCESSES = 2


def draw(case, batch=BATCH, seed=0, dtype=torch.float32, grad=False):
    """Return the inputs of a case; `grad` lets those that are floats have one."""
    tensors = case.inputs(batch, torch.Generator().manual_seed(seed))
    tensors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}
    return {k: v.requires_grad_() if grad and v.is_floating_point() else v for k, v in tensors.items()}


def floats(tensors):
    return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}


def scaled(case, part):
    """Return a case's loss on a part of the batch, with one weight per float input, and the weights."""
    inputs = {key: tensor[part] for key, tensor in draw(case, dtype=torch.float64).items()}
    weights = {
        key: torch.ones(tensor.shape[1:], dtype=tensor.dtype) for key, tensor in floats(inputs).items()
    }
    scaling = {key: inputs[key] * weight.requires_grad_() for key, weight in weights.items()}
    loss = case.loss(**inputs | scaling)
    loss.backward()
    return loss.detach(), {key: w.grad for key, w in weights.items() if w.grad is not None}


def one_process(rank, meeting_file, results):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting_file}", rank=rank, world_size=PROCESSES
    )
    try:
        share = BATCH // PROCESSES
        part = slice(rank * share, (rank + 1) * share)
        torch.save({name: scaled(case, part) for name, case in LOSSES.items()}, f"{results}/{rank}.pt")
    finally:
        distributed.destroy_process_group()
