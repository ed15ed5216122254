"""The controls of a run: the same training without its signal, and with its signal shuffled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from handsight.augmentation import Augmentation
from handsight.errors import HandsightError
from handsight.methods import METHODS, Method
from handsight.recordings import Recording
from handsight.training import Progress, Training, prepare, read_config, train

Control = tuple[str, dict[str, Any]]
"""Method that trains it, and its arguments that differ from the run's."""

THROUGH_TIME = {"nt-xent": "simclr-tt", "byol": "byol-tt", "vicreg": "vicreg-tt"}
"""Visual objective → the method that learns by it alone from two frames of a clip."""


def controls_of(name: str, arguments: Mapping[str, Any]) -> dict[str, Control]:
    """Return the controls of a run by their rows.

    Args:
        name: of the run's method.
        arguments: of the run's method.
    """
    visual_only: dict[str, Control] = {"visual-only": (THROUGH_TIME[arguments.get("visual", "nt-xent")], {})}
    controls: dict[str, dict[str, Control]] = {
        "action-aware": {**visual_only, "shuffled": ("action-aware", {"shuffle_actions": True})},
        "ciper": visual_only,
        "equimod": visual_only,
        "simclr-tt": {"no time": ("simclr", {})},
        "byol-tt": {"no time": ("byol", {})},
        "vicreg-tt": {"no time": ("vicreg", {})},
    }
    return controls.get(name, {})


def train_controls(
    run: Path,
    recordings: Sequence[Recording],
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> dict[str, Path]:
    """Train a run's controls at its own settings and budget, under `RUN/controls/`; finished ones are kept.

    Every one makes as many encoder forwards as the run: two views of each sample.

    Args:
        run: a finished run.
        recordings: what it was trained on.
        progress: gives a control's progress callback.

    Returns:
        Control's row → its run's folder.

    Raises:
        HandsightError: where the folder is no run, or its method is unknown.
    """
    config = read_config(run)
    arguments = dict(config.get("method", {}))
    name = arguments.pop("name", None)
    if name not in METHODS:
        raise HandsightError(
            f"{run} was trained by '{name}', which is not a method here ({', '.join(METHODS)})"
        )
    # `epochs` is how `steps` was found.
    training = Training(**{key: value for key, value in config["training"].items() if key != "epochs"})
    folders = {}
    for row, (method_name, changes) in controls_of(name, arguments).items():
        folder = run / "controls" / row.replace(" ", "-")
        folders[row] = folder
        # Its description is written last.
        if (folder / "encoder" / "encoder.json").exists():
            continue
        torch.manual_seed(training.seed)
        method = build_method(method_name, {**arguments, **changes})
        train(prepare(method, recordings, training), folder, progress=progress(row))
    return folders


def build_method(name: str, arguments: dict[str, Any]) -> Method:
    """Return a method from a run's configuration, or another run's.

    Arguments that it does not have are left out, and so is what was not said: it is the method's own then.
    """
    known = inspect.signature(METHODS[name]).parameters
    kept = {key: value for key, value in arguments.items() if key in known and value is not None}
    if isinstance(kept.get("augmentation"), dict):
        settings: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in kept["augmentation"].items()
        }
        kept["augmentation"] = Augmentation(**settings)
    if "gap" in kept:
        kept["gap"] = tuple(kept["gap"])
    if "init" in kept:
        kept["init"] = Path(kept["init"])
    return METHODS[name](**kept)
