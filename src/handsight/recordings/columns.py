"""Streams as Arrow columns and back, in the types LeRobotDataset v3.0 gives them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from handsight.errors import HandsightError
from handsight.recordings.features import BOOKKEEPING_FEATURES, Feature

_PIECE_ROWS, _PIECE_BYTES = 65_536, 4_000_000
"""At most what of a column is read at once."""
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

Column = npt.NDArray[Any] | Sequence[bytes] | Sequence[str]
"""One stream of one episode: numbers `[T, *shape]`, the bytes of PNGs or JPEGs, or strings."""

_JPEG = b"\xff\xd8"
"""How a JPEG begins."""


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
        kinds = ("jpg" if picture[:2] == _JPEG else "png" for picture in column)
        names = pa.array([f"frame-{i:06d}.{kind}" for i, kind in enumerate(kinds)], pa.string())
        return pa.StructArray.from_arrays([pa.array(column, pa.binary()), names], fields=list(kind))
    if feature.dtype == "string":
        return pa.array(list(column), kind)
    array = np.ascontiguousarray(column)
    return _nest(pa.array(array.reshape(-1)), array.shape[1:], kind)


def episode_batch(
    features: Mapping[str, Feature],
    schema: pa.Schema,
    columns: Mapping[str, Column],
    episode: int,
    first_frame: int,
    length: int,
    task: int,
    fps: float,
) -> pa.RecordBatch:
    """Return an episode's rows of the data file: its streams, and the bookkeeping of `length` frames.

    Args:
        features: the recording's streams.
        schema: `data_schema` of them.
        columns: each stream that is not a video.
        episode: its index.
        first_frame: global number of its first frame.
        length: its frames.
        task: its task_index.
        fps: frames per second.
    """
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
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _nest(values: pa.Array, shape: tuple[int, ...], kind: pa.DataType) -> pa.Array:
    if shape == (1,):
        return values
    if len(shape) == 1:
        return pa.FixedSizeListArray.from_arrays(values, type=kind)
    return nested(values, shape).cast(kind)


def nested(values: pa.Array, shape: tuple[int, ...]) -> pa.Array:
    """Return values one after another as lists of lists, each of the outermost of this shape."""
    for size in reversed(shape):
        offsets = np.arange(len(values) // size + 1, dtype=np.int32) * size
        values = pa.ListArray.from_arrays(pa.array(offsets), values)
    return values


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
        sizes = pc.min_max(pc.list_value_length(array)).as_py()
        if sizes["min"] != sizes["max"]:  # else what one frame lacks could be what another has too much
            raise HandsightError(
                f"{where} holds {sizes['min']} to {sizes['max']} values a frame; expected {feature.dtype} "
                f"{feature.shape}"
            )
        array = array.flatten()
    if array.null_count:
        raise HandsightError(
            f"{where} has missing values; expected {feature.dtype} {feature.shape} in each frame"
        )
    if len(array) != rows * math.prod(feature.shape):
        raise HandsightError(
            f"{where} holds {len(array)} values in {rows} frames; meta/info.json says shape {feature.shape}"
        )
    try:
        if feature.dtype == "string":
            return np.array(array.to_pylist(), dtype=np.str_).reshape(rows)
        values = _as_dtype(array.to_numpy(zero_copy_only=False), np.dtype(feature.dtype))
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        raise HandsightError(f"{where} holds {array.type}; meta/info.json says {feature.dtype}") from None
    return values.reshape(rows, *feature.shape)


def _as_dtype(values: npt.NDArray[Any], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return values in the declared dtype; whole numbers and truths have to come out the same."""
    with np.errstate(all="ignore"):
        converted: npt.NDArray[Any] = values.astype(kind, copy=False)
    if kind.kind != "f" and converted is not values and not np.array_equal(converted, values):
        raise ValueError(f"values beyond {kind}")
    return converted


def in_pieces(file: pq.ParquetFile, name: str, feature: Feature, where: str) -> Iterator[npt.NDArray[Any]]:
    """Yield a column of a data file as `to_numpy` does, a few rows at a time: memory stays flat."""
    kind = "S64" if feature.dtype == "string" else feature.dtype
    row_bytes = np.dtype(kind).itemsize * int(np.prod(feature.shape))
    rows = min(max(1, _PIECE_BYTES // row_bytes), _PIECE_ROWS)
    for batch in file.iter_batches(rows, columns=[name]):
        yield to_numpy(batch.column(0), feature, where)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
