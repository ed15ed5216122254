"""What every method keeps to, asked of each in `METHODS`."""

import copy
import inspect
import math
import pickle
import re

import pytest
import torch
import yaml

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.methods import METHODS, Method, Optimisation
from handsight.recordings import Clips, Recording, Sampler, Writer, camera
from handsight.studies.controls import build_method
from handsight.training import Training, prepare
from handsight.training.batches import Batches

EVERY = pytest.mark.parametrize("name", list(METHODS))
BATCH_SIZE = 8


def make(name: str, network: dict, seed: int = 0, **options) -> Method:
    torch.manual_seed(seed)
    return METHODS[name](**network, **options)


def ready(method: Method, shapes, step: int = 0) -> dict:
    """Prepare a method as training does, and return one augmented batch."""
    sampler = Sampler(Clips([shapes], size=method.encoder.image_size), method.needs, BATCH_SIZE, seed=0)
    torch.manual_seed(1)
    method.prepare(sampler)
    batches = Batches(sampler, method, 0, torch.device("cpu"))
    drawn = batches.get(step, 0, 1, None)
    batches.close()
    return drawn


def total(method: Method, batch) -> torch.Tensor:
    return sum(loss for group in method.losses(batch) for loss in group.values())


@EVERY
def test_every_argument_is_documented_typed_and_has_a_default(name):
    method = METHODS[name]
    assert method.name == name
    said = re.findall(r"^    (\w+): ", inspect.getdoc(method), re.MULTILINE)
    parameters = inspect.signature(method).parameters
    assert said == list(parameters)
    for parameter in parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        assert parameter.default is not inspect.Parameter.empty, parameter.name
    assert isinstance(method.optimisation, Optimisation)


@EVERY
def test_arguments_are_plain_and_build_the_method_again(name, tiny_network):
    options = {"augmentation": Augmentation(size=16, hue=0.1, crop_scale=(0.5, 1.0))}
    if "gap" in inspect.signature(METHODS[name]).parameters:
        options |= {"pairing": "window", "gap": (1, 3)}
    method = make(name, tiny_network, **options)
    written = yaml.safe_load(yaml.safe_dump(method.arguments))
    assert list(written) == sorted(inspect.signature(METHODS[name]).parameters)
    again = build_method(name, written)
    assert again.arguments == method.arguments
    assert again.needs == method.needs
    assert again.augmentation == method.augmentation
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in method.state_dict().items()
    }


@EVERY
def test_an_encoder_that_was_built_before_is_written_down_as_built(name, tiny_network):
    encoder = Encoder("resnet18", 24, options=tiny_network["encoder_options"])
    method = METHODS[name](encoder)
    assert method.encoder is encoder
    assert method.augmentation.size == 24
    again = build_method(name, method.arguments)
    assert again.encoder.image_size == 24
    assert again.encoder.embedding_size == encoder.embedding_size


@EVERY
def test_losses_are_finite_scalars_whose_gradients_reach_the_encoder(name, tiny_network, shapes):
    method = make(name, tiny_network)
    batch = ready(method, shapes)
    groups = list(method.losses(batch))
    assert groups
    for group in groups:
        for key, loss in group.items():
            assert loss.shape == (), key
            assert loss.requires_grad, key
            assert math.isfinite(loss.item()), key
    sum(loss for group in groups for loss in group.values()).backward()
    for key, parameter in method.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    # Residual branches begin with a gain of zero, so that only part of a fresh ResNet has a gradient.
    reached = {key for key, value in method.encoder.trunk.named_parameters() if value.grad.abs().sum() > 0}
    assert "conv1.0.weight" in reached or "conv1.weight" in reached
    assert any(key.startswith("layer4") for key in reached)


@EVERY
def test_the_same_seed_gives_the_same_losses(name, tiny_network, shapes):
    first, second, other = (make(name, tiny_network, seed=seed) for seed in (0, 0, 1))
    losses = [total(method, ready(method, shapes)).item() for method in (first, second, other)]
    assert losses[0] == losses[1] != losses[2]


@EVERY
def test_state_dict_and_copies_come_back_whole(name, tiny_network, shapes):
    method = make(name, tiny_network)
    batch = ready(method, shapes)
    method.eval()
    wanted = total(method, batch)
    fresh = make(name, tiny_network, seed=9)
    ready(fresh, shapes)
    fresh.load_state_dict(method.state_dict())
    for other in (fresh, copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
        assert torch.equal(total(other.eval(), batch), wanted)
        assert other.arguments == method.arguments


@EVERY
def test_a_few_steps_lower_the_loss_of_their_batch(name, tiny_network, shapes):
    method = make(name, tiny_network)
    batch = ready(method, shapes)
    optimiser = torch.optim.AdamW(method.parameters(), 1e-3)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = total(method, batch)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]


@EVERY
@pytest.mark.parametrize(
    "network",
    [
        {
            "encoder": "vit_tiny_patch16_224",
            "image_size": 32,
            "encoder_options": {"depth": 2, "embed_dim": 24, "num_heads": 2},
        },
        {
            "encoder": "convnext_atto",
            "image_size": 32,
            "encoder_options": {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]},
        },
    ],
    ids=["vit", "convnext"],
)
@pytest.mark.filterwarnings("ignore:.*are enlarged to a short side of 32")
def test_other_networks_train_too(name, network, shapes):
    method = make(name, network)
    total(method, ready(method, shapes)).backward()
    trunk = list(method.encoder.parameters())
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in trunk)
    assert any(parameter.grad.abs().sum() > 0 for parameter in trunk)


@pytest.fixture
def pictures_only(tmp_path, shapes):
    with Writer(tmp_path / "pictures", {"observation.images.c": camera(24, 24)}, fps=10) as writer:
        for _ in range(4):
            writer.add_episode({"observation.images.c": shapes.frames(range(6))})
    return Recording(tmp_path / "pictures")


@EVERY
def test_what_a_recording_lacks_is_refused_by_name(name, tiny_network, pictures_only):
    method, training = make(name, tiny_network), Training(batch_size=8, steps=1, split="all")
    messages = {
        "action-aware": (
            r"pictures has no stream 'action', which action-aware needs \(it has: none\)\."
            r" Say which to use: --action NAME\. Methods that can train on it as it is: simclr, simclr-tt$"
        ),
        "supervised": (
            r"pictures has no fact 'category', which supervised needs \(it has: none\)\."
            r" Methods that can train on it as it is: simclr, simclr-tt$"
        ),
    }
    if name in messages:
        with pytest.raises(HandsightError, match=messages[name]):
            prepare(method, pictures_only, training)
    else:
        assert prepare(method, pictures_only, training).steps == 1
