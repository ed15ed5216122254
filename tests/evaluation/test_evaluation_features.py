from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from handsight.errors import HandsightError
from handsight.evaluation.features import (
    Features,
    LabelledFrames,
    Standardiser,
    embed_frames,
    extract,
    standardise,
    unit_length,
)


def labelled(count: int, read=None) -> LabelledFrames:
    pictures = np.random.default_rng(0).integers(0, 256, (50, 4, 6, 3), dtype=np.uint8)
    number = np.arange(count)
    return LabelledFrames(
        read or (lambda index: pictures[index]),
        number[::-1].copy(),
        number % 3,
        number // 4,
        number // 4,
        number % 4,
    )


class MeanColour(nn.Module):
    """Embeds an image as its mean colour; batch norm and dropout show whether evaluation mode is on."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.uint8
        assert not torch.is_grad_enabled()
        return self.dropout(self.normalise(images.float().mean(dim=(2, 3))))


def test_extract_embeds_the_frames_asked_for_in_their_order_and_says_how_far_it_is():
    frames = labelled(10)
    told: list[tuple[int, int]] = []
    features = extract(
        MeanColour(), frames, batch_size=4, progress=lambda done, total: told.append((done, total))
    )
    expected = frames.read(frames.index).reshape(10, -1, 3).mean(axis=1) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(features.embeddings, expected, rtol=1e-5)
    assert features.embeddings.dtype == np.float32
    assert told == [(4, 10), (8, 10), (10, 10)]
    np.testing.assert_array_equal(features.object, frames.object)


def test_extract_leaves_every_module_in_the_mode_it_was_in_even_after_an_error():
    encoder = MeanColour().train()
    encoder.normalise.eval()
    extract(encoder, labelled(3))
    assert (encoder.training, encoder.normalise.training, encoder.dropout.training) == (True, False, True)

    def broken(index: np.ndarray) -> np.ndarray:
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        extract(encoder, labelled(3, broken))
    assert (encoder.training, encoder.normalise.training, encoder.dropout.training) == (True, False, True)


def test_extract_refuses_no_frames():
    with pytest.raises(HandsightError, match="no frames to embed; expected at least one"):
        extract(MeanColour(), labelled(0))


def test_embeddings_do_not_depend_on_the_batch_size():
    frames = labelled(11)
    one, many = (embed_frames(MeanColour(), frames.read, frames.index, batch_size=size) for size in (1, 256))
    np.testing.assert_allclose(one, many, rtol=1e-6)


@pytest.mark.parametrize(
    ("embeddings", "category", "message"),
    [
        (np.zeros((0, 3), np.float32), np.zeros(0, np.int64), r"shape \(0, 3\)"),
        (np.zeros((2, 3), np.float32), np.zeros(3, np.int64), "embeddings 2, category 3"),
        (np.array([[0, np.nan], [1, 2]], np.float32), np.zeros(2, np.int64), "1 of 2 embeddings hold NaN"),
    ],
)
def test_features_refuse_what_cannot_be_measured(embeddings, category, message):
    rest = np.zeros(len(embeddings), np.int64)
    with pytest.raises(HandsightError, match=message):
        Features(embeddings, category, rest, rest, rest)


def test_standardiser_uses_training_statistics_only_and_silences_dead_dimensions():
    generator = np.random.default_rng(1)
    train = generator.normal(3, 2, (500, 4)).astype(np.float32)
    train[:, 2] = 7.3
    other = generator.normal(0, 1, (20, 4)).astype(np.float32)
    standardiser = Standardiser.fit(train)
    alive = [0, 1, 3]
    expected = (other - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(standardiser(other)[:, alive], expected[:, alive], rtol=1e-4, atol=1e-5)
    assert not standardiser(other)[:, 2].any()
    np.testing.assert_allclose(standardiser(train)[:, alive].std(axis=0), 1, rtol=1e-5)


def test_standardise_refuses_another_encoders_features():
    rest = np.zeros(2, np.int64)
    narrow, wide = (Features(np.ones((2, d), np.float32), rest, rest, rest, rest) for d in (3, 4))
    with pytest.raises(HandsightError, match="embeddings have 4 dimensions; the training split had 3"):
        standardise(narrow, wide)


def test_unit_length_keeps_a_row_of_zeros():
    unit = unit_length(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(unit.numpy(), [[0.6, 0.8], [0, 0]])
