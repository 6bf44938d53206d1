"""What the library runs on."""

from __future__ import annotations

import os

import torch

from bitspike.ops import _native, _pool


def show_config() -> str:
    """A description of what native kernels run on, and why.

    Returns:
        Version, instruction set (``BITSPIKE_ISA`` forces one), thread pool, torch, strictness.

    Example:
        >>> import bitspike as snn
        >>> print(snn.show_config())  # doctest: +ELLIPSIS
        bitspike ...
    """
    about = _native.describe()
    forced = os.environ.get("BITSPIKE_ISA")
    chosen = "forced by BITSPIKE_ISA" if forced else "the fastest that this CPU has"
    others = ", ".join(about["isas"])
    strict = "an error" if os.environ.get("BITSPIKE_STRICT") == "1" else "allowed"
    return "\n".join(
        (
            f"bitspike {about['version']}, torch {torch.__version__}",
            f"instruction set: {about['isa']}, {chosen} (available: {others})",
            f"threads: {about['threads']} of {_pool.POOL}",
            f"reference path in torch: {strict} (BITSPIKE_STRICT)",
        )
    )
