"""Each operation against torchvision, given the same parameters."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as reference

from handsight.augmentation import Augmentation
from handsight.augmentation.blur import blur, kernel_radius
from handsight.augmentation.colour import CONTRAST, HUE, SATURATION, grey_of, jitter_, turn_hue
from handsight.augmentation.resample import resample
from handsight.errors import HandsightError

EVERYTHING = dict(flip_probability=0.5, blur_probability=0.5)
ADJUST = (
    reference.adjust_brightness,
    reference.adjust_contrast,
    reference.adjust_saturation,
    reference.adjust_hue,
)


def pictures(count=6, height=20, width=24, seed=0):
    """Noise, with a flat grey, a black and a white picture among it."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)
    for row, level in zip(range(1, count), (128, 0, 255), strict=False):
        images[row] = level
    return images


def one_by_one(images, parameters, size):
    """What torchvision makes of each image, in SimCLR's order: crop, mirror, jitter, grey, blur."""
    results = []
    kernel = 2 * kernel_radius(size) + 1
    for row, image in enumerate(images):
        picture = image.float() / 255
        picture = reference.resized_crop(
            picture, *parameters.crop[row].tolist(), [size, size], antialias=True
        )
        if parameters.flip[row]:
            picture = reference.horizontal_flip(picture)
        if parameters.jitter[row]:
            for step in parameters.order[row].tolist():
                picture = ADJUST[step](picture.clamp(0, 1), parameters.factors[row, step].item())
        if parameters.grey[row]:
            picture = reference.rgb_to_grayscale(picture, num_output_channels=3)
        if parameters.blur[row] > 0:
            picture = reference.gaussian_blur(picture, [kernel, kernel], [parameters.blur[row].item()] * 2)
        results.append(picture)
    return torch.stack(results)


@settings(deadline=None, max_examples=25)
@given(
    size=st.integers(4, 48), height=st.integers(4, 60), width=st.integers(4, 60), seed=st.integers(0, 10**6)
)
def test_the_whole_augmentation_is_torchvisions(size, height, width, seed):
    augmentation = Augmentation(size, **EVERYTHING)
    images = pictures(height=height, width=width, seed=seed)
    parameters = augmentation.draw(torch.Generator().manual_seed(seed), len(images), height, width)
    expected = one_by_one(images, parameters, size)
    # Up to four float32 operations that amplify by 1.8 each; one grey level is 4e-3.
    torch.testing.assert_close(augmentation(images, parameters), expected, atol=2e-5, rtol=0)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), size=st.integers(1, 40), height=st.integers(1, 50), width=st.integers(1, 50))
def test_crop_and_resize(data, size, height, width):
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    box = (top, left, data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left)))
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(size))
    expected = reference.resized_crop(image, *box, [size, size], antialias=True)
    got = resample(image, torch.tensor([box]), torch.tensor([False]), size)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    mirrored = resample(image, torch.tensor([box]), torch.tensor([True]), size)
    torch.testing.assert_close(mirrored, got.flip(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("operation", range(4))
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 1.8])
def test_each_jitter_alone(operation, strength):
    images = pictures(8).float() / 255
    strength = strength - 0.5 if operation == HUE and strength < 1.8 else strength
    strength = 0.21 if operation == HUE and strength == 1.8 else strength
    factors = torch.tensor([[1.0, 1.0, 1.0, 0.0]]).repeat(8, 1)
    factors[:, operation] = strength
    got = jitter_(images.clone(), factors, torch.arange(4).repeat(8, 1))
    torch.testing.assert_close(got, ADJUST[operation](images, strength), atol=1e-5, rtol=0)


def test_order_matters_and_is_per_image():
    images = pictures(1).float().div(255).repeat(2, 1, 1, 1)
    factors = torch.tensor([[1.0, 1.7, 0.2, 0.0]]).repeat(2, 1)
    order = torch.tensor([[CONTRAST, SATURATION, 0, HUE], [SATURATION, CONTRAST, 0, HUE]])
    got = jitter_(images.clone(), factors, order)
    first = reference.adjust_saturation(reference.adjust_contrast(images[0], 1.7), 0.2)
    second = reference.adjust_contrast(reference.adjust_saturation(images[0], 0.2), 1.7)
    assert (first - second).abs().max() > 0.01
    torch.testing.assert_close(got, torch.stack([first, second]), atol=1e-5, rtol=0)


def test_hue_of_primary_colours():
    # A third of a turn takes red to green, green to blue and blue to red.
    primaries = torch.eye(3)[:, :, None, None]
    torch.testing.assert_close(
        turn_hue(primaries, torch.full((3,), 1 / 3)), primaries[[1, 2, 0]], atol=1e-6, rtol=0
    )


def test_grey_of_colours():
    colours = torch.eye(3)[:, :, None, None]
    torch.testing.assert_close(grey_of(colours)[:, 0, 0], torch.tensor([0.2989, 0.587, 0.114]))


