"""The losses and heads that the conformance suite goes over: a new one adds its line here."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from conformance_guide import example
from torch import Tensor, nn

from handsight.objectives import (
    ActionHead,
    ActionNormalisation,
    EquivariantPredictor,
    EquivariantProjector,
    Expander,
    GraspHead,
    InteractionHeads,
    LinearClassifier,
    PairHead,
    PictureDecoder,
    PokeHead,
    Projector,
    PushHead,
    TargetNormalisation,
    byol,
    classification_loss,
    embedding_loss,
    force_loss,
    grasp_loss,
    identity_loss,
    mean_squared_error,
    nt_xent,
    reconstruction_loss,
    robust_set_loss,
    score_loss,
    vicreg,
)

Draw = Callable[[int, torch.Generator], dict[str, Tensor]]
"""From a batch size, the float32 (or int64) tensors that a loss or a head takes, `[B, …]` by argument."""


@dataclass(frozen=True)
class Loss:
    """A pure loss: a mean over samples.

    Args:
        loss: the function.
        inputs: what it takes.
        fewest: samples that it needs; fewer are refused.
        unchanged_by: what leaves it as it is; see `test_conformance_objectives.INVARIANCES`.
        stops: arguments that no gradient reaches, as targets.
        largest: size of numbers that it still gives a finite loss for; what takes them to the fourth power
            (a squared covariance) leaves float32 early.
    """

    loss: Callable[..., Tensor]
    inputs: Draw
    fewest: int = 1
    unchanged_by: tuple[str, ...] = ("order",)
    stops: tuple[str, ...] = ()
    largest: float = 1e15


@dataclass(frozen=True)
class Head:
    """A small module of an objective, sample by sample once it is trained.

    Args:
        make: builds one.
        inputs: what it takes.
        out: numbers that it gives for a sample, or the shape of what it gives.
    """

    make: Callable[[], nn.Module]
    inputs: Draw
    out: int | tuple[int, ...]


def rows(**sizes: int) -> Draw:
    """Return what draws one tensor `[B, size]` for each name."""

    def draw(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.randn(batch, size, generator=generator) for name, size in sizes.items()}

    return draw


def scores_and_labels(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw scores of five categories."""
    labels = torch.randint(5, (batch,), generator=generator)
    return {"scores": torch.randn(batch, 5, generator=generator), "labels": labels}


def maps(*names: str) -> Draw:
    """Return what draws one map of 3 × 5 × 4 for each name."""

    def draw(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: torch.randn(batch, 3, 5, 4, generator=generator) for name in names}

    return draw


