"""`handsight study`."""

import base64
import dataclasses
import json
import re

import pytest
from PIL import Image

import handsight.commands.studying as studying
from handsight.evaluation import Measure
from handsight.studies.study import Row, Study


@pytest.fixture
def study(monkeypatch):
    """A study of two rows whose cells cost nothing."""

    def rows(scale):
        return [
            Row("one", "commands_samples:guess", {"level": 0.5}, 2),
            Row("other", "commands_samples:guess", {"level": 0.25}, 1),
        ]

    one = Study("paper/table", "A table", "A question?", rows, (Measure("score"),), (("one", "other"),))
    monkeypatch.setitem(studying.STUDIES, one.name, one)
    return one


def test_a_study_is_kept_as_text_tables_and_a_page(handsight, study, tmp_path):
    out = tmp_path / "out"
    status, said, _ = handsight("study", "paper/table", "--out", out, "--seeds", "1", "--workers", "2")
    assert status == 0
    assert "A table" in said
    stem = "paper-table-small"
    assert "| one |" in (out / f"{stem}.md").read_text()
    assert (out / f"{stem}.csv").read_text().startswith("row,")
    assert json.loads((out / f"{stem}.json").read_text())["title"] == "A table"
    page = (out / f"{stem}.html").read_text()
    assert "A question?" in page
    assert "handsight study paper/table --scale small" in page
    assert len(list((out / "cells").glob("*.json"))) == 2
    # What is there is shown without running, and what is missing is said.
    status, said, _ = handsight("study", "paper/table", "--out", out, "--run", "false")
    assert status == 0
    assert "Cells that have not been run yet: 1" in said
    assert "Cells that have not been run yet: 1." in (out / f"{stem}.md").read_text()


def test_nothing_to_show_is_said(handsight, study, tmp_path):
    status, _, error = handsight("study", "paper/table", "--out", tmp_path, "--run", "false")
    assert status == 2
    assert "no cell of paper/table at small has been run yet" in error


def test_studies_are_listed(handsight):
    status, said, _ = handsight("study", "list")
    assert status == 0
    for name in (
        "main",
        "views",
        "alignment",
        "augmentation",
        "objectives",
        "sampling",
        "transfer",
        "noise",
        "cost",
    ):
        assert f"action-aware/{name} " in said
    # Names and questions stand in two columns, the longest name too.
    (beginning,) = {
        line.index(one.question)
        for line, one in zip(said.splitlines(), studying.STUDIES.values(), strict=True)
    }
    assert all(line[beginning - 2 : beginning] == "  " for line in said.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["action-aware/mian"], "there is no study 'action-aware/mian'; there are action-aware/main"),
        (["learning-to-interact"], "'learning-to-interact'; there are learning-to-interact/segmentation,"),
        (["curious"], "there is no study 'curious'; there are action-aware/main"),
        (["action-aware/main", "--scale", "huge"], "'tiny', 'small', 'paper'"),
        (["action-aware/main", "--workers", "0"], "--workers is 0"),
        (["action-aware/main", "--seeds", "0"], "--seeds is 0; it starts at 1"),
    ],
)
def test_odd_requests_are_one_line(handsight, tmp_path, arguments, message):
    status, _, error = handsight("study", *arguments, "--out", tmp_path / "out")
    assert status == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_pictures_that_cells_left_are_on_the_page(handsight, study, tmp_path, monkeypatch):
    drawn = dataclasses.replace(study, pictures=("units", "others"))
    monkeypatch.setitem(studying.STUDIES, study.name, drawn)
    first = study.rows("small")[0].cells[0]
    folder = tmp_path / "out" / "work" / "pictures" / first.key
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / "units.png")
    status, _, _ = handsight("study", "paper/table", "--out", tmp_path / "out", "--seeds", "1")
    assert status == 0
    page = (tmp_path / "out" / "paper-table-small.html").read_text()
    assert "Pictures: units" in page
    assert "Pictures: others" not in page
    data = re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]
    assert base64.b64decode(data) == (folder / "units.png").read_bytes()
