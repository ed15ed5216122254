"""Depth beside the colours: metres in, resized with the picture, refused where it cannot be."""

import numpy as np
import pytest
import torch

from handsight.encoders import Encoder, load_encoder
from handsight.encoders.depth import check_depth, fit_depth
from handsight.encoders.preprocessing import Preprocessing
from handsight.encoders.unet import UNET
from handsight.errors import HandsightError


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return Encoder(UNET, 75, options={"width": 0.25}).eval()


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_depth_is_the_fourth_channel_in_metres(encoder):
    images, depth = drawn(2, 3, 75, 75), 3 * drawn(2, 75, 75, seed=1)
    sights = torch.cat([images, depth[:, None]], 1)
    torch.testing.assert_close(encoder(images, depth), encoder.trunk(sights))
    every = encoder.forward_features(images, depth)
    for tap in encoder.taps:
        torch.testing.assert_close(encoder.forward_tap(images, tap, depth), every[tap])
    assert not torch.allclose(every["map"], encoder.forward_tap(images, "map"))


def test_without_depth_it_sees_zeros(encoder):
    images, zeros = drawn(2, 3, 75, 75), torch.zeros(2, 75, 75)
    assert encoder.takes_depth
    assert torch.equal(encoder(images), encoder(images, zeros))
    assert torch.equal(encoder.embed(images), encoder.embed(images, depth_m=zeros))
    plain, given = encoder.features(images), encoder.features(images, depth_m=zeros.numpy())
    assert all(torch.equal(plain[tap], given[tap]) for tap in encoder.taps)


@pytest.mark.parametrize("kind", ["tensor", "array", "list"])
def test_depth_comes_as_images_do_and_in_batches(encoder, kind):
    images, depth = drawn(5, 75, 75, 3), 3 * drawn(5, 75, 75, seed=1)
    wanted = encoder(images, depth).detach()
    given = {
        "tensor": (images, depth),
        "array": (images.numpy(), depth.double().numpy()),
        "list": (list(images.numpy()), list(depth.numpy())),
    }[kind]
    torch.testing.assert_close(encoder.embed(given[0], 2, depth_m=given[1]), wanted, rtol=1e-4, atol=1e-5)
    found = encoder.features(given[0], 2, depth_m=given[1])["pooled"]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_depth_is_resized_with_the_picture_and_never_mixed(fit):
    preprocessing = Preprocessing(30, (0, 0, 0), (1, 1, 1), fit)
    depth = torch.zeros(1, 60, 120)
    depth[:, 12:40, 50:80] = 2.0
    found = fit_depth(depth, preprocessing)[0, 0]
    assert found.shape == (30, 30)
    assert set(found.unique().tolist()) == {0, 2}
    picture = preprocessing(depth[:, None].expand(1, 3, 60, 120) / 2)[0, 0]
    clear = (picture < 0.01) | (picture > 0.99)  # where the picture itself mixes nothing
    assert clear.float().mean() > 0.8
    torch.testing.assert_close(found[clear] / 2, picture[clear], atol=0.01, rtol=0)
    torch.testing.assert_close(fit_depth(found[None], preprocessing)[0, 0], found)


def test_each_pixel_is_the_nearest_one():
    depth = drawn(2, 60, 120)
    stretched, cropped = (
        fit_depth(depth, Preprocessing(30, (0, 0, 0), (1, 1, 1), fit)) for fit in ("stretch", "crop")
    )
    rows, middle = torch.arange(30) * 2 + 1, torch.arange(15, 45) * 2 + 1
    assert torch.equal(stretched[:, 0], depth[:, rows][:, :, torch.arange(30) * 4 + 2])
    assert torch.equal(cropped[:, 0], depth[:, rows][:, :, middle])


def test_lists_of_any_sizes(encoder):
    images = [drawn(h, w, 3) for h, w in ((75, 75), (90, 60))]
    depth = [1 + drawn(h, w) for h, w in ((75, 75), (90, 60))]
    found = encoder.embed(images, depth_m=depth)
    for row, image, metres in zip(found, images, depth, strict=True):
        alone = encoder.embed(image[None], depth_m=metres[None])[0]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-5)


