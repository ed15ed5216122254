"""A small recording of grasps, pushes, pokes and things seen again, with the tabletop's streams."""

from pathlib import Path

import numpy as np

from handsight.recordings import Writer
from handsight.worlds.tabletop import Tabletop

KINDS = ("grasp", "push", "poke", "identity", "grasp")


def draw_bar(angle_rad: float, size: int, colour: np.ndarray) -> np.ndarray:
    """Return a bar turned from the picture's x-axis to its y-axis, uint8 `[size, size, 3]`."""
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    along, across = (
        np.cos(angle_rad) * x + np.sin(angle_rad) * y,
        np.cos(angle_rad) * y - np.sin(angle_rad) * x,
    )
    return np.where(((abs(along) < 0.8) & (abs(across) < 0.2))[..., None], colour, 30).astype(np.uint8)


def write_interactions(
    path: Path, episodes: int = 120, size: int = 24, kinds: tuple[str, ...] = KINDS
) -> Path:
    """Write interactions with bars; a grasp across one holds, a push moves one, bright ones are hard.

    The streams are those that the tabletop records of these kinds.
    """
    world = Tabletop(interactions=tuple(dict.fromkeys(kinds)), image_size=32)
    cameras = {name: feature for name, feature in world.features.items() if feature.is_camera}
    streams = {name: feature for name, feature in world.features.items() if not feature.is_camera}
    generator = np.random.default_rng(0)
    small = {name: type(feature)("image", (size, size, 3)) for name, feature in cameras.items()}
    facts = {
        "interaction": "string",
        "success": "bool",
        "angle_bin": "int64",
        "category": "string",
        "object": "int64",
        "split": "string",
    }
    with Writer(path, {**small, **streams}, fps=1, facts=facts) as writer:
        for number in range(episodes):
            kind = kinds[number % len(kinds)]
            bar, colour = generator.uniform(0, np.pi), generator.integers(80, 255, 3)
            tried = generator.integers(18) * np.pi / 18 if kind == "grasp" else 0.0
            across = abs((tried - bar) % np.pi - np.pi / 2) < 0.6
            held = kind == "grasp" and bool(across)
            start, end = generator.uniform(0.2, 0.8, (2, 2))
            shifts = {
                "grasp": [(0, 0)] * (3 if held else 1),
                "push": [(0, 0), tuple(np.round((end - start) * 8).astype(int))],
                "poke": [(0, 0), (0, 0)],
                "identity": [(0, 0), (2, 1), (-2, 3), (1, -3)],
            }[kind]
            picture = draw_bar(bar, size, colour)
            pictures = np.stack([np.roll(picture, shift, (1, 0)) for shift in shifts])
            hardness = colour.mean() / 255
            said = {
                "grasp.point": (0.5, 0.5),
                "grasp.angle_rad": tried,
                "push.start": start,
                "push.end": end,
                "push.height_m": generator.uniform(0.01, 0.02),
                "poke.point": (0.5, 0.5),
                "poke.depth_m": np.linspace(0, 0.01, 24),
                "poke.voltage_v": 0.4 + hardness * np.linspace(0, 1, 24),
                "poke.line": (100 * hardness, 0.4 + generator.normal(0, 0.01)),
            }
            frames = dict.fromkeys(small, pictures)
            for name, feature in streams.items():
                own = name.startswith(kind)
                value = np.zeros(feature.shape, np.float32)
                value[:] = said[name] if own else 0
                frames[name] = np.tile(value, (len(pictures), 1))
            writer.add_episode(
                frames,
                {
                    "interaction": kind,
                    "success": held,
                    "angle_bin": round(tried * 18 / np.pi) if kind == "grasp" else -1,
                    "category": "bar",
                    "object": number,
                    "split": ("train", "train", "train", "validation", "test")[number // len(kinds) % 5],
                },
            )
    return path
