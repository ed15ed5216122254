"""Every shipped study runs at its tiny scale: all cells, the whole table, its drawings."""

import pytest

from handsight.studies.catalogue import STUDIES
from handsight.studies.cells import CellStore
from handsight.studies.running import run_cell
from handsight.studies.study import gather


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Cells and recordings that studies share, as they do for users."""
    folder = tmp_path_factory.mktemp("studies")
    return CellStore(folder / "cells"), folder / "work"


@pytest.mark.parametrize("name", list(STUDIES))
def test_a_study_runs_at_tiny(name, kept):
    store, work = kept
    study = STUDIES[name]
    rows = study.rows_at("tiny")
    for row in rows:
        for cell in row.cells:
            run_cell(cell, store, work)
    found = gather(study, rows, store)
    assert found.missing == 0
    table = found.table
    assert set(table.cells) == {row.label for row in rows}
    wanted = {measure.name for measure in study.measures}
    assert {measure.name for measure in table.measures} == wanted
    for columns in table.cells.values():
        assert set(columns) == wanted
        assert all(cell.low <= cell.mean <= cell.high for cell in columns.values())
    compared = {(one.first, one.second) for one in table.differences}
    assert compared == set(study.compare)
    assert set(study.chance("tiny")) <= wanted
    assert set(study.lines) <= set(table.cells)
    assert set(found.curves) == {curve.name for curve in study.curves}
    assert all(set(lines) == set(table.cells) for lines in found.curves.values())


@pytest.mark.parametrize("name", list(STUDIES))
@pytest.mark.parametrize("scale", ["small", "paper"])
def test_larger_scales_say_rows_that_can_be_built(name, scale):
    study = STUDIES[name]
    rows = study.rows_at(scale)
    labels = [row.label for row in rows]
    assert len(set(labels)) == len(labels)
    assert {label for pair in study.compare for label in pair} <= set(labels)
    # What was published stands beside a row of ours; the one network that was trained on labels has none.
    assert {published.row for published in study.published} - {*labels} <= {"AlexNet trained on ImageNet"}
    # A claim rests on five seeds.
    claimed = [row for row in rows if row.label in ("SimCLR", "SimCLR-TT", "AA-SimCLR")]
    if name.split("/")[1] in ("main", "views", "alignment", "transfer"):
        assert all(row.seeds == 5 for row in claimed)
