"""COLMAP's `images.bin`: the pose of each picture of a reconstruction.

The layout is that of COLMAP's `Reconstruction::WriteImagesBinary`, little-endian, unchanged since 2016.
Reading it takes less than a library of native code would weigh; pycolmap reads the same from the same file.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.layout import shown

_COUNT = struct.Struct("<Q")
_IMAGE = struct.Struct("<I7dI")
"""Number of the image, quaternion wxyz, translation, number of the camera."""
_POINT_BYTES = 24
"""A point's x, y and number in three dimensions."""


@dataclass(frozen=True)
class CameraPoses:
    """Poses from world to camera: a point is seen at R(q) · x + t.

    Args:
        names: of the pictures, below the folder that was reconstructed from.
        rotations: quaternions wxyz, float64 `[N, 4]`.
        translations: float64 `[N, 3]`.
    """

    names: list[str]
    rotations: npt.NDArray[np.float64]
    translations: npt.NDArray[np.float64]


def read_images_bin(path: Path) -> CameraPoses:
    """Read the poses of a reconstruction's `images.bin`.

    Raises:
        HandsightError: it is missing, or not such a file from its first to its last byte.
    """
    names: list[str] = []
    poses: list[tuple[float, ...]] = []
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            (count,) = _COUNT.unpack_from(data)
            place = _COUNT.size
            for _ in range(count):
                poses.append(_IMAGE.unpack_from(data, place)[1:8])
                end = data.find(b"\0", place + _IMAGE.size)
                if end < 0:
                    raise ValueError("a name does not end")
                names.append(data[place + _IMAGE.size : end].decode())
                (points,) = _COUNT.unpack_from(data, end + 1)
                place = end + 1 + _COUNT.size + points * _POINT_BYTES
            if place != len(data):
                raise ValueError(f"it has {len(data)} bytes and should have {place}")
    except FileNotFoundError:
        raise HandsightError(f"{shown(path)} is missing; expected COLMAP's sparse reconstruction") from None
    except (ValueError, struct.error) as error:
        raise HandsightError(
            f"{shown(path)} breaks off or is no COLMAP images.bin ({error}); restore it"
        ) from None
    values = np.array(poses, dtype=np.float64).reshape(len(names), 7)
    return CameraPoses(names, values[:, :4], values[:, 4:])
