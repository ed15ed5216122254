"""Small copies of the grasp data sets and of UW RGB-D, in the layouts of the real ones."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from objects_material import encoded, picture

EARLIER = "Image name,Grasp angle attempted"
LATER = "PatchFilePath,Theta,Path,GraspHeight,GraspWidth"

GRASPS: dict[str, Sequence[tuple[str, float]]] = {
    "Train/positive": (("1.jpg", 0.0), ("2.jpg", 0.52), ("10.jpg", 1.6)),
    "Train/negative": (("1.jpg", 3.12), ("3.jpg", -0.8)),
    "Validation/positive": (("11.jpg", 2.0),),
    "Validation/negative": (("12.jpg", 0.3),),
    "Test/positive": (("13.jpg", 1.1),),
    "Test/negative": (("14.jpg", 2.9), ("15.jpg", 2.4)),
}
"""Folder → name and angle in rad of its patches."""

ATTEMPT_RAD = {"positive": 1.2, "negative": -0.4}


def make_grasps(
    folder: Path,
    records: Mapping[str, Sequence[tuple[str, float]]] = GRASPS,
    header: str = EARLIER,
    sizes: Sequence[tuple[int, int]] = ((24, 24),),
) -> Path:
    """Write the earlier layout; the picture of record i is `picture(i)`, its height and width take turns."""
    number = 0
    for where, patches in records.items():
        (folder / where / "Images").mkdir(parents=True, exist_ok=True)
        lines = [header, *(f"{name},{angle_rad}" for name, angle_rad in patches)]
        (folder / where / "dataInfo.txt").write_text("\n".join(lines) + "\n")
        for name, _ in patches:
            pixels = picture(number, *sizes[number % len(sizes)])
            (folder / where / "Images" / name).write_bytes(encoded(pixels, "JPEG"))
            number += 1
    return folder


def make_attempts(folder: Path, copies_n: int = 3) -> Path:
    """Write the later layout: no test folder, an attempt a table, `copies_n` copies turned by 10° each."""
    for split in ("Train", "Validation"):
        for outcome, angle_rad in ATTEMPT_RAD.items():
            where = folder / split / outcome
            (where / "Images").mkdir(parents=True, exist_ok=True)
            with (where / "dataInfo.txt").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(LATER.split(","))
                for copy in range(copies_n):
                    name = f"{outcome.upper()}{'QWERTYUIOPASDFGHJKL'[copy]}.jpg"
                    attempt = f"grasping_data/2/{split}/grasp_{outcome}"
                    writer.writerow([name, angle_rad + np.pi * copy / 18, attempt, 211, 340.5])
                    pixels = bar(angle_rad + np.pi * copy / 18)
                    (where / "Images" / name).write_bytes(encoded(pixels, "JPEG"))
    return folder


def bar(angle_rad: float, side: int = 32) -> np.ndarray:
    """A bar through the middle of a patch, along an angle that grows from x to y; uint8 `[side, side, 3]`."""
    middle, half = (side - 1) / 2, 0.4 * side * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    ends = [tuple(np.rint(16 * (middle + sign * half)).astype(int).tolist()) for sign in (-1, 1)]
    return np.asarray(
        cv2.line(np.full((side, side, 3), 40, np.uint8), *ends, (220, 200, 90), 3, cv2.LINE_AA, 4)
    )


UW_RGBD = {
    "apple/apple_1/1": (1, 6, 11, 101),
    "apple/apple_1/2": (1, 6),
    "apple/apple_2/4": (6, 11),
    "bell_pepper/bell_pepper_2/1": (1, 6, 11),
    "bell_pepper/bell_pepper_10/1": (21, 26),
}
"""Category, instance and video → numbers of its frames."""


def make_uw_rgbd(folder: Path, videos: Mapping[str, Sequence[int]] = UW_RGBD) -> Path:
    """Write crops of many sizes with depth, mask and place; frame f of video i is `picture(1000 * i + f)`."""
    for number, (video, frames) in enumerate(videos.items()):
        where, name = video.rsplit("/", 1)
        instance = folder / where
        instance.mkdir(parents=True, exist_ok=True)
        for frame in frames:
            begin = f"{instance.name}_{name}_{frame}"
            height, width = crop_size(number, frame)
            pixels = picture(1000 * number + frame, height, width)
            (instance / f"{begin}_crop.png").write_bytes(encoded(pixels))
            depth = np.full((height, width), 900, np.uint16)
            mask = np.full((height, width), 255, np.uint8)
            (instance / f"{begin}_depthcrop.png").write_bytes(encoded(depth))
            (instance / f"{begin}_maskcrop.png").write_bytes(encoded(mask))
            (instance / f"{begin}_loc.txt").write_text("287,204\n")
    return folder


def crop_size(number: int, frame: int) -> tuple[int, int]:
    """Height and width in px of a crop."""
    return 20 + frame % 7, 34 - 3 * (number % 5)
