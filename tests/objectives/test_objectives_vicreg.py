import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.objectives import Expander, vicreg


def reference(first, second, invariance, variance, covariance):
    """VICReg's equations 1 to 6, number by number."""
    batch, size = first.shape
    agree = sum((first[n, d] - second[n, d]) ** 2 for n in range(batch) for d in range(size)) / (batch * size)
    vary = differ = 0.0
    for side in (first, second):
        means = [sum(side[n, d] for n in range(batch)) / batch for d in range(size)]

        def shared(i, j, side=side, means=means):
            products = [(side[n, i] - means[i]) * (side[n, j] - means[j]) for n in range(batch)]
            return sum(products) / (batch - 1)

        vary += sum(max(0.0, 1 - (shared(d, d) + 1e-4) ** 0.5) for d in range(size)) / size / 2
        differ += sum(shared(i, j) ** 2 for i in range(size) for j in range(size) if i != j) / size
    return invariance * agree + variance * vary + covariance * differ


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((1, 0, 0), (0 + 1 + 0 + 1) / 4),
        ((0, 1, 0), ((0 + 1 - 0.01) / 2 + 0) / 2),
        ((0, 0, 1), 0 + (2**2 + 2**2) / 2),
    ],
)
def test_two_pairs_by_hand(weights, expected):
    # Variances (2, 0) and (2, 2), covariances 0 and 2; √(0 + 1e-4) = 0.01.
    first, second = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert vicreg(first, second, *map(float, weights)).item() == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(2, 7),
    size=st.integers(1, 6),
    seed=st.integers(0, 10**6),
    weights=st.tuples(*[st.floats(0, 30)] * 3),
)
def test_agrees_with_loops(batch, size, seed, weights):
    first, second = np.random.default_rng(seed).normal(scale=0.8, size=(2, batch, size))
    found = vicreg(torch.from_numpy(first), torch.from_numpy(second), *weights)
    assert found.item() == pytest.approx(reference(first, second, *weights), rel=1e-9, abs=1e-12)


def test_a_shift_of_both_sides_changes_nothing():
    first, second = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = torch.tensor([5.0, -2.0, 0.1, 30.0], dtype=torch.float64)
    torch.testing.assert_close(vicreg(first + shift, second + shift), vicreg(first, second))


def test_what_has_collapsed_costs_most_and_can_get_away():
    generator = torch.Generator().manual_seed(0)
    collapsed = 1e-3 * torch.randn(8, 4, generator=generator)
    spread = torch.linalg.qr(torch.randn(8, 4, generator=generator))[0]
    spread = (spread - spread.mean(dim=0)) * 4
    assert vicreg(collapsed, collapsed) > 20 > vicreg(spread, spread)
    collapsed.requires_grad_()
    vicreg(collapsed, collapsed).backward()
    assert collapsed.grad.abs().sum() > 0.01


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((1, 4), (1, 4), r"vicreg got 1 pair\(s\); a deviation takes at least 2: make the batch larger"),
        ((3, 4), (2, 4), r"\[3, 4\] and \[2, 4\]; give two of one shape"),
        ((3, 4, 1), (3, 4, 1), r"one shape \[B, D\]"),
    ],
)
def test_refuses(first, second, message):
    with pytest.raises(HandsightError, match=message):
        vicreg(torch.ones(first), torch.ones(second))


def test_expander_has_two_hidden_layers():
    expander = Expander(512)
    widths = [tuple(p.shape) for p in expander.parameters() if p.ndim == 2]
    assert widths == [(2048, 512), (2048, 2048), (2048, 2048)]
