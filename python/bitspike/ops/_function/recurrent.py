"""Whole layers whose spikes come back to autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike.ops import recurrent, sequence
from bitspike.ops._dispatch import is_traced
from bitspike.spike_tensor import of_words

from . import derivable
from .dense import dense
from .saving import private, saved_tensors


class Recurrent(torch.autograd.Function):
    """A whole layer whose spikes come back, as `recurrent.forward` returns it.

    It saves its spikes, which are bits, for the gradient of the connection's weight, and otherwise
    what autograd holds anyway.
    """

    specification: ClassVar[Callable[..., tuple[Tensor, ...]]]
    """The same in torch; neurons/_specification.py sets it."""

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
        results = recurrent.forward(
            *kind, *surrogate, *layout, current, numbers, initial, *feedback
        )
        spikes = results[0] if ctx.sequence else None
        saved, held = current, numbers
        if any(ctx.needs_input_grad) and not is_traced(current):
            saved, held = private(ctx.sequence, current, numbers, constants - 1)
        ctx.save_for_backward(saved, *feedback, spikes, *held, *initial)
        if not ctx.sequence:
            return tuple(results)
        return (of_words(results[0], sequence.features(current.shape)), *results[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = saved_tensors(ctx)
        traced = is_traced(saved[0])
        wanted = ctx.needs_input_grad[4:]
        if not traced and derivable.is_wanted(grads):
            inputs = (*saved[:5], *saved[6:])
            return *[None] * 4, *derivable.gradients(
                Recurrent._in_torch(ctx), inputs, wanted, grads
            )
        _, _, need_weight, need_bias, need_one, *needed = wanted
        ordered = gradients(
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

    @staticmethod
    def _in_torch(ctx: Any) -> Callable[..., tuple[Tensor, ...]]:
        layout = (ctx.sequence, ctx.states)
        return partial(Recurrent.specification, ctx.kind, ctx.surrogate, layout, ctx.constants)


def gradients(
    ctx: Any,
    saved: tuple[Tensor, ...],
    kind: tuple[Any, ...],
    need: tuple[bool, bool, bool],
    grads: Iterable[Tensor | None],
) -> tuple[Tensor, list[Tensor | None], list[Tensor | None], tuple[Tensor | None, ...]]:
    """Gradients of the current, the constants, the initial states, and what makes the feedback.

    The last are those of what comes back in the first step, of weight, bias and one-to-one weight.

    Args:
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
    to_current: Any  # which is always wanted
    to_current, *to_feedback = recurrent.backward(
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
