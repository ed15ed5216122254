"""SimCLR, its form with time, and the supervised reference, against their losses put together by hand."""

import torch
from torch.nn import functional

from handsight.augmentation import Augmentation
from handsight.methods import METHODS
from handsight.recordings import Clips, Sampler
from handsight.training.batches import Batches


def make(name, tiny_network, **options):
    torch.manual_seed(0)
    return METHODS[name](**tiny_network, **options)


def draw(method, shapes, batch_size=8):
    sampler = Sampler(Clips([shapes], size=16), method.needs, batch_size, seed=0)
    torch.manual_seed(1)
    method.prepare(sampler)
    batches = Batches(sampler, method, 0, torch.device("cpu"))
    drawn = batches.get(0, 0, 1, None)
    batches.close()
    return sampler, drawn


def contrast(first, second, temperature):
    """NT-Xent, written out: each of 2B embeddings finds its partner among the other 2B − 1."""
    z = functional.normalize(torch.cat([first, second]), dim=1)
    count = len(first)
    loss = 0.0
    for i in range(2 * count):
        scores = {j: float(z[i] @ z[j]) / temperature for j in range(2 * count) if j != i}
        partner = (i + count) % (2 * count)
        loss += torch.logsumexp(torch.tensor(list(scores.values())), 0).item() - scores[partner]
    return loss / (2 * count)


def test_contrasts_are_nt_xent_of_the_two_views(tiny_network, shapes):
    for name, need in (("simclr", "image"), ("simclr-tt", "pair")):
        method = make(name, tiny_network, temperature=0.3)
        _, drawn = draw(method, shapes)
        views = drawn[need]["views"]
        assert views.shape == (8, 2, 3, 16, 16)
        assert views.dtype == torch.float32
        assert views.min() >= 0
        assert views.max() <= 1
        (group,) = method.losses(drawn)
        embedded = [method.visual.projector(method.encoder(views[:, view])).detach() for view in (0, 1)]
        torch.testing.assert_close(group["contrast"].item(), contrast(*embedded, 0.3), atol=1e-4, rtol=1e-4)


def test_simclrs_views_are_of_one_frame_and_differ(tiny_network, shapes):
    plain = Augmentation(
        size=16, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), jitter_probability=0, grey_probability=0
    )
    _, drawn = draw(make("simclr", tiny_network, augmentation=plain), shapes)
    views = drawn["image"]["views"]
    assert torch.equal(views[:, 0], views[:, 1])
    _, drawn = draw(make("simclr", tiny_network), shapes)
    views = drawn["image"]["views"]
    assert ((views[:, 0] - views[:, 1]).abs().amax((1, 2, 3)) > 0.01).all()


def test_supervised_is_cross_entropy_of_both_views(tiny_network, shapes):
    method = make("supervised", tiny_network)
    _, drawn = draw(method, shapes)
    batch = drawn["image"]
    assert method.classifier(torch.zeros(1, method.encoder.embedding_size)).shape == (1, 3)
    (group,) = method.losses(drawn)
    scores = method.classifier(method.encoder(batch["views"].flatten(0, 1))).log_softmax(1).view(8, 2, 3)
    wanted = -sum(scores[row, view, batch["category"][row]] for row in range(8) for view in (0, 1)) / 16
    torch.testing.assert_close(group["cross_entropy"], wanted)


def test_another_fact_can_be_the_label(tiny_network, shapes):
    method = make("supervised", tiny_network, label="object")
    sampler, drawn = draw(method, shapes)
    assert len(sampler.vocabulary["object"]) == 12
    assert torch.isfinite(next(method.losses(drawn))["cross_entropy"])
