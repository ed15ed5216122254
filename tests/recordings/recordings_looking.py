"""Looks at damaged recordings from all sides, in processes of their own: a crash or a hang has a seed."""

import contextlib
import io
import itertools
import json
import os
import queue
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
from recordings_mutations import damage

from handsight.cli import run
from handsight.commands.writing import in_lines
from handsight.errors import HandsightError
from handsight.recordings import FrameCache, Recording, check, describe
from handsight.recordings.repair import repair

SECONDS = 30
"""A look takes a tenth of a second; one that takes this long hangs."""
MEGABYTES = 400
"""Most memory that a look may take beyond the process at rest; the recordings have a tenth of one."""


IN_MEMORY = "/dev/shm"
"""Where files are made and removed fastest, on systems that have it."""


class Fault(Exception):
    """What must never come of damage."""


def look(base, seed, folder, report):
    """Damage a copy of a recording and use it in every way; `report` is told what was done and said.

    Raises:
        Fault: something other than a clean read or one line came of it.
    """
    root = Path(shutil.copytree(base, folder / "r"))
    report["damage"] = damage(root, seed)
    other = Path(shutil.copytree(root, folder / "repaired", symlinks=True))
    errors = _errors(root)
    said = read_everything(root)
    if said and not errors:
        raise Fault(f"check finds no error, but: {next(iter(said.values()))}")
    _command("check", str(root))
    report |= {"errors": len(errors), "said": len(said)}
    report |= _repaired(other, None if "open" in said else root)


def _errors(root):
    problems = [str(problem) for problem in _one_line("check", lambda: check(root, thorough=True))]
    for line in problems:
        _assert_one_line("check", line)
    return [line for line in problems if line.startswith("error")]


def _repaired(root, before):
    """Repair a recording; nothing may be lost by it, and what check then calls whole has to be.

    Args:
        root: of the damaged recording.
        before: of another copy, if that can be opened.
    """
    files = _files(root)
    try:
        done = repair(root, thorough=True)
    except HandsightError as error:
        _assert_one_line("repair", str(error))
        if _files(root) != files:
            raise Fault(f"repair gave up and changed something: {error}") from None
        return {"left": f"refused: {error}"}
    for one in done.repairs:
        _assert_one_line("repair", str(one))
    missing = {name for name, content in files.items() if content not in _files(root).values()}
    missing = {name for name in missing if not name.startswith("journal/")}
    if any("sealed into shards" in str(one) for one in done.repairs):
        missing -= {"meta/info.json", "meta/stats.json", "meta/tasks.parquet"}
    if missing:
        raise Fault(f"repair lost {sorted(missing)}")
    errors = _errors(root)
    if not errors and (said := read_everything(root)):
        raise Fault(f"mended, and check finds no error, but: {next(iter(said.values()))}")
    again = repair(root, thorough=True).repairs
    if again:
        raise Fault(f"a second repair finds more: {again[0]}")
    if before is not None and not any("its fact" in str(one) for one in done.repairs):
        _assert_kept(whole_episodes(before), whole_episodes(root))
    return {"left": errors[0] if errors else None, "mended": [str(one) for one in done.repairs]}


