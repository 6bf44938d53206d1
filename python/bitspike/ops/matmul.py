"""Spikes × weights: allocation, the choice of algorithm, and the native calls."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from . import _native, buffer, spikes, threads
from .call import Errors
from .route import is_traced, routed

_BLOCK = 1 << 20
"""Elements that are unpacked at a time for a dense product: they stay in the cache."""


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
