"""What each process of a torchrun does: every method builds its weights, gives a loss, trains a little."""

import hashlib
import json
import logging
import sys
import warnings
from pathlib import Path

import torch
from methods_table import METHODS

from handsight.methods import Method
from handsight.recordings import Clips, Recording, Sampler
from handsight.training import pretrain
from handsight.training.batches import Batches

SETTINGS = {
    "steps": 2,
    "batch_size": 12,
    "optimiser": "sgd",
    "learning_rate": 0.01,
    "log_every": 1,
    "accelerator": "cpu",
}
"""Plain descent: AdamW's steps are as large where gradients are nothing but rounding, and as large where the
processes added theirs up instead of averaging them. From the third step on rounding has grown past 1e-5 in
networks this small.
"""


def build(name: str, network: dict) -> Method:
    torch.manual_seed(0)
    return METHODS[name].method(**network, **METHODS[name].options)


def fingerprint(name: str, network: dict, recording: Recording) -> list[str]:
    """Return a digest of a fresh method's weights, and the losses of its first batch, bit for bit."""
    method = build(name, network)
    sampler = Sampler(Clips([recording], size=method.encoder.image_size), method.needs, 8, seed=0)
    method.prepare(sampler)
    batches = Batches(sampler, method, 0, torch.device("cpu"))
    drawn = batches.get(3, 0, 1, None)
    batches.close()
    weights = hashlib.sha256()
    for key, value in method.state_dict().items():
        weights.update(key.encode() + value.numpy().tobytes())
    losses = [loss.item().hex() for group in method.losses(drawn) for loss in group.values()]
    return [weights.hexdigest(), *losses]


def train(name: str, network: dict, recording: Path, out: Path) -> Path:
    return pretrain(build(name, network), Recording(recording), out=out, **SETTINGS)


def main(given: Path, out: Path) -> None:
    """Do it with the network and the recordings that `given` names; each process writes what it found."""
    torch.set_num_threads(1)
    network, recordings = json.loads(given.read_text())
    prints = {name: fingerprint(name, network, Recording(path)) for name, path in recordings.items()}
    for name, path in recordings.items():
        train(name, network, Path(path), out / name)
    (out / f"prints-{torch.distributed.get_rank()}.json").write_text(json.dumps(prints))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable()
    main(Path(sys.argv[1]), Path(sys.argv[2]))
