"""What each torch operation does to spikes: one explicit table.

Autograd runs above this level: here are only values. An operation that is not in the table, or that
its handler declines (``NotImplemented``), unpacks its spikes and runs as usual.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from . import conv, functions, linear, pooling, sums, views
from ._in_place import refuse_writes
from .tensor import SpikeTensor
from .unpacked_view import read_only

aten = torch.ops.aten

_unpacked: Counter[str] = Counter()


def unpacked_operations() -> dict[str, int]:
    """How often each torch operation has unpacked spikes in this process, most frequent first.

    Example:
        >>> import torch, bitspike as snn
        >>> _ = snn.SpikeTensor.from_dense(torch.eye(2)).exp()
        >>> "aten.exp.default" in snn.unpacked_operations()
        True
    """
    return dict(_unpacked.most_common())


def dispatch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Runs an operation some of whose arguments are spikes."""
    if torch._C._current_graph_task_id() != -1 and func is not aten.alias.default:
        for x in args:
            if isinstance(x, SpikeTensor):
                x.saved_words()
    if torch.is_inference_mode_enabled():
        # In inference mode too, a view of a tensor made outside of it must be an ordinary tensor.
        with torch.inference_mode(False), torch.no_grad():
            result = _run(func, args, kwargs)
    else:
        result = _run(func, args, kwargs)
        if not (isinstance(args[0], Tensor) and args[0].is_inference()):
            return result
    # Autograd records no views here, so `SpikeTensor` cannot recognise them by their base.
    return read_only(result, lambda _: _is_view(func))


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    handler = OPERATIONS.get(func)
    if handler is not None:
        if func not in _ANY_ORDER:
            args = tuple(x.channels_first() if isinstance(x, SpikeTensor) else x for x in args)
        if func in _WORD_VIEWS:
            result = _sharing_versions(handler, args, kwargs)
        else:
            result = handler(*args, **kwargs)
        if result is not NotImplemented:
            return result
    # Inside an operation torch may make tensors whose conjugation or negation is pending.
    with _SwitchedOn("Conjugate", "Negative", "ZeroTensor"):
        if _is_composite(func):
            # In inference mode, and on tensors made there, torch does not decompose them before.
            if torch.compiler.is_compiling():
                return func.decompose(*args, **kwargs)
            # decompose() prefers torch's Python versions, which raise and round differently.
            return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        refuse_writes(func, args, kwargs, SpikeTensor)
        if not torch.compiler.is_compiling():
            _unpacked[str(func)] += 1
        args, kwargs = tree_map_only(SpikeTensor, _unpacked_operand, (args, kwargs))
        return func(*args, **kwargs)


def _sharing_versions(
    handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The result of a handler, whose views of words share the version counter of these."""
    was_off = torch._C._dispatch_tls_is_dispatch_key_excluded(_TRACKING)
    torch._C._dispatch_tls_set_dispatch_key_excluded(_TRACKING, False)
    try:
        return handler(*args, **kwargs)
    finally:
        torch._C._dispatch_tls_set_dispatch_key_excluded(_TRACKING, was_off)


_TRACKING = torch._C.DispatchKey.ADInplaceOrView


class _SwitchedOn:
    """Dispatch keys that torch switches off on its way to ``__torch_dispatch__``."""

    def __init__(self, *names: str) -> None:
        self.keys = [getattr(torch._C.DispatchKey, name) for name in names]

    def __enter__(self) -> None:
        is_off = torch._C._dispatch_tls_is_dispatch_key_excluded
        self.off = [key for key in self.keys if is_off(key)]
        for key in self.off:
            torch._C._dispatch_tls_set_dispatch_key_excluded(key, False)

    def __exit__(self, *_: object) -> None:
        for key in self.off:
            torch._C._dispatch_tls_set_dispatch_key_excluded(key, True)


@functools.cache
def _is_composite(func: Any) -> bool:
    """Whether an operation consists of others."""
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key)


@functools.cache
def _is_view(func: Any) -> bool:
    """Whether an operation returns views."""
    aliases = [x.alias_info for x in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _unpacked_operand(x: SpikeTensor) -> Tensor:
    # Kernels ask which operands require a gradient, to keep what backward will need.
    return x.dense().requires_grad_(x.requires_grad)


OPERATIONS: dict[Any, Callable[..., Any]] = {
    aten.detach.default: views.alias,
    aten.alias.default: views.alias,
    aten.clone.default: views.clone,
    aten._to_copy.default: views.to_copy,
    aten.view.default: views.view,
    aten._unsafe_view.default: views.view,
    aten.reshape.default: views.view,
    aten.t.default: views.t,
    aten.transpose.int: views.transpose,
    aten.permute.default: views.permute,
    aten.expand.default: views.expand,
    aten.unsqueeze.default: views.unsqueeze,
    aten.squeeze.dim: views.squeeze,
    aten.select.int: views.leading(Tensor.select),
    aten.slice.Tensor: views.leading(aten.slice.Tensor),
    aten.narrow.default: views.leading(Tensor.narrow),
    aten.index_select.default: views.leading(Tensor.index_select),
    aten.split.Tensor: views.split,
    aten.split_with_sizes.default: views.split,
    aten.unbind.int: views.leading(Tensor.unbind),
    aten.index.Tensor: views.index,
    aten.cat.default: views.joined(aten.cat.default),
    aten.stack.default: views.joined(aten.stack.default),
    aten.sum.default: sums.total,
    aten.sum.dim_IntList: sums.total,
    aten.mean.default: sums.mean,
    aten.mean.dim: sums.mean,
    aten.count_nonzero.default: sums.count_nonzero,
    aten.mm.default: linear.mm,
    aten.addmm.default: linear.addmm,
    aten.linear.default: linear.aten_linear,
    aten.convolution.default: conv.convolution,
    aten.convolution_backward.default: conv.convolution_backward,
    aten.avg_pool2d.default: pooling.means,
    aten.avg_pool2d_backward.default: pooling.means_backward,
}

_ANY_ORDER = frozenset(
    f
    for f, run in OPERATIONS.items()
    if getattr(run, "__module__", "") in (views.__name__, sums.__name__)
) | {
    aten.convolution.default,
    aten.convolution_backward.default,
    aten.avg_pool2d.default,
    aten.avg_pool2d_backward.default,
} - {aten.unsqueeze.default, aten.squeeze.dim}
"""Operations on spikes whose channels may lie last."""

_WORD_VIEWS = frozenset(
    f for f, run in OPERATIONS.items() if run is not views.alias and _is_view(f)
)
"""Operations whose words are views of others."""

SpikeTensor.call, SpikeTensor.dispatch = staticmethod(functions.call), staticmethod(dispatch)
