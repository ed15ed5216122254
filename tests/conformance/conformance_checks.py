"""What the suites of several kinds ask in the same words."""

import inspect
import math
import os
import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch

from handsight.errors import HandsightError
from handsight.recordings import Feature, Recording

TURN_RAD = 2 * math.pi * (1 + 1e-6)
"""Angles lie within one turn either way, but for float32's rounding."""


def check_arguments(thing: Callable[..., Any], positional: int = 0) -> None:
    """Every argument is in the docstring, typed, and has a default: it is an option of the command line.

    Args:
        thing: a class or function.
        positional: how many of its first arguments are not options.
    """
    parameters = inspect.signature(thing).parameters
    said = re.findall(r"^    (\w+): ", inspect.getdoc(thing) or "", re.MULTILINE)
    assert set(parameters) <= set(said), f"not documented: {set(parameters) - set(said)}"
    for parameter in list(parameters.values())[positional:]:
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        assert parameter.default is not inspect.Parameter.empty, parameter.name


def one_line(error: HandsightError) -> str:
    """Return what an error says, which is one line that leaves no question."""
    text = str(error)
    assert re.fullmatch(r"\S.{10,}", text), text
    assert "Traceback" not in text
    assert not re.search(r"\bNone\b|<class|object at 0x", text), text
    return text


def same_content(one: Path, other: Path) -> None:
    """Assert that two recordings hold the same, pictures bit for bit; where in files it lies may differ."""
    for kind in ("data", "meta/episodes"):
        rows = [_rows(path / kind) for path in (one, other)]
        assert rows[0], kind
        assert rows[0] == rows[1], kind
    recordings = [Recording(path) for path in (one, other)]
    assert recordings[0].features == recordings[1].features
    for name, feature in recordings[0].features.items():
        if feature.dtype == "video":
            everything = range(recordings[0].num_frames)
            decoded = [recording.frames(everything, name) for recording in recordings]
            np.testing.assert_array_equal(*decoded, err_msg=name)


def _rows(folder: Path) -> list[dict[str, Any]]:
    rows = [row for file in sorted(folder.rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    place = re.compile(r"/(chunk|file)_index$|/(from|to)_timestamp$")
    return [{name: value for name, value in row.items() if not place.search(name)} for row in rows]


def global_randomness() -> list[bytes]:
    """Return the states of the generators that belong to the whole process: a change shows."""
    # The legacy generator is watched just because nobody is to use it.
    return [
        repr(random.getstate()).encode(),
        pickle.dumps(np.random.get_state()),  # noqa: NPY002
        torch.get_rng_state().numpy().tobytes(),
    ]


def resident_bytes() -> int:
    """Return the memory that this process holds; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


def check_range(name: str, feature: Feature, values: npt.NDArray[Any]) -> None:
    """A stream's numbers lie where its declaration says that they do.

    Args:
        name: for messages.
        feature: no camera.
        values: `[T, *shape]`.
    """
    assert values.shape[1:] == feature.shape, name
    assert values.dtype == feature.dtype, name
    assert np.isfinite(values).all(), name
    if feature.names is not None:
        assert len(feature.names) == math.prod(feature.shape), name
    if feature.between == "angle":
        assert feature.unit == "rad", name
    if feature.unit == "rad":
        assert np.abs(values).max() <= TURN_RAD, name
    if feature.moves == "rotation" or feature.between == "relative_rotation":
        assert feature.shape == (4,), name
        np.testing.assert_allclose(np.linalg.norm(values, axis=-1), 1, atol=1e-5, err_msg=name)
    if feature.moves == "point":
        assert feature.shape[-1] == 2, name
        assert values.min() >= 0, name
        assert values.max() <= 1, name
