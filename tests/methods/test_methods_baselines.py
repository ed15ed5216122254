"""CIPER and EquiMod, the paper's baselines, against their losses put together by hand."""

import pytest
import torch

from handsight.methods import METHODS
from handsight.objectives import nt_xent
from handsight.recordings import Clips, Sampler
from handsight.training.batches import Batches


def draw(name, tiny_network, shapes, **options):
    """Return a prepared method and a batch."""
    torch.manual_seed(0)
    method = METHODS[name](**tiny_network, temperature=0.2, visual_weight=0.5, action_weight=3.0, **options)
    sampler = Sampler(Clips([shapes], size=16), method.needs, 12, seed=0)
    torch.manual_seed(1)
    method.prepare(sampler)
    batches = Batches(sampler, method, 0, torch.device("cpu"))
    drawn = batches.get(0, 0, 1, None)
    batches.close()
    return method, drawn


def embedded(method, drawn):
    return [method.encoder(drawn["pair"]["views"][:, frame]) for frame in (0, 1)]


@pytest.mark.parametrize("name", ["ciper", "equimod"])
def test_the_contrast_is_simclrs_through_time(name, tiny_network, shapes):
    method, drawn = draw(name, tiny_network, shapes)
    projected = [method.visual.projector(side) for side in embedded(method, drawn)]
    torch.testing.assert_close(next(method.losses(drawn))["contrast"], 0.5 * nt_xent(*projected, 0.2))


@pytest.mark.filterwarnings("ignore:action number .* never changes")
@pytest.mark.parametrize("stream", ["action", "observation.state"])
def test_ciper_regresses_the_action_from_both_frames(stream, tiny_network, shapes):
    method, drawn = draw("ciper", tiny_network, shapes, stream=stream)
    action = method.actions(drawn["pair"])
    told = method.action_prediction.projector(torch.cat(embedded(method, drawn), dim=1))
    assert told.shape == action.shape == (12, 2)
    squares = [(told[row, d] - action[row, d]) ** 2 for row in range(12) for d in range(2)]
    torch.testing.assert_close(next(method.losses(drawn))["action"], 3.0 * sum(squares) / 24)


def test_equimod_tells_the_second_frame_from_the_first_and_the_action(tiny_network, shapes):
    method, drawn = draw("equimod", tiny_network, shapes, equivariant_hidden=12)
    before, after = (method.equivariant(side) for side in embedded(method, drawn))
    action = method.predictor.action(drawn["pair"]["action"])
    told = method.predictor.moved(torch.cat([before, action], dim=1))
    torch.testing.assert_close(next(method.losses(drawn))["action"], 3.0 * nt_xent(told, after, 0.2))
    # What is told is of the second frame: the other way round it is another loss.
    swapped = {"pair": {**drawn["pair"], "views": drawn["pair"]["views"].flip(1)}}
    assert next(method.losses(swapped))["action"] != next(method.losses(drawn))["action"]
