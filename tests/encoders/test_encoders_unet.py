"""The network of learning to interact: the paper's sizes, parameters and field of view; an encoder as all."""

import json
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from handsight.encoders import Encoder, load_encoder, random_encoder_calibrated
from handsight.encoders.unet import TAPS, UNET, Down, UNet, Up
from handsight.errors import HandsightError
from handsight.evaluation.receptive import receptive_fields
from handsight.export import export

THIN = {"width": 0.25}


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return Encoder(UNET, 75, options=THIN)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 75, 75, 3), dtype=np.uint8)


def maps_of(network, image_size):
    with torch.no_grad():
        return network.eval().forward_intermediates(torch.rand(1, 4, image_size, image_size))[1]


def test_sizes_and_parameters_are_the_papers():
    network = UNet(300)
    assert [tuple(each.shape[1:]) for each in maps_of(network, 300)] == [
        *((32, 100, 100), (64, 50, 50), (128, 25, 25), (256, 13, 13)),
        *((128, 23, 23), (64, 44, 44), (64, 86, 86), (64, 100, 100)),
    ]
    stem = 32 * 4 * 25 + 64
    down = sum(2 * (2 * c * c * 9) + 2 * c * c + 2 * (2 * c + c + 2 * c) for c in (32, 64, 128))
    sizes = [(256, 128, 128), (128, 64, 64), (64, 32, 64)]  # deep, lateral, out
    up = sum(deep * out * 4 + out + (out + lateral) * out * 9 + 2 * out for deep, lateral, out in sizes)
    assert sum(each.numel() for each in network.parameters()) == stem + down + up == 1_427_584


@pytest.mark.parametrize(
    ("image_size", "up"), [(75, [5, 8, 14, 25]), (96, [6, 10, 18, 32]), (150, [11, 20, 38, 50])]
)
def test_other_sizes_give_a_third_of_the_image(image_size, up):
    found = maps_of(UNet(image_size, width=0.1), image_size)
    assert [each.shape[-1] for each in found[4:]] == up
    assert all(each.shape[1] % 8 == 0 for each in found)


@pytest.mark.parametrize(("image_size", "up"), [(75, [7, 13, 25, 25]), (150, [13, 25, 50, 50])])
def test_padded_maps_are_as_large_as_those_on_the_way_down(image_size, up):
    found = maps_of(UNet(image_size, width=0.1, padded=True), image_size)
    assert [each.shape[-1] for each in found[4:]] == up
    names = UNet(image_size, width=0.1).state_dict()
    assert names.keys() == UNet(image_size, width=0.1, padded=True).state_dict().keys()


def columns_seen(network, column):
    """Return the first and the last column of the picture that a cell sees by way of the stem's map alone."""
    with torch.no_grad():  # nothing comes from below
        network.up1.up.weight.zero_()
    sights = torch.rand(1, 4, 150, 150).requires_grad_()
    network.eval().forward_intermediates(sights)[1][-1][0, :, 25, column].sum().backward()
    seen = sights.grad[0].abs().amax(dim=(0, 1)).nonzero()
    return int(seen.min()), int(seen.max())


def test_padded_each_cell_lies_over_what_it_sees():
    torch.manual_seed(0)
    for column in (0, 1, 25, 48, 49):  # the stem's cell and its neighbours, 5 pixels each, 3 apart
        seen = columns_seen(UNet(150, width=0.5, padded=True), column)
        assert seen == (max(0, 3 * column - 5), min(149, 3 * column + 5))
    for column, away in ((0, 6), (49, -6)):  # as released, the cells along the edges see what lies inside
        seen = columns_seen(UNet(150, width=0.5), column)
        assert seen == (3 * (column + away) - 5, 3 * (column + away) + 5)


def test_a_cell_sees_137_pixels():
    encoder = Encoder(UNET, 300, options={"width": 0.1})
    places = np.array([[0, 50, 50], [3, 30, 70], [1, 0, 99]])
    fields = receptive_fields(encoder, "map", places, (300, 300))
    sides = fields[:, 2:] - fields[:, :2]
    np.testing.assert_array_equal(sides[:2], 137)
    assert (sides[2] < 137).all()  # in a corner, cut off by the picture's edges
    assert (fields[0, :2] < 150).all()
    assert (fields[0, 2:] > 150).all()


def test_depth_is_seen_as_far_as_colours():
    torch.manual_seed(0)
    network = UNet(150, width=0.1).double().eval()
    sights = torch.rand(1, 4, 150, 150, dtype=torch.float64).requires_grad_()
    network.forward_intermediates(sights)[1][-1][0, :, 25, 25].sum().backward()
    seen = sights.grad[0].abs() > 0
    for channel in seen:
        rows, columns = channel.any(1).nonzero(), channel.any(0).nonzero()
        assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == 137


