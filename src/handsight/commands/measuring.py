"""`handsight evaluate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from handsight.commands.parsing import Parser, Runner, existing, from_function
from handsight.commands.pretraining import open_recordings
from handsight.commands.progress import counting
from handsight.encoders import Encoder, load_encoder
from handsight.errors import HandsightError
from handsight.evaluation import Table, in_words
from handsight.recordings import Recording, choose_episodes
from handsight.studies.benchmark import RANDOM, measure_objects
from handsight.studies.controls import train_controls
from handsight.studies.robot import measure_robot
from handsight.training import made_with, read_config
from handsight.training.run import write_atomically


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
    recordings with actions get the robot probes (inverse dynamics, behaviour cloning, leaving one episode
    out).

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
    if seed < 0:
        raise HandsightError(f"--seed is {seed}; it starts at 0")
    config = read_config(existing(run, "the folder of a run"))
    _evaluation_folder(run)
    trained_on: dict[str, Any] = config.get("data") or {}
    if not trained_on or "method" not in config:
        raise HandsightError(
            f"{run} does not say what it was trained on; give the folder that pretrain wrote"
        )
    first = next(iter(trained_on.values()))
    renamed = first["renamed"].get("action")
    recordings = open_recordings(data or list(trained_on), images or first["cameras"], action or renamed)
    name = config["method"]["name"]
    folders = {name: run}
    if controls:
        with counting("controls") as progress:
            theirs = open_recordings(list(trained_on), first["cameras"], renamed)
            folders |= train_controls(run, theirs, lambda row: progress)
    folders |= {existing(folder, "the folder of a run").name: folder for folder in beside or []}
    encoders = {row: load_encoder(folder) for row, folder in folders.items()}
    compare = [(name, row) for row in (RANDOM, *folders) if row != name]
    tables = _measure(encoders, recordings, compare, config, seed)
    _show_and_keep(run, tables, seed)


def _measure(
    encoders: Mapping[str, Encoder],
    recordings: Sequence[Recording],
    compare: Sequence[tuple[str, str]],
    config: Mapping[str, Any],
    seed: int,
) -> dict[str, Table]:
    if all("category" in recording.facts for recording in recordings):
        found = measure_objects(encoders, recordings, compare=compare, seed=seed, say=_say)
        return {"objects": found.benchmark.table}
    recording = recordings[0]
    if "action" not in recording.features:
        raise HandsightError(
            f"{recording.root} has neither the fact 'category' nor a stream 'action' to measure by;"
            " say which stream it is with --action NAME, or give other recordings with --data"
        )
    training, seen = config["training"], ()
    if str(recording.root) in config["data"]:
        split = None if training["split"] == "all" else training["split"]
        seen = tuple(
            choose_episodes(recording, split, training["max_episodes"], training["hold_out"]).tolist()
        )
    probes = measure_robot(
        encoders,
        recording,
        between=config["method"].get("between"),
        compare=compare,
        seen=seen,
        seed=seed,
        say=_say,
    )
    return {probe.replace(" ", "-"): measured.table for probe, measured in probes.items()}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show_and_keep(run: Path, tables: Mapping[str, Table], seed: int) -> None:
    console = Console()
    # All is shown before any of it is written: a full disk loses nothing.
    for table in tables.values():
        written = _written(table)
        for paragraph in written[:2]:
            console.print(Markdown(paragraph))
        for sentence in written[2:]:
            console.print(sentence, highlight=False)
    folder = _evaluation_folder(run)
    for name, table in tables.items():
        write_atomically(folder / f"{name}.json", table.to_json())
        write_atomically(folder / f"{name}.md", "\n\n".join(_written(table)) + "\n")
    write_atomically(folder / "made.json", json.dumps({"seed": seed, **made_with()}, indent=1))
    print(f"kept in {folder}")


def _written(table: Table) -> list[str]:
    """Return a table in Markdown: its title, itself, and what it says in words, a paragraph each."""
    return [f"**{table.title}** ({table.over})", table.to_markdown(), *in_words(table), *table.notes]


def _evaluation_folder(run: Path) -> Path:
    """Make the folder that the tables go to; done first too, since measuring takes long."""
    folder = run / "evaluation"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise HandsightError(
            f"{folder} cannot be written ({error.strerror}); make room or mend it"
        ) from error
    return folder
