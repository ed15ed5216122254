"""The random control: its batch-norm statistics are those of the frames, and nothing else is touched."""

import numpy as np
import pytest
import torch

from handsight.encoders import Encoder, calibrate_batch_norm, random_encoder_calibrated
from handsight.errors import HandsightError

THIN = {"channels": (8, 8, 16, 24)}


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 120, (20, 32, 32, 3), dtype=np.uint8)


def test_statistics_are_those_of_the_frames(frames):
    encoder = Encoder("resnet18", 32, options=THIN).train()
    weights = {name: value.clone() for name, value in encoder.trunk.named_parameters()}
    calibrate_batch_norm(encoder, frames, batch_size=10)
    with torch.no_grad():
        first = [
            encoder.trunk.conv1(encoder.preprocessing(torch.from_numpy(frames[at : at + 10])))
            for at in (0, 10)
        ]
    mean = torch.stack([each.mean((0, 2, 3)) for each in first]).mean(0)
    variance = torch.stack([each.transpose(0, 1).flatten(1).var(1) for each in first]).mean(0)
    torch.testing.assert_close(encoder.trunk.bn1.running_mean, mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoder.trunk.bn1.running_var, variance, rtol=1e-4, atol=1e-5)
    assert encoder.training
    assert encoder.trunk.bn1.training
    assert encoder.trunk.bn1.momentum == 0.1
    assert all(torch.equal(value, weights[name]) for name, value in encoder.trunk.named_parameters())


def test_the_control_depends_on_its_seed_alone(frames):
    encoder = Encoder("resnet18", 32, options=THIN, fit="crop")
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    generator_before = torch.random.get_rng_state()
    first, again, other = (random_encoder_calibrated(encoder, frames, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), generator_before)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert torch.equal(first.embed(frames), again.embed(frames))
    assert not torch.equal(first.embed(frames), other.embed(frames))
    assert not first.training
    assert first.preprocessing.fit == "crop"
    assert first.metadata["recipe"] == {"method": "random weights", "seed": 1}


def test_calibration_undoes_a_change_of_exposure(frames):
    encoder = Encoder("resnet18", 32, options=THIN)
    dark = random_encoder_calibrated(encoder, frames)
    bright = random_encoder_calibrated(encoder, frames * 2)
    black = torch.tensor(encoder.preprocessing.channel_mean).view(1, 3, 1, 1)
    assert not torch.equal(dark.trunk.bn1.running_mean, bright.trunk.bn1.running_mean)
    assert dark.embed(black.expand(1, 3, 32, 32)).isfinite().all()


def test_a_trunk_without_batch_norm_is_left_as_it_is(frames):
    encoder = Encoder("vit_tiny_patch16_224", 32)
    wanted = encoder.embed(frames[:2])
    calibrate_batch_norm(encoder, frames)
    assert torch.equal(encoder.embed(frames[:2]), wanted)


def test_fewer_than_two_images_are_refused(frames):
    with pytest.raises(HandsightError, match="given 1 images in batches of 256; give 2 or more"):
        calibrate_batch_norm(Encoder("resnet18", 32, options=THIN), frames[:1])
