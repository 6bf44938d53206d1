"""torch's threads: lent to the native module, and kept out of forked children."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from . import _native

_LIBRARY = {"win32": "torch_cpu.dll", "darwin": "libtorch_cpu.dylib"}.get(
    sys.platform, "libtorch_cpu.so"
)
_PROCESS = os.getpid()


def _lend() -> str:
    """Hands the address of torch's parallel loop to the native module, once for the process.

    Returns:
        What native work runs on, in words.
    """
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / _LIBRARY))
        loop, threads = (
            ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            for name in ("torch_parallel_for", "torch_get_num_threads")
        )
    except (OSError, AttributeError):
        return "threads of its own (this torch exports no torch_parallel_for)"
    _native.install_torch_pool(loop, threads)
    return "torch's threads"


POOL = _lend()


def is_forked() -> bool:
    """Whether this process was forked, without exec, from the one that imported the library."""
    return os.getpid() != _PROCESS


@contextmanager
def serial_if_forked() -> Iterator[None]:
    """Lets torch compute in a forked child, where it would wait for threads that are gone."""
    threads = torch.get_num_threads()
    if threads == 1 or not is_forked():
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
