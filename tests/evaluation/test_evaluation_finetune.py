from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation.features import LabelledFrames, extract
from handsight.evaluation.finetune import FinetuneResult, finetune_accuracy, labelled_pictures
from handsight.evaluation.folds import take
from handsight.evaluation.linear import linear_accuracy

SIDE = 16
QUICK = {"learning_rates": (1e-3, 3e-3), "epochs": (1, 3), "batch_size": 16}


def stripes(count: int, seed: int, categories: int = 3) -> LabelledFrames:
    """Stripes in noise; the category is their direction, and phase and colours say nothing."""
    generator = np.random.default_rng(seed)
    category = np.arange(count) % categories
    y, x = np.mgrid[:SIDE, :SIDE]
    angle = category * np.pi / categories
    along = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y
    wave = np.sin(along * 1.3 + generator.uniform(0, 2 * np.pi, (count, 1, 1)))[..., None]
    colours = generator.uniform(40, 90, (count, 1, 1, 3)) * generator.choice([-1, 1], (count, 1, 1, 3))
    images = 128 + wave * colours + generator.normal(0, 12, (count, SIDE, SIDE, 3))
    return labelled_pictures(images.clip(0, 255).astype(np.uint8), category)


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder("resnet18", SIDE, options={"channels": [8, 8, 8, 16]})


@pytest.fixture(scope="module")
def splits() -> tuple[LabelledFrames, ...]:
    return stripes(96, 0), stripes(48, 1), stripes(60, 2)


def run(encoder: Encoder, splits: tuple[LabelledFrames, ...], seed: int = 0, **settings) -> FinetuneResult:
    return finetune_accuracy(encoder, *splits, torch.Generator().manual_seed(seed), **(QUICK | settings))


def test_what_a_linear_probe_cannot_tell_is_learned_end_to_end(encoder, splits):
    frozen = linear_accuracy(*(extract(encoder, split) for split in splits)).correct.mean()
    tuned = run(encoder, splits, learning_rates=(3e-3,), epochs=(5, 10))
    assert tuned.correct.shape == (60,)
    assert tuned.correct.mean() > max(0.85, frozen + 0.1)


def test_the_encoder_stays_as_it_was_and_so_do_torchs_generators(splits):
    torch.manual_seed(0)
    encoder = Encoder("resnet18", SIDE, options={"channels": [8, 8, 8, 8], "drop_rate": 0.5}).train()
    encoder.trunk.layer1.eval().requires_grad_(False)
    state, random = copy.deepcopy(encoder.state_dict()), torch.random.get_rng_state()
    modes = [module.training for module in encoder.modules()]
    settings = {"learning_rates": (1e-3,), "augmentation": Augmentation(size=9)}
    first = run(encoder, splits, **settings)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert [module.training for module in encoder.modules()] == modes
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert not any(parameter.requires_grad for parameter in encoder.trunk.layer1.parameters())
    torch.manual_seed(7)  # dropout draws from the generator that was passed in
    again = run(encoder, splits, **settings)
    assert (again.correct == first.correct).all()
    assert again.validation == first.validation
    assert run(encoder, splits, seed=1, **settings).validation != first.validation


def test_a_frozen_encoder_is_trained_too_and_the_augmentations_size_is_the_encoders(encoder, splits):
    settings = {"learning_rates": (3e-3,), "epochs": (1, 2), "augmentation": Augmentation(size=9)}
    found = run(encoder, splits, **settings)
    assert run(encoder.requires_grad_(False), splits, **settings).validation == found.validation
    settings["augmentation"] = Augmentation(size=SIDE)
    assert run(encoder, splits, **settings).validation == found.validation


def test_a_plain_loop_gets_the_same(encoder, splits):
    """One epoch of three batches, written out, in double precision to leave rounding out."""
    train, _, test = splits
    encoder = encoder.double()
    generator = torch.Generator().manual_seed(5)
    found = finetune_accuracy(
        encoder, train, None, test, generator, learning_rates=(3e-3,), epochs=(1,), batch_size=32
    )
    with torch.no_grad():
        frozen = copy.deepcopy(encoder).eval()
        embedding = frozen(torch.from_numpy(train.read(train.index)))
    mean, deviation = embedding.mean(dim=0), embedding.sub(embedding.mean(dim=0)).square().mean().sqrt()
    tuned = copy.deepcopy(encoder).train()
    head = nn.Linear(16, 3, dtype=torch.float64)
    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
    optimiser = torch.optim.AdamW([*tuned.parameters(), *head.parameters()], lr=3e-3, weight_decay=1e-2)
    seed = torch.randint(2**62, (), generator=torch.Generator().manual_seed(5))
    order = torch.randperm(96, generator=torch.Generator().manual_seed(int(seed)))
    for rows in order.split(32):
        optimiser.zero_grad()
        images = torch.from_numpy(train.read(rows.numpy()))
        scores = head((tuned(images) - mean.detach()) / deviation)
        nn.functional.cross_entropy(scores, torch.from_numpy(train.category)[rows]).backward()
        optimiser.step()
    tuned.eval()
    with torch.no_grad():
        scores = head((tuned(torch.from_numpy(test.read(test.index))) - mean) / deviation)
    np.testing.assert_array_equal(found.correct, scores.argmax(dim=1).numpy() == test.category)
    assert found.validation == {}
    assert (found.learning_rate, found.epochs) == (3e-3, 1)


