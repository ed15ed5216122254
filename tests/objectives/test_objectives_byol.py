import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.objectives import byol


def reference(prediction, target):
    """BYOL's equation 2, a row at a time: the squared distance of two unit vectors."""
    distances = []
    for one, other in zip(prediction.tolist(), target.tolist(), strict=True):
        lengths = [sum(x * x for x in row) ** 0.5 for row in (one, other)]
        distances.append(sum((a / lengths[0] - b / lengths[1]) ** 2 for a, b in zip(one, other, strict=True)))
    return sum(distances) / len(distances)


def test_by_hand():
    # The same direction gives 0, a right angle 2, the opposite 4; lengths do not matter.
    prediction = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.5, 0.0]])
    target = torch.tensor([[1.0, 0.0], [0.0, 7.0], [-2.0, 0.0]])
    each = [byol(prediction[row : row + 1], target[row : row + 1]).item() for row in range(3)]
    assert each == pytest.approx([0, 2, 4])
    assert byol(prediction, target).item() == pytest.approx(2)


@settings(deadline=None, max_examples=30)
@given(batch=st.integers(1, 9), size=st.integers(1, 12), seed=st.integers(0, 10**6))
def test_agrees_with_a_loop(batch, size, seed):
    prediction, target = np.random.default_rng(seed).normal(size=(2, batch, size))
    found = byol(torch.from_numpy(prediction), torch.from_numpy(target))
    assert found.item() == pytest.approx(reference(prediction, target), rel=1e-9, abs=1e-12)


def test_no_gradient_reaches_the_target():
    prediction, target = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    prediction.requires_grad_()
    target.requires_grad_()
    byol(prediction, target).backward()
    assert target.grad is None
    assert prediction.grad.abs().sum() > 0


@pytest.mark.parametrize(("first", "second"), [((3, 4), (2, 4)), ((3, 4, 1), (3, 4, 1)), ((0, 4), (0, 4))])
def test_refuses(first, second):
    with pytest.raises(HandsightError, match=r"byol got embeddings .*; give two of one shape \[B, D\], B at"):
        byol(torch.ones(first), torch.ones(second))
