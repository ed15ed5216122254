"""What a recording declares, checked before anything is written: streams and facts."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import BOOKKEEPING, NUMBERS, Feature
from handsight.recordings.layout import is_fact, wrong_fps
from handsight.recordings.sealed import FACT_TYPES
from handsight.recordings.selection import unreadable
from handsight.recordings.splits import SPLITS


def check_declarations(features: Mapping[str, Feature], fps: float, facts: Mapping[str, str]) -> None:
    """Refuse what cannot be recorded.

    Raises:
        HandsightError: a stream's or a fact's name, type or shape is not possible, or fps is not above zero.
    """
    if wrong := wrong_fps(fps):
        raise HandsightError(f"fps is {fps}; {wrong}")
    if not features:
        raise HandsightError("a recording needs at least one stream; none was declared")
    for name, feature in features.items():
        _check_feature(name, feature)
    for name, kind in facts.items():
        if kind not in FACT_TYPES:
            raise HandsightError(f"fact {name!r} has type {kind!r}; it can be {', '.join(FACT_TYPES)}")
        if not name or not is_fact(name):
            raise HandsightError(f"a fact cannot be called {name!r}: that column belongs to LeRobot")


def _check_feature(name: str, feature: Feature) -> None:
    if not name or set(name) & set("/\\\0") or name.startswith(".") or name in BOOKKEEPING:
        raise HandsightError(
            f"a stream cannot be called {name!r}: no slash, no leading dot, none of {', '.join(BOOKKEEPING)}"
        )
    kinds = ("image", "video", "string", "bool", *NUMBERS)
    if feature.dtype not in kinds:
        raise HandsightError(f"stream {name!r} has dtype {feature.dtype!r}; it can be {', '.join(kinds)}")
    if not feature.shape or min(feature.shape) < 1:
        raise HandsightError(
            f"stream {name!r} has shape {feature.shape}; a single value is (1,), and no size is below 1"
        )
    if reason := unreadable(name, {"dtype": feature.dtype, "shape": list(feature.shape)}):
        raise HandsightError(f"stream {name!r} is {reason}: no recording can hold that")
    if feature.dtype == "string" and feature.shape != (1,):
        raise HandsightError(f"stream {name!r} has shape {feature.shape}; a string has shape (1,)")
    if feature.dtype == "video" and (feature.shape[0] % 2 or feature.shape[1] % 2):
        raise HandsightError(
            f"video {name!r} is {feature.shape[0]} × {feature.shape[1]}; both must be even: crop it, or use "
            "dtype image"
        )


def check_facts(declared: Mapping[str, str], facts: Mapping[str, Any], episode: int) -> dict[str, Any]:
    """Return an episode's facts as plain values of the declared types.

    Raises:
        HandsightError: a fact is missing, undeclared, or of another type.
    """
    if set(facts) != set(declared):
        came, expected = (", ".join(sorted(names)) or "none" for names in (facts, declared))
        raise HandsightError(f"episode {episode} came with facts {came}; expected {expected}")
    checked = {name: _fact(name, declared[name], facts[name], episode) for name in declared}
    if checked.get("split", "train") not in SPLITS:
        raise HandsightError(
            f"episode {episode}: fact 'split' is {checked['split']!r}; expected {', '.join(SPLITS)}"
        )
    return checked


def _fact(name: str, kind: str, value: Any, episode: int) -> Any:
    if isinstance(value, (np.generic, np.ndarray)) and value.size == 1:
        value = value.item()
    if isinstance(value, bool) or kind in ("bool", "string"):
        if isinstance(value, {"bool": bool, "string": str}.get(kind, ())):
            return value
    elif kind == "int64" and isinstance(value, numbers.Integral) and -(2**63) <= int(value) < 2**63:
        return int(value)
    elif kind == "float64" and isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    finite = "a finite " if kind == "float64" else ""
    raise HandsightError(f"episode {episode}: fact {name!r} is {value!r}; expected {finite}{kind}")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what two `info.json` disagree about, of what must not change while a recording grows.

    In words.
    """
    ours_old, ours_new = old["handsight"], new["handsight"]
    pairs = [(key, old.get(key), new.get(key)) for key in ("fps", "robot_type")]
    for name in dict.fromkeys([*old["features"], *new["features"]]):
        pairs.append((f"stream {name!r}", _declared(old, name), _declared(new, name)))
    pairs += [(what, ours_old.get(what), ours_new.get(what)) for what in ("facts", "world")]
    return [f"{what} {_differing(a, b)}, not {_differing(b, a)}" for what, a, b in pairs if a != b]


def _declared(info: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return all that `info.json` says of a stream, in one object."""
    entry = dict(info["features"].get(name) or {})
    return entry | (entry.pop("info", None) or {}) | (info["handsight"]["streams"].get(name) or {})


def _differing(value: Any, other: Any) -> str:
    """Return a value as JSON; of two objects only the entries that differ."""
    if isinstance(value, dict) and isinstance(other, dict):
        value = {key: entry for key, entry in value.items() if key not in other or other[key] != entry}
    return json.dumps(value, ensure_ascii=False)
