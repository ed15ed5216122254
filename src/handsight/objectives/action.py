"""Action: what was done between two frames aligns with what changed in their representations.

Action-aware self-supervised learning, ECCV 2024. The loss is `nt_xent(ActionHead(action), PairHead(r0, r1))`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from handsight.errors import HandsightError
from handsight.objectives.contrast import Projector

Combine = Literal["concatenate", "difference"]
"""How two representations become one: [r0; r1], as in the authors' code, or r1 − r0."""


class ActionHead(nn.Sequential):
    """The embedding of an action, `[B, A]` → `[B, out]`.

    One hidden layer with batch norm and ReLU, then a batch norm without scale and shift.

    Args:
        action_size: A, numbers in an action.
        hidden: width of the hidden layer.
        out: D of the embedding.
    """

    def __init__(self, action_size: int, hidden: int = 256, out: int = 128) -> None:
        super().__init__(*Projector(action_size, hidden, out), nn.BatchNorm1d(out, affine=False))


class PairHead(nn.Module):
    """The embedding of two frames' representations, `[B, D]` and `[B, D]` → `[B, out]`.

    A projector as wide inside as its input.

    Args:
        features: D of one representation.
        out: D of the embedding.
        combine: `concatenate` gave the paper's numbers; `difference` is what its text describes.
    """

    def __init__(self, features: int, out: int = 128, combine: Combine = "concatenate") -> None:
        super().__init__()
        if combine not in get_args(Combine):
            raise HandsightError(f"combine is {combine!r}; it can be one of {', '.join(get_args(Combine))}")
        self.combine = combine
        width = 2 * features if combine == "concatenate" else features
        self.projector = Projector(width, width, out)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Embed what lies between the first and the second frame."""
        pair = torch.cat([first, second], dim=1) if self.combine == "concatenate" else second - first
        embedded: Tensor = self.projector(pair)
        return embedded


class ActionNormalisation(nn.Module):
    """Brings each number of an action to mean 0 and standard deviation 1 over the training set.

    Those that never change are dropped.

    Mean, deviation and choice are buffers: they are saved with the checkpoint and move with the module. An
    instance to load a checkpoint into is made with `ActionNormalisation.identity(action_size)`.

    Args:
        mean: `[A]`.
        std: `[A]`, > 0 where kept.
        keep: bool `[A]`.
    """

    mean: Tensor
    std: Tensor
    keep: Tensor
    _kept: Tensor

    def __init__(self, mean: Tensor, std: Tensor, keep: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.float())
        self.register_buffer("std", std.float())
        self.register_buffer("keep", keep.bool())
        # As positions: indexing by a mask would make the host wait for the device in every step.
        self.register_buffer("_kept", keep.nonzero()[:, 0], persistent=False)
        self.register_load_state_dict_post_hook(_find_kept)  # type: ignore[no-untyped-call]

    @classmethod
    def identity(cls, action_size: int) -> ActionNormalisation:
        """Return a normalisation that changes nothing."""
        return cls(
            torch.zeros(action_size), torch.ones(action_size), torch.ones(action_size, dtype=torch.bool)
        )

    @classmethod
    def of(
        cls, actions: Tensor, names: Sequence[str] | None = None, as_is: Tensor | None = None
    ) -> ActionNormalisation:
        """Measure the actions of a training set.

        Args:
            actions: `[N, A]`.
            names: of the A numbers, for the warning about those that never change.
            as_is: bool `[A]`: numbers that are on one scale already, and are neither changed nor dropped.

        Raises:
            HandsightError: where there is no action, one is not finite, or none of their numbers ever
            changes.
        """
        if actions.ndim != 2 or actions.shape[0] < 2:
            raise HandsightError(
                f"actions to normalise by have shape {list(actions.shape)}; "
                "give [N, A] with at least 2 of them"
            )
        if not actions.isfinite().all():
            column = int((~actions.isfinite()).any(dim=0).nonzero()[0])
            raise HandsightError(
                f"action number {_called(column, names)} is not finite somewhere; "
                "repair or leave out those episodes"
            )
        precise = actions.double()
        mean, std = precise.mean(dim=0), precise.std(dim=0, correction=0)
        # Less than this is float32's rounding, not movement.
        keep = std > 1e-6 * precise.abs().amax(dim=0)
        if as_is is not None:
            mean, std, keep = mean.masked_fill(as_is, 0), std.masked_fill(as_is, 1), keep | as_is
        constant = [_called(int(column), names) for column in (~keep).nonzero()[:, 0]]
        if not keep.any():
            raise HandsightError(
                f"none of the {len(keep)} action numbers ever changes in the training set; "
                "choose another action stream"
            )
        if constant:
            listed = ", ".join(constant)
            what = (
                f"number {listed} never changes" if len(constant) == 1 else f"numbers {listed} never change"
            )
            dropped = "is dropped" if len(constant) == 1 else "are dropped"
            warnings.warn(f"action {what} in the training set and {dropped}", stacklevel=2)
        return cls(mean, torch.where(keep, std, 1.0), keep)

    @property
    def size(self) -> int:
        """Numbers that remain of an action."""
        return len(self._kept)

    def forward(self, actions: Tensor) -> Tensor:
        """Normalise actions, `[B, A]` → `[B, size]`."""
        if actions.shape[-1] != len(self.mean):
            raise HandsightError(
                f"an action has {actions.shape[-1]} numbers; "
                f"the normalisation was measured on {len(self.mean)}"
            )
        return ((actions - self.mean) / self.std).index_select(-1, self._kept)


def _find_kept(module: Any, _: Any) -> None:
    module._kept = module.keep.nonzero()[:, 0]


def _called(column: int, names: Sequence[str] | None) -> str:
    return str(column) if names is None else f"{column} ('{names[column]}')"