def _files(root):
    """Return place → checksum of all files."""
    return {
        path.relative_to(root).as_posix(): zlib.crc32(path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and path.name != ".writer.lock"
    }


def whole_episodes(root):
    """Return for each stream the checksums of the episodes that can be read in all streams."""
    try:
        recording = Recording(root)
    except HandsightError:
        return {}
    sums = {name: [] for name in recording.features}
    for first, end in itertools.pairwise(recording.episode_starts.tolist()):
        try:
            values = {
                name: recording.frames(np.arange(first, end), name)
                if feature.is_camera
                else recording.stream(name)[first:end]
                for name, feature in recording.features.items()
            }
        except HandsightError:
            continue
        for name, value in values.items():
            sums[name].append(
                zlib.crc32(
                    np.ascontiguousarray(value).tobytes()
                    if value.dtype.kind != "U"
                    else str(value.tolist()).encode()
                )
            )
    recording.close()
    return sums


def _assert_kept(before, after):
    for name in before.keys() & after.keys():
        rest = iter(after[name])
        if not all(one in rest for one in before[name]):
            raise Fault(
                f"repair lost episodes that could be read: {before[name]} of {name!r}, now {after[name]}"
            )


def read_everything(root):
    """Read all streams, frames and facts; return part → the line that was said, where it cannot be read."""
    said = {}

    def attempt(what, function):
        try:
            return _one_line(what, function, catch=False)
        except HandsightError as error:
            said[what] = str(error)
            return None

    recording = attempt("open", lambda: Recording(root))
    if recording is None:
        return said
    for name, feature in recording.features.items():
        if feature.is_camera:
            attempt(name, lambda name=name: [frames.shape for _, frames in recording.scan(name)])
            last = np.arange(recording.num_frames)[::-2][:9]
            attempt(name, lambda name=name, last=last: recording.frames(last, name))
            attempt(name, lambda name=name: _cache(recording, name))
        else:
            attempt(name, lambda name=name: np.array(recording.stream(name)))
    attempt("index", lambda: recording.stream("index"))
    attempt("splits", recording.splits)
    attempt("describe", lambda: "\n".join(in_lines(describe(recording))).encode())
    recording.close()
    return said


def _cache(recording, name):
    cache = FrameCache(recording, name, 8, max_bytes=10**7)
    cache.build()
    cache.read([recording.num_frames - 1, 0])


def _command(*arguments):
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(list(arguments))
    err.flush()
    lines = err.buffer.getvalue().decode().splitlines()
    if status not in (0, 2) or (status == 2 and not lines):
        raise Fault(f"{' '.join(arguments)}: exit status {status} and {lines}")


def _one_line(what, function, catch=True):
    try:
        return function()
    except HandsightError as error:
        _assert_one_line(what, str(error))
        if not catch:
            raise
        return None


def _assert_one_line(what, line):
    if not line.strip() or len(line.splitlines()) > 1:
        raise Fault(f"{what} said in other than one line: {line!r}")


def work():
    """Answer seeds on standard input with JSON on standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import_module("handsight.commands.data")  # before memory is measured

    os.fsync = lambda _: None  # what is written here is thrown away
    pa.set_cpu_count(1)
    at_rest = _megabytes("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, ((at_rest + 6000) << 20,) * 2)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        base, seed = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")
        before = _megabytes("VmRSS")
        with tempfile.TemporaryDirectory(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None) as folder:
            os.environ["HANDSIGHT_CACHE"] = f"{folder}/cache"
            answer = {}
            try:
                look(Path(base), seed, Path(folder), answer)
            except BaseException as error:
                answer |= {"fault": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        taken = _megabytes("VmHWM") - before
        if taken > MEGABYTES and "fault" not in answer:
            answer["fault"] = f"{taken} MB of memory"
        print(json.dumps(answer), file=answers, flush=True)


def _megabytes(key):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) >> 10


class Worker:
    """A process that looks at one damaged recording after another."""

    def __init__(self):
        self._process = None

    def look(self, base, seed):
        """Return the report of one look; a crash or a hang is its fault."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert self._process.stdout.readline() == "ready\n"
        self._process.stdin.write(json.dumps([str(base), seed]) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        line = self._process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        self._process.kill()
        status = self._process.wait()
        self.close()
        return {
            "fault": f"the process died with status {status}" if ready else f"nothing came in {SECONDS} s"
        }

    def close(self):
        """End the process."""
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


def look_at_all(bases, seeds, workers=2):
    """Return (base, seed, report) of every look: seed s damages base s modulo their number.

    A report says `damage` (the kinds), `errors` (that check found), `said` (parts that could not be read),
    `left` (what remained after the repair), and, of what must never be, `fault`.
    """
    todo, reports = queue.SimpleQueue(), []
    for seed in seeds:
        todo.put(seed)

    def work_through():
        worker = Worker()
        with contextlib.suppress(queue.Empty):
            while True:
                seed = todo.get_nowait()
                base = bases[seed % len(bases)]
                reports.append((base.name, seed, worker.look(base, seed)))
        worker.close()

    threads = [threading.Thread(target=work_through) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(reports, key=lambda one: one[1])


if __name__ == "__main__":
    work()
