"""Products, unpacking and counting of spikes as operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import matmul, spikes

from ._operator import Shapes, operator


def _save_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    words, ctx.neurons, _, bias = inputs
    ctx.biased = bias is not None
    ctx.save_for_backward(words)


def _product_gradient(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    (words,) = ctx.saved_tensors
    to_weights = torch.ops.bitspike.weight_gradient(words, ctx.neurons, grad).t()
    return None, None, to_weights, grad.sum(0) if ctx.biased else None


def _save_weight_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    words, ctx.neurons, _ = inputs
    ctx.save_for_backward(words)


def _weight_gradient_gradient(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    (words,) = ctx.saved_tensors
    return None, None, torch.ops.bitspike.product(words, ctx.neurons, grad.t(), None)


def _row(words: Tensor, neurons: int) -> tuple[int, ...]:
    """The shape of words that are a row of so many neurons on their last axis."""
    if neurons < 0:
        raise ValueError(f"neurons must be at least 0, not {neurons}")
    return (*words.shape[:-1], spikes.words(neurons))


def _product_shapes(words: Tensor, neurons: int, weights: Tensor, bias: Tensor | None) -> Shapes:
    yield "words", words, (*words.shape[:1], *_row(words, neurons)[-1:])
    yield "weights", weights, (neurons, *weights.shape[-1:])
    yield "bias", bias, weights.shape[-1:]


def _weight_gradient_shapes(words: Tensor, neurons: int, grad: Tensor) -> Shapes:
    yield "words", words, (*grad.shape[:1], *_row(words, neurons)[-1:])
    yield "grad", grad, (*words.shape[:1], *grad.shape[-1:])


def _unpack_shapes(words: Tensor, neurons: int, dtype: torch.dtype) -> Shapes:
    yield "words", words, _row(words, neurons)


def _count_axis_shapes(words: Tensor, axis: int, neurons: int) -> Shapes:
    yield "words", words, _row(words, neurons)
    if not 0 <= axis < words.dim() - 1:
        raise ValueError(
            f"axis must be one of the {words.dim() - 1} in front of the neurons, not {axis}"
        )


operator(
    "product(Tensor words, SymInt neurons, Tensor weights, Tensor? bias) -> Tensor",
    matmul.product.kernel,
    lambda words, neurons, weights, bias: weights.new_empty(words.shape[0], weights.shape[1]),
    _product_shapes,
    (_save_product, _product_gradient),
)
operator(
    "weight_gradient(Tensor words, SymInt neurons, Tensor grad) -> Tensor",
    matmul.weight_gradient.kernel,
    lambda words, neurons, grad: grad.new_empty(grad.shape[1], neurons),
    _weight_gradient_shapes,
    (_save_weight_gradient, _weight_gradient_gradient),
)
operator(
    "unpack(Tensor words, SymInt neurons, ScalarType dtype) -> Tensor",
    spikes.unpack.kernel,
    lambda words, neurons, dtype: words.new_empty((*words.shape[:-1], neurons), dtype=dtype),
    _unpack_shapes,
)
operator(
    "count_axis(Tensor words, int axis, SymInt neurons) -> Tensor",
    spikes.count_axis.kernel,
    lambda words, axis, neurons: words.new_empty(
        (*words.shape[:axis], *words.shape[axis + 1 : -1], neurons), dtype=torch.float32
    ),
    _count_axis_shapes,
)