def test_other_trunks_refuse_depth():
    encoder = Encoder("resnet18", 32, options={"channels": [4, 4, 8, 8], "stem_width": 4})
    images, depth = drawn(2, 3, 32, 32), drawn(2, 32, 32)
    calls = [
        lambda: encoder(images, depth),
        lambda: encoder.forward_features(images, depth),
        lambda: encoder.forward_tap(images, "layer1", depth),
        lambda: encoder.embed(images, depth_m=depth),
        lambda: encoder.features(images, depth_m=depth),
    ]
    assert not encoder.takes_depth
    for call in calls:
        with pytest.raises(HandsightError, match="resnet18 takes no depth; leave depth_m out") as caught:
            call()
        assert "\n" not in str(caught.value)


FLAT = np.full((2, 75, 75), 1.0, np.float32)


def changed(value, where=(0, 3, 4), of=FLAT):
    other = of.copy()
    other[where] = value
    return other


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (changed(np.nan), "depth spans .* m; give finite metres"),
        (changed(np.inf), "depth spans 1 to inf m; give finite metres"),
        (changed(-0.1), "depth spans -0.1 to 1 m; give finite metres"),
        (1000 * FLAT, "median of 1000 m; it looks like millimetres: divide by 1000"),
        ((1000 * FLAT).astype(np.int16), "depth is int16; .*divide by 1000"),
        ((1000 * FLAT).astype(np.uint16), "depth is uint16; .*divide by 1000"),
        (FLAT[:1], "depth of 1 came for 2 images; give one for each"),
        (FLAT[:, :40], r"depth has shape \[2, 40, 75\] for images .*give \[2, 75, 75\]"),
        (FLAT[:, None], r"depth has shape \[2, 1, 75, 75\] for images"),
        (3.0, "depth came as float; give a tensor, an array or a list"),
        ([FLAT[0], FLAT], r"depth has shape \[1, 2, 75, 75\]; give \[B, H, W\]"),
        (np.array([["near", "far"]] * 2), "depth is <U4; give floats"),
    ],
)
def test_what_is_no_depth_in_metres_is_refused_in_one_line(encoder, depth, message):
    images = np.zeros((2, 75, 75, 3), np.uint8)
    for call in (encoder.embed, encoder.features):
        with pytest.raises(HandsightError, match=message) as caught:
            call(images if not isinstance(depth, list) else list(images), depth_m=depth)
        assert "\n" not in str(caught.value)


def test_forward_refuses_shapes_and_types_without_looking_at_numbers(encoder):
    images = drawn(2, 3, 75, 75)
    with pytest.raises(HandsightError, match="depth is int32; give floats in metres"):
        encoder(images, torch.ones(2, 75, 75, dtype=torch.int32))
    with pytest.raises(HandsightError, match=r"depth has shape \[75, 75\]"):
        encoder(images, torch.ones(75, 75))
    assert encoder(images, torch.full((2, 75, 75), 5000.0)).shape == (2, 64)


def test_what_was_measured_nowhere_and_nothing_at_all_pass():
    check_depth(torch.zeros(2, 4, 4))
    check_depth(torch.empty(0, 4, 4))
    check_depth(torch.tensor([99.0, 101.0, 30.0]))
    check_depth(torch.ones(3, 3, dtype=torch.float64))


def test_networks_of_timm_take_depth_as_a_fourth_channel(tmp_path):
    torch.manual_seed(0)
    options = {"channels": [4, 4, 8, 8], "stem_width": 4, "in_chans": 4}
    encoder = Encoder("resnet18", 32, options=options).eval()
    images, depth = drawn(2, 3, 32, 32), 3 * drawn(2, 32, 32, seed=1)
    assert encoder.takes_depth
    colours = encoder.preprocessing(images)
    torch.testing.assert_close(encoder(images, depth), encoder.trunk(torch.cat([colours, depth[:, None]], 1)))
    assert not torch.allclose(encoder(images, depth), encoder(images))
    encoder.save(tmp_path)
    again = load_encoder(tmp_path)
    assert again.takes_depth
    assert torch.equal(again.embed(images, depth_m=depth), encoder.embed(images, depth_m=depth))
    assert not Encoder("resnet18", 32, options=options | {"in_chans": 3}).takes_depth


@pytest.mark.parametrize("name", ["torchvision/resnet18", UNET])
def test_other_networks_cannot_be_told_to_take_depth(name):
    with pytest.raises(HandsightError, match=r"in_chans is 4; .* give timm's networks 4, for depth beside"):
        Encoder(name, 75, options={"in_chans": 4})