@pytest.mark.parametrize("size", [4, 15, 64, 224])
def test_blur(size):
    images = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.1, 0.9, 2.0])
    kernel = 2 * kernel_radius(size) + 1
    expected = [
        reference.gaussian_blur(image, [kernel] * 2, [deviation.item()] * 2)
        for image, deviation in zip(images, sigma, strict=True)
    ]
    torch.testing.assert_close(blur(images, sigma), torch.stack(expected), atol=1e-5, rtol=0)


def test_blur_kernel_is_simclrs():
    # SimCLR's code at 224 pixels: radius 224 // 10 // 2.
    assert [kernel_radius(size) for size in (8, 64, 128, 224)] == [1, 3, 6, 11]


def test_an_image_alone_and_in_the_batch_are_alike():
    augmentation = Augmentation(16, **EVERYTHING)
    images = pictures(40)
    parameters = augmentation.draw(torch.Generator().manual_seed(2), 40, 20, 24)
    together = augmentation(images, parameters)
    alone = torch.cat([augmentation(images[i : i + 1], parameters.slice(i, i + 1)) for i in range(40)])
    torch.testing.assert_close(alone, together, atol=1e-6, rtol=0)


def test_neither_dtype_nor_memory_format_matters_and_the_input_stays():
    augmentation = Augmentation(16, **EVERYTHING)
    images = pictures(12)
    parameters = augmentation.draw(torch.Generator().manual_seed(2), 12, 20, 24)
    before, expected = images.clone(), augmentation(images, parameters)
    last = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    for same in (last, images.float() / 255, images.double() / 255):
        kept = same.clone()
        torch.testing.assert_close(augmentation(same, parameters), expected, atol=1e-5, rtol=0)
        assert torch.equal(same, kept)
    assert torch.equal(images, before)
    assert (expected.dtype, expected.shape) == (torch.float32, (12, 3, 16, 16))
    assert 0 <= expected.min() <= expected.max() <= 1


def test_autocast_and_gradients_change_nothing():
    augmentation = Augmentation(16, **EVERYTHING)
    images = pictures(12).float() / 255
    parameters = augmentation.draw(torch.Generator().manual_seed(2), 12, 20, 24)
    expected = augmentation(images, parameters)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = augmentation(images.requires_grad_(), parameters)
    assert torch.equal(got, expected)
    assert not got.requires_grad


def test_with_everything_off_only_the_crop_remains():
    augmentation = Augmentation(20, (1.0, 1.0), (1.2, 1.2), jitter_probability=0, grey_probability=0)
    images = pictures(4, 20, 24)
    parameters = augmentation.draw(torch.Generator().manual_seed(0), 4, 20, 24)
    assert parameters.crop.tolist() == [[0, 0, 20, 24]] * 4
    expected = reference.resize(images.float() / 255, [20, 20], antialias=True)
    torch.testing.assert_close(augmentation(images, parameters), expected, atol=1e-5, rtol=0)


def test_an_empty_batch_stays_empty():
    augmentation = Augmentation(16)
    parameters = augmentation.draw(torch.Generator().manual_seed(0), 0, 20, 24)
    assert augmentation(pictures(0), parameters).shape == (0, 3, 16, 16)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            torch.zeros(4, 20, 24, 3, dtype=torch.uint8),
            r"shape \[4, 20, 24, 3\]; give \[N, 3, height, width\]",
        ),
        (torch.zeros(4, 3, 20, 24, dtype=torch.int64), "torch.int64; give uint8, or float"),
        (torch.full((4, 3, 20, 24), 255.0), r"range from 255 to 255; give \[0, 1\], or uint8"),
        (torch.full((4, 3, 20, 24), -0.5), "range from -0.5 to -0.5"),
        (torch.full((4, 3, 20, 24), float("nan")), "range from nan to nan"),
        (torch.zeros(5, 3, 20, 24), "5 images came with parameters for 4"),
        (torch.zeros(4, 3, 24, 20), "24 × 20 came with parameters drawn for 20 × 24"),
    ],
)
def test_refuses_images_that_do_not_fit(images, message):
    augmentation = Augmentation(16)
    with pytest.raises(HandsightError, match=message):
        augmentation(images, augmentation.draw(torch.Generator().manual_seed(0), 4, 20, 24))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_cuda_gives_what_the_cpu_gives(where):
    augmentation = Augmentation(32, **EVERYTHING)
    images = pictures(64, 48, 40)
    parameters = augmentation.draw(torch.Generator().manual_seed(2), 64, 48, 40)
    got = augmentation(images.cuda(), parameters.to(where))
    assert got.device.type == "cuda"
    torch.testing.assert_close(got.cpu(), augmentation(images, parameters), atol=2e-5, rtol=0)


def test_parameters_without_colour_change_leave_colours():
    augmentation = Augmentation(20, (1.0, 1.0), (1.2, 1.2))
    images = pictures(4, 20, 24)
    drawn = augmentation.draw(torch.Generator().manual_seed(0), 4, 20, 24)
    off = replace(drawn, jitter=torch.zeros(4, dtype=torch.bool), grey=torch.zeros(4, dtype=torch.bool))
    torch.testing.assert_close(
        augmentation(images, off), reference.resize(images.float() / 255, [20, 20]), atol=1e-5, rtol=0
    )
