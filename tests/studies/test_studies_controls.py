"""A run's controls: the same training without its signal."""

import pytest
import torch

from handsight.augmentation import Augmentation
from handsight.encoders import load_encoder
from handsight.errors import HandsightError
from handsight.methods import METHODS
from handsight.studies.controls import build_method, controls_of, train_controls
from handsight.training import pretrain, read_config, read_log

SETTINGS = {"steps": 3, "batch_size": 12, "log_every": 1, "checkpoint_every": 1, "hold_out": (1,)}


@pytest.fixture
def run(shapes, tiny_network, tmp_path):
    torch.manual_seed(0)
    method = METHODS["action-aware"](
        **tiny_network, pairing="window", gap=(1, 3), augmentation=Augmentation(size=16, hue=0.1)
    )
    return pretrain(method, shapes, out=tmp_path / "run", learning_rate=1e-3, **SETTINGS)


def test_controls_differ_in_their_signal_alone(run, shapes):
    folders = train_controls(run, [shapes])
    assert folders == {name: run / "controls" / name for name in ("visual-only", "shuffled")}
    mine = read_config(run)
    visual, shuffled = (read_config(folders[name]) for name in ("visual-only", "shuffled"))
    assert visual["training"] == shuffled["training"] == mine["training"]
    assert visual["data"] == shuffled["data"] == mine["data"]
    assert shuffled["method"] == mine["method"] | {"shuffle_actions": True}
    assert visual["method"]["name"] == "simclr-tt"
    own = {"name": "simclr-tt", "projector_hidden": 256, "projector_size": 128}
    for key, value in visual["method"].items():
        assert value == own.get(key, mine["method"][key]), key
    # All began with the same weights and saw the same pictures.
    first = [read_log(folder)[0]["contrast"] for folder in (run, *folders.values())]
    assert first[0] == first[1] == first[2]
    assert read_log(run)[0]["action"] != read_log(folders["shuffled"])[0]["action"]
    assert load_encoder(folders["visual-only"]).image_size == 16


SHUFFLED = {"shuffled": "action-aware"}
WALK = {"visual": "vicreg", "pairing": "random-walk", "walk_steps": 2}


@pytest.mark.parametrize(
    ("name", "options", "controls"),
    [
        ("action-aware", {"visual": "byol", "momentum": 0.9}, {"visual-only": "byol-tt", **SHUFFLED}),
        ("action-aware", WALK, {"visual-only": "vicreg-tt", **SHUFFLED}),
        ("ciper", {}, {"visual-only": "simclr-tt"}),
        ("equimod", {}, {"visual-only": "simclr-tt"}),
        ("byol-tt", {"momentum": 0.9}, {"no time": "byol"}),
        ("vicreg-tt", {}, {"no time": "vicreg"}),
        ("simclr", {}, {}),
    ],
)
def test_every_method_has_the_controls_of_its_signal(name, options, controls, tiny_network):
    arguments = METHODS[name](**tiny_network, **options).arguments
    found = controls_of(name, arguments)
    assert {row: method for row, (method, _) in found.items()} == controls
    for method, changes in found.values():
        made = build_method(method, {**arguments, **changes})
        assert made.name == method
        said = {key: value for key, value in made.arguments.items() if arguments.get(key) is not None}
        assert said == {key: arguments[key] for key in said} | changes
        assert [need.views * need.frames for need in made.needs.values()] == [2]


def test_controls_resume_and_finished_ones_are_kept(run, shapes):
    told = []

    class Killed(Exception):
        pass

    def kill_second(name):
        def progress(done, steps, losses):
            told.append((name, done))
            if name == "shuffled" and done == 3:
                raise Killed

        return progress

    with pytest.raises(Killed):
        train_controls(run, [shapes], kill_second)
    assert told == [(name, done) for name in ("visual-only", "shuffled") for done in (1, 2, 3)]
    kept = (run / "controls" / "visual-only" / "encoder" / "encoder.safetensors").stat().st_mtime_ns
    told.clear()
    folders = train_controls(run, [shapes], lambda name: lambda *now: told.append((name, now[0])))
    assert told == [("shuffled", 3)]  # where its checkpoint stood
    assert (folders["visual-only"] / "encoder" / "encoder.safetensors").stat().st_mtime_ns == kept
    assert (folders["shuffled"] / "encoder" / "encoder.json").exists()
    told.clear()
    train_controls(run, [shapes], lambda name: lambda *now: told.append((name, now[0])))
    assert told == []


def test_a_method_without_controls_has_none(shapes, tiny_network, tmp_path):
    torch.manual_seed(0)
    run = pretrain(
        METHODS["supervised"](**tiny_network), shapes, out=tmp_path / "run", steps=1, batch_size=12
    )
    assert train_controls(run, [shapes]) == {}
    assert not (run / "controls").exists()


def test_folders_that_are_no_run_are_refused(shapes, tmp_path):
    with pytest.raises(HandsightError, match=r"is not a run: it has no config\.yaml"):
        train_controls(tmp_path, [shapes])
    (tmp_path / "config.yaml").write_text("method: {name: moco}\ntraining: {}\n")
    with pytest.raises(HandsightError, match=r"was trained by 'moco', which is not a method here \(simclr, "):
        train_controls(tmp_path, [shapes])
