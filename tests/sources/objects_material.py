"""Small copies of RT4K, MVImgNet and CO3D, in the layouts of the real ones."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from PIL import Image
from scipy.spatial.transform import Rotation

Poses = tuple[np.ndarray, np.ndarray]
"""Quaternions wxyz `[T, 4]` and translations `[T, 3]`."""


def picture(seed: int, height: int = 24, width: int = 24) -> np.ndarray:
    """A picture that no other seed has, smooth enough for JPEG; uint8 `[height, width, 3]`."""
    coarse = np.random.default_rng(seed).integers(40, 216, (3, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return file.getvalue()


def pack(group: h5py.Group, name: str, pictures: Sequence[bytes]) -> None:
    """Write encoded pictures as a data set of rows of bytes."""
    rows = group.create_dataset(name, (len(pictures),), h5py.vlen_dtype(np.uint8))
    for index, one in enumerate(pictures):
        rows[index] = np.frombuffer(one, np.uint8)


def make_rt4k(
    folder: Path,
    train: Sequence[tuple[str, str, str]] = (
        ("apple", "apple_000", "3"),
        ("apple", "apple_001", "5"),
        ("kanne", "känne_007", "5"),
    ),
    test: Sequence[tuple[str, str, str]] = (("apple", "apple_002", "3"), ("kanne", "känne_010", "3")),
    views: Sequence[int] = (1, 2, 45, 90, 179, 180),
    missing: Mapping[str, Sequence[int]] | None = None,
    kind: str = "PNG",
) -> Path:
    """Write `data.h5` and its tables; clips are category, object and background, `missing` object → views.

    Rows stand as in the authors' tables: clip after clip, views in order. Picture i of a split is
    `picture(i)`, test's from 1000 on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "data.h5", "w") as file:
        for split, clips, table in (("train", train, "dataset"), ("test", test, "dataset_test")):
            rows, pictures = [], []
            for category, instance, background in clips:
                for view in views:
                    if view in (missing or {}).get(instance, ()):
                        continue
                    row: dict[str, Any] = {str(column): "" for column in range(12)}
                    name = f"{instance}_{background}_{view}_0_0.png"
                    row |= {"0": name, "2": instance, "3": background, "5": category}
                    rows.append(row | {"h5_index": len(pictures)})
                    pictures.append(encoded(picture(len(pictures) + 1000 * (split == "test")), kind))
            pack(file, split, pictures)
            pd.DataFrame(rows).to_parquet(folder / f"{table}.parquet")
    return folder


def walk(seed: int, count: int) -> Poses:
    """Poses of a walk around something."""
    generator = np.random.default_rng(seed)
    turns = Rotation.from_rotvec(np.cumsum(generator.normal(0, 0.4, (count, 3)), axis=0))
    return turns.as_quat(scalar_first=True), np.cumsum(generator.normal(0, 2, (count, 3)), axis=0)


def write_images_bin(path: Path, names: Sequence[str], poses: Poses, points_n: int = 3) -> Path:
    """Write COLMAP's binary table of images; the last come first, as its own order is not that of names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [struct.pack("<Q", len(names))]
    for number in reversed(range(len(names))):
        parts.append(struct.pack("<i4d3di", number + 1, *poses[0][number], *poses[1][number], 1))
        parts.append(names[number].encode() + b"\0" + struct.pack("<Q", points_n))
        parts += [struct.pack("<ddq", 1.5, 2.5, -1)] * points_n
    path.write_bytes(b"".join(parts))
    return path


MVIMGNET = (("0", "0a1b"), ("0", "2c3d"), ("29", "ä7"), ("192", "5e6f"))
"""Label and instance."""


def make_mvimgnet(
    folder: Path,
    instances: Sequence[tuple[str, str]] = MVIMGNET,
    frames_n: int = 12,
    sizes: Sequence[tuple[int, int]] = ((24, 32), (32, 24)),
) -> dict[str, Poses]:
    """Write class folders with COLMAP's poses; return these. Heights and widths take turns."""
    poses = {}
    for number, (label, instance) in enumerate(instances):
        where = folder / label / instance
        (where / "images").mkdir(parents=True)
        names = [f"{frame:03d}.jpg" for frame in range(frames_n)]
        for frame, name in enumerate(names):
            pixels = picture(100 * number + frame, *sizes[number % len(sizes)])
            (where / "images" / name).write_bytes(encoded(pixels, "JPEG"))
        poses[f"{label}/{instance}"] = walk(number, frames_n)
        write_images_bin(where / "sparse" / "0" / "images.bin", names, poses[f"{label}/{instance}"])
    (folder / "mvimgnet_category.txt").write_text("0,bag\n29,bookshelf\n203,Toy butterfly \n")
    return poses


