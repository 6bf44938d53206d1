"""Spikes × weights: allocation, the choice of algorithm, and the native calls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from . import _native, buffer, spikes, threads
from .call import Errors
from .route import is_traced, routed, unrecorded

_BLOCK = 1 << 20
"""Elements that are unpacked at a time for a dense product: they stay in the cache."""

_SMALL = 1 << 21
"""Multiplications of a dense product that one thread does before torch's have woken up."""


def prefers_dense(words: Tensor | None, rows: int, neurons: int, outputs: int) -> bool:
    """Whether torch's dense product is faster; without words, whether it is for silent rows."""
    return _native.prefers_dense(words, rows, neurons, outputs)


@routed(0)
def product(words: Tensor, neurons: int, weights: Tensor, bias: Tensor | None) -> Tensor:
    """``spikes @ weights + bias`` for words ``[R, words]`` and float32 weights ``[neurons, N]``."""
    rows, outputs = words.shape[0], weights.shape[1]
    if not prefers_dense(words, rows, neurons, outputs):
        return gathered(words, weights, bias)
    out = buffer.empty((rows, outputs))
    with threads.serial_if_forked():
        for block, target in _blocks(words, neurons, out):
            torch.mm(block, weights, out=target)
        return out if bias is None else out.add_(bias)


def gathered(words: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """The same, at any density by adding the weights of active inputs."""
    rows = words.shape[0]
    out = buffer.empty((rows, weights.shape[1]))
    _native.product(words, rows, weights, bias, out)
    return out


class Planes(NamedTuple):
    """Weights of few values as bits, and what becomes of their sums."""

    positive: Tensor
    """Which weights are 1, int64 words ``[N, words]``."""
    negative: Tensor | None
    """Which are -1, and the others are 0; None if all that are not 1 are."""
    scale: Tensor
    """By what sums are multiplied, float32 ``[N]``."""
    bias: Tensor | None
    """What is added then, likewise."""

    def weights(self, neurons: int) -> Tensor:
        """The weights as floats ``[N, neurons]``, without scales."""
        ones = spikes.unpack(self.positive, neurons, torch.float32)
        if self.negative is None:
            return 2 * ones - 1
        return ones - spikes.unpack(self.negative, neurons, torch.float32)


@unrecorded
def plane_product(words: Tensor, neurons: int, planes: Planes) -> Tensor:
    """``scale * (spikes @ weights.T) + bias`` for words ``[R, words]``.

    Sums are whole numbers, and exact for up to 2^24 neurons, so that the result is the same
    whether bits are counted or weights are added.
    """
    shape = words.shape[0], neurons, planes.positive.shape[0]
    if _native.prefers_planes(words, shape, 1 if planes.negative is None else 2):
        out = buffer.empty((shape[0], shape[2]))
        bits = planes.positive, planes.negative
        _native.plane_product(words, shape, bits, (planes.scale, planes.bias), out)
        return out
    scaled = gathered(words, planes.weights(neurons).t(), None).mul_(planes.scale)
    return scaled if planes.bias is None else scaled.add_(planes.bias)


@routed(0)
def weight_gradient(words: Tensor, neurons: int, grad: Tensor) -> Tensor:
    """``grad.T @ spikes``, ``[N, neurons]``, for words ``[R, words]`` and ``grad`` ``[R, N]``."""
    return _linear_gradient(words, neurons, grad, biased=False)[0]


def input_gradient(grad: Tensor, errors: Errors, weight: Tensor) -> Tensor:
    """``grad @ weight`` for a gradient ``[T, B, N]`` and a weight ``[N, K]``, in another order.

    Where few errors are not 0 it is ``out[t] = errors[t] @ weight + decay * out[t + 1]``.

    Args:
        grad: The gradient of the current of a layer.
        errors: What it is made of.
        weight: What the current was a product with.
    """
    steps, samples, neurons = grad.shape
    active, values, decay = errors
    if not gradient_prefers_dense(active, steps * samples, weight.shape):
        out = buffer.empty((steps, samples, weight.shape[1]))
        shape = steps, samples, neurons
        # It refuses weights that are infinite or NaN: a gradient of 0 times them is NaN.
        if _native.input_gradient(shape, active, values, decay, weights=weight, out=out):
            return out
    return dense_input_gradient(grad, weight)


def dense_input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """``grad @ weight`` for float32 tensors ``[*rows, N]`` and ``[N, K]`` that nothing records."""
    *rows, neurons = grad.shape
    out = buffer.empty((*rows, weight.shape[1]))
    count = math.prod(rows)
    with threads.serial_if_forked():
        torch.mm(grad.reshape(count, neurons), weight, out=out.view(count, weight.shape[1]))
    return out


def step_input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """The same for rows ``[B, N]`` of one step, small ones in another order: on one thread."""
    if grad.shape[0] * weight.numel() > _SMALL or not grad.is_contiguous():
        return dense_input_gradient(grad, weight)
    out = buffer.empty((grad.shape[0], weight.shape[1]))
    _native.small_dense_product(grad, grad.shape[0], weight, out)
    return out


def gradient_prefers_dense(active: Tensor | None, rows: int, weight: torch.Size) -> bool:
    """Whether ``grad @ weight`` is faster than a product of errors, of which None means none."""
    outputs, inputs = weight
    return _native.gradient_prefers_dense(active, rows, (outputs, inputs))


def linear_gradient(
    words: Tensor, neurons: int, grad: Tensor, biased: bool
) -> tuple[Tensor, Tensor | None]:
    """The gradients of a linear layer's weight and, if it has one, of its bias, ``grad.sum(0)``."""
    if is_traced(words):
        return weight_gradient(words, neurons, grad), grad.sum(0) if biased else None
    return _linear_gradient(words, neurons, grad, biased)


def _linear_gradient(
    words: Tensor, neurons: int, grad: Tensor, biased: bool
) -> tuple[Tensor, Tensor | None]:
    outputs = grad.shape[1]
    weight = buffer.empty((outputs, neurons))
    bias = buffer.empty((outputs,)) if biased else None
    if prefers_dense(words, words.shape[0], neurons, outputs):
        with threads.serial_if_forked():
            weight.zero_()
            for block, rows in _blocks(words, neurons, grad):
                torch.addmm(weight, rows.t(), block, out=weight)
            return weight, grad.sum(0) if biased else None
    _native.weight_gradient(words, neurons, grad, weight, bias)
    return weight, bias


def _blocks(words: Tensor, neurons: int, beside: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of rows, unpacked one after another, with the same rows of another matrix."""
    rows = max(1, _BLOCK // max(neurons, 1))
    for part, other in zip(words.split(rows), beside.split(rows), strict=True):
        yield spikes.unpack(part, neurons, torch.float32), other
