"""The firing step and whole layers to autograd: the only file with an ``autograd.Function``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitspike.dense_gradient import DenseGradient
from bitspike.spike_tensor import SpikeTensor

from . import matmul, pooling, recurrent, scan, sequence
from ._dispatch import is_traced


class Fire(torch.autograd.Function):
    """``1 if x > 0 else 0``, with ``gradient(x, grad, spikes)`` for its derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(  # noqa: D102
        x: Tensor, gradient: Callable[[Tensor, Tensor, Tensor], Tensor]
    ) -> Tensor:
        return (x > 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: D102
        x, ctx.gradient = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        x, spikes = ctx.saved_tensors
        return ctx.gradient(x, grad, spikes), None


class Lend(torch.autograd.Function):
    """The first tensor, with the gradient of the second."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, smooth: Tensor) -> Tensor:  # noqa: D102
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: D102
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:  # noqa: D102
        return None, grad


class Pack(torch.autograd.Function):
    """The packed form of dense spikes, whose words are given; its gradient is theirs."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, words: Tensor, features: int) -> Tensor:  # noqa: D102
        return SpikeTensor(words, dense.shape[dense.dim() - features :])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None]:  # noqa: D102
        return _dense(grad), None, None


class MaxPool(torch.autograd.Function):
    """The maxima of windows of spikes; it saves the spikes themselves, one bit each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: pooling.Sizes) -> Tensor:  # noqa: D102
        ctx.save_for_backward(x)
        ctx.sizes = sizes
        words = x.words  # type: ignore[attr-defined]
        return SpikeTensor(pooling.max_pool(words, sizes), pooling.pooled(sizes), x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:  # noqa: D102
        (x,) = ctx.saved_tensors
        dense = _dense(grad)
        if dense is None:
            return None, None
        return pooling.max_pool_gradient(x.words, ctx.sizes, dense).to(x.dtype), None


class Linear(torch.autograd.Function):
    """``spikes @ weight.T + bias``, in one call forward and one backward.

    It saves the spikes themselves. What autograd would make of torch's operations is the same, but
    costs more calls, and reads the gradient once more for the bias.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: D102
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return matmul.product(_rows(x), x.shape[-1], weight.t(), bias).view(
            *x.shape[:-1], weight.shape[0]
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad
        to_x = grad @ weight if need_x else None
        grad = grad.reshape(math.prod(x.shape[:-1]), weight.shape[0])
        if torch.is_grad_enabled():
            # Somebody wants second derivatives: torch's operations have them.
            to_weight = grad.t() @ x.flatten(0, -2)
            return to_x, to_weight, grad.sum(0) if ctx.biased else None
        if not need_weight:
            return to_x, None, grad.sum(0) if need_bias else None
        return to_x, *matmul.linear_gradient(_rows(x), x.shape[-1], grad, need_bias)


def _rows(x: Any) -> Tensor:
    words: Tensor = x.words
    return words.reshape(math.prod(words.shape[:-1]), words.shape[-1])


class Layer(torch.autograd.Function):
    """A whole layer: ``(spikes, states…, last states…)``, as `sequence.forward` returns them.

    Saves only what autograd holds anyway: the current, the constants and the initial states. It has
    no ``setup_context``, which would cost more per call than the kernel of a small step; transforms
    of ``torch.func``, which ask for one, take the reference path.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        kind: tuple[str, str, bool],
        surrogate: tuple[str, list[float]],
        layout: tuple[bool, bool, bool],
        constants: int,
        current: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.kind, ctx.surrogate, (ctx.sequence, packed, ctx.states) = kind, surrogate, layout
        ctx.constants = constants
        ctx.save_for_backward(current, *tensors)
        ctx.set_materialize_grads(False)
        numbers, initial = list(tensors[:constants]), list(tensors[constants:])
        if is_traced(current, *tensors):
            spikes, *others = torch.ops.bitspike.sequence_forward(
                *kind, *surrogate, *layout, current, numbers, initial
            )
        else:
            spikes, *others = sequence.forward(*kind, *layout, current, numbers, initial)
        if packed:
            features = current.shape[2:] if current.dim() > 2 else current.shape[1:]
            spikes = SpikeTensor(spikes, features)
        return (spikes, *others)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: D102
        current, *tensors = ctx.saved_tensors
        constants, initial = tensors[: ctx.constants], tensors[ctx.constants :]
        traced = is_traced(current, *tensors)
        # While tracing, torch does not know yet of which type a gradient will be.
        spikes, *others = grads if traced else map(_dense, grads)
        count = len(initial)
        needed = ctx.needs_input_grad[4:]
        native: Any = torch.ops.bitspike.sequence_backward if traced else sequence.backward
        to_current, *results = native(
            *ctx.kind,
            *ctx.surrogate,
            ctx.sequence,
            needed[0],
            any(needed[1 + ctx.constants :]),
            any(needed[1 : 1 + ctx.constants]),
            current,
            constants,
            initial,
            spikes,
            others[:count] if ctx.states else [None] * count,
            others[-count:],
        )
        ordered = (to_current, *results[count:], *results[:count])
        return (
            *[None] * 4,
            *(x if need else None for x, need in zip(ordered, needed, strict=True)),
        )


class Scan(torch.autograd.Function):
    """A linear scan, as `scan.forward` runs it. It saves its outputs, and factors of its input."""

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        x: Tensor,
        decay: Tensor,
        key: Tensor | None,
        initial: Tensor | None,
        rectified: bool,
    ) -> Tensor:
        traced = is_traced(*(t for t in (x, decay, key, initial) if t is not None))
        native: Any = torch.ops.bitspike.scan_forward if traced else scan.forward
        out: Tensor = native(x, decay, key, initial, rectified)
        ctx.rectified = rectified
        ctx.save_for_backward(out, None if key is None else x, decay, key, initial)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        out, *inputs = ctx.saved_tensors
        traced = is_traced(out)
        native: Any = torch.ops.bitspike.scan_backward if traced else scan.backward
        need = [bool(needed) for needed in ctx.needs_input_grad[:4]]
        grads = native(out, *inputs, ctx.rectified, need, grad if traced else _dense(grad))
        pairs = zip(grads, need, strict=True)
        return (*(x if needed else None for x, needed in pairs), None)


class Recurrent(torch.autograd.Function):
    """A whole layer whose spikes come back, as `recurrent.forward` returns it.

    It saves its spikes, which are bits, for the gradient of the connection's weight, and otherwise
    what autograd holds anyway.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        kind: tuple[str, str, bool],
        surrogate: tuple[str, list[float]],
        layout: tuple[bool, bool],
        constants: int,
        current: Tensor,
        first: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        one_to_one: Tensor | None,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.kind, ctx.surrogate, (ctx.sequence, ctx.states) = kind, surrogate, layout
        ctx.constants = constants
        ctx.set_materialize_grads(False)
        numbers, initial = list(tensors[:constants]), list(tensors[constants:])
        feedback: tuple[Any, ...] = (first, weight, bias, one_to_one)
        if is_traced(current, first, *tensors):
            results = torch.ops.bitspike.recurrent_forward(
                *kind, *surrogate, *layout, current, numbers, initial, *feedback
            )
        else:
            results = recurrent.forward(*kind, *layout, current, numbers, initial, *feedback)
        spikes = results[0] if ctx.sequence else None
        ctx.save_for_backward(current, *feedback, spikes, *tensors)
        if not ctx.sequence:
            return tuple(results)
        features = current.shape[2:] if current.dim() > 2 else current.shape[1:]
        return (SpikeTensor(results[0], features), *results[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: D102
        current, first, weight, bias, one_to_one, spikes, *tensors = ctx.saved_tensors
        constants, initial = tensors[: ctx.constants], tensors[ctx.constants :]
        traced = is_traced(current, first, *tensors)
        # While tracing, torch does not know yet of which type a gradient will be.
        others = list(grads if traced else map(_dense, grads))
        count = len(initial)
        to_spikes = others.pop(0) if ctx.sequence else None
        _, need_first, need_weight, need_bias, need_one, *needed = ctx.needs_input_grad[4:]
        native: Any = torch.ops.bitspike.recurrent_backward if traced else recurrent.backward
        to_current, to_weight, to_bias, to_one, *results = native(
            *ctx.kind,
            *ctx.surrogate,
            ctx.sequence,
            any(needed[ctx.constants :]),
            need_one or any(needed[: ctx.constants]),
            need_weight or need_bias,
            current,
            constants,
            initial,
            first,
            weight,
            bias,
            one_to_one,
            spikes,
            to_spikes,
            others[:count] if ctx.sequence and ctx.states else [None] * count,
            others[-count - 1],
            others[-count:],
        )
        to_first = to_current[0] if ctx.sequence else to_current
        ordered = (
            *(to_current, to_first, to_weight, to_bias, to_one),
            *(*results[count:], *results[:count]),
        )
        return (
            *[None] * 4,
            *(
                x if need else None
                for x, need in zip(ordered, ctx.needs_input_grad[4:], strict=True)
            ),
        )


def _dense(grad: Tensor | None) -> Tensor | None:
    """A gradient as the native module takes it: plain float32, or None for zero."""
    if grad is None:
        return None
    if isinstance(grad, DenseGradient):
        grad = grad.value
    elif isinstance(grad, SpikeTensor):
        grad = grad.dense()
    return grad.float()
