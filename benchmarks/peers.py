"""Environments of their own for the projects that ours is compared with; peers are never our dependencies.

A peer is a requirements file beside the benchmark that needs it. Its environment lies in the user's cache
folder under a name that carries a hash of the requirements, so that a changed requirement makes a new one:

    python = interpreter(Path("benchmarks/interop/lerobot.txt"))
    subprocess.run([python, "script_for_the_peer.py"], check=True)
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import filelock

from handsight.errors import HandsightError

OURS = sysconfig.get_path("purelib")
"""The folder of the packages of the Python that runs this."""


def interpreter(
    requirements: Path, version: str = "3.12", python: str | None = None, shared: bool = False
) -> Path:
    """Return the interpreter of the environment that holds `requirements`; the first call makes it.

    Args:
        requirements: a pip requirements file; its stem names the environment.
        version: the Python that the peer needs, as "3.12".
        python: a Python of that version; without it `python{version}` is looked for.
        shared: the environment sees the packages of the Python that runs this too, which is then the Python
            that it is made from: the same PyTorch under both, and not installed twice.

    Raises:
        HandsightError: that Python is missing, or pip could not install the requirements.
    """
    if shared:
        version, python = "{}.{}".format(*sys.version_info[:2]), sys.executable
    named = requirements.read_bytes() + version.encode() + (OURS.encode() if shared else b"")
    key = hashlib.sha256(named).hexdigest()[:12]
    folder = cache_folder() / f"{requirements.stem}-{key}"
    made = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_suffix(".lock")):
        if not (folder / "ready").exists():
            base = python_of(version, python, requirements.stem)
            print(f"setting up {folder} (once)", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([base, "-m", "venv", folder], check=True, env=clean_environment())
            if shared:
                # pip reads it too, and installs what is missing only.
                place = {"base": str(folder), "platbase": str(folder)}
                packages = Path(sysconfig.get_path("purelib", "venv", place))
                (packages / "shared.pth").write_text(OURS + "\n")
            install(made, requirements)
            (folder / "ready").touch()
    return made


def cache_folder() -> Path:
    """Where peers' environments lie: `handsight/peers` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "handsight" / "peers"


def python_of(version: str, python: str | None, peer: str) -> str:
    """A Python of `version`: the one given, `python{version}` on the path, or the one that runs this."""
    for candidate in [python] if python else [f"python{version}", sys.executable]:
        if found := shutil.which(candidate):
            # A version manager's stand-in is found too, and says no when it is run.
            program = "import sys; print('%d.%d' % sys.version_info[:2])"
            said = subprocess.run([found, "-c", program], capture_output=True, text=True, check=False)
            if said.stdout.strip() == version:
                return found
    looked = f"{python} is not one" if python else f"python{version} was not found"
    raise HandsightError(f"{peer} needs Python {version}; {looked}. Install it, or say --python PATH")


def install(python: Path, requirements: Path) -> None:
    """Install `requirements` with pip; what went wrong is said in one line."""
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = errors[-1] if errors else f"pip ended with {done.returncode}"
        raise HandsightError(f"could not install {requirements.name} ({said}). Is there a network?")


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead another Python to our packages."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }


def versions(python: Path) -> dict[str, str]:
    """Return what is installed in an environment: name → version."""
    done = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    return {entry["name"]: entry["version"] for entry in json.loads(done.stdout)}
