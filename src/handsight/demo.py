"""The demo: turning objects, four encoders of equal budget, an honest table and one page, from nothing."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handsight.augmentation import Augmentation
from handsight.encoders import load_encoder
from handsight.errors import Interrupted
from handsight.evaluation import Table, in_words
from handsight.methods import METHODS
from handsight.recordings import FrameCache, Recording
from handsight.report import (
    EmbeddingMap,
    Report,
    choose_rows,
    clips_section,
    curves_section,
    embed_2d,
    example_clips,
    facts_section,
    find_neighbours,
    map_section,
    neighbours_section,
    table_section,
    write,
)
from handsight.studies.benchmark import RANDOM, Measured, category_names, measure_objects, monitors
from handsight.studies.running import stop_with_parent
from handsight.training import made_with, pretrain, read_log
from handsight.training.run import write_atomically
from handsight.worlds import Turntable, collect

ROWS = {"SimCLR": "simclr", "SimCLR-TT": "simclr-tt", "AA-SimCLR": "action-aware", "supervised": "supervised"}
"""Row of the table → method."""

COMPARISONS = (
    ("AA-SimCLR", "SimCLR-TT"),
    ("AA-SimCLR", "SimCLR"),
    ("SimCLR-TT", "SimCLR"),
    *((row, RANDOM) for row in ROWS),
)

CATEGORIES = (
    *("mug", "bowl", "bottle", "chair", "table", "lamp", "car", "aeroplane"),
    *("boat", "hammer", "dumbbell", "umbrella", "duck", "cactus", "guitar", "camera"),
)
"""What is turned.

