"""What `auto` precision is, and that a run keeps it."""

import pytest
import torch

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.methods import SimCLR
from handsight.training import precision, pretrain, read_config
from handsight.training.precision import anatomy_of, check_bfloat16, choose_precision

SETTINGS = {"steps": 1, "batch_size": 8}


@pytest.fixture
def computes_bfloat16(monkeypatch):
    """Set whether this machine's CPU has bfloat16 arithmetic and no GPU is there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return lambda does: monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: does)


@pytest.fixture
def make(tiny_network, monkeypatch):
    """A function that makes a method of a small network; networks of any kind gain by bfloat16."""
    monkeypatch.setattr(precision, "LEAST_INTENSITY", 0)

    def made(image_size=24):
        torch.manual_seed(0)
        return SimCLR(**tiny_network | {"image_size": image_size})

    return made


def test_intensity_counts_multiply_adds_and_numbers_put_out():
    class Stub(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 10, 3, padding=1, bias=False)
            self.fully = torch.nn.Linear(10, 5, bias=False)

        def forward(self, images):
            return self.fully(self.convolution(images).mean(dim=(2, 3)))

    encoder = Encoder("resnet10t", 8)
    encoder.trunk = Stub()
    put_out = 10 * 8 * 8 + 5
    multiplied = 10 * 8 * 8 * 27 + 50
    assert anatomy_of(encoder).intensity == pytest.approx(multiplied / put_out)


@pytest.mark.parametrize(
    ("name", "chosen"), [("resnet18", "bf16-mixed"), ("mobilenetv3_small_100", "32-true")]
)
def test_bfloat16_is_for_networks_that_multiply_much_and_put_out_little(name, chosen, computes_bfloat16):
    computes_bfloat16(True)
    encoder = Encoder(name, 64)
    assert choose_precision(encoder, "auto") == chosen
    computes_bfloat16(False)
    assert choose_precision(encoder, "auto") == "32-true"


def test_choosing_leaves_the_encoder_and_the_random_numbers_as_they_were(computes_bfloat16):
    computes_bfloat16(True)
    encoder = Encoder("resnet18", 32).train()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    random = torch.get_rng_state()
    choose_precision(encoder, "cpu")
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    assert all(module.training and not module._forward_hooks for module in encoder.trunk.modules())


def test_a_gpu_decides_where_there_is_one(monkeypatch):
    encoder = Encoder("resnet18", 64)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for has in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has=has: has)
        assert choose_precision(encoder, "cuda") == ("bf16-mixed" if has else "32-true")
    assert choose_precision(encoder, "mps") == "32-true"


def test_the_choice_is_written_down_and_holds_on_a_machine_that_would_choose_otherwise(
    shapes, make, tmp_path, computes_bfloat16
):
    computes_bfloat16(True)
    folder = pretrain(make(), shapes, out=tmp_path / "run", **SETTINGS)
    assert read_config(folder)["training"]["precision"] == "bf16-mixed"
    computes_bfloat16(False)
    pretrain(make(), shapes, out=tmp_path / "run", **SETTINGS)
    assert read_config(folder)["training"]["precision"] == "bf16-mixed"
    with pytest.raises(
        HandsightError, match=r"training.precision = 'bf16-mixed', and this one has '32-true'; give another"
    ):
        pretrain(make(), shapes, out=tmp_path / "run", precision="32-true", **SETTINGS)


def test_what_is_chosen_is_what_is_said(shapes, make, tmp_path, computes_bfloat16, caplog):
    computes_bfloat16(True)
    caplog.set_level("INFO", logger="handsight")
    states = []
    for said in ("auto", "bf16-mixed"):
        folder = pretrain(make(), shapes, out=tmp_path / said, precision=said, **SETTINGS)
        states.append(torch.load(next((folder / "checkpoints").glob("*.pt")))["method"])
    assert [record.message for record in caplog.records if "precision" in record.message] == [
        "precision: bf16-mixed (auto)"
    ]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_bfloat16_is_refused_where_its_gradients_would_be_wrong(shapes, make, tmp_path, computes_bfloat16):
    computes_bfloat16(True)
    with pytest.raises(
        HandsightError,
        match=r"^bf16-mixed on a CPU gives wrong gradients where .*, as layer4.0.conv1 of resnet18 at 16 px;"
        r" give --precision 32-true, or a larger --image-size$",
    ):
        pretrain(
            make(16), shapes, out=tmp_path / "run", precision="bf16-mixed", accelerator="cpu", **SETTINGS
        )
    assert not (tmp_path / "run").exists()
    assert choose_precision(make(16).encoder, "cpu") == "32-true"
    check_bfloat16(make(24).encoder, "cpu")


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size", "wrong"),
    [(3, 2, 1, 1, True), (5, 1, 2, 1, True), (8, 8, 0, 8, True), (3, 2, 1, 2, False), (1, 2, 0, 1, False)],
)
def test_convolutions_that_are_not_refused_have_float32s_gradients(kernel, stride, padding, size, wrong):
    layer = torch.nn.Conv2d(16, 16, kernel, stride, padding, bias=False).to(memory_format=torch.channels_last)
    assert precision._misreads(layer, torch.Size((size, size))) == wrong
    if wrong:
        return
    images = torch.randn(8, 16, size, size)
    gradients = []
    for mixed in (False, True):
        # What a layer returns without having written it holds what was freed before.
        freed = [torch.full((length * 1000,), float("nan")) for length in range(1, 60)]
        del freed
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            (layer(images) ** 2).sum().backward()
        gradients.append(layer.weight.grad)
        layer.weight.grad = None
    torch.testing.assert_close(gradients[1], gradients[0], atol=0.05 * gradients[0].abs().max(), rtol=0.05)