def test_blocks_are_the_appendix():
    torch.manual_seed(0)
    down, maps = Down(8, 16).double().eval(), torch.randn(2, 8, 7, 9, dtype=torch.float64)
    for module in down.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)

    def layer(sequence, x, padding, stride=1):
        convolution, norm, _ = sequence
        x = functional.conv2d(x, convolution.weight, None, stride, padding)
        mean, var = norm.running_mean[:, None, None], norm.running_var[:, None, None]
        scaled = (x - mean) / (var + norm.eps).sqrt()
        return (scaled * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)

    between = layer(down.narrow, layer(down.wide, maps, 1), 0)
    torch.testing.assert_close(down(maps), layer(down.last, maps + between, 1, stride=2))
    up = Up(8, 4, 6).double().eval()
    deep, lateral = torch.randn(1, 8, 5, 5).double(), torch.randn(1, 4, 14, 14).double()
    brought = functional.conv_transpose2d(deep, up.up.weight, up.up.bias, 2)
    joined = torch.cat([brought, lateral[..., 2:12, 2:12]], 1)
    torch.testing.assert_close(up(deep, lateral), layer(up.joined, joined, 0))
    less = lateral[..., :9, :9]  # then what is brought up loses its last row and column
    torch.testing.assert_close(
        up(deep, less), layer(up.joined, torch.cat([brought[..., :9, :9], less], 1), 0)
    )


def test_features_are_maps_and_the_embedding_is_the_mean_of_the_deepest(encoder, frames):
    features = encoder.features(frames)
    assert encoder.taps == (*TAPS, "pooled") == tuple(features)
    assert encoder.embedding_size == features["down3"].shape[1] == 64
    torch.testing.assert_close(features["pooled"], features["down3"].mean(dim=(2, 3)))
    torch.testing.assert_close(features["pooled"], encoder.embed(frames))
    assert encoder.tap_shape("map") == (16, 25, 25) == tuple(features["map"].shape[1:])
    assert [info["num_chs"] for info in encoder.trunk.feature_info] == [
        features[tap].shape[1] for tap in TAPS
    ]
    torch.testing.assert_close(
        features["map"],
        functional.interpolate(features["up1"], (25, 25), mode="bilinear", align_corners=False),
    )
    assert encoder.embed(np.zeros((1, 90, 50, 3), np.uint8)).shape == (1, 64)


def test_pictures_are_divided_by_255_and_that_is_all(encoder, frames):
    assert encoder.metadata["mean"] == [0, 0, 0]
    assert encoder.metadata["std"] == [1, 1, 1]
    wanted = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(encoder.preprocessing(torch.from_numpy(frames)), wanted)
    other = Encoder(UNET, 75, options=THIN, mean=(0.5, 0.4, 0.3))
    assert other.metadata["mean"] == [0.5, 0.4, 0.3]
    assert other.metadata["std"] == [1, 1, 1]
    assert Encoder("resnet18", 32).metadata["mean"] == [0.485, 0.456, 0.406]


def test_gradients_reach_every_weight(encoder):
    images = torch.rand(2, 3, 75, 75, requires_grad=True)
    encoder.zero_grad()
    features = encoder.forward_features(images, torch.rand(2, 75, 75))
    features["map"].square().sum().backward()
    assert images.grad.abs().sum() > 0
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_what_is_saved_is_what_is_loaded(encoder, frames, tmp_path):
    encoder.save(tmp_path / "encoder")
    description = json.loads((tmp_path / "encoder" / "encoder.json").read_text())
    assert (description["options"], description["mean"]) == (THIN, [0, 0, 0])
    loaded, depth = load_encoder(tmp_path / "encoder"), np.full((3, 75, 75), 1.5, np.float32)
    assert torch.equal(loaded.embed(frames, depth_m=depth), encoder.embed(frames, depth_m=depth))
    folder = export(encoder, "safetensors", tmp_path / "exported")
    assert torch.equal(load_encoder(folder).embed(frames), encoder.embed(frames))
    with pytest.raises(HandsightError, match="timm has no network that is unet-interaction") as caught:
        export(encoder, "timm", tmp_path / "timm")
    assert "\n" not in str(caught.value)


def test_the_random_control_is_another_draw(encoder, frames):
    control = random_encoder_calibrated(encoder, frames, seed=1)
    assert control.takes_depth
    assert not torch.equal(control.embed(frames), encoder.embed(frames))


def test_mixed_precision_stays_close(encoder, frames):
    images, wanted = torch.from_numpy(frames), encoder.embed(frames)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        mixed = encoder.eval()(images).float()
    assert (mixed - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_a_graph_without_breaks_is_captured(encoder):
    images, depth = torch.randint(0, 256, (2, 40, 30, 3), dtype=torch.uint8), torch.rand(2, 40, 30)
    encoder.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations while it traces
        compiled = torch.compile(encoder, backend="eager", fullgraph=True)
        with torch.no_grad():
            torch.testing.assert_close(compiled(images, depth), encoder(images, depth))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "unet-interactoin"}, "no network called 'unet-interactoin'; close are unet-interaction"),
        ({"image_size": 64}, "an image_size of 64; give a multiple of 3 from 75 on, such as 150"),
        ({"image_size": 72}, "an image_size of 72; give a multiple of 3"),
        ({"image_size": 100}, "an image_size of 100; give a multiple of 3"),
        ({"options": {"width": 0}}, "width is 0; give a factor above 0, such as 0.25"),
        ({"options": {"width": "thin"}}, "width is 'thin'; give a factor"),
        ({"options": {"padded": "yes"}}, "padded is 'yes'; give true or false"),
        ({"options": {"depth": True}}, "unet-interaction has no option 'depth'; it has width, padded"),
        ({"options": {"in_chans": 4}}, "in_chans is 4"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(arguments, message):
    with pytest.raises(HandsightError, match=message) as caught:
        Encoder(**{"name": UNET, "image_size": 75, **arguments})
    assert "\n" not in str(caught.value)
