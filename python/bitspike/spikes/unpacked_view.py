"""Selected spikes that had to be unpacked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bitspike.ops.route import defers_to_other_operand

from ._in_place import OutOfPlace, out_of_place, refuse_writes
from ._plain_memory import PlainMemory


class UnpackedView(OutOfPlace, PlainMemory):
    """A dense copy where torch would give a view of spikes: what is written there would be lost.

    ``spikes[..., 0]`` and other selections of single neurons are of this type. They read as
    ordinary tensors, and operations on them give ordinary tensors, but writing raises
    ``RuntimeError``. To write, take a copy: ``spikes[..., 0].clone()``.

    Example:
        >>> import torch, bitspike as snn
        >>> first = snn.SpikeTensor.from_dense(torch.eye(2))[..., 0]
        >>> first, first + 1
        (tensor([1., 0.]), tensor([2., 1.]))
    """

    def __copy__(self) -> Tensor:
        view = self.detach().as_subclass(UnpackedView)
        return view.requires_grad_(self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return copy.deepcopy(self.plain(), memo)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if defers_to_other_operand(types):
            return NotImplemented
        kwargs = out_of_place(args, kwargs or {}, UnpackedView)
        with torch._C.DisableTorchFunctionSubclass():
            refuse_writes(func, args, kwargs, UnpackedView)
            result = func(*args, **kwargs)
            if torch.compiler.is_compiling():
                return result
            views = [x for x in args if isinstance(x, UnpackedView)]
            return read_only(result, lambda x: any(_share_memory(x, view) for view in views))


def read_only(result: Any, is_view: Callable[[Tensor], bool]) -> Any:
    """A result, in which plain tensors that are views of spikes cannot be written."""
    kind = type(result)
    if kind is Tensor:
        return result.as_subclass(UnpackedView) if is_view(result) else result
    if kind is tuple or kind is list:
        return kind(read_only(x, is_view) for x in result)
    return result


def _share_memory(x: Tensor, y: Tensor) -> bool:
    if x.layout is not torch.strided or torch._C._functorch.is_functorch_wrapped_tensor(x):
        return False
    return bool(x.untyped_storage()._cdata == y.untyped_storage()._cdata)
