"""Learning about objects by learning to interact with them (Lohmann et al., NeurIPS 2020).

An agent looks, chooses points that it thinks would move and the force that it would take, applies forces, and
sees what moved. It learns to tell where touching moves something (a score), which cells belong together (an
embedding), and how heavy things are (the force), from what it did and saw alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.encoders.unet import UNET
from handsight.errors import HandsightError
from handsight.methods.acting import ActingMethod, Difference, Kernel, Oracle
from handsight.methods.method import Optimisation, Stage, build_encoder, hold_beyond
from handsight.methods.rounds import Phase, Plan
from handsight.methods.segmenter import Segmenter
from handsight.objectives.attempted import force_targets, score_targets
from handsight.objectives.gather import gather
from handsight.objectives.grouping import embedding_loss_and_ious, picture_scores, priority
from handsight.objectives.interaction import InteractionHeads, force_loss, score_loss
from handsight.objectives.maps import nearest
from handsight.recordings import Batch, Needs

NEED = "experience"

JITTER = Augmentation(
    crop_scale=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    jitter_probability=0.8,
    brightness=0.3,
    contrast=0.3,
    saturation=0.3,
    hue=0.3,
    grey_probability=0.0,
    flip_probability=0.5,
)
"""The authors' augmentation: colours by up to 0.3, mirrored half of the time, nothing cropped."""


