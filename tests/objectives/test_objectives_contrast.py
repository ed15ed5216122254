import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.objectives import Projector, nt_xent


def reference(first, second, temperature):
    """SimCLR's equation 1, one anchor at a time."""
    rows = np.concatenate([first, second])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    batch = len(first)
    losses = []
    for anchor in range(2 * batch):
        partner = anchor + batch if anchor < batch else anchor - batch
        others = [
            math.exp(float(rows[anchor] @ rows[k]) / temperature) for k in range(2 * batch) if k != anchor
        ]
        losses.append(-math.log(math.exp(float(rows[anchor] @ rows[partner]) / temperature) / sum(others)))
    return sum(losses) / len(losses)


def pair(batch=5, size=7, seed=0, dtype=torch.float32):
    return torch.randn(2, batch, size, generator=torch.Generator().manual_seed(seed), dtype=dtype).unbind()


def test_two_orthogonal_pairs_by_hand():
    # Each anchor's partner has cosine 1, its two other embeddings cosine 0: −log(e¹ / (e¹ + 2)) = 0.5514.
    embeddings = torch.eye(2)
    assert nt_xent(embeddings, embeddings, temperature=1.0).item() == pytest.approx(0.55144, abs=1e-5)


def test_two_unequal_pairs_by_hand():
    # a0 = a1 = (1, 0), b0 = (3, 4) / 5, b1 = (0, 1): cosines a·a 1, a·b0 0.6, a·b1 0, b0·b1 0.8.
    first, second = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    anchors = [
        math.log(math.e + math.exp(0.6) + 1) - 0.6,
        math.log(math.e + math.exp(0.6) + 1) - 0.0,
        math.log(2 * math.exp(0.6) + math.exp(0.8)) - 0.6,
        math.log(2 + math.exp(0.8)) - 0.0,
    ]
    assert nt_xent(first, second, temperature=1.0).item() == pytest.approx(sum(anchors) / 4, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(2, 9),
    size=st.integers(1, 12),
    seed=st.integers(0, 10**6),
    temperature=st.floats(0.05, 5),
)
def test_agrees_with_a_loop(batch, size, seed, temperature):
    first, second = pair(batch, size, seed, torch.float64)
    expected = reference(first.numpy(), second.numpy(), temperature)
    assert nt_xent(first, second, temperature).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_gradient():
    first, second = (side.requires_grad_() for side in pair(4, 3, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.5), (first, second))


def test_order_of_the_batch_and_length_of_embeddings_do_not_matter():
    first, second = pair()
    loss = nt_xent(first, second)
    shuffled = torch.randperm(5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(nt_xent(first[shuffled], second[shuffled]), loss)
    torch.testing.assert_close(nt_xent(second, first), loss)
    lengths = torch.tensor([0.01, 0.5, 1.0, 7.0, 300.0])[:, None]
    torch.testing.assert_close(nt_xent(first * lengths, second / lengths), loss)


def test_descending_brings_partners_together():
    first, second = (side.requires_grad_() for side in pair())
    before = nt_xent(first, second)
    before.backward()
    assert nt_xent(first - first.grad, second - second.grad) < before


def test_is_float32_under_autocast():
    first, second = (side.bfloat16() for side in pair())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nt_xent(first, second)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, nt_xent(first.float(), second.float()), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("first", "second", "temperature", "message"),
    [
        ((1, 4), (1, 4), 0.1, "1 pair.*at least 2"),
        ((3, 4), (2, 4), 0.1, r"\[3, 4\] and \[2, 4\]"),
        ((3, 4, 1), (3, 4, 1), 0.1, r"one shape \[B, D\]"),
        ((3, 4), (3, 4), 0.0, "temperature is 0.0"),
        ((3, 4), (3, 4), float("nan"), "temperature is nan"),
    ],
)
def test_refuses(first, second, temperature, message):
    with pytest.raises(HandsightError, match=message):
        nt_xent(torch.ones(first), torch.ones(second), temperature)


def test_projector_has_the_papers_shape():
    projector = Projector(512)
    assert [tuple(p.shape) for p in projector.parameters() if p.ndim == 2] == [(256, 512), (128, 256)]
    assert projector(torch.randn(4, 512, generator=torch.Generator().manual_seed(0))).shape == (4, 128)
