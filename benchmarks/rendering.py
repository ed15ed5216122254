"""How fast does the turntable draw, where does the time go, and how far is that from what could be?

Frames per second of one core, all in; the parts of a clip; a recording through `collect` with two workers; as
limits, the same renderer with nothing to draw and with the object alone; and beside it, in the same run,
MuJoCo's own `Renderer` with one compiled model per object (`rendering_peer.py`). What was found stands in
docs/results/rendering.md.

    python benchmarks/rendering.py                 # two minutes on two cores that have nothing else to do
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["LP_NUM_THREADS"] = "0"  # Mesa draws in the thread that asks, as in the workers of `collect`
os.environ["OMP_NUM_THREADS"] = "1"
if not os.environ.get("DISPLAY"):
    os.environ.setdefault("MUJOCO_GL", "egl")

import numpy as np

from handsight.recordings import Writer
from handsight.training import made_with
from handsight.worlds import Turntable, collect, setting, turntable
from handsight.worlds.encoding import make_encoded, write
from handsight.worlds.layers import Reader
from handsight.worlds.objects import FINISHES_N
from handsight.worlds.objects.appearance import TEXTURE_SIZE
from handsight.worlds.scene import Stage
from handsight.worlds.shelf import FactoryShelf
from rendering_peer import PEERS, peer_clip

VIEWS = 36
RESULT = Path(__file__).parents[1] / "docs" / "results" / "rendering.json"
Rates = dict[str, dict[str, list[float]]]
"""By what was measured, its frames per second in each round: of wall time, and of the process's CPU time."""


def main() -> None:
    """Measure, print the tables, write them down."""
    options = _options()
    with one_core():
        worlds = {
            (size, antialias): Turntable(image_size=size, views=VIEWS, antialias=antialias)
            for size in options.sizes
            for antialias in (True, False)
        }
        rates = frames_per_second(worlds, options)
        parts = {_name(*key): parts_of(world, options) for key, world in worlds.items()}
        device = worlds[options.sizes[0], True].device
        for world in worlds.values():
            world.close()
    found = {
        "made": made_with() | {"opencv": version("opencv-python-headless"), "graphics": device},
        "options": {name: value for name, value in vars(options).items() if name != "out"},
        "frames per second": rates,
        "parts": parts,
        "collect": collected(options),
    }
    print(tables(found))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def frames_per_second(worlds: Mapping[tuple[int, bool], Turntable], options: argparse.Namespace) -> Rates:
    """Ours, our limits and the peers, in turns, so that a change of the machine's pace meets them all."""
    rates: Rates = defaultdict(lambda: {"wall": [], "CPU": []})
    for world in worlds.values():
        world.episode(options.seed, 10_000)  # opens the context
    for _ in range(options.repetitions):
        for (size, antialias), world in worlds.items():
            name = _name(size, antialias)
            spent = {
                what: Spent() for what in ("turntable", "limit, nothing drawn", "limit, the object alone")
            }
            for index in range(options.clips):
                with spent["turntable"]:
                    world.episode(options.seed, index)
                for what, slots_n in (("limit, nothing drawn", 0), ("limit, the object alone", FINISHES_N)):
                    with spent[what]:
                        _only_draw(world._opened(), slots_n)
            for what, one in spent.items():
                one.rate(rates[f"{name}: {what}"], options.clips)
            for peer in PEERS if antialias else ():
                spent_by_peer = Spent()
                with spent_by_peer:
                    for index in range(options.peer_clips):
                        peer_clip(peer, size, VIEWS, options.seed, index)
                spent_by_peer.rate(rates[f"{size}: mujoco.Renderer, {peer}"], options.peer_clips)
    return dict(rates)


class Spent:
    """Wall time and CPU time of this process, summed over the blocks that it surrounds."""

    def __init__(self) -> None:
        self._sum = np.zeros(2)

    def __enter__(self) -> None:
        self._sum -= (time.perf_counter(), time.process_time())

    def __exit__(self, *_: object) -> None:
        self._sum += (time.perf_counter(), time.process_time())

    def rate(self, rates: Mapping[str, list[float]], clips: int) -> None:
        """Note the frames per second that so many clips in this time are."""
        for kind, spent_s in zip(("wall", "CPU"), self._sum, strict=True):
            rates[kind].append(clips * VIEWS / spent_s)


def _only_draw(stage: Stage, slots_n: int) -> None:
    """Only draw the first slots and read the colours, once per frame of a clip."""
    stage._gl.make_current()
    seen = stage._seen & (np.arange(len(stage._seen)) < slots_n)
    for _ in range(VIEWS):
        stage._render(seen)
        stage._reader._read_colours()


