"""A layer of neurons as a function that autograd records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike import derivable
from bitspike.ops import sequence
from bitspike.ops.call import Call
from bitspike.ops.route import is_traced
from bitspike.spikes.tensor import SpikeTensor, of_words
from bitspike.spikes.upstream import plain_gradient

from .saving import as_tensors, private, save, saved
from .shown import Tensors, needed, returned, run


class Layer(torch.autograd.Function):
    """A whole layer: ``(spikes, states…, last states…)``, as `sequence.forward` returns them.

    It has no ``setup_context``, which would cost more per call than the kernel of a small step;
    transforms of ``torch.func``, which ask for one, take the reference path.
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
        if hidden is None:
            save(ctx, tensors)
            return _compute(call, tensors)
        current, *others = tensors
        constants, initial = others[: call.constants], others[call.constants :]
        kept, *constants = private(call, current, constants, -2)
        save(ctx, (kept, *constants, *initial))
        return _compute(call, (current, *constants, *initial), sequence.forward.kernel)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        call, values, need = ctx.call, saved(ctx), needed(ctx)
        traced = is_traced(values[0])
        again = not traced and derivable.is_wanted(grads)
        if traced or again:
            values = as_tensors(values)
        if again:
            in_torch = partial(Layer.specification, call)
            return returned(ctx, need, derivable.gradients(in_torch, values, need, grads))
        constants, initial = need[1 : 1 + call.constants], need[1 + call.constants :]
        to_current, to_constants, to_initial = sequence.gradients(
            call,
            values,
            (need[0], any(initial), any(constants)),
            # While tracing, torch does not know yet of which type a gradient will be.
            grads if traced else map(plain_gradient, grads),
        )
        return returned(ctx, need, (to_current, *to_constants, *to_initial))


def run_layer(call: Call, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Runs a layer: its spikes, the states of all steps if wanted, and the states after the last.

    Args:
        call: What runs.
        tensors: Current, constants and initial states, all float32.
    """
    return run(Layer, _compute, call, tensors)


def _compute(
    call: Call, tensors: Any, forward: Callable[..., list[Tensor]] = sequence.forward
) -> tuple[Tensor, ...]:
    current, *others = tensors
    spikes, *states = forward(
        *call.kind,
        call.sequence,
        call.spikes is SpikeTensor,
        call.states,
        current,
        others[: call.constants],
        others[call.constants :],
    )
    if call.spikes is SpikeTensor:
        spikes = of_words(spikes, sequence.features(current.shape))
    elif call.spikes is not Tensor:
        # as_subclass would return a view, into which autograd forbids writing.
        spikes = Tensor._make_subclass(call.spikes, spikes)
    return (spikes, *states)
