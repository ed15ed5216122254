"""Regression: squared differences of targets on one scale, and the way back to their units."""

import pytest
import torch
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives import TargetNormalisation, mean_squared_error


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_loss_is_torchs():
    prediction, target = normal(6, 5).requires_grad_(), normal(6, 5, seed=1)
    loss = mean_squared_error(prediction, target)
    wanted = functional.mse_loss(prediction, target)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(*(torch.autograd.grad(each, prediction)[0] for each in (loss, wanted)))
    by_hand = sum((p - t) ** 2 for p, t in zip(prediction.flatten(), target.flatten(), strict=True)) / 30
    torch.testing.assert_close(loss, by_hand)


def test_loss_has_the_right_gradient():
    target = normal(3, 2, seed=1).double()
    predictions = [normal(3, 2).double().requires_grad_()]
    assert torch.autograd.gradcheck(lambda p: mean_squared_error(p, target), predictions)


@pytest.mark.parametrize("shape", [(3, 2), (4, 5), (0, 5), (5,)])
def test_what_is_not_of_one_shape_is_refused(shape):
    with pytest.raises(
        HandsightError, match=r"target \[4, 2\]; give two of one shape \[B, N\], B at least 1"
    ):
        mean_squared_error(torch.zeros(shape), torch.zeros(4, 2))


def test_targets_have_mean_0_and_deviation_1_and_come_back():
    targets = normal(500, 3) * torch.tensor([0.01, 1.0, 400.0]) + torch.tensor([5.0, 0.0, -1000.0])
    normalisation = TargetNormalisation.of(targets)
    found = normalisation(targets)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.std(dim=0, correction=0), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalisation.undo(found), targets, rtol=1e-5, atol=1e-4)


def test_the_scale_and_origin_of_what_was_measured_make_no_difference():
    targets = normal(50, 2)
    moved = 1000 * targets - 7  # millimetres from another origin
    found = TargetNormalisation.of(moved)(moved)
    torch.testing.assert_close(found, TargetNormalisation.of(targets)(targets), rtol=1e-4, atol=1e-5)


def test_a_number_that_never_changes_is_said_and_becomes_0():
    targets = torch.stack([normal(50), torch.full((50,), 0.1), normal(50, seed=1)], dim=1)
    with pytest.warns(
        UserWarning, match=r"numbers 1 \('height'\) never changes .*; nothing is learned from it"
    ):
        normalisation = TargetNormalisation.of(targets, names=["x", "height", "y"])
    found = normalisation(targets)
    assert found.shape == (50, 3)
    assert (found[:, 1].abs() < 1e-6).all()
    torch.testing.assert_close(normalisation.undo(found)[:, 1], targets[:, 1])


def test_normalisation_is_saved_and_moves_with_its_module():
    measured, loaded = TargetNormalisation.of(normal(50, 4)), TargetNormalisation.identity(4)
    targets = normal(3, 4, seed=1)
    assert torch.equal(loaded(targets), targets)
    loaded.load_state_dict(measured.state_dict())
    assert torch.equal(loaded(targets), measured(targets))
    assert {name for name, _ in measured.named_buffers()} == set(measured.state_dict()) == {"mean", "std"}


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.ones(9, 2), "none of the 2 target numbers ever changes"),
        (torch.tensor([[0.0, 1.0], [1.0, float("inf")]]), r"target number 1 \('b'\) is not finite"),
        (torch.ones(1, 2), r"shape \[1, 2\]; give \[M, N\] with at least 2"),
        (torch.ones(4), r"shape \[4\]"),
    ],
)
def test_targets_that_cannot_be_measured_are_refused(targets, message):
    with pytest.raises(HandsightError, match=message):
        TargetNormalisation.of(targets, names=["a", "b"])


def test_targets_of_another_length_are_refused():
    with pytest.raises(HandsightError, match="a target has 3 numbers; the normalisation was measured on 2"):
        TargetNormalisation.identity(2)(torch.ones(4, 3))
