"""Proposals: section 4.1 cell by cell, all pictures at once."""

import math

import numpy as np
import pytest
import torch

from handsight.errors import HandsightError
from handsight.objectives.proposals import propose


def drawn(batch=3, grid=12, seed=0, clusters=6, noise=0.15):
    """Return scores, logits and embeddings that lie around a few centres, less so in each next picture."""
    rng = np.random.default_rng(seed)
    centres = 1.2 * rng.standard_normal((batch, clusters, 16))
    which = rng.integers(clusters, size=(batch, grid, grid))
    embeddings = np.stack([centres[b][which[b]] for b in range(batch)])
    noises = noise * (1 + np.arange(batch)[:, None, None, None] / 2)
    embeddings = embeddings + noises * rng.standard_normal(embeddings.shape)
    scores, logits = rng.standard_normal((batch, grid, grid)), rng.standard_normal((batch, 3, grid, grid))
    arrays = (3 * scores, logits, embeddings.transpose(0, 3, 1, 2))
    return [torch.from_numpy(each.astype(np.float32)) for each in arrays]


def by_hand(scores, logits, embeddings, count, threshold):
    """Follow the paper's steps for one picture, with infinities and all."""
    scores, embeddings = scores.numpy().copy(), embeddings.double().numpy().copy()
    found = []
    while len(found) < count and scores.max() >= threshold and scores.max() > -np.inf:
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        with np.errstate(invalid="ignore"):
            near = ((embeddings - embeddings[:, row, column][:, None, None]) ** 2).sum(axis=0) < 1
            mean = embeddings[:, near].mean(axis=1)
            mask = ((embeddings - mean[:, None, None]) ** 2).sum(axis=0) < 1
        score = 1 / (1 + math.exp(-scores[row, column]))
        found.append(((row, column), score, int(logits[:, row, column].argmax()), mask))
        scores[mask] = -np.inf
        embeddings[:, mask] = -np.inf
    return found


@pytest.mark.parametrize(("count", "threshold"), [(32, -math.inf), (4, -math.inf), (32, 1.0), (200, -1.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_proposals_are_the_papers_steps(count, threshold, seed):
    given = drawn(seed=seed)
    found = propose(*given, count=count, threshold=threshold)
    assert found.masks.shape == (3, count, 12, 12)
    for picture in range(3):
        wanted = by_hand(*(each[picture] for each in given), count, threshold)
        assert found.valid[picture].sum() == len(wanted)
        assert not any(each[picture, len(wanted) :].any() for each in found)
        for number, (point, score, bin_, mask) in enumerate(wanted):
            assert tuple(found.points[picture, number].tolist()) == point
            assert found.scores[picture, number].item() == pytest.approx(score, rel=1e-5)
            assert found.bins[picture, number] == bin_
            np.testing.assert_array_equal(found.masks[picture, number], mask)
    ended = {int(each.sum()) for each in found.valid}
    assert len(ended) > 1 or ended == {4}  # one goes on where another has ended


def test_pictures_do_not_see_each_other():
    given = drawn(batch=4, seed=2)
    together = propose(*given, count=9, threshold=0.0)
    for picture in range(4):
        alone = propose(*(each[picture : picture + 1] for each in given), count=9, threshold=0.0)
        for mine, theirs in zip(together, alone, strict=True):
            assert torch.equal(mine[picture], theirs[0])


def test_a_hand_made_picture():
    embeddings = torch.zeros(1, 2, 4, 6)
    embeddings[:, 0, :2, :3] = 5  # a thing above left
    embeddings[:, 1, 3] = 0.7  # near the ground, with it
    embeddings[:, 1, 2:, 5] = 9
    scores = torch.full((1, 4, 6), -4.0)
    scores[0, 1, 1], scores[0, 0, 0], scores[0, 3, 5], scores[0, 2, 0] = 3, 2, 1, -1
    logits = torch.zeros(1, 3, 4, 6)
    logits[0, 2, 1, 1] = logits[0, 1, 3, 5] = 1
    found = propose(scores, logits, embeddings, count=5, threshold=-2)
    assert found.valid.tolist() == [[True, True, True, False, False]]
    assert found.points[0, :3].tolist() == [[1, 1], [3, 5], [2, 0]]
    assert found.bins[0, :3].tolist() == [2, 1, 0]
    assert found.scores[0].tolist() == pytest.approx([*(1 / (1 + math.exp(-z)) for z in (3, 1, -1)), 0, 0])
    areas = found.masks.sum(dim=(2, 3))[0].tolist()
    assert areas == [6, 2, 24 - 6 - 2, 0, 0]
    assert found.masks[0, 0, :2, :3].all()
    assert found.masks[0].sum(dim=0).max() == 1


def test_a_score_at_the_threshold_reaches_it():
    given = drawn()
    best = given[0].amax(dim=(1, 2)).min().item()
    assert propose(*given, count=1, threshold=best).valid.all()
    assert propose(*given, count=1, threshold=best + 1e-5).valid.sum() == 2


def test_all_cells_are_shared_out_and_none_twice():
    found = propose(*drawn(grid=6, noise=0.5), count=36)
    assert found.masks.sum(dim=1).eq(1).all()
    seeds = found.points[found.valid]
    inside = found.masks[found.valid][torch.arange(len(seeds)), seeds[:, 0], seeds[:, 1]]
    assert inside.all()
    assert (found.scores[:, :-1] >= found.scores[:, 1:]).all()


def test_embeddings_far_from_zero_keep_their_differences():
    scores, logits, embeddings = drawn()
    embeddings = (embeddings * 64).round() / 64  # so that adding a power of two loses nothing
    near, far = (propose(scores, logits, each, count=8) for each in (embeddings, embeddings + 4096))
    for mine, theirs in zip(near, far, strict=True):
        assert torch.equal(mine, theirs)


def test_nothing_is_changed_and_numbers_that_are_none_end_it():
    given = drawn()
    kept = [each.clone() for each in given]
    propose(*given)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(given, kept, strict=True))
    given[2][0, 3] = torch.nan
    found = propose(*given, count=3)
    assert found.masks[0].sum() == 0
    assert found.masks[1:].any(dim=(2, 3)).all()
    assert len(found.points[0].unique(dim=0)) == 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_any_precision(dtype):
    given = [each.to(dtype) for each in drawn()]
    exact = propose(*(each.float() for each in given), count=6)
    for mine, theirs in zip(propose(*given, count=6), exact, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "0 proposals were asked for; give at least 1"),
        ({"scores": torch.zeros(3, 12)}, r"scores \[3, 12\] came with logits"),
        ({"logits": torch.zeros(3, 3, 12, 11)}, "give .B, G, G., .B, F, G, G. and .B, D, G, G."),
        ({"embeddings": torch.zeros(2, 16, 12, 12)}, r"embeddings \[2, 16, 12, 12\]"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(change, message):
    given = dict(zip(("scores", "logits", "embeddings"), drawn(), strict=True)) | change
    with pytest.raises(HandsightError, match=message) as caught:
        propose(**given)
    assert "\n" not in str(caught.value)
