"""What the native module is, and what it runs on."""

from __future__ import annotations

import os

import torch

from . import _native, threads

VERSION: str = _native.describe()["version"]


def surrogate_parameters(name: str) -> list[str]:
    """The names of a native surrogate's parameters, in its order."""
    names: list[str] = _native.describe()["surrogates"][name]
    return names


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
            f"threads: {about['threads']} of {threads.POOL}",
            f"reference path in torch: {strict} (BITSPIKE_STRICT)",
        )
    )
