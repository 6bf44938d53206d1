"""Whole layers whose spikes come back to autograd."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitspike.ops import recurrent, sequence
from bitspike.ops._dispatch import is_traced
from bitspike.spike_tensor import of_words

from .dense import dense


class Recurrent(torch.autograd.Function):
    """A whole layer whose spikes come back, as `recurrent.forward` returns it.

    It saves its spikes, which are bits, for the gradient of the connection's weight, and otherwise
    what autograd holds anyway.
    """

    @staticmethod
    def forward(
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
        return (of_words(results[0], sequence.features(current.shape)), *results[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        traced = is_traced(*(x for x in saved if x is not None))
        wanted = ctx.needs_input_grad[4:]
        _, _, need_weight, need_bias, need_one, *needed = wanted
        ordered = gradients(
            torch.ops.bitspike.recurrent_backward if traced else recurrent.backward,
            ctx,
            saved,
            (*ctx.kind, *ctx.surrogate),
            (
                any(needed[ctx.constants :]),
                need_one or any(needed[: ctx.constants]),
                need_weight or need_bias,
            ),
            # While tracing, torch does not know yet of which type a gradient will be.
            grads if traced else map(dense, grads),
        )
        flat = (ordered[0], *ordered[3], *ordered[1], *ordered[2])
        return (
            *[None] * 4,
            *(x if need else None for x, need in zip(flat, wanted, strict=True)),
        )


def gradients(
    native: Any,
    ctx: Any,
    saved: tuple[Tensor, ...],
    kind: tuple[Any, ...],
    need: tuple[bool, bool, bool],
    grads: Iterable[Tensor | None],
) -> tuple[Tensor, list[Tensor], list[Tensor], tuple[Tensor, ...]]:
    """Gradients of the current, the constants, the initial states, and what makes the feedback.

    The last are those of what comes back in the first step, of weight, bias and one-to-one weight.

    Args:
        native: `recurrent.backward`, or its operator.
        ctx: Says how forward was called.
        saved: What it saved, which may be asked for but once.
        kind: Neuron, mechanism, whether it is immediate, the surrogate and its parameters.
        need: Whether gradients of initial states, of constants and of weights are wanted.
        grads: Of what forward returned.
    """
    current, first, weight, bias, one_to_one, spikes, *tensors = saved
    constants, initial = tensors[: ctx.constants], tensors[ctx.constants :]
    others = list(grads)
    count = len(initial)
    to_spikes = others.pop(0) if ctx.sequence else None
    to_current, *to_feedback = native(
        *kind,
        ctx.sequence,
        *need,
        current,
        constants,
        initial,
        *(first, weight, bias, one_to_one),
        spikes,
        to_spikes,
        others[:count] if ctx.sequence and ctx.states else [None] * count,
        others[-count - 1],
        others[-count:],
    )
    to_first = to_current[0] if ctx.sequence else to_current
    results = to_feedback[3:]
    return to_current, results[count:], results[:count], (to_first, *to_feedback[:3])
