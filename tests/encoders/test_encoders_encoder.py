"""The encoder: whatever images come, the same embedding; and what it refuses."""

import copy
import warnings

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from handsight.encoders import Encoder
from handsight.errors import HandsightError

THIN = {"channels": (8, 8, 16, 24)}
NETWORKS = {
    "resnet18": (24, "layer4", (24, 1, 1)),
    "vit_tiny_patch16_224": (192, "blocks.11", (192, 2, 2)),
    "convnext_atto": (320, "stages.3", (320, 1, 1)),
    "torchvision/resnet18": (512, "layer4", (512, 1, 1)),
}


def thin(image_size=32, **arguments):
    return Encoder("resnet18", image_size, options=THIN, **arguments)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    return Encoder(request.param, 32, options=THIN if request.param == "resnet18" else None)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return thin()


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def test_features_of_every_kind_of_network(network, frames):
    size, last, shape = NETWORKS[network.name]
    features = network.features(frames)
    assert network.embedding_size == size
    assert tuple(features) == network.taps
    assert network.taps[-2:] == (last, "pooled")
    assert features[last].shape == (5, *shape)
    assert all(value.ndim == 4 and len(value) == 5 for tap, value in features.items() if tap != "pooled")
    assert torch.equal(features["pooled"], network.embed(frames))


def test_a_map_of_a_transformer_is_laid_out_as_its_patches():
    torch.manual_seed(0)
    vit = Encoder("vit_tiny_patch16_224", 48)
    tokens = {}
    vit.trunk.blocks[0].register_forward_hook(lambda module, inputs, output: tokens.update(out=output))
    images = torch.rand(1, 3, 48, 48)
    features = vit.features(images)["blocks.0"]
    assert torch.equal(
        features[0, :, 1, 2], tokens["out"][0, 1 + 3 * 1 + 2]
    )  # after the class token, row by row


def test_an_embedding_does_not_depend_on_its_neighbours(network, frames):
    together = network.embed(frames)
    alone = network.embed(frames, batch_size=1)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert together.dtype == torch.float32


def test_the_trunk_is_timms_network_on_normalised_images(encoder, frames):
    theirs = timm.create_model("resnet18", num_classes=0, **THIN).eval()
    theirs.load_state_dict(encoder.trunk.state_dict())
    images = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    wanted = theirs((images - mean[:, None, None]) / std[:, None, None])
    torch.testing.assert_close(encoder.embed(frames), wanted.detach(), rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    # An image three pixels high could be either layout; it is taken as channels first.
    st.integers(1, 70).filter(lambda height: height != 3),
    st.integers(4, 70),
    st.sampled_from(["stretch", "crop"]),
    st.integers(0, 9),
)
def test_dtype_layout_and_container_make_no_difference(height, width, fit, seed):
    torch.manual_seed(0)
    encoder = thin(fit=fit)
    frames = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    wanted = encoder.embed(frames)
    tensor = torch.from_numpy(frames)
    others = {
        "channels first": tensor.permute(0, 3, 1, 2),
        "channels first in memory": tensor.permute(0, 3, 1, 2).contiguous(),
        "float32": tensor.float() / 255,
        "float64 array": frames / 255.0,
        "list of arrays": list(frames),
        "list of PIL images": [Image.fromarray(frame) for frame in frames],
        "view that runs backwards": frames[::-1][::-1],
    }
    for what, images in others.items():
        torch.testing.assert_close(encoder.embed(images), wanted, rtol=1e-4, atol=1e-5, msg=what)


def test_a_list_may_hold_images_of_several_sizes(encoder):
    small, large = np.zeros((20, 30, 3), np.uint8), np.full((50, 40, 3), 200, np.uint8)
    got = encoder.embed([small, large])
    torch.testing.assert_close(got, torch.cat([encoder.embed(small[None]), encoder.embed(large[None])]))


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_resizing_is_pils(fit):
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 130, 3), dtype=np.uint8))
    if fit == "stretch":
        wanted = picture.resize((32, 32), Image.Resampling.BILINEAR)
    else:
        wanted = picture.resize((46, 32), Image.Resampling.BILINEAR).crop((7, 0, 39, 32))
    got = thin(fit=fit).preprocessing.resize(torch.from_numpy(np.array(picture))[None]).clamp(0, 1)[0]
    difference = got.permute(1, 2, 0).numpy() - np.asarray(wanted) / 255.0
    assert np.abs(difference).max() < 1.5 / 255  # PIL rounds after each of its two passes


def test_an_image_of_the_right_size_is_not_resampled(encoder, frames):
    exact = encoder.preprocessing.resize(torch.from_numpy(frames))
    assert torch.equal(exact, torch.from_numpy(frames).permute(0, 3, 1, 2) / 255)


def test_read_only_memory_maps_are_read(encoder, frames, tmp_path):
    np.save(tmp_path / "frames.npy", frames)
    mapped = np.load(tmp_path / "frames.npy", mmap_mode="r")
    assert torch.equal(encoder.embed(mapped, batch_size=2), encoder.embed(frames, batch_size=2))


def test_no_images_give_no_embeddings(encoder):
    assert encoder.embed([]).shape == (0, 24)
    with pytest.raises(HandsightError, match="features of no images"):
        encoder.features([])


