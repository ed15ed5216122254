"""Streams as Arrow columns and back, in the types LeRobotDataset v3.0 gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from handsight.errors import HandsightError
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature

NUMBERS = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

Column = npt.NDArray[Any] | Sequence[bytes] | Sequence[str]
"""One stream of one episode: numbers `[T, *shape]`, PNG bytes, or strings."""


def arrow_type(feature: Feature) -> pa.DataType:
    """Return the column type of a stream: a scalar, a fixed-size list, nested lists, or an image."""
    if feature.dtype == "image":
        return IMAGE
    value = pa.bool_() if feature.dtype == "bool" else pa.string() if feature.dtype == "string" else None
    value = value or pa.from_numpy_dtype(np.dtype(feature.dtype))
    if feature.shape == (1,):
        return value
    if len(feature.shape) == 1:
        return pa.list_(value, feature.shape[0])
    for _ in feature.shape:
        value = pa.list_(value)
    return value


def data_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the schema of data files: every stream that is not a video, then LeRobot's bookkeeping."""
    columns = {name: f for name, f in features.items() if f.dtype != "video"} | dict(BOOKKEEPING_FEATURES)
    described = {name: _huggingface(feature) for name, feature in columns.items()}
    return pa.schema(
        [pa.field(name, arrow_type(feature)) for name, feature in columns.items()],
        metadata={"huggingface": json.dumps({"info": {"features": described}})},
    )


def _huggingface(feature: Feature) -> dict[str, Any]:
    """Return a stream's description as the `datasets` library keeps it in a parquet file's metadata."""
    if feature.dtype == "image":
        return {"_type": "Image"}
    value = {"dtype": feature.dtype, "_type": "Value"}
    if feature.shape == (1,):
        return value
    if len(feature.shape) == 1:
        return {"feature": value, "length": feature.shape[0], "_type": "Sequence"}
    if len(feature.shape) <= 5:
        return {"shape": list(feature.shape), "dtype": feature.dtype, "_type": f"Array{len(feature.shape)}D"}
    nested: dict[str, Any] = value
    for _ in feature.shape:
        nested = {"feature": nested, "length": -1, "_type": "Sequence"}
    return nested


def to_arrow(feature: Feature, column: Column) -> pa.Array:
    """Return one episode of a stream as an Arrow array of `arrow_type(feature)`."""
    kind = arrow_type(feature)
    if feature.dtype == "image":
        names = pa.array([f"frame-{i:06d}.png" for i in range(len(column))], pa.string())
        return pa.StructArray.from_arrays([pa.array(column, pa.binary()), names], fields=list(kind))
    if feature.dtype == "string":
        return pa.array(list(column), kind)
    array = np.ascontiguousarray(column)
    return _nest(pa.array(array.reshape(-1)), array.shape[1:], kind)


def episode_batch(
    features: Mapping[str, Feature],
    columns: Mapping[str, Column],
    episode: int,
    first_frame: int,
    length: int,
    task: int,
    fps: float,
) -> pa.RecordBatch:
    """Return an episode's rows of the data file: its streams, and the bookkeeping of `length` frames."""
    row = np.arange(length)[:, None]
    bookkeeping: dict[str, Column] = {
        "timestamp": (row / fps).astype(np.float32),
        "frame_index": row,
        "episode_index": np.full_like(row, episode),
        "index": first_frame + row,
        "task_index": np.full_like(row, task),
    }
    arrays = [to_arrow(f, columns[name]) for name, f in features.items() if f.dtype != "video"]
    arrays += [to_arrow(feature, bookkeeping[name]) for name, feature in BOOKKEEPING_FEATURES.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=data_schema(features))


def _nest(values: pa.Array, shape: tuple[int, ...], kind: pa.DataType) -> pa.Array:
    if shape == (1,):
        return values
    if len(shape) == 1:
        return pa.FixedSizeListArray.from_arrays(values, type=kind)
    for depth in range(len(shape) - 1, -1, -1):
        size = shape[depth]
        offsets = np.arange(len(values) // size + 1, dtype=np.int32) * size
        values = pa.ListArray.from_arrays(pa.array(offsets), values)
    return values.cast(kind)


def to_numpy(column: pa.Array | pa.ChunkedArray, feature: Feature, where: str) -> npt.NDArray[Any]:
    """Return a column as numbers `[n, *shape]` of the declared dtype, whatever list type a writer chose.

    Raises:
        HandsightError: the column holds nulls or does not fit the declared shape or dtype.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    rows = len(array)
    while _is_list(array.type):
        if array.null_count:
            raise HandsightError(
                f"{where} has missing values; expected {feature.dtype} {feature.shape} in each frame"
            )
        array = array.flatten()
    if array.null_count:
        raise HandsightError(
            f"{where} has missing values; expected {feature.dtype} {feature.shape} in each frame"
        )
    if len(array) != rows * int(np.prod(feature.shape)):
        raise HandsightError(
            f"{where} holds {len(array)} values in {rows} frames; meta/info.json says shape {feature.shape}"
        )
    if feature.dtype == "string":
        return np.array(array.to_pylist(), dtype=np.str_).reshape(rows)
    try:
        values: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False).astype(
            np.dtype(feature.dtype), copy=False
        )
    except (TypeError, ValueError, pa.ArrowException):
        raise HandsightError(f"{where} holds {array.type}; meta/info.json says {feature.dtype}") from None
    return values.reshape(rows, *feature.shape)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
