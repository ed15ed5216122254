"""The page of a run: what its folder holds, and what it lacks."""

import json
from importlib.metadata import version

import pytest
import torch
import yaml

from handsight.errors import HandsightError
from handsight.evaluation.intervals import Interval
from handsight.evaluation.table import Measure, Table
from handsight.methods import METHODS
from handsight.report import run_report
from handsight.training import pretrain


def bare(folder, **config):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"method": {"name": "simclr"}} | config))
    return folder


def results():
    cells = {"random": {"kNN": Interval(0.2, 0.1, 0.3)}, "simclr": {"kNN": Interval(0.512, 0.4, 0.6)}}
    return Table("Novel objects", (Measure("kNN"),), cells, "6 test objects")


def test_a_real_run_shows_what_it_has(read, shapes, tiny_network, tmp_path):
    torch.manual_seed(0)
    method = METHODS["action-aware"](**tiny_network)

    def monitor(encoder, step):
        return {"knn_accuracy": 0.25}

    folder = pretrain(
        method,
        shapes,
        out=tmp_path / "run",
        monitors=[monitor],
        monitor_every=2,
        steps=4,
        batch_size=12,
        log_every=1,
    )
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "objects.json").write_text(results().to_json())
    (folder / "evaluation" / "made.json").write_text(json.dumps({"seed": 5}))
    page = read(run_report(folder))
    assert "trained by action-aware on shapes, 4 steps in" in page.text
    assert "nearest neighbours named 25.0 % of validation frames rightly" in page.text
    assert page.count("figure", "clip") == 4
    assert page.count("svg", "dial") > 0
    assert "Loss: contrast" in page.text
    assert "Loss: action" in page.text
    assert ["simclr", "51.2 40.0 to 60.0"] in page.rows
    assert ["seed", "0"] in page.rows
    assert ["seed of the evaluation", "5"] in page.rows
    assert ["torch", version("torch")] in page.rows
    assert "batch_size: 12" in page.text
    assert page.count("section", "missing") == 0


def test_what_is_missing_is_said(read, tmp_path):
    page = read(run_report(bare(tmp_path / "run", data={str(tmp_path / "gone"): {"cameras": ["x"]}})))
    assert "no step is logged yet" in page.text
    assert "The recording cannot be read any more: " in page.text
    assert str(tmp_path / "gone") in page.text
    assert "Nothing was logged yet." in page.text
    assert f"Not measured yet. handsight evaluate {tmp_path / 'run'} measures this run." in page.text
    assert page.count("section", "missing") == 3


def test_controls_stand_in_the_same_curves(read, tmp_path):
    folder = bare(tmp_path / "run")
    (folder / "log.jsonl").write_text('{"step": 0, "contrast": 2.0}\n')
    control = bare(folder / "controls" / "visual-only")
    (control / "log.jsonl").write_text('{"step": 0, "contrast": 3.0}\n{"step": 1, "cont')
    page = read(run_report(folder))
    assert ["simclr", "2"] in page.rows
    assert ["control: visual-only", "3"] in page.rows


@pytest.mark.parametrize("text", ["{", "[]", '{"title": 1}', "\x00", '{"title": "T", "measures": 3}'])
def test_a_damaged_table_is_said_and_the_others_are_shown(read, tmp_path, text):
    folder = bare(tmp_path / "run")
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "bad.json").write_text(text)
    (folder / "evaluation" / "good.json").write_text(results().to_json())
    (folder / "evaluation" / "made.json").write_text(text)
    page = read(run_report(folder))
    assert "bad.json could not be read" in page.text
    assert ["simclr", "51.2 40.0 to 60.0"] in page.rows
    assert ["seed of the evaluation", "not readable"] in page.rows


@pytest.mark.parametrize("config", [{"made": "x"}, {"data": {"": None}}])
def test_odd_settings_do_not_break_the_page(read, tmp_path, config):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert "All settings" in read(run_report(folder)).text


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path):
    with pytest.raises(
        HandsightError, match=r"is not a run: it has no config.yaml. Give the folder that --out named"
    ) as caught:
        run_report(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(HandsightError, match="is not a run"):
        run_report(tmp_path / "absent")
