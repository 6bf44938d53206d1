"""A layer of neurons as a function that autograd records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike.ops import sequence
from bitspike.ops.call import Call, Inputs, Need
from bitspike.spikes.errors import leave
from bitspike.spikes.linear import reader_of_errors
from bitspike.spikes.tensor import of_words

from .saving import private, save
from .shown import Tensors, gradients, run


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
        inputs = sequence.of_tensors(call, tensors)
        kept: Any
        kept, *constants = private(call, inputs.current, inputs.constants, -2)
        inputs = Inputs(kept, constants, inputs.initial)
        save(ctx, (kept, *constants, *inputs.initial))
        return _results(call, inputs, sequence.forward.kernel(call, inputs))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return gradients(ctx, grads, partial(_gradients, ctx), Layer.specification)


def run_layer(call: Call, tensors: Sequence[Tensor | float]) -> tuple[Tensor, ...]:
    """Runs a layer: its spikes, the states of all steps if wanted, and the states after the last.

    Args:
        call: What runs.
        tensors: Current, constants and initial states, all float32. Constants may be numbers.
    """
    return run(Layer, _compute, call, tensors)


def _compute(call: Call, tensors: Any) -> tuple[Tensor, ...]:
    inputs = sequence.of_tensors(call, tensors)
    return _results(call, inputs, sequence.forward(call, inputs))


def _reader_of_errors(ctx: Any) -> Any:
    """The linear layer that made the current of a sequence, if it can do with errors, or None."""
    if not (ctx.call.sequence and ctx.asks[0] and ctx.needs_input_grad[3]):
        return None
    return reader_of_errors(ctx)


def _gradients(
    ctx: Any,
    call: Call,
    values: list[Any],
    need: list[bool],
    grads: Iterable[Tensor | None],
    *,
    traced: bool,
) -> Tensors:
    """The native gradients of the tensors of a call, and to their reader the errors."""
    reader = None if traced else _reader_of_errors(ctx)
    constants, initial = need[1 : 1 + call.constants], need[1 + call.constants :]
    wanted = Need(current=need[0], initial=any(initial), constants=any(constants))
    to_reader = None if reader is None else partial(leave, reader)
    to_current, to_constants, to_initial = sequence.gradients(
        call, values, wanted, grads, to_reader, traced=traced
    )
    return to_current, *to_constants, *to_initial


def _results(call: Call, inputs: Inputs, results: list[Tensor]) -> tuple[Tensor, ...]:
    """What a call returns, its spikes as they are wanted."""
    spikes, *states = results
    if call.packed:
        features = sequence.features(inputs.current.shape)
        spikes = of_words(spikes, features, channels_last=call.channels_last)
    else:
        spikes = as_spikes(call, spikes)
    return (spikes, *states)


def as_spikes(call: Call, spikes: Tensor) -> Tensor:
    """Spikes that are not packed, of their class."""
    # No view, which autograd would forbid to write to.
    return spikes if call.spikes is Tensor else Tensor._make_subclass(call.spikes, spikes)
