"""Packing, pooling and multiplying spikes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.autograd.function import once_differentiable

from bitspike.ops import matmul, pooling, spikes
from bitspike.spike_tensor import of_words

from .dense import dense


class Pack(torch.autograd.Function):
    """The packed form of dense spikes, whose words are given; its gradient is theirs."""

    @staticmethod
    def forward(ctx: Any, floats: Tensor, words: Tensor, features: int) -> Tensor:
        return of_words(words, floats.shape[floats.dim() - features :])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None]:
        return dense(grad), None, None


class MaxPool(torch.autograd.Function):
    """The maxima of windows of spikes; it saves the spikes themselves, one bit each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: pooling.Sizes) -> Tensor:
        ctx.save_for_backward(x)
        ctx.sizes = sizes
        words = x.words  # type: ignore[attr-defined]
        return of_words(pooling.max_pool(words, sizes), Size(pooling.pooled(sizes)), x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        (x,) = ctx.saved_tensors
        upstream = dense(grad)
        if upstream is None:
            return None, None
        return pooling.max_pool_gradient(x.saved_words(), ctx.sizes, upstream).to(x.dtype), None


class Counts(torch.autograd.Function):
    """How often each neuron fires; all its spikes share the gradient of its count.

    Sizes are those of the words: to ask a `SpikeTensor` for its own goes through Python, and the
    counts of a small layer take no longer.
    """

    @staticmethod
    def forward(ctx: Any, x: Any) -> Tensor:
        counts = spikes.count_axis(x.words, 0, x.neurons)
        steps, *rows = x.words.shape[:-1]
        ctx.steps = steps
        return counts.view((*rows, *x.features))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.expand(ctx.steps, *grad.shape)


class SpikeTimes(torch.autograd.Function):
    """When neurons fire for the first, second, … time; a stronger spike would come earlier."""

    @staticmethod
    def forward(ctx: Any, x: Any, count: int) -> Tensor:
        times = spikes.spike_times(x.words, x.neurons, count)
        steps, *rows = x.words.shape[:-1]
        times = times.view(count, *rows, *x.features)
        ctx.save_for_backward(times)
        ctx.steps = steps
        return times

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (times,) = ctx.saved_tensors
        return spikes.spike_times_gradient(times, grad, ctx.steps), None


class Linear(torch.autograd.Function):
    """``spikes @ weight.T + bias``, in one call forward and one backward.

    It saves the spikes themselves. What autograd would make of torch's operations is the same, but
    costs more calls, and reads the gradient once more for the bias.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return matmul.product(_rows(x.words), x.shape[-1], weight.t(), bias).view(
            *x.shape[:-1], weight.shape[0]
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad
        words = x.saved_words() if need_weight else x.words
        to_x = grad @ weight if need_x else None
        grad = grad.reshape(math.prod(x.shape[:-1]), weight.shape[0])
        if torch.is_grad_enabled():
            # Somebody wants second derivatives: torch's operations have them.
            to_weight = grad.t() @ x.flatten(0, -2)
            return to_x, to_weight, grad.sum(0) if ctx.biased else None
        if not need_weight:
            return to_x, None, grad.sum(0) if need_bias else None
        return to_x, *matmul.linear_gradient(_rows(words), x.shape[-1], grad, need_bias)


def _rows(words: Tensor) -> Tensor:
    return words.reshape(math.prod(words.shape[:-1]), words.shape[-1])
