"""The Curious Robot: one root learns from grasps, pushes, pokes and from seeing a thing again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.encoders.encoder import POOLED
from handsight.errors import HandsightError
from handsight.methods.method import Method, Optimisation, Stage, build_encoder
from handsight.objectives import (
    GraspHead,
    PokeHead,
    PushHead,
    TargetNormalisation,
    grasp_loss,
    identity_loss,
    mean_squared_error,
)
from handsight.objectives.grasp import angle_bins, log_odds
from handsight.objectives.maps import share_gradient
from handsight.recordings import Batch, Needs, Sampler

Task = Literal["grasp", "push", "poke", "identity"]
TASKS: tuple[Task, ...] = get_args(Task)

DEPTHS: Mapping[Task, float] = {"push": 3 / 7, "grasp": 4 / 7, "poke": 6 / 7}
"""How deep in the root each head stands: conv3, conv4, fc6 of seven layers; identity is on the embedding."""

SEEN_AGAIN = ("grasp", "push", "identity")
"""Interactions that show their object several times (section 3.4)."""

PATCH, SCENE = "observation.images.patch", "observation.images.camera"
PUSH_STREAMS = ("push.start", "push.end", "push.height_m")
AS_IT_IS = Augmentation(
    crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), jitter_probability=0.0, grey_probability=0.0
)
"""Pictures as they were taken: the paper names no augmentation."""


class CuriousRobot(Method):
    """The Curious Robot (Pinto, Gandhi, Han, Park, Gupta, ECCV 2016): four interactions teach one root.

    Each task has a head at a depth of its own (section 3.5): grasp (18 two-way classifiers) on conv4, push
    (the action between two pictures) on conv3, poke (the line through the tactile trace) on fc6, identity (a
    cosine embedding loss) on fc7. A step is one cycle: a batch of each task in turn. The root takes the mean
    of the tasks' gradients: each reaches it divided by the number of tasks in the cycle, also in layers that
    only some of them reach (fc6: poke and identity; fc7: identity alone). Heads belong to one task each and
    are seen once in a cycle, so that stepping them with the root at its end is stepping them at once, as the
    paper does. Where both pictures of a pair go through the same weights, autograd sums their gradients; the
    paper takes their mean, half of it, which RMSprop makes no difference of.

    First, for `grasp_steps`, the root up to conv4 is trained on grasps alone, with a head that is then left;
    all else begins the second stage as it was drawn.

    Args:
        encoder: a timm name, `torchvision/NAME`, `alexnet-lrn`, or an `Encoder`.
        image_size: side of the encoder's square input in pixels.
        encoder_options: further arguments of the network, as in `{"width": 0.25}` of `alexnet-lrn`.
        init: weights to begin with: a timm checkpoint file, or an earlier run.
        augmentation: what is done to each picture; its size is the image size.
        tasks: which of grasp, push, poke and identity; the paper's table 3 leaves out one at a time, and
            identity alone is its baseline.
        grasp_steps: steps of the first stage, of those of the whole training; 0 leaves it out.
        taps: task → the encoder's tap that its head stands on; default: as deep, as a part of the network, as
            the paper's.
        head_width: factor on the heads' channels and neurons; default: the encoder's option `width`, else 1.
        margin: a cosine, from −1 to 1: pairs of different interactions below it are apart enough.
        grasp_stream: of the grasp's angle, rad.
        push_streams: of what a push is told by, one after another.
        poke_stream: of what a poke is told by: slope and intercept of its trace.
        patch_camera: what grasp, poke and identity see: the place where the hand acts; null for any camera.
        scene_camera: what push sees; null for any camera.
        interaction: the episode fact that says what was done; null where each episode is of every task.
    """

    name: ClassVar[str] = "curious-robot"
    optimisation: ClassVar[Optimisation] = Optimisation(
        batch_size=128, optimiser="rmsprop", learning_rate=1e-4, weight_decay=0.0
    )
    default_needs: ClassVar[Mapping[str, Needs]] = {
        "grasp": Needs(between={"grasp.angle_rad": None}, facts=("success",), camera=PATCH, at_start=True),
        "push": Needs(
            frames=2,
            pairing="window",
            gap=(1, 1),
            between=dict.fromkeys(PUSH_STREAMS, "first"),
            camera=SCENE,
            at_start=True,
        ),
        "poke": Needs(between={"poke.line": None}, camera=PATCH, at_start=True),
        "identity": Needs(frames=2, pairing="contrast", camera=PATCH),
    }

    def __init__(
        self,
        encoder: str | Encoder = "alexnet-lrn",
        image_size: int = 224,
        encoder_options: dict[str, Any] | None = None,
        init: Path | None = None,
        augmentation: Augmentation = AS_IT_IS,
        tasks: tuple[Task, ...] = TASKS,
        grasp_steps: int = 20_000,
        taps: dict[str, str] | None = None,
        head_width: float | None = None,
        margin: float = 0.0,
        grasp_stream: str = "grasp.angle_rad",
        push_streams: tuple[str, ...] = PUSH_STREAMS,
        poke_stream: str = "poke.line",
        patch_camera: str | None = PATCH,
        scene_camera: str | None = SCENE,
        interaction: str | None = "interaction",
    ) -> None:
        super().__init__()
        _refuse(tasks, grasp_steps, taps)
        self.encoder = build_encoder(encoder, image_size, encoder_options, init)
        self.augmentation = replace(augmentation, size=self.encoder.image_size)
        self.tasks: tuple[Task, ...] = tuple(task for task in TASKS if task in tasks)
        # With grasps alone there is one stage.
        self.grasp_steps = grasp_steps if "grasp" in tasks and len(self.tasks) > 1 else 0
        self.taps = {task: (taps or {}).get(task) or self._depth(task) for task in self.tasks}
        for tap in self.taps.values():
            self.encoder.check_tap(tap)
        self.width = float(self.encoder.options.get("width", 1.0)) if head_width is None else head_width
        self.margin = margin
        self.streams: dict[Task, tuple[str, ...]] = {
            "grasp": (grasp_stream,),
            "push": tuple(push_streams),
            "poke": (poke_stream,),
        }
        cameras = {task: scene_camera if task == "push" else patch_camera for task in TASKS}
        self.needs = {
            task: replace(
                self.default_needs[task],
                between=dict.fromkeys(self.streams.get(task, ()), "first" if task == "push" else None),
                camera=cameras[task],
                where=_done(interaction, task),
            )
            for task in self.tasks
        }

    def _depth(self, task: Task) -> str:
        """Return the tap as deep in the encoder as the paper's is in its root."""
        maps = [tap for tap in self.encoder.taps if tap != POOLED]
        # Rounded upwards, so that no head stands lower than the paper's.
        return POOLED if task == "identity" else maps[-int(-DEPTHS[task] * len(maps) // 1) - 1]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """First grasps alone, then all tasks in turn (section 3.5)."""
        if not self.grasp_steps:
            return (Stage(0, self.tasks),)
        return (Stage(0, ("grasp",)), Stage(self.grasp_steps, self.tasks))

    def do_without(self, need: str) -> str:
        """Say how to leave a task out."""
        others = ", ".join(task for task in self.tasks if task != need)
        return f"Train without {need}: --tasks '[{others}]'" if others else ""

    def prepare(self, sampler: Sampler) -> None:
        """Build the heads, and measure what pushes and pokes are normalised by."""
        shapes = {task: self.encoder.tap_shape(tap) for task, tap in self.taps.items()}
        heads: dict[str, nn.Module] = {}
        if "grasp" in self.tasks:
            self._held = _code_of_success(sampler)
            heads["grasp"] = GraspHead(shapes["grasp"], width=self.width)
            if self.grasp_steps:
                heads["grasp_alone"] = GraspHead(shapes["grasp"], width=self.width)
        targets: dict[str, nn.Module] = {}
        for task, kind in (("push", PushHead), ("poke", PokeHead)):
            if task in self.tasks:
                measured, names = self._measured(sampler, task)
                targets[task] = TargetNormalisation.of(measured, names)
                heads[task] = kind(shapes[task], measured.shape[1], self.width)
        self.heads, self.targets = nn.ModuleDict(heads), nn.ModuleDict(targets)

    def _measured(self, sampler: Sampler, task: Task) -> tuple[Tensor, list[str]]:
        """Return what training samples of a task say, `[M, N]`, and what each number is called."""
        parts, names = [], []
        for stream in self.streams[task]:
            parts.append(sampler.between_samples(task, stream))
            own = sampler.clips.feature(stream).names or tuple(map(str, range(parts[-1].shape[1])))
            names += [f"{stream} {name}" for name in own]
        return torch.cat(parts, dim=1), names

    def losses(self, batches: Mapping[str, Batch]) -> Iterator[dict[str, Tensor]]:
        """Yield `grasp`, `push`, `poke` and `identity`, one by one; in the first stage `grasp` alone."""
        if self.grasp_steps and tuple(batches) == ("grasp",):
            yield {"grasp": self._grasp(batches["grasp"], "grasp_alone", 1.0)}
            return
        share = 1 / len(self.tasks)
        if "grasp" in self.tasks:
            yield {"grasp": self._grasp(batches["grasp"], "grasp", share)}
        if "push" in self.tasks:
            batch = batches["push"]
            before, after = self._seen("push", batch["views"], share)
            yield {"push": self._regressed("push", self.heads["push"](before, after), batch)}
        if "poke" in self.tasks:
            batch = batches["poke"]
            (seen,) = self._seen("poke", batch["views"], share)
            yield {"poke": self._regressed("poke", self.heads["poke"](seen), batch)}
        if "identity" in self.tasks:
            batch = batches["identity"]
            first, second = (one.flatten(1) for one in self._seen("identity", batch["views"], share))
            yield {"identity": identity_loss(first, second, batch["same"], self.margin)}

    def _seen(self, task: Task, views: Tensor, share: float) -> Sequence[Tensor]:
        """Return what lies at a task's tap, picture by picture of a sample `[B, F, 3, S, S]`."""
        features = self.encoder.forward_tap(views.flatten(0, 1), self.taps[task])
        shared = share_gradient(features, share)
        return shared.view(*views.shape[:2], *shared.shape[1:]).unbind(dim=1)

    def _grasp(self, batch: Batch, head: str, share: float) -> Tensor:
        (seen,) = self._seen("grasp", batch["views"], share)
        bins = angle_bins(batch[self.streams["grasp"][0]][:, 0])
        return grasp_loss(self.heads[head](seen), bins, (batch["success"] == self._held).long())

    def _regressed(self, task: Task, told: Tensor, batch: Batch) -> Tensor:
        measured = torch.cat([batch[stream] for stream in self.streams[task]], dim=1)
        return mean_squared_error(told, self.targets[task](measured))

    def tell_grasp(self, images: Tensor) -> Tensor:
        """Return how much success outweighs failure at 18 angles, `[B, 18]`, of patches `[B, 3, H, W]`.

        In the module's present mode; see `log_odds` and `smoothed` in `handsight.objectives`.
        """
        return log_odds(self.heads["grasp"](self.encoder.forward_tap(images, self.taps["grasp"]))).float()

    def tell_push(self, before: Tensor, after: Tensor) -> Tensor:
        """Return the pushes between pictures `[B, 3, H, W]`, `[B, 5]`, in the streams' own units."""
        one, other = (self.encoder.forward_tap(images, self.taps["push"]) for images in (before, after))
        return self._in_units("push", self.heads["push"](one, other))

    def tell_poke(self, images: Tensor) -> Tensor:
        """Return slope and intercept of pokes at patches `[B, 3, H, W]`, `[B, 2]`, in the stream's units."""
        return self._in_units("poke", self.heads["poke"](self.encoder.forward_tap(images, self.taps["poke"])))

    def _in_units(self, task: Task, told: Tensor) -> Tensor:
        target = self.targets[task]
        assert isinstance(target, TargetNormalisation)
        return target.undo(told.float())


def _done(interaction: str | None, task: Task) -> dict[str, tuple[str, ...]]:
    """Return the episodes of a task: those whose fact says so."""
    if interaction is None:
        return {}
    return {interaction: SEEN_AGAIN if task == "identity" else (task,)}


def _code_of_success(sampler: Sampler) -> int:
    """Return the number that stands for a grasp that held.

    Raises:
        HandsightError: no grasp held, or all did.
    """
    known = sampler.vocabulary["success"]
    if set(known) != {"False", "True"}:
        raise HandsightError(
            f"the fact 'success' is {' or '.join(known)} in {sampler.clips.part}; it takes grasps"
            " that held and grasps that failed: record more of them, or leave grasp out of tasks"
        )
    return known.index("True")


def _refuse(tasks: Sequence[str], grasp_steps: int, taps: Mapping[str, str] | None) -> None:
    unknown = [task for task in (*tasks, *(taps or {})) if task not in TASKS]
    if unknown or not tasks:
        listed = ", ".join(tasks) or "nothing"
        raise HandsightError(
            f"curious-robot was given the tasks {listed}{f' and taps for {unknown[0]}' if unknown else ''};"
            f" name some of {', '.join(TASKS)}"
        )
    if grasp_steps < 0:
        raise HandsightError(f"grasp_steps is {grasp_steps}; give 0 or more")
