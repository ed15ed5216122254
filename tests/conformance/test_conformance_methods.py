"""What every method keeps to: each has a line in `methods_table.py` and goes through all of this."""

import copy
import inspect
import io
import math
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from conformance_checks import check_arguments, one_line
from methods_table import METHODS

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.methods import METHODS as KNOWN
from handsight.methods import Method, Optimisation
from handsight.recordings import Clips, Recording, Sampler, Writer, camera
from handsight.recordings.needs import between_frames
from handsight.studies.controls import build_method
from handsight.training import Training, prepare, pretrain
from handsight.training.batches import Batches

pytestmark = pytest.mark.filterwarnings("ignore:action number .* never changes")
EVERY = pytest.mark.parametrize("name", METHODS)
BATCH_SIZE = 8
FLIPS = Augmentation(
    size=16, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), jitter_probability=0, grey_probability=0
)
"""Leaves pictures as they are, but for mirroring where that is asked for."""


@pytest.fixture(autouse=True)
def _known_by_name(monkeypatch):
    """Let the guide's methods be built by name, as the library's are."""
    for case in METHODS.values():
        monkeypatch.setitem(KNOWN, case.method.name, case.method)


@pytest.fixture
def recording_for(shapes, tmp_path_factory):
    """Function of a method's name: a recording that it can train on."""
    made: dict[str, Recording] = {}

    def make(name: str) -> Recording:
        record = METHODS[name].record
        if record is None:
            return shapes
        if name not in made:
            folder = tmp_path_factory.mktemp("recordings") / "own"
            record(folder)
            made[name] = Recording(folder)
        return made[name]

    return make


def make(name: str, network: dict, seed: int = 0, **options) -> Method:
    torch.manual_seed(seed)
    return METHODS[name].method(**network, **{**METHODS[name].options, **options})


def sampler_for(method: Method, recording: Recording, batch_size: int = BATCH_SIZE) -> Sampler:
    return Sampler(Clips([recording], size=method.encoder.image_size), method.needs, batch_size, seed=0)


def draw(method: Method, sampler: Sampler, step: int = 0) -> dict:
    batches = Batches(sampler, method, 0, torch.device("cpu"))
    drawn = batches.get(step, 0, 1, None)
    batches.close()
    return drawn


def ready(method: Method, recording: Recording, step: int = 0, batch_size: int = BATCH_SIZE) -> dict:
    """Prepare a method as training does, and return one augmented batch."""
    sampler = sampler_for(method, recording, batch_size)
    torch.manual_seed(1)
    method.prepare(sampler)
    return draw(method, sampler, step)


def total(method: Method, batch) -> torch.Tensor:
    return sum(loss for group in method.losses(batch) for loss in group.values())


def test_every_method_has_a_line_in_the_table():
    assert set(KNOWN.values()) <= {case.method for case in METHODS.values()}, (
        "add it to methods_table.METHODS"
    )
    assert all(name == method.name for name, method in KNOWN.items())


@EVERY
def test_every_argument_is_documented_typed_and_has_a_default(name):
    check_arguments(METHODS[name].method)
    assert isinstance(METHODS[name].method.optimisation, Optimisation)


@EVERY
def test_arguments_are_plain_and_build_the_method_again(name, tiny_network):
    options = {"augmentation": Augmentation(size=16, hue=0.1, crop_scale=(0.5, 1.0))}
    if "gap" in inspect.signature(METHODS[name].method).parameters:
        options |= {"pairing": "window", "gap": (1, 3)}
    method = make(name, tiny_network, **options)
    written = yaml.safe_load(yaml.safe_dump(method.arguments))
    assert list(written) == sorted(inspect.signature(METHODS[name].method).parameters)
    again = build_method(method.name, written)
    assert again.arguments == method.arguments
    assert again.needs == method.needs
    assert again.augmentation == method.augmentation
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in method.state_dict().items()
    }


@EVERY
def test_an_encoder_that_was_built_before_is_written_down_as_built(name, tiny_network):
    encoder = Encoder("resnet18", 24, options=tiny_network["encoder_options"])
    method = METHODS[name].method(encoder)
    assert method.encoder is encoder
    assert method.augmentation.size == 24
    again = build_method(method.name, method.arguments)
    assert again.encoder.image_size == 24
    assert again.encoder.embedding_size == encoder.embedding_size


