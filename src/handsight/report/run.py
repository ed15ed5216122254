"""The page of one run: what its folder holds, and in words what it lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handsight.errors import HandsightError
from handsight.evaluation.table import Table
from handsight.recordings import Recording
from handsight.report.clips import clips_section
from handsight.report.curves import curves_section, last_figures
from handsight.report.examples import example_clips
from handsight.report.facts import facts_section, in_time
from handsight.report.page import Report, Section, missing_section
from handsight.report.results import table_section
from handsight.training import duration_s, read_config, read_log

EXAMPLES_SEED = 0
SUPERVISED = "supervised"


def run_report(run_folder: str | Path) -> Report:
    """Put together the page of a run from its folder.

    Args:
        run_folder: with `config.yaml` and, as far as they are there: `log.jsonl`, `controls/*` and
            `evaluation/*.json`. The recording it was trained on is opened for example clips.

    Raises:
        HandsightError: where the folder is no run. What a run merely lacks is said on the page.
    """
    folder = Path(run_folder)
    config = read_config(folder)
    log = read_log(folder)
    name = str(_part(config, "method").get("name", "a method"))
    logs = {name: log} | {f"control: {path.name}": read_log(path) for path in _controls(folder)}
    results, unreadable = _tables(folder)
    sections = [_clips(config), curves_section({row: entries for row, entries in logs.items() if entries})]
    sections += [table_section(table, references=_references(table)) for table in results]
    if not results:
        sections.append(
            missing_section("Results", f"Not measured yet. handsight evaluate {folder} measures this run.")
        )
    sections += [missing_section(path.name, f"{path} could not be read ({why}).") for path, why in unreadable]
    sections.append(facts_section(_facts(folder, config, log), config))
    version = _part(config, "made").get("handsight", "")
    return Report(
        f"{name}: {folder.resolve().name}", _lead(name, config, log), sections, f"Handsight {version}".strip()
    )


def _lead(name: str, config: Mapping[str, Any], log: list[dict[str, Any]]) -> list[str]:
    data = list(_part(config, "data"))
    steps = _part(config, "training").get("steps")
    done = max((int(entry["step"]) + 1 for entry in log if isinstance(entry.get("step"), int)), default=0)
    where = f" on {', '.join(Path(path).name for path in data)}" if data else ""
    if not done:
        return [f"An encoder to be trained by {name}{where}; no step is logged yet."]
    of = f" of {steps:,}" if isinstance(steps, int) and steps != done else ""
    lead = [f"An encoder trained by {name}{where}, {done:,}{of} steps in {in_time(duration_s(log))}."]
    nearest = last_figures(log).get("knn_accuracy")
    if nearest is not None:
        lead.append(
            f"At the last look, nearest neighbours named {nearest * 100:.1f} % of validation frames rightly."
        )
    return lead


def _clips(config: Mapping[str, Any]) -> Section:
    title = "What was done and seen"
    for path, said in _part(config, "data").items():
        said = said if isinstance(said, Mapping) else {}
        try:
            recording = Recording(path, images=said.get("cameras"), streams=said.get("renamed"))
            return clips_section(example_clips(recording, np.random.default_rng(EXAMPLES_SEED)), title)
        except (HandsightError, OSError) as error:
            return missing_section(title, f"The recording cannot be read any more: {error}")
    return missing_section(title, "The run does not say which recordings it was trained on.")


def _tables(folder: Path) -> tuple[list[Table], list[tuple[Path, str]]]:
    """Return the tables in `evaluation/`, and the files that should be tables and are not."""
    tables, unreadable = [], []
    for path in sorted((folder / "evaluation").glob("*.json")):
        if path.name == "made.json":
            continue
        try:
            tables.append(Table.from_json(path.read_text(encoding="utf-8")))
        except (HandsightError, OSError, UnicodeDecodeError) as error:
            unreadable.append((path, str(error)))
    return tables, unreadable


def _references(table: Table) -> tuple[str, ...]:
    """Return rows that were told the labels."""
    return tuple(row for row in table.rows if SUPERVISED in row.lower())


def _facts(folder: Path, config: Mapping[str, Any], log: list[dict[str, Any]]) -> dict[str, Any]:
    training, made = _part(config, "training"), _part(config, "made")
    facts: dict[str, Any] = {"run": folder, "method": _part(config, "method").get("name", "not said")}
    facts |= {f"recording {n}": path for n, path in enumerate(_part(config, "data"), 1)}
    facts |= {
        key.replace("_", " "): training[key] for key in ("steps", "batch_size", "seed") if key in training
    }
    facts["time"] = in_time(duration_s(log)) if log else "nothing logged"
    facts |= {str(key): value for key, value in made.items()}
    path = folder / "evaluation" / "made.json"
    if path.exists():
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            facts |= {"seed of the evaluation": said["seed"]}
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, OSError):
            facts["seed of the evaluation"] = "not readable"
    return facts


def _controls(folder: Path) -> list[Path]:
    return sorted(path.parent for path in (folder / "controls").glob("*/config.yaml"))


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}
