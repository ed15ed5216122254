"""What the heads share: any tap of any encoder as a foot, Gaussian weights, a factor on the width."""

import math

import pytest
import torch
from torch import nn

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.objectives import GraspHead, PokeHead, PushHead
from handsight.objectives.maps import OnMap, draw_gaussian, share_gradient, thinned

ENCODERS = {
    "alexnet-lrn": {"width": 1 / 16},
    "resnet18": {"channels": (8, 8, 16, 24)},
    "vit_tiny_patch16_224": {"embed_dim": 48, "depth": 2},
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_head_stands_on_every_tap_of_every_encoder(name):
    torch.manual_seed(0)
    encoder = Encoder(name, 32, options=ENCODERS[name])
    images = torch.rand(4, 3, 32, 32)
    first_weight = next(encoder.parameters())
    features = encoder.forward_features(images)
    assert len(features) == len(encoder.taps)
    for tap, here in features.items():
        shape = here.shape[1:]
        grasp, push, poke = (head(shape, width=1 / 32) for head in (GraspHead, PushHead, PokeHead))
        told = grasp(here), push(here, here.flip(0)), poke(here)
        assert [tuple(each.shape) for each in told] == [(4, 36), (4, 5), (4, 2)], tap
        loss = sum(each.square().mean() for each in told)
        (gradient,) = torch.autograd.grad(loss, first_weight, retain_graph=True)
        assert gradient.abs().sum() > 0, tap


def test_a_vector_is_a_map_of_one_pixel():
    foot, vectors = OnMap((5,)), torch.randn(2, 5)
    assert (foot.shape, foot.size) == ((5, 1, 1), 5)
    assert torch.equal(foot(vectors)[:, :, 0, 0], vectors)
    assert torch.equal(foot(vectors[:, :, None, None]), foot(vectors))


def test_weights_are_gaussian_the_last_a_tenth_as_large_and_biases_zero():
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(16, 40, 3), nn.ReLU(), nn.Linear(200, 50), nn.Linear(30, 400, bias=False))
    draw_gaussian(head)
    parts = ((head[0], 16 * 9, 1.0), (head[2], 200, 1.0), (head[3], 30, 0.1))
    for layer, inputs, size in parts:
        standard = layer.weight.flatten().double() / (size * math.sqrt(2 / inputs))
        assert standard.std().item() == pytest.approx(1, abs=0.05)
        assert (standard**4).mean().item() == pytest.approx(3, abs=0.4)  # 1.8 if uniform
        assert layer.bias is None or not layer.bias.any()


def test_a_width_thins_and_leaves_at_least_one():
    assert [thinned(4096, width) for width in (1, 0.25, 1 / 4096, 1e-6, 2)] == [4096, 1024, 1, 1, 8192]


@pytest.mark.parametrize("width", [0, -1, float("nan"), float("inf")])
def test_a_width_that_is_no_factor_is_refused(width):
    with pytest.raises(HandsightError, match=r"a head's width is .*; give a factor above 0, such as 0\.25"):
        PokeHead((3,), width=width)


@pytest.mark.parametrize("shape", [(), (2, 3), (1, 2, 3, 4), (0, 2, 2)])
def test_a_shape_that_no_map_has_is_refused(shape):
    with pytest.raises(HandsightError, match=r"features of shape \[.*\]; give \[C, h, w\]"):
        GraspHead(shape)


@pytest.mark.parametrize("came", [(2, 3, 4, 5), (2, 3), (2, 4, 5, 5), (3, 5, 5)])
def test_features_of_another_tap_are_refused(came):
    with pytest.raises(HandsightError, match=r"came to a head for maps \[3, 5, 5\]; take them from the tap"):
        PokeHead((3, 5, 5))(torch.zeros(came))


def test_a_share_of_the_gradient_goes_back_and_all_features_on():
    features = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    shared = share_gradient(features, 0.25)
    assert torch.equal(shared, features)
    shared.pow(3).sum().backward()
    torch.testing.assert_close(features.grad, 0.25 * 3 * features.detach() ** 2)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(HandsightError, match=f"share of a gradient is {share}; give 0 to 1"):
        share_gradient(torch.zeros(1), share)
