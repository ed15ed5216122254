"""Equivariance: from one view's embedding and what was done, tell the other view's embedding (EquiMod)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EquivariantProjector(nn.Sequential):
    """The embedding in which what was done shows, `[B, D]` → `[B, out]`.

    Two hidden layers with batch norm and ReLU, then a batch norm without scale and shift.

    Args:
        features: D of the representation.
        hidden: width of the hidden layers.
        out: width of the embedding.
    """

    def __init__(self, features: int, hidden: int = 512, out: int = 128) -> None:
        super().__init__(
            *(nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Linear(hidden, out, bias=False), nn.BatchNorm1d(out, affine=False)),
        )


class EquivariantPredictor(nn.Module):
    """Moves an embedding by an action, `[B, D]` and `[B, A]` → `[B, D]`.

    The action is embedded by a linear layer with batch norm; both together go through one linear layer and a
    batch norm without scale and shift (Devillers and Lefort, ICLR 2023).

    Args:
        embedding_size: D.
        action_size: A.
    """

    def __init__(self, embedding_size: int, action_size: int) -> None:
        super().__init__()
        self.action = nn.Sequential(
            nn.Linear(action_size, embedding_size, bias=False), nn.BatchNorm1d(embedding_size)
        )
        self.moved = nn.Sequential(
            nn.Linear(2 * embedding_size, embedding_size, bias=False),
            nn.BatchNorm1d(embedding_size, affine=False),
        )

    def forward(self, embedding: Tensor, action: Tensor) -> Tensor:
        """Tell where the action takes the embedding."""
        told: Tensor = self.moved(torch.cat([embedding, self.action(action)], dim=1))
        return told
