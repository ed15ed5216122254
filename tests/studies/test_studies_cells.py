"""Cells are named by what they depend on, kept whole, and run once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from handsight.errors import HandsightError
from handsight.studies import running
from handsight.studies.cells import Cell, CellStore, Outcome, Score
from handsight.studies.running import run_cells

MADE = {"torch": "2", "processor": "x"}


def counted(cell: Cell, work: Path) -> Outcome:
    """Stand for an experiment: say how often it was run, and fail where it is told to."""
    with (work / "ran.txt").open("a") as file:
        file.write(f"{cell.seed}\n")
    if cell.settings.get("fails") == cell.seed:
        raise HandsightError("it cannot")
    if cell.settings.get("waits") == cell.seed:
        (work / "waiting.txt").write_text(str(os.getpid()))
        time.sleep(300)
    if "works_s" in cell.settings:
        began = time.process_time()
        while time.process_time() - began < cell.settings["works_s"]:
            pass
        time.sleep(2.0)
        if not (work / "second sitting").exists():
            (work / "second sitting").touch()
            raise HandsightError("stopped")
    if cell.settings.get("dies") == cell.seed:
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome({"score": Score(np.array([cell.seed / 10, 0.5]), np.array([2.0, 2.0]))})


@pytest.fixture
def experiment(monkeypatch):
    # Cells run in new processes, which find this file by its path.
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    )
    return "test_studies_cells:counted"


def cells(count: int, **settings: float) -> list[Cell]:
    return [Cell("test_studies_cells:counted", settings, seed) for seed in range(count)]


def test_a_cell_is_named_by_its_content():
    one = Cell("e", {"a": 1, "b": [1, 2]}, 0)
    assert one == Cell("e", {"b": [1, 2], "a": 1}, 0)
    assert len({one, Cell("e", {"b": [1, 2], "a": 1}, 0)}) == 1
    others = [
        Cell("e", {"a": 1, "b": [2, 1]}, 0),
        Cell("e", {"a": 1, "b": [1, 2]}, 1),
        Cell("f", one.settings, 0),
    ]
    assert len({one.key, *(other.key for other in others)}) == 4


def test_scores_of_frames_are_brought_together_by_object():
    score = Score.of(np.array([1.0, 0.0, 1.0, 1.0]), np.array([7, 7, 7, 3]))
    assert score.mean.tolist() == pytest.approx([1.0, 2 / 3])
    assert score.count.tolist() == [1, 3]
    assert score.value == pytest.approx(0.75)


def test_outcomes_come_back(tmp_path):
    store, cell = CellStore(tmp_path / "new"), Cell("e", {"a": 1}, 3)
    assert store.get(cell) is None
    outcome = Outcome(
        {"s": Score(np.array([0.123456789, 1.0]), np.array([3.0, 4.0]))},
        {"c": {"x": [1], "y": [2.5]}},
        {"k": 5},
    )
    store.put(cell, outcome, 12.0, MADE)
    again = store.get(cell)
    assert again.scores["s"].mean.tolist() == [0.123457, 1.0]
    assert again.scores["s"].count.tolist() == [3, 4]
    assert again.curves == {"c": {"x": [1], "y": [2.5]}}
    assert again.facts == {"k": 5}
    assert json.loads(store.path(cell).read_text())["settings"] == {"a": 1}


@pytest.mark.parametrize("text", ["{", "[]", '{"experiment": "e", "seed": 4, "scores": {}}', '{"seed": 3}'])
def test_a_damaged_outcome_is_named(tmp_path, text):
    store, cell = CellStore(tmp_path), Cell("e", {"a": 1}, 3)
    store.path(cell).write_text(text)
    with pytest.raises(HandsightError, match=r"is no cell's outcome \(.*\); remove it to run it again"):
        store.get(cell)


def test_a_figure_that_is_no_number_is_not_kept(tmp_path):
    store, cell = CellStore(tmp_path), Cell("e", {}, 0)
    with pytest.raises(HandsightError, match=r"'s' of a cell of e is .*nan"):
        store.put(cell, Outcome({"s": Score(np.array([np.nan]), np.array([1.0]))}), 1.0, MADE)
    assert store.get(cell) is None


def test_cells_are_run_once_and_divided_between_processes(tmp_path, experiment):
    store, seen = CellStore(tmp_path / "cells"), []
    wanted = cells(3)
    assert (
        run_cells(
            [*wanted, wanted[0]], store, tmp_path / "work", workers=2, progress=lambda *d: seen.append(d)
        )
        == 3
    )
    assert run_cells(wanted, store, tmp_path / "work") == 0
    assert sorted((tmp_path / "work" / "ran.txt").read_text().split()) == ["0", "1", "2"]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert store.get(wanted[2]).scores["score"].mean.tolist() == [0.2, 0.5]


@pytest.mark.parametrize(("what", "said"), [("fails", "failed: it cannot"), ("dies", "ended with status -9")])
def test_a_cell_that_fails_is_named_and_the_others_are_kept(tmp_path, experiment, what, said):
    store, wanted = CellStore(tmp_path / "cells"), cells(2, **{what: 1})
    with pytest.raises(
        HandsightError, match=rf"a cell of test_studies_cells:counted \({wanted[1].key}, seed 1\).*{said}"
    ):
        run_cells(wanted, store, tmp_path / "work")
    assert store.get(wanted[0]) is not None
    assert store.get(wanted[1]) is None


def test_core_seconds_are_those_of_all_sittings_in_which_it_worked(tmp_path):
    store, cell = CellStore(tmp_path / "cells"), Cell("test_studies_cells:counted", {"works_s": 0.5}, 0)
    with pytest.raises(HandsightError, match="stopped"):
        running.run_cell(cell, store, tmp_path / "work")
    assert running.run_cell(cell, store, tmp_path / "work")
    assert 1.0 <= json.loads(store.path(cell).read_text())["core_seconds"] < 2.0  # of four that waited
    assert store.made([cell])["core-hours"] == "0.00"


def test_a_cell_stops_when_who_started_it_is_killed(tmp_path, experiment):
    program = (
        "import sys; from pathlib import Path; from handsight.studies.cells import Cell, CellStore;"
        " from handsight.studies.running import run_cells\n"
        f"if __name__ == '__main__': run_cells([Cell({experiment!r}, {{'waits': 0}}, 0)],"
        " CellStore(Path(sys.argv[1])), Path(sys.argv[1]))"
    )
    (tmp_path / "program.py").write_text(program)
    starter = subprocess.Popen([sys.executable, tmp_path / "program.py", tmp_path])
    waiting = tmp_path / "waiting.txt"
    wait_until(lambda: waiting.exists() and waiting.read_text())
    starter.kill()
    starter.wait()
    wait_until(lambda: not is_running(int(waiting.read_text())))
    assert CellStore(tmp_path).get(Cell(experiment, {"waits": 0}, 0)) is None


def wait_until(happened, most_s=60.0):
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < most_s, "it did not happen"
        time.sleep(0.05)


def is_running(number: int) -> bool:
    """Whether a process is there, and not only its entry until somebody asks for it."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_unknown_experiment_is_refused(tmp_path):
    with pytest.raises(HandsightError, match="no experiment 'nothing'; there are turned-objects"):
        running.experiment_named("nothing")
