"""What is to be learned around attempts: kernels, points and rows of forces against plain loops."""

import math

import numpy as np
import pytest
import torch

from handsight.agents.attempts import Feedback
from handsight.agents.feedback import kernel as agents_kernel
from handsight.errors import HandsightError
from handsight.objectives import attempted
from handsight.objectives.attempted import (
    FAILED,
    RIGHT,
    TOO_LARGE,
    TOO_SMALL,
    UNTESTED,
    UNUSED,
    force_rows,
    force_targets,
    kernel,
    score_targets,
    spread,
)

HALF, QUARTER = 1 / 2, 1 / 4
ROWS = {
    (0, RIGHT): (HALF, -QUARTER, -QUARTER),
    (1, RIGHT): (-QUARTER, HALF, -QUARTER),
    (2, RIGHT): (-QUARTER, -QUARTER, HALF),
    (0, TOO_SMALL): (-HALF, QUARTER, QUARTER),
    (1, TOO_SMALL): (-QUARTER, -QUARTER, HALF),
    (2, TOO_SMALL): (-QUARTER, -QUARTER, HALF),  # heavier than can be said
    (0, TOO_LARGE): (HALF, -QUARTER, -QUARTER),  # lighter than can be said
    (1, TOO_LARGE): (HALF, -QUARTER, -QUARTER),
    (2, TOO_LARGE): (QUARTER, QUARTER, -HALF),
}


def by_hand(points, weights, grid, power):
    """Return the sum of kernels at points, cell by cell."""
    found = np.zeros((grid, grid))
    for (row, column), weight in zip(points, weights, strict=True):
        for r in range(max(0, row - 2), min(grid, row + 3)):
            for c in range(max(0, column - 2), min(grid, column + 3)):
                found[r, c] += weight * math.exp(-(((r - row) ** 2 + (c - column) ** 2) ** power))
    return found


@pytest.mark.parametrize(("form", "power"), [("exponential", 0.5), ("gaussian", 1.0)])
def test_kernels_are_the_codes_and_the_papers_and_the_agents(form, power):
    wanted = [[math.exp(-((u * u + v * v) ** power)) for v in range(-2, 3)] for u in range(-2, 3)]
    np.testing.assert_allclose(kernel(form).numpy(), wanted, rtol=1e-14)
    np.testing.assert_allclose(kernel(form).numpy(), agents_kernel(form), rtol=1e-14)


def test_feedback_has_the_agents_numbers():
    assert {each.name: each.value for each in Feedback} == {
        name: getattr(attempted, name) for name in ("FAILED", "RIGHT", "TOO_SMALL", "TOO_LARGE")
    }


@pytest.mark.parametrize(("form", "power"), [("exponential", 0.5), ("gaussian", 1.0)])
def test_weights_are_pasted_clipped_and_summed(form, power):
    points = [[(0, 0), (6, 6), (6, 5), (3, 0)], [(2, 4), (2, 4), (0, 6), (5, 1)]]
    weights = [[1.0, 2.0, -0.5, 1.0], [1.0, 1.0, 0.25, 0.0]]
    found = spread(torch.tensor(points), torch.tensor(weights, dtype=torch.float64), 7, form)
    for each, place, weight in zip(found.numpy(), points, weights, strict=True):
        np.testing.assert_allclose(each, by_hand(place, weight, 7, power), atol=1e-12)


def test_several_maps_are_each_their_own():
    points = torch.tensor([[[1, 2], [3, 3]]])
    weights = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 0.0, -1.0]]])
    found = spread(points, weights, 5)
    assert found.shape == (1, 3, 5, 5)
    for number in range(3):
        torch.testing.assert_close(found[:, number], spread(points, weights[..., number], 5))
    assert found[0, 1].abs().sum() == 0


def test_scores_rise_where_something_moved_and_fall_where_nothing_did():
    points = torch.tensor([[[1, 1], [4, 4], [4, 5], [2, 6], [99, -3]]])
    feedback = torch.tensor([[TOO_SMALL, FAILED, RIGHT, TOO_LARGE, UNUSED]])
    foreground, background = score_targets(points, feedback, 8)
    np.testing.assert_allclose(foreground[0], by_hand([(1, 1), (4, 5), (2, 6)], [1] * 3, 8, 0.5), rtol=1e-6)
    np.testing.assert_allclose(background[0], by_hand([(4, 4)], [1], 8, 0.5), rtol=1e-6)
    assert foreground.dtype == background.dtype == torch.float32


@pytest.mark.parametrize(("bin_", "feedback"), ROWS)
def test_forces_rise_where_section_4_2_says(bin_, feedback):
    row = force_rows(torch.tensor([bin_]), torch.tensor([feedback]))[0]
    np.testing.assert_allclose(row, ROWS[bin_, feedback], rtol=1e-6)
    assert row.sum().abs() < 1e-6
    assert row.abs().sum().item() == pytest.approx(1)


