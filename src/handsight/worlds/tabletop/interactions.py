"""What the hand does: grasp, push and poke (The Curious Robot, ECCV 2016, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from handsight.errors import HandsightError
from handsight.worlds.tabletop.bench import TABLE_M, Bench, Lost
from handsight.worlds.tabletop.model import OPENING_M

ANGLES_N = 18
"""Angles of a grasp: 0°, 10° … 170°."""

OVER_M = 0.01
"""Height above what stands there from which the hand comes down."""

TIP_M = 0.006
"""Height of the fingertips above the table when they close."""

LIFT_M = 0.12
HELD_M = 0.05
"""An object is held when it was lifted by this much and both fingers touch it."""

POKE_LIMIT_N = 6.0
"""Force at which a poke ends."""

APPROACH_M_S, POKE_M_S = 0.1, 0.012
HIGH_M = 0.3
LOOK_S = 0.016
"""Between two looks at the skin sensor."""

TOUCH_N = 0.05
"""Force above which a fingertip touches something."""

SAMPLES_N = 24
"""Samples of a poke's trace, evenly over its depth."""

SUPPLY_V, REST_V, HALF_N, NOISE_V = 5.0, 0.4, 8.0, 0.02
"""The skin sensor: its supply, its voltage at rest, the force that takes half of what is left, its noise."""


def bin_angle_rad(number: int) -> float:
    """Return the angle of a bin, rad.

    Raises:
        HandsightError: there is no such bin.
    """
    if not 0 <= number < ANGLES_N:
        raise HandsightError(
            f"a grasp's angle is bin {number}; there are {ANGLES_N}, from 0 (0°) to {ANGLES_N - 1} (170°)"
        )
    return number * np.pi / ANGLES_N


def bin_of_angle(angle_rad: float) -> int:
    """Return the bin of an angle.

    Raises:
        HandsightError: it is none of the angles of the bins.
    """
    number = angle_rad * ANGLES_N / np.pi
    if not np.isfinite(number) or abs(number - round(number)) > 1e-4 or not 0 <= round(number) < ANGLES_N:
        raise HandsightError(
            f"a grasp's angle is {angle_rad:.4g} rad; give one of the {ANGLES_N}, 0 to 170° in steps of 10°"
        )
    return round(number)


def grasp(bench: Bench, number: int, place: NDArray[np.float64], angle_rad: float) -> bool:
    """Close the hand at a place, lift it, hold it; return whether it holds the body.

    That is measured: both fingers touch the body, and it is higher than before.

    Args:
        bench: where.
        number: of the body.
        place: `[2]`, x and y, m.
        angle_rad: one of the 18, of the line between the fingers, from the picture's x-axis to its y-axis:
            clockwise, seen from above.

    Raises:
        HandsightError: another angle.
        Lost: something fell off the table or flew off.
    """
    bin_of_angle(angle_rad)
    before = bench.pose(number)[0][2]
    high = bench.top_m(place, OPENING_M) + OVER_M
    bench.reach(place, high, -angle_rad)
    bench.move(0.1 + (high - TIP_M) / 0.4, height_m=TIP_M)
    bench.close(0.25)
    bench.move(0.35, height_m=LIFT_M)
    bench.close(0.15)
    held = bool(bench.pose(number)[0][2] - before > HELD_M and bench.fingers_on(number) == 2)
    return held and bool((bench.touch_n > TOUCH_N).all())


