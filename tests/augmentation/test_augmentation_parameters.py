from dataclasses import fields

import jsonargparse
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import RandomResizedCrop

from handsight.augmentation import Augmentation
from handsight.errors import HandsightError

EVERYTHING = Augmentation(16, flip_probability=0.5, blur_probability=0.3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def same(one, other):
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.mark.parametrize(("height", "width"), [(40, 40), (30, 90)])
def test_crops_are_distributed_as_torchvisions(height, width):
    scale, ratio = (0.2, 1.0), (3 / 4, 4 / 3)
    ours = EVERYTHING.draw(generator(), 3000, height, width).crop
    image = torch.empty(3, height, width)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = torch.tensor(
            [RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(3000)]
        )
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-3
    area, shape = (
        (boxes[:, 2] * boxes[:, 3] for boxes in (ours, theirs)),
        (b[:, 3] / b[:, 2] for b in (ours, theirs)),
    )
    assert stats.ks_2samp(*area).pvalue > 1e-3
    assert stats.ks_2samp(*shape).pvalue > 1e-3


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 300), width=st.integers(1, 300), seed=st.integers(0, 10**6))
def test_crops_lie_inside(height, width, seed):
    top, left, box_height, box_width = EVERYTHING.draw(generator(seed), 50, height, width).crop.unbind(1)
    assert (torch.stack([top, left]) >= 0).all()
    assert (torch.stack([box_height, box_width]) >= 1).all()
    assert (top + box_height <= height).all()
    assert (left + box_width <= width).all()


@pytest.mark.parametrize(("height", "width"), [(10, 1000), (1000, 10)])
def test_where_no_box_fits_the_central_one_is_taken(height, width):
    augmentation = Augmentation(16, crop_scale=(0.9, 1.0))
    with torch.random.fork_rng():
        expected = RandomResizedCrop.get_params(torch.empty(3, height, width), [0.9, 1.0], [3 / 4, 4 / 3])
    assert augmentation.draw(generator(), 5, height, width).crop.tolist() == [list(expected)] * 5


def test_one_seed_one_draw():
    assert same(EVERYTHING.draw(generator(4), 64, 30, 40), EVERYTHING.draw(generator(4), 64, 30, 40))
    assert not same(EVERYTHING.draw(generator(4), 64, 30, 40), EVERYTHING.draw(generator(5), 64, 30, 40))


@settings(deadline=None, max_examples=20)
@given(processes=st.integers(1, 6), per_process=st.integers(1, 9))
def test_slices_of_all_processes_are_the_global_batch(processes, per_process):
    count = processes * per_process
    whole = EVERYTHING.draw(generator(), count, 30, 40)
    parts = [whole.slice(rank * per_process, (rank + 1) * per_process) for rank in range(processes)]
    assert all(len(part) == per_process for part in parts)
    assert same(whole.select(torch.arange(count)), whole)
    images = torch.randint(0, 256, (count, 3, 30, 40), generator=generator(), dtype=torch.uint8)
    split = [EVERYTHING(images[rank * per_process :][:per_process], part) for rank, part in enumerate(parts)]
    torch.testing.assert_close(torch.cat(split), EVERYTHING(images, whole), atol=1e-6, rtol=0)


def test_select_takes_rows():
    whole = EVERYTHING.draw(generator(), 10, 30, 40)
    assert same(whole.select(torch.tensor([2, 3, 4])), whole.slice(2, 5))
    assert same(whole.select(torch.arange(10) < 4), whole.slice(0, 4))


def test_switching_one_operation_off_leaves_the_others_draws():
    plain, mirrored = Augmentation(16), Augmentation(16, flip_probability=0.5)
    one, other = plain.draw(generator(), 50, 30, 40), mirrored.draw(generator(), 50, 30, 40)
    for name in ("crop", "factors", "order", "jitter", "grey"):
        assert torch.equal(getattr(one, name), getattr(other, name))


def test_draws_have_their_probabilities_and_ranges():
    drawn = EVERYTHING.draw(generator(), 20_000, 30, 40)
    blurred = drawn.blur > 0
    for share, probability in ((drawn.jitter, 0.8), (drawn.grey, 0.2), (drawn.flip, 0.5), (blurred, 0.3)):
        assert share.float().mean().item() == pytest.approx(probability, abs=0.015)
    for column, (low, high) in enumerate([(0.2, 1.8)] * 3 + [(-0.2, 0.2)]):
        spread = stats.uniform(low, high - low)
        assert stats.kstest(drawn.factors[:, column].numpy(), spread.cdf).pvalue > 1e-3
    assert stats.kstest(drawn.blur[blurred].numpy(), stats.uniform(0.1, 1.9).cdf).pvalue > 1e-3
    codes, counts = (drawn.order * torch.tensor([64, 16, 4, 1])).sum(1).unique(return_counts=True)
    assert len(codes) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_strength_above_1_never_gives_a_negative_factor():
    drawn = Augmentation(16, brightness=3.0).draw(generator(), 1000, 30, 40)
    assert 0 <= drawn.factors[:, 0].min() < 0.1
    assert 3.9 < drawn.factors[:, 0].max() <= 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(size=1), "size is 1; give at least 2 pixels"),
        (
            dict(jitter_probability=1.5),
            "jitter_probability is 1.5; give a number of at least 0 and at most 1",
        ),
        (dict(grey_probability=float("nan")), "grey_probability is nan"),
        (dict(brightness=-0.1), "brightness is -0.1; give a number of at least 0$"),
        (dict(hue=0.6), "hue is 0.6; give a number of at least 0 and at most 0.5"),
        (
            dict(crop_scale=(0.0, 1.0)),
            "crop_scale is .0.0, 1.0.; give two numbers, the lower first, above 0 and at most 1",
        ),
        (dict(crop_ratio=(4 / 3, 3 / 4)), "crop_ratio is .*, the lower first"),
        (dict(blur_sigma=(0.0, 2.0)), "blur_sigma is .*above 0"),
    ],
)
def test_refuses_settings(settings, message):
    with pytest.raises(HandsightError, match=f"augmentation.{message}"):
        Augmentation(**{"size": 16, **settings})


def test_refuses_to_draw_for_nothing():
    with pytest.raises(HandsightError, match="4 images of 0 × 40 pixels"):
        EVERYTHING.draw(generator(), 4, 0, 40)


def test_constructor_is_command_line():
    parser = jsonargparse.ArgumentParser()
    parser.add_class_arguments(Augmentation, "augmentation")
    options = [
        "--augmentation.size=64",
        "--augmentation.crop_scale=[0.5,1]",
        "--augmentation.flip_probability=0.5",
    ]
    built = Augmentation(**parser.parse_args(options).augmentation.as_dict())
    assert built == Augmentation(64, crop_scale=(0.5, 1.0), flip_probability=0.5)
