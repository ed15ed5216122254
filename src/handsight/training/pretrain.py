"""`pretrain`: from a method and recordings to a run with an encoder in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from lightning.fabric import Fabric
from torch.nn.modules.batchnorm import _BatchNorm

from handsight.encoders import Encoder
from handsight.errors import HandsightError, first_line
from handsight.methods import Method, Optimisation
from handsight.recordings import Sampler
from handsight.training.batches import Source
from handsight.training.drawing import Data, check_data, described, source_of
from handsight.training.loop import Loop, Monitor, Progress
from handsight.training.precision import Resolved, check_bfloat16, choose_precision
from handsight.training.processes import told_when_left
from handsight.training.run import Run, check_place, made_with, read_config, resolved
from handsight.training.settings import Training

log = logging.getLogger("handsight")


@dataclass
class Prepared:
    """A method, its data and its settings, checked and ready to train."""

    fabric: Fabric
    method: Method
    sampler: Source
    settings: Optimisation
    steps: int
    training: Training
    config: dict[str, Any]


def prepare(
    method: Method,
    data: Data,
    training: Training,
    decoding: Callable[[int, int], None] | None = None,
    out: Path | None = None,
) -> Prepared:
    """Check that these data can train this method, decode the frames, and build the heads.

    Arguments as `pretrain`'s; a run that is in `out` already keeps the precision that it began with.

    Raises:
        HandsightError: saying what is missing and which methods would work.
    """
    check_data(method, data, out)
    configured = {"name": method.name, **method.arguments}
    if out is not None:  # before frames are decoded, which takes long
        check_place(out, resolved({"method": configured}))
    training = _with_precision(training, method.encoder, out)
    fabric = _fabric(training)
    settings = training.settings(method)
    source = source_of(method, data, training, fabric, out, decoding)
    steps = training.steps or (method.planned_steps if training.epochs is None else None)
    steps = steps or (training.epochs or settings.epochs) * source.steps_per_epoch
    torch.manual_seed(training.seed)
    if isinstance(source, Sampler):
        method.prepare(source)
    _check_batch_norm(method, settings.batch_size, training.accumulate)
    method.to(fabric.device)
    config = {
        "method": configured,
        "data": described(data, source),
        "training": {**asdict(training), **asdict(settings), "steps": steps, "epochs": None},
        "made": made_with() | {"device": str(fabric.device), "processes": str(fabric.world_size)},
    }
    return Prepared(fabric, method, source, settings, steps, training, config)


def pretrain(
    method: Method,
    data: Data,
    *,
    out: str | Path,
    monitors: Sequence[Monitor] = (),
    progress: Progress | None = None,
    decoding: Callable[[int, int], None] | None = None,
    **training: Any,
) -> Path:
    """Train a method's encoder; called again with the same settings it goes on where it stood.

    Args:
        method: as in `ActionAware(encoder="resnet18")`; make it under `torch.manual_seed` to have its first
            weights fixed too.
        data: a recording, or several; or a place, where the method acts while it learns.
        out: the run's folder.
        monitors: each called with the encoder and the step; see `Training.monitor_every`.
        progress: called after each step with steps done, steps in all and the newest losses.
        decoding: called with frames done and frames in all while frames are decoded.
        **training: fields of `Training`, as in `steps=20_000`.

    Returns:
        The run's folder, with `encoder/`, `config.yaml`, `log.jsonl`, `checkpoints/` and TensorBoard's
        events.

    Raises:
        HandsightError: for anything the user can mend.
        Stopped: after Ctrl-C or SIGTERM, with a checkpoint written.
    """
    prepared = prepare(method, data, Training(**training), decoding, Path(out))
    return train(prepared, Path(out), monitors, progress)


def train(
    prepared: Prepared, out: Path, monitors: Sequence[Monitor] = (), progress: Progress | None = None
) -> Path:
    """Run a prepared training to its end and save the encoder; arguments as `pretrain`'s."""
    fabric, training = prepared.fabric, prepared.training
    with told_when_left():
        with fabric.rank_zero_first():
            run = Run(out, prepared.config)
        with run.held() if fabric.is_global_zero else nullcontext():
            Loop(
                fabric=fabric,
                method=prepared.method,
                sampler=prepared.sampler,
                settings=prepared.settings,
                steps=prepared.steps,
                accumulate=training.accumulate,
                seed=training.seed,
                run=run,
                checkpoint_every=training.checkpoint_every,
                log_every=training.log_every,
                monitors=monitors,
                monitor_every=training.monitor_every,
                progress=progress if fabric.is_global_zero else None,
            ).go()
            if fabric.is_global_zero:
                recipe = {key: prepared.config[key] for key in ("method", "training")}
                prepared.method.encoder.recipe = recipe
                prepared.method.save(run.folder)
            fabric.barrier()
    return out


def _check_batch_norm(method: Method, batch_size: int, slices: int) -> None:
    """Refuse a single sample where batch norm, which spans the processes, needs others to compare it with."""
    if batch_size < 2 * slices and any(isinstance(module, _BatchNorm) for module in method.modules()):
        sliced = "" if slices == 1 else f" in {slices} slices"
        raise HandsightError(
            f"a batch of {batch_size}{sliced} gives batch norm one sample at a time; give a batch of at least"
            f" {2 * slices} with --batch-size"
        )


def _with_precision(training: Training, encoder: Encoder, out: Path | None) -> Training:
    """Settle `auto`: the precision that a run in `out` began with, else what suits encoder and machine."""
    if training.precision == "auto":
        begun = out is not None and (out / "config.yaml").exists()
        recorded = read_config(out).get("training", {}) if out is not None and begun else {}
        if recorded.get("precision") in get_args(Resolved):
            training = replace(training, precision=recorded["precision"])
        else:
            training = replace(training, precision=choose_precision(encoder, training.accelerator))
            log.info("precision: %s (auto)", training.precision)
    if training.precision == "bf16-mixed":
        check_bfloat16(encoder, training.accelerator)
    return training


def _fabric(training: Training) -> Fabric:
    devices, nodes = training.devices, 1
    if "LOCAL_WORLD_SIZE" in os.environ:
        # torchrun started us and has decided already.
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = max(1, int(os.environ.get("WORLD_SIZE", devices)) // devices)
    strategy = "ddp" if devices * nodes > 1 else "auto"
    # It says the precision, which is said already.
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    try:
        fabric = Fabric(
            accelerator=training.accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=training.precision,
            strategy=strategy,
        )
        fabric.launch()
    except (ValueError, RuntimeError, ImportError) as error:
        plural = "device" if devices == 1 else "devices"
        raise HandsightError(
            f"cannot use accelerator '{training.accelerator}' with {devices} {plural}: {first_line(error)}"
        ) from error
    return fabric
