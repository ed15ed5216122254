"""Freed memory stays with the process while a run trains, and goes back afterwards."""

import subprocess
import sys

import pytest
import torch

from handsight.training import memory
from handsight.training.memory import freed_memory_kept

PROGRAM = """
import resource, torch
from handsight.training.memory import freed_memory_kept

def faults(rounds=8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        # Larger than any size from which glibc maps blocks by themselves.
        tensors = [torch.ones(size * 1_000_000) for size in (30, 7, 19)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6

torch.set_num_threads(1)
torch.ones(4)
print(faults())
with freed_memory_kept(torch.device("cpu")):
    faults(3)
    print(faults())
    print(resident_mb())
print(resident_mb())
"""


@pytest.mark.skipif(memory._glibc() is None, reason="another C library")
def test_kept_memory_is_not_asked_for_again_and_is_given_back_at_the_end():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    usual, kept, during_mb, after_mb = (float(line) for line in done.stdout.split())
    assert usual > 100_000  # 8 × 224 MB in pages of 4 kB
    assert kept < usual / 10
    assert after_mb < during_mb - 200


def test_elsewhere_nothing_happens(monkeypatch):
    def refuse(*_):
        raise AssertionError("asked for")

    monkeypatch.setattr(memory.ctypes, "CDLL", refuse)
    with freed_memory_kept(torch.device("cuda")):
        pass
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    with freed_memory_kept(torch.device("cpu")):
        pass
