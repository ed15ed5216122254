"""Robust set loss: the latent mask against trying every mask there is."""

import itertools

import pytest
import torch
from torch.nn import functional

from handsight.errors import HandsightError
from handsight.objectives.robust_set import nearest_masks, robust_set_loss


def best_by_trying(logits, mask, overlap):
    """Return the least cross-entropy of any mask near enough."""
    least = torch.inf
    for bits in itertools.product((False, True), repeat=logits.numel()):
        latent = torch.tensor(bits).view_as(mask)
        both, either = (latent & mask).sum(), (latent | mask).sum()
        if both >= overlap * either - 1e-9:
            loss = functional.binary_cross_entropy_with_logits(logits, latent.to(logits), reduction="sum")
            least = min(least, loss.item())
    return least


@pytest.mark.parametrize("overlap", [0.3, 0.5, 0.7, 0.75, 1.0])
def test_the_nearest_mask_is_the_best_of_all(overlap):
    generator = torch.Generator().manual_seed(round(100 * overlap))
    logits = 3 * torch.randn(12, 3, 3, generator=generator, dtype=torch.float64) + 0.5
    masks = torch.rand(12, 3, 3, generator=generator) < torch.linspace(0.1, 0.9, 12)[:, None, None]
    latent = nearest_masks(logits, masks, overlap)
    for said, noisy, found in zip(logits, masks, latent, strict=True):
        assert (found & noisy).sum() >= overlap * (found | noisy).sum() - 1e-9
        loss = functional.binary_cross_entropy_with_logits(said, found.to(said), reduction="sum")
        assert loss.item() == pytest.approx(best_by_trying(said, noisy, overlap), abs=1e-9)


def test_a_prediction_that_is_near_enough_is_its_own_target():
    logits = torch.full((1, 4, 4), -2.0)
    logits[0, :3] = 1.0  # twelve cells
    noisy = torch.zeros(1, 4, 4, dtype=torch.bool)
    noisy[0, :3, 1:] = True  # nine of them: three quarters
    assert torch.equal(nearest_masks(logits, noisy, 0.75), logits > 0)
    assert nearest_masks(logits, noisy, 0.8).sum() == 11  # 9 / 11 is enough, 9 / 12 is not


def test_rounding_does_not_ask_for_a_cell_too_many():
    logits = torch.full((1, 1, 10), -1.0)
    logits[0, 0, :7] = 1.0
    assert nearest_masks(logits, torch.ones(1, 1, 10), 0.7).sum() == 7


def test_with_full_overlap_it_is_cross_entropy_and_nothing_stays_nothing():
    logits, masks = torch.randn(4, 5, 5), torch.rand(4, 5, 5) < 0.5
    masks[0] = False
    assert torch.equal(nearest_masks(logits, masks, 1.0), masks)
    assert not nearest_masks(logits, masks, 0.3)[0].any()
    wanted = functional.binary_cross_entropy_with_logits(logits, masks.float())
    torch.testing.assert_close(robust_set_loss(logits, masks, 1.0), wanted)
    assert robust_set_loss(logits, masks, 0.5) < wanted


def test_gradients_are_those_of_the_cross_entropy_with_the_latent_mask():
    logits = torch.randn(3, 4, 4, requires_grad=True)
    masks = torch.rand(3, 4, 4) < 0.4
    robust_set_loss(logits, masks, 0.6).backward()
    latent = nearest_masks(logits, masks, 0.6)
    torch.testing.assert_close(logits.grad, (logits.detach().sigmoid() - latent.float()) / logits.numel())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (torch.zeros(2, 3, 3), torch.zeros(2, 3, 4)),
            r"logits \[2, 3, 3\] came with masks \[2, 3, 4\]; give",
        ),
        ((torch.zeros(3, 3), torch.zeros(3, 3)), r"logits \[3, 3\] came with masks \[3, 3\]; give maps"),
        (
            (torch.zeros(1, 3, 3), torch.zeros(1, 3, 3), 0.0),
            "overlap is 0.0; give a bound above 0, at most 1",
        ),
        ((torch.zeros(0, 3, 3), torch.zeros(0, 3, 3)), "the batch of masks is empty; give at least one"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, message):
    with pytest.raises(HandsightError, match=message) as caught:
        robust_set_loss(*arguments)
    assert "\n" not in str(caught.value)
