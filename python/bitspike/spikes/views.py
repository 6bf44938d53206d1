"""Copies, views and selections of spikes: all that only moves words.

Rows are axes in front of the neurons, and what moves them moves words. What would move single
neurons is declined.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Size, Tensor

from .tensor import SpikeTensor, wrapped

aten = torch.ops.aten


def front(axis: int, rank: int) -> int:
    """An axis counted from the front; ``rank`` for one that is not there: torch will complain."""
    return axis % rank if -rank <= axis < rank else rank


def plain_rows(x: Any) -> bool:
    return isinstance(x, SpikeTensor) and not x.is_transposed


def _same_bits(x: SpikeTensor, words: Tensor | None = None) -> SpikeTensor:
    words = x.words if words is None else words
    return wrapped(words, x.features, x.dtype, x.is_transposed, x.channels_last)


def alias(x: SpikeTensor) -> SpikeTensor:
    return _same_bits(x)


def clone(x: SpikeTensor, *, memory_format: Any = None) -> Any:
    if memory_format is torch.contiguous_format:
        if x.is_transposed:
            return NotImplemented
        if x.channels_last:
            return x.channels_first()
    return _same_bits(x, x.words.clone())


def to_copy(x: SpikeTensor, *, dtype: Any = None, device: Any = None, **kwargs: Any) -> Any:
    if device is not None and torch.device(device).type != "cpu":
        return _elsewhere(x, device, dtype=dtype or x.dtype, **kwargs)
    if dtype not in (None, torch.float32, torch.bfloat16, torch.float16):
        return NotImplemented
    order = x.is_transposed, x.channels_last
    return wrapped(x.words.clone(), x.features, dtype or x.dtype, *order)


def _elsewhere(
    x: SpikeTensor,
    device: Any,
    *,
    dtype: torch.dtype,
    non_blocking: bool = False,
    memory_format: Any = None,
    **kwargs: Any,
) -> Any:
    """The numbers on another device, to which bits are moved."""
    if memory_format not in (None, torch.preserve_format):
        return NotImplemented
    words = x.words.contiguous().to(device, non_blocking=non_blocking)
    return x._arranged(unpacked(words, x.neurons).to(dtype))


def unpacked(words: Tensor, neurons: int) -> Tensor:
    """The bits of words as bytes ``[*rows, neurons]``, by operations that every device has."""
    places = torch.arange(8, dtype=torch.uint8, device=words.device)
    bits = words.view(torch.uint8).unsqueeze(-1) >> places & 1
    return bits.flatten(-2)[..., :neurons].contiguous()


def view(x: SpikeTensor, size: list[int]) -> Any:
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
            if x.channels_last and Size(features) != x.features:
                x = x.channels_first()
            return x.like(x.words.reshape(*rows, x.words.shape[-1]), features)
    return NotImplemented


def t(x: SpikeTensor) -> Any:
    if x.dim() != 2 or len(x.features) != 1:
        return NotImplemented
    return wrapped(x.words, x.features, x.dtype, not x.is_transposed)


def transpose(x: SpikeTensor, first: int, second: int) -> Any:
    first, second = front(first, x.dim()), front(second, x.dim())
    if x.dim() in (first, second):
        return NotImplemented
    if x.dim() == 2 and first != second:
        return t(x)
    if x.is_transposed or max(first, second) >= x.rows:
        return alias(x) if first == second else NotImplemented
    return x.like(x.words.transpose(first, second))


def permute(x: SpikeTensor, axes: list[int]) -> Any:
    axes = [front(axis, x.dim()) for axis in axes]
    if axes == [1, 0]:
        return t(x)
    if x.is_transposed or x.dim() in axes or axes[x.rows :] != list(range(x.rows, x.dim())):
        return NotImplemented
    return x.like(x.words.permute(*axes[: x.rows], x.rows))


def expand(x: SpikeTensor, size: list[int], *, implicit: bool = False) -> Any:
    split = len(size) - len(x.features)
    tail = [own if new == -1 else new for new, own in zip(size[split:], x.features, strict=True)]
    if x.is_transposed or tail != list(x.features):
        return NotImplemented
    return x.like(x.words.expand(*size[:split], -1))


def unsqueeze(x: SpikeTensor, axis: int) -> Any:
    axis = front(axis, x.dim() + 1)
    if x.is_transposed or axis > x.dim():
        return NotImplemented
    if axis <= x.rows:
        return x.like(x.words.unsqueeze(axis))
    inner = axis - x.rows
    return x.like(x.words, (*x.features[:inner], 1, *x.features[inner:]))


def squeeze(x: SpikeTensor, axis: int) -> Any:
    axis = front(axis, x.dim())
    if x.is_transposed or axis >= x.rows:
        return NotImplemented
    return x.like(x.words.squeeze(axis))


def leading(function: Any) -> Callable[..., Any]:
    """Applies an operation ``(x, axis, …)`` to the words if the axis lies in front."""

    def handler(x: SpikeTensor, axis: int = 0, *args: Any, **kwargs: Any) -> Any:
        axis = front(axis, x.dim())
        if x.is_transposed or axis >= x.rows:
            return NotImplemented
        result = function(x.words, axis, *args, **kwargs)
        kind = x.features, x.dtype, False, x.channels_last
        if isinstance(result, Tensor):
            return wrapped(result, *kind)
        return [wrapped(words, *kind) for words in result]

    return handler


_split_rows = leading(lambda words, axis, sizes: words.split(sizes, axis))


def split(x: SpikeTensor, sizes: int | list[int], axis: int = 0) -> Any:
    return _split_rows(x, axis, sizes)


def index(x: SpikeTensor, indices: list[Tensor | None]) -> Any:
    used = sum(
        1 if i is None or i.dtype not in (torch.bool, torch.uint8) else i.dim() for i in indices
    )
    if x.is_transposed or used > x.rows:
        return NotImplemented
    return x.like(aten.index(x.words, indices))


def joined(function: Any) -> Callable[..., Any]:
    """Joins spikes of equal features along an axis in front of the neurons."""

    def handler(tensors: list[Any], axis: int = 0) -> Any:
        first = next(x for x in tensors if isinstance(x, SpikeTensor))
        if not all(plain_rows(x) and _alike(x, first) for x in tensors):
            return NotImplemented
        rank = first.dim() + (function is aten.stack.default)
        axis = front(axis, rank)
        if axis > first.rows or (axis == first.rows and function is not aten.stack.default):
            return NotImplemented
        return first.like(function([x.words for x in tensors], axis))

    return handler


def _alike(x: SpikeTensor, y: SpikeTensor) -> bool:
    kinds = [(z.features, z.dtype, z.rows, z.channels_last) for z in (x, y)]
    return kinds[0] == kinds[1]
