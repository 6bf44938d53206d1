"""What torch functions do to spikes before autograd sees them: one explicit table.

A function that is not in it, or that its handler declines (``NotImplemented``), runs as usual, and
meets spikes again below autograd, in the table of ``bitspike._aten``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike._in_place import out_of_place, refuse_writes
from bitspike._linear import linear
from bitspike._pooling import max_pool2d
from bitspike.dense_gradient import expect_dense_gradient
from bitspike.spike_tensor import SpikeTensor, of_words
from bitspike.unpacked_view import UnpackedView, read_only


def call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Runs a function some of whose arguments are spikes."""
    if kwargs:
        kwargs = out_of_place(args, kwargs, SpikeTensor)
    if torch.compiler.is_compiling():
        return func(*args, **kwargs)
    for i, x in enumerate(args):
        if isinstance(x, SpikeTensor):
            expect_dense_gradient(x)
            if x.words_version is not None and x.words_version != x.words._version:
                # Only backward insists on the words that were there when this tensor was made.
                args = (*args[:i], torch.ops.aten.alias(x), *args[i + 1 :])
    if kwargs:
        refuse_writes(func, args, kwargs, UnpackedView)
    handler = _TABLE.get(func)
    if handler is not None:
        result = handler(*args, **kwargs)
        if result is not NotImplemented:
            return result
    return read_only(func(*args, **kwargs), _is_view_of_spikes)


def _is_view_of_spikes(x: Tensor) -> bool:
    return x._is_view() and isinstance(x._base, SpikeTensor)


def _is_observed(x: SpikeTensor) -> bool:
    """Whether autograd, a mode or a transform must see what becomes of these spikes."""
    return (
        (x.requires_grad and torch.is_grad_enabled())
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._get_tracing_state() is not None
    )


def _getitem(x: Any, index: Any) -> Any:
    """Single steps and slices of the first axis."""
    if type(index) not in (int, slice) or not _has_plain_rows(x):
        return NotImplemented
    with torch._C._InferenceMode(False):
        return of_words(x.words[index], x.features, x.dtype)


def _unbind(x: Any, axis: int = 0) -> Any:
    """All steps."""
    if axis != 0 or not _has_plain_rows(x):
        return NotImplemented
    with torch._C._InferenceMode(False):
        features, dtype = x.features, x.dtype
        return tuple(of_words(words, features, dtype) for words in x.words.unbind(0))


def _has_plain_rows(x: Any) -> bool:
    return (
        isinstance(x, SpikeTensor) and not x.is_transposed and x.rows > 0 and not _is_observed(x)
    )


def _iterate(x: Any) -> Any:
    steps = _unbind(x)
    return NotImplemented if steps is NotImplemented else iter(steps)


def _dlpack(x: Any, *args: Any, **options: Any) -> Any:
    return x.dense().requires_grad_(x.requires_grad).__dlpack__(*args, **options)


def _refused(x: Any, *args: Any) -> Any:
    if not isinstance(x, SpikeTensor):
        return NotImplemented
    raise RuntimeError("a SpikeTensor cannot be written; write into its .dense() instead")


_TABLE: dict[Any, Callable[..., Any]] = {
    F.linear: linear,
    F.max_pool2d: max_pool2d,
    Tensor.__getitem__: _getitem,
    Tensor.__iter__: _iterate,
    Tensor.unbind: _unbind,
    torch.unbind: _unbind,
    Tensor.__dlpack__: _dlpack,
    Tensor.data.__set__: _refused,  # type: ignore[attr-defined]
}
