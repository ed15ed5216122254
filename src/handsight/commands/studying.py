"""`handsight study`: a table of a paper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown

from handsight.commands.parsing import Parser, Runner, from_function
from handsight.commands.progress import counting
from handsight.errors import HandsightError
from handsight.evaluation import in_words
from handsight.report import study_report
from handsight.report import write as write_report
from handsight.studies.catalogue import STUDIES
from handsight.studies.cells import CellStore
from handsight.studies.running import run_cells
from handsight.studies.study import Found, Row, Scale, Study, gather
from handsight.training.run import write_atomically

_MISSING = "Cells that have not been run yet: {}."


def study(parser: Parser, arguments: Sequence[str]) -> Runner:
    """Add the options of `study`."""
    return from_function(parser, run_study)


def run_study(
    name: str,
    scale: Scale = "small",
    out: Path = Path("studies"),
    cells: Path | None = None,
    seeds: int | None = None,
    workers: int = 1,
    run: bool = True,
) -> None:
    """Run a study: a table or figure of a paper, cell by cell.

    A cell is one variant with one seed; what is done is kept, so that the same command goes on where it
    stopped and studies share cells. `handsight study list` says which studies there are.

    Args:
        name: `paper/table`, or `list`.
        scale: `tiny` (seconds, to see that it runs), `small` (two cores), `paper` (the paper's own size).
        out: folder of tables, recordings and runs.
        cells: folder of the cells' outcomes, a small JSON each; default: OUT/cells.
        seeds: at most so many of each row; default: the study's own.
        workers: cells at a time.
        run: run what has not been run yet; false only shows what there is.
    """
    if name == "list":
        _list_studies()
        return
    if name not in STUDIES:
        of_paper = [one for one in STUDIES if one.startswith(f"{name.split('/')[0]}/")]
        raise HandsightError(
            f"there is no study '{name}'; there are {', '.join(of_paper or STUDIES)}."
            " `handsight study list` says what they ask"
        )
    if scale not in get_args(Scale):
        raise HandsightError(f"--scale was given {scale!r}; it can be {', '.join(get_args(Scale))}")
    for option, value in (("--workers", workers), ("--seeds", seeds)):
        if value is not None and value < 1:
            raise HandsightError(f"{option} is {value}; it starts at 1")
    chosen, store = STUDIES[name], CellStore(cells or out / "cells")
    rows = chosen.rows_at(scale, seeds)
    if run:
        wanted = list(dict.fromkeys(cell for row in rows for cell in row.cells))
        left = sum(store.get(cell) is None for cell in wanted)
        print(f"{name} at {scale}: {len(wanted)} cells, {left} to run", flush=True)
        with counting("cells") as progress:
            run_cells(wanted, store, out / "work", workers=workers, progress=progress)
    found = gather(chosen, rows, store)
    if not found.table.cells:
        raise HandsightError(f"no cell of {name} at {scale} has been run yet; leave out --run false")
    _show(found)
    _keep(chosen, scale, rows, found, out)


def _list_studies() -> None:
    width = max(map(len, STUDIES)) + 2
    for name, one in STUDIES.items():
        print(f"{name:<{width}}{one.question}")


def _show(found: Found) -> None:
    console = Console()
    console.print(Markdown(f"**{found.table.title}** ({found.table.over})"))
    console.print(Markdown(found.table.to_markdown()))
    # The first measure's differences in words; those of the others stand in the files.
    said, first = in_words(found.table), found.table.measures[0].name
    others = [place for place, one in enumerate(found.table.differences) if one.measure != first]
    for sentence in (*(s for place, s in enumerate(said) if place not in others), *found.table.notes):
        console.print(sentence, highlight=False)
    if found.missing:
        console.print(_MISSING.format(found.missing), highlight=False)


def _keep(study: Study, scale: Scale, rows: Sequence[Row], found: Found, out: Path) -> None:
    stem = out / f"{study.name.replace('/', '-')}-{scale}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    table = found.table
    command = f"handsight study {study.name} --scale {scale}"
    made = ", ".join(f"{name} {value}" for name, value in found.made.items() if value)
    written = [
        f"# {table.title}",
        study.question,
        table.to_markdown(),
        f"Mean and interval over {table.over}.",
    ]
    written += [
        "\n".join(f"- {sentence}" for sentence in (*in_words(table), *table.notes)),
        f"Made by `{command}`: {made}.",
        _MISSING.format(found.missing) if found.missing else "",
    ]
    write_atomically(Path(f"{stem}.json"), table.to_json())
    write_atomically(Path(f"{stem}.csv"), table.to_csv())
    write_atomically(Path(f"{stem}.md"), "\n\n".join(filter(None, written)) + "\n")
    report = study_report(
        table,
        question=study.question,
        chance=study.chance(scale),
        references=found.references,
        drawings=_drawings(study, found),
        missing=found.missing,
        facts={"command": command, **found.made},
        cells={row.label: json.loads(json.dumps(row.settings)) for row in rows},
        pictures=_pictures(study, rows, out / "work"),
    )
    page = write_report(report, Path(f"{stem}.html"))
    print(f"kept in {stem}.md, .csv, .json; open {page}")


def _pictures(study: Study, rows: Sequence[Row], work: Path) -> dict[str, dict[str, Path]]:
    """Return name → row → the picture that its first cell left, where it is still there."""
    found: dict[str, dict[str, Path]] = {}
    for name in study.pictures:
        for row in rows:
            path = work / "pictures" / row.cells[0].key / f"{name}.png"
            if path.exists():
                found.setdefault(name, {})[row.label] = path
    return found


Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def _drawings(study: Study, found: Found) -> dict[tuple[str, str], dict[str, Points]]:
    """Return (what is up the side, what is along the bottom) → line → (x, y)."""
    drawings: dict[tuple[str, str], dict[str, Points]] = {}
    for curve in study.curves:
        lines = found.curves[curve.name]
        if lines:
            drawings[curve.y, curve.x] = {label: (x, y.mean(axis=0)) for label, (x, y) in lines.items()}
    if study.lines:
        for measure in found.table.measures:
            points: dict[str, list[tuple[float, float]]] = {}
            for label, (line, place) in study.lines.items():
                interval = found.table.cells.get(label, {}).get(measure.name)
                if interval is not None:
                    points.setdefault(line, []).append(
                        (place, interval.mean * (100 if measure.percent else 1))
                    )
            drawings[measure.heading, study.along] = {
                line: (np.array([x for x, _ in several]), np.array([y for _, y in several]))
                for line, several in points.items()
            }
    return drawings
