"""The methods that the conformance suite goes over: a new one adds its line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance_guide import example

from experiences import write_experiences
from films import write_films
from handsight import methods
from handsight.methods import (
    BYOL,
    BYOLTT,
    CIPER,
    ActionAware,
    AutoEncoder,
    CuriousRobot,
    EquiMod,
    LearningToInteract,
    MaskRCNN,
    SimCLR,
    SimCLRTT,
    Supervised,
    VICReg,
    VICRegTT,
    VideoPCA,
)
from interactions import write_interactions


@dataclass(frozen=True)
class Method:
    """A method, and what it needs.

    Args:
        method: the class.
        losses: names of what it yields.
        lacks: what a recording of pictures alone lacks for it; None where pictures are enough.
        options: beside the encoder's, so that it is small.
        record: writes a small recording that it can train on, with splits; by default one of turning shapes
            with the stream `action` and the facts `category` and `object`.
    """

    method: type[methods.Method]
    losses: tuple[str, ...]
    lacks: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    record: Callable[[Path], Any] | None = None


NARROW = {"projector_hidden": 16, "projector_size": 8}
"""Heads that are thousands wide where nobody says otherwise."""

DETECTION = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask")
"""Torchvision's names of Mask R-CNN's losses."""

METHODS: dict[str, Method] = {
    "simclr": Method(SimCLR, losses=("contrast",)),
    "simclr-tt": Method(SimCLRTT, losses=("contrast",)),
    "byol": Method(BYOL, losses=("bootstrap",), options=NARROW),
    "byol-tt": Method(BYOLTT, losses=("bootstrap",), options={**NARROW, "pairing": "random-walk"}),
    "vicreg": Method(VICReg, losses=("vicreg",), options=NARROW),
    "vicreg-tt": Method(VICRegTT, losses=("vicreg",), options={**NARROW, "pairing": "opposite"}),
    "autoencoder": Method(AutoEncoder, losses=("reconstruction",), options={"decoder_width": 0.1}),
    "action-aware": Method(ActionAware, losses=("contrast", "action"), lacks="stream 'action'"),
    "action-aware, of a state": Method(
        ActionAware,
        losses=("contrast", "action"),
        lacks="stream 'action'",
        options={"stream": ("action", "observation.state"), "pairing": "window", "gap": (1, 3)},
    ),
    "action-aware, BYOL": Method(
        ActionAware,
        losses=("bootstrap", "action"),
        lacks="stream 'action'",
        options={**NARROW, "visual": "byol"},
    ),
    "action-aware, VICReg": Method(
        ActionAware,
        losses=("vicreg", "action"),
        lacks="stream 'action'",
        options={**NARROW, "visual": "vicreg"},
    ),
    "ciper": Method(CIPER, losses=("contrast", "action"), lacks="stream 'action'"),
    "equimod": Method(EquiMod, losses=("contrast", "action"), lacks="stream 'action'"),
    "curious-robot": Method(
        CuriousRobot,
        losses=("grasp", "push", "poke", "identity"),
        lacks="stream 'grasp.angle_rad'",
        options={"grasp_steps": 0, "head_width": 0.02},
        record=write_interactions,
    ),
    "learning-to-interact": Method(
        LearningToInteract,
        losses=("score", "embedding", "force"),
        lacks="stream 'observation.depth_m'",
        options={"hidden": 16, "rounds": 0, "frozen_rounds": 0},
        record=write_experiences,
    ),
    "mask-rcnn": Method(
        MaskRCNN,
        losses=DETECTION,
        lacks="stream 'observation.depth_m'",
        options={"width": 8, "hidden": 16, "mass": True},
        record=write_experiences,
    ),
    "mask-rcnn, robust set loss": Method(
        MaskRCNN,
        losses=DETECTION,
        lacks="stream 'observation.depth_m'",
        options={"width": 8, "hidden": 16, "loss": "robust-set"},
        record=write_experiences,
    ),
    "video-pca": Method(
        VideoPCA,
        losses=("mask",),
        lacks="stream 'observation.depth_m'",
        options={"hidden": 16},
        record=write_films,
    ),
    "supervised": Method(Supervised, losses=("cross_entropy",), lacks="fact 'category'"),
    "the guide's": Method(example("align_uniform").AlignUniform, losses=("alignment_uniformity",)),
}
"""Each method, small."""
