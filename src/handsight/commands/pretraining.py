"""`handsight pretrain`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from handsight.commands.parsing import Parser, Runner, choose, plain
from handsight.commands.progress import counting
from handsight.errors import HandsightError
from handsight.methods import METHODS, Method
from handsight.methods.acting import ActingMethod
from handsight.recordings import Recording
from handsight.studies.benchmark import monitors
from handsight.training import Training, estimate, prepare, train
from handsight.training.drawing import Data
from handsight.worlds import PLACES
from handsight.worlds.places import Place


def pretrain(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the methods, each with its own options."""
    return choose(
        parser, "method", {name: _pretrain_one(method) for name, method in METHODS.items()}, arguments
    )


def _pretrain_one(method: type[Method]) -> Any:
    def build(parser: Parser) -> Runner:
        parser.description = (method.__doc__ or "").split("\n\n")[0]
        acts = issubclass(method, ActingMethod)
        options = parser.add_argument_group("data and place")
        options.add_argument(
            "--data",
            type=str,
            required=not acts,
            nargs="+",
            help="recordings: folders, or user/name on the Hugging Face Hub",
        )
        options.add_argument(
            "--out", type=Path, required=True, help="folder of the run; the same command again resumes it"
        )
        options.add_argument("--images", type=str, nargs="+", help="cameras to use; default: all")
        options.add_argument(
            "--action", type=str, help="name of the stream that is the action; default: action"
        )
        options.add_argument(
            "--dry_run", action="store_true", help="say what it would take in time, memory and disk, and stop"
        )
        if acts:
            options.add_argument(
                "--world", choices=list(PLACES), help="where to act meanwhile, instead of --data"
            )
            for name, place in PLACES.items():
                parser.add_class_arguments(place, name, as_group=True)
        parser.add_class_arguments(method, as_group=True)
        parser.add_class_arguments(Training, as_group=True)
        return lambda namespace: _run_pretraining(method, plain(namespace, parser))

    return build


def _run_pretraining(method: type[Method], options: dict[str, Any]) -> None:
    data, out, images, action, dry_run = (
        options.pop(name) for name in ("data", "out", "images", "action", "dry_run")
    )
    training = Training(**{name: options.pop(name) for name in Training.__dataclass_fields__})
    place = _place(options) if issubclass(method, ActingMethod) else None
    if (place is None) == (data is None):
        raise HandsightError(
            f"{method.name} learns from recordings or in a world; give one of them: --data FOLDER, or --world"
            f" {' or '.join(PLACES)}"
        )
    recordings = [] if data is None else open_recordings(data, images, action)
    learned_from: Data = recordings if place is None else place
    if training.monitor_every == 0:
        training = replace(training, monitor_every=training.checkpoint_every)
    # Heads and trunk begin with the same weights whenever the same seed is given.
    torch.manual_seed(training.seed)
    made = method(**options)
    if dry_run:
        if place is not None:
            raise HandsightError(
                "--dry-run times steps on recordings; a world's pace is seen in its first round"
            )
        _say_estimate(made, recordings, training, out)
        return
    with counting("decoding frames") as decoding:
        prepared = prepare(made, learned_from, training, decoding, out)
    with counting(f"{method.name}") as progress:
        watching = monitors(recordings, made.encoder.image_size) if recordings else ()
        folder = train(prepared, out, watching, progress)
    if prepared.fabric.is_global_zero:
        told = isinstance(made, ActingMethod)
        following = f"segment PICTURE {folder}" if told else f"evaluate {folder}"
        print(f"{folder}: {prepared.steps} steps done. Next: handsight {following}")


def _place(options: dict[str, Any]) -> Place | None:
    """Take what was said of worlds out of the options; return the one to act in, if there is one."""
    chosen, said = options.pop("world"), {name: options.pop(name) for name in PLACES}
    if chosen is None:
        return None
    options_of = said[chosen]
    return PLACES[chosen](**options_of) if isinstance(options_of, dict) else options_of


def open_recordings(data: Sequence[str], images: Sequence[str] | None, action: str | None) -> list[Recording]:
    """Open one or several recordings under the names that the user gave."""
    return [Recording(path, images=images, action=action) for path in data]


def _say_estimate(method: Method, recordings: Sequence[Recording], training: Training, out: Path) -> None:
    found = estimate(method, recordings, training)
    free = _free_bytes(out)
    need = found.cache_bytes + found.run_bytes
    print(
        f"{method.name} on {', '.join(str(r.root) for r in recordings)}: nothing was started\n"
        f"  data     {found.training_frames:,} training frames, {found.steps_per_epoch:,} steps an epoch\n"
        f"  model    {found.parameters / 1e6:.1f} million parameters on {found.device}\n"
        f"  time     {_duration(found.total_s)}: {found.steps:,} steps of {found.step_s:.3f} s,"
        f" {_duration(found.decode_s)} to decode frames\n"
        f"  memory   {found.memory_bytes / 1e9:.1f} GB\n"
        f"  disk     {need / 1e9:.2f} GB: {found.cache_bytes / 1e9:.2f} for decoded frames,"
        f" {found.run_bytes / 1e9:.2f} for the run; {free / 1e9:.1f} GB are free"
    )
    if need > free:
        raise HandsightError(
            f"{out} has {free / 1e9:.1f} GB free and the run takes {need / 1e9:.1f};"
            " make room, or bound the frames with --cache-gb"
        )


def _free_bytes(folder: Path) -> int:
    place = folder.expanduser().absolute()
    while not place.exists():
        place = place.parent
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
