"""EquiMod's heads: what was done moves an embedding."""

import torch

from handsight.objectives import EquivariantPredictor, EquivariantProjector, nt_xent


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_projector_ends_in_a_batch_norm_without_scale_and_shift():
    head = EquivariantProjector(16, 32, 8)
    embedded = head(normal(64, 16))
    torch.testing.assert_close(embedded.mean(dim=0), torch.zeros(8), atol=1e-5, rtol=0)
    assert ((embedded.var(dim=0, correction=0) - 1).abs() < 0.02).all()
    assert [tuple(p.shape) for p in head.parameters() if p.ndim == 2] == [(32, 16), (32, 32), (8, 32)]


def test_the_predictor_is_linear_in_embedding_and_embedded_action():
    head = EquivariantPredictor(5, 3).eval()
    embedding, action = normal(4, 5), normal(4, 3, seed=1)
    moved = head(embedding, action)
    by_action = head(torch.zeros(4, 5), action)
    torch.testing.assert_close(
        moved - by_action, head(embedding, torch.zeros(4, 3)) - head(0 * embedding, 0 * action)
    )


def test_a_turn_can_be_learned():
    # The action is the angle by which the embedding is turned; chance is log(2B − 1).
    torch.manual_seed(0)
    before = normal(48, 8)
    action = normal(48, 2, seed=1)
    after = before + action @ normal(2, 8, seed=2)
    head = EquivariantPredictor(8, 2)
    optimiser = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(60):
        loss = nt_xent(head(before, action), after)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.5 * torch.tensor(95.0).log().item()
