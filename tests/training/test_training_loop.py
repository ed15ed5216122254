"""What the loop does at which step, and how it stops where going on is of no use."""

import errno
import logging

import pytest
import torch

from handsight.errors import HandsightError
from handsight.methods import METHODS, SimCLR
from handsight.studies.benchmark import monitors
from handsight.training import Training, prepare, pretrain, read_log
from handsight.training.batches import Batches

SETTINGS = {"batch_size": 12, "log_every": 1}


def make(name, tiny_network, **options):
    torch.manual_seed(0)
    return METHODS[name](**tiny_network, **options)


def test_two_slices_are_the_mean_of_two_half_batches(shapes, tiny_network, tmp_path):
    settings = SETTINGS | {"steps": 1, "accumulate": 2, "optimiser": "sgd", "learning_rate": 0.1}
    trained = make("simclr", tiny_network)
    folder = pretrain(trained, shapes, out=tmp_path / "run", weight_decay=0.0, **settings)

    method = make("simclr", tiny_network)
    prepared = prepare(method, shapes, Training(batch_size=12))
    batches = Batches(prepared.sampler, method, 0, torch.device("cpu"))
    halves = [batches.get(0, part, 2, None) for part in (0, 1)]
    batches.close()
    assert halves[0]["image"]["views"].shape[0] == 6
    losses = [next(method.losses(half))["contrast"] for half in halves]
    sum(losses).div(2).backward()
    assert read_log(folder)[0]["contrast"] == pytest.approx(sum(losses).item() / 2)
    with torch.no_grad():
        for parameter, learned in zip(method.parameters(), trained.parameters(), strict=True):
            torch.testing.assert_close(learned, parameter - 0.1 * parameter.grad)


def test_a_batch_that_does_not_divide_is_refused(shapes, tiny_network):
    with pytest.raises(
        HandsightError,
        match=r"a batch of 12 does not divide by 1 processes × 5 slices; choose a multiple with --batch-size",
    ):
        prepare(make("simclr", tiny_network), shapes, Training(batch_size=12, accumulate=5))


@pytest.mark.parametrize("name", ["simclr", "action-aware"])
def test_bf16_gives_nearly_the_same_losses_and_float32_weights(name, shapes, tiny_network, tmp_path):
    network = tiny_network | {"image_size": 24}  # at 16 px its last convolutions see one pixel
    runs = {
        precision: pretrain(
            make(name, network),
            shapes,
            out=tmp_path / precision,
            precision=precision,
            steps=2,
            **SETTINGS,
        )
        for precision in ("32-true", "bf16-mixed")
    }
    full, mixed = (read_log(folder)[0] for folder in runs.values())
    assert mixed["contrast"] != full["contrast"]
    assert mixed["contrast"] == pytest.approx(full["contrast"], rel=0.1)
    state = torch.load(runs["bf16-mixed"] / "checkpoints" / "step-000000002.pt")["method"]
    assert all(value.dtype == torch.float32 for value in state.values() if value.is_floating_point())


def test_monitors_look_when_they_should_and_are_logged(shapes, tiny_network, tmp_path):
    seen = []

    def monitor(encoder, step):
        seen.append(step)
        encoder.eval()
        return {"height": 0.5 * step}

    method = make("simclr", tiny_network)
    modes = []
    folder = pretrain(
        method,
        shapes,
        out=tmp_path / "run",
        monitors=[monitor],
        monitor_every=2,
        steps=5,
        batch_size=12,
        log_every=3,
        progress=lambda *_: modes.append(method.encoder.training),
    )
    assert seen == [2, 4, 5]
    assert modes == [True] * 5
    entries = {entry["step"] + 1: entry for entry in read_log(folder)}
    assert {done: entry["height"] for done, entry in entries.items() if "height" in entry} == {
        2: 1.0,
        4: 2.0,
        5: 2.5,
    }
    assert [done for done, entry in entries.items() if "contrast" in entry] == [3, 5]


