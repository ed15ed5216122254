"""AlexNet with LRN: layer by layer what the paper says, at any size, and an encoder like all others."""

import copy
import json
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from handsight.encoders import Encoder, load_encoder, random_encoder_calibrated
from handsight.encoders.alexnet import ALEXNET, TAPS, AlexNet, LocalResponseNorm
from handsight.errors import HandsightError
from handsight.export import export

THIN = {"width": 1 / 16}


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return Encoder(ALEXNET, 32, options=THIN)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def shapes(image_size, **options):
    """Return C, h, w of each tap."""
    with torch.device("meta"):  # takes no time for drawing weights
        network = AlexNet(image_size, **options)
    with torch.no_grad():
        _, maps = network.to_empty(device="cpu").forward_intermediates(
            torch.zeros(1, 3, image_size, image_size)
        )
    return [tuple(each.shape[1:]) for each in maps]


def parameters(image_size, **options):
    with torch.device("meta"):
        return sum(each.numel() for each in AlexNet(image_size, **options).parameters())


@pytest.mark.parametrize("image_size", [227, 224])
def test_layers_and_parameters_are_the_papers(image_size):
    assert shapes(image_size) == [
        *((96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13)),
        *((4096, 1, 1), (4096, 1, 1)),
    ]
    # What is known of AlexNet, with and without groups, less its last layer: 4096 · 1000 + 1000.
    assert parameters(image_size) == 60_965_224 - 4_097_000
    assert parameters(image_size, groups=1) == 62_378_344 - 4_097_000


@pytest.mark.parametrize(
    ("image_size", "conv1", "conv3", "fc6_inputs"),
    [
        *((32, 26, 5, 2), (50, 44, 10, 4), (51, 23, 5, 2), (64, 29, 6, 2)),
        *((94, 44, 10, 4), (95, 23, 5, 2), (128, 31, 7, 3), (21, 15, 3, 1)),
    ],
)
def test_small_images_keep_maps_of_several_pixels(image_size, conv1, conv3, fc6_inputs):
    found = shapes(image_size, width=0.25)
    assert (found[0], found[2], found[5]) == ((24, conv1, conv1), (96, conv3, conv3), (1024, 1, 1))
    convolutions = {"1": (24, 3, 11), "2": (64, 12, 5), "3": (96, 64, 3), "4": (96, 48, 3), "5": (64, 48, 3)}
    wanted = sum(out * taken * side**2 + out for out, taken, side in convolutions.values())
    assert parameters(image_size, width=0.25) == wanted + 1024 * (64 * fc6_inputs**2 + 1) + 1024 * (1024 + 1)


@pytest.mark.parametrize(("groups", "rectified"), [(1, True), (2, True), (2, False)])
def test_the_network_is_one_of_torchs_own_layers(groups, rectified):
    torch.manual_seed(0)
    network = AlexNet(67, width=1 / 12, groups=groups, stride=2, padding=1, rectified=rectified).double()
    norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
    layers = [
        *(nn.Conv2d(3, 8, 11, 2, 1), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(8, 24, 5, 1, 2, groups=groups), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(24, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 1, 1, groups=groups), nn.ReLU()),
        *(nn.Conv2d(32, 24, 3, 1, 1, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(24 * 2 * 2, 344), nn.ReLU(), nn.Linear(344, 344)),
        nn.ReLU() if rectified else nn.Identity(),
    ]
    theirs = nn.Sequential(*layers).double()
    theirs.load_state_dict(
        dict(zip(theirs.state_dict(), network.state_dict().values(), strict=True))
    )  # both list convolutions, then the fully connected
    images = 30 * torch.randn(2, 3, 67, 67, dtype=torch.float64)  # large, so that LRN shows
    torch.testing.assert_close(network(images), theirs(images))
    conv2 = theirs[:6](images)
    torch.testing.assert_close(network.forward_intermediates(images)[1][1], conv2)


def test_lrn_is_a_sum_over_neighbouring_channels_not_divided_by_their_number():
    maps = 100 * np.random.default_rng(0).standard_normal((2, 9, 3, 4))
    wanted = np.empty_like(maps)
    for channel in range(9):
        near = maps[:, max(0, channel - 2) : channel + 3]
        wanted[:, channel] = maps[:, channel] / (1 + 2e-5 * (near**2).sum(axis=1)) ** 0.75
    found = LocalResponseNorm()(torch.from_numpy(maps))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)
    theirs = functional.local_response_norm(torch.from_numpy(maps), size=5, alpha=5 * 2e-5, beta=0.75, k=1)
    torch.testing.assert_close(found, theirs)
    assert abs(wanted - maps).max() > 10  # it does something at this size


