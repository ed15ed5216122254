"""The tables and figures of learning to interact (Lohmann et al., NeurIPS 2020), each as a study.

AI2-THOR's rooms are stood in for by procedural ones in MuJoCo; published figures stand in columns of their
own. NovelSpaces: rooms that were never seen, of kinds that were. NovelObjects: bedrooms, after kitchens and
living rooms, most of whose things are of new kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from handsight.evaluation import Measure, Published
from handsight.evaluation.detection import MASS_CLASSES
from handsight.evaluation.things import CONFUSED, FIGURES, FOUND
from handsight.studies.cells import Settings
from handsight.studies.found_things import ON_THINGS
from handsight.studies.learning_to_interact_cells import BUDGETS, FAR_M, Budget, baseline_of, settings_of
from handsight.studies.study import Curve, Row, Scale, Study

SOURCE = "Lohmann et al. 2020"
EXPERIMENT = "found-things"

SPACES, OBJECTS = "novel-spaces", "novel-objects"
SPLIT_NAMES = {SPACES: "NovelSpaces", OBJECTS: "NovelObjects"}
BOTH = "NovelObjects / NovelSpaces"
"""What published figures are of, in %."""


@dataclass(frozen=True)
class Variant:
    """A row, but for the split.

    Args:
        options: of `settings_of`, or of `baseline_of` where they name a method.
        headline: whether a claim rests on it.
        reference: whether it is told the truth.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    headline: bool = False
    reference: bool = False


UNTRAINED, OURS, APART = "untrained", "ours", "ours, segmentation only"
TOLD_MASKS, TOLD_POINTS, TOLD_ALL = "supervised masks", "supervised interaction", "full supervision"
BARE, EVENLY, FAR, FLOW = (
    "without superpixels",
    "without prioritised sampling",
    "unlimited reach",
    "optical flow",
)

RCNN_MASS, RCNN = "Mask R-CNN, full supervision and mass", "Mask R-CNN, full supervision"
RCNN_SEEN, ROBUST = "Mask R-CNN, self-supervised masks", "robust set loss, self-supervised masks"
FILMED = "VideoPCA, supervised interaction"
_RCNN: Mapping[str, Any] = {"method": "mask-rcnn"}
_ALL = ("points", "masks")

VARIANTS: Mapping[str, Variant] = {
    UNTRAINED: Variant({"trained": False}, headline=True),
    OURS: Variant({"weigh": True}, headline=True),
    APART: Variant({}, headline=True),
    TOLD_MASKS: Variant({"oracles": ["masks"]}, reference=True),
    TOLD_POINTS: Variant({"oracles": ["points"]}, reference=True),
    TOLD_ALL: Variant({"oracles": ["points", "masks"]}, reference=True),
    BARE: Variant({"superpixels": False}),
    EVENLY: Variant({"prioritised": False}),
    FAR: Variant({"reach_m": FAR_M}),
    FLOW: Variant({"difference": "flow"}),
    RCNN_MASS: Variant({**_RCNN, "oracles": _ALL, "mass": True}, reference=True),
    FILMED: Variant({"method": "video-pca"}),
    RCNN: Variant({**_RCNN, "oracles": _ALL}, reference=True),
    RCNN_SEEN: Variant(_RCNN),
    ROBUST: Variant({**_RCNN, "loss": "robust-set"}),
}

PUBLISHED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    OURS: (("24.19", "11.65", "22.00", "10.24"), ("27.59", "13.44", "25.01", "11.00")),
    RCNN_MASS: (("33.94", "22.08", "28.21", "16.75"), ("50.72", "34.44", "45.57", "30.12")),
    APART: (("27.06", "12.71", "24.37", "11.09"), ("26.10", "12.05", "23.70", "10.30")),
    TOLD_MASKS: (("30.77", "16.83", "27.46", "13.89"), ("38.44", "21.25", "36.49", "18.67")),
    TOLD_POINTS: (("26.11", "12.26", "24.87", "11.53"), ("28.06", "13.23", "26.14", "11.71")),
    TOLD_ALL: (("30.23", "14.86", "27.40", "13.23"), ("25.68", "12.03", "24.54", "11.00")),
    FILMED: (("8.10", "3.99", "7.33", "3.27"), ("7.48", "3.45", "6.97", "2.82")),
    RCNN: (("36.49", "22.92", "30.66", "18.35"), ("49.86", "31.63", "44.87", "28.85")),
    RCNN_SEEN: (("15.93", "8.16", "10.88", "6.08"), ("21.26", "11.39", "15.84", "8.73")),
    ROBUST: (("17.51", "9.11", "10.71", "4.02"), ("22.29", "12.08", "16.23", "8.81")),
    BARE: (("12.74", "4.77", "10.21", "3.81"), ("13.24", "4.93", "10.72", "3.75")),
    EVENLY: (("21.04", "8.70", "19.02", "7.75"), ("21.32", "8.78", "19.68", "7.76")),
    FAR: (("21.06", "9.38", "20.64", "9.15"), ("20.10", "9.36", "17.26", "7.56")),
}
"""Table 1: box AP50, box AP, mask AP50, mask AP; NovelObjects, then NovelSpaces."""

