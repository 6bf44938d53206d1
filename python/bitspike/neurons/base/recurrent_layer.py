"""A recurrent layer as a function that autograd records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike import derivable
from bitspike.ops import recurrent, sequence
from bitspike.ops.call import Call
from bitspike.ops.route import is_traced
from bitspike.spikes.tensor import of_words
from bitspike.spikes.upstream import plain_gradient

from .saving import as_tensors, private, save, saved
from .shown import Tensors, needed, returned, run


class Recurrent(torch.autograd.Function):
    """A recurrent layer, with the results of `recurrent.forward`.

    It saves its spikes, which are bits, for the gradient of the connection's weight, and otherwise
    what autograd holds anyway.
    """

    specification: ClassVar[Callable[..., tuple[Tensor, ...]]]
    """The same in torch; specification.py sets it."""

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
        if hidden is not None:
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
        to_current, to_constants, to_initial, to_feedback = recurrent.gradients(
            call,
            values,
            recurrent.Need(
                initial=any(others[call.constants :]),
                constants=need_one or any(others[: call.constants]),
                weight=need_weight or need_bias,
            ),
            # While tracing, torch does not know yet of which type a gradient will be.
            grads if traced else map(plain_gradient, grads),
        )
        return returned(ctx, need, (to_current, *to_feedback, *to_constants, *to_initial))


def run_recurrent(call: Call, tensors: Tensors) -> tuple[Tensor, ...]:
    """Runs a layer: its spikes and states, as `recurrent.forward` returns them.

    Args:
        call: What runs.
        tensors: The current; the first feedback, weight, bias and one-to-one weight of the
            connection; constants and initial states.
    """
    return run(Recurrent, _compute, call, tensors)


def _compute(call: Call, tensors: Any) -> tuple[Tensor, ...]:
    current, first, weight, bias, one_to_one, *others = tensors
    inputs = sequence.of_tensors(call, (current, *others))
    feedback = recurrent.Feedback(first, weight, bias, one_to_one)
    results = recurrent.forward(call, inputs, feedback)
    if not call.sequence:
        return tuple(results)
    return (of_words(results[0], sequence.features(current.shape)), *results[1:])