@EVERY
def test_a_batch_is_as_the_contract_says(name, tiny_network, recording_for):
    method = make(name, tiny_network)
    batches = ready(method, recording_for(name))
    assert batches.keys() == method.needs.keys()
    for key, need in method.needs.items():
        batch, size = batches[key], method.encoder.image_size
        assert batch["views"].shape == (BATCH_SIZE, need.frames * need.views, 3, size, size)
        assert batch["views"].dtype == torch.float32
        assert batch["views"].min() >= 0
        assert batch["views"].max() <= 1
        for stream in need.between:
            assert batch[stream].shape[0] == BATCH_SIZE
            assert batch[stream].dtype == torch.float32
            assert batch[stream].isfinite().all()
        for fact in need.facts:
            assert (batch[fact].dtype, batch[fact].shape) == (torch.int64, (BATCH_SIZE,))


@EVERY
def test_losses_are_the_declared_finite_scalars_and_change_nothing_they_are_given(
    name, tiny_network, recording_for
):
    method = make(name, tiny_network)
    batches = ready(method, recording_for(name))
    kept = copy.deepcopy(batches)
    random_states = random.getstate(), np.random.get_state()[1:3]  # noqa: NPY002 - nobody is to use it
    groups = list(method.losses(batches))
    for group in groups:
        for key, loss in group.items():
            assert loss.shape == (), key
            assert loss.dtype == torch.float32, key
            assert loss.requires_grad, key
            assert math.isfinite(loss.item()), key
    assert tuple(key for group in groups for key in group) == METHODS[name].losses
    sum(loss for group in groups for loss in group.values()).backward()
    for need, batch in kept.items():
        assert batch.keys() == batches[need].keys()
        for key, tensor in batch.items():
            assert torch.equal(batches[need][key], tensor), key
    assert random.getstate() == random_states[0]
    np.testing.assert_equal(np.random.get_state()[1:3], random_states[1])  # noqa: NPY002


@EVERY
def test_gradients_reach_every_weight_that_is_not_frozen(name, tiny_network, recording_for):
    method = make(name, tiny_network)
    total(method, ready(method, recording_for(name))).backward()
    for key, parameter in method.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
        else:
            assert parameter.grad is None, key
    # Residual branches begin with a gain of zero, so that only part of a fresh ResNet has a gradient.
    reached = {key for key, value in method.encoder.trunk.named_parameters() if value.grad.abs().sum() > 0}
    assert "conv1.0.weight" in reached or "conv1.weight" in reached
    assert any(key.startswith("layer4") for key in reached)