@dataclass(frozen=True)
class Push:
    """A push: where the hand begins and ends, `[2]` each, m, and the height of its fingertips, m."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    height_m: float


def draw_push(rng: np.random.Generator, place: NDArray[np.float64], radius_m: float) -> Push:
    """Draw a push of what is at `place` `[2]` towards the table's middle, give or take (von Mises).

    Args:
        rng: draws it.
        place: of the object, as seen.
        radius_m: of what is seen there, which the start keeps clear of.
    """
    towards = np.arctan2(-place[1], -place[0])
    spread = 4.0 if np.linalg.norm(place) > 0.02 else 0.0  # in the middle any direction leads there
    angle = rng.vonmises(towards, spread)
    direction = np.array([np.cos(angle), np.sin(angle)])
    start = place - direction * (radius_m + 0.03)
    end = place + direction * (rng.uniform(0.02, 0.12) - radius_m)
    return Push(start, end, float(rng.uniform(0.004, 0.025)))


def push(bench: Bench, done: Push) -> None:
    """Move the closed hand along a push, faster the longer it is; take it away; let all come to rest.

    Raises:
        Lost: something fell off the table or flew off; the push leaves the table.
    """
    if max(np.abs(done.start).max(), np.abs(done.end).max()) > TABLE_M:
        raise Lost("the push leaves the table")
    way = done.end - done.start
    bench.reach(done.start, done.height_m, float(np.arctan2(way[1], way[0])), opening_m=0.0)
    bench.move(0.4, along_m=float(np.linalg.norm(way)))
    bench.hide()
    bench.settle()


@dataclass(frozen=True)
class Trace:
    """What the skin felt: depths since it first touched, m, and forces, N, `[S]` each."""

    depth_m: NDArray[np.float64]
    force_n: NDArray[np.float64]


def poke(bench: Bench, number: int, place: NDArray[np.float64]) -> Trace:
    """Press a fingertip down on a body until the force reaches its limit.

    The body's softness is a spring between it and the hand: the hand yields as the body would.

    Args:
        bench: where.
        number: of the body.
        place: `[2]`, x and y, m.

    Raises:
        Lost: the fingertip met the table, at once or by slipping off; something fell off or flew off.
    """
    bench.reach(place, bench.top_m(place, 0.02) + OVER_M, 0.0, opening_m=0.0)
    bench.soften(bench.bodies[number].stiffness_n_per_m)
    while bench.touch_n.sum() < TOUCH_N and bench.wanted_height_m > 0:
        bench.move(LOOK_S, height_m=bench.wanted_height_m - APPROACH_M_S * LOOK_S)
    # Back a little: a finger that comes quickly presses harder than its spring says.
    bench.move(0.05, height_m=bench.wanted_height_m + 0.001)
    while bench.touch_n.sum() > TOUCH_N and bench.wanted_height_m < HIGH_M:
        bench.move(LOOK_S, height_m=bench.wanted_height_m + 0.001)
    bench.move(0.05, height_m=bench.wanted_height_m + 0.001)
    heights, forces, on = [], [], []
    for _ in range(round(0.1 / POKE_M_S / LOOK_S)):
        bench.move(LOOK_S, height_m=bench.wanted_height_m - POKE_M_S * LOOK_S)
        heights.append(bench.wanted_height_m)
        forces.append(float(bench.touch_n.sum()))
        on.append(bench.fingers_on(number) > 0)
        if forces[-1] > POKE_LIMIT_N:
            break
    # A finger that slips off feels, in the end, the table or another part.
    stayed = all(on[on.index(True) :]) if any(on) else False
    felt = stayed and forces[-1] > POKE_LIMIT_N and not bench.fingers_on_table
    bench.hide()
    bench.settle()
    if not felt:
        raise Lost("the poke missed or slipped off")
    force = np.array(forces)
    first = max(int(np.argmax(force > TOUCH_N)) - 1, 0)
    depth = heights[first] - np.array(heights[first:])
    even = np.linspace(0, depth[-1], SAMPLES_N)
    return Trace(even, np.interp(even, depth, force[first:]))


def voltage_v(rng: np.random.Generator, force_n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the skin sensor says: it rises with the force and levels off, and it is noisy."""
    drop = (SUPPLY_V - REST_V) * force_n / (force_n + HALF_N)
    return np.asarray(REST_V + drop + rng.normal(0, NOISE_V, force_n.shape))


def fitted_line(depth_m: NDArray[np.float64], volts: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope, V/m, and intercept, V, of the straight line nearest to a trace."""
    slope, intercept = np.polyfit(depth_m, volts, 1)
    return float(slope), float(intercept)


def lie_down(rng: np.random.Generator, bench: Bench, upright: bool) -> None:
    """Put every body of a bench on the table, apart from one another, and let them come to rest.

    Args:
        rng: draws where and how.
        bench: where.
        upright: whether bodies stand as they should or lie as they fall.

    Raises:
        Lost: they find no room, or one left the table.
    """
    bench.reset()
    placed: list[tuple[NDArray[np.float64], float]] = []
    for number, body in enumerate(bench.bodies):
        for _ in range(50):
            place = rng.uniform(-0.55, 0.55, 2) * TABLE_M
            if all(np.linalg.norm(place - at) > radius + body.radius_m for at, radius in placed):
                break
        else:
            raise Lost("no room on the table")
        placed.append((place, body.radius_m))
        about = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))
        rotation = about if upright else Rotation.from_quat(rng.normal(size=4))
        bench.put(number, np.append(place, body.height_below_m(rotation) + 0.004), rotation)
    bench.settle()