FOUND_NOTE = "Things found: boxes that overlap by half with one of a picture's 32, however unsure."
NOTES = (
    "Simulated rooms, 30 of each of four kinds, in place of AI2-THOR's 120. Movable things of which ten"
    " pixels show within reach are to be found; average precision without categories, as COCO's.",
    "Intervals of few seeds resample rooms, by what each figure would be without each.",
    "Masks are told on cells of three pixels, and learned on them: it is their overlap with whole masks that"
    " box and mask AP, more than AP50, are limited by.",
)


def label_of(name: str, splits: str) -> str:
    """Return a row's label: of NovelSpaces the variant's name alone."""
    return name if splits == SPACES else f"{name} ({SPLIT_NAMES[splits]})"


def _rows(*asked: tuple[str, str], paper: tuple[tuple[str, str], ...] = ()) -> Callable[[Scale], list[Row]]:
    """Return what gives rows of variants in splits at a scale, and those that stand at the paper's alone."""

    def rows(scale: Scale) -> list[Row]:
        budget = BUDGETS[scale]
        return [
            Row(
                label_of(name, splits),
                EXPERIMENT,
                _settings(budget, splits, **VARIANTS[name].options),
                budget.headline_seeds if VARIANTS[name].headline else budget.other_seeds,
                reference=VARIANTS[name].reference,
            )
            for name, splits in (*asked, *(paper if scale == "paper" else ()))
        ]

    return rows


def _settings(budget: Budget, splits: str, **options: Any) -> Settings:
    return (baseline_of if "method" in options else settings_of)(budget, splits, **options)


def _in(splits: str, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, splits) for name in names)


def _published(*names: str) -> tuple[Published, ...]:
    return tuple(
        Published(name, measure, " / ".join(figures), BOTH, SOURCE)
        for name in names
        for measure, *figures in zip(FIGURES[:4], *PUBLISHED[name], strict=True)
    )


SEGMENTATION = tuple(Measure(name) for name in FIGURES[:4])
TOLD = tuple(
    Measure(name, higher_is_better=true == told)
    for (true, told), name in zip(product(MASS_CLASSES, repeat=2), CONFUSED, strict=True)
)

CONFUSIONS: Mapping[str, tuple[float, ...]] = {
    OBJECTS: (0.1318, 0.5041, 0.3641, 0.0510, 0.6114, 0.3376, 0.0066, 0.2128, 0.7805),
    SPACES: (0.4193, 0.5092, 0.0714, 0.1591, 0.5413, 0.2996, 0.0366, 0.2483, 0.7151),
}
"""Table 4, row by row."""

