"""A world of numbers, for the tests of `collect`: quick, and able to go wrong where asked to."""

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.worlds.world import Episode, generator


class CountingWorld:
    """Episode i holds numbers drawn from (seed, i).

    Args:
        trouble: index → what happens there: `always`, `refuse`, `slow`, `stuck`; or, once, `die`, `raise`,
            `kill`, `hang`, `stop` and `half` (an answer that ends in the middle).
        notes: folder for what has to be remembered across processes.
        pause_s: how long an episode takes.
    """

    name, fps = "counting", 5

    def __init__(self, trouble=None, notes=None, pause_s=0.0):
        self.trouble, self.notes, self.pause_s = trouble or {}, notes, pause_s

    @property
    def features(self):
        return {"action": Feature("float32", (2,))}

    @property
    def facts(self):
        return {"maker": "int64", "split": "string"}

    def options(self):
        return {}

    def episode(self, seed, index):
        time.sleep(self.pause_s)
        kind = self.trouble.get(index)
        if kind == "always":
            raise ValueError("this one\nnever works")
        if kind == "refuse":
            raise HandsightError("the world refuses")
        if kind == "slow":
            time.sleep(2)
            kind = None
        if kind == "stuck":
            time.sleep(1e6)
        if kind and self._first_time(index):
            _go_wrong(kind)
        if self.notes:
            (Path(self.notes) / f"made-{index}").touch()
            (Path(self.notes) / f"process-{os.getpid()}").touch()
        numbers = generator(seed, index).normal(size=(3 + index % 4, 2)).astype(np.float32)
        return Episode({"action": numbers}, {"maker": index * 10, "split": "train"}, "count")

    def close(self):
        if self.notes:
            (Path(self.notes) / f"closed-{os.getpid()}").touch()

    def _first_time(self, index):
        note = Path(self.notes) / f"trouble-{index}"
        if note.exists():
            return False
        note.touch()
        return True


def _go_wrong(kind):
    if kind == "die":
        os._exit(9)
    if kind == "raise":
        raise RuntimeError("a hiccup")
    if kind == "kill":  # as the system does when memory is short
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        time.sleep(1e6)
    if kind == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if kind == "half":
        Connection._send = _send_half


def _send_half(self, buffer, write=os.write):
    write(self._handle, bytes(buffer[: len(buffer) // 2]))
    os.kill(os.getpid(), signal.SIGSTOP)