def test_lrn_has_the_right_gradient_and_any_layout_and_precision():
    maps = torch.randn(2, 6, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 50
    for channels in (1, 2, 6):  # fewer than a window has, as well
        assert torch.autograd.gradcheck(LocalResponseNorm(), [maps[:, :channels].clone().requires_grad_()])
    mine, theirs = (maps.clone().requires_grad_() for _ in range(2))
    LocalResponseNorm(alpha=1e-3)(mine).square().sum().backward()
    functional.local_response_norm(theirs, 5, alpha=5e-3, beta=0.75, k=1).square().sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)
    norm, single = LocalResponseNorm(), maps.float()
    last = norm(single.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, norm(single))
    half = norm((100 * single).half())  # squares beyond what float16 holds
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), norm(100 * single), rtol=2e-3, atol=1e-2)
    assert norm(single[:0]).shape == (0, 6, 3, 3)


def test_weights_are_gaussian_and_numbers_keep_their_size():
    torch.manual_seed(0)
    network = AlexNet(95, width=0.25)
    for tap in TAPS:
        layer = network.get_submodule(tap)
        weights = layer.weight.flatten().double()
        standard = weights / math.sqrt(2 / layer.weight[0].numel())
        assert abs(standard.mean()) < 0.05, tap
        assert standard.var().item() == pytest.approx(1, abs=0.05), tap
        assert (standard**4).mean().item() == pytest.approx(3, abs=0.4), tap  # 1.8 if uniform
        assert not layer.bias.any(), tap
    _, maps = network.forward_intermediates(torch.randn(8, 3, 95, 95))
    # Pooling by maxima makes numbers larger; but they neither vanish nor explode.
    assert all(0.3 < each.detach().square().mean() < 100 for each in maps)
    assert AlexNet(95, width=0.25, std=0.01).conv3.weight.std().item() == pytest.approx(0.01, rel=0.02)


def test_features_are_maps_and_the_embedding_is_fc7(encoder, frames):
    features = encoder.features(frames)
    assert encoder.taps == (*TAPS, "pooled") == tuple(features)
    assert all(value.ndim == 4 and len(value) == 5 for tap, value in features.items() if tap != "pooled")
    assert all((value.min() >= 0) == (tap not in ("fc7", "pooled")) for tap, value in features.items())
    assert encoder.embedding_size == 256
    assert torch.equal(features["pooled"], encoder.embed(frames))
    assert torch.equal(features["fc7"][:, :, 0, 0], features["pooled"])
    assert [info["num_chs"] for info in encoder.trunk.feature_info] == [
        features[tap].shape[1] for tap in TAPS
    ]
    alone = encoder.embed(frames, batch_size=1)
    torch.testing.assert_close(alone, features["pooled"], rtol=1e-4, atol=1e-5)
    assert encoder.embed(np.zeros((1, 90, 50, 3), np.uint8)).shape == (1, 256)


