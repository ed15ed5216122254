"""Embeddings learn as equation 5 prints, upwards, truncated, by inverse area; pictures are scored by IoU."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from handsight.errors import HandsightError
from handsight.objectives import embedding_loss
from handsight.objectives.grouping import (
    distance_gradient,
    embedding_loss_and_ious,
    mask_ious,
    picture_scores,
    priority,
)


def drawn(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_masks(batch=3, count=4, grid=6, seed=0):
    """Return masks of which some have no cell."""
    masks = torch.rand(batch, count, grid, grid, generator=torch.Generator().manual_seed(seed)) < 0.3
    masks[0, 1] = masks[-1, :-1] = False
    return masks


def equation_5(d, on):
    return (1 - on) * np.exp(-((d / 1.5) ** 4)) - on * 1.5 * d / (1 + d)


def by_hand(embeddings, masks, truncated=1.0):
    """Return the ascent by embeddings: picture by picture, mask by mask, cell by cell."""
    ascent = np.zeros_like(embeddings)
    for picture, (cells, of_picture) in enumerate(zip(embeddings, masks, strict=True)):
        for mask in of_picture:
            if not mask.any():
                continue
            mean = cells[:, mask].mean(axis=1)
            for row, column in np.ndindex(mask.shape):
                away = cells[:, row, column] - mean
                push = equation_5((away**2).sum(), mask[row, column]) * 200 / mask.sum()
                step = push * np.clip(2 * away, -truncated, truncated)
                ascent[picture, :, row, column] += step
                ascent[picture][:, mask] -= step[:, None] / mask.sum()
    return ascent


def test_the_gradient_of_distances_is_the_printed_one():
    d, on = np.meshgrid(np.linspace(0, 5, 41), [0, 1])
    found = distance_gradient(torch.from_numpy(d), torch.from_numpy(on > 0))
    np.testing.assert_allclose(found.numpy(), equation_5(d, on), rtol=1e-12, atol=1e-15)
    one = torch.ones(2)
    on, off = distance_gradient(one, torch.tensor([True, False])).tolist()
    assert -on == pytest.approx(off, abs=0.08)  # equation 6: 0.75 and 0.82
    huge = distance_gradient(torch.tensor([3e38, 3e38, math.inf]), torch.tensor([True, False, True]))
    assert huge.tolist() == [-1.5, 0, -1.5]


@pytest.mark.parametrize("weight", [1.0, -0.3])
@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_the_gradient_of_the_loss_is_minus_the_ascent_by_hand(weight, scale):
    embeddings, masks = drawn(3, 5, 6, 6, scale=scale).requires_grad_(), some_masks()
    (weight * embedding_loss(embeddings, masks)).backward()
    wanted = -weight * by_hand(embeddings.detach().numpy(), masks.numpy()) / 3
    np.testing.assert_allclose(embeddings.grad.numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_without_truncation_it_is_autograds():
    embeddings, masks = drawn(2, 3, 5, 5, scale=0.1).requires_grad_(), some_masks(2, 2, 5)
    embedding_loss(embeddings, masks).backward()
    other, total = embeddings.detach().clone().requires_grad_(), 0
    for cells, of_picture in zip(other, masks, strict=True):
        for mask in of_picture:
            if mask.any():
                distances = (cells - cells[:, mask].mean(dim=1)[:, None, None]).square().sum(dim=0)
                push = distance_gradient(distances, mask).detach() * 200 / mask.sum()
                total = total - (push * distances).sum() / 2
    total.backward()
    torch.testing.assert_close(embeddings.grad, other.grad)


def test_truncation_bounds_what_a_cell_is_pushed_by():
    far = torch.zeros(1, 1, 1, 3, dtype=torch.float64)
    far[..., 0], far[..., 1] = 7, -7
    embeddings = far.requires_grad_()
    embedding_loss(embeddings, torch.tensor([[[[True, True, False]]]]), area_cells=2).backward()
    assert embeddings.grad.flatten().tolist() == pytest.approx([1.5 * 49 / 50, -1.5 * 49 / 50, 0])


@pytest.mark.parametrize("d", [0.0, 0.3, 1.0, 2.5, 9.0])
def test_the_value_is_the_integral_by_inverse_area(d):
    embeddings = torch.zeros(1, 1, 1, 5, dtype=torch.float64)
    embeddings[..., 0], embeddings[..., 1], embeddings[..., 2] = d**0.5, -(d**0.5), d**0.5
    mask = torch.tensor([[[[True, True, False, False, False]]]])  # of mean 0
    off = quad(lambda t: math.exp(-((t / 1.5) ** 4)), d, d + 6)[0]
    whole = quad(lambda t: math.exp(-((t / 1.5) ** 4)), 0, 6)[0]
    on = quad(lambda t: 1.5 * t / (1 + t), 0, d)[0]
    found = embedding_loss(embeddings, mask, area_cells=10).item()
    assert found == pytest.approx(10 / 2 * (2 * on + off + 2 * whole), rel=1e-8)
    assert embedding_loss(embeddings, mask).item() == pytest.approx(20 * found)


def test_what_does_not_matter_does_not_matter():
    embeddings, masks = drawn(3, 5, 6, 6), some_masks()
    loss, ious = embedding_loss_and_ious(embeddings, masks)
    order = torch.tensor([2, 0, 3, 1])
    turned = torch.linalg.qr(drawn(5, 5, seed=9))[0]
    for other in (
        (embeddings, masks[:, order]),
        (embeddings + drawn(1, 5, 1, 1, seed=3), masks),
        (embeddings.flip(3), masks.flip(3)),
        (embeddings, torch.cat([masks, torch.zeros_like(masks)], dim=1)),
        (torch.einsum("oc,bchw->bohw", turned, embeddings), masks),
    ):
        torch.testing.assert_close(embedding_loss(*other), loss)
    torch.testing.assert_close(
        embedding_loss_and_ious(embeddings, masks[:, order])[1], ious[:, order], equal_nan=True
    )
    pictures = [embedding_loss(embeddings[i : i + 1], masks[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(loss, torch.stack(pictures).mean())


def test_following_the_loss_makes_embeddings_group():
    embeddings, masks = drawn(1, 4, 8, 8, scale=0.1), torch.zeros(1, 2, 8, 8, dtype=torch.bool)
    masks[0, 0, 1:4, 1:4] = masks[0, 1, 4:7, 2:8] = True
    embeddings.requires_grad_()
    optimiser = torch.optim.SGD([embeddings], lr=0.02)
    first = embedding_loss(embeddings, masks).item()
    for _ in range(300):
        optimiser.zero_grad()
        loss, ious = embedding_loss_and_ious(embeddings, masks)
        loss.backward()
        optimiser.step()
    assert loss < 0.05 * first
    assert ious.tolist() == [[1, 1]]


def test_pictures_are_scored_by_their_worst_mask():
    embeddings, masks = drawn(4, 3, 7, 7, scale=0.6), some_masks(4, 5, 7)
    masks[3] = False
    ious = mask_ious(embeddings, masks)
    torch.testing.assert_close(ious, embedding_loss_and_ious(embeddings, masks)[1], equal_nan=True)
    wanted = []
    for cells, of_picture in zip(embeddings.numpy(), masks.numpy(), strict=True):
        each = []
        for mask in of_picture[of_picture.any(axis=(1, 2))]:
            near = ((cells - cells[:, mask].mean(axis=1)[:, None, None]) ** 2).sum(axis=0) < 1
            each.append((near & mask).sum() / (near | mask).sum())
        wanted.append(min(each, default=0.5))
    np.testing.assert_allclose(picture_scores(ious), wanted, rtol=1e-6)
    assert wanted[3] == 0.5
    assert 0 < min(wanted) < 0.5
    assert picture_scores(ious[:, :0]).tolist() == [0.5] * 4


def test_priorities_are_equation_7():
    scores = torch.tensor([0.0, 0.25, 0.5, 1.0])
    assert priority(scores).tolist() == pytest.approx([0.27, 0.0825, 0.02, 0.27])


def test_pictures_without_masks_teach_nothing():
    embeddings = drawn(2, 3, 4, 4).requires_grad_()
    for count in (0, 3):
        loss, ious = embedding_loss_and_ious(embeddings, torch.zeros(2, count, 4, 4, dtype=torch.bool))
        loss.backward()
        assert loss == 0
        assert ious.shape == (2, count)
        assert embeddings.grad.abs().sum() == 0


@pytest.mark.parametrize(
    ("embeddings", "masks", "message"),
    [
        ((0, 3, 4, 4), (0, 2, 4, 4), "the batch of pictures is empty; give at least one"),
        ((2, 3, 4, 4), (1, 2, 4, 4), r"embeddings \[2, 3, 4, 4\] came with masks bool \[1, 2, 4, 4\]"),
        ((2, 3, 4, 4), (2, 2, 4, 5), "give .B, D, G, G. and bool"),
        ((2, 3, 4, 4), (2, 4, 4), "give .B, D, G, G. and bool"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(embeddings, masks, message):
    for call in (embedding_loss, mask_ious):
        with pytest.raises(HandsightError, match=message) as caught:
            call(torch.zeros(embeddings), torch.zeros(masks, dtype=torch.bool))
        assert "\n" not in str(caught.value)
    with pytest.raises(HandsightError, match="masks float32"):
        embedding_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3))
