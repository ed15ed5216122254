"""BYOL and VICReg, alone, through time and under the action signal, against their losses put together."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from handsight.augmentation import Augmentation
from handsight.errors import HandsightError
from handsight.methods import METHODS, Optimisation
from handsight.methods.momentum import SlowCopy
from handsight.methods.visual import visual_objective
from handsight.objectives import byol, nt_xent, vicreg
from handsight.recordings import Clips, Sampler
from handsight.training.batches import Batches
from handsight.training.optimisation import make_optimiser
from handsight.training.processes import synchronise_batch_norm

NARROW = {"projector_hidden": 16, "projector_size": 8}


def make(name, tiny_network, seed=0, **options):
    torch.manual_seed(seed)
    return METHODS[name](**tiny_network, **{**NARROW, **options})


def prepared(method, shapes):
    sampler = Sampler(Clips([shapes], size=16), method.needs, 12, seed=0)
    torch.manual_seed(1)
    method.prepare(sampler)
    return sampler


def draw(method, shapes, step=0):
    batches = Batches(prepared(method, shapes), method, 0, torch.device("cpu"))
    drawn = batches.get(step, 0, 1, None)
    batches.close()
    return drawn


def visual_loss(name, method, first, second):
    """Return BYOL's or VICReg's loss of two views, each network called anew by its formula."""
    visual = method.visual
    one, other = method.encoder(first), method.encoder(second)
    if name == "vicreg":
        return vicreg(visual.expander(one), visual.expander(other))
    told = [visual.predictor(visual.projector(side)) for side in (one, other)]
    with torch.no_grad():
        slow = [visual.slow_projector.module(visual.slow_encoder.module(view)) for view in (first, second)]
    units = [[functional.normalize(side, dim=1) for side in sides] for sides in (told, slow)]
    crossed = ((units[0][0] - units[1][1]) ** 2).sum(1) + ((units[0][1] - units[1][0]) ** 2).sum(1)
    return crossed.mean()


@pytest.mark.parametrize("through_time", [False, True])
@pytest.mark.parametrize("visual", ["byol", "vicreg"])
def test_losses_are_those_of_the_two_views(visual, through_time, tiny_network, shapes):
    method = make(visual + "-tt" * through_time, tiny_network)
    drawn = draw(method, shapes)
    views = drawn["pair" if through_time else "image"]["views"]
    assert views.shape[:2] == (12, 2)
    (group,) = method.losses(drawn)
    (loss,) = group.values()
    torch.testing.assert_close(loss, visual_loss(visual, method, views[:, 0], views[:, 1]))


@pytest.mark.parametrize("visual", ["byol", "vicreg"])
def test_the_action_stands_beside_any_visual_objective(visual, tiny_network, shapes):
    options = {"visual_weight": 0.5, "action_weight": 2.0, "action_embedding_size": 24}
    method = make("action-aware", tiny_network, visual=visual, **options)
    drawn = draw(method, shapes)
    batch = drawn["pair"]
    first, second = batch["views"].unbind(1)
    (group,) = method.losses(drawn)
    assert list(group) == [{"byol": "bootstrap", "vicreg": "vicreg"}[visual], "action"]
    alike, action = group.values()
    torch.testing.assert_close(alike, 0.5 * visual_loss(visual, method, first, second))
    seen = method.pair_head(method.encoder(first), method.encoder(second))
    assert seen.shape == (12, 24)
    torch.testing.assert_close(action, 2 * nt_xent(method.action_head(batch["action"]), seen, 0.1))


@pytest.mark.parametrize("visual", ["nt-xent", "byol", "vicreg"])
def test_without_action_weight_it_is_the_visual_objective_through_time(visual, tiny_network, shapes):
    alone = make({"nt-xent": "simclr"}.get(visual, visual) + "-tt", tiny_network)
    method = make("action-aware", tiny_network, visual=visual, action_weight=0.0)
    prepared(method, shapes)
    drawn = draw(alone, shapes)
    drawn["pair"]["action"] = prepared(method, shapes).batch("pair", 0)["action"]
    (wanted,), (found,) = alone.losses(drawn), method.losses(drawn)
    assert found.pop("action") == 0
    assert found.keys() == wanted.keys()
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("visual", "widths"),
    [
        ("nt-xent", [(256, 8), (128, 256)]),
        ("byol", [(4096, 8), (256, 4096), (4096, 256), (256, 4096)]),
        ("vicreg", [(2048, 8), (2048, 2048), (2048, 2048)]),
    ],
)
def test_widths_that_are_not_said_are_the_objectives_own(visual, widths, tiny_network):
    method = METHODS["action-aware"](**tiny_network, visual=visual)
    learned = [p for p in method.visual.parameters() if p.requires_grad and p.ndim == 2]
    assert [tuple(p.shape) for p in learned] == widths
    assert method.pair_head.projector[-1].out_features == 128


def test_an_unknown_visual_objective_and_negative_noise_are_refused(tiny_network):
    with pytest.raises(HandsightError, match="visual is 'moco'; it can be one of nt-xent, byol, vicreg"):
        make("action-aware", tiny_network, visual="moco")
    with pytest.raises(HandsightError, match=r"action_noise is -0\.1; it must be at least 0"):
        make("action-aware", tiny_network, action_noise=-0.1)
    with pytest.raises(HandsightError, match=r"momentum is 1\.5; it lies between 0 and 1"):
        make("byol", tiny_network, momentum=1.5)


def test_the_slow_network_is_fed_with_its_own_features(tiny_network, shapes):
    method = make("byol", tiny_network, momentum=0.5)
    drawn = draw(method, shapes)
    before = next(method.losses(drawn))["bootstrap"].item()
    with torch.no_grad():
        for parameter in method.visual.slow_encoder.parameters():
            parameter.add_(torch.randn_like(parameter))
    after = next(method.losses(drawn))["bootstrap"].item()
    assert after != before  # the target comes through the slow encoder …
    views = drawn["image"]["views"]
    slow = [method.visual.slow_projector(method.visual.slow_encoder(views[:, view])) for view in (0, 1)]
    told = [
        method.visual.predictor(method.visual.projector(method.encoder(views[:, view]))) for view in (0, 1)
    ]
    assert after == pytest.approx((byol(told[0], slow[1]) + byol(told[1], slow[0])).item())  # … and crossed


def test_slow_weights_take_no_gradient_and_no_optimiser_and_follow_by_the_formula(tiny_network, shapes):
    method = make("byol-tt", tiny_network, momentum=0.9)
    slow = {
        **named("encoder", method.visual.slow_encoder),
        **named("projector", method.visual.slow_projector),
    }
    fast = {**named("encoder", method.encoder), **named("projector", method.visual.projector)}
    assert slow.keys() == fast.keys()
    optimiser = make_optimiser(method, Optimisation(learning_rate=1e-2))
    owned = {id(parameter) for group in optimiser.param_groups for parameter in group["params"]}
    assert not owned & {id(parameter) for parameter in slow.values()}
    assert {id(parameter) for parameter in fast.values()} <= owned
    before = {key: parameter.detach().clone() for key, parameter in slow.items()}
    for key in before:
        assert torch.equal(before[key], fast[key]), key
    sum(next(method.losses(draw(method, shapes))).values()).backward()
    assert all(parameter.grad is None for parameter in slow.values())
    optimiser.step()
    assert all(torch.equal(parameter, before[key]) for key, parameter in slow.items())
    method.after_step(0)
    for key, parameter in slow.items():
        wanted = 0.9 * before[key] + 0.1 * fast[key].detach()
        torch.testing.assert_close(parameter.detach(), wanted, msg=key)
    assert any(not torch.equal(parameter, before[key]) for key, parameter in slow.items())


def named(part, module):
    module = module.module if isinstance(module, SlowCopy) else module
    return {f"{part}.{key}": parameter for key, parameter in module.named_parameters()}


def test_a_slow_copy_follows_after_batch_norm_is_made_global(tiny_network, monkeypatch):
    method = make("byol", tiny_network)
    monkeypatch.setattr("handsight.training.processes.world_size", lambda: 2)
    synchronise_batch_norm(method)
    kinds = [
        [type(m).__name__ for m in part.modules()]
        for part in (method.encoder, method.visual.slow_encoder.module)
    ]
    assert kinds[0] == kinds[1]
    assert "_SynchronisedNorm" in kinds[0]
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.fill_(2.0)
    method.visual.slow_encoder.momentum = 0.0
    method.visual.slow_encoder.follow(method.encoder)
    assert all((parameter == 2).all() for parameter in method.visual.slow_encoder.parameters())


def test_a_slow_copys_momentum_decides(tiny_network):
    module = torch.nn.Linear(3, 2)
    still, at_once = SlowCopy(module, 1.0), SlowCopy(module, 0.0)
    kept = copy.deepcopy(module)
    with torch.no_grad():
        module.weight.add_(1)
    for slow in (still, at_once):
        slow.follow(module)
    assert torch.equal(still.module.weight, kept.weight)
    assert torch.equal(at_once.module.weight, module.weight)


def test_objectives_by_name_take_the_encoders_size(tiny_network):
    encoder = make("simclr", tiny_network).encoder
    for name, first in (("nt-xent", "projector"), ("byol", "projector"), ("vicreg", "expander")):
        objective = visual_objective(name, encoder, hidden=5, out=3)
        assert getattr(objective, first)[0].in_features == encoder.embedding_size == 8


@pytest.mark.parametrize("stream", ["action", "observation.state"])
@pytest.mark.filterwarnings("ignore:action number .* never changes")
def test_noise_has_its_size_in_the_actions_own_deviations(stream, tiny_network, shapes):
    method = make("action-aware", tiny_network, stream=stream, action_noise=0.5)
    drawn, heard = draw(method, shapes), []
    method.action_head.register_forward_hook(lambda module, given, out: heard.append(given[0]))
    for seed in range(200):
        torch.manual_seed(seed)
        next(method.losses(drawn))
    quiet = method.actions(drawn["pair"])
    noise = torch.stack(heard) - quiet
    assert noise.std() == pytest.approx(0.5, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(noise.flatten(0, 1).std(dim=0), 0.5, rtol=0.1)
    torch.manual_seed(0)
    next(method.losses(drawn))
    assert torch.equal(heard[-1], heard[0])  # the loop seeds each step


def test_a_noisy_run_that_was_resumed_is_the_run_in_one_go(tiny_network, shapes, tmp_path):
    from handsight.training import pretrain, read_log

    class Killed(Exception):
        pass

    def kill(done, total, entry):
        if done == 3:
            raise Killed

    augmentation = Augmentation(size=16, jitter_probability=0, grey_probability=0)
    settings = {"steps": 4, "batch_size": 12, "log_every": 1, "checkpoint_every": 2}
    folders = tmp_path / "whole", tmp_path / "cut"
    for folder, progress in ((folders[0], None), (folders[1], kill), (folders[1], None)):
        method = make("action-aware", tiny_network, action_noise=1.0, augmentation=augmentation)
        try:
            pretrain(method, shapes, out=folder, progress=progress, **settings)
        except Killed:
            continue
    losses = [[(entry["contrast"], entry["action"]) for entry in read_log(folder)] for folder in folders]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4
