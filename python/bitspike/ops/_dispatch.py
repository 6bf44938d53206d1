"""Native or not, and why; direct call or torch operator."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

NATIVE_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""Currents of these dtypes run natively, with states in float32."""


def is_traced(*tensors: Tensor) -> bool:
    """Whether torch is looking over our shoulder, so that calls must be operators."""
    if torch.compiler.is_compiling():
        return True
    return any(type(x) is not Tensor and type(x) is not torch.nn.Parameter for x in tensors)


def is_others_turn(types: Iterable[type]) -> bool:
    """Whether a call's other operand is no tensor, but defines torch functions for itself.

    Such an operand (the quantised weights of brevitas, say) calls the function again with tensors.
    """
    for kind in types:  # A generator would take longer than the rest of the call.
        if not issubclass(kind, Tensor):
            return True
    return False


def is_exporting() -> bool:
    """Whether the code runs under ``torch.export``.

    ``torch.compiler.is_exporting()`` should say so, but is True in all that torch 2.10 compiles.
    """
    return torch.compiler._is_exporting_flag


def is_transformed() -> bool:
    """Whether a transform of torch.func, or forward-mode differentiation, looks at what runs."""
    return (
        torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0
    )


def refusal(current: Tensor, constants: list[Tensor]) -> str | None:
    """Why these tensors cannot run natively, or None if they can."""
    if is_exporting():
        return "a model under torch.export must consist of torch operators"
    if not torch.compiler.is_compiling() and is_transformed():
        return "a transform of torch.func, or forward-mode differentiation, is looking on"
    for x in (current, *constants):
        if not x.is_cpu or x.dtype not in NATIVE_DTYPES:
            name = "input" if x is current else "a parameter"
            if not x.is_cpu:
                return f"{name} is on {x.device}, and native kernels run on the CPU"
            return f"{name} is {x.dtype}, and native kernels compute in float32"
    return None


def has_hooks(module: Any) -> bool:
    """Whether torch has more to do in a call of this module than to run its ``forward``."""
    kinds = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
    return any(getattr(module, kind) for kind in kinds)


def require_native(reason: str) -> None:
    """Raises if the environment forbids the reference path.

    Raises:
        RuntimeError: if ``BITSPIKE_STRICT=1``, with the reason.
    """
    if os.environ.get("BITSPIKE_STRICT") == "1":
        raise RuntimeError(f"BITSPIKE_STRICT=1 forbids the reference path, but {reason}")
