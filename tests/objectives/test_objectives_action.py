import warnings

import pytest
import torch

from handsight.errors import HandsightError
from handsight.objectives import ActionHead, ActionNormalisation, PairHead, nt_xent


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_action_head_ends_in_a_batch_norm_without_scale_and_shift():
    head = ActionHead(3)
    embedded = head(normal(64, 3))
    torch.testing.assert_close(embedded.mean(dim=0), torch.zeros(128), atol=1e-5, rtol=0)
    # Batch norm divides by √(variance + 1e-5), so small variances stay below 1.
    assert ((embedded.var(dim=0, correction=0) - 1).abs() < 0.02).all()
    assert [tuple(p.shape) for p in head.parameters() if p.ndim == 2] == [(256, 3), (128, 256)]


def test_pair_head_concatenates_as_wide_as_the_paper():
    head = PairHead(512)
    assert [tuple(p.shape) for p in head.parameters() if p.ndim == 2] == [(1024, 1024), (128, 1024)]
    first, second = normal(4, 512), normal(4, 512, seed=1)
    head.eval()
    torch.testing.assert_close(head(first, second), head.projector(torch.cat([first, second], dim=1)))
    assert not torch.allclose(head(first, second), head(second, first))


def test_pair_head_of_differences_sees_only_the_difference():
    head = PairHead(8, out=4, combine="difference").eval()
    first, second, shift = normal(5, 8), normal(5, 8, seed=1), normal(1, 8, seed=2)
    torch.testing.assert_close(head(first + shift, second + shift), head(first, second), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(head(first, second), head.projector(second - first))


def test_pair_head_refuses_an_unknown_combination():
    with pytest.raises(HandsightError, match="combine is 'sum'; it can be one of concatenate, difference"):
        PairHead(8, combine="sum")


def test_alignment_can_be_learned():
    # The action is what separates the two representations; chance is log(2B − 1).
    torch.manual_seed(0)
    first, action = normal(32, 8), normal(32, 3, seed=1)
    second = first + action @ normal(3, 8, seed=2)
    actions, pairs = ActionHead(3, 32, 16), PairHead(8, 16)
    optimiser = torch.optim.Adam([*actions.parameters(), *pairs.parameters()], lr=1e-2)
    for _ in range(40):
        loss = nt_xent(actions(action), pairs(first, second))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.5 * torch.tensor(63.0).log().item()


def test_normalisation_brings_mean_0_and_deviation_1():
    actions = normal(500, 3) * torch.tensor([0.01, 1.0, 400.0]) + torch.tensor([5.0, 0.0, -1000.0])
    normalised = ActionNormalisation.of(actions)(actions)
    torch.testing.assert_close(normalised.mean(dim=0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(normalised.std(dim=0, correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_constant_numbers_are_dropped_and_said():
    actions = torch.stack([normal(50), torch.full((50,), 0.1), normal(50, seed=1), torch.zeros(50)], dim=1)
    with pytest.warns(
        UserWarning, match=r"numbers 1 \('grip'\), 3 \('roll'\) never change.* and are dropped"
    ):
        normalisation = ActionNormalisation.of(actions, names=["x", "grip", "y", "roll"])
    assert normalisation.size == 2
    torch.testing.assert_close(
        normalisation(actions), ActionNormalisation.of(actions[:, [0, 2]])(actions[:, [0, 2]])
    )
    assert normalisation(actions).isfinite().all()


def test_one_constant_number_is_said_in_the_singular():
    with pytest.warns(UserWarning, match="action number 1 never changes in the training set and is dropped"):
        ActionNormalisation.of(torch.stack([normal(50), torch.ones(50)], dim=1))


def test_normalisation_is_saved_with_what_it_dropped():
    actions = torch.stack([normal(50), torch.ones(50), normal(50, seed=1)], dim=1)
    with pytest.warns(UserWarning, match="number 1 never"):
        measured = ActionNormalisation.of(actions)
    loaded = ActionNormalisation.identity(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded.load_state_dict(measured.state_dict())
    assert loaded.size == 2
    torch.testing.assert_close(loaded(actions), measured(actions), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (torch.ones(9, 3), "none of the 3 action numbers ever changes"),
        (torch.tensor([[0.0, 1.0], [1.0, float("nan")]]), "number 1 .'b'. is not finite"),
        (torch.ones(1, 2), r"shape \[1, 2\]"),
        (torch.ones(4), r"shape \[4\]"),
    ],
)
def test_normalisation_refuses(actions, message):
    with pytest.raises(HandsightError, match=message):
        ActionNormalisation.of(actions, names=["a", "b"] if actions.shape[-1] == 2 else None)


def test_normalisation_refuses_actions_of_another_length():
    with pytest.raises(HandsightError, match="an action has 4 numbers; the normalisation was measured on 3"):
        ActionNormalisation.identity(3)(torch.ones(2, 4))


def test_numbers_on_one_scale_are_left_as_they_are():
    actions = torch.stack([3 * normal(50) + 1, torch.full((50,), 0.2)], dim=1)
    normalisation = ActionNormalisation.of(actions, as_is=torch.tensor([False, True]))
    found = normalisation(actions)
    assert found[:, 1].equal(actions[:, 1])
    torch.testing.assert_close(found[:, 0], ActionNormalisation.of(actions[:, :1])(actions[:, :1])[:, 0])
