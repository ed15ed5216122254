"""Real processes of the command line, started fast: forks of one that has imported what they would."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

SCRIPT = """
import json, os, signal, subprocess, sys
from contextlib import suppress
from importlib import import_module
from handsight import cli
for name in sys.argv[1:]:
    import_module(name)
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored, as in the background
for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(asked["said"], os.O_WRONLY | os.O_APPEND), 2)
        os.dup2(2, 1)
        os.environ.update(asked["environment"])
        if asked["shell"]:
            os.execv("/bin/sh", ["sh", "-c", asked["shell"]])
        cli.main(asked["command"])
    with suppress(OSError):  # it has done so itself
        os.setpgid(pid, pid)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Nursery:
    """Runs commands, each in a process group of its own.

    Args:
        modules: imported beforehand.
        within: command that the first process is started by, as `unshare`.
    """

    def __init__(self, *modules: str, within: Sequence[str] = ()) -> None:
        self._said = tempfile.NamedTemporaryFile("w+", suffix=".txt")  # noqa: SIM115 - closed in `close`
        self._process = subprocess.Popen(
            [*within, sys.executable, "-c", SCRIPT, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "OMP_NUM_THREADS": "1",
            },
        )

    def run(
        self,
        *command: object,
        until: Callable[[], bool] | None = None,
        send: int = signal.SIGKILL,
        group: bool = True,
        environment: dict[str, str] | None = None,
        shell: str = "",
    ) -> tuple[int, str]:
        """Run a command; return its exit status and what it said.

        Args:
            command: arguments of `handsight`.
            until: asked over and over; when it is true, the command gets a signal.
            send: which.
            group: whether its whole process group gets it, or its first process alone.
            environment: changes to it.
            shell: a command of the shell, in place of one of Handsight.
        """
        self._said.truncate(0)
        asked = {
            "command": [str(argument) for argument in command],
            "said": self._said.name,
            "environment": {"HANDSIGHT_CACHE": os.environ.get("HANDSIGHT_CACHE", ""), **(environment or {})},
            "shell": shell,
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        while until is not None and _runs(pid):
            if until():
                with suppress(ProcessLookupError):  # it has just ended
                    (os.killpg if group else os.kill)(pid, send)
                break
            time.sleep(0.0003)
        status = int(self._process.stdout.readline())
        self._said.seek(0)
        return status, self._said.read()

    def close(self) -> None:
        """End the process that the others are forks of."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            stream.close()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