@EVERY
@pytest.mark.filterwarnings("ignore:.*are enlarged to a short side of 32")
def test_half_precision_gives_finite_losses_near_full_precisions(name, tiny_network, recording_for):
    # At 16 px a convolution of stride 2 would see a single pixel, for which PyTorch's gradient of the weights
    # in bfloat16 is read from memory that nobody wrote (seen in 2.15 with oneDNN 3.13, channels last).
    method = make(name, tiny_network | {"image_size": 32})
    batch = ready(method, recording_for(name))
    full = total(method, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = total(method, batch)
    half.backward()
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(full.item(), rel=0.1)
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@EVERY
def test_the_same_seed_gives_the_same_losses(name, tiny_network, recording_for):
    first, second, other = (make(name, tiny_network, seed=seed) for seed in (0, 0, 1))
    losses = [total(method, ready(method, recording_for(name))).item() for method in (first, second, other)]
    assert losses[0] == losses[1] != losses[2]


def mirrored(values: torch.Tensor, moves: str, names: tuple[str, ...] | None) -> torch.Tensor:
    """Return frames' labels as `moves` declares them mirrored, written out for this test."""
    if moves == "angle":
        return -values
    if moves == "rotation":
        return torch.stack([values[:, 0], values[:, 1], -values[:, 2], -values[:, 3]], dim=1)
    if moves == "point":
        return torch.stack([1 - values[..., 0], values[..., 1]], dim=-1)
    if moves == "map":
        return values.flip(-1)
    if moves == "sides":
        other = [n.replace("left", "_").replace("right", "left").replace("_", "right") for n in names]
        return values[:, [names.index(n) for n in other]]
    return values


@EVERY
def test_labels_move_with_the_pixels(name, tiny_network, recording_for):
    recording = recording_for(name)
    still, flipped = (
        make(name, tiny_network, augmentation=replace(FLIPS, flip_probability=chance))
        for chance in (0.0, 1.0)
    )
    before, after = ready(still, recording, step=2), ready(flipped, recording, step=2)
    sampler = sampler_for(still, recording)
    for key, need in still.needs.items():
        torch.testing.assert_close(after[key]["views"], before[key]["views"].flip(-1))
        frames = before[key]["frame_index"].numpy() % recording.num_frames  # whatever the camera
        for stream in need.between:
            feature = recording.features[stream]
            labels = mirrored(torch.from_numpy(recording.stream(stream).copy()), feature.moves, feature.names)
            wanted = between_frames(
                *(sampler.kinds[key, stream], labels.numpy().reshape(len(labels), -1)),
                *(frames[:, 0], frames[:, -1]),
            )
            got = after[key][stream].flatten(1)
            np.testing.assert_allclose(got, wanted, atol=1e-5, err_msg=stream)
        for fact in (*need.facts, "clip", "frame_index"):
            assert torch.equal(after[key][fact], before[key][fact]), fact


@EVERY
def test_state_is_plain_and_copies_come_back_whole(name, tiny_network, recording_for):
    method = make(name, tiny_network)
    batch = ready(method, recording_for(name))
    method.eval()
    wanted = total(method, batch)
    fresh = make(name, tiny_network, seed=9)
    ready(fresh, recording_for(name))
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for other in (fresh, copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
        assert torch.equal(total(other.eval(), batch), wanted)
        assert other.arguments == method.arguments


@EVERY
def test_preparing_twice_is_preparing_once(name, tiny_network, recording_for):
    once, twice = make(name, tiny_network), make(name, tiny_network)
    sampler = sampler_for(once, recording_for(name))
    for method, times in ((once, 1), (twice, 2)):
        for _ in range(times):
            torch.manual_seed(1)
            method.prepare(sampler)
    states = [method.state_dict() for method in (once, twice)]
    assert list(states[0]) == list(states[1])
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


@EVERY
def test_a_run_may_begin_at_any_step(name, tiny_network, recording_for):
    """As a resumed one does: what a hook keeps is in the state, or follows from the step."""
    method = make(name, tiny_network)
    batch = ready(method, recording_for(name))
    for step in (7, 8, 3):
        method.before_step(step)
        loss = total(method, batch)
        loss.backward()
        method.after_step(step)
        assert loss.isfinite()


@EVERY
def test_the_encoder_embeds_alike_whatever_the_batch(name, tiny_network, recording_for):
    method, recording = make(name, tiny_network), recording_for(name)
    batch = ready(method, recording)
    method.train()
    total(method, batch)
    pictures = recording.frames(range(7), recording.cameras[0])
    whole = method.encoder.embed(pictures)
    assert whole.shape == (7, method.encoder.embedding_size)
    assert torch.equal(method.encoder.embed(pictures), whole)
    torch.testing.assert_close(method.encoder.embed(pictures, batch_size=3), whole)
    assert method.encoder.training


@EVERY
def test_a_few_steps_lower_the_loss_of_their_batch(name, tiny_network, recording_for):
    method = make(name, tiny_network)
    batch = ready(method, recording_for(name))
    optimiser = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], 1e-3)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = total(method, batch)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]


@EVERY
def test_the_smallest_batches_train_or_are_refused_in_a_line_before_anything_is_written(
    name, tiny_network, recording_for, tmp_path
):
    for batch_size in (1, 2):
        folder, method = tmp_path / str(batch_size), make(name, tiny_network)
        try:
            pretrain(method, recording_for(name), out=folder, steps=1, batch_size=batch_size, log_every=1)
        except HandsightError as error:
            one_line(error)
            assert batch_size == 1
            assert not folder.exists()


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
def test_other_networks_train_too(name, network, recording_for):
    method = make(name, network)
    total(method, ready(method, recording_for(name))).backward()
    trunk = [parameter for parameter in method.encoder.parameters() if parameter.requires_grad]
    assert len(trunk) > len(list(method.encoder.parameters())) / 2
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
    method, lacks = make(name, tiny_network), METHODS[name].lacks
    training = Training(batch_size=8, steps=1, split="all")
    if lacks is None:
        assert prepare(method, pictures_only, training).steps == 1
        return
    with pytest.raises(HandsightError, match=f"pictures has no {lacks}, which {method.name} needs") as caught:
        prepare(method, pictures_only, training)
    works = one_line(caught.value).rpartition("Methods that can train on it as it is: ")[2].split(", ")
    enough = {case.method.name for case in METHODS.values() if case.lacks is None}
    assert enough <= set(works)
    assert method.name not in works
