"""Steps of lightly's own SimCLR on a folder of pictures, timed: ../training.py runs this in its environment.

Its example of SimCLR (examples/pytorch/simclr.py) with what lightly recommends: its dataset, transform, head,
loss and optimiser, PyTorch's loader. `mixed` is Lightning's switch `precision="bf16-mixed"`: autocast around
forward pass and loss.

    python lightly_steps.py '{"folder": …, "workers": 0, …}'      # arguments of `main`; one line of JSON
"""

import itertools
import json
import resource
import sys
import time
from importlib.metadata import version
from typing import Any

import torch
import torchvision
from lightly.data import LightlyDataset
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms.simclr_transform import SimCLRTransform
from torch import nn


class SimCLR(nn.Module):
    """A ResNet-18 without its classifier, and the head."""

    def __init__(self) -> None:
        super().__init__()
        resnet = torchvision.models.resnet18()
        self.backbone = nn.Sequential(*list(resnet.children())[:-1])
        self.projection_head = SimCLRProjectionHead(512, 512, 128)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Embed images for the contrast."""
        embedded: torch.Tensor = self.projection_head(self.backbone(images).flatten(start_dim=1))
        return embedded


def main(
    folder: str, size: int, batch_size: int, workers: int, precision: str, warm: int, steps: int
) -> dict[str, Any]:
    """Train, and return how long each step took after the first `warm` ones."""
    torch.manual_seed(0)
    model = SimCLR()
    loader = torch.utils.data.DataLoader(
        LightlyDataset(folder, transform=SimCLRTransform(input_size=size)),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
    )
    criterion = NTXentLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.06)
    ends, total = [], torch.zeros(())
    for (first, second), _, _ in loader:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = criterion(model(first), model(second))
        total += loss.detach()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        ends.append(time.perf_counter())
        # One more than is timed: the last batches are waited for with nothing to fetch meanwhile.
        if len(ends) == warm + steps + 1:
            break
    return {
        "steps_s": [after - before for before, after in itertools.pairwise(ends[warm - 1 : -1])],
        "loss": float(total) / len(ends),
        "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "versions": {name: version(name) for name in ("lightly", "torch", "torchvision")},
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
