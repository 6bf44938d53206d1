"""Sums of spikes by counting bits, and products by adding weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from bitspike.ops import matmul
from bitspike.ops import spikes as ops
from bitspike.ops._dispatch import is_traced
from bitspike.spike_tensor import SpikeTensor, wrapped

from .views import front, plain_rows


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
    counts = counts.view((*counts.shape[:-1], *x.features))
    inner = [axis - x.dim() for axis in axes if axis >= x.rows]
    return counts.sum(inner) if inner else counts


def total(
    x: SpikeTensor, axes: list[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    if x.is_transposed or dtype not in (None, x.dtype):
        return NotImplemented
    normal = sorted(front(axis, x.dim()) for axis in (axes or range(x.dim())))
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


def mean(
    x: SpikeTensor, axes: list[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    if dtype not in (None, x.dtype):
        return NotImplemented
    # The sum is not rounded to half precision before it is divided.
    wide = wrapped(x.words, x.features, torch.float32, x.is_transposed)
    sums = total(wide, axes, keepdim)
    if sums is NotImplemented:
        return NotImplemented
    size = math.prod(x.shape[axis] for axis in (axes or range(x.dim())))
    return (sums / size).to(x.dtype)


def count_nonzero(x: SpikeTensor, axis: int | None = None) -> Any:
    if axis is None and not is_traced(x.words):
        return torch.tensor(ops.count(x.words))
    axes = list(range(x.dim())) if axis is None else [front(axis, x.dim())]
    if x.is_transposed or x.dim() in axes:
        return NotImplemented
    counts = _count(x, axes)
    return NotImplemented if counts is NotImplemented else counts.to(torch.int64)


def mm(first: Tensor, second: Tensor) -> Any:
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


def addmm(bias: Tensor, first: Tensor, second: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    if isinstance(bias, SpikeTensor) or beta != 1 or alpha != 1:
        return NotImplemented
    if bias.shape != second.shape[1:] or bias.dtype != first.dtype:
        return NotImplemented
    return _product(first, second, bias.float())


def linear(x: Any, weight: Any, bias: Tensor | None = None) -> Any:
    if not plain_rows(x) or isinstance(weight, SpikeTensor) or len(x.features) != 1:
        return NotImplemented
    flat = x.like(x.words.reshape(math.prod(x.shape[:-1]), x.words.shape[-1]))
    out = mm(flat, weight.t()) if bias is None else addmm(bias, flat, weight.t())
    if out is NotImplemented:
        return NotImplemented
    return out.view(*x.shape[:-1], weight.shape[0])
