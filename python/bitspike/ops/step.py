"""One step of neurons that share their constants: the native calls, by the shortest way.

There is nothing to spread or to sum over axes, and the step is one row of memory, so what
sequence.py finds out about a layer of any shape is known. It would take as long as the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from . import _native, buffer
from .call import Call, Inputs, Need
from .sequence import LayerArguments


def forward(call: Call, inputs: Inputs) -> list[Tensor]:
    """The spikes of a step as floats, and the states after it.

    Args:
        call: What runs: one step.
        inputs: Constants are numbers; states have the shape of the current.
    """
    spikes = buffer.empty_like(inputs.current)
    last = [buffer.empty_like(x) for x in inputs.initial]
    _native.sequence_forward(
        _arguments(call, inputs), packed=None, dense=spikes, states=[None] * len(last), last=last
    )
    return [spikes, *last]


def backward(
    call: Call, inputs: Inputs, grads: Sequence[Tensor | None], need: Need
) -> list[Tensor | None]:
    """Gradients of the current and of the states before a step; None for those not wanted.

    Args:
        call: As in :func:`forward`.
        inputs: Likewise.
        grads: Of what :func:`forward` returned, float32, of any strides; None is 0.
        need: Which gradients are wanted.
    """
    spikes, *last = grads
    current = buffer.empty_like(inputs.current) if need.current else None
    initial = [buffer.empty_like(x) if need.initial else None for x in inputs.initial]
    _native.sequence_backward(
        _arguments(call, inputs),
        surrogate=(call.kind.surrogate, call.kind.surrogate_parameters),
        spikes=spikes,
        states=[None] * len(last),
        last=last,
        current=current,
        initial=initial,
        learned=None,
        errors=None,
    )
    return [current, *initial]


def _arguments(call: Call, inputs: Inputs) -> LayerArguments:
    neurons = inputs.current.numel()
    return LayerArguments.of(call, *inputs, shape=(1, 1, neurons), axes=(False, False))
