"""A world of numbers, for the tests of `collect`: quick, and able to go wrong where asked to."""

import os
import time
from pathlib import Path

import numpy as np

from handsight.errors import HandsightError
from handsight.recordings.features import Feature
from handsight.worlds.world import Episode, generator


class CountingWorld:
    """Episode i holds numbers drawn from (seed, i).

    Args:
        trouble: index → what happens there: `die`, `raise` (each once), `always`, `refuse`.
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
        if kind and self._first_time(index):
            if kind == "die":
                os._exit(9)
            raise RuntimeError("a hiccup")
        if self.notes:
            (Path(self.notes) / f"made-{index}").touch()
        numbers = generator(seed, index).normal(size=(3 + index % 4, 2)).astype(np.float32)
        return Episode({"action": numbers}, {"maker": index * 10, "split": "train"}, "count")

    def close(self):
        pass

    def _first_time(self, index):
        note = Path(self.notes) / f"trouble-{index}"
        if note.exists():
            return False
        note.touch()
        return True
