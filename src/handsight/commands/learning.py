"""`handsight pretrain` and `handsight evaluate`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markdown import Markdown

from handsight.commands.parsing import Parser, Runner, choose, existing, from_function, plain
from handsight.commands.progress import counting
from handsight.encoders import load_encoder
from handsight.errors import HandsightError
from handsight.evaluation import Table, in_words
from handsight.methods import METHODS, Method
from handsight.recordings import Recording
from handsight.studies.benchmark import measure_objects, monitors
from handsight.studies.controls import train_controls
from handsight.studies.robot import measure_robot
from handsight.training import Training, estimate, made_with, prepare, read_config, train
from handsight.training.run import write_atomically


def pretrain(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the methods, each with its own options."""
    return choose(
        parser, "method", {name: _pretrain_one(method) for name, method in METHODS.items()}, arguments
    )


def _pretrain_one(method: type[Method]) -> Any:
    def build(parser: Parser) -> Runner:
        parser.description = (method.__doc__ or "").split("\n\n")[0]
        options = parser.add_argument_group("data and place")
        options.add_argument(
            "--data",
            type=str,
            required=True,
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
        parser.add_class_arguments(method, as_group=True)
        parser.add_class_arguments(Training, as_group=True)
        return lambda namespace: _run_pretraining(method, plain(namespace, parser))

    return build


def _run_pretraining(method: type[Method], options: dict[str, Any]) -> None:
    data, out, images, action, dry_run = (
        options.pop(name) for name in ("data", "out", "images", "action", "dry_run")
    )
    training = Training(**{name: options.pop(name) for name in Training.__dataclass_fields__})
    recordings = open_recordings(data, images, action)
    if training.monitor_every == 0:
        training = replace(training, monitor_every=training.checkpoint_every)
    # Heads and trunk begin with the same weights whenever the same seed is given.
    torch.manual_seed(training.seed)
    made = method(**options)
    if dry_run:
        _say_estimate(made, recordings, training, out)
        return
    with counting("decoding frames") as decoding:
        prepared = prepare(made, recordings, training, decoding)
    with counting(f"{method.name}") as progress:
        folder = train(prepared, out, monitors(recordings, made.encoder.image_size), progress)
    if prepared.fabric.is_global_zero:
        print(f"{folder}: {prepared.steps} steps done. Next: handsight evaluate {folder}")


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


def evaluate(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `evaluate`."""
    return from_function(parser, evaluate_run)


def evaluate_run(
    run: Path,
    data: list[str] | None = None,
    images: list[str] | None = None,
    action: str | None = None,
    beside: list[Path] | None = None,
    controls: bool = True,
    seed: int = 0,
) -> None:
    """Measure a run's encoder beside its controls.

    Recordings with categories get the object benchmark (kNN, linear probe, retrieval, on test objects);
    recordings with actions get the robot
    probes (inverse dynamics, behaviour cloning, leaving one episode out).

    Args:
        run: folder of a finished run.
        data: recordings; default: those it was trained on.
        images: cameras to use; default: those it was trained on.
        action: name of the stream that is the action; default: as in training.
        beside: further runs, to stand in the same table.
        controls: train what is missing of the run's controls (visual-only, shuffled signal) at its own
            budget, under RUN/controls.
        seed: of the random encoder and of the bootstrap.
    """
    run = existing(run, "run")
    config = read_config(run)
    trained_on = config.get("data", {})
    if not trained_on:
        raise HandsightError(f"{run} does not say what it was trained on; give --data")
    first = next(iter(trained_on.values()))
    paths = data or list(trained_on)
    images = images or first["cameras"]
    action = action or first["renamed"].get("action")
    recordings = open_recordings(paths, images, action)
    name = config["method"]["name"]
    folders = {name: run}
    if controls:
        with counting("controls") as progress:
            folders |= train_controls(
                run,
                open_recordings(list(trained_on), first["cameras"], first["renamed"].get("action")),
                lambda row: progress,
            )
    for folder in beside or []:
        folders[existing(folder, "run").name] = folder
    encoders = {row: load_encoder(folder) for row, folder in folders.items()}
    compare = [(name, row) for row in ("random", *folders) if row != name]
    tables = _measure(encoders, recordings, compare, seed)
    if not tables:
        raise HandsightError(
            f"{paths[0]} has neither categories nor actions to measure by; give other recordings with --data"
        )
    show_and_keep(run, tables, seed)


def _measure(
    encoders: dict[str, Any], recordings: list[Recording], compare: list[tuple[str, str]], seed: int
) -> dict[str, Table]:
    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    tables = {}
    if all("category" in recording.facts for recording in recordings):
        tables["objects"] = measure_objects(
            encoders, recordings, compare=compare, seed=seed, say=say
        ).benchmark.table
    elif "action" in recordings[0].features:
        for probe, found in measure_robot(
            encoders, recordings[0], compare=compare, seed=seed, say=say
        ).items():
            tables[probe.replace(" ", "-")] = found.table
    return tables


def show_and_keep(run: Path, tables: dict[str, Table], seed: int) -> None:
    """Print tables and what they show, and keep them in RUN/evaluation."""
    folder = run / "evaluation"
    folder.mkdir(exist_ok=True)
    console = Console()
    for name, table in tables.items():
        write_atomically(folder / f"{name}.json", table.to_json())
        write_atomically(folder / f"{name}.md", table.to_markdown())
        console.print(Markdown(f"**{table.title}** ({table.over})"))
        console.print(Markdown(table.to_markdown()))
        for sentence in [*in_words(table), *table.notes]:
            console.print(sentence, highlight=False)
    write_atomically(folder / "made.json", json.dumps({"seed": seed, **made_with()}, indent=1))
    print(f"kept in {folder}")
