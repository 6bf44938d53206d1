"""Spikes × weights as operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import matmul

from ._operator import Shapes, operator
from .spikes import words_shape


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


def _product_shapes(words: Tensor, neurons: int, weights: Tensor, bias: Tensor | None) -> Shapes:
    yield "words", words, (*words.shape[:1], *words_shape(words, neurons)[-1:])
    yield "weights", weights, (neurons, *weights.shape[-1:])
    yield "bias", bias, weights.shape[-1:]


def _weight_gradient_shapes(words: Tensor, neurons: int, grad: Tensor) -> Shapes:
    yield "words", words, (*grad.shape[:1], *words_shape(words, neurons)[-1:])
    yield "grad", grad, (*words.shape[:1], *grad.shape[-1:])


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
