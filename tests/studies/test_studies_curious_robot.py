"""What The Curious Robot's cells measure, against plain references; and the figures that they leave."""

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation.activations import TopActivations
from handsight.methods import CuriousRobot
from handsight.recordings import Clips, Recording, Sampler
from handsight.studies.cells import Outcome, Score
from handsight.studies.curious_robot import STUDIES
from handsight.studies.curious_robot_cells import BUDGETS, HANDLED, NEVER_HANDLED, settings_of
from handsight.studies.handled_objects import _trained
from handsight.studies.montage import GAP_PX, SIDE_PX, draw_neighbours, draw_units
from handsight.studies.told_interactions import (
    _best_threshold,
    _told_apart,
    precision_recall_curve,
    tell,
)
from handsight.worlds.tabletop.bench import TABLE_M
from interactions import write_interactions


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A method with heads, and the recording."""
    folder = write_interactions(tmp_path_factory.mktemp("recordings") / "interactions", episodes=100)
    recording = Recording(folder)
    torch.manual_seed(0)
    method = CuriousRobot(image_size=24, encoder_options={"width": 0.05}, grasp_steps=0)
    method.prepare(Sampler(Clips([recording], size=24), method.needs, 8, seed=0))
    return method.eval(), recording


def first(recording, kind, split):
    """Return episodes of a kind and a split, and the rows of their first frames."""
    episodes = [
        number
        for number in range(recording.num_episodes)
        if recording.facts["interaction"][number] == kind and recording.splits()[number] == split
    ]
    return episodes, [int(recording.episode_starts[number]) for number in episodes]


def pictures(recording, rows, camera):
    return torch.from_numpy(recording.frames(rows, camera)).permute(0, 3, 1, 2)


@torch.no_grad()
def test_scores_are_those_worked_out_one_by_one(told):
    method, recording = told
    scores = tell(method, recording)
    odds = {}
    for split in ("validation", "test"):
        episodes, rows = first(recording, "grasp", split)
        every = method.tell_grasp(pictures(recording, rows, "observation.images.patch"))
        odds[split] = (
            [float(every[place, recording.facts["angle_bin"][e]]) for place, e in enumerate(episodes)],
            [bool(recording.facts["success"][e]) for e in episodes],
        )
    # The threshold by trying all; the accuracy on either outcome by counting.
    values, held = (np.array(one) for one in odds["validation"])
    tried = [((values > t)[held].mean() + (values <= t)[~held].mean()) / 2 for t in values]
    threshold = _best_threshold(values, held)
    found = ((values > threshold)[held].mean() + (values <= threshold)[~held].mean()) / 2
    assert found == pytest.approx(max(tried))
    values, held = (np.array(one) for one in odds["test"])
    right = (values > threshold) == held
    wanted = (right[held].mean() + right[~held].mean()) / 2
    assert scores["grasp balanced accuracy"].value == pytest.approx(wanted)
    assert scores["grasp AUC"].value == pytest.approx(roc_auc_score(held, values))

    _, rows = first(recording, "push", "test")
    before, after = (
        pictures(recording, [row + place for row in rows], "observation.images.camera") for place in (0, 1)
    )
    start = method.tell_push(before, after)[:, :2].double().numpy()
    away = np.linalg.norm((start - recording.stream("push.start")[rows]) * 2 * TABLE_M, axis=1).mean()
    assert scores["push start error (m)"].value == pytest.approx(away, rel=1e-5)

    _, rows = first(recording, "poke", "test")
    _, learned = first(recording, "poke", "train")
    slope = method.tell_poke(pictures(recording, rows, "observation.images.patch"))[:, 0].double().numpy()
    lines = recording.stream("poke.line")[:, 0].astype(np.float64)
    mean = np.abs(lines[learned].mean() - lines[rows]).mean()
    assert scores["poke slope error / training mean's"].value == pytest.approx(
        np.abs(slope - lines[rows]).mean() / mean, rel=1e-5
    )


def test_precision_falls_along_recall(told):
    curve = precision_recall_curve(*told)
    assert curve["x"][0] == 0
    assert curve["x"][-1] == 1
    assert (np.diff(curve["y"]) <= 0).all()
    held = told[1].facts["success"][first(told[1], "grasp", "test")[0]]
    assert curve["y"][-1] >= held.mean() - 1e-9


@pytest.mark.parametrize("held", [np.zeros(4, bool), np.ones(4, bool)])
def test_of_one_outcome_there_is_nothing_to_tell(held):
    assert _best_threshold(np.arange(4.0), held) == 0
    assert (_told_apart(np.arange(4.0), held) == 0.5).all()


def test_either_outcome_is_told_apart_as_often_also_where_grasps_are_equal():
    rng = np.random.default_rng(0)
    values, held = rng.integers(0, 5, 60).astype(np.float64), rng.random(60) < 0.2
    apart = _told_apart(values, held)
    for outcome in (held, ~held):
        assert apart[outcome].mean() == pytest.approx(roc_auc_score(held, values))


def test_cells_of_several_rows_keep_their_curves_apart():
    score = Score(np.ones(1), np.ones(1))
    outcome = Outcome({"own: a": score, "a": score, "b": score}, {"own: c": 1, "c": 2})
    assert outcome.part("own") == Outcome({"a": score}, {"c": 1})
    assert outcome.part("") is outcome


def test_every_row_sees_as_many_pictures_but_the_ablations():
    budget = BUDGETS["small"]
    seen = {}
    for name, method, tasks in (
        ("all", "curious-robot", ("grasp", "push", "poke", "identity")),
        ("identity", "curious-robot", ("identity",)),
        ("painted", "autoencoder", ()),
        ("labelled", "supervised", ()),
    ):
        steps = settings_of(budget, method, tasks)["training"]["steps"]
        each = {"all": 6, "identity": 2, "painted": 1, "labelled": 2}[name]
        seen[name] = (steps - (budget.grasp_steps if name == "all" else 0)) * each
    assert len(set(seen.values())) == 1
    without = settings_of(budget, "curious-robot", ("push", "poke", "identity"))
    assert without["training"]["steps"] == budget.steps
    assert without["method"]["grasp_steps"] == 0


def test_categories_are_either_handled_or_never():
    assert not set(HANDLED) & set(NEVER_HANDLED)
    assert (len(HANDLED), len(NEVER_HANDLED)) == (21, 25)


def test_units_and_neighbours_are_drawn_row_by_row(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (6, 20, 20, 3), dtype=np.uint8)
    found = TopActivations(
        "conv4",
        np.arange(3),
        np.array([[0, 1], [2, 3], [4, 5]]),
        np.array([[1.0, 0.5], [3.0, 1.0], [2.0, 0.0]], np.float32),
        np.zeros((3, 2, 2), np.int64),
        np.tile([5, 5, 15, 10], (3, 2, 1)),
    )
    sheet = cv2.imread(str(draw_units(found, lambda rows: images[rows], tmp_path / "units.png")))[:, :, ::-1]
    step = SIDE_PX + GAP_PX
    assert sheet.shape == (3 * step + GAP_PX, 2 * step + GAP_PX, 3)
    # The strongest unit first, with a light line about its field.
    cell = sheet[GAP_PX : GAP_PX + SIDE_PX, GAP_PX : GAP_PX + SIDE_PX]
    grown = cv2.resize(images[2], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    assert (cell[:20] == grown[:20]).all()
    assert (cell[24, 30:60] == 255).all()
    near = np.array([[1, 2], [4, 5]])
    sheet = cv2.imread(
        str(
            draw_neighbours(
                torch.from_numpy(images).permute(0, 3, 1, 2), np.array([0, 3]), near, tmp_path / "near.png"
            )
        )
    )[:, :, ::-1]
    assert sheet.shape == (2 * step + GAP_PX, 3 * step + GAP_PX, 3)
    grown = cv2.resize(images[4], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    assert (sheet[step + GAP_PX :, step + GAP_PX :][:SIDE_PX, :SIDE_PX] == grown).all()


def test_a_figure_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "near.png").mkdir()
    with pytest.raises(HandsightError, match=r"cannot write .*near\.png \(Is a directory\)"):
        draw_neighbours(
            torch.zeros(2, 3, 4, 4, dtype=torch.uint8), np.array([0]), np.array([[1]]), tmp_path / "near.png"
        )


def test_imagenets_alexnet_is_a_row_where_its_weights_are_given(tmp_path, monkeypatch):
    trunk = Encoder("alexnet-lrn", 227).trunk
    state = {**trunk.state_dict(), "fc8.weight": torch.zeros(1000, 4096), "fc8.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "alexnet.pth")
    classification = next(study for study in STUDIES if study.name == "curious-robot/classification")
    labels = [row.label for row in classification.rows_at("small")]
    monkeypatch.setenv("HANDSIGHT_ALEXNET", str(tmp_path / "alexnet.pth"))
    (added,) = [row for row in classification.rows_at("small") if row.label not in labels]
    assert added.reference
    assert any(one.row == added.label for one in classification.published)
    _, encoder, _ = _trained(added.cells[0], None, tmp_path)
    assert encoder.image_size == 227
    assert encoder.trunk.rectified  # as the weights were trained
    for name, value in encoder.trunk.state_dict().items():
        assert torch.equal(value, state[name]), name
