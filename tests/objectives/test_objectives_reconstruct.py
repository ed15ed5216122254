"""Reconstruction: the decoder, layer by layer, and its loss."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives import PictureDecoder, reconstruction_loss


def weights(decoder):
    """Return the sizes of a decoder's layers."""
    return [tuple(each.shape) for each in decoder.parameters() if each.ndim > 1]


@pytest.mark.parametrize("size", [1, 3, 4, 7, 8, 9, 31, 64, 100, 227])
@pytest.mark.parametrize("shape", [(6,), (6, 1, 1), (5, 2, 2), (3, 5, 4), (2, 13, 13), (2, 40, 30)])
def test_any_tap_becomes_a_picture_of_any_size(shape, size):
    with torch.device("meta"):
        decoder = PictureDecoder(shape, size, width=1 / 16)
        assert decoder(torch.empty(2, *shape)).shape == (2, 3, size, size)
        assert all(each.grad_fn is None for each in decoder.parameters())


def test_layers_halve_their_channels_as_the_picture_grows():
    with torch.device("meta"):
        vector, fine = PictureDecoder((4096,), 227), PictureDecoder((384, 13, 13), 227)
    grown = [
        (128, 256, 3, 3),
        (64, 128, 3, 3),
        (32, 64, 3, 3),
        (16, 32, 3, 3),
        (16, 16, 3, 3),
        (16, 16, 3, 3),
    ]
    assert weights(vector) == [(256 * 4 * 4, 4096), *grown, (3, 16, 3, 3)]  # 4, 8, 15, 29, 57, 114, 227
    assert weights(fine) == [(64, 384, 3, 3), *grown[2:], (3, 16, 3, 3)]  # 13 pixels become 15


def test_a_vector_is_painted_as_written_out_here():
    torch.manual_seed(0)
    decoder = PictureDecoder((6,), 11, width=1 / 32)  # 8 channels at 6 px, 4 at 11 px
    first, first_shift, second, second_shift, last, last_shift = decoder.parameters()
    vectors = torch.randn(5, 6)
    small = (vectors @ first.T + first_shift).relu().reshape(5, 8, 6, 6)
    nearest = [6 * pixel // 11 for pixel in range(11)]
    large = small[:, :, nearest][:, :, :, nearest]
    large = functional.conv2d(large, second, second_shift, padding=1).relu()
    torch.testing.assert_close(decoder(vectors), functional.conv2d(large, last, last_shift, padding=1))


def test_a_maps_pixels_stay_where_they_are():
    """What changes in one corner of the map changes that corner of the picture and not the others."""
    torch.manual_seed(0)
    decoder = PictureDecoder((2, 8, 8), 64, width=1 / 8)
    maps = torch.randn(1, 2, 8, 8)
    other = maps.clone()
    other[:, :, :2, -2:] += 1
    changed = (decoder(other) - decoder(maps)).abs().sum((0, 1))
    assert changed[:16, -16:].mean() > 0.01
    assert (changed[40:] == 0).all()
    assert (changed[:, :24] == 0).all()


def test_a_decoder_learns_to_paint():
    """From the numbers of four pictures it learns the pictures, black and white in them too."""
    torch.manual_seed(0)
    pictures = functional.interpolate(torch.rand(4, 3, 3, 3).round(), 12)
    numbers = torch.eye(4)
    decoder = PictureDecoder((4,), 12, width=1 / 4)
    optimiser = torch.optim.Adam(decoder.parameters(), 5e-3)
    losses = []
    for _ in range(200):
        optimiser.zero_grad()
        loss = reconstruction_loss(decoder(numbers), pictures)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 < pictures.var().item() < losses[0]


def test_the_loss_is_numpys():
    generator = np.random.default_rng(1)
    painted, picture = generator.normal(size=(2, 4, 3, 5, 7))
    loss = reconstruction_loss(torch.from_numpy(painted), torch.from_numpy(picture))
    assert loss.item() == pytest.approx(np.mean((painted - picture) ** 2))
    twice = reconstruction_loss(torch.from_numpy(2 * painted), torch.from_numpy(2 * picture))
    assert twice.item() == pytest.approx(4 * loss.item())
    assert reconstruction_loss(torch.from_numpy(picture), torch.from_numpy(picture)) == 0


@pytest.mark.parametrize(
    ("painted", "picture"), [((2, 3, 4, 4), (2, 3, 4, 5)), ((2, 48), (2, 48)), ((0, 3, 4, 4), (0, 3, 4, 4))]
)
def test_what_are_no_pictures_of_one_size_is_refused_in_one_line(painted, picture):
    with pytest.raises(HandsightError) as said:
        reconstruction_loss(torch.zeros(painted), torch.zeros(picture))
    assert str(said.value) == (
        f"reconstruction_loss got pictures {list(painted)} and {list(picture)}; "
        "give two of one shape [B, 3, H, W], B at least 1"
    )


def test_a_decoder_that_cannot_be_is_refused_in_one_line():
    with pytest.raises(HandsightError, match=r"^a decoder's picture has a side of 0 px; give at least 1$"):
        PictureDecoder((6,), 0)
    with pytest.raises(HandsightError, match=r"^a head's width is 0; give a factor above 0, such as 0.25$"):
        PictureDecoder((6,), 16, width=0)
    with pytest.raises(HandsightError, match=r"^a head was to stand on features of shape \[6, 2\]; give"):
        PictureDecoder((6, 2), 16)
    with pytest.raises(
        HandsightError, match=r"^features of shape \[2, 5\] came to a head for maps \[6, 1, 1\]"
    ):
        PictureDecoder((6,), 16)(torch.zeros(2, 5))