class Clock:
    """CPU time by part. What a part calls that is a part itself counts there and not here."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._inner = [0.0]
        self._undo: list[tuple[Any, str, Any]] = []

    def watch(self, owner: Any, name: str, part: str, after: Callable[[], Any] = lambda: None) -> None:
        """Count a function of a class or module as `part`; `after` is called at its end and counted in."""
        plain = getattr(owner, name)

        def timed(*given: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            began = time.process_time()
            result = plain(*given, **options)
            after()
            took = time.process_time() - began
            self.spent_s[part] += took - self._inner.pop()
            self.calls[part] += 1
            self._inner[-1] += took
            return result

        self._undo.append((owner, name, plain))
        setattr(owner, name, timed)

    def stop(self) -> None:
        """Count no more."""
        for owner, name, plain in reversed(self._undo):
            setattr(owner, name, plain)


def parts_of(world: Turntable, options: argparse.Namespace) -> dict[str, float]:
    """CPU microseconds per frame of each part; each drawing is waited for, which costs a little."""
    from OpenGL import GL

    clock = Clock()
    world.episode(options.seed, 0)
    clock.watch(FactoryShelf, "take", "making the object")
    clock.watch(turntable, "scatter_clutter", "clutter")
    clock.watch(setting, "draw_finish", "clutter")
    clock.watch(turntable, "paint_background", "background")
    clock.watch(Stage, "show", "writing meshes and sending them")
    clock.watch(Stage, "_upload_texture", "sending textures")
    clock.watch(Stage, "_render", "drawing", after=GL.glFinish)
    clock.watch(Reader, "_read_colours", "reading back")
    clock.watch(Reader, "_read_depths", "reading back")
    clock.watch(Reader, "_cover", "putting the object before the rest")
    clock.watch(Reader, "_average", "averaging")
    episodes, triangles_n = [], 0
    began = time.process_time()
    for index in range(options.clips):
        episodes.append(world.episode(options.seed, index))
        triangles_n += _triangles_n(world._opened())
    whole_s = time.process_time() - began
    clock.stop()
    clock.spent_s["the rest (numbers, poses, settings)"] = whole_s - sum(clock.spent_s.values())
    png_bytes = _encode_and_write(world, episodes, clock.spent_s)
    return {part: took_s / options.clips / VIEWS * 1e6 for part, took_s in clock.spent_s.items()} | {
        "triangles per clip": triangles_n / options.clips,
        "textures sent per clip, bytes": clock.calls["sending textures"]
        / options.clips
        * TEXTURE_SIZE**2
        * 3,
        "PNG, bytes per frame": png_bytes,
    }


def _triangles_n(stage: Stage) -> int:
    seen = stage._seen[: stage._slots_n]
    return int(stage._model.mesh_facenum[: stage._slots_n][seen].sum())


def _encode_and_write(world: Turntable, episodes: list[Any], spent_s: dict[str, float]) -> float:
    """Do what follows in `collect`; note how long it took, and return the mean size of a PNG."""
    folder = Path(tempfile.mkdtemp())
    began = time.process_time()
    encoded = [make_encoded(_Made(world, episode), 0, 0) for episode in episodes]
    spent_s["encoding PNGs, figures"] = time.process_time() - began
    began = time.process_time()
    with Writer(folder / "recording", world.features, world.fps, facts=world.facts) as writer:
        for episode in encoded:
            write(writer, episode)
    spent_s["writing, sealing"] = time.process_time() - began
    shutil.rmtree(folder)
    return float(np.mean([len(png) for made in encoded for png in made.columns["observation.images.camera"]]))


class _Made:
    """A world that has made its episode already."""

    def __init__(self, world: Turntable, episode: Any) -> None:
        self.features = world.features
        self.episode = lambda seed, index: episode


def collected(options: argparse.Namespace) -> dict[str, float]:
    """A recording through `collect`, encoded and written, with two workers."""
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    world = Turntable(image_size=128, views=VIEWS)
    began, busy = time.perf_counter(), time.process_time()
    collect(world, folder / "recording", options.objects, options.seed, options.workers)
    took_s, busy_s = time.perf_counter() - began, time.process_time() - busy
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return {
        "objects": options.objects,
        "views": VIEWS,
        "workers": options.workers,
        "wall, s": took_s,
        "frames per second": options.objects * VIEWS / took_s,
        "writing process, CPU ms per episode": busy_s / options.objects * 1e3,
        "megabytes": size / 1e6,
    }


def tables(found: Mapping[str, Any]) -> str:
    """Return what was measured as Markdown."""
    rates = found["frames per second"]
    lines = [
        "| frames per second, one core | wall time | CPU time | turntable ÷ it |",
        "| --- |" + " ---: |" * 3,
    ]
    for name, each in rates.items():
        cells = [f"{statistics.median(of):,.0f} ({min(of):,.0f} to {max(of):,.0f})" for of in each.values()]
        ours = next(key for key in rates if key.split(": ")[0].startswith(name.split(": ")[0]))
        ratios = [one / other for one, other in zip(rates[ours]["CPU"], each["CPU"], strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} | {statistics.median(ratios):.2g} |")
    columns = found["parts"]
    lines += ["", f"| CPU µs per frame | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for part in next(iter(columns.values())):
        cells = " | ".join(f"{column.get(part, 0):,.0f}" for column in columns.values())
        lines.append(f"| {part} | {cells} |")
    lines += ["", "| collect | |", "| --- | ---: |"]
    lines += [f"| {name} | {value:,.1f} |" for name, value in found["collect"].items()]
    return "\n".join(lines)


def _name(size: int, antialias: bool) -> str:
    return f"{size}, {'antialiased' if antialias else 'plain'}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Frames per second of the turntable")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 224], help="pixels")
    parser.add_argument(
        "--repetitions", type=int, default=3, help="rounds, in each of which all are measured"
    )
    parser.add_argument("--clips", type=int, default=23, help="clips of 36 views in each round")
    parser.add_argument("--peer-clips", type=int, default=1, help="the same, of MuJoCo's own renderer")
    parser.add_argument("--objects", type=int, default=600, help="clips of the recording through `collect`")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the recording is written; a temporary folder")
    parser.add_argument("--out", type=Path, default=RESULT, help="JSON file of the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
