"""Whole layers whose spikes come back to autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike.ops import recurrent, sequence
from bitspike.ops._dispatch import is_traced
from bitspike.spike_tensor import of_words

from . import derivable
from .call import Call, Tensors, needed, returned, run
from .dense import dense
from .saving import as_tensors, private, save, saved


class Recurrent(torch.autograd.Function):
    """A whole layer whose spikes come back, as `recurrent.forward` returns it.

    It saves its spikes, which are bits, for the gradient of the connection's weight, and otherwise
    what autograd holds anyway.
    """

    specification: ClassVar[Callable[..., tuple[Tensor, ...]]]
    """The same in torch; neurons/_specification.py sets it."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, asks: list[bool], hidden: Tensors | None, *shown: Tensor
    ) -> tuple[Tensor, ...]:
        tensors: Any = shown if hidden is None else hidden
        ctx.call, ctx.asks = call, asks
        ctx.set_materialize_grads(False)
        results = _compute(call, tensors)
        spikes = results[0].words if call.sequence else None  # type: ignore[attr-defined]
        current, *feedback = tensors[:5]
        constants, initial = tensors[5 : 5 + call.constants], tensors[5 + call.constants :]
        if not is_traced(current):
            current, *constants = private(call, current, constants, -1)
        save(ctx, (current, *feedback, spikes, *constants, *initial))
        return results

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        call, values, need = ctx.call, saved(ctx), needed(ctx)
        traced = is_traced(values[0])
        again = not traced and derivable.is_wanted(grads)
        if traced or again:
            values = as_tensors(values)
        if again:
            in_torch = partial(Recurrent.specification, call)
            inputs = (*values[:5], *values[6:])
            return returned(ctx, need, derivable.gradients(in_torch, inputs, need, grads))
        _, _, need_weight, need_bias, need_one, *others = need
        to_current, to_constants, to_initial, to_feedback = gradients(
            call,
            values,
            (
                any(others[call.constants :]),
                need_one or any(others[: call.constants]),
                need_weight or need_bias,
            ),
            # While tracing, torch does not know yet of which type a gradient will be.
            grads if traced else map(dense, grads),
        )
        return returned(ctx, need, (to_current, *to_feedback, *to_constants, *to_initial))


def run_recurrent(call: Call, tensors: Tensors) -> tuple[Tensor, ...]:
    """Runs a layer: its spikes and states, as `recurrent.forward` returns them.

    Args:
        call: What runs.
        tensors: The current, what makes the feedback (see `recurrent.forward`), constants and
            initial states.
    """
    return run(Recurrent, _compute, call, tensors)


def _compute(call: Call, tensors: Any) -> tuple[Tensor, ...]:
    current, first, weight, bias, one_to_one, *others = tensors
    results = recurrent.forward(
        *call.kind,
        call.sequence,
        call.states,
        current,
        others[: call.constants],
        others[call.constants :],
        first,
        weight,
        bias,
        one_to_one,
    )
    if not call.sequence:
        return tuple(results)
    return (of_words(results[0], sequence.features(current.shape)), *results[1:])


def gradients(
    call: Call,
    values: Sequence[Any],
    need: tuple[bool, bool, bool],
    grads: Iterable[Tensor | None],
) -> tuple[Tensor, list[Tensor | None], list[Tensor | None], tuple[Tensor | None, ...]]:
    """Gradients of the current, the constants, the initial states, and what makes the feedback.

    The last are those of what comes back in the first step, of weight, bias and one-to-one weight.

    Args:
        call: What ran.
        values: What it saved.
        need: Whether gradients of initial states, of constants and of weights are wanted.
        grads: Of what forward returned.
    """
    current, first, weight, bias, one_to_one, spikes, *tensors = values
    constants, initial = tensors[: call.constants], tensors[call.constants :]
    others = list(grads)
    count = len(initial)
    to_spikes = others.pop(0) if call.sequence else None
    to_current: Any  # which is always wanted
    to_current, *to_feedback = recurrent.backward(
        *call.kind,
        call.sequence,
        *need,
        current,
        constants,
        initial,
        *(first, weight, bias, one_to_one),
        spikes,
        to_spikes,
        others[:count] if call.sequence and call.states else [None] * count,
        others[-count - 1],
        others[-count:],
    )
    to_first = to_current[0] if call.sequence else to_current
    results = to_feedback[3:]
    return to_current, results[count:], results[:count], (to_first, *to_feedback[:3])
