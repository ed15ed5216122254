"""The tables of action-aware SSL (Aubret, Teulière and Triesch, ECCV 2024), each as a study.

Their data (RT4K, CO3D, MVImgNet) is stood in for by the simulated turntable; published figures stand in
columns of their own. Most tables are other looks at the same cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from handsight.augmentation import Augmentation
from handsight.evaluation import Measure, Published
from handsight.studies.action_aware_cells import BUDGETS, UNSEEN, Budget, settings_of
from handsight.studies.study import Curve, Row, Scale, Study

SOURCE = "Aubret et al. 2024"


Variant = tuple[str, str, Mapping[str, Any], bool]
"""Label, method, arguments, whether a claim rests on it."""


def _rows(*variants: Variant, references: Sequence[str] = ()) -> Callable[[Scale], list[Row]]:
    """Return what gives the rows at a scale."""

    def rows(scale: Scale) -> list[Row]:
        budget = BUDGETS[scale]
        return [
            _row(budget, variant, budget.headline_seeds if variant[3] else budget.other_seeds, references)
            for variant in variants
        ]

    return rows


def _short_rows(*variants: Variant, claims: Sequence[str] = ()) -> Callable[[Scale], list[Row]]:
    """Return the same with the steps and the seeds of tables that vary one thing at a time.

    At a scale whose steps these are anyway, cells of the other tables serve, all their seeds.
    """

    def rows(scale: Scale) -> list[Row]:
        budget = BUDGETS[scale]
        others = budget.headline_seeds if budget.short_steps == budget.steps else budget.other_seeds
        short = replace(budget, steps=budget.short_steps)
        found = []
        for variant in variants:
            seeds = others if variant[3] else budget.other_seeds
            if variant[0] in claims:
                seeds = budget.short_headline_seeds
            found.append(_row(short, variant, seeds))
        return found

    return rows


def _row(budget: Budget, variant: Variant, seeds: int, references: Sequence[str] = ()) -> Row:
    label, method, arguments, _ = variant
    return Row(label, "turned-objects", settings_of(budget, method, **arguments), seeds, label in references)


RANDOM: Variant = ("random", "random", {}, True)
SIMCLR: Variant = ("SimCLR", "simclr", {}, True)
SIMCLR_TT: Variant = ("SimCLR-TT", "simclr-tt", {}, True)
AA_SIMCLR: Variant = ("AA-SimCLR", "action-aware", {}, True)
SHUFFLED: Variant = ("AA-SimCLR (actions shuffled)", "action-aware", {"shuffle_actions": True}, False)
CIPER: Variant = ("CIPER", "ciper", {}, False)
EQUIMOD: Variant = ("EquiMod", "equimod", {}, False)
SUPERVISED: Variant = ("supervised", "supervised", {}, False)

MAIN = (RANDOM, SIMCLR, SIMCLR_TT, AA_SIMCLR, SHUFFLED, CIPER, EQUIMOD, SUPERVISED)
ORDER = (("AA-SimCLR", "SimCLR-TT"), ("AA-SimCLR", "SimCLR"), ("SimCLR-TT", "SimCLR"))
"""The paper's claim: each first one above its second."""

CONTROLS = (
    ("AA-SimCLR", "AA-SimCLR (actions shuffled)"),
    ("SimCLR", "random"),
    ("SimCLR-TT", "random"),
    ("AA-SimCLR", "random"),
)


def _chance(*measures: str) -> Callable[[Scale], Mapping[str, float]]:
    def chance(scale: Scale) -> Mapping[str, float]:
        return dict.fromkeys(measures, 1 / len(BUDGETS[scale].world["categories"]))

    return chance


_REMOVED: Mapping[str, Augmentation] = {
    "all": Augmentation(),
    "no crop": Augmentation(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0)),
    "no colour jitter": Augmentation(jitter_probability=0.0),
    "no grey": Augmentation(grey_probability=0.0),
    "none": Augmentation(
        crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), jitter_probability=0.0, grey_probability=0.0
    ),
}
"""What is left of the augmentation."""

