"""Memory that a step freed stays with the process, for the next step to take."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4

_USUAL = {_M_MMAP_MAX: 65536, _M_MMAP_THRESHOLD: 32 << 20, _M_TRIM_THRESHOLD: 64 << 20}
"""Where glibc's own adaptation ends in a process that frees large blocks (mallopt(3)); once anything was set
it adapts no more."""


@contextmanager
def freed_memory_kept(device: torch.device) -> Iterator[None]:
    """Have the C library keep what tensors on the CPU free, until the end; then it goes back at once.

    glibc returns every large block to the operating system as it is freed, and each step takes the same
    blocks again, which the system clears page by page: a twelfth of a ResNet-18's step. Kept, the process is
    as large throughout as it is at a step's peak. Nothing is computed otherwise. It acts on the whole
    process; on other C libraries, and for other devices, nothing happens.
    """
    library = _glibc() if device.type == "cpu" else None
    if library is None:
        yield
        return
    library.mallopt(_M_MMAP_MAX, 0)
    library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
    try:
        yield
    finally:
        for option, value in _USUAL.items():
            library.mallopt(option, value)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