def make_mvimgnet_packed(
    folder: Path, instances: Sequence[tuple[str, str]] = MVIMGNET, frames_n: int = 5
) -> dict[str, Poses]:
    """Write `data2.h5` and its tables, the last instance to test on; return the poses."""
    folder.mkdir(parents=True, exist_ok=True)
    poses, rows = {}, []
    with h5py.File(folder / "data2.h5", "w") as file:
        for number, (label, instance) in enumerate(instances):
            pictures = [encoded(picture(100 * number + frame, 24, 32), "JPEG") for frame in range(frames_n)]
            pack(file.require_group(label), instance, pictures)
            q, t = poses[f"{label}/{instance}"] = walk(number, frames_n)
            for frame in range(frames_n):
                row = {"category": int(label), "object": instance, "frame": frame, "length": frames_n}
                row |= {f"q{i}": q[frame, i] for i in range(4)} | {f"t{i}": t[frame, i] for i in range(3)}
                rows.append(row | {"path": f"{label}/{instance}/images/{frame:03d}.jpg"})
    table = pd.DataFrame(rows)
    test = table["object"] == instances[-1][1]
    table[~test].reset_index(drop=True).to_parquet(folder / "dataset_train2.parquet")
    table[test].reset_index(drop=True).to_parquet(folder / "dataset_test2.parquet")
    return poses


CO3D = (("apple", "110_13051_23361"), ("apple", "189_20393_38136"), ("toytruck", "379_44700_88573"))
"""Category and sequence."""


def viewpoints(seed: int, count: int) -> list[dict[str, Any]]:
    """Viewpoint annotations of CO3D."""
    q, t = walk(seed, count)
    focal = np.random.default_rng(seed).uniform(1.5, 3, (count, 2))
    return [
        {
            "R": Rotation.from_quat(q[frame], scalar_first=True).as_matrix().tolist(),
            "T": t[frame].tolist(),
            "focal_length": focal[frame].tolist(),
            "principal_point": [0.0, 0.0],
            "intrinsics_format": "ndc_isotropic",
        }
        for frame in range(count)
    ]


def make_co3d(
    folder: Path, sequences: Sequence[tuple[str, str]] = CO3D, frames_n: int = 6
) -> dict[str, list[dict[str, Any]]]:
    """Write category folders with their annotations; return each sequence's viewpoints."""
    found: dict[str, list[dict[str, Any]]] = {}
    annotations: dict[str, list[dict[str, Any]]] = {}
    for number, (category, sequence) in enumerate(sequences):
        found[f"{category}/{sequence}"] = viewpoints(number, frames_n)
        (folder / category / sequence / "images").mkdir(parents=True)
        for frame, viewpoint in enumerate(found[f"{category}/{sequence}"]):
            path = f"{category}/{sequence}/images/frame{frame + 1:06d}.jpg"
            height, width = ((24, 32), (36, 24))[number % 2]
            (folder / path).write_bytes(encoded(picture(100 * number + frame, height, width), "JPEG"))
            annotations.setdefault(category, []).append(
                {
                    "sequence_name": sequence,
                    "frame_number": frame,
                    "frame_timestamp": -1.0,
                    "image": {"path": path, "size": [height, width]},
                    "depth": None,
                    "mask": {"path": path.replace("images", "masks"), "mass": 9.5},
                    "viewpoint": viewpoint,
                    "meta": {"frame_type": "train"},
                }
            )
    for category, frames in annotations.items():
        write_annotations(folder / category, frames)
    return found


def write_annotations(category: Path, frames: Any) -> None:
    """Write a category's frame annotations, and its sequences'."""
    (category / "frame_annotations.jgz").write_bytes(gzip.compress(json.dumps(frames).encode()))
    names = {frame["sequence_name"] for frame in frames if "sequence_name" in frame}
    listed = [{"sequence_name": name, "category": category.name} for name in sorted(names)]
    (category / "sequence_annotations.jgz").write_bytes(gzip.compress(json.dumps(listed).encode()))


def read_annotations(category: Path) -> list[dict[str, Any]]:
    """Read a category's frame annotations."""
    frames: list[dict[str, Any]] = json.loads(
        gzip.decompress((category / "frame_annotations.jgz").read_bytes())
    )
    return frames


def make_co3d_packed(
    folder: Path, sequences: Sequence[tuple[str, str]] = CO3D, frames_n: int = 6
) -> dict[str, list[dict[str, Any]]]:
    """Write `data.h5` and its tables, the last sequence to test on; return each one's viewpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    found, rows = {}, []
    with h5py.File(folder / "data.h5", "w") as file:
        for number, (category, sequence) in enumerate(sequences):
            pictures = [encoded(picture(100 * number + frame, 24, 32), "JPEG") for frame in range(frames_n)]
            pack(file.require_group(category), sequence, pictures)
            found[f"{category}/{sequence}"] = viewpoints(number, frames_n)
            for index, view in enumerate(found[f"{category}/{sequence}"]):
                numbers = [*np.array(view["R"]).reshape(-1), *view["T"], *view["focal_length"]]
                row = {"category": category, "object": sequence, "index": index, "path": f"{index}.jpg"}
                rows.append(row | {f"a{i + 1}": value for i, value in enumerate(numbers)})
    table = pd.DataFrame(rows)
    test = table["object"] == sequences[-1][1]
    table[~test].reset_index(drop=True).to_parquet(folder / "dataset.parquet")
    table[test].reset_index(drop=True).to_parquet(folder / "dataset_test.parquet")
    return found
