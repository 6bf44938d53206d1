"""A recurrent layer as a function that autograd records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike.ops import recurrent, sequence
from bitspike.ops.call import Call
from bitspike.spikes.tensor import of_words

from .saving import private, save
from .shown import Tensors, gradients, run


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
        results = _forward(call, tensors)
        words = results[0] if call.sequence else None
        current, *feedback = tensors[:5]
        constants, initial = tensors[5 : 5 + call.constants], tensors[5 + call.constants :]
        if hidden is not None:
            current, *constants = private(call, current, constants, -1)
        save(ctx, (current, *feedback, *constants, *initial, words))
        return _results(call, current, results)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return gradients(ctx, grads, _gradients, Recurrent.specification)


def run_recurrent(call: Call, tensors: Tensors) -> tuple[Tensor, ...]:
    """Runs a layer: its spikes and states, as `recurrent.forward` returns them.

    Args:
        call: What runs.
        tensors: The current; the first feedback, weight, bias and one-to-one weight of the
            connection; constants and initial states.
    """
    return run(Recurrent, _compute, call, tensors)


def _compute(call: Call, tensors: Any) -> tuple[Tensor, ...]:
    return _results(call, tensors[0], _forward(call, tensors))


def _forward(call: Call, tensors: Any) -> list[Tensor]:
    current, first, weight, bias, one_to_one, *others = tensors
    inputs = sequence.of_tensors(call, (current, *others))
    feedback = recurrent.Feedback(first, weight, bias, one_to_one)
    return recurrent.forward(call, inputs, feedback)


def _gradients(
    call: Call,
    values: list[Any],
    need: list[bool],
    grads: Iterable[Tensor | None],
    *,
    traced: bool,
) -> Tensors:
    """The native gradients of the tensors of a call."""
    _, _, *connection = need[:5]
    others = need[5:]
    wanted = recurrent.Need(
        initial=any(others[call.constants :]),
        constants=any(others[: call.constants]),
        connection=any(connection),
    )
    to_current, to_constants, to_initial, to_feedback = recurrent.gradients(
        call, values, wanted, grads, traced=traced
    )
    return to_current, *to_feedback, *to_constants, *to_initial


def _results(call: Call, current: Tensor, results: list[Tensor]) -> tuple[Tensor, ...]:
    """What a call returns: the spikes of a sequence are wrapped words."""
    if not call.sequence:
        return tuple(results)
    words, *states = results
    return (of_words(words, sequence.features(current.shape)), *states)
