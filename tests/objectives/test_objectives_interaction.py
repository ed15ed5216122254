"""Scores and forces learn as equations 2 and 4 print, upwards; the heads are the paper's."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import expit
from torch import nn

from handsight.encoders import Encoder
from handsight.errors import HandsightError
from handsight.objectives import InteractionHeads, force_loss, score_loss
from handsight.objectives.interaction import (
    force_agreement,
    force_gradient,
    score_gradient,
    score_ious,
    unease,
)


def drawn(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def equation_2(s, fg, bg):
    positive = fg * expit(-s) * np.exp(-0.5 * np.maximum(s, 0) ** 2)
    return positive - bg * expit(s) * np.exp(-0.5 * np.minimum(s, 0) ** 2)


def equation_4(m, ft):
    up = (ft > 0) * expit(-m) * np.exp(-0.5 * np.maximum(m, 0) ** 2)
    return ft * (up + (ft < 0) * expit(m) * np.exp(-0.5 * np.minimum(m, 0) ** 2))


GRID = np.linspace(-6, 6, 49)


def test_gradients_are_the_printed_ones():
    s, fg, bg = np.meshgrid(GRID, [0, 0.3, 1, 2.5], [0, 0.7, 1.5])
    found = score_gradient(*(torch.from_numpy(each) for each in (s, fg, bg)))
    np.testing.assert_allclose(found.numpy(), equation_2(s, fg, bg), rtol=1e-12, atol=1e-15)
    m, ft = np.meshgrid(GRID, [-1.2, -0.5, -0.25, 0, 0.25, 0.5, 1.1])
    found = force_gradient(torch.from_numpy(m), torch.from_numpy(ft))
    np.testing.assert_allclose(found.numpy(), equation_4(m, ft), rtol=1e-12, atol=1e-15)


def test_positives_push_up_and_the_sure_are_left_alone():
    one, none = torch.ones(1), torch.zeros(1)
    assert score_gradient(none, one, none) == 0.5
    assert score_gradient(none, none, one) == -0.5
    assert force_gradient(none, -one) == -0.5
    assert score_gradient(torch.tensor([-50.0]), one, none) == 1
    assert score_gradient(torch.tensor([5.0]), one, none) < 1e-7 < expit(-5)


@pytest.mark.parametrize("weight", [1.0, 0.1, -3.0])
def test_gradients_of_losses_are_minus_the_printed_ones_times_any_weight(weight):
    scores, fg, bg = drawn(3, 4, 5, scale=3).requires_grad_(), drawn(3, 4, 5, seed=1), drawn(3, 4, 5, seed=2)
    fg, bg = fg.clamp(min=0), bg.clamp(min=0)
    (weight * score_loss(scores, fg, bg)).backward()
    wanted = -weight * equation_2(*(each.detach().numpy() for each in (scores, fg, bg))) / 3
    np.testing.assert_allclose(scores.grad.numpy(), wanted, rtol=1e-10, atol=1e-15)
    logits, targets = drawn(2, 3, 4, 4, scale=3).requires_grad_(), drawn(2, 3, 4, 4, seed=3)
    targets[:, :, 0] = 0
    (weight * force_loss(logits, targets)).backward()
    wanted = -weight * equation_4(logits.detach().numpy(), targets.numpy()) / 2
    np.testing.assert_allclose(logits.grad.numpy(), wanted, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("logit", [-40.0, -3.0, -1e-3, 0.0, 0.2, 1.0, 2.5, 4.0])
def test_values_are_the_integrals(logit):
    def pull(t):
        return expit(-t) * math.exp(-(max(t, 0) ** 2) / 2)

    parts = [0.0, *(min(logit, 0) * np.array([1, 0.5, 0.1]))] if logit < 0 else [logit]
    edges = sorted({*parts, logit, max(logit, 0) + 12})
    wanted = sum(quad(pull, a, b, epsabs=1e-13)[0] for a, b in pairwise(edges))
    z = torch.tensor([logit], dtype=torch.float64)
    assert unease(z).item() == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    ones, none = torch.ones(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, dtype=torch.float64)
    at = z.view(1, 1, 1)
    assert score_loss(at, 2 * ones, none).item() == pytest.approx(2 * wanted)
    assert score_loss(-at, none, 2 * ones).item() == pytest.approx(2 * wanted)
    assert force_loss(-at, -0.5 * ones).item() == pytest.approx(0.5 * wanted)


def test_a_loss_is_a_sum_over_cells_and_a_mean_over_pictures():
    scores, fg, bg = drawn(4, 6, 6), drawn(4, 6, 6, seed=1).abs(), drawn(4, 6, 6, seed=2).abs()
    alone = [score_loss(*(each[i : i + 1] for each in (scores, fg, bg))) for i in range(4)]
    torch.testing.assert_close(score_loss(scores, fg, bg), torch.stack(alone).mean())
    apart = [
        score_loss(*(each[..., part] for each in (scores, fg, bg))) for part in (slice(0, 2), slice(2, 6))
    ]
    torch.testing.assert_close(score_loss(scores, fg, bg), sum(apart))
    assert score_loss(scores, 0 * fg, 0 * bg) == 0


@pytest.mark.parametrize("size", [1e4, 1e15, 1e30])
def test_large_logits_in_single_precision(size):
    z = torch.tensor([[[-size, size]], [[-size, size]]], requires_grad=True)
    fg = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]]])
    loss = score_loss(z, fg, 1 - fg)
    loss.backward()
    assert loss.item() == pytest.approx(size, rel=1e-4)
    assert z.grad.tolist() == [[[-0.5, 0.0]], [[0.0, 0.5]]]
    logits = torch.tensor([-size, size]).view(1, 1, 1, 2).requires_grad_()
    force_loss(logits, torch.tensor([1.0, -1.0]).view(1, 1, 1, 2)).backward()
    assert logits.grad.flatten().tolist() == [-1, 1]


def test_following_the_losses_makes_them_vanish():
    scores, fg = torch.zeros(1, 6, 6, requires_grad=True), torch.zeros(1, 6, 6)
    fg[0, 1, 1] = 1
    bg = fg.flip(1)
    optimiser = torch.optim.SGD([scores], lr=2.0)
    for _ in range(300):
        optimiser.zero_grad()
        loss = score_loss(scores, fg, bg)
        loss.backward()
        optimiser.step()
    assert loss < 1e-2 < score_loss(torch.zeros_like(scores), fg, bg)
    assert score_ious(scores, fg).item() == 1
    assert scores.detach().abs().gt(0).sum() == 2


def test_readable_figures():
    scores, fg = torch.tensor([[[1.0, -1], [2, 0]], [[-1, -1], [-1, -1]]]), torch.zeros(2, 2, 2)
    fg[0, 0] = 0.3
    assert score_ious(scores, fg).tolist() == pytest.approx([1 / 3, 0])
    logits = torch.tensor([[2.0, 1, 0], [0, 1, 2], [0, 3, 2]]).T.view(1, 3, 1, 3)
    targets = torch.tensor([[0.5, -0.25, -0.25], [-0.5, 0.25, 0.25], [0, 0, 0]]).T.view(1, 3, 1, 3)
    assert force_agreement(logits, targets) == 1
    assert force_agreement(logits.flip(1), targets) == 0
    assert force_agreement(logits, 0 * targets).isnan()


def test_with_the_heads_the_model_has_the_papers_parameters():
    heads = InteractionHeads()
    wanted = (66 + 1) * 128 + (128 + 1) * 17 + (64 + 1) * 128 + (128 + 1) * 3
    assert sum(each.numel() for each in heads.parameters()) == wanted
    trunk = Encoder("unet-interaction", 300).trunk
    together = wanted + sum(each.numel() for each in trunk.parameters())
    assert 1.35e6 < together < 1.45e6


def test_heads_are_torchs_own_layers_on_features_and_coordinates():
    torch.manual_seed(0)
    heads, features = InteractionHeads(5, hidden=8).double(), drawn(2, 5, 4, 6)
    row, column = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    placed = torch.cat([features, torch.stack([row, column]).double().expand(2, 2, 4, 6)], 1)

    def dense(layers, x):
        one, _, two = layers
        hidden = torch.einsum("oc,bchw->bohw", one.weight[:, :, 0, 0], x) + one.bias[:, None, None]
        return (
            torch.einsum("oc,bchw->bohw", two.weight[:, :, 0, 0], hidden.clamp(min=0))
            + two.bias[:, None, None]
        )

    seen, forces = dense(heads.detection, placed), dense(heads.force, features)
    told = heads.tell(features)
    torch.testing.assert_close(told.scores, seen[:, 0])
    torch.testing.assert_close(told.embeddings, seen[:, 1:])
    torch.testing.assert_close(told.logits, forces)
    torch.testing.assert_close(heads(features), torch.cat([seen[:, :1], forces, seen[:, 1:]], 1))
    assert all(isinstance(each, nn.Conv2d | nn.ReLU) for each in [*heads.detection, *heads.force])


def test_force_and_detection_share_no_weight():
    heads = InteractionHeads(4, hidden=8)
    heads.tell(torch.randn(1, 4, 3, 3)).logits.sum().backward()
    assert all(each.grad is None for each in heads.detection.parameters())
    assert all(each.grad is not None for each in heads.force.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: InteractionHeads(0), "0 channels and 128 neurons; give 1 or more"),
        (
            lambda: InteractionHeads(4)(torch.zeros(1, 5, 3, 3)),
            r"features \[1, 5, 3, 3\] came to heads for 4",
        ),
        (
            lambda: score_loss(*[torch.zeros(0, 3, 3)] * 3),
            "the batch of pictures is empty; give at least one",
        ),
        (lambda: score_loss(torch.zeros(2, 3, 3), *[torch.zeros(2, 3, 4)] * 2), "give maps of one shape"),
        (lambda: force_loss(torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4)), "came with targets"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call, message):
    with pytest.raises(HandsightError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
