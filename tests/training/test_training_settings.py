"""What can be asked of training, and what is said before it starts."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from handsight.errors import HandsightError
from handsight.methods import METHODS
from handsight.recordings import Feature, Recording, Writer, camera
from handsight.training import Training, estimate, prepare, pretrain, trainable_methods

VISUAL = ("simclr", "simclr-tt", "byol", "byol-tt", "vicreg", "vicreg-tt", "autoencoder")
"""Methods that pictures are enough for."""


def make(name, tiny_network, **options):
    torch.manual_seed(0)
    return METHODS[name](**tiny_network, **options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 3, "epochs": 2}, "both steps = 3 and epochs = 2 were given; give one of them"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"epochs": -1}, "epochs is -1; it must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"accumulate": 0}, "accumulate is 0; it must be at least 1"),
        ({"devices": 0}, "devices is 0; it must be at least 1"),
        ({"max_episodes": 0}, "max_episodes is 0; it must be at least 1"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0; it must be at least 1"),
        ({"log_every": 0}, "log_every is 0; it must be at least 1"),
        ({"frame_size": 0}, "frame_size is 0; it must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0, and finite"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be above 0, and finite"),
        ({"learning_rate": float("inf")}, "learning_rate is inf; it must be above 0, and finite"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; it must be at least 0"),
        ({"warmup_steps": -1}, "warmup_steps is -1; it must be at least 0"),
        ({"cache_gb": -1.0}, "cache_gb is -1.0; it must be at least 0"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"monitor_every": -1}, "monitor_every is -1; it must be at least 0"),
        ({"optimiser": "adan"}, "optimiser is 'adan'; it can be one of adamw, adam, sgd, rmsprop"),
        ({"schedule": "step"}, "schedule is 'step'; it can be one of constant, cosine, steps"),
        ({"precision": "16"}, "precision is '16'; it can be one of auto, 32-true, bf16-mixed"),
        ({"split": "dev"}, "split is 'dev'; it can be one of train, validation, test, all"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(HandsightError, match=f"^{message}$"):
        Training(**settings)


def test_what_is_not_said_is_the_methods_own(tiny_network, shapes):
    method = make("simclr", tiny_network)
    own = method.optimisation
    assert Training().settings(method) == own
    said = Training(batch_size=7, schedule="cosine").settings(method)
    assert (said.batch_size, said.schedule, said.learning_rate) == (7, "cosine", own.learning_rate)
    # 72 training frames make 9 steps of 8.
    assert prepare(method, shapes, Training(batch_size=8, epochs=3)).steps == 27
    assert prepare(method, shapes, Training(batch_size=8)).steps == own.epochs * 9


@pytest.mark.parametrize("name", ["abacus", "cuda"])
def test_an_accelerator_that_is_not_there_is_refused(name, tiny_network, shapes):
    if name == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    training = Training(batch_size=8, steps=1, accelerator=name)
    with pytest.raises(
        HandsightError, match=f"^cannot use accelerator '{name}' with 1 device: .+$"
    ) as refused:
        prepare(make("simclr", tiny_network), shapes, training)
    assert "\n" not in str(refused.value)


def write(path, facts=(), **streams):
    features = {"observation.images.c": camera(16, 16), **streams}
    with Writer(path, features, fps=10, facts={name: "string" for name in facts}) as writer:
        for _ in range(3):
            frames = {name: np.zeros((4, *feature.shape), feature.dtype) for name, feature in streams.items()}
            pictures = np.zeros((4, 16, 16, 3), np.uint8)
            writer.add_episode({"observation.images.c": pictures, **frames}, {name: "x" for name in facts})
    return Recording(path)


def test_recordings_know_what_they_can_train(tmp_path, shapes):
    robots = {"curious-robot", "learning-to-interact", "mask-rcnn", "video-pca"}
    assert trainable_methods(shapes) == [name for name in METHODS if name not in robots]
    action = Feature("float32", (2,))
    visual = list(VISUAL)
    assert trainable_methods(write(tmp_path / "a")) == visual
    acting = trainable_methods(write(tmp_path / "b", action=action))
    assert acting == [*visual, "action-aware", "ciper", "equimod"]
    assert trainable_methods(write(tmp_path / "c", ["category"])) == [*visual, "supervised"]
    with Writer(tmp_path / "blind", {"action": action}, fps=10) as writer:
        writer.add_episode({"action": np.zeros((4, 2), np.float32)})
    assert trainable_methods(Recording(tmp_path / "blind")) == []


def test_a_missing_stream_is_named_with_those_that_are_there(tmp_path, tiny_network):
    recording = write(tmp_path / "r", ["room"], force=Feature("float32", (3,)))
    training = Training(batch_size=2, steps=1, split="all")
    with pytest.raises(HandsightError) as refused:
        prepare(make("action-aware", tiny_network), recording, training)
    assert str(refused.value) == (
        f"{tmp_path}/r has no stream 'action', which action-aware needs (it has: force)."
        " Say which to use: --action NAME. Methods that can train on it as it is: " + ", ".join(VISUAL)
    )
    with pytest.raises(HandsightError) as refused:
        prepare(make("supervised", tiny_network), recording, training)
    assert str(refused.value) == (
        f"{tmp_path}/r has no fact 'category', which supervised needs (it has: room)."
        " Methods that can train on it as it is: " + ", ".join(VISUAL)
    )


def test_recordings_without_episodes_or_split_are_refused(tmp_path, shapes, tiny_network):
    training = Training(batch_size=2, steps=1, max_episodes=3, split="test")
    with pytest.raises(
        HandsightError, match="no episode in the split 'test'; collect more, or train on other"
    ):
        prepare(make("simclr", tiny_network), shapes, training)


def test_what_lies_between_is_said_aloud(shapes, tmp_path, tiny_network, caplog):
    caplog.set_level("INFO", logger="handsight")
    prepare(make("action-aware", tiny_network), shapes, Training(batch_size=8))
    assert "between two frames: angle of 'action'" in caplog.text
    assert "absolute positions" not in caplog.text
    with Writer(
        tmp_path / "r", {"observation.images.c": camera(16, 16), "action": Feature("float32", (1,))}, fps=9
    ) as w:
        actions = np.arange(4, dtype=np.float32)[:, None]
        w.add_episode({"observation.images.c": np.zeros((4, 16, 16, 3), np.uint8), "action": actions})
    prepare(
        make("action-aware", tiny_network), Recording(tmp_path / "r"), Training(batch_size=2, split="all")
    )
    assert (
        "between two frames: difference of 'action' ('action' is taken as absolute positions:"
        " say --between sum if it holds per-frame deltas)" in caplog.text
    )


def files_under(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["simclr", "action-aware"])
def test_an_estimate_is_sane_and_changes_nothing(
    name, tiny_network, shapes, shapes_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    cache, method = Path(os.environ["HANDSIGHT_CACHE"]), make(name, tiny_network)
    there = files_under(shapes_folder)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    found = estimate(method, [shapes], Training(batch_size=8, epochs=4, accumulate=2))
    assert files_under(tmp_path) == set()
    # Only what any reading of a stream keeps: no frames.
    assert {path.parent.name for path in files_under(cache)} <= {"streams"}
    assert files_under(shapes_folder) == there
    assert before.keys() == method.state_dict().keys()
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())
    assert (found.training_frames, found.steps_per_epoch, found.steps) == (72, 9, 36)
    assert found.cache_bytes == shapes.num_frames * 16 * 16 * 3
    assert found.decode_s > 0
    assert 0 < found.step_s < 5
    assert found.total_s == pytest.approx(found.decode_s + 36 * found.step_s)
    assert found.memory_bytes > 50e6
    assert found.parameters >= sum(parameter.numel() for parameter in method.parameters())
    assert found.device in ("cpu", "cuda:0")

    folder = pretrain(method, shapes, out=tmp_path / "run", steps=1, batch_size=8)
    written = sum(
        path.stat().st_size for part in ("checkpoints", "encoder") for path in files_under(folder / part)
    )
    assert 0.6 * written < found.run_bytes < 1.6 * written
    assert estimate(method, [shapes], Training(batch_size=8, epochs=4)).decode_s == 0


def test_an_estimate_counts_the_cache_no_larger_than_allowed(tiny_network, shapes):
    training = Training(batch_size=8, epochs=1, cache_gb=1e-5)
    assert estimate(make("simclr", tiny_network), [shapes], training, timed_steps=1).cache_bytes == 10_000
