"""Tensors that functions are given: what stands for one, and what has no numbers to compute with.

Whatever takes data, targets or recordings of its user reads them here, so that a NumPy array or a
list works everywhere, and everything else ends in an error that names the argument.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor


def as_tensor(
    x: Any, name: str, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """An argument as a tensor of real numbers: itself, or what ``torch.as_tensor`` makes of it.

    Args:
        x: The argument.
        name: Its name, for the errors.
        device: Where what is no tensor goes; by default where torch puts it.
        dtype: What it becomes; by default what torch makes of it.

    Raises:
        TypeError: if it is no tensor and cannot become one, or is complex, sparse, quantised or
            nested.
    """
    tensor: Tensor
    if isinstance(x, Tensor):
        tensor = x
    else:
        try:
            tensor = torch.as_tensor(x, device=device, dtype=dtype)
        except Exception as error:  # NumPy and torch raise whatever the elements of a list raise.
            kind = type(x).__name__
            raise TypeError(
                f"{name} must be a tensor or what torch.as_tensor takes, not {kind}: {error}"
            ) from error
    with torch._C.DisableTorchFunctionSubclass():  # Subclasses would answer in Python.
        if tensor.is_quantized:
            fault = "quantised: pass .dequantize()"
        elif tensor.is_nested:
            fault = "nested: pass .to_padded_tensor(0)"
        elif tensor.layout is not torch.strided:
            fault = f"{tensor.layout}: pass .to_dense()"
        elif tensor.is_complex():
            fault = f"{tensor.dtype}: pass .real, .imag or .abs()"
        else:
            return tensor
    raise TypeError(f"{name} must be a dense tensor of real numbers, but is {fault}")


def as_tensor_like(x: Any, name: str, other: Tensor) -> Tensor:
    """An argument in the dtype and on the device of another one.

    Raises:
        TypeError: as `as_tensor`, or if it has no values to bring there.
    """
    tensor = as_tensor(x, name, other.device, other.dtype)
    if tensor.device != other.device:
        expect_values(tensor, name)
    return tensor.to(other.device, other.dtype)


def expect_values(x: Tensor, name: str) -> None:
    """Checks that the values of a tensor can be looked at, as conditions and native code do.

    Raises:
        TypeError: if it is a meta or a fake tensor, or has values that ``torch.func.vmap`` hides.
    """
    if torch.compiler.is_compiling():
        return
    transforms = torch._C._functorch
    inner = x
    while transforms.is_functorch_wrapped_tensor(inner):
        if transforms.is_batchedtensor(inner):
            raise TypeError(
                f"{name} must have values to look at, but is one of many samples in "
                "torch.func.vmap: call the function outside of it"
            )
        inner = transforms.get_unwrapped(inner)
    if isinstance(inner, FakeTensor) or inner.is_meta:
        raise TypeError(f"{name} must have values to look at, but is a meta or a fake tensor")
