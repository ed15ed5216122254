"""A run is one folder: what was asked for, what happened, where it stands, and the encoder."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import filelock
import torch
import yaml

from handsight.errors import HandsightError
from handsight.recordings.durable import partial, publish, synchronise
from handsight.recordings.layout import PARTIAL

IDENTITY = ("method", "data", "training")
"""Parts of config.yaml that have to be the same when a run goes on; versions and device may differ."""

FREE = ("accelerator", "devices", "workers", "cache_gb", "checkpoint_every", "log_every", "monitor_every")
"""Settings in `training` that do not decide what is learned: a run may go on with others."""

LOCK = ".training.lock"
"""In a run's folder while a process trains there."""


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
        self.config = resolved(config)
        self.log_path = folder / "log.jsonl"
        self.checkpoints = folder / "checkpoints"
        self.encoder_folder = folder / "encoder"
        check_place(folder, self.config)
        if (folder / "config.yaml").exists():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HandsightError(
                f"{folder} cannot be written ({error.strerror}); give another folder with --out"
            ) from error
        settings = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)
        write_atomically(folder / "config.yaml", settings)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no other process train here meanwhile, and clear away what a killed one left half written.

        The operating system gives the folder back however this process ends.

        Raises:
            HandsightError: another process is training in it.
        """
        lock = filelock.FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise HandsightError(
                f"{self.folder} is a run that another process is training; wait for it, or give another --out"
            ) from None
        try:
            older = sorted(self.checkpoints.glob("step-*.pt"))[:-1]
            unfinished = (*self.checkpoints.glob("*" + PARTIAL), *self.encoder_folder.glob(".*.part"))
            for left in (*older, *unfinished):
                left.unlink()
            yield
        finally:
            (self.folder / LOCK).unlink(missing_ok=True)
            lock.release()

    def newest_checkpoint(self) -> Path | None:
        """Return the checkpoint with most steps, if there is one."""
        found = sorted(self.checkpoints.glob("step-*.pt"))
        return found[-1] if found else None

    def save_checkpoint(self, state: Mapping[str, Any], step: int) -> None:
        """Write a checkpoint whole and the log up to it, on the disk for good; then remove the one before.

        Raises:
            HandsightError: the disk is full or broken; the one before is still there.
        """
        path = self.checkpoints / f"step-{step:09d}.pt"
        try:
            if self.log_path.exists():
                synchronise(self.log_path)
            torch.save(dict(state), partial(path))
            publish(path)
        except (OSError, RuntimeError) as error:
            partial(path).unlink(missing_ok=True)
            free = shutil.disk_usage(self.folder).free
            why = error.strerror if isinstance(error, OSError) else "PyTorch could not write it to its end"
            raise HandsightError(
                f"cannot write {path} ({why}); {free / 1e6:.1f} MB are free."
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


def resolved(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as it comes back from a file."""
    values: dict[str, Any] = json.loads(json.dumps(config, default=str))
    return values


def check_place(folder: Path, config: Mapping[str, Any]) -> None:
    """Check that a run can begin, or go on, in a folder; nothing is written.

    Args:
        folder: where.
        config: what is known already of the run's config.yaml.

    Raises:
        HandsightError: it holds a run with other settings or something that is no run; it cannot be written.
    """
    if (folder / "config.yaml").exists():
        _compare(folder, read_config(folder), config)
    elif folder.exists() and (not folder.is_dir() or any(map(_is_foreign, folder.iterdir()))):
        raise HandsightError(f"{folder} is there already and is not a run; give another folder with --out")
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if there.is_dir() and not os.access(there, os.W_OK | os.X_OK):
        raise HandsightError(
            f"{folder} cannot be written ({there} is read-only or not yours); give another folder with --out"
        )


def _compare(folder: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for part in (part for part in IDENTITY if part in now):
        before, after = earlier.get(part, {}), now[part]
        # The name first: what else differs follows from it.
        for key in sorted({*before, *after} - set(FREE), key=lambda key: (key != "name", key)):
            if before.get(key) != after.get(key):
                raise HandsightError(
                    f"{folder} is a run with {part}.{key} = {before.get(key)!r}, and this one has"
                    f" {after.get(key)!r}; give another folder with --out, or the same settings to resume"
                )


def _is_foreign(path: Path) -> bool:
    """Whether a file is more than what a run leaves that was killed as it began."""
    return not path.name.endswith(PARTIAL)


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
    if not isinstance(config, dict) or not all(isinstance(config.get(part, {}), dict) for part in IDENTITY):
        raise HandsightError(f"{path} does not hold the settings of a run; give another folder with --out")
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


def duration_s(log: Iterable[Mapping[str, Any]]) -> float:
    """Return how long a run was trained in s, over all its sittings (`seconds` begins anew with each)."""
    total, before = 0.0, 0.0
    for entry in log:
        seconds = entry.get("seconds")
        if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
            continue
        if seconds < before:
            total += before
        before = float(seconds)
    return total + before


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old one or the new one, never a part.

    Raises:
        HandsightError: it cannot be written; the old one is still there.
    """
    try:
        partial(path).write_text(text, encoding="utf-8")
        publish(path)
    except OSError as error:
        with suppress(OSError):
            partial(path).unlink(missing_ok=True)
        raise HandsightError(
            f"cannot write {path} ({error.strerror}); make room, or see to it that it may be written,"
            " and give the same command again"
        ) from error


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
