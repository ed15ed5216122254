"""The tables and figures of The Curious Robot (Pinto et al., ECCV 2016), each as a study.

Its data sets cannot be had here; each has a stand-in from the simulated turntable, named in every table:
ImageNet Household: categories that the hand was never given; UW RGB-D: novel instances of those it was given,
seen from all sides; Caltech-256: all categories in cluttered scenes. Published figures stand in columns of
their own. All tables are looks at the same cells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from handsight.evaluation import Measure, Published
from handsight.evaluation.retrieval import DEPTHS
from handsight.methods.curious_robot import TASKS
from handsight.studies.curious_robot_cells import BUDGETS, NEVER_HANDLED, settings_of
from handsight.studies.study import Curve, Row, Scale, Study
from handsight.worlds.objects import CATEGORIES

SOURCE = "Pinto et al. 2016"
EXPERIMENT = "handled-objects"

ALL, IDENTITY, PAINTED = "all robot tasks", "identity alone", "auto-encoder"
RANDOM, LABELLED = "random", "supervised"
OWN = "all robot tasks, own heads"
EXCEPT = {task: f"except {task}" for task in TASKS}

METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    RANDOM: ("random", TASKS),
    ALL: ("curious-robot", TASKS),
    IDENTITY: ("curious-robot", ("identity",)),
    PAINTED: ("autoencoder", TASKS),
    LABELLED: ("supervised", TASKS),
    **{
        label: ("curious-robot", tuple(other for other in TASKS if other != task))
        for task, label in EXCEPT.items()
    },
}
"""Row → method and tasks."""

IMAGENET, WEIGHTS = "AlexNet trained on ImageNet", "HANDSIGHT_ALEXNET"
"""The row of weights from elsewhere, and the environment's variable that names a file of them: tensors conv1
to conv5, fc6 and fc7 of `alexnet-lrn` at 227 px, trained on RGB less ImageNet's mean, by its deviation."""

HEADLINE = (RANDOM, ALL, IDENTITY)
"""Rows that a claim rests on."""

STAND_INS = {
    "household": "ImageNet Household stand-in",
    "instances": "UW RGB-D stand-in",
    "scenes": "Caltech-256 stand-in",
}
NOTE = (
    "Stand-ins, all simulated. Household: 25 categories that the hand was never given, in plain scenes. UW"
    " RGB-D: novel instances of the categories it was given, from all sides, one of each left out at a time."
    " Caltech-256: all categories, cluttered scenes."
)


def _rows(*labels: str, weights: bool = False) -> Callable[[Scale], list[Row]]:
    """Return what gives the rows at a scale; `weights`: also ImageNet's AlexNet, where a file is named."""

    def rows(scale: Scale) -> list[Row]:
        budget, file = BUDGETS[scale], os.environ.get(WEIGHTS) if weights else None
        named = settings_of(budget, "given", init=file) if file else None
        imagenet = [Row(IMAGENET, EXPERIMENT, named, 1, reference=True)] if named else []
        return imagenet + [
            Row(
                label,
                EXPERIMENT,
                settings_of(budget, *METHODS[ALL if label == OWN else label]),
                budget.headline_seeds if label in (*HEADLINE, OWN) else budget.other_seeds,
                reference=label == LABELLED,
                part="own" if label == OWN else "",
            )
            for label in labels
        ]

    return rows


def _classified(way: str) -> tuple[Measure, ...]:
    return tuple(Measure(f"{name}, {way}") for name in STAND_INS)


def _chance(*ways: str) -> Callable[[Scale], dict[str, float]]:
    def chance(scale: Scale) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, one in BUDGETS[scale].benchmarks.items():
            categories = one["world"].get("categories", CATEGORIES)
            found |= {f"{name}, {way}": 1 / len(categories) for way in ways}
        return found

    return chance


def _published(rows: dict[str, Sequence[str]], names: Sequence[str]) -> tuple[Published, ...]:
    return tuple(
        Published(row, "accuracy", figure, name, SOURCE)
        for row, figures in rows.items()
        for figure, name in zip(figures, names, strict=True)
    )


REAL = ("ImageNet Household", "UW RGB-D", "Caltech-256")
"""The paper's own data sets."""