class Constant(SimCLR):
    """Its encoder says the same of everything."""

    def after_step(self, step):
        with torch.no_grad():
            for parameter in self.encoder.trunk.parameters():
                parameter.zero_()
            list(self.encoder.trunk.modules())[-1].bias = None


@pytest.mark.parametrize("without_categories", [False, True])
def test_collapse_is_said_in_words(shapes, tiny_network, tmp_path, caplog, without_categories, monkeypatch):
    if without_categories:
        monkeypatch.setattr(shapes, "facts", {"split": shapes.facts["split"]})
    torch.manual_seed(0)
    watching = monitors([shapes], 16)
    with caplog.at_level(logging.WARNING, logger="handsight"):
        folder = pretrain(
            Constant(**tiny_network),
            shapes,
            out=tmp_path / "run",
            monitors=watching,
            monitor_every=1,
            steps=1,
            **SETTINGS,
        )
    assert "step 1: the encoder has collapsed: it says nearly the same of every image" in caplog.text
    (entry,) = read_log(folder)
    assert entry["effective_rank"] == 1
    assert entry["feature_spread"] == 0
    assert ("knn_accuracy" in entry) != without_categories


class Diverging(SimCLR):
    """Its loss is NaN from the fourth step on."""

    def before_step(self, step):
        self.diverged = step >= 3

    def losses(self, batches):
        for group in super().losses(batches):
            yield {name: loss * (float("nan") if self.diverged else 1) for name, loss in group.items()}


@pytest.mark.parametrize("log_every", [1, 100])
def test_a_nan_loss_is_one_line_and_spoils_no_checkpoint(shapes, tiny_network, tmp_path, log_every):
    torch.manual_seed(0)
    with pytest.raises(
        HandsightError,
        match=r"^the loss 'contrast' is nan at step 3; try a smaller --learning-rate\."
        r" The last checkpoint is kept in .*run$",
    ) as refused:
        pretrain(
            Diverging(**tiny_network),
            shapes,
            out=tmp_path / "run",
            steps=8,
            batch_size=12,
            log_every=log_every,
            checkpoint_every=2,
        )
    assert "\n" not in str(refused.value)
    (kept,) = (tmp_path / "run" / "checkpoints").iterdir()
    state = torch.load(kept)
    assert state["step"] == 2
    assert all(value.isfinite().all() for value in state["method"].values())


@pytest.mark.parametrize("failing", ["torch.save", "os.replace"])
def test_a_full_disk_is_one_line_and_the_checkpoint_before_stays(
    failing, shapes, tiny_network, tmp_path, monkeypatch
):
    settings = SETTINGS | {"steps": 4, "checkpoint_every": 2}
    module = {"torch.save": torch, "os.replace": __import__("os")}[failing]
    name = failing.split(".")[1]
    real = getattr(module, name)

    def full(what, target, **options):
        if "step-000000004" in str(target):
            if failing == "torch.save":
                target.write_bytes(b"PK half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(what, target, **options)

    monkeypatch.setattr(module, name, full)
    with pytest.raises(
        HandsightError,
        match=r"^cannot write .*step-000000004.pt \(.*No space left on device.*\); [\d.]+ MB are free\."
        " Make room and give the same command again$",
    ):
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "run", **settings)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-000000002.pt"]
    monkeypatch.undo()
    done = []
    pretrain(
        make("simclr", tiny_network),
        shapes,
        out=tmp_path / "run",
        progress=lambda *now: done.append(now[0]),
        **settings,
    )
    assert done == [3, 4]


def test_a_log_that_cannot_grow_is_one_line(shapes, tiny_network, tmp_path, monkeypatch):
    from handsight.training.run import Run

    run = Run(tmp_path / "run", {})
    run.log_path.mkdir()
    with pytest.raises(HandsightError, match=r"cannot write .*log.jsonl \(Is a directory\); make room"):
        run.log({"step": 0})
    (tmp_path / "file").write_text("mine")
    with pytest.raises(HandsightError, match=r"file/run cannot be written \(Not a directory\); give another"):
        pretrain(make("simclr", tiny_network), shapes, out=tmp_path / "file" / "run", steps=1, batch_size=8)