def test_gradients_reach_every_weight_and_the_pixels(encoder):
    images = torch.rand(2, 3, 40, 40, requires_grad=True)
    encoder(images).square().mean().backward()
    assert images.grad.abs().sum() > 0
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_what_is_saved_is_what_is_loaded(encoder, frames, tmp_path):
    encoder.save(tmp_path / "encoder")
    assert json.loads((tmp_path / "encoder" / "encoder.json").read_text())["options"] == THIN
    state = torch.random.get_rng_state()
    loaded = load_encoder(tmp_path / "encoder")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(loaded.embed(frames), encoder.embed(frames))
    filled = Encoder(ALEXNET, 32, options=THIN, weights=tmp_path / "encoder")
    assert torch.equal(filled.embed(frames), encoder.embed(frames))
    with pytest.raises(HandsightError, match=r"not of this network: .*fc6.weight is \[256, 64\]"):
        Encoder(ALEXNET, 128, options=THIN, weights=tmp_path / "encoder")


def test_it_is_exported_and_timm_is_said_to_lack_it(encoder, frames, tmp_path):
    folder = export(encoder, "safetensors", tmp_path / "exported")
    assert torch.equal(load_encoder(folder).embed(frames), encoder.embed(frames))
    with pytest.raises(HandsightError, match="timm has no network that is alexnet-lrn") as caught:
        export(encoder, "timm", tmp_path / "timm")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "timm").exists()


def test_the_random_control_is_another_draw(encoder, frames):
    control = random_encoder_calibrated(encoder, frames, seed=1)
    assert control.options == encoder.options
    assert not torch.equal(control.embed(frames), encoder.embed(frames))


def test_mixed_and_half_precision_stay_close(encoder, frames):
    images, wanted = torch.from_numpy(frames), encoder.embed(frames)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        mixed = encoder(images).float()
    half = copy.deepcopy(encoder).to(torch.bfloat16)(images)
    assert half.dtype == torch.bfloat16
    for found in (mixed, half.detach().float()):
        assert (found - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_a_graph_without_breaks_is_captured(encoder):
    images = torch.randint(0, 256, (2, 40, 30, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations while it traces
        compiled = torch.compile(encoder, backend="eager", fullgraph=True)
        with torch.no_grad():
            torch.testing.assert_close(compiled(images), encoder(images))


def test_the_same_seed_gives_the_same_network():
    def drawn(seed):
        torch.manual_seed(seed)
        return AlexNet(32, **THIN).state_dict()

    assert all(torch.equal(drawn(3)[name], value) for name, value in drawn(3).items())
    assert not torch.equal(drawn(3)["conv1.weight"], drawn(4)["conv1.weight"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "alexnet-lnr"}, "no network called 'alexnet-lnr'; close are alexnet-lrn"),
        ({"options": {"widht": 0.5}}, "alexnet-lrn has no option 'widht'; it has width, groups"),
        ({"options": {"width": 0}}, "width is 0; give a factor above 0, such as 0.25"),
        ({"options": {"width": "thin"}}, "width is 'thin'; give a factor"),
        ({"options": {"width": True}}, "width is True; give a factor"),
        ({"options": {"groups": 3}}, "groups is 3; it can be 1 or 2"),
        ({"options": {"stride": 3}}, "stride is 3; give 4, 2 or 1"),
        ({"options": {"padding": -1}}, "padding is -1; give 0 to 5 pixels"),
        ({"options": {"std": -0.1}}, "std is -0.1; give a number above 0"),
        ({"options": {"rectified": "yes"}}, "rectified is 'yes'; it can be true or false"),
        ({"options": {"stride": 4}}, "stride 4 leaves nothing of an image of 32 px; choose a larger"),
        ({"image_size": 20}, "stride 1 leaves nothing of an image of 20 px; choose a larger image_size"),
        ({"options": {"in_chans": 1}}, "in_chans is 1"),
        ({"options": {"num_classes": 10}}, "the encoder sets num_classes itself"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(arguments, message):
    with pytest.raises(HandsightError, match=message) as caught:
        Encoder(**{"name": ALEXNET, "image_size": 32, **arguments})
    assert "\n" not in str(caught.value)
