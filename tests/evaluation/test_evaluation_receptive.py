from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.evaluation.receptive import receptive_fields

ALEXNET_LAYERS = {
    "conv1": [],
    "conv2": [(3, 2, 0), (5, 1, 2)],
    "conv3": [(3, 2, 0), (3, 1, 1)],
    "conv4": [(3, 1, 1)],
    "conv5": [(3, 1, 1)],
}
"""Kernel, stride and padding of what each convolution adds after the first: a pooling, itself."""

RESNET_LAYERS = {
    "act1": [(7, 2, 3)],
    "layer1": [(3, 2, 1), *[(3, 1, 1)] * 4],
    "layer2": [(3, 2, 1), *[(3, 1, 1)] * 3],
    "layer3": [(3, 2, 1), *[(3, 1, 1)] * 3],
    "layer4": [(3, 2, 1), *[(3, 1, 1)] * 3],
}


def by_arithmetic(layers: dict[str, list[tuple[int, int, int]]], tap: str, size: int) -> np.ndarray:
    """Return first and last pixel (the one after) that each place sees along one axis; `[h, 2]`.

    A layer's place i sees places i·s − p to i·s − p + k − 1 of the one before, those of padding left out.
    """
    chain = [layer for name in list(layers)[: list(layers).index(tap) + 1] for layer in layers[name]]
    sizes = [size]
    for kernel, stride, padding in chain:
        sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
    first = last = np.arange(sizes[-1])
    for (kernel, stride, padding), before in zip(chain[::-1], sizes[-2::-1], strict=True):
        first = np.clip(first * stride - padding, 0, before - 1)
        last = np.clip(last * stride - padding + kernel - 1, 0, before - 1)
    return np.stack([first, last + 1], axis=1)


def diagonal(count: int, unit: int = 0) -> np.ndarray:
    """Give places whose rows run down and whose columns run up."""
    return np.stack([np.full(count, unit), np.arange(count), np.arange(count)[::-1]], axis=1)


@pytest.mark.parametrize(
    ("size", "taps", "options"),
    [
        (227, ("conv5",), {}),
        (224, ("conv4",), {}),
        (98, ("conv5",), {}),  # conv1's last step leaves pixels over
        (96, tuple(ALEXNET_LAYERS), {}),
        (66, tuple(ALEXNET_LAYERS), {}),
        (41, tuple(ALEXNET_LAYERS), {}),
        (51, ("conv2", "conv5"), {"stride": 2, "padding": 0, "groups": 1}),
        (33, ("conv3",), {"stride": 1, "padding": 5}),
    ],
)
def test_alexnets_fields_are_those_of_arithmetic(size, taps, options):
    encoder = Encoder("alexnet-lrn", size, options={"width": 1 / 16, **options})
    first = encoder.trunk.conv1
    layers = ALEXNET_LAYERS | {"conv1": [(11, first.stride[0], first.padding[0])]}
    for tap in taps:
        wanted = by_arithmetic(layers, tap, size)
        rows = np.arange(len(wanted))
        rows = rows[[0, 1, 6, -1]] if size > 200 else rows  # fewer places take fewer forwards
        columns = len(wanted) - 1 - rows
        places = np.stack([np.full(len(rows), 3), rows, columns], axis=1)
        found = receptive_fields(encoder, tap, places, (size, size))
        np.testing.assert_array_equal(found[:, [1, 3]], wanted[rows])
        np.testing.assert_array_equal(found[:, [0, 2]], wanted[columns])


def test_alexnets_fields_in_the_middle_are_as_wide_as_is_known():
    encoder = Encoder("alexnet-lrn", 227, options={"width": 1 / 16})
    widths = {"conv2": 51, "conv3": 99, "conv4": 131, "conv5": 163}
    for tap, width in widths.items():
        x0, y0, x1, y1 = receptive_fields(
            encoder, tap, np.array([[0, 6 if width > 51 else 13, 6]]), (227, 227)
        )[0]
        assert (y1 - y0) == width
        assert (x1 - x0) == (width if width > 51 else 51)


@pytest.mark.parametrize(
    ("name", "size", "taps"),
    [("resnet18", 56, ("act1", "layer1", "layer2")), ("torchvision/resnet18", 33, ("layer1",))],
)
def test_a_resnets_fields_are_those_of_arithmetic(name, size, taps):
    options = {"channels": [8, 8, 8, 8]} if name == "resnet18" else {}
    encoder = Encoder(name, size, options=options)
    for tap in taps:
        wanted = by_arithmetic(RESNET_LAYERS, tap, size)
        found = receptive_fields(encoder, tap, diagonal(len(wanted)), (size, size))
        np.testing.assert_array_equal(found[:, [1, 3]], wanted)
        np.testing.assert_array_equal(found[:, [0, 2]], wanted[::-1])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_networks_are_made_of_hands_on_what_is_no_number(layout):
    """Row 3 of the first picture is hidden; by arithmetic, which rows of what comes out see it."""
    maps = torch.randn(2, 8, 17, 19, dtype=torch.float64)
    maps[0, :, 3] = torch.nan
    maps = maps.contiguous(memory_format=layout)
    pointwise = [nn.ReLU(), nn.ReLU6(), nn.Hardswish(), nn.Hardsigmoid(), nn.LeakyReLU(), nn.ELU()]
    pointwise += [nn.GELU(), nn.SiLU(), nn.Mish(), nn.Softplus(), nn.PReLU(), nn.BatchNorm2d(8).eval()]
    layers = [(layer, [3]) for layer in pointwise] + [
        *((nn.MaxPool2d(3, 2), [1]), (nn.MaxPool2d(3, 2, 1), [1, 2]), (nn.AvgPool2d(2, ceil_mode=True), [1])),
        *((nn.AdaptiveMaxPool2d(3), [0]), (nn.AdaptiveAvgPool2d(1), [0]), (nn.Conv2d(8, 8, 1), [3])),
        *((nn.Conv2d(8, 8, 3, padding=1), [2, 3, 4]), (nn.Conv2d(8, 8, 3, padding=1, groups=8), [2, 3, 4])),
        *((nn.Conv2d(8, 8, 3, 1, 2, 2), [1, 3, 5]), (nn.ConvTranspose2d(8, 8, 4, 2, 1), [5, 6, 7, 8])),
    ]
    for layer, rows in layers:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.zeros_(layer.weight)
        seen = torch.isnan(layer.double()(maps.clone()))
        assert not seen[1].any(), layer
        assert (seen[0] == seen[0, :1, :, :1]).all(), layer
        assert seen[0, 0, :, 0].nonzero()[:, 0].tolist() == rows, layer


