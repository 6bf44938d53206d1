"""What each torch operation does to spikes: one explicit table.

Autograd runs above this level: here are only values. An operation that is not in the table, or that
its handler declines (``NotImplemented``), unpacks its spikes and runs as usual.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from bitspike.spike_tensor import SpikeTensor

from . import arithmetic, pooling, views

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
    if torch.is_inference_mode_enabled():
        # Views of ordinary tensors must be ordinary tensors, also if made here and now.
        with torch.inference_mode(False), torch.no_grad():
            return _run(func, args, kwargs)
    return _run(func, args, kwargs)


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    handler = _TABLE.get(func)
    if handler is not None:
        result = handler(*args, **kwargs)
        if result is not NotImplemented:
            return result
    # Composite operations arrive whole in inference mode and on tensors made there.
    result = func.decompose(*args, **kwargs)
    if result is not NotImplemented:
        return result
    _refuse_writes(func, args, kwargs)
    if not torch.compiler.is_compiling():
        _unpacked[str(func)] += 1
    args, kwargs = tree_map_only(SpikeTensor, SpikeTensor.dense, (args, kwargs))
    return func(*args, **kwargs)


def _refuse_writes(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not func._schema.is_mutable:
        return
    for position, argument in enumerate(func._schema.arguments):
        value = args[position] if position < len(args) else kwargs.get(argument.name)
        written = argument.alias_info is not None and argument.alias_info.is_write
        for x in value if isinstance(value, list | tuple) else [value]:
            if written and isinstance(x, SpikeTensor):
                raise RuntimeError(
                    f"{func} would write into a SpikeTensor of shape {tuple(x.shape)}, which "
                    "cannot be written; write into its .dense() instead"
                )


_TABLE: dict[Any, Callable[..., Any]] = {
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
    aten.select.int: views.leading(aten.select.int),
    aten.slice.Tensor: views.leading(aten.slice.Tensor),
    aten.narrow.default: views.leading(aten.narrow.default),
    aten.index_select.default: views.leading(aten.index_select.default),
    aten.split.Tensor: views.split,
    aten.split_with_sizes.default: views.split,
    aten.unbind.int: views.leading(aten.unbind.int),
    aten.index.Tensor: views.index,
    aten.cat.default: views.joined(aten.cat.default),
    aten.stack.default: views.joined(aten.stack.default),
    aten.sum.default: arithmetic.total,
    aten.sum.dim_IntList: arithmetic.total,
    aten.mean.default: arithmetic.mean,
    aten.mean.dim: arithmetic.mean,
    aten.count_nonzero.default: arithmetic.count_nonzero,
    aten.mm.default: arithmetic.mm,
    aten.addmm.default: arithmetic.addmm,
    aten.linear.default: arithmetic.linear,
    aten.avg_pool2d.default: pooling.avg_pool2d,
    aten.avg_pool2d_backward.default: pooling.avg_pool2d_backward,
}
