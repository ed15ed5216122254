"""How many pictures a second does a segmenter look at: the network alone, the proposals alone, both?

    python benchmarks/segmenting.py [--image-size 300] [--batch-size 8] [--threads 2] [--device cpu]

Weights are random and every picture gets its full number of proposals, which is the most that it can cost.
The parts take turns; a rate is the best of the rounds, since what else runs can only slow it down, and the
median stands beside it. The process keeps the memory that it frees, as `pretrain` does.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from handsight.encoders import Encoder
from handsight.methods.segmenter import Segmenter
from handsight.objectives import InteractionHeads
from handsight.objectives.proposals import propose
from handsight.training.memory import freed_memory_kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--image-size", type=int, default=300, help="pixels")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    with freed_memory_kept(device), torch.no_grad():
        rates = measure(device, options.image_size, options.batch_size, options.rounds)
    for part, each in rates.items():
        print(f"{part:10} {max(each):8.1f} pictures/s (median {statistics.median(each):.1f})")
    print(json.dumps({**vars(options), "torch": torch.__version__, "pictures_per_s": rates}))


def measure(device: torch.device, image_size: int, batch_size: int, rounds: int) -> dict[str, list[float]]:
    """Return pictures per second of each part in each round."""
    torch.manual_seed(0)
    segmenter = Segmenter(Encoder("unet-interaction", image_size), InteractionHeads()).to(device).eval()
    with torch.no_grad():  # embeddings that lie apart, as a trained network's do
        segmenter.heads.detection[2].weight[1:] *= 30
    images = torch.randint(0, 256, (batch_size, image_size, image_size, 3), dtype=torch.uint8, device=device)
    depth_m = torch.rand(batch_size, image_size, image_size, device=device)
    told = segmenter.tell(images, depth_m)
    found = propose(*told)
    if not bool(found.valid.all()):
        raise SystemExit("the pictures did not get their full number of proposals")
    parts: dict[str, Callable[[], object]] = {
        "network": lambda: segmenter.tell(images, depth_m),
        "proposals": lambda: propose(*told),
        "both": lambda: segmenter.propose(images, depth_m, threshold=-float("inf")),
    }
    rates: dict[str, list[float]] = {part: [] for part in parts}
    for number in range(rounds + 1):
        for part, do in parts.items():
            _wait(device)
            begun = time.perf_counter()
            do()
            _wait(device)
            if number:  # the first round warms up
                rates[part].append(batch_size / (time.perf_counter() - begun))
    return rates


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