STUDIES: tuple[Study, ...] = (
    Study(
        name="learning-to-interact/segmentation",
        title="Things found in rooms that were never seen",
        question="Does acting teach what is a thing, without anyone saying so (table 1)?",
        rows=_rows(
            *_in(SPACES, UNTRAINED, OURS, RCNN_MASS, APART, TOLD_MASKS, TOLD_POINTS, TOLD_ALL),
            *_in(SPACES, FILMED, RCNN, RCNN_SEEN, ROBUST),
            *_in(OBJECTS, UNTRAINED, OURS, APART),
            paper=_in(OBJECTS, RCNN_MASS, TOLD_MASKS, TOLD_POINTS, TOLD_ALL, FILMED, RCNN, RCNN_SEEN, ROBUST),
        ),
        measures=(*SEGMENTATION, Measure(FOUND)),
        compare=(
            (OURS, UNTRAINED),
            (APART, UNTRAINED),
            (APART, OURS),
            (APART, RCNN_SEEN),
            (label_of(OURS, OBJECTS), label_of(UNTRAINED, OBJECTS)),
        ),
        published=_published(*(name for name in PUBLISHED if name not in (BARE, EVENLY, FAR))),
        notes=(
            *NOTES,
            FOUND_NOTE,
            "Mask R-CNN's boxes are those that it tells; others' lie around what they tell as a mask.",
            "At `small`, agents that test no forces act and learn for as long as those that do; Mask R-CNN"
            " sees 12,000 pictures, at the paper's rate, where an agent sees 31,000.",
        ),
        clusters="test rooms",
        same_clusters=True,
    ),
    Study(
        name="learning-to-interact/mass",
        title="Mass told of things that were found",
        question="Does trying forces teach how heavy things look (table 2)?",
        rows=_rows(
            *_in(SPACES, UNTRAINED, OURS, RCNN_MASS),
            *_in(OBJECTS, UNTRAINED, OURS),
            paper=_in(OBJECTS, RCNN_MASS),
        ),
        measures=(Measure(FIGURES[4]), Measure(FIGURES[5])),
        compare=((OURS, UNTRAINED), (label_of(OURS, OBJECTS), label_of(UNTRAINED, OBJECTS))),
        published=tuple(
            Published(name, measure, figure, BOTH, SOURCE)
            for name, figures in (
                (OURS, ("50.79 / 55.86", "11.85 / 11.01")),
                (RCNN_MASS, ("78.28 / 86.11", "26.90 / 46.24")),
            )
            for measure, figure in zip(FIGURES[4:], figures, strict=True)
        ),
        chance=lambda scale: {FIGURES[4]: 1 / len(MASS_CLASSES)},
        notes=(
            *NOTES,
            "Classes: below 0.5 kg, below 2 kg, the rest. Accuracy, of what was found, is the mean over the"
            " classes; one of which nothing was found counts as 0.",
        ),
        clusters="test rooms",
        same_clusters=True,
    ),
    Study(
        name="learning-to-interact/ablation",
        title="What the agent's eye and memory need",
        question="What do superpixels, prioritised sampling and a short reach bring (table 1, rows k to m)?",
        rows=_rows(
            *_in(SPACES, APART, BARE, EVENLY, FAR, FLOW),
            paper=_in(OBJECTS, APART, BARE, EVENLY, FAR, FLOW),
        ),
        measures=(*SEGMENTATION, Measure(FOUND)),
        compare=((APART, BARE), (APART, EVENLY), (APART, FAR), (APART, FLOW)),
        published=_published(APART, BARE, EVENLY, FAR),
        notes=(
            *NOTES,
            FOUND_NOTE,
            "With unlimited reach all movable things in sight are to be found. Optical flow, in place of the"
            " change of colour, is classical (DIS).",
        ),
        clusters="test rooms",
        same_clusters=True,
    ),
    Study(
        name="learning-to-interact/variance",
        title="How much chance decides",
        question="How far apart are agents that differ in their seed alone (table 3)?",
        rows=_rows(*_in(OBJECTS, OURS)),
        measures=tuple(Measure(name) for name in FIGURES),
        published=tuple(
            Published(label_of(OURS, OBJECTS), measure, figure, SPLIT_NAMES[OBJECTS], SOURCE)
            for measure, figure in zip(
                FIGURES,
                (
                    *("23.77 ± 0.83 %", "11.33 ± 0.59 %", "21.92 ± 0.90 %", "10.01 ± 0.50 %"),
                    *("49.79 ± 1.36 %", "10.75 ± 1.03 %"),
                ),
                strict=True,
            )
        ),
        notes=(*NOTES, "The paper's are standard deviations over three runs."),
        clusters="test rooms",
        same_clusters=True,
        deviations=True,
    ),
    Study(
        name="learning-to-interact/confusion",
        title="Which masses are taken for which",
        question="Of what is found, which masses are told (table 4)?",
        rows=_rows(*_in(SPACES, OURS), *_in(OBJECTS, OURS)),
        measures=TOLD,
        notes=(
            *NOTES,
            "Shares of each true class that were told to be of each class; those of one class sum to 100 %.",
            *(
                f"The paper's, {SPLIT_NAMES[splits]}, in this order: {', '.join(f'{s:.1%}' for s in shares)}."
                for splits, shares in CONFUSIONS.items()
            ),
        ),
        clusters="test rooms",
        same_clusters=True,
        pictures=("rooms",),
    ),
    Study(
        name="learning-to-interact/growth",
        title="What an agent can do as it learns",
        question="Do its points hit things more often than random ones, and does it find and weigh more?",
        rows=_rows(*_in(SPACES, OURS, APART), *_in(OBJECTS, OURS)),
        measures=(*map(Measure, ON_THINGS), Measure(FOUND), Measure(FIGURES[0])),
        curves=(
            Curve("hits_chosen", "step", "chosen points on movable things in reach"),
            Curve("hits_random", "step", "random points on movable things in reach"),
            Curve("box AP50", "step", "box AP50 in validation rooms"),
            Curve("mass accuracy", "step", "mass accuracy in validation rooms"),
        ),
        notes=(
            *NOTES,
            "Points: those of the last fifth of the rounds, in rooms that it learns in; half were chosen by"
            " the agent, half were drawn.",
            FOUND_NOTE,
        ),
        clusters="test rooms",
        same_clusters=True,
    ),
)
