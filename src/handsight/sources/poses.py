"""Poses of a camera: the streams they become, and what of them is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handsight.errors import HandsightError
from handsight.recordings.features import Feature

ROTATION = "observation.camera.rotation"
TRANSLATION = "observation.camera.translation"

ROTATION_FEATURE = Feature(
    "float32", (4,), ("w", "x", "y", "z"), moves="rotation", between="relative_rotation"
)
"""The camera's rotation in the convention of its data set, as a quaternion."""

TRANSLATION_FEATURE = Feature("float32", (3,), ("x", "y", "z"), between="difference")
"""Where the world's origin lies in the camera's frame, in the unknown unit of its reconstruction.

What mirroring the picture does to it has no name among `Moves`: flips are refused.
"""

_TOLERANCE = 1e-3
"""By so much a quaternion's length or a matrix' entry may be off: more than float32 and text lose."""

Numbers = npt.NDArray[np.float64]


def unit_quaternions(quaternions: Numbers, places: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return quaternions wxyz `[T, 4]`, brought to length 1.

    Args:
        quaternions: `[T, 4]`, of length 1 to within 1e-3.
        places: what messages call them.

    Raises:
        HandsightError: one is not of that length, by name.
    """
    length = np.linalg.norm(quaternions, axis=1)
    wrong = np.flatnonzero(~(np.abs(length - 1) <= _TOLERANCE))
    if len(wrong):
        first = int(wrong[0])
        raise HandsightError(
            f"{places[first]} has the rotation {_listed(quaternions[first])}, of length {length[first]:.4g}; "
            "expected a unit quaternion wxyz"
        )
    return np.asarray(quaternions / length[:, None], dtype=np.float32)


def rotation_quaternions(matrices: Numbers, places: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return rotation matrices `[T, 3, 3]` as quaternions wxyz, w ≥ 0, `[T, 4]`.

    Raises:
        HandsightError: one is no rotation: not orthonormal to within 1e-3, or a mirroring; by name.
    """
    from scipy.spatial.transform import Rotation  # here, as it would slow the start of every command

    product = matrices.swapaxes(1, 2) @ matrices
    off = np.abs(product - np.eye(3)).max(axis=(1, 2))
    wrong = np.flatnonzero(~(off <= _TOLERANCE) | (np.linalg.det(matrices) < 0))
    if len(wrong):
        first = int(wrong[0])
        what = "mirrors" if off[first] <= _TOLERANCE else f"is off orthonormal by {off[first]:.3g}"
        raise HandsightError(
            f"{places[first]} has the rotation matrix {_listed(matrices[first].reshape(-1))}, which {what}; "
            "expected a rotation"
        )
    quaternions = Rotation.from_matrix(matrices).as_quat(canonical=True, scalar_first=True)
    return np.asarray(quaternions, dtype=np.float32)


def _listed(values: Numbers) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
