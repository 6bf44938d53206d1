"""Spikes × weights: ``nn.Linear`` and matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike.ops import matmul
from bitspike.ops.route import gradient_needs_torch, is_traced

from . import deferred, errors
from .pack import pack
from .tensor import SpikeTensor
from .views import plain_rows


def linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear`` for a `SpikeTensor`: in one call if it is a plain float32 layer."""
    if _is_plain(input, weight, bias):
        node = deferred.node_of(weight, bias) if input.dim() == 2 else None
        out: Tensor = Linear.apply(input, weight, bias, node)
        return out
    return F.linear(input, weight, bias)


def linear_of_floats(x: Tensor, words: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same for floats, whose words are given."""
    if (
        x.dim() == 2
        and torch.is_grad_enabled()
        and _is_plain_layer(words, x.shape[1], weight, bias)
    ):
        node = deferred.node_of(weight, bias)
        out: Tensor = LinearOfFloats.apply(x, weight, bias, node, words)[0]
        return out
    return linear(pack(x, words), weight, bias)


def _is_plain(x: Any, weight: Any, bias: Any) -> bool:
    """Whether it is a plain float32 layer, and no tracing, torch.func or autocast is at work."""
    if not isinstance(x, SpikeTensor) or x.is_transposed or len(x.features) != 1 or x.dim() < 2:
        return False
    return x.dtype is torch.float32 and _is_plain_layer(x.words, x.neurons, weight, bias)


def _is_plain_layer(words: Tensor, neurons: int, weight: Any, bias: Any) -> bool:
    if is_traced(words, *((weight,) if bias is None else (weight, bias))):
        return False
    if torch.is_autocast_enabled("cpu") or torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    if not _is_float_on_cpu(weight) or weight.dim() != 2 or weight.shape[1] != neurons:
        return False
    return bias is None or (_is_float_on_cpu(bias) and bias.shape == weight.shape[:1])


def _is_float_on_cpu(x: Tensor) -> bool:
    return x.dtype is torch.float32 and x.is_cpu


class Linear(torch.autograd.Function):
    """``spikes @ weight.T + bias``, in one call forward and one backward.

    It saves the spikes themselves. What autograd would make of torch's operations is the same, but
    costs more calls, and reads the gradient once more for the bias. The gradients of weight and
    bias may be left to a node that computes them for all steps of a loop.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Any, weight: Tensor, bias: Tensor | None, node: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _forward(ctx, x.words, weight, bias, node)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        words = x.saved_words() if ctx.needs_input_grad[1] else x.words
        return (*_backward(ctx, grad, weight, words, lambda: x), None)


class LinearOfFloats(torch.autograd.Function):
    """The same for floats, whose words are given.

    Second derivatives need the way from the spikes to the floats. A function of its own that packs
    them would cost a step of a loop as much again as this one. So this one has a second result,
    which has the shape of the floats and no numbers; where a derivative is differentiated, spikes
    are made of it and of the words.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        node: Tensor | None,
        words: Tensor,
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        floats = torch.empty_strided(x.shape, (0, 0), dtype=x.dtype, device=x.device)
        ctx.save_for_backward(floats, weight)
        ctx.words = words
        return _forward(ctx, words, weight, bias, node), floats

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor | None, of_floats: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        found: tuple[Tensor | None, ...] = (None,) * 3
        if grad is not None:
            floats, weight = ctx.saved_tensors
            spikes = partial(pack, floats, ctx.words)
            found = _backward(ctx, grad, weight, ctx.words, spikes)
        to_x, *others = found
        if of_floats is not None:
            to_x = of_floats if to_x is None else to_x + of_floats
        return to_x, *others, None, None


def _forward(
    ctx: Any, words: Tensor, weight: Tensor, bias: Tensor | None, node: Tensor | None
) -> Tensor:
    ctx.node = node
    ctx.biased, ctx.shape = bias is not None, weight.shape
    outputs, neurons = weight.shape
    rows = _rows(words)
    ctx.rows = rows.shape[0]
    product: Tensor = matmul.product.kernel(rows, neurons, weight.t(), bias)
    return product if rows is words else product.view(*words.shape[:-1], outputs)


def _backward(
    ctx: Any, grad: Tensor, weight: Tensor, words: Tensor, spikes: Callable[[], Tensor]
) -> tuple[Tensor | None, ...]:
    """The gradients of the spikes of these words, of weight and bias."""
    need_x, need_weight, need_bias = ctx.needs_input_grad[:3]
    to_x = _input_gradient(ctx, grad, weight) if need_x else None
    outputs, neurons = ctx.shape
    grad = grad.reshape(ctx.rows, outputs)
    if gradient_needs_torch([grad]):
        # Operations that autograd can record, and that know batches of gradients.
        to_weight = grad.t() @ spikes().flatten(0, -2)
        return to_x, to_weight, grad.sum(0) if ctx.biased else None
    if not need_weight:
        return to_x, None, grad.sum(0) if need_bias else None
    node = None if ctx.node is None else ctx.node.grad_fn
    if node is not None and node.biased == need_bias:
        deferred.leave(node, _rows(words), grad)
        return to_x, None, None
    return to_x, *matmul.linear_gradient(_rows(words), neurons, grad, need_bias)


def reader_of_errors(ctx: Any) -> Any:
    """The linear layer that waits for the gradient of a function's first tensor, or None.

    Waits for it as for a product that may be faster of errors, that is.
    """
    node = errors.reader(ctx, Linear)
    if node is None or matmul.gradient_prefers_dense(None, node.rows, node.shape):
        return None
    return node


def _input_gradient(ctx: Any, grad: Tensor, weight: Tensor) -> Tensor:
    listed = errors.take(ctx, grad)
    if listed is not None:
        return matmul.input_gradient(grad, listed, weight)
    if gradient_needs_torch([grad]) or is_traced(grad, weight) or grad.dtype is not torch.float32:
        return grad @ weight
    if ctx.node is not None:  # A step of a loop has no time to wait for torch's threads.
        return matmul.step_input_gradient(grad, weight)
    return matmul.dense_input_gradient(grad, weight)


def _rows(words: Tensor) -> Tensor:
    if words.dim() == 2:  # As in a step of a loop, which has no time for a view.
        return words
    return words.reshape(math.prod(words.shape[:-1]), words.shape[-1])


# Operations below autograd, for the table.


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
    if by_weights:
        direct = matmul.product(spikes.words, spikes.neurons, other, bias if spikes_first else None)
    else:
        direct = matmul.weight_gradient(spikes.words, spikes.neurons, other)
    result = direct if by_weights == spikes_first else direct.t().contiguous()
    if bias is not None and not (by_weights and spikes_first):
        result = result + bias
    return result.to(spikes.dtype)


def addmm(bias: Tensor, first: Tensor, second: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    if isinstance(bias, SpikeTensor) or beta != 1 or alpha != 1:
        return NotImplemented
    if bias.shape != second.shape[1:] or bias.dtype != first.dtype:
        return NotImplemented
    return _product(first, second, bias.float())


def aten_linear(x: Any, weight: Any, bias: Tensor | None = None) -> Any:
    if not plain_rows(x) or isinstance(weight, SpikeTensor) or len(x.features) != 1:
        return NotImplemented
    flat = x.like(x.words.reshape(math.prod(x.shape[:-1]), x.words.shape[-1]))
    out = mm(flat, weight.t()) if bias is None else addmm(bias, flat, weight.t())
    if out is NotImplemented:
        return NotImplemented
    return out.view(*x.shape[:-1], weight.shape[0])