def grasps(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw scores of three angles, the attempted ones and what came of them."""
    angle_bin = torch.randint(3, (batch,), generator=generator)
    scores = torch.randn(batch, 6, generator=generator)
    return {"scores": scores, "angle_bin": angle_bin, "success": torch.arange(batch) % 2}


def pairs(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw pairs of embeddings, every other pair the same thing."""
    return {**two_embeddings(batch, generator), "same": (torch.arange(batch) + 1) % 2}


def attempted(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw scores of cells, and where they are to rise and to fall."""
    drawn = {"scores": torch.randn(batch, 4, 4, generator=generator)}
    targets = ("foreground", "background")
    return drawn | {name: torch.rand(batch, 4, 4, generator=generator) for name in targets}


def masked(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw logits of cells and noisy masks."""
    logits = torch.randn(batch, 5, 4, generator=generator)
    return {"logits": logits, "masks": torch.rand(batch, 5, 4, generator=generator)}


def grouped(batch: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw embeddings of cells, near enough that no gradient is truncated, and masks."""
    embeddings = 0.1 * torch.randn(batch, 3, 4, 4, generator=generator)
    return {"embeddings": embeddings, "masks": torch.rand(batch, 2, 4, 4, generator=generator) < 0.4}


two_embeddings = rows(first=6, second=6)
CONTRAST = ("order", "length", "swap")

LOSSES: dict[str, Loss] = {
    "nt_xent": Loss(nt_xent, two_embeddings, fewest=2, unchanged_by=CONTRAST),
    "byol": Loss(byol, rows(prediction=6, target=6), unchanged_by=("order", "length"), stops=("target",)),
    "vicreg": Loss(vicreg, two_embeddings, fewest=2, unchanged_by=("order", "swap", "offset"), largest=1e8),
    "classification_loss": Loss(classification_loss, scores_and_labels, unchanged_by=("order", "shift")),
    "grasp_loss": Loss(grasp_loss, grasps, unchanged_by=("order", "shift")),
    "mean_squared_error": Loss(
        mean_squared_error,
        rows(prediction=5, target=5),
        unchanged_by=("order", "swap", "shift", "offset"),
        stops=("target",),
    ),
    "reconstruction_loss": Loss(
        reconstruction_loss,
        maps("painted", "picture"),
        unchanged_by=("order", "swap", "shift", "offset"),
        stops=("picture",),
    ),
    "score_loss": Loss(score_loss, attempted, stops=("foreground", "background")),
    "force_loss": Loss(force_loss, maps("logits", "targets"), stops=("targets",)),
    "embedding_loss": Loss(embedding_loss, grouped, unchanged_by=("order", "shift")),
    "robust_set_loss": Loss(robust_set_loss, masked, stops=("masks",)),
    "identity_loss": Loss(identity_loss, pairs, unchanged_by=CONTRAST),
    "the guide's alignment and uniformity": Loss(
        example("uniformity").alignment_uniformity, two_embeddings, fewest=2, unchanged_by=CONTRAST
    ),
}
"""Each loss of `handsight.objectives`, with what it takes and what it declares."""

HEADS: dict[str, Head] = {
    "Projector": Head(lambda: Projector(6, 8, 4), rows(input=6), 4),
    "ActionHead": Head(lambda: ActionHead(3, 8, 4), rows(input=3), 4),
    "PairHead": Head(lambda: PairHead(6, 4), rows(first=6, second=6), 4),
    "PairHead of differences": Head(lambda: PairHead(6, 4, combine="difference"), rows(first=6, second=6), 4),
    "ActionNormalisation": Head(lambda: ActionNormalisation.of(torch.randn(20, 3)), rows(actions=3), 3),
    "Expander": Head(lambda: Expander(6, 8, 4), rows(input=6), 4),
    "EquivariantProjector": Head(lambda: EquivariantProjector(6, 8, 4), rows(input=6), 4),
    "EquivariantPredictor": Head(lambda: EquivariantPredictor(4, 3), rows(embedding=4, action=3), 4),
    "LinearClassifier": Head(lambda: LinearClassifier(6, 5), rows(input=6), 5),
    "GraspHead": Head(lambda: GraspHead((3, 5, 4), width=1 / 32), maps("input"), 36),
    "InteractionHeads": Head(lambda: InteractionHeads(3, hidden=8), maps("input"), (20, 5, 4)),
    "PushHead": Head(lambda: PushHead((3, 5, 4), width=1 / 16), maps("before", "after"), 5),
    "PokeHead": Head(lambda: PokeHead((3, 5, 4), width=1 / 8), maps("input"), 2),
    "PokeHead on a vector": Head(lambda: PokeHead((6,), width=1 / 8), rows(input=6), 2),
    "PictureDecoder": Head(lambda: PictureDecoder((3, 5, 4), 17, width=1 / 16), maps("input"), (3, 17, 17)),
    "PictureDecoder on a vector": Head(
        lambda: PictureDecoder((6,), 17, width=1 / 16), rows(input=6), (3, 17, 17)
    ),
    "TargetNormalisation": Head(lambda: TargetNormalisation.of(torch.randn(20, 3)), rows(targets=3), 3),
}
"""Each module of `handsight.objectives`."""
