"""What functions are given: what stands for a tensor, what has no numbers, which words are known.

Whatever takes data, targets or recordings of its user reads them here, so that a NumPy array or a
list works everywhere, and everything else ends in an error that names the argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

WIDER = {
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.float8_e4m3fn: torch.float32,
    torch.float8_e4m3fnuz: torch.float32,
    torch.float8_e5m2: torch.float32,
    torch.float8_e5m2fnuz: torch.float32,
}
"""Dtypes that torch stores and hardly computes in, and others that hold the same numbers."""


def as_tensor(
    x: Any, name: str, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """An argument as a tensor to compute with: itself, or what ``torch.as_tensor`` makes of it.

    A tensor of a dtype in which torch computes nothing is widened, and one of inference mode copied
    where autograd may want to save it.

    Args:
        x: The argument.
        name: Its name, for the errors.
        device: The device of what it meets; by default it stays where it is.
        dtype: The dtype of what it meets; by default it keeps its own.

    Raises:
        TypeError: if it is no tensor and cannot become one, or is complex, sparse, quantised or
            nested, or has no values to bring to the device.
    """
    fits = dtype is None and (device is None or isinstance(x, Tensor) and x.device == device)
    if fits and type(x) is Tensor and _is_ordinary(x):
        return x
    if not isinstance(x, Tensor):
        try:
            x = torch.as_tensor(x, device=device, dtype=dtype)
        except Exception as error:  # NumPy and torch raise whatever the elements of a list raise.
            kind = type(x).__name__
            raise TypeError(
                f"{name} must be a tensor or what torch.as_tensor takes, not {kind}: {error}"
            ) from error
    tensor: Tensor = x
    with torch._C.DisableTorchFunctionSubclass():  # no Python code of subclasses
        fault = _fault(tensor)
        if fault is not None:
            raise TypeError(f"{name} must be a dense tensor of real numbers, but is {fault}")
        if tensor.dtype in WIDER:
            tensor = tensor.to(WIDER[tensor.dtype])
        # Dynamo cannot trace is_inference().
        if not torch.compiler.is_compiling() and tensor.is_inference() and torch.is_grad_enabled():
            tensor = tensor.clone()
        if device is not None and tensor.device != device:
            tensor = with_values(tensor, name).to(device)
        return tensor if dtype is None else tensor.to(dtype)


def _is_ordinary(x: Tensor) -> bool:
    """Whether a tensor needs none of the checks: float32 or int64, dense, outside of modes."""
    return (
        x.dtype in (torch.float32, torch.int64)
        and x.layout is torch.strided
        and not x.is_nested
        and not torch.compiler.is_compiling()
        and not x.is_inference()
    )


def as_tensor_like(x: Any, name: str, other: Tensor) -> Tensor:
    """An argument in the dtype and on the device of another one; see `as_tensor`."""
    return as_tensor(x, name, other.device, other.dtype)


def expect_one_device(x: Tensor, name: str, others: Iterable[tuple[str, Tensor | None]]) -> None:
    """Names what is on another device than an argument, which torch does not.

    torch takes numbers without axes from the CPU to other devices.

    Args:
        x: The argument.
        name: Its name.
        others: What it meets, by name.

    Raises:
        ValueError: for the first of the others that is elsewhere.
    """
    for other, y in others:
        if y is not None and y.device != x.device and (y.dim() or not y.is_cpu):
            raise ValueError(f"{other} is on {y.device}, but {name} on {x.device}")


def expect_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Refuses a word that is none of the choices.

    Raises:
        ValueError: for such a word.
    """
    known = tuple(choices)
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}")


def _fault(x: Tensor) -> str | None:
    """Why this is no dense tensor of real numbers, or None if it is."""
    if x.is_quantized:
        return "quantised: pass .dequantize()"
    if x.is_nested:
        return "nested: pass .to_padded_tensor(0)"
    if x.layout is not torch.strided:
        return f"{x.layout}: pass .to_dense()"
    if x.is_complex():
        return f"{x.dtype}: pass .real, .imag or .abs()"
    return None


def with_values(x: Tensor, name: str) -> Tensor:
    """A tensor whose values can be looked at, as conditions and native code do.

    It is the one behind ``torch.func.grad`` and ``jvp``: what is looked at has no derivative.

    Raises:
        TypeError: if it is a meta or a fake tensor, or has values that ``torch.func.vmap`` hides.
    """
    if torch.compiler.is_compiling():
        return x
    transforms = torch._C._functorch
    while transforms.is_functorch_wrapped_tensor(x):
        if transforms.is_batchedtensor(x):
            raise TypeError(
                f"{name} must have values to look at, but is one of many samples in "
                "torch.func.vmap: call the function outside of it"
            )
        x = transforms.get_unwrapped(x)
    if isinstance(x, FakeTensor) or x.is_meta:
        raise TypeError(f"{name} must have values to look at, but is a meta or a fake tensor")
    return x


def as_array(x: Tensor, name: str) -> Any:
    """The values of a tensor as a NumPy array."""
    x = with_values(x.detach().cpu().resolve_neg(), name)
    with outside_of_transforms():
        return x.numpy()


outside_of_transforms = torch._C._DisableFuncTorch
"""Within it, what is made of tensors `with_values` is not wrapped anew by ``torch.func``."""
