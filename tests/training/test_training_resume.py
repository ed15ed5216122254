"""A run that was stopped and resumed is the run that was not."""

import json

import pytest
import torch

from handsight.errors import HandsightError
from handsight.methods import METHODS
from handsight.training import duration_s, pretrain, read_log
from handsight.training import loop as loop_module

SETTINGS = {"steps": 6, "batch_size": 12, "checkpoint_every": 2, "log_every": 1}


def make(name, tiny_network):
    torch.manual_seed(0)
    return METHODS[name](**tiny_network)


def losses(folder):
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in read_log(folder)]


def test_every_loss_is_logged_and_falls(shapes, tiny_network, tmp_path):
    folder = pretrain(
        make("action-aware", tiny_network), shapes, out=tmp_path / "run", steps=40, batch_size=24, log_every=1
    )
    entries = read_log(folder)
    assert [entry["step"] for entry in entries] == list(range(40))
    for name in ("contrast", "action"):
        assert sum(e[name] for e in entries[-10:]) < sum(e[name] for e in entries[:10])


def test_other_settings_in_the_same_folder_are_refused(shapes, tiny_network, tmp_path):
    pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", steps=1, batch_size=8)
    with pytest.raises(
        HandsightError,
        match=r"is a run with training.batch_size = 8, and this one has 9; give another folder with --out",
    ):
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", steps=1, batch_size=9)
    with pytest.raises(HandsightError, match=r"is a run with method.*name = 'simclr'"):
        pretrain(make("simclr-tt", tiny_network), shapes, out=tmp_path / "run", steps=1, batch_size=8)


def test_what_does_not_decide_what_is_learned_may_change(shapes, tiny_network, tmp_path):
    whole = pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "whole", **SETTINGS)
    settings = SETTINGS | {"steps": 6, "checkpoint_every": 3}

    def kill(done, total, entry):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "cut", progress=kill, **settings)
    changed = settings | {"checkpoint_every": 1, "cache_gb": 1.0, "accelerator": "cpu"}
    resumed = pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "cut", **changed)
    assert losses(resumed) == losses(whole)


def test_a_folder_of_something_else_is_left_alone(shapes, tiny_network, tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(HandsightError, match="is there already and is not a run"):
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path, steps=1, batch_size=8)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def test_a_broken_checkpoint_is_named(shapes, tiny_network, tmp_path):
    folder = pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", steps=1, batch_size=8)
    checkpoint = next((folder / "checkpoints").iterdir())
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(HandsightError, match=r"step-000000001.pt cannot be read .* remove it to begin again"):
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", steps=1, batch_size=8)


def test_ctrl_c_stops_tidily_and_resumes(shapes, tiny_network, tmp_path):
    import os
    import signal

    def interrupt(done, total, entry):
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    settings = SETTINGS | {"checkpoint_every": 100}
    with pytest.raises(
        loop_module.Stopped, match=r"stopped after \d of 6 steps; give the same command again"
    ) as stopped:
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", progress=interrupt, **settings)
    assert stopped.value.step in (3, 4)
    resumed = pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", **settings)
    whole = pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "whole", **settings)
    assert losses(resumed) == losses(whole)


def test_log_of_a_killed_run_is_cut_at_the_checkpoint(shapes, tiny_network, tmp_path):
    folder = pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", **SETTINGS)
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": 6, "contrast": 0.0}) + "\n" + '{"step": 7, "contr')
    pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", **SETTINGS)
    assert [entry["step"] for entry in read_log(folder)] == list(range(6))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_tensorboard_shows_every_step_of_a_killed_run_once(shapes, tiny_network, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Killed(Exception):
        pass

    def kill(done, total, entry):
        if done == 4:
            raise Killed

    settings = SETTINGS | {"checkpoint_every": 3}
    with pytest.raises(Killed):
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", progress=kill, **settings)
    pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", **settings)
    shown = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    shown.Reload()
    assert [event.step for event in shown.Scalars("contrast")] == [1, 2, 3, 4, 5, 6]


def test_seconds_are_added_over_sittings():
    log = [{"seconds": s} for s in (1.0, 5.0, 0.5, 2.0, 0.1)]
    assert duration_s(log) == pytest.approx(5.0 + 2.0 + 0.1)
    assert duration_s([]) == 0
    assert duration_s([{"seconds": "x"}, {}, {"seconds": float("nan")}]) == 0