def test_a_transformer_sees_all_and_so_does_a_vector():
    encoder = Encoder("vit_tiny_patch16_224", 64, options={"depth": 2})
    tap = encoder.taps[-2]
    for name, places in ((tap, diagonal(4)), ("pooled", np.array([[5, 0, 0]]))):
        boxes = receptive_fields(encoder, name, places, (64, 64))
        np.testing.assert_array_equal(boxes, [[0, 0, 64, 64]] * len(places))


def test_branches_of_one_map_have_fields_of_their_own():
    """Units 0 to 7 of this map come from a wide convolution, the others from a narrow one."""

    class Branches(nn.Module):
        feature_info = ({"module": "both", "num_chs": 16},)

        def __init__(self) -> None:
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(3, 8, 7, 2, 3), nn.Conv2d(3, 8, (1, 3), 2, (0, 1))

        def forward_intermediates(self, images, **_):
            found = torch.cat([self.wide(images), self.narrow(images)], dim=1).relu()
            return [found]

        def forward_head(self, last):
            return last.mean(dim=(2, 3))

    encoder = Encoder("alexnet-lrn", 32, options={"width": 1 / 16})
    encoder.trunk = Branches()
    boxes = receptive_fields(encoder, "both", np.array([[0, 5, 5], [8, 5, 5], [15, 0, 15]]), (32, 32))
    np.testing.assert_array_equal(boxes, [[7, 7, 14, 14], [9, 10, 12, 11], [29, 0, 32, 1]])


@pytest.mark.parametrize(
    ("fit", "picture"),
    [("stretch", (48, 80)), ("crop", (48, 80)), ("stretch", (20, 16)), ("stretch", (32, 32))],
)
def test_nothing_outside_counts_and_the_edges_do_in_a_picture_of_any_size(fit, picture):
    torch.manual_seed(0)
    encoder = Encoder("resnet18", 32, options={"channels": [8, 8, 8, 8]}, fit=fit).double().eval()
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, *picture, generator=generator)

    def say(images: torch.Tensor, tap: str, row: int, column: int) -> torch.Tensor:
        return encoder.forward_features(images)[tap][0, :, row, column].detach()

    for tap, size in (("act1", 16), ("layer1", 8)):
        places = np.array([[2, 0, 0], [2, 3, 4], [2, size - 1, size - 1], [2, size - 1, 1]])
        boxes = receptive_fields(encoder, tap, places, picture)
        if fit == "crop":
            assert boxes[:, 0].min() >= 14  # the picture's middle begins at 16, less what resizing mixes in
            assert boxes[:, 2].max() <= 66
        for (_, row, column), (x0, y0, x1, y1) in zip(places, boxes.tolist(), strict=True):
            before = say(image, tap, row, column)
            outside = torch.rand(1, 3, *picture, generator=generator)
            outside[:, :, y0:y1, x0:x1] = image[:, :, y0:y1, x0:x1]
            torch.testing.assert_close(say(outside, tap, row, column), before, rtol=1e-12, atol=1e-12)
            # A pooling shows its largest number only, so one picture need not show the edges of layer1.
            for line in (np.s_[y0, :], np.s_[y1 - 1, :], np.s_[:, x0], np.s_[:, x1 - 1]) * (tap == "act1"):
                changed = image.clone()
                changed[(slice(None), slice(None), *line)] = 1 - changed[(slice(None), slice(None), *line)]
                assert (say(changed, tap, row, column) - before).abs().max() > 1e-9


def test_the_encoder_is_left_as_it_was():
    encoder = Encoder("alexnet-lrn", 33, options={"width": 1 / 16}).train()
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    receptive_fields(encoder, "conv2", np.array([[0, 1, 1]]), (33, 33))
    assert encoder.training
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())
    assert receptive_fields(encoder, "conv2", np.zeros((0, 3), np.int64), (33, 33)).shape == (0, 4)


def test_what_cannot_be_found_is_refused():
    encoder = Encoder("alexnet-lrn", 33, options={"width": 1 / 16})
    with pytest.raises(
        HandsightError, match=r"alexnet-lrn has no tap 'conv9'; it has conv1, conv2, .*pooled"
    ):
        receptive_fields(encoder, "conv9", np.array([[0, 0, 0]]), (33, 33))
    for place in ([8, 0, 0], [0, 27, 0], [0, 0, -1]):
        with pytest.raises(HandsightError, match=r"a place has number .* it has 8 units of 27 × 27 places"):
            receptive_fields(encoder, "conv1", np.array([place]), (33, 33))
    nn.init.constant_(encoder.trunk.conv2.weight, torch.nan)
    with pytest.raises(HandsightError, match="conv2 has units that are no numbers for a black picture"):
        receptive_fields(encoder, "conv2", np.array([[0, 0, 0]]), (33, 33))
