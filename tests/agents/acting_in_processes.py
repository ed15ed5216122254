"""What each process of a torchrun does: train a method that acts, whose memory the processes share."""

import sys
from pathlib import Path

import torch
from test_agents_memory import TRAINING, blocks, method

import handsight as hs

SETTINGS = {**TRAINING, "optimiser": "sgd", "learning_rate": 1e-6}
"""Plain descent, as in the conformance suite: Adam's steps are as large where gradients are but rounding."""


def train(out: Path) -> Path:
    return hs.pretrain(method(), blocks(), out=out, **SETTINGS)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(Path(sys.argv[1]))