STUDIES: tuple[Study, ...] = (
    Study(
        name="curious-robot/classification",
        title="Classification after learning from a hand's interactions",
        question="Do grasps, pushes, pokes and seeing again teach a root what helps to tell categories?",
        rows=_rows(RANDOM, ALL, IDENTITY, PAINTED, LABELLED, weights=True),
        measures=(*_classified("fine-tuned"), *_classified("frozen")),
        compare=((ALL, RANDOM), (ALL, IDENTITY), (ALL, PAINTED)),
        published=_published(
            {
                RANDOM: ("0.250", "0.468", "0.242"),
                ALL: ("0.354", "0.693", "0.317"),
                IDENTITY: ("0.315", "0.660", "0.252"),
                PAINTED: ("0.296", "0.657", "0.280"),
                IMAGENET: ("0.625", "0.820", "0.656"),
            },
            REAL,
        ),
        chance=_chance("fine-tuned", "frozen"),
        notes=(
            NOTE,
            "Supervised: the root learned the categories of what the hand was given.",
            f"AlexNet trained on ImageNet is measured where {WEIGHTS} names a file of its weights.",
        ),
    ),
    Study(
        name="curious-robot/retrieval",
        title="Retrieval of instances and of categories by the embedding (fc7)",
        question="Is the nearest picture one of the same object, and of the same category?",
        rows=_rows(RANDOM, ALL, IDENTITY, PAINTED, weights=True),
        measures=tuple(
            Measure(f"{by} recall@{depth}") for by in ("instance", "category") for depth in DEPTHS
        ),
        compare=((ALL, RANDOM), (ALL, IDENTITY)),
        published=tuple(
            Published(row, f"{by} recall@{depth}", figure, "UW RGB-D", SOURCE)
            for row, by, figures in (
                (RANDOM, "instance", ("0.062", "0.219", "0.331", "0.475")),
                (RANDOM, "category", ("0.150", "0.466", "0.652", "0.800")),
                (ALL, "instance", ("0.720", "0.831", "0.875", "0.909")),
                (ALL, "category", ("0.833", "0.918", "0.946", "0.966")),
                (IMAGENET, "instance", ("0.686", "0.857", "0.903", "0.941")),
                (IMAGENET, "category", ("0.854", "0.953", "0.969", "0.982")),
            )
            for depth, figure in zip(DEPTHS, figures, strict=True)
        ),
        notes=(NOTE,),
    ),
    Study(
        name="curious-robot/ablation",
        title="Each task left out",
        question="Which interaction teaches most? The paper: leaving grasp out hurts most.",
        rows=_rows(ALL, *EXCEPT.values()),
        measures=(*_classified("fine-tuned"), *_classified("frozen")),
        compare=tuple((ALL, label) for label in EXCEPT.values()),
        published=_published(
            {
                ALL: ("0.354", "0.693", "0.317"),
                EXCEPT["grasp"]: ("0.309", "0.632", "0.263"),
                EXCEPT["push"]: ("0.356", "0.710", "0.279"),
                EXCEPT["poke"]: ("0.342", "0.684", "0.289"),
                EXCEPT["identity"]: ("0.324", "0.711", "0.297"),
            },
            REAL,
        ),
        chance=_chance("fine-tuned", "frozen"),
        notes=(NOTE,),
    ),
    Study(
        name="curious-robot/interactions",
        title="Interactions with objects that were never touched",
        question="Is it told which grasps hold, how things were pushed, and how they yield?",
        rows=_rows(RANDOM, ALL, OWN, IDENTITY, PAINTED),
        measures=(
            Measure("grasp balanced accuracy"),
            Measure("grasp AUC"),
            Measure("push direction error (°)", percent=False, higher_is_better=False),
            Measure("push start error (m)", percent=False, higher_is_better=False, decimals=3),
            Measure("poke slope error / training mean's", percent=False, higher_is_better=False, decimals=2),
        ),
        compare=((OWN, RANDOM), (OWN, IDENTITY), (ALL, RANDOM), (ALL, IDENTITY)),
        chance=lambda scale: {
            "grasp balanced accuracy": 0.5,
            "grasp AUC": 0.5,
            "push direction error (°)": 90.0,
            "poke slope error / training mean's": 1.0,
        },
        curves=(Curve("precision and recall", "recall", "precision of grasps told to hold"),),
        notes=(
            "Heads of every row but the one with its own are trained on the frozen root, alike for all.",
            "Grasps: each outcome counts half; the threshold is the one best on validation objects.",
            "AUC: how often a grasp that held is told to be likelier than one that failed.",
        ),
    ),
    Study(
        name="curious-robot/activations",
        title="What units of conv4 and conv5 answer to most",
        question="Are the pictures that a unit answers to most of one kind (figure 9)?",
        rows=_rows(RANDOM, ALL, IDENTITY),
        measures=(Measure("conv4 units of one category"), Measure("conv5 units of one category")),
        compare=((ALL, RANDOM),),
        notes=(
            "Of the nine pictures that a unit answers to most, the share of the most frequent category; one"
            " ninth for a unit that answers to none.",
            f"Pictures of {len(NEVER_HANDLED)} categories that the hand was never given, each with the"
            " receptive field outlined.",
        ),
        pictures=("conv4", "conv5"),
        clusters="units",
    ),
    Study(
        name="curious-robot/neighbours",
        title="Nearest neighbours in conv5",
        question="Are the pictures nearest to one of another object of the same category (figure 10)?",
        rows=_rows(RANDOM, ALL, IDENTITY),
        measures=(
            Measure("conv5 neighbours of the category"),
            Measure("embedding neighbours of the category"),
        ),
        compare=((ALL, RANDOM), (ALL, IDENTITY)),
        chance=lambda scale: dict.fromkeys(
            ("conv5 neighbours of the category", "embedding neighbours of the category"),
            1 / len(BUDGETS[scale].benchmarks["household"]["world"]["categories"]),
        ),
        notes=("A picture of each category that the hand was never given, and the five nearest to it.",),
        pictures=("neighbours",),
    ),
)