Sixteen kinds before one background: a few minutes of training show on these, not on all kinds before many.
"""

HEADLINE = ("linear probe", "kNN")
"""Measures whose differences are said in words."""

Counting = Callable[[str], AbstractContextManager[Callable[..., None]]]


@dataclass(frozen=True)
class DemoSettings:
    """How large the demo is.

    Args:
        objects: clips, one object each; the object factory divides them into train, validation and test.
        views: frames of a clip.
        frame_size: side of a recorded frame in pixels.
        image_size: side of what an encoder sees, in pixels.
        steps: of the optimiser, the same for every method.
        batch_size: samples in a step; every method forwards two pictures a sample.
        channels: of the encoder's four stages, a block each: a ResNet-10.
        learning_rate: of AdamW.
        seed: of everything random.
        workers: processes that render, and that train.
    """

    objects: int = 960
    views: int = 24
    frame_size: int = 64
    image_size: int = 32
    steps: int = 1000
    batch_size: int = 128
    channels: tuple[int, int, int, int] = (16, 32, 64, 128)
    learning_rate: float = 1e-3
    seed: int = 0
    workers: int = 2


def demonstrate(out: Path, settings: DemoSettings, counting: Counting, say: Callable[[str], None]) -> Path:
    """Collect, pretrain, evaluate and report; what is there already is kept, so the same call again goes on.

    Args:
        out: folder for everything.
        settings: how large.
        counting: gives, for a title, a context with a progress callback.
        say: told what begins.

    Returns:
        The page.
    """
    began = time.monotonic()
    world = Turntable(
        image_size=settings.frame_size,
        views=settings.views,
        turns="uneven",
        categories=CATEGORIES,
        finishes="plain",
        clutter=0,
        backgrounds=1,
    )
    data = out / "turntable"
    with counting("turning objects") as progress:
        collect(world, data, settings.objects, settings.seed, workers=settings.workers, progress=progress)
    recording = Recording(data)
    with counting("decoding frames") as progress:
        FrameCache(recording, recording.cameras[0], settings.image_size).build(progress)
    with counting("pretraining") as progress:
        runs = _train_side_by_side(data, out, settings, progress)
    encoders = {row: load_encoder(folder) for row, folder in runs.items()}
    found = measure_objects(
        encoders, [recording], compare=COMPARISONS, seed=settings.seed, most=8_000, say=say
    )
    table = found.benchmark.table
    write_atomically(out / "table.json", table.to_json())
    in_short = "\n".join(in_words(_headline(table)))
    write_atomically(out / "table.md", f"{table.to_markdown()}\n{in_short}\n")
    say("drawing the report")
    return write(
        _report(recording, runs, found, settings, time.monotonic() - began), out / "report" / "index.html"
    )


def _train_side_by_side(
    data: Path, out: Path, settings: DemoSettings, progress: Callable[..., None]
) -> dict[str, Path]:
    """Train every row, as many at once as there are workers.

    A network this small gains nothing from a second thread, and two at once gain everything.
    """
    context = multiprocessing.get_context("spawn")
    done = context.Array("l", len(ROWS))
    with ProcessPoolExecutor(
        settings.workers, mp_context=context, initializer=_share, initargs=(done,)
    ) as pool:
        futures = {row: pool.submit(_train, row, data, out, settings) for row in ROWS}
        waiting = set(futures.values())
        while waiting:
            finished, waiting = wait(waiting, timeout=1.0, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()  # raises what went wrong there
            progress(sum(done[:]), len(ROWS) * settings.steps)
        trained = {row: future.result() for row, future in futures.items()}
    if None in trained.values():
        raise Interrupted(f"stopped; give the same command again to go on ({out})")
    return {row: folder for row, folder in trained.items() if folder is not None}


_done: Any = None
"""Steps done by each row; shared with the process that shows them."""

_training = threading.Lock()
"""Held while a row is trained in this process."""


def _share(done: Any) -> None:
    global _done
    _done = done
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    stop_with_parent()
    with _training:  # its checkpoint is written
        os._exit(1)  # or it would wait for another row for ever


def _train(row: str, data: Path, out: Path, settings: DemoSettings) -> Path | None:
    """Train one row in a process of its own; None where it was stopped, with a checkpoint written."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    recording = Recording(data)
    place = list(ROWS).index(row)

    def progress(steps_done: int, steps: int, figures: Mapping[str, float]) -> None:
        _done[place] = steps_done

    method = METHODS[ROWS[row]](
        encoder="resnet18",
        image_size=settings.image_size,
        # With its usual strides the last maps of a picture this small would be of one pixel.
        encoder_options={
            "channels": list(settings.channels),
            "stem_width": settings.channels[0],
            "layers": [1, 1, 1, 1],
            "output_stride": 8,
        },
        augmentation=Augmentation(size=settings.image_size),
    )
    with _training, suppress(Interrupted):
        return pretrain(
            method,
            recording,
            out=out / "runs" / ROWS[row],
            steps=settings.steps,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            precision="auto",
            seed=settings.seed,
            checkpoint_every=100,
            log_every=10,
            monitor_every=max(1, settings.steps // 5),
            monitors=monitors([recording], settings.image_size, most=1_000),
            progress=progress,
        )
    return None


def _report(
    recording: Recording, runs: Mapping[str, Path], found: Measured, settings: DemoSettings, seconds: float
) -> Report:
    test, names = found.frames, category_names([recording])
    categories = [names[code] for code in test.category]
    generator = np.random.default_rng(settings.seed)
    queries = generator.choice(len(test), 6, replace=False).tolist()
    shown = choose_rows(len(test), generator, 1200)
    pictures = test.read(test.index)
    splits = recording.splits()
    counts = {split: int((splits == split).sum()) for split in ("train", "validation", "test")}
    return Report(
        title="Handsight: what turning objects teaches an encoder",
        lead=[
            f"{recording.num_episodes} simulated objects of {len(names)} categories were turned."
            " Four encoders of equal budget"
            f" ({settings.steps} steps of {settings.batch_size}, {settings.image_size} px)"
            f" learned from {counts['train']} of them;"
            f" the table measures them on {counts['test']} objects that none of them saw.",
            "One training seed each, a small network, small pictures: the"
            " intervals are over test objects and say nothing of other seeds.",
        ],
        sections=[
            table_section(
                _headline(found.benchmark.table),
                chance=dict.fromkeys(HEADLINE, 1 / len(names)),
                references=("supervised",),
                counts=f"{counts['test']} test objects, {len(test):,} frames.",
            ),
            clips_section(example_clips(recording, generator)),
            curves_section({row: read_log(folder) for row, folder in runs.items()}),
            neighbours_section(
                {
                    row: find_neighbours(features.embeddings, pictures, categories, test.object, queries)
                    for row, features in found.test.items()
                    if row in (RANDOM, "SimCLR-TT", "AA-SimCLR")
                }
            ),
            map_section(
                [
                    EmbeddingMap(
                        row,
                        embed_2d(features.embeddings[shown], settings.seed),
                        [categories[i] for i in shown],
                    )
                    for row, features in found.test.items()
                    if row in (RANDOM, "AA-SimCLR")
                ]
            ),
            facts_section(
                {"command": "handsight demo", "seconds in all": round(seconds), **made_with()},
                {"demo": asdict(settings), "world": recording.info.get("handsight", {}).get("world", {})},
            ),
        ],
    )


def _headline(table: Table) -> Table:
    """Keep the differences that are worth a sentence."""
    return replace(table, differences=tuple(d for d in table.differences if d.measure in HEADLINE))
