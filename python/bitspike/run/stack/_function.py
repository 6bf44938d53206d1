"""A stack as one function that autograd records: between its steps it keeps bits alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike import derivable
from bitspike.neurons.base.saving import save, saved
from bitspike.ops.route import gradient_needs_torch
from bitspike.spikes.tensor import SpikeTensor, of_words

from ._backward import gradients
from ._forward import Stack, Trace, of_steps, trace


class Run(NamedTuple):
    """What a stack returns."""

    spikes: Tensor
    """Of the last step."""
    states: Sequence[Tensor]
    """Of all steps, after the last time step."""
    apart: str | None = None
    """Why its layers ran one by one, if they did."""


def run(stack: Stack, x: SpikeTensor, values: Sequence[Any]) -> Run:
    """Runs a stack.

    Args:
        stack: What runs.
        x: Spikes ``[T, B, *features]``.
        values: What the steps read beside spikes, one after another; constants may be numbers.
    """
    with torch.no_grad():
        traced = trace(stack, x.words, values)
    reason = _reason(stack, traced, values)
    if traced is None or reason is not None:
        spikes, *states = _apart(stack, x, *values)
    elif torch.is_grad_enabled() and any(_learns(v) for v in (x, *values)):
        spikes, *states = _Function.apply(stack, traced, x, *values)
    else:
        spikes, *states = _results(stack, traced)
    return Run(spikes, states, reason)


def _reason(stack: Stack, traced: Trace | None, values: Sequence[Any]) -> str | None:
    """Why ordinary layers give other bits, or None if they give the same."""
    if traced is None:
        return "a weight is infinite or NaN"
    given = of_steps(stack, values)
    for step, words, own in zip(stack.steps, traced.words, given, strict=False):
        if step.prefers_dense(words, own):
            return "dense products are faster with so many spikes, or so few rows"
    return None


class _Function(torch.autograd.Function):
    """A stack that has run; it saves the words that enter each step."""

    @staticmethod
    def forward(
        ctx: Any, stack: Stack, traced: Trace, x: Tensor, *values: Any
    ) -> tuple[Tensor, ...]:
        ctx.stack = stack
        ctx.set_materialize_grads(False)
        save(ctx, (x, *values, *traced.words[1:-1]))
        return _results(stack, traced)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        stack: Stack = ctx.stack
        _, _, *need = ctx.needs_input_grad
        x, *others = saved(ctx)
        values, words = others[: len(need) - 1], others[len(need) - 1 :]
        found: list[Tensor | None]
        if gradient_needs_torch(grads):
            inputs = [x, *values]
            tensors = [v if isinstance(v, Tensor) else None for v in inputs]
            found = derivable.gradients(_specification(stack, inputs), tensors, need, grads)
        else:
            found = gradients(stack, [x.saved_words(), *words], values, need, grads)
        pairs = zip(found, need, strict=True)
        return None, None, *(grad if wanted else None for grad, wanted in pairs)


def _learns(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _results(stack: Stack, traced: Trace) -> tuple[Tensor, ...]:
    """The results of a stack, its spikes in the order of their axes."""
    spikes = of_words(traced.words[-1], stack.features, channels_last=stack.channels_last)
    return spikes.channels_first(), *traced.states


def _apart(stack: Stack, x: Any, *values: Any) -> tuple[Tensor, ...]:
    """The same by ordinary layers."""
    states: list[Tensor] = []
    for step, own in zip(stack.steps, of_steps(stack, values), strict=True):
        x, *last = step.apart(x, own)
        states += last
    return x, *states


def _specification(stack: Stack, inputs: Sequence[Any]) -> Callable[..., tuple[Tensor, ...]]:
    """The stack by ordinary layers, as a function of the tensors among its inputs."""

    def specification(*tensors: Tensor | None) -> tuple[Tensor, ...]:
        pairs = zip(tensors, inputs, strict=True)
        return _apart(stack, *[v if x is None else x for x, v in pairs])

    return specification
