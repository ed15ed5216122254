"""Grasp: only the attempted angle learns, and a grasp is chosen with its neighbours in mind."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from handsight.errors import HandsightError
from handsight.objectives import GraspHead, grasp_loss
from handsight.objectives.grasp import angle_bins, log_odds, smoothed


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def drawn(batch=12, angles=18, seed=0):
    generator = torch.Generator().manual_seed(seed)
    angle = torch.randint(angles, (batch,), generator=generator)
    success = torch.randint(2, (batch,), generator=generator)
    return torch.randn(batch, 2 * angles, generator=generator), angle, success


def test_layers_are_the_papers():
    with torch.device("meta"):
        head = GraspHead((384, 13, 13))
    weights = [tuple(each.shape) for each in head.parameters() if each.ndim > 1]
    assert weights == [(256, 384, 3, 3), (4096, 256 * 6 * 6), (1024, 4096), (36, 1024)]
    assert head(torch.empty(2, 384, 13, 13, device="meta")).shape == (2, 36)
    by_hand = 256 * (9 * 384 + 1) + 4096 * (9216 + 1) + 1024 * (4096 + 1) + 36 * (1024 + 1)
    assert sum(each.numel() for each in head.parameters()) == by_hand


def test_the_head_is_one_of_torchs_own_layers():
    torch.manual_seed(0)
    head, maps = GraspHead((3, 7, 8), angles=5, width=1 / 32), normal(4, 3, 7, 8)
    layers = [nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(8 * 9, 128)]
    theirs = nn.Sequential(*layers, nn.ReLU(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 10))
    theirs.load_state_dict(dict(zip(theirs.state_dict(), head.state_dict().values(), strict=True)))
    torch.testing.assert_close(head(maps), theirs(maps))


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 2, 2), (4, 1, 6), (4,)])
def test_maps_of_few_pixels_are_pooled_whole(shape):
    head = GraspHead(shape, angles=3, width=1 / 64)
    assert head(normal(2, *shape)).shape == (2, 6)


def test_loss_is_the_softmax_of_the_attempted_pair():
    scores, angle, success = drawn()
    wanted = 0.0
    for row, number, held in zip(scores.double().numpy(), angle.tolist(), success.tolist(), strict=True):
        pair = row[2 * number : 2 * number + 2]
        wanted -= math.log(np.exp(pair[held]) / np.exp(pair).sum())
    assert grasp_loss(scores, angle, success).item() == pytest.approx(wanted / len(scores), abs=1e-6)


def test_a_pair_of_scores_is_a_sigmoid_of_their_difference():
    # The released grasp network has one score an angle; the paper two: they say the same.
    scores, angle, success = drawn()
    odds = log_odds(scores).gather(1, angle[:, None])[:, 0]
    wanted = nn.functional.binary_cross_entropy_with_logits(odds, success.float())
    torch.testing.assert_close(grasp_loss(scores, angle, success), wanted)


def test_only_the_attempted_angles_scores_get_gradient():
    scores, angle, success = drawn()
    scores.requires_grad_()
    grasp_loss(scores, angle, success).backward()
    reached = scores.grad.view(12, 18, 2) != 0
    attempted = nn.functional.one_hot(angle, 18).bool()
    assert reached[attempted].all()
    assert not reached[~attempted].any()


def test_only_the_attempted_angles_classifier_learns():
    torch.manual_seed(0)
    head = GraspHead((3, 5, 5), width=1 / 32)
    grasp_loss(head(normal(4, 3, 5, 5)), torch.tensor([2, 2, 7, 7]), torch.tensor([0, 1, 1, 0])).backward()
    learned = head[-1].bias.grad.view(18, 2).ne(0)
    assert learned.any(dim=1).nonzero()[:, 0].tolist() == [2, 7]
    assert learned[[2, 7]].all()
    assert head[-1].weight.grad.view(18, 2, -1).ne(0).any(dim=-1).any(dim=-1).nonzero()[:, 0].tolist() == [
        2,
        7,
    ]


def test_loss_has_the_right_gradient():
    scores, angle, success = drawn(4, 3)
    assert torch.autograd.gradcheck(
        lambda s: grasp_loss(s, angle, success), [scores.double().requires_grad_()]
    )


def test_turning_the_angles_of_scores_and_labels_alike_changes_nothing():
    scores, angle, success = drawn()
    turned = scores.view(12, 18, 2).roll(5, 1).reshape(12, 36)
    torch.testing.assert_close(
        grasp_loss(turned, (angle + 5) % 18, success), grasp_loss(scores, angle, success)
    )


def test_successes_may_be_booleans_or_floats():
    scores, angle, success = drawn()
    wanted = grasp_loss(scores, angle, success)
    assert torch.equal(grasp_loss(scores, angle, success.bool()), wanted)
    assert torch.equal(grasp_loss(scores, angle, success.float()), wanted)


def test_angles_are_numbered_by_tens_of_degrees_over_half_a_turn():
    degrees = torch.tensor([0.0, 4.9, 5.1, 10, 170, 174.9, 175.1, 180, 185.1, -10, -5.1, 350])
    wanted = torch.tensor([0, 0, 1, 1, 17, 17, 0, 0, 1, 17, 17, 17])
    assert torch.equal(angle_bins(torch.deg2rad(degrees)), wanted)
    assert angle_bins(torch.deg2rad(degrees)).dtype == torch.int64
    assert angle_bins(torch.arange(4) * math.pi / 4, angles=4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("angle", [math.nan, math.inf, -math.inf])
def test_an_angle_that_is_no_number_has_no_bin(angle):
    with pytest.raises(HandsightError) as caught:
        angle_bins(torch.tensor([0.1, 0.2, angle]))
    assert str(caught.value) == (
        f"angle 2 of 3 grasps is {angle}; "
        "give finite numbers, in rad: repair the recording or leave those episodes out"
    )


def test_half_a_turn_of_the_hand_makes_no_difference():
    angle_rad = normal(200).double() * 3
    assert torch.equal(angle_bins(angle_rad + math.pi), angle_bins(angle_rad))


def test_smoothing_mixes_an_angle_with_its_neighbours_around_the_half_turn():
    values = normal(3, 18, seed=1)
    wanted = np.empty((3, 18))
    for row in range(3):
        for angle in range(18):
            near = [values[row, (angle + by) % 18].item() for by in (-1, 0, 1)]
            wanted[row, angle] = 0.25 * near[0] + 0.5 * near[1] + 0.25 * near[2]
    np.testing.assert_allclose(smoothed(values).numpy(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(smoothed(values).sum(-1), values.sum(-1))
    torch.testing.assert_close(smoothed(values.roll(4, -1)), smoothed(values).roll(4, -1))
    torch.testing.assert_close(smoothed(values.flip(-1)), smoothed(values).flip(-1))


def test_a_broad_promise_is_chosen_before_a_narrow_one():
    scores = torch.zeros(1, 36)
    scores[0, 1::2] = torch.tensor([2.5, *[0.0] * 7, 3.0, *[0.0] * 7, 2.0, 2.6])
    assert log_odds(scores).argmax().item() == 8
    assert smoothed(log_odds(scores)).argmax().item() == 17  # its neighbours are 16 and 0


@pytest.mark.parametrize(
    ("scores", "angle", "success", "message"),
    [
        ((0, 36), [], [], "batch of grasps is empty; give at least one"),
        ((2, 35), [0, 1], [0, 1], r"grasp scores \[2, 35\] came with bins \[2\] and successes \[2\]"),
        ((2, 36), [0], [0, 1], r"bins \[1\] and successes \[2\]; give \[B, 2 · angles\], \[B\] and \[B\]"),
        ((2, 36), [0, 1], [0], r"successes \[1\]"),
        ((2, 36), [0, 18], [0, 1], "angle bins are int64, 0 to 18; give int64, 0 to 17"),
        ((2, 36), [-1, 3], [0, 1], "angle bins are int64, -1 to 3; give int64, 0 to 17"),
        ((2, 36), [0.5, 3], [0, 1], "angle bins are float32, 0.5 to 3.0; give int64"),
        ((2, 36), [0, 3], [-1, 1], "successes are -1 to 1; give 0 or 1"),
        ((2, 36), [0, 3], [0.5, 1], "successes are 0.5 to 1.0; give 0 or 1"),
    ],
)
def test_what_is_no_batch_of_grasps_is_refused_in_one_line(scores, angle, success, message):
    empty = {"dtype": torch.int64} if not angle else {}
    with pytest.raises(HandsightError, match=message) as caught:
        grasp_loss(torch.zeros(scores), torch.tensor(angle, **empty), torch.tensor(success, **empty))
    assert "\n" not in str(caught.value)
