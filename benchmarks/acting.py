"""How many interactions a second does an agent make, from entering a room to judging what came of it?

    python benchmarks/acting.py [--image-size S] [--locations N] [--attempts N] [--out FILE.json]

One process, one thread. An interaction is one attempt, of up to three forces; everything is in it (physics,
rendering, colours, superpixels, the entering of its location) but the network that chooses. `at random` draws
all points, as an agent that has learned nothing; `half on things` puts half of them on things within reach,
where something moves and costs most: more than any agent does. Nothing else should run meanwhile.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

os.environ["LP_NUM_THREADS"] = "0"  # Mesa draws in the thread that asks, as in workers

import torch

from handsight.agents.attempts import Acting, arrive, explore
from handsight.agents.choosing import random_actions
from handsight.agents.feedback import STRIDE, sample
from handsight.worlds import Rooms
from handsight.worlds.places import FORCES_N, Location

WANTED_PER_S = 30
PAPER_PER_S = 0.3
"""In AI2-THOR, per core: 36 hours on 36 cores for 65,000 locations of 20 interactions (appendix D)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--image-size", type=int, default=300)
    parser.add_argument("--locations", type=int, default=40)
    parser.add_argument("--attempts", type=int, default=20)
    parser.add_argument("--out", type=Path, help="write what was measured as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    place = Rooms(image_size=options.image_size)
    place.enter(Location(place.rooms("train")[0], 0))  # opens what all locations share
    found = {
        name: measure(place, options.locations, options.attempts, share)
        for name, share in (("at random", 0.0), ("half on things", 0.5))
    }
    place.close()
    result = {**{key: value for key, value in vars(options).items() if key != "out"}, **found}
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def measure(place: Rooms, locations: int, attempts: int, on_things: float) -> dict[str, float]:
    """Act at some locations, a share of the attempts on things; return rates."""
    rng, acting = np.random.default_rng(0), Acting()
    names, grid = place.rooms("train"), place.image_size // STRIDE
    spent_s, forces_n, attempts_n, successes_n = 0.0, 0, 0, 0
    for _ in range(locations):
        location = Location(names[rng.integers(len(names))], int(rng.integers(2**31)))
        began = time.perf_counter()
        arrival = arrive(place, location, acting)
        spent_s += time.perf_counter() - began
        points, _ = random_actions(rng, attempts, grid)
        cells = [np.argwhere(sample(thing.mask)) for thing in place.instances() if thing.in_reach]
        chosen = int(attempts * on_things)
        if chosen and cells:
            every = np.concatenate(cells)
            points[:chosen] = every[rng.integers(len(every), size=chosen)]
        bins = rng.integers(len(FORCES_N), size=attempts)
        began = time.perf_counter()
        experience = explore(place, arrival, points, bins, rng, acting)
        spent_s += time.perf_counter() - began
        forces_n += int(experience.tries_n.sum())
        attempts_n += len(experience.points)
        successes_n += int((experience.feedback > 0).sum())
    return {
        "interactions/s": round(attempts_n / spent_s, 1),
        "forces/s": round(forces_n / spent_s, 1),
        "successes": round(successes_n / attempts_n, 4),
        "ratio to 30/s": round(attempts_n / spent_s / WANTED_PER_S, 2),
        "ratio to the paper's": round(attempts_n / spent_s / PAPER_PER_S),
    }


if __name__ == "__main__":
    main()
