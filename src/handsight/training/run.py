"""A run is one folder: what was asked for, what happened, where it stands, and the encoder."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import yaml

from handsight.errors import HandsightError

IDENTITY = ("method", "data", "training")
"""Parts of config.yaml that have to be the same when a run goes on; versions and device may differ."""


class Run:
    """The folder of one training run.

    Args:
        folder: where; made when it is not there.
        config: everything that was resolved: `method`, `data`, `training`, and `made` (versions, device).

    Raises:
        HandsightError: when the folder holds a run with other settings, or something that is no run.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.config = json.loads(json.dumps(config, default=str))
        self.log_path = folder / "log.jsonl"
        self.checkpoints = folder / "checkpoints"
        self.encoder_folder = folder / "encoder"
        path = folder / "config.yaml"
        if path.exists():
            self._compare(read_config(folder))
            return
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise HandsightError(
                f"{folder} is there already and is not a run; give another folder with --out"
            )
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            write_atomically(path, yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True))
        except OSError as error:
            raise HandsightError(
                f"{folder} cannot be written ({error.strerror}); give another folder with --out"
            ) from error

    def _compare(self, earlier: Mapping[str, Any]) -> None:
        for part in IDENTITY:
            for key in sorted({*earlier.get(part, {}), *self.config.get(part, {})}):
                before, now = earlier.get(part, {}).get(key), self.config.get(part, {}).get(key)
                if before != now:
                    raise HandsightError(
                        f"{self.folder} is a run with {part}.{key} = {before!r}, and this one has {now!r};"
                        " give another folder with --out, or the same settings to resume"
                    )

    def newest_checkpoint(self) -> Path | None:
        """Return the checkpoint with most steps, if there is one."""
        found = sorted(self.checkpoints.glob("step-*.pt"))
        return found[-1] if found else None

    def save_checkpoint(self, state: Mapping[str, Any], step: int) -> None:
        """Write a checkpoint whole, then remove the one before."""
        path = self.checkpoints / f"step-{step:09d}.pt"
        partial = path.with_suffix(".partial")
        try:
            torch.save(dict(state), partial)
            os.replace(partial, path)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            free = shutil.disk_usage(self.folder).free
            raise HandsightError(
                f"cannot write {path} ({error}); {free / 1e6:.0f} MB are free."
                " Make room and give the same command again"
            ) from error
        for old in self.checkpoints.glob("step-*.pt"):
            if old != path:
                old.unlink()

    def load_checkpoint(self, path: Path) -> dict[str, Any]:
        """Read a checkpoint without running anything that stands in it."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise HandsightError(
                f"{path} cannot be read ({type(error).__name__}); remove it to begin again"
            ) from error
        if not isinstance(state, dict) or "step" not in state or "method_name" not in state:
            raise HandsightError(f"{path} is not a checkpoint of a run; remove it to begin again")
        return state

    def cut_log(self, step: int) -> None:
        """Drop what was logged at or after `step`: a resumed run writes it again."""
        if not self.log_path.exists():
            return
        kept = [json.dumps(entry) for entry in read_log(self.folder) if entry.get("step", -1) < step]
        write_atomically(self.log_path, "".join(line + "\n" for line in kept))

    def log(self, entry: Mapping[str, Any]) -> None:
        """Append one line to log.jsonl."""
        try:
            with self.log_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dict(entry)) + "\n")
        except OSError as error:
            raise HandsightError(
                f"cannot write {self.log_path} ({error.strerror}); make room and give the same command again"
            ) from error


def read_config(folder: Path) -> dict[str, Any]:
    """Read a run's config.yaml.

    Raises:
        HandsightError: when the folder is no run.
    """
    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HandsightError(
            f"{folder} is not a run: it has no config.yaml. Give the folder that --out named in pretrain"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HandsightError(
            f"{path} cannot be read: it is not YAML any more. Give another folder with --out"
        ) from error
    if not isinstance(config, dict):
        raise HandsightError(f"{path} is empty; give another folder with --out")
    return config


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Read a run's log.jsonl; a last line that a kill cut short is left out."""
    path = folder / "log.jsonl"
    if not path.exists():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old one or the new one, never a part."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def made_with() -> dict[str, str]:
    """Return versions and hardware, to be written beside a result."""
    names = ("handsight", "torch", "torchvision", "timm", "lightning", "mujoco", "numpy")
    made = {"python": platform.python_version(), "platform": platform.platform(), "processor": _processor()}
    for name in names:
        try:
            made[name] = version(name)
        except PackageNotFoundError:
            made[name] = "source"
    if torch.cuda.is_available():
        made["gpu"] = torch.cuda.get_device_name()
    return made


def _processor() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores"
