"""How fast are rooms entered, seen and pushed at, and do the three forces tell light, medium and heavy apart?

    python benchmarks/rooms.py [--only PART ...] [--locations N] [--image-size S] [--out FILE.json]

`speed` enters locations and makes attempts at random pixels in each, as an agent that has learned nothing
does: 5 N, then 30, then 200 in the same direction, until the picture changes. It says milliseconds by part
and attempts per second of one process, everything included but what the agent would think meanwhile.
`weights` pushes at each thing that is seen with each force in a drawn direction, from the same beginning, and
says how many of each class came more than 2 cm: what `simulation.DURATION_S` was chosen by. `--duration-s`
tries another. Nothing else should run meanwhile.
"""

import argparse
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

os.environ["LP_NUM_THREADS"] = "0"  # Mesa draws in the thread that asks, as in the workers of `collect`

from handsight.worlds import Rooms
from handsight.worlds.places import DIRECTIONS, FORCES_N, Instance, Location
from handsight.worlds.rooms import simulation
from handsight.worlds.world import generator

SEED = 0
ATTEMPTS_N = 20
MOVED_M = 0.02
SEEN_N = 40
"""What shows fewer pixels is not weighed: a push at its edge slips off."""

CLASSES = ("light", "medium", "heavy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("speed", "weights"), default=("speed", "weights"))
    parser.add_argument("--locations", type=int, default=60)
    parser.add_argument("--image-size", type=int, default=300)
    parser.add_argument("--duration-s", type=float, default=simulation.DURATION_S)
    parser.add_argument("--out", type=Path, help="write what was measured as JSON")
    options = parser.parse_args()
    simulation.DURATION_S = options.duration_s
    found: dict[str, Any] = {"image size": options.image_size, "locations": options.locations}
    if "speed" in options.only:
        found["speed"] = speed(options.locations, options.image_size)
    if "weights" in options.only:
        found["weights"] = weights(options.locations, options.duration_s)
    print(json.dumps(found, indent=1))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def locations(place: Rooms, count: int) -> list[Location]:
    """Return locations drawn from all rooms."""
    names = [name for split in ("train", "validation", "test") for name in place.rooms(split)]
    rng = generator(SEED)
    return [Location(names[rng.integers(len(names))], int(rng.integers(2**31))) for _ in range(count)]


def speed(count: int, image_size: int) -> dict[str, Any]:
    """Return milliseconds by part, and attempts per second."""
    place, rng = Rooms(image_size), generator(SEED, 1)
    began = time.perf_counter()
    device = place.device
    opening_s = time.perf_counter() - began
    place.enter(Location("kitchen-01", 0))
    milliseconds: dict[str, list[float]] = defaultdict(list)
    forces_n = changed_n = 0
    began = time.perf_counter()
    for location in locations(place, count):
        start = time.perf_counter()
        image = place.enter(location).image
        milliseconds["entering"].append(1e3 * (time.perf_counter() - start))
        for _ in range(ATTEMPTS_N):
            u, v, direction = (int(rng.integers(high)) for high in (image_size, image_size, len(DIRECTIONS)))
            for newtons in FORCES_N:
                start = time.perf_counter()
                outcome = place.apply_force(u, v, newtons, direction)
                taken = 1e3 * (time.perf_counter() - start)
                changed = not np.array_equal(outcome.image, image)
                milliseconds["force, something moved" if changed else "force, nothing moved"].append(taken)
                forces_n, changed_n, image = forces_n + 1, changed_n + changed, outcome.image
                if changed:
                    break
    wall_s = time.perf_counter() - began
    for _ in range(50):
        start = time.perf_counter()
        place._opened().sight()
        milliseconds["view"].append(1e3 * (time.perf_counter() - start))
    place.close()
    return {
        "device": device,
        "opening, s": opening_s,
        "ms, mean": {name: float(np.mean(values)) for name, values in milliseconds.items()},
        "ms, median": {name: float(np.median(values)) for name, values in milliseconds.items()},
        "forces/s": forces_n / wall_s,
        "attempts/s": count * ATTEMPTS_N / wall_s,
        "forces after which something had moved": changed_n / forces_n,
    }


def weights(count: int, duration_s: float) -> dict[str, Any]:
    """Return how many things of each class each force moved, and how far."""
    place, rng = Rooms(150, reach_m=float("inf")), generator(SEED, 2)
    came: dict[tuple[str, float], list[float]] = defaultdict(list)
    diverged = 0
    for location in locations(place, count):
        place.enter(location)
        for one in place.instances():
            pixels = np.argwhere(one.mask)
            if len(pixels) < SEEN_N:
                continue
            for newtons in FORCES_N:
                v, u = pixels[rng.integers(len(pixels))]
                place.enter(location)
                before = where(place, one)
                diverged += place.apply_force(u, v, newtons, int(rng.integers(len(DIRECTIONS)))).diverged
                distance = float(np.linalg.norm(where(place, one) - before))
                came[CLASSES[one.mass_class], newtons].append(distance)
    place.close()
    return {
        "force, s": duration_s,
        "diverged": diverged,
        "moved by more than 2 cm": {
            name: {
                f"{newtons:g} N": {
                    "things": len(came[name, newtons]),
                    "share": float(np.mean(np.array(came[name, newtons]) > MOVED_M)),
                    "median, m": float(np.median(came[name, newtons])),
                }
                for newtons in FORCES_N
            }
            for name in CLASSES
        },
    }


def where(place: Rooms, one: Instance) -> np.ndarray:
    """Return where a thing is, `[3]`, m."""
    found, physics, _ = place._entered()
    return physics.places()[[thing.mass_kg for thing in found.things].index(one.mass_kg)]


if __name__ == "__main__":
    main()