def test_attempts_that_failed_teach_no_force():
    bins, feedback = (
        torch.tensor([[0, 2, 1], [1, 7, -5]]),
        torch.tensor([[FAILED, RIGHT, FAILED], [2, -1, 0]]),
    )
    rows = force_rows(bins, feedback)
    assert (rows.abs().sum(dim=2) > 0).tolist() == [[False, True, False], [True, False, False]]


def test_forces_that_were_not_tested_teach_none():
    bins, feedback = torch.tensor([[UNTESTED, 2]]), torch.tensor([[RIGHT, RIGHT]])
    assert (force_rows(bins, feedback).abs().sum(dim=2) > 0).tolist() == [[False, True]]
    assert force_targets(POINTS, bins, feedback, 8)[..., 1, 1].abs().sum() < 0.5  # the other's, from afar


def test_targets_of_forces_are_their_rows_spread():
    points = torch.tensor([[[0, 3], [5, 5], [5, 6], [2, 2]]])
    bins = torch.tensor([[2, 0, 1, 1]])
    feedback = torch.tensor([[TOO_LARGE, RIGHT, TOO_SMALL, FAILED]])
    found = force_targets(points, bins, feedback, 7)[0]
    for force in range(3):
        weights = [ROWS[2, TOO_LARGE][force], ROWS[0, RIGHT][force], ROWS[1, TOO_SMALL][force], 0]
        wanted = by_hand(points[0].tolist(), weights, 7, 0.5)
        np.testing.assert_allclose(found[force], wanted, atol=1e-6)
    assert found.sum(dim=0).abs().max() < 1e-6


def test_targets_are_as_precise_where_the_network_is_not():
    points, feedback = torch.tensor([[[0, 3], [5, 5]]]), torch.tensor([[TOO_LARGE, FAILED]])
    wanted = score_targets(points, feedback, 7)
    with torch.autocast("cpu", torch.bfloat16):
        for found, exact in zip(score_targets(points, feedback, 7), wanted, strict=True):
            torch.testing.assert_close(found, exact, rtol=0, atol=0)


def test_a_mirrored_picture_has_mirrored_targets():
    generator = torch.Generator().manual_seed(0)
    points = torch.randint(9, (4, 6, 2), generator=generator)
    feedback = torch.randint(-1, 4, (4, 6), generator=generator)
    bins = torch.randint(3, (4, 6), generator=generator)
    mirrored = torch.stack([points[..., 0], 8 - points[..., 1]], dim=2)
    for mine, theirs in zip(
        (*score_targets(points, feedback, 9), force_targets(points, bins, feedback, 9)),
        (*score_targets(mirrored, feedback, 9), force_targets(mirrored, bins, feedback, 9)),
        strict=True,
    ):
        torch.testing.assert_close(theirs, mine.flip(-1))
    order = torch.randperm(6, generator=generator)
    again = force_targets(points[:, order], bins[:, order], feedback[:, order], 9)
    torch.testing.assert_close(again, force_targets(points, bins, feedback, 9))


def test_pictures_without_attempts_have_empty_targets():
    none = torch.zeros(2, 0, 2, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.int64)
    for targets in (*score_targets(*none, 6), force_targets(none[0], none[1], none[1], 6)):
        assert targets.shape[-2:] == (6, 6)
        assert targets.abs().sum() == 0


POINTS, TOLD = torch.tensor([[[1, 1], [2, 3]]]), torch.tensor([[1, 0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel("cubic"), "there is no kernel 'cubic'; it can be one of exponential, gaussian"),
        (lambda: score_targets(POINTS, TOLD, 3), r"points are int64, 1 to 3; give .* 0 to 2"),
        (lambda: score_targets(-POINTS, TOLD, 8), "points are int64, -3 to -1"),
        (lambda: score_targets(POINTS.float(), TOLD, 8), "points are float32"),
        (lambda: score_targets(POINTS, TOLD + 3, 8), "feedback is int64, 3 to 4; give int64: 0 failed"),
        (lambda: score_targets(POINTS, TOLD.float(), 8), "feedback is float32"),
        (lambda: score_targets(POINTS, TOLD[:, :1], 8), r"points \[1, 2, 2\] came with weights \[1, 1, 2\]"),
        (lambda: spread(POINTS[0], torch.ones(1, 2), 8), r"points \[2, 2\] came with weights \[1, 2\]"),
        (lambda: force_rows(TOLD, TOLD[0]), r"bins \[1, 2\] came with feedback \[2\]"),
        (lambda: force_rows(TOLD + 2, TOLD), "bins of forces are 3 to 3; give int64, 0 to 2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call, message):
    with pytest.raises(HandsightError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
