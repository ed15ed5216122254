"""One tap alone: the same as among all, and no layer after it is computed."""

import pytest
import torch

from handsight.encoders import Encoder
from handsight.errors import HandsightError

NETWORKS = {
    "alexnet-lrn": (24, {"width": 0.05}),
    "resnet18": (32, {"channels": [4, 4, 8, 8], "stem_width": 4}),
    "torchvision/resnet18": (32, {}),
    "unet-interaction": (75, {"width": 0.1}),
    "vit_tiny_patch16_224": (32, {"depth": 3, "embed_dim": 24, "num_heads": 2}),
}


@pytest.fixture(params=NETWORKS, scope="module")
def encoder(request):
    torch.manual_seed(0)
    size, options = NETWORKS[request.param]
    return Encoder(request.param, size, options=options).eval()


def pictures(encoder):
    return torch.rand(
        3, 3, encoder.image_size, encoder.image_size, generator=torch.Generator().manual_seed(1)
    )


def test_a_tap_alone_is_the_tap_among_all(encoder):
    images = pictures(encoder)
    every = encoder.forward_features(images)
    for tap in encoder.taps:
        torch.testing.assert_close(encoder.forward_tap(images, tap), every[tap])
        assert encoder.tap_shape(tap) == tuple(every[tap].shape[1:])
    assert not encoder.training


@pytest.mark.parametrize("name", ["alexnet-lrn", "resnet18", "unet-interaction"])
def test_layers_after_it_are_not_computed(name):
    size, options = NETWORKS[name]
    encoder = Encoder(name, size, options=options)
    tap = encoder.taps[2]
    called = []
    for layer, module in encoder.trunk.named_modules():
        if layer in encoder.taps:
            module.register_forward_hook(lambda *_, layer=layer: called.append(layer))
    encoder.forward_tap(pictures(encoder), tap)
    assert tap in called
    assert not set(called) & set(encoder.taps[3:])


def test_gradients_reach_what_is_before_it_alone():
    encoder = Encoder("alexnet-lrn", 24, options={"width": 0.05})
    encoder.forward_tap(pictures(encoder), "conv4").square().sum().backward()
    reached = {
        name.split(".")[0] for name, value in encoder.trunk.named_parameters() if value.grad is not None
    }
    assert reached == {"conv1", "conv2", "conv3", "conv4"}


def test_a_tap_that_is_not_there_is_refused(encoder):
    with pytest.raises(HandsightError, match=f"{encoder.name} has no tap 'conv9'; it has .*pooled"):
        encoder.forward_tap(pictures(encoder), "conv9")
