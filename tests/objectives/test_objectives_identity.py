"""Identity: torch's own cosine embedding loss, and what leaves it as it is."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives import identity_loss


def drawn(batch=20, size=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, batch, size, generator=generator)
    return first, second, torch.randint(2, (batch,), generator=generator)


@pytest.mark.parametrize("margin", [0.0, 0.3, -0.5, 1.0])
def test_loss_is_torchs_cosine_embedding(margin):
    first, second, same = drawn()
    first, second = first.requires_grad_(), second.requires_grad_()
    loss = identity_loss(first, second, same, margin)
    wanted = functional.cosine_embedding_loss(first, second, 2 * same - 1, margin)
    torch.testing.assert_close(loss, wanted)
    for found, theirs in zip(
        torch.autograd.grad(loss, (first, second)),
        torch.autograd.grad(wanted, (first, second)),
        strict=True,
    ):
        torch.testing.assert_close(found, theirs)


def test_loss_pair_by_pair():
    first, second, same = (each.numpy() for each in drawn())
    wanted = []
    for one, other, alike in zip(first.astype(float), second.astype(float), same, strict=True):
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        wanted.append(1 - cosine if alike else max(0, cosine - 0.2))
    found = identity_loss(*map(torch.from_numpy, (first, second, same)), margin=0.2)
    assert found.item() == pytest.approx(np.mean(wanted), abs=1e-6)


def test_lengths_and_order_of_a_pair_and_a_turn_of_space_change_nothing():
    first, second, same = drawn()
    loss = identity_loss(first, second, same)
    torch.testing.assert_close(identity_loss(5 * first, 0.01 * second, same), loss)
    torch.testing.assert_close(identity_loss(second, first, same), loss)
    turn, _ = torch.linalg.qr(torch.randn(7, 7, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(identity_loss(first @ turn, second @ turn, same), loss)


def test_loss_has_the_right_gradient():
    first, second, same = drawn(6, 4)
    pair = [each.double().requires_grad_() for each in (first, second)]
    assert torch.autograd.gradcheck(lambda one, other: identity_loss(one, other, same, 0.1), pair)


def test_pairs_below_the_margin_are_left_alone():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    second = torch.tensor([[1.0, 3.0], [3.0, 1.0]])  # cosines 0.316 and 0.949
    identity_loss(first, second, torch.zeros(2), margin=0.5).backward()
    assert first.grad.abs().sum(dim=1).gt(0).tolist() == [False, True]


def test_labels_may_be_booleans_or_floats():
    first, second, same = drawn()
    wanted = identity_loss(first, second, same)
    assert torch.equal(identity_loss(first, second, same.bool()), wanted)
    assert torch.equal(identity_loss(first, second, same.float()), wanted)


@pytest.mark.parametrize(
    ("first", "second", "same", "margin", "message"),
    [
        (
            (2, 3),
            (2, 4),
            [0, 1],
            0,
            r"embeddings \[2, 3\] and \[2, 4\] with labels \[2\]; give two of one shape",
        ),
        ((2, 3), (2, 3), [0], 0, r"with labels \[1\]; .* a label for each of B pairs"),
        ((2,), (2,), [0, 1], 0, r"embeddings \[2\] and \[2\]"),
        ((0, 3), (0, 3), [], 0, "B at least 1"),
        ((2, 3), (2, 3), [0, 1], 1.5, "margin is 1.5; give a cosine, from -1 to 1"),
        ((2, 3), (2, 3), [0, 1], float("nan"), "margin is nan; give a cosine"),
        ((2, 3), (2, 3), [-1, 1], 0, r"labels of pairs are -1 to 1; give 1 \(same\) or 0 \(not\)"),
    ],
)
def test_what_is_no_batch_of_pairs_is_refused_in_one_line(first, second, same, margin, message):
    with pytest.raises(HandsightError, match=message) as caught:
        identity_loss(torch.ones(first), torch.ones(second), torch.tensor(same), margin)
    assert "\n" not in str(caught.value)
