"""What each torch operation does to spikes: one explicit table.

Autograd runs above this level: here are only values. An operation that is not in the table, or that
its handler declines (``NotImplemented``), unpacks its spikes and runs as usual.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from bitspike.ops import matmul
from bitspike.ops import spikes as ops
from bitspike.ops._dispatch import is_traced
from bitspike.spike_tensor import SpikeTensor

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


def _axis(axis: int, rank: int) -> int:
    """An axis counted from the front; ``rank`` for one that is not there: torch will complain."""
    return axis % rank if -rank <= axis < rank else rank


def _plain_rows(x: Any) -> bool:
    return isinstance(x, SpikeTensor) and not x.is_transposed


def _same_bits(x: SpikeTensor, words: Tensor | None = None) -> SpikeTensor:
    words = x.words if words is None else words
    return SpikeTensor(words, x.features, x.dtype, x.is_transposed)


# Copies and views


def _alias(x: SpikeTensor) -> SpikeTensor:
    return _same_bits(x)


def _clone(x: SpikeTensor, *, memory_format: Any = None) -> Any:
    if x.is_transposed and memory_format is torch.contiguous_format:
        return NotImplemented
    return _same_bits(x, x.words.clone())


def _to_copy(x: SpikeTensor, *, dtype: Any = None, device: Any = None, **kwargs: Any) -> Any:
    if device is not None and torch.device(device).type != "cpu":
        return NotImplemented
    if dtype not in (None, torch.float32, torch.bfloat16, torch.float16):
        return NotImplemented
    return SpikeTensor(x.words.clone(), x.features, dtype or x.dtype, x.is_transposed)


def _view(x: SpikeTensor, size: list[int]) -> Any:
    if x.is_transposed:
        return NotImplemented
    size = list(size)
    if -1 in size:
        known = -math.prod(size)
        if known == 0 or x.numel() % known:
            return NotImplemented
        size[size.index(-1)] = x.numel() // known
    if math.prod(size) != x.numel():
        return NotImplemented
    for split in range(len(size), -1, -1):
        rows, features = size[:split], size[split:]
        if math.prod(features) == x.neurons and math.prod(rows) == math.prod(x.words.shape[:-1]):
            # The longest split that fits: axes of size 1 belong to the features.
            return x.like(x.words.reshape(*rows, x.words.shape[-1]), features)
    return NotImplemented


def _t(x: SpikeTensor) -> Any:
    if x.dim() != 2 or len(x.features) != 1:
        return NotImplemented
    return SpikeTensor(x.words, x.features, x.dtype, not x.is_transposed)


def _transpose(x: SpikeTensor, first: int, second: int) -> Any:
    first, second = _axis(first, x.dim()), _axis(second, x.dim())
    if x.dim() in (first, second):
        return NotImplemented
    if x.dim() == 2 and first != second:
        return _t(x)
    if x.is_transposed or max(first, second) >= x.rows:
        return _alias(x) if first == second else NotImplemented
    return x.like(x.words.transpose(first, second))


def _permute(x: SpikeTensor, axes: list[int]) -> Any:
    axes = [_axis(axis, x.dim()) for axis in axes]
    if axes == [1, 0]:
        return _t(x)
    if x.is_transposed or x.dim() in axes or axes[x.rows :] != list(range(x.rows, x.dim())):
        return NotImplemented
    return x.like(x.words.permute(*axes[: x.rows], x.rows))


def _expand(x: SpikeTensor, size: list[int], *, implicit: bool = False) -> Any:
    split = len(size) - len(x.features)
    tail = [own if new == -1 else new for new, own in zip(size[split:], x.features, strict=True)]
    if x.is_transposed or tail != list(x.features):
        return NotImplemented
    return x.like(x.words.expand(*size[:split], -1))


def _unsqueeze(x: SpikeTensor, axis: int) -> Any:
    axis = _axis(axis, x.dim() + 1)
    if x.is_transposed or axis > x.dim():
        return NotImplemented
    if axis <= x.rows:
        return x.like(x.words.unsqueeze(axis))
    inner = axis - x.rows
    return x.like(x.words, (*x.features[:inner], 1, *x.features[inner:]))


def _squeeze(x: SpikeTensor, axis: int) -> Any:
    axis = _axis(axis, x.dim())
    if x.is_transposed or axis >= x.rows:
        return NotImplemented
    return x.like(x.words.squeeze(axis))


# Selection along the axes in front of the neurons


def _leading(function: Any) -> Callable[..., Any]:
    """Applies an operation ``(x, axis, …)`` to the words if the axis lies in front."""

    def handler(x: SpikeTensor, axis: int = 0, *args: Any, **kwargs: Any) -> Any:
        axis = _axis(axis, x.dim())
        if x.is_transposed or axis >= x.rows:
            return NotImplemented
        result = function(x.words, axis, *args, **kwargs)
        if isinstance(result, Tensor):
            return x.like(result)
        return [x.like(words) for words in result]

    return handler


_split_rows = _leading(lambda words, axis, sizes: words.split(sizes, axis))


def _split(x: SpikeTensor, sizes: int | list[int], axis: int = 0) -> Any:
    return _split_rows(x, axis, sizes)


def _index(x: SpikeTensor, indices: list[Tensor | None]) -> Any:
    used = sum(
        1 if i is None or i.dtype not in (torch.bool, torch.uint8) else i.dim() for i in indices
    )
    if x.is_transposed or used > x.rows:
        return NotImplemented
    return x.like(aten.index(x.words, indices))


def _joined(function: Any) -> Callable[..., Any]:
    """Joins spikes of equal features along an axis in front of the neurons."""

    def handler(tensors: list[Any], axis: int = 0) -> Any:
        first = next(x for x in tensors if isinstance(x, SpikeTensor))
        if not all(_plain_rows(x) and _alike(x, first) for x in tensors):
            return NotImplemented
        rank = first.dim() + (function is aten.stack.default)
        axis = _axis(axis, rank)
        if axis > first.rows or (axis == first.rows and function is not aten.stack.default):
            return NotImplemented
        return first.like(function([x.words for x in tensors], axis))

    return handler


def _alike(x: SpikeTensor, y: SpikeTensor) -> bool:
    return x.features == y.features and x.dtype == y.dtype and x.rows == y.rows


# Counting


def _count(x: SpikeTensor, axes: list[int]) -> Any:
    """Sums over axes: those in front by counting bits, features as floats."""
    counts, neurons = None, x.neurons
    for axis in sorted((axis for axis in axes if axis < x.rows), reverse=True):
        if counts is None:
            counter = torch.ops.bitspike.count_axis if is_traced(x.words) else ops.count_axis
            counts = counter(x.words, axis, neurons)
        else:
            counts = counts.sum(axis)
    if counts is None:
        return NotImplemented
    counts = counts.view(*counts.shape[:-1], *x.features)
    inner = [axis - x.dim() for axis in axes if axis >= x.rows]
    return counts.sum(inner) if inner else counts


def _sum(
    x: SpikeTensor, axes: list[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    if x.is_transposed or dtype not in (None, x.dtype):
        return NotImplemented
    normal = sorted(_axis(axis, x.dim()) for axis in (axes or range(x.dim())))
    if x.dim() in normal or len(set(normal)) < len(normal):
        return NotImplemented
    if len(normal) == x.dim() and not is_traced(x.words):
        counts = torch.tensor(float(ops.count(x.words)))
    else:
        counts = _count(x, normal)
    if counts is NotImplemented:
        return NotImplemented
    if keepdim:
        counts = counts.reshape([1 if i in normal else size for i, size in enumerate(x.shape)])
    return counts.to(x.dtype)


def _mean(
    x: SpikeTensor, axes: list[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    if dtype not in (None, x.dtype):
        return NotImplemented
    # The sum is not rounded to half precision before it is divided.
    wide = SpikeTensor(x.words, x.features, torch.float32, x.is_transposed)
    total = _sum(wide, axes, keepdim)
    if total is NotImplemented:
        return NotImplemented
    size = math.prod(x.shape[axis] for axis in (axes or range(x.dim())))
    return (total / size).to(x.dtype)


def _count_nonzero(x: SpikeTensor, axis: int | None = None) -> Any:
    if axis is None and not is_traced(x.words):
        return torch.tensor(ops.count(x.words))
    axes = list(range(x.dim())) if axis is None else [_axis(axis, x.dim())]
    if x.is_transposed or x.dim() in axes:
        return NotImplemented
    total = _count(x, axes)
    return NotImplemented if total is NotImplemented else total.to(torch.int64)


# Products


def _mm(first: Tensor, second: Tensor) -> Any:
    return _product(first, second, None)


def _product(first: Any, second: Any, bias: Tensor | None) -> Any:
    spikes_first = isinstance(first, SpikeTensor)
    spikes, other = (first, second) if spikes_first else (second, first)
    if isinstance(other, SpikeTensor) or other.dtype != spikes.dtype or len(spikes.features) != 1:
        return NotImplemented
    if (
        first.dim() != 2
        or second.dim() != 2
        or first.shape[1] != second.shape[0]
        or other.device.type != "cpu"
    ):
        return NotImplemented
    # x @ W and (W @ x.T).T multiply by weights; G.T @ x and (x.T @ G).T are weight gradients.
    by_weights = spikes_first != spikes.is_transposed
    other = other.float() if spikes_first else other.float().t()
    native = torch.ops.bitspike if is_traced(spikes.words, other) else matmul
    direct: Tensor
    if by_weights:
        direct = native.product(spikes.words, spikes.neurons, other, bias if spikes_first else None)
    else:
        direct = native.weight_gradient(spikes.words, spikes.neurons, other)
    result = direct if by_weights == spikes_first else direct.t()
    if bias is not None and not (by_weights and spikes_first):
        result = result + bias
    return result.to(spikes.dtype)


def _addmm(
    bias: Tensor, first: Tensor, second: Tensor, *, beta: float = 1, alpha: float = 1
) -> Any:
    if isinstance(bias, SpikeTensor) or beta != 1 or alpha != 1:
        return NotImplemented
    if bias.shape != second.shape[1:] or bias.dtype != first.dtype:
        return NotImplemented
    return _product(first, second, bias.float())


def _linear(x: Any, weight: Any, bias: Tensor | None = None) -> Any:
    if not _plain_rows(x) or isinstance(weight, SpikeTensor) or len(x.features) != 1:
        return NotImplemented
    flat = x.like(x.words.reshape(math.prod(x.shape[:-1]), x.words.shape[-1]))
    out = _mm(flat, weight.t()) if bias is None else _addmm(bias, flat, weight.t())
    if out is NotImplemented:
        return NotImplemented
    return out.view(*x.shape[:-1], weight.shape[0])


_TABLE: dict[Any, Callable[..., Any]] = {
    aten.detach.default: _alias,
    aten.alias.default: _alias,
    aten.clone.default: _clone,
    aten._to_copy.default: _to_copy,
    aten.view.default: _view,
    aten._unsafe_view.default: _view,
    aten.reshape.default: _view,
    aten.t.default: _t,
    aten.transpose.int: _transpose,
    aten.permute.default: _permute,
    aten.expand.default: _expand,
    aten.unsqueeze.default: _unsqueeze,
    aten.squeeze.dim: _squeeze,
    aten.select.int: _leading(aten.select.int),
    aten.slice.Tensor: _leading(aten.slice.Tensor),
    aten.narrow.default: _leading(aten.narrow.default),
    aten.index_select.default: _leading(aten.index_select.default),
    aten.split.Tensor: _split,
    aten.split_with_sizes.default: _split,
    aten.unbind.int: _leading(aten.unbind.int),
    aten.index.Tensor: _index,
    aten.cat.default: _joined(aten.cat.default),
    aten.stack.default: _joined(aten.stack.default),
    aten.sum.default: _sum,
    aten.sum.dim_IntList: _sum,
    aten.mean.default: _mean,
    aten.mean.dim: _mean,
    aten.count_nonzero.default: _count_nonzero,
    aten.mm.default: _mm,
    aten.addmm.default: _addmm,
    aten.linear.default: _linear,
}