class LearningToInteract(ActingMethod):
    """Score, embedding and force of each cell, from what an agent did and saw (Lohmann et al. 2020).

    It learns in a place, where it acts meanwhile, or from a recording of what was done in one. Attempts that
    failed teach the score alone; those that moved something also which cells moved together and, in the
    second phase, whether the predicted force was right.

    Args:
        encoder: a trunk, whose last map is brought to a third of the picture's size; or an `Encoder`.
        image_size: side of the encoder's input in pixels; to act, a multiple of three.
        encoder_options: further arguments of the trunk, as in `{"width": 0.5}`.
        init: weights to begin with: an earlier run.
        augmentation: what is done to each picture; its depth, masks and points are mirrored with it, and
            nothing is cropped.
        rounds: of acting and learning, without testing forces; 0 leaves them out.
        force_rounds: after them, with forces; 0 leaves them out.
        prefill: locations acted at before the first round of either.
        locations: acted at in a round.
        attempts: at a location, half of them at random.
        force_attempts: the same, where each applies up to three forces.
        updates: steps of the optimiser in the first and in the last round.
        force_updates: the same, with forces.
        frozen_rounds: of those with forces, the first, in which nothing but what tells the force is trained.
        memory_capacity: experiences that are learned from at most, the newest.
        prioritised: whether experiences whose masks are half right are drawn more rarely (appendix C).
        superpixels: whether what moved is aligned with superpixels (table 1, row k, leaves them out).
        superpixel_px: pixels of the smallest superpixel of a 300 × 300 picture; in smaller pictures it is
            smaller alike. What is smaller is one with what lies around it, and is hardly learned.
        superpixel_share: of a superpixel that has to change for all of it to count as moved, in [0, 1).
        difference: how what moved is told from two views: `squared-first` as in the released code,
            `averaged-first` as in the text, `flow` by optical flow.
        kernel: how fast what is learned at a point falls off around it, and how near to a point what moved
            has to lie for the attempt to count: `exponential` as in the released code, `gaussian` as in the
            text, which is narrower.
        oracles: what the agent is told (table 1, rows d to f): `points` on every thing in reach, `masks` of
            what it touches, and mass classes in place of forces that were tested.
        force_weight: of the force's loss beside the others.
        hidden: neurons of each head.
        coordinate_scale: what a cell's row and column are multiplied by before the heads see them; 1 is the
            paper's. Smaller, features matter sooner.
    """

    name: ClassVar[str] = "learning-to-interact"
    # The paper's decay of 1e-4 is added to gradients summed over a batch of 64; ours are means.
    optimisation: ClassVar[Optimisation] = Optimisation(
        batch_size=64, epochs=1, optimiser="adam", learning_rate=5e-4, weight_decay=1e-4 / 64
    )
    default_needs: ClassVar[Mapping[str, Needs]] = {
        NEED: Needs(
            frames=1,
            between=dict.fromkeys(
                (
                    "observation.depth_m",
                    "attempts.point",
                    "attempts.force",
                    "attempts.feedback",
                    "attempts.mask",
                ),
                "first",
            ),
        )
    }

    def __init__(
        self,
        encoder: str | Encoder = UNET,
        image_size: int = 300,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = JITTER,
        rounds: int = 900,
        force_rounds: int = 900,
        prefill: int = 3000,
        locations: int = 70,
        attempts: int = 20,
        force_attempts: int = 10,
        updates: tuple[int, int] = (15, 45),
        force_updates: tuple[int, int] = (15, 35),
        frozen_rounds: int = 100,
        memory_capacity: int = 20_000,
        prioritised: bool = True,
        superpixels: bool = True,
        superpixel_px: int = 200,
        superpixel_share: float = 0.25,
        difference: Difference = "squared-first",
        kernel: Kernel = "exponential",
        oracles: tuple[Oracle, ...] = (),
        force_weight: float = 0.1,
        hidden: int = 128,
        coordinate_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.needs = dict(self.default_needs)
        channels = hold_beyond(self.encoder, self.encoder.taps[-2])[0]
        self.heads = InteractionHeads(channels, hidden, coordinate_scale)
        counts = {"rounds": rounds, "force_rounds": force_rounds, "frozen_rounds": frozen_rounds}
        counts |= {"attempts": attempts, "force_attempts": force_attempts, "memory_capacity": memory_capacity}
        for option, count in counts.items():
            least = 0 if option.endswith("rounds") else 1
            if count < least:
                raise HandsightError(f"{option} is {count}; it must be at least {least}")
        if 0 < force_rounds < frozen_rounds:
            raise HandsightError(
                f"frozen_rounds is {frozen_rounds}; it must be at most force_rounds, which is {force_rounds}"
            )
        if not 0 <= force_weight < float("inf"):
            raise HandsightError(f"force_weight is {force_weight:g}; it must be at least 0")
        if rounds == force_rounds == 0:
            raise HandsightError("rounds and force_rounds are 0; give one of them, or both")
        phases = [Phase(rounds, prefill, locations, attempts, updates)] if rounds else []
        if force_rounds:
            phases.append(
                Phase(force_rounds, prefill, locations, force_attempts, force_updates, True, frozen_rounds)
            )
        self.plan = Plan(phases)
        self.planned_steps = self.plan.steps
        self.memory_capacity, self.prioritised = memory_capacity, prioritised
        self.superpixels, self.difference, self.kernel = superpixels, difference, kernel
        self.superpixel_px, self.superpixel_share = superpixel_px, superpixel_share
        self.oracles, self.force_weight = oracles, force_weight
        self._step, self._seen = 0, list[tuple[Tensor, Tensor]]()

    @property
    def segmenter(self) -> Segmenter:
        """Encoder and heads as what tells the things in a picture."""
        return Segmenter(self.encoder, self.heads)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Without forces, then with them: the optimiser begins anew, and so does the memory."""
        begins = (self.plan.first_step(number) for number in range(len(self.plan.phases)))
        return tuple(Stage(step, (NEED,), fresh=step > 0) for step in begins)

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `score`, `embedding` and, from the second phase on, `force`."""
        batch = batches[NEED]
        phase = self.plan.phases[self.plan.at_step(self._step).phase]
        frozen = self.plan.frozen(self._step)
        images = batch["views"][:, 0]
        depth_m = nearest(batch["observation.depth_m"], images.shape[-1])
        told = self.segmenter.tell(images, depth_m, detection=not frozen)
        grid = told.scores.shape[-1]
        points = _cells(batch["attempts.point"], grid)
        feedback = batch["attempts.feedback"].round().long()
        masks = (nearest(batch["attempts.mask"], grid) > 0.5) & (feedback > 0)[..., None, None]
        foreground, background = score_targets(points, feedback, grid, self.kernel)
        embedding, ious = embedding_loss_and_ious(told.embeddings, masks)
        self._seen.append((batch["clip"], priority(picture_scores(ious))))
        losses = {"score": score_loss(told.scores, foreground, background), "embedding": embedding}
        if frozen:
            losses = {name: loss.detach() for name, loss in losses.items()}
        if phase.force:
            bins = batch["attempts.force"].round().long()
            targets = force_targets(points, bins, feedback, grid, self.kernel)
            losses["force"] = self.force_weight * force_loss(told.logits, targets)
        yield losses

    def before_step(self, step: int) -> None:
        """Begin the rounds that begin with this step."""
        self._step = step
        self._seen = []
        super().before_step(step)

    def after_step(self, step: int) -> None:
        """Tell the memory how well each picture's masks were found."""
        if self.memory is not None:
            experiences, priorities = (torch.cat(column) for column in zip(*self._seen, strict=True))
            self.memory.learn(gather(experiences), gather(priorities))
        self._seen = []

    def save(self, folder: Path) -> None:
        """Write the encoder, and the heads that make it a `Segmenter`."""
        self.segmenter.save(folder)

    def acting_weights(self) -> Mapping[str, Tensor]:
        """Return the weights of encoder and heads."""
        return self.segmenter.state_dict()

    def load_acting_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take what `acting_weights` returned."""
        self.segmenter.load_state_dict(weights)

    def choose(
        self, image: NDArray[np.uint8], depth_m: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Say where to act: what inference proposes, whatever its score (section 4.1)."""
        found = self.segmenter.propose(
            torch.from_numpy(image)[None], torch.from_numpy(depth_m)[None], count, threshold=-torch.inf
        )
        valid = found.valid[0]
        return found.points[0][valid].numpy(), found.bins[0][valid].numpy()


def _cells(points: Tensor, grid: int) -> Tensor:
    """Return the cells, int64 `[B, N, 2]` rows and columns, of points `[B, N, 2]`, x and y in [0, 1].

    The grid covers the picture, as the masks' does, also where its side is no multiple of three.
    """
    cells = (points.flip(-1) * grid).floor().long()
    return cells.clamp(0, grid - 1)
