"""Learning rates and optimisers."""

import pytest
import torch
from torch import nn

from handsight.methods import Optimisation
from handsight.training.optimisation import learning_rate, make_optimiser


def rates(steps=100, **settings):
    made = Optimisation(learning_rate=0.1, **settings)
    return [learning_rate(made, step, steps) for step in range(steps)]


def test_constant_is_constant():
    assert set(rates()) == {0.1}


def test_warmup_grows_linearly_to_the_full_rate_and_goes_on():
    found = rates(warmup_steps=4)
    assert found[:5] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert set(found[4:]) == {0.1}


@pytest.mark.parametrize("warmup", [0, 10])
def test_cosine_is_torchs_after_warmup(warmup):
    found = rates(schedule="cosine", warmup_steps=warmup)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 100 - warmup)
    for rate in found[warmup:]:
        assert rate == pytest.approx(schedule.get_last_lr()[0], abs=1e-9)
        optimiser.step()
        schedule.step()
    assert 0 < found[-1] < 1e-4
    assert found == sorted(found[:warmup]) + sorted(found[warmup:], reverse=True)


@pytest.mark.parametrize("warmup", [0, 10])
def test_steps_are_those_of_mask_rcnn(warmup):
    found = rates(steps=900, schedule="steps", warmup_steps=warmup)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [600, 800])
    for step, rate in enumerate(found):
        if step >= warmup:
            assert rate == pytest.approx(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert len(set(found[warmup:])) == 3


def test_warmup_longer_than_the_run_never_reaches_the_rate():
    assert rates(steps=5, schedule="cosine", warmup_steps=10)[-1] == pytest.approx(0.05)


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_optimisers_take_what_is_trainable(name, kind):
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    module[0].weight.requires_grad_(False)
    optimiser = make_optimiser(module, Optimisation(optimiser=name, learning_rate=0.2, weight_decay=0.3))
    assert type(optimiser) is kind
    (group,) = optimiser.param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in module.parameters() if p.requires_grad]
    assert (group["lr"], group["weight_decay"]) == (0.2, 0.3)
    before = module[0].weight.clone()
    module(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    assert torch.equal(module[0].weight, before)
    if name == "sgd":
        assert group["momentum"] == 0.9


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd", "rmsprop"])
def test_weights_may_join_in_a_later_step(optimiser):
    """A stage trains some weights, the next one all: those that join begin as if it were the first step."""
    early, late = (nn.Linear(1, 1, bias=False) for _ in range(2))
    both = nn.ModuleList([early, late])
    made = make_optimiser(both, Optimisation(optimiser=optimiser, learning_rate=0.1, weight_decay=0.0))
    before = late.weight.item()
    early(torch.ones(1, 1)).sum().backward()
    made.step()
    made.zero_grad()
    assert late.weight.item() == before
    alone = nn.Linear(1, 1, bias=False)
    alone.load_state_dict(late.state_dict())
    fresh = make_optimiser(alone, Optimisation(optimiser=optimiser, learning_rate=0.1, weight_decay=0.0))
    (early(torch.ones(1, 1)) + late(torch.ones(1, 1))).sum().backward()
    alone(torch.ones(1, 1)).sum().backward()
    made.step()
    fresh.step()
    torch.testing.assert_close(late.weight, alone.weight)
