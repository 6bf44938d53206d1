"""Calls of torch functions, of which some have a form of their own that autograd does not see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional as F

from bitspike.ops.route import is_watched

from ._in_place import out_of_place, refuse_writes
from .gradient import wrap_gradient_of_compiled
from .linear import linear
from .pooling import avg_pool2d, max_pool2d
from .tensor import SpikeTensor, wrapped
from .unpacked_view import UnpackedView, read_only


def _is_observed(x: SpikeTensor) -> bool:
    """Whether autograd, a mode or a transform must see what becomes of these spikes.

    In inference mode, views of ordinary tensors must be ordinary ones: the table of operations
    makes them.
    """
    return (
        x.requires_grad
        or is_watched()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch.is_inference_mode_enabled()
    )


def _getitem(x: Any, index: Any) -> Any:
    """Single steps and slices of the first axis."""
    if type(index) not in (int, slice) or not _has_plain_rows(x):
        return NotImplemented
    return wrapped(x.words[index], x.features, x.dtype, False, x.channels_last)


def _unbind(x: Any, axis: int = 0) -> Any:
    """All steps."""
    if axis != 0 or not _has_plain_rows(x):
        return NotImplemented
    kind = x.features, x.dtype, False, x.channels_last
    return tuple(wrapped(words, *kind) for words in x.words.unbind(0))


def _has_plain_rows(x: Any) -> bool:
    return isinstance(x, SpikeTensor) and not x.is_transposed and x.rows > 0 and not _is_observed(x)


def _iterate(x: Any) -> Any:
    steps = _unbind(x)
    return NotImplemented if steps is NotImplemented else iter(steps)


def _view(x: Any, *size: Any, dtype: Any = None) -> Any:
    """``view(dtype)``: the dense bytes read as another dtype, and as read-only as other views."""
    dtype = size[0] if size and isinstance(size[0], torch.dtype) else dtype
    if dtype in (None, x.dtype):
        return NotImplemented
    return Tensor.view(x, dtype).as_subclass(UnpackedView)


def _dlpack(x: Any, *args: Any, **options: Any) -> Any:
    return x.dense().requires_grad_(x.requires_grad).__dlpack__(*args, **options)


def _assigned_data(x: Any, value: Any) -> Any:
    raise RuntimeError("the data of a SpikeTensor cannot be written; make another of other words")


def _storage(x: Any) -> Any:
    raise RuntimeError("a SpikeTensor has no storage of numbers; take that of its .dense()")


def _grad(outputs: Any, inputs: Any, *args: Any, **options: Any) -> Any:
    """``torch.autograd.grad`` with respect to spikes.

    Backward may run a program again, as checkpoints do, and must then meet functions of spikes as
    forward did; but within a function of spikes they are switched off. So torch is asked for the
    gradients at the places of the spikes in the graph.
    """
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    edges = [get_gradient_edge(x) if _has_edge(x) else x for x in inputs]
    if any(isinstance(x, SpikeTensor) for x in (*outputs, *edges)):
        return NotImplemented
    with torch._C._EnableTorchFunction():
        return torch.autograd.grad(outputs, edges, *args, **options)


def _has_edge(x: Any) -> bool:
    return isinstance(x, SpikeTensor) and x.requires_grad


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    F.linear: linear,
    F.avg_pool2d: avg_pool2d,
    F.max_pool2d: max_pool2d,
    Tensor.__getitem__: _getitem,
    Tensor.__iter__: _iterate,
    Tensor.unbind: _unbind,
    Tensor.view: _view,
    torch.unbind: _unbind,
    torch.autograd.grad: _grad,
    Tensor.__dlpack__: _dlpack,
    Tensor.storage: _storage,
    Tensor.data.__set__: _assigned_data,  # type: ignore[attr-defined]
}
"""What torch functions do to spikes; a result of ``NotImplemented`` leaves it to torch."""


def call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls a torch function some of whose arguments are spikes."""
    if kwargs:
        kwargs = out_of_place(args, kwargs, SpikeTensor)
    with torch._C.DisableTorchFunctionSubclass():
        if torch.compiler.is_compiling():
            return func(*args, **kwargs)
        for x in args:
            if isinstance(x, SpikeTensor):
                wrap_gradient_of_compiled(x)
                made = x.words_version
                if made is not None and made != x.words._version:
                    args = _renewed(args)
        if kwargs:
            refuse_writes(func, args, kwargs, UnpackedView)
        handler = FUNCTIONS.get(func)
        if handler is not None:
            result = handler(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return read_only(func(*args, **kwargs), _is_view_of_spikes)


def _renewed(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Spikes with the present version of their words, which only backward compares with its own."""
    alias = torch.ops.aten.alias
    return tuple(alias(x) if isinstance(x, SpikeTensor) else x for x in args)


def _is_view_of_spikes(x: Tensor) -> bool:
    return x._is_view() and isinstance(x._base, SpikeTensor)
