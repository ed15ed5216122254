"""Push: two pictures through one tower, and the push between them."""

import torch
from torch.nn import functional

from handsight.objectives import PushHead, TargetNormalisation, mean_squared_error


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_layers_are_the_papers():
    with torch.device("meta"):
        head = PushHead((384, 13, 13))
    weights = [tuple(each.shape) for each in head.parameters() if each.ndim > 1]
    assert weights == [(48, 384, 3, 3), (1024, 96 * 13 * 13), (5, 1024)]
    maps = torch.empty(2, 384, 13, 13, device="meta")
    assert head(maps, maps).shape == (2, 5)
    by_hand = 48 * (9 * 384 + 1) + 1024 * (96 * 169 + 1) + 5 * (1024 + 1)
    assert sum(each.numel() for each in head.parameters()) == by_hand


def test_the_towers_share_weights_and_their_maps_lie_side_by_side():
    torch.manual_seed(0)
    head, before, after = (
        PushHead((3, 4, 5), out=4, width=0.125),
        normal(2, 3, 4, 5),
        normal(2, 3, 4, 5, seed=1),
    )
    kernel, shift, inner, inner_shift, outer, outer_shift = head.parameters()
    assert kernel.shape == (6, 3, 3, 3)
    seen = [functional.conv2d(each, kernel, shift, padding=1).relu() for each in (before, after)]
    hidden = (torch.cat(seen, dim=1).flatten(1) @ inner.T + inner_shift).relu()
    torch.testing.assert_close(head(before, after), hidden @ outer.T + outer_shift)
    assert not torch.allclose(head(before, after), head(after, before))


def test_the_towers_gradients_are_summed():
    torch.manual_seed(0)
    head, before, after = PushHead((3, 4, 4), width=0.25), normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)
    head(before, after).square().mean().backward()
    total = head.tower[1].weight.grad.clone()
    kernel = head.tower[1].weight.detach()
    twins = [kernel.clone().requires_grad_() for _ in range(2)]
    seen = [
        functional.conv2d(each, twin, head.tower[1].bias, padding=1).relu()
        for each, twin in zip((before, after), twins, strict=True)
    ]
    head.told(torch.cat(seen, dim=1)).square().mean().backward()
    torch.testing.assert_close(total, twins[0].grad + twins[1].grad)


def test_a_push_can_be_learned_in_its_own_units():
    # What moved lies at the place where it was pushed from, then at the one where it was pushed to.
    torch.manual_seed(0)
    start, end = torch.randint(4, (64, 2)), torch.randint(4, (64, 2))
    before, after = torch.zeros(64, 1, 4, 4), torch.zeros(64, 1, 4, 4)
    rows = torch.arange(64)
    before[rows, 0, start[:, 0], start[:, 1]] = 1
    after[rows, 0, end[:, 0], end[:, 1]] = 1
    push_m = torch.cat([start, end], dim=1) * 0.05 + 0.3
    normalisation = TargetNormalisation.of(push_m)
    head = PushHead((1, 4, 4), out=4, width=0.125)
    optimiser = torch.optim.RMSprop(head.parameters(), lr=1e-3)
    for _ in range(150):
        loss = mean_squared_error(head(before, after), normalisation(push_m))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1  # saying the mean gives 1
    told_m = normalisation.undo(head(before, after))
    assert (told_m - push_m).abs().mean() < 0.025  # half a cell
