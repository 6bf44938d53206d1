"""Sums of spikes: bits are counted."""

from __future__ import annotations

import math
from typing import Any

import torch

from bitspike.ops import spikes as ops
from bitspike.ops.route import is_traced

from ._words import arranged
from .tensor import SpikeTensor, wrapped
from .views import front


def _count(x: SpikeTensor, axes: list[int]) -> Any:
    """Sums over axes: those in front by counting bits, features as floats."""
    counts, neurons = None, x.neurons
    for axis in sorted((axis for axis in axes if axis < x.rows), reverse=True):
        if counts is None:
            counts = ops.count_axis(x.words, axis, neurons)
        else:
            counts = counts.sum(axis)
    if counts is None:
        return NotImplemented
    counts = arranged(counts, counts.shape[:-1], x.features, x.channels_last)
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
        counts = torch.tensor(float(ops.count(x.words)), dtype=torch.float32, device=x.device)
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
    wide = wrapped(x.words, x.features, torch.float32, x.is_transposed, x.channels_last)
    sums = total(wide, axes, keepdim)
    if sums is NotImplemented:
        return NotImplemented
    size = math.prod(x.shape[axis] for axis in (axes or range(x.dim())))
    return (sums / size).to(x.dtype)


def count_nonzero(x: SpikeTensor, axis: int | None = None) -> Any:
    if axis is None and not is_traced(x.words):
        return torch.tensor(ops.count(x.words), device=x.device)
    axes = list(range(x.dim())) if axis is None else [front(axis, x.dim())]
    if x.is_transposed or x.dim() in axes:
        return NotImplemented
    counts = _count(x, axes)
    return NotImplemented if counts is NotImplemented else counts.to(torch.int64)