_NOISE = (0.0, 0.1, 0.3, 1.0, 3.0)
"""Standard deviations of the noise on an action, in the action's own standard deviations."""

_VISUAL = {"SimCLR": "nt-xent", "BYOL": "byol", "VICReg": "vicreg"}


def _augmented(label: str) -> list[Variant]:
    methods = (SIMCLR, SIMCLR_TT, AA_SIMCLR)
    augmentation = _REMOVED[label]
    if label == "all":
        return [(f"{name} (all)", method, {}, True) for name, method, _, _ in methods]
    return [
        (f"{name} ({label})", method, {"augmentation": augmentation}, False) for name, method, _, _ in methods
    ]


RECOGNITION = (Measure("linear probe"), Measure("kNN"), Measure("category recall@1"))

STUDIES: tuple[Study, ...] = (
    Study(
        name="action-aware/main",
        title="Categories of novel objects",
        question="Does knowing the action help to recognise objects that were never seen?",
        rows=_rows(*MAIN, references=("supervised",)),
        measures=RECOGNITION,
        compare=(*ORDER, *CONTROLS),
        published=(
            Published("SimCLR", "test accuracy", "71.1 %", "RT4K", SOURCE),
            Published("SimCLR-TT", "test accuracy", "72.3 %", "RT4K", SOURCE),
            Published("AA-SimCLR", "test accuracy", "74.8 %", "RT4K", SOURCE),
            Published("SimCLR", "test accuracy", "94.2 %", "MVImgNet-F", SOURCE),
            Published("AA-SimCLR", "test accuracy", "96.1 %", "MVImgNet-F", SOURCE),
        ),
        chance=_chance("linear probe", "kNN", "category recall@1"),
    ),
    Study(
        name="action-aware/views",
        title="Novel objects from fixed sides",
        question="From which sides are novel objects recognised?",
        rows=_rows(RANDOM, SIMCLR, SIMCLR_TT, AA_SIMCLR),
        measures=(
            Measure("linear probe"),
            Measure("face view"),
            Measure("side view"),
            Measure("three-quarter view"),
        ),
        compare=ORDER,
        chance=_chance("linear probe", "face view", "side view", "three-quarter view"),
        notes=("One linear probe, trained on views from all sides; frames within 20° of a side count.",),
    ),
    Study(
        name="action-aware/alignment",
        title="Viewpoint-wise alignment of different objects of one category",
        question="Are two objects of one category more alike where they are seen from the same side?",
        rows=_rows(RANDOM, SIMCLR, SIMCLR_TT, AA_SIMCLR, SHUFFLED),
        measures=(
            Measure("alignment"),
            Measure("turn recall@1"),
            Measure("turn error (°)", percent=False, higher_is_better=False),
        ),
        compare=(*ORDER, CONTROLS[0]),
        chance=lambda scale: {
            "alignment": 0.5,
            "turn recall@1": 1 / (BUDGETS[scale].world["views"] - 1),
            "turn error (°)": 90.0,
        },
        curves=(Curve("alignment", "difference of viewpoint (°)", "cosine similarity"),),
        notes=(
            "Alignment: of another object's views, the share less like this one than the view from the same"
            " side; 50 % where embeddings know nothing of the side.",
            "Turn: what a ridge regression on frozen features of two views says of the turn between them, in"
            " degrees, and how often it is nearest to the right one of the clip's other views.",
        ),
    ),
    Study(
        name="action-aware/transfer",
        title="Categories that were never shown",
        question="Does it carry over to other categories?",
        rows=_rows(RANDOM, SIMCLR, SIMCLR_TT, AA_SIMCLR),
        measures=(Measure("transfer linear probe"), Measure("transfer kNN")),
        compare=ORDER,
        chance=lambda scale: dict.fromkeys(
            ("transfer linear probe", "transfer kNN"), 1 / len(BUDGETS[scale].transfer["categories"])
        ),
        notes=(
            "The paper transfers to ImageNet; here the probes learn and are tested on objects of"
            f" {len(UNSEEN)} categories that no encoder was shown: {', '.join(UNSEEN)}.",
        ),
    ),
    Study(
        name="action-aware/augmentation",
        title="Augmentations taken away",
        question="Does the action make up for missing augmentations?",
        rows=_short_rows(
            *(variant for label in _REMOVED for variant in _augmented(label)),
            claims=[f"{name} (none)" for name in ("SimCLR", "SimCLR-TT", "AA-SimCLR")],
        ),
        measures=RECOGNITION,
        compare=tuple(
            (f"AA-SimCLR ({label})", f"{other} ({label})")
            for label in _REMOVED
            for other in ("SimCLR-TT", "SimCLR")
        ),
        chance=_chance("linear probe", "kNN", "category recall@1"),
        lines={
            f"{name} ({label})": (name, float(place))
            for place, label in enumerate(_REMOVED)
            for name in ("SimCLR", "SimCLR-TT", "AA-SimCLR")
        },
        along=" · ".join(f"{place}: {label}" for place, label in enumerate(_REMOVED)),
    ),
    Study(
        name="action-aware/objectives",
        title="Visual objectives, alone, through time, and with the action",
        question="Does the action help whatever the visual objective?",
        rows=_short_rows(
            RANDOM,
            SIMCLR,
            SIMCLR_TT,
            AA_SIMCLR,
            *(
                variant
                for label, visual in list(_VISUAL.items())[1:]
                for variant in (
                    (label, visual, {}, False),
                    (f"{label}-TT", f"{visual}-tt", {}, False),
                    (f"AA-{label}", "action-aware", {"visual": visual}, False),
                )
            ),
        ),
        measures=RECOGNITION,
        compare=tuple(
            pair
            for label in _VISUAL
            for pair in ((f"AA-{label}", f"{label}-TT"), (f"AA-{label}", label), (f"{label}-TT", label))
        ),
        chance=_chance("linear probe", "kNN", "category recall@1"),
    ),
    Study(
        name="action-aware/sampling",
        title="Where the second frame comes from",
        question="Which pairs of frames teach most?",
        rows=_short_rows(
            ("TT (uniform)", "simclr-tt", {}, True),
            ("AA (uniform)", "action-aware", {}, True),
            *(
                (f"{name} ({label})", method, arguments, False)
                for label, arguments in (
                    ("random walk", {"pairing": "random-walk"}),
                    ("window of 1 to 3", {"pairing": "window", "gap": [1, 3]}),
                    ("opposite", {"pairing": "opposite"}),
                )
                for name, method in (("TT", "simclr-tt"), ("AA", "action-aware"))
            ),
        ),
        measures=RECOGNITION,
        compare=tuple(
            (f"AA ({label})", f"TT ({label})")
            for label in ("uniform", "random walk", "window of 1 to 3", "opposite")
        ),
        chance=_chance("linear probe", "kNN", "category recall@1"),
    ),
    Study(
        name="action-aware/noise",
        title="Noise on the actions",
        question="How exact must the actions be?",
        rows=_short_rows(
            SIMCLR_TT,
            *(
                (
                    f"AA-SimCLR (noise {noise:g})",
                    "action-aware",
                    {"action_noise": noise} if noise else {},
                    not noise,
                )
                for noise in _NOISE
            ),
            SHUFFLED,
        ),
        measures=(*RECOGNITION, Measure("turn error (°)", percent=False, higher_is_better=False)),
        compare=tuple((f"AA-SimCLR (noise {noise:g})", "SimCLR-TT") for noise in _NOISE),
        chance=_chance("linear probe", "kNN", "category recall@1"),
        lines={f"AA-SimCLR (noise {noise:g})": ("AA-SimCLR", noise) for noise in _NOISE},
        along="standard deviation of the noise, in the action's own",
    ),
)