def test_validation_chooses_and_the_test_is_scored_once(encoder, splits):
    train, validation, test = splits
    found = run(encoder, splits)
    assert set(found.validation) == {(rate, epochs) for rate in (1e-3, 3e-3) for epochs in (1, 3)}
    chosen = found.validation[found.learning_rate, found.epochs]
    assert chosen == max(found.validation.values())
    relabelled = replace(test, category=(test.category + 1) % 3)
    other = run(encoder, (train, validation, relabelled))
    assert other.validation == found.validation
    assert not (other.correct & found.correct).any()
    # What was chosen is what that choice alone would have given: the sweep leaves no trace.
    alone = finetune_accuracy(
        *(encoder, train, None, test, torch.Generator().manual_seed(0)),
        learning_rates=(found.learning_rate,),
        epochs=(found.epochs,),
        batch_size=16,
    )
    np.testing.assert_array_equal(alone.correct, found.correct)


def test_the_weights_are_those_of_the_chosen_epoch(encoder, splits):
    """On labels that training does not fit, more of it is worse: the best is not the last."""
    train, validation, test = splits
    misled = replace(validation, category=(validation.category + 1) % 3)
    settings = {"learning_rates": (3e-3,), "epochs": (1, 2, 3, 6)}
    found = run(encoder, (train, misled, test), **settings)
    assert found.epochs < 6
    alone = run(encoder, (train, None, test), **settings | {"epochs": (found.epochs,)})
    longer = run(encoder, (train, None, test), **settings | {"epochs": (6,)})
    np.testing.assert_array_equal(found.correct, alone.correct)
    assert (found.correct != longer.correct).any()


def test_of_equals_the_fewest_epochs_and_the_lowest_rate(encoder, splits):
    train, validation, test = splits
    one = take(validation, np.arange(1))  # right or wrong: many choices are equal
    found = run(encoder, (train, one, test), epochs=(1, 2, 3))
    best = max(found.validation.values())
    ties = [choice for choice, accuracy in found.validation.items() if accuracy == best]
    assert len(ties) > 2
    assert (found.learning_rate, found.epochs) == min(ties, key=lambda choice: (choice[1], choice[0]))


def test_pictures_may_have_channels_first_and_categories_any_number(encoder, splits):
    pictures = [split.read(split.index) for split in splits]
    first = [
        labelled_pictures(images.transpose(0, 3, 1, 2), split.category * 7 + 40)
        for images, split in zip(pictures, splits, strict=True)
    ]
    settings = {"learning_rates": (1e-3,), "epochs": (2,)}
    np.testing.assert_array_equal(
        run(encoder, first, **settings).correct, run(encoder, splits, **settings).correct
    )


def test_progress_counts_every_epoch(encoder, splits):
    said = []
    run(encoder, splits, epochs=(1, 2), progress=lambda done, total: said.append((done, total)))
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_rate_that_leaves_the_finite_is_out(encoder, splits):
    found = run(encoder, splits, learning_rates=(1e-3, 1e30), epochs=(1, 2, 3))
    assert found.learning_rate == 1e-3
    assert (1e30, 3) not in found.validation
    with pytest.raises(HandsightError, match=r"not finite at any learning rate of 1e\+30; give lower ones"):
        run(encoder, splits, learning_rates=(1e30,), epochs=(3,))


def test_an_encoder_that_says_one_thing_of_all_and_one_that_is_broken(encoder, splits):
    dull = copy.deepcopy(encoder)
    nn.init.zeros_(dull.trunk.layer4[1].bn2.weight), nn.init.zeros_(dull.trunk.layer4[0].bn2.weight)
    nn.init.zeros_(dull.trunk.layer4[0].downsample[1].weight)
    assert run(dull, splits, epochs=(1,)).correct.shape == (60,)
    nn.init.constant_(dull.trunk.conv1.weight, float("nan"))
    with pytest.raises(HandsightError, match="hold NaN or infinity before fine-tuning"):
        run(dull, splits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rates": ()}, r"got learning rates \[\]; expected one or more above 0"),
        ({"learning_rates": (0.0, 1e-3)}, r"got learning rates \[0.0, 0.001\]"),
        ({"epochs": (0, 3)}, r"got epochs \[0, 3\]; expected one or more numbers from 1"),
        ({"batch_size": 1}, "got a batch size of 1; expected at least 2"),
    ],
)
def test_settings_that_cannot_be_are_refused(encoder, splits, settings, message):
    with pytest.raises(HandsightError, match=message):
        run(encoder, splits, **settings)


def test_pictures_that_do_not_belong_together_are_refused(encoder, splits):
    train, validation, test = splits
    with pytest.raises(HandsightError, match="got 4 choices and no validation pictures to choose by"):
        run(encoder, (train, None, test))
    with pytest.raises(HandsightError, match="got training pictures of 1 category; expected at least 2"):
        run(encoder, (replace(train, category=train.category * 0), validation, test))
    with pytest.raises(HandsightError, match=r"test category 3 has no training picture \(3 such\)"):
        run(encoder, (train, validation, replace(test, category=test.category + 3)))
    with pytest.raises(HandsightError, match="validation category 9 has no training picture"):
        run(encoder, (train, replace(validation, category=validation.category + 9), test))
    nothing = labelled_pictures(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(HandsightError, match="got no test pictures"):
        run(encoder, (train, validation, nothing))


@pytest.mark.parametrize(
    ("images", "category", "message"),
    [
        (np.zeros((2, 8, 8, 3)), [0, 1], r"are float64 \[2, 8, 8, 3\]; give uint8"),
        (np.zeros((2, 8, 8, 1), np.uint8), [0, 1], r"are uint8 \[2, 8, 8, 1\]; give uint8 \[N, 3, H, W\]"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0], r"2 pictures came with labels int64 \[1\]"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0.0, 1.0], r"labels float64 \[2\]; give one integer for each"),
    ],
)
def test_what_are_no_labelled_pictures_is_refused(images, category, message):
    with pytest.raises(HandsightError, match=message):
        labelled_pictures(images, np.array(category))