def test_embedding_leaves_every_part_in_its_own_mode(frames):
    encoder = thin().train()
    encoder.trunk.bn1.eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embedding = encoder.embed(frames)
    assert not embedding.requires_grad
    assert encoder.training
    assert encoder.trunk.layer1.training
    assert not encoder.trunk.bn1.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    with pytest.raises(HandsightError):
        encoder.embed(frames.astype(np.int64))
    assert encoder.training


def test_forward_is_differentiable_down_to_the_pixels(encoder):
    images = torch.rand(2, 3, 40, 40, requires_grad=True)
    features = encoder.forward_features(images)
    (features["layer2"].square().mean() + features["pooled"].square().mean()).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert encoder.trunk.conv1.weight.grad.abs().sum() > 0


def test_the_state_dict_is_the_trunks(encoder):
    assert set(encoder.state_dict()) == {f"trunk.{name}" for name in encoder.trunk.state_dict()}


def test_a_copy_learns_on_its_own(encoder, frames):
    twin = copy.deepcopy(encoder)
    with torch.no_grad():
        twin.trunk.conv1.weight.zero_()
    assert not torch.equal(twin.embed(frames), encoder.embed(frames))


def test_mixed_precision_stays_close(encoder, frames):
    encoder.eval()
    images = torch.from_numpy(frames)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        got = encoder(images)
        assert encoder.embed(frames).dtype == torch.float32
    wanted = encoder.embed(frames)
    assert (got.float() - wanted).abs().max() < 0.05 * wanted.abs().max()
    half = copy.deepcopy(encoder).to(torch.bfloat16)
    assert half(images).dtype == torch.bfloat16


def test_a_graph_without_breaks_is_captured(encoder):
    encoder.eval()
    images = torch.randint(0, 256, (2, 40, 30, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations while it traces
        compiled = torch.compile(encoder, backend="eager", fullgraph=True)
        with torch.no_grad():
            torch.testing.assert_close(compiled(images), encoder(images))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.int64), "images are int64; give uint8"),
        (np.zeros((2, 8, 8, 3), bool), "images are bool; give uint8"),
        (np.zeros((2, 8, 8, 3), np.uint16), "images are uint16; give uint8"),
        (np.zeros((2, 8, 8, 1), np.uint8), r"shape \[2, 8, 8, 1\]: no three channels"),
        (np.zeros((2, 8, 8, 4), np.uint8), r"shape \[2, 8, 8, 4\]: no three channels"),
        (np.zeros((8, 8, 3), np.uint8), r"images\[None\]"),
        (np.zeros((2, 5, 3, 8, 8), np.uint8), r"flatten\(0, 1\)"),
        (np.zeros((2, 3, 0, 8), np.uint8), "hold no pixels"),
        (np.full((2, 8, 8, 3), 255.0, np.float32), "span 255 to 255; expected .* divide by 255"),
        (np.full((2, 8, 8, 3), -1.0, np.float32), "span -1 to -1; expected .* before any normalisation"),
        (np.full((2, 8, 8, 3), np.nan, np.float32), "span nan to nan"),
        ([np.zeros((8, 8), np.uint8)], "expected"),
        (["picture.png"], "give uint8"),
        ("picture.png", "images came as str"),
        (torch.tensor(1.0), "images came as Tensor"),
        (Image.new("RGB", (8, 8)), "images came as Image"),
    ],
)
def test_other_images_are_refused_in_one_line(encoder, images, message):
    with pytest.raises(HandsightError, match=message) as caught:
        encoder.embed(images)
    assert "\n" not in str(caught.value)


def test_forward_refuses_shapes_and_dtypes_too(encoder):
    with pytest.raises(HandsightError, match="int32"):
        encoder(torch.zeros(2, 3, 8, 8, dtype=torch.int32))
    with pytest.raises(HandsightError, match="no three channels"):
        encoder(torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet81"}, "no network called 'resnet81'; close are .*resnet18"),
        ({"name": "torchvision/resnet19"}, "close are .*torchvision/resnet18"),
        ({"name": "torchvision/vgg16"}, "no network called"),
        ({"name": "hf-hub:timm/resnet18.a1_in1k"}, "no network called"),
        ({"name": "qqqq"}, "timm.list_models"),
        ({"name": "resnet18.no_such_tag"}, "cannot be built"),
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": 64.0}, "image_size is 64.0"),
        ({"image_size": True}, "image_size is True"),
        ({"name": "vit_tiny_patch16_224", "image_size": 8}, "vit_tiny_patch16_224 (cannot|does not)"),
        ({"options": {"chanels": [8, 8, 8, 8]}}, "resnet18 cannot be built at 64 px .*chanels"),
        ({"options": {"pretrained": True}}, "the encoder sets pretrained itself"),
        ({"options": {"in_chans": 1}}, "in_chans is 1"),
        ({"options": {"global_pool": ""}}, "gives no vector per image"),
        ({"options": {"act_layer": object()}}, "options cannot be kept"),
        ({"mean": (0.5, 0.5)}, "give three finite numbers"),
        ({"std": (0.5, 0.5, 0.0)}, "must be above 0"),
        ({"fit": "pad"}, "fit is 'pad'; it can be one of stretch, crop"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(arguments, message):
    with pytest.raises(HandsightError, match=message) as caught:
        Encoder(**arguments)
    assert "\n" not in str(caught.value)


def test_a_batch_size_below_one_is_refused(encoder, frames):
    with pytest.raises(HandsightError, match="batch_size is 0"):
        encoder.embed(frames, batch_size=0)
