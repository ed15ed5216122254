"""Do other projects' readers find in our recordings what we put there?

Makes recordings, opens each with lerobot (both of its video backends) and with rerun's reader, in
environments of their own, and compares: episodes, frames, streams, rates, tasks, every frame and number,
queries over the boundaries of episodes, and what normalises them. One is written by lerobot and read by us.
Needs Python 3.12 and, for lerobot's torchcodec, FFmpeg's libraries (Debian: apt-get install ffmpeg); without
these its PyAV backend is tried alone.

    python benchmarks/interop/check_interop.py [--python PATH] [--out FILE.json]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from finds import Finding, compare_lerobot, compare_rerun
from made_recordings import RECORDINGS

from handsight.errors import HandsightError
from handsight.recordings import Recording

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import peers  # noqa: E402

NOT_FOR_RERUN = ("every kind of stream",)
"""Rerun's reader refuses a recording with a matrix in it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--python", help="a Python 3.12; without it python3.12 is looked for")
    parser.add_argument("--out", type=Path, help="write what was found as JSON")
    options = parser.parse_args()
    lerobot = peers.interpreter(HERE / "lerobot.txt", python=options.python)
    rerun = peers.interpreter(HERE / "rerun.txt", python=options.python)
    backends = ["torchcodec", "pyav"] if has_torchcodec(lerobot) else ["pyav"]
    with tempfile.TemporaryDirectory() as room:
        os.environ["HANDSIGHT_CACHE"] = f"{room}/cache"
        findings = list(try_all(Path(room), lerobot, backends, rerun))
    show(findings)
    failed = [finding for finding in findings if not finding.agrees]
    print(f"{len(findings) - len(failed)} of {len(findings)} agree")
    if options.out:
        versions = {**peers.versions(lerobot), **peers.versions(rerun)}
        report = {
            "versions": {name: versions[name] for name in ("lerobot", "torchcodec", "av", "rerun-sdk")},
            "python": platform.python_version(),
            "agree": counts(findings),
            "differ": [vars(finding) for finding in failed],
        }
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 1 if failed else 0


def try_all(room: Path, lerobot: Path, backends: list[str], rerun: Path) -> Iterator[Finding]:
    """Yield what each reader finds in each recording."""
    made = {**RECORDINGS, "written by lerobot": lambda folder: written_by(lerobot, folder, room)}
    for number, (name, make) in enumerate(made.items()):
        folder = room / str(number)
        lengths = make(folder)
        recording = Recording(folder)
        found_lengths = np.diff(recording.episode_starts).tolist()
        yield Finding(name, "Handsight", "lengths", lengths == found_lengths, str(found_lengths))
        for backend in backends:
            print(f"{name}: lerobot, {backend}", file=sys.stderr)
            found = read_by(lerobot, "lerobot_reads.py", folder, room, backend)
            yield from compare_lerobot(name, f"lerobot, {backend}", recording, found)
        if name not in NOT_FOR_RERUN:
            print(f"{name}: rerun", file=sys.stderr)
            yield from compare_rerun(name, "rerun", recording, read_by(rerun, "rerun_reads.py", folder, room))


def read_by(python: Path, script: str, folder: Path, room: Path, *arguments: str) -> dict[str, Any]:
    """Let a peer read a recording; return its arrays, and as `said` what it says."""
    out = room / "found.npz"
    done = run(python, room, HERE / script, folder, *arguments, out)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    with np.load(out) as found:
        return {name: json.loads(str(found[name])) if name == "said" else found[name] for name in found}


def written_by(python: Path, folder: Path, room: Path) -> list[int]:
    """Let lerobot write a recording; return the lengths of its episodes."""
    done = run(python, room, HERE / "lerobot_writes.py", folder)
    if done.returncode:
        raise HandsightError(f"lerobot could not write: {done.stderr.strip().splitlines()[-1]}")
    return [9, 1, 14]


def run(python: Path, room: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a peer's environment, without the network: what it cannot open it may not download."""
    alone = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(room / "huggingface")}
    environment = {**peers.clean_environment(), **alone}
    return subprocess.run([python, *command], env=environment, capture_output=True, text=True, check=False)


def has_torchcodec(python: Path) -> bool:
    """Whether torchcodec finds FFmpeg's libraries."""
    return (
        subprocess.run([python, "-c", "import torchcodec"], capture_output=True, check=False).returncode == 0
    )


def counts(findings: list[Finding]) -> dict[str, dict[str, str]]:
    """Return how many things agree: recording → reader → `3 of 4`."""
    table: dict[str, dict[str, str]] = {}
    for name, reader in dict.fromkeys((finding.recording, finding.reader) for finding in findings):
        mine = [f.agrees for f in findings if (f.recording, f.reader) == (name, reader)]
        table.setdefault(name, {})[reader] = f"{sum(mine)} of {len(mine)}"
    return table


def show(findings: list[Finding]) -> None:
    """Print a line for each reader of each recording, and one for each thing that differs."""
    for name, readers in counts(findings).items():
        for reader, agreeing in readers.items():
            print(f"{name:24} {reader:20} {agreeing:>9}")
    for finding in findings:
        if not finding.agrees:
            print(f"{finding.recording}, {finding.reader}: {finding.what} differs: {finding.detail}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HandsightError as error:
        sys.exit(f"check_interop: {error}")
