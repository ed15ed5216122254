"""Where to act, and how strongly: what was proposed, and at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handsight.errors import HandsightError
from handsight.worlds.places import FORCES_N

Integers = NDArray[np.int64]


def random_actions(
    rng: np.random.Generator, count: int, grid: int, forces: int = len(FORCES_N)
) -> tuple[Integers, Integers]:
    """Draw cells and bins, uniformly, no pair of the two twice.

    Returns:
        int64 `[count, 2]`, rows and columns; int64 `[count]`, bins.

    Raises:
        HandsightError: there are fewer pairs than `count`.
    """
    if not 0 <= count <= grid * grid * forces:
        raise HandsightError(
            f"{count} different actions were asked for; {grid} × {grid} cells with {forces} forces have "
            f"{grid * grid * forces}"
        )
    drawn = rng.choice(grid * grid * forces, count, replace=False)
    cells, bins = np.divmod(drawn, forces)
    return np.stack(np.divmod(cells, grid), axis=1), bins


def half_random(
    rng: np.random.Generator,
    points: Integers,
    bins: Integers,
    count: int,
    grid: int,
    forces: int = len(FORCES_N),
) -> tuple[Integers, Integers]:
    """Take the first half from proposals, in their order, and draw the others (appendix D).

    Args:
        rng: where the others come from.
        points: int64 `[M, 2]`, what was proposed, best first.
        bins: int64 `[M]`.
        count: how many in all, N; where there are fewer than N // 2 proposals, more are drawn.
        grid: cells a side, G.
        forces: how many bins there are.

    Returns:
        int64 `[N, 2]` and `[N]`.
    """
    greedy = min(count // 2, len(points))
    drawn = random_actions(rng, count - greedy, grid, forces)
    return np.concatenate([points[:greedy], drawn[0]]), np.concatenate([bins[:greedy], drawn[1]])
