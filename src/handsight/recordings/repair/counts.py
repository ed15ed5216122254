"""Saying which episodes a repair leaves out, and counting the others."""

from __future__ import annotations

import itertools
from typing import Any

from handsight.recordings.layout import INFO
from handsight.recordings.repair.choose import Chosen
from handsight.recordings.repair.files import Files
from handsight.recordings.repair.matching import Found
from handsight.recordings.repair.plan import Repair
from handsight.recordings.repair.tasks import Tasks


def say_lost(
    chosen: Chosen,
    found: list[Found],
    counted: int | None,
    files: Files,
    torn: list[str],
    repairs: list[Repair],
) -> list[int]:
    """Say which episodes are left out, and why; return their old numbers."""
    known = max([0, *(one.episode + 1 for one in found[-1:]), *(1 + e for e in chosen.lost)])
    expected = known if counted is None else min(counted, max(known, 10**6))
    gone = next(iter(files.torn.values()), "there are no data of them")
    kept = {one.episode for one in chosen.kept}
    lost = [e for e in range(expected) if e not in kept]
    why = [(chosen.lost.get(e) or gone).split("; ")[0] for e in lost]
    for reason in dict.fromkeys(why):
        numbers = [e for e, because in zip(lost, why, strict=True) if because == reason]
        plural = "s" if len(numbers) > 1 else ""
        repairs.append(Repair("meta/episodes", f"episode{plural} {_spans(numbers)} left out: {reason}"))
    if len(lost) and kept and max(kept) > min(lost):
        repairs.append(Repair("meta/episodes", "the episodes behind them have moved up"))
    return lost


def _spans(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] + 1 == number:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    said = [str(a) if a == b else f"{a} to {b}" for a, b in runs]
    return ", ".join(said if len(said) < 12 else [*said[:10], f"and {len(said) - 10} more"])


def count(
    info: dict[str, Any],
    chosen: Chosen,
    counted: int | None,
    lost: list[int],
    tasks: Tasks,
    repairs: list[Repair],
) -> None:
    """Write what there is now into `info`."""
    right = {
        "total_episodes": len(chosen.kept),
        "total_frames": sum(one.length for one in chosen.kept),
        "total_tasks": len(tasks.words),
    }
    for key, value in right.items():
        if info.get(key) != value or isinstance(info.get(key), bool):
            repairs.append(
                Repair(INFO, f"{key!r} was {info.get(key)!r}: now {value}".replace("\n", " ")[:200])
            )
    splits = mended_splits(info.get("splits"), counted, [one.episode for one in chosen.kept])
    if "splits" in info and info["splits"] != splits:
        repairs.append(Repair(INFO, f"'splits' were not those of {len(chosen.kept)} episodes: now {splits}"))
    info |= right | {"splits": splits}
    ours = info.get("handsight")
    if lost and isinstance(ours, dict):
        ours["left_out"] = sorted({*lost, *(n for n in ours.get("left_out") or () if isinstance(n, int))})


def mended_splits(splits: Any, counted: int | None, kept: list[int]) -> dict[str, str]:
    """Return LeRobot's splits of the episodes that are kept, name → `first:end`; one of all as a last resort.

    Args:
        splits: as `info.json` has them.
        counted: how many episodes it counted.
        kept: old numbers of those that are kept.
    """
    if isinstance(splits, dict) and len(splits) > 1:
        ranges = {name: _range(value) for name, value in splits.items()}
        known = [one for one in ranges.values() if one is not None]
        ends = [0, *(end for _, end in known)]
        if len(known) == len(splits) and [first for first, _ in known] == ends[:-1] and ends[-1] == counted:
            now = [sum(e < end for e in kept) for end in ends]
            return {name: f"{a}:{b}" for name, (a, b) in zip(splits, itertools.pairwise(now), strict=True)}
    return {"train": f"0:{len(kept)}"}


def _range(value: Any) -> tuple[int, int] | None:
    first, _, end = value.partition(":") if isinstance(value, str) else ("", "", "")
    return (int(first), int(end)) if first.isdecimal() and end.isdecimal() else None
