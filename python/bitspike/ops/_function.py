"""The firing step and whole layers to autograd: the only file with an ``autograd.Function``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitspike.spike_tensor import SpikeTensor, dense_gradient

from . import sequence
from ._dispatch import is_traced


class Fire(torch.autograd.Function):
    """``1 if x > 0 else 0``, with ``gradient(x, grad, spikes)`` for its derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, gradient: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:  # noqa: D102
        return (x > 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: D102
        x, ctx.gradient = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]  # noqa: D102
        x, spikes = ctx.saved_tensors
        return ctx.gradient(x, grad, spikes), None


class Layer(torch.autograd.Function):
    """``(neuron, …, current, constants…, initial…) -> (spikes, states…, last states…)``.

    Saves only what autograd holds anyway: the current, the constants and the initial states.
    """

    @staticmethod
    def forward(  # noqa: D102
        neuron: str,
        mechanism: str,
        immediate: bool,
        surrogate: str,
        surrogate_parameters: list[float],
        sequence_: bool,
        packed: bool,
        states: bool,
        split: int,
        current: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        constants, initial = list(tensors[:split]), list(tensors[split:])
        run = (
            torch.ops.bitspike.sequence_forward if is_traced(current, *tensors) else sequence.forward
        )
        spikes, *others = run(
            neuron, mechanism, immediate, sequence_, packed, states, current, constants, initial
        )
        if packed:
            features = current.shape[2:] if current.dim() > 2 else current.shape[1:]
            spikes = SpikeTensor(spikes, features)
        return (spikes, *others)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: D102
        *ctx.kind, sequence_, _, states, split, current = inputs[:10]
        ctx.sequence, ctx.states, ctx.split = sequence_, states, split
        ctx.save_for_backward(current, *inputs[10:])
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: D102
        current, *tensors = ctx.saved_tensors
        constants, initial = tensors[: ctx.split], tensors[ctx.split :]
        traced = is_traced(current, *tensors)
        # While tracing, torch does not know yet of which type a gradient will be; the operator copes.
        spikes, *others = grads if traced else map(dense_gradient, grads)
        count = len(initial)
        by_step: list[Tensor | None] = others[:count] if ctx.states else [None] * count
        needed = ctx.needs_input_grad[9:]
        first_initial = 1 + ctx.split
        run = torch.ops.bitspike.sequence_backward if traced else sequence.backward
        results = run(
            *ctx.kind,
            ctx.sequence,
            needed[0],
            any(needed[first_initial:]),
            any(needed[1:first_initial]),
            current,
            constants,
            initial,
            spikes,
            by_step,
            others[-count:],
        )
        ordered = [results[0], *results[1 + count :], *results[1 : 1 + count]]
        return (*[None] * 9, *(x if need else None for x, need in zip(ordered, needed)))
