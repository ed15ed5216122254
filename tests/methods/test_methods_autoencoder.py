"""The auto-encoder, against its loss put together by hand, and what it trains at each tap."""

import numpy as np
import pytest
import torch

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.methods import AutoEncoder
from handsight.recordings import Clips, Sampler
from handsight.training.batches import Batches

ALEXNET = {"encoder": "alexnet-lrn", "image_size": 51, "encoder_options": {"width": 0.05}}


def make(network, **options):
    torch.manual_seed(0)
    return AutoEncoder(**network, decoder_width=0.1, **options)


def draw(method, shapes):
    sampler = Sampler(Clips([shapes], size=method.encoder.image_size), method.needs, 8, seed=0)
    method.prepare(sampler)
    batches = Batches(sampler, method, 0, torch.device("cpu"))
    drawn = batches.get(0, 0, 1, None)
    batches.close()
    return drawn


def trained(method):
    """Return the names of the encoder's weights that a batch trains, and of those that may be trained."""
    method.eval()
    pictures = torch.rand(4, 1, 3, method.encoder.image_size, method.encoder.image_size)
    next(method.losses({"image": {"views": pictures}}))["reconstruction"].backward()
    named = list(method.encoder.trunk.named_parameters())
    reached = {name for name, weight in named if weight.grad is not None}
    return reached, {name for name, weight in named if weight.requires_grad}


def test_the_picture_is_painted_from_the_embedding_and_compared_with_itself(tiny_network, shapes):
    method = make(tiny_network)
    drawn = draw(method, shapes)
    pictures = drawn["image"]["views"][:, 0]
    assert pictures.shape == (8, 3, 16, 16)
    painted = method.decoder(method.encoder(pictures)).detach()
    (group,) = method.losses(drawn)
    wanted = np.mean((painted.numpy() - pictures.numpy()) ** 2)
    assert group["reconstruction"].item() == pytest.approx(wanted, rel=1e-5)


def test_by_default_pictures_are_the_recordings_own(tiny_network, shapes):
    batch = draw(make(tiny_network | {"image_size": 24}), shapes)["image"]
    frames = shapes.frames(batch["frame_index"][:, 0].numpy())
    recorded = torch.from_numpy(np.asarray(frames)).movedim(-1, 1) / 255
    torch.testing.assert_close(batch["views"][:, 0], recorded)


@pytest.mark.parametrize("tap", ["conv1", "conv3", "conv4", "fc6", "fc7", "pooled"])
def test_a_tap_trains_the_layers_up_to_it_and_holds_those_beyond(tap):
    method = make(ALEXNET, tap=tap)
    layers = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]
    until = layers[: layers.index(tap.replace("pooled", "fc7")) + 1]
    wanted = {f"{layer}.{kind}" for layer in until for kind in ("weight", "bias")}
    reached, may = trained(method)
    assert reached == may == wanted


def test_maps_of_residual_networks_are_taps_too(tiny_network):
    reached, may = trained(make(tiny_network, tap="layer2"))
    assert reached == may
    assert {name.partition(".")[0] for name in may} == {"conv1", "bn1", "layer1", "layer2"}
    everything = {name for name, _ in make(tiny_network).encoder.trunk.named_parameters()}
    assert trained(make(tiny_network, tap="layer4"))[0] == everything


def test_building_one_leaves_the_encoder_as_it_was(tiny_network):
    encoder = Encoder("resnet18", 16, options=tiny_network["encoder_options"]).train()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    method = AutoEncoder(encoder, decoder_width=0.1)
    assert method.encoder is encoder
    assert encoder.training
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(weight.grad is None for weight in encoder.parameters())


def test_the_decoder_learns_of_an_encoder_that_is_held(tiny_network):
    encoder = Encoder("resnet18", 16, options=tiny_network["encoder_options"]).requires_grad_(False)
    for tap in ("pooled", "layer3"):
        method = AutoEncoder(encoder, decoder_width=0.1, tap=tap)
        assert trained(method) == (set(), set())
        assert all(weight.grad is not None for weight in method.decoder.parameters())


def test_a_tap_that_is_not_there_is_named_with_those_that_are(tiny_network):
    with pytest.raises(HandsightError) as said:
        make(tiny_network, tap="conv4")
    assert str(said.value) == (
        "resnet18 has no tap 'conv4'; it has act1, layer1, layer2, layer3, layer4, pooled"
    )
    with pytest.raises(HandsightError, match=r"^a head's width is 0; give a factor above 0,"):
        AutoEncoder(**tiny_network, decoder_width=0)
