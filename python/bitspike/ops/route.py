"""Native or not, and why; direct call or torch operator."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.modules.module import _has_any_global_hook

NATIVE_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""Currents of these dtypes run natively, with states in float32."""

_PLAIN = (Tensor, torch.nn.Parameter)
_Result = TypeVar("_Result")
_Covariant = TypeVar("_Covariant", covariant=True)


def is_watched() -> bool:
    """Whether torch.compile, torch.jit.trace or a dispatch mode sees what runs.

    Dispatch modes are those of make_fx and fake tensors, counters of FLOPs, and a user's own.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack() != 0
        or torch._C._get_tracing_state() is not None
    )


def is_traced(*tensors: Tensor) -> bool:
    """Whether a call with these tensors must be a torch operator: if it is watched, or one fake."""
    if is_watched():
        return True
    for x in tensors:  # A generator would take as long as all the rest.
        if type(x) not in _PLAIN:
            return True
    return False


def gradient_needs_torch(grads: Iterable[Tensor | None]) -> bool:
    """Whether what is made of these gradients must be differentiable, or they are batches.

    Batches come from ``is_grads_batched=True``, of `torch.autograd.grad` and what is built on it.
    """
    functorch = torch._C._functorch
    if torch.is_grad_enabled() or functorch.peek_interpreter_stack() is not None:
        return True
    for x in grads:  # As above.
        if x is not None and functorch.is_legacy_batchedtensor(x):
            return True
    return False


class Routed(Protocol[_Covariant]):
    """A native call that may go through an operator, and its kernel, which does not."""

    kernel: Callable[..., Any]

    def __call__(self, *arguments: Any, **named: Any) -> _Covariant:
        """Runs the call."""


def routed(
    position: int, flat: Callable[..., tuple[Any, ...]] | None = None
) -> Callable[[Callable[..., _Result]], Routed[_Result]]:
    """Makes a native call go through the operator of its name where it must: see `is_traced`.

    The operator's kernel is the call itself, as its attribute ``kernel``.

    Args:
        position: Of the argument, a tensor or a record with one called ``current``, that tells.
        flat: The arguments of the operator, for those of the call, where these are records.
    """

    def decorate(kernel: Callable[..., _Result]) -> Routed[_Result]:
        folder = kernel.__module__.rpartition(".")[2]
        name = kernel.__name__
        operator = f"{folder}_{name}" if name in ("forward", "backward") else name

        @functools.wraps(kernel)
        def call(*arguments: Any, **named: Any) -> _Result:
            tells = arguments[position]
            if is_traced(tells if isinstance(tells, Tensor) else tells.current):
                given = flat(*arguments, **named) if flat else arguments
                return getattr(torch.ops.bitspike, operator)(*given)  # type: ignore[no-any-return]
            if torch._C._functorch.peek_interpreter_stack() is None:
                return kernel(*arguments, **named)
            with torch._C._DisableFuncTorch():  # it would wrap memory for results
                return kernel(*arguments, **named)

        result = cast("Routed[_Result]", call)
        result.kernel = kernel
        return result

    return decorate


def unrecorded(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Marks a native call without an operator: what records a program cannot see it.

    It has no gradient either. So inside a transform of torch.func it runs outside of the transform,
    on the numbers that `torch.func.grad` and its like follow.

    Raises:
        RuntimeError: where torch.jit.trace or make_fx would take its result for a constant.
    """

    @functools.wraps(function)
    def call(*arguments: Any) -> _Result:
        if torch._C._get_tracing_state() is not None or _is_proxied():
            raise RuntimeError(
                f"{function.__name__} has no operator, so that torch.jit.trace and make_fx would "
                "record its result as a constant; call it before, and pass its result"
            )
        if torch._C._functorch.peek_interpreter_stack() is None:
            return function(*arguments)
        numbers = [_unwrapped(x) for x in arguments]
        with torch._C._DisableFuncTorch():
            return function(*numbers)

    return call


def _unwrapped(x: Any) -> Any:
    """The tensor that `torch.func.grad`, or several of them, have wrapped."""
    while isinstance(x, Tensor) and torch._C._functorch.is_gradtrackingtensor(x):
        x = torch._C._functorch.get_unwrapped(x)
    return x


def _is_proxied() -> bool:
    """Whether make_fx, or what is built on it, records a program."""
    if torch._C._len_torch_dispatch_stack() == 0:
        return False
    proxy = torch._C._TorchDispatchModeKey.PROXY
    return torch._C._get_dispatch_mode(proxy) is not None


def defers_to_other_operand(types: Iterable[type]) -> bool:
    """Whether an operand is not a tensor but implements ``__torch_function__``, which then runs.

    Such an operand (the quantised weights of brevitas, say) calls the function again with tensors.
    """
    for kind in types:  # A generator would take longer than the rest of the call.
        if not issubclass(kind, Tensor):
            return True
    return False


def is_exporting() -> bool:
    """Whether the code runs under ``torch.export``, whose programs consist of torch's operators.

    ``torch.compiler.is_exporting()`` should say so, but is True in all that torch 2.10 compiles.
    """
    return torch.compiler._is_exporting_flag


def is_jit_traced() -> bool:
    """Whether torch.jit.trace records the code; the older ONNX exporter does so."""
    return not torch.compiler.is_compiling() and torch._C._get_tracing_state() is not None


def is_transformed() -> bool:
    """Whether a transform of torch.func, or forward-mode differentiation, looks at what runs."""
    if torch.compiler.is_compiling():
        return False
    return (
        torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0
    )


def is_observed() -> bool:
    """Whether anything but autograd looks at what runs: a tracer, an export, a mode, torch.func."""
    return is_watched() or is_exporting() or is_transformed()


def refusal(current: Tensor, constants: list[Tensor]) -> str | None:
    """Why these tensors cannot run natively, or None if they can."""
    if is_exporting() or is_jit_traced():
        return "a model under torch.export or torch.jit.trace must consist of torch operators"
    if is_transformed():
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
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_pre_hooks
        or module._backward_hooks
        or _has_any_global_hook()
    )


def require_native(reason: str) -> None:
    """Raises if the environment forbids the reference path.

    Raises:
        RuntimeError: if ``BITSPIKE_STRICT=1``, with the reason.
    """
    if os.environ.get("BITSPIKE_STRICT") == "1":
        raise RuntimeError(f"BITSPIKE_STRICT=1 forbids the reference path, but {reason}")
