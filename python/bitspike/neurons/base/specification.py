"""What native layers compute, in torch: autograd differentiates it more than once."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike import surrogate
from bitspike.ops import config
from bitspike.ops.call import Call, Kind

from .layer import Layer
from .recurrent_layer import Recurrent

KINDS: dict[str, Any] = {}
"""The neuron of each kernel, by its name; the folder above says which they are."""


def layer(call: Call, current: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    """What `ops.sequence.forward` returns, dense.

    Args:
        call: What ran.
        current: The input.
        tensors: The constants, of which the last are the threshold and the graded factor, and the
            states before the first step.
    """
    numbers, initial = tensors[: call.constants], tensors[call.constants :]
    neuron = _neuron(call.kind, *numbers)
    spikes, states, last = neuron._run_reference(current, list(initial), call.sequence, call.states)
    return (spikes, *states, *last)


def recurrent(
    call: Call,
    current: Tensor,
    first: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    one_to_one: Tensor | None,
    *tensors: Tensor,
) -> tuple[Tensor, ...]:
    """What `ops.recurrent.forward` returns, dense; the arguments are explained there."""
    numbers, states = tensors[: call.constants], tensors[call.constants :]
    neuron = _neuron(call.kind, *numbers, torch.ones_like(numbers[-1]))
    history, feedback = [], first
    for x in current.unbind(0) if call.sequence else [current]:
        spikes, states = neuron.step(x, *states, feedback)
        history.append((spikes, *states))
        if weight is not None:
            feedback = F.linear(spikes, weight, bias)
        elif one_to_one is not None:
            feedback = spikes * one_to_one
    if not call.sequence:
        return history[-1]
    trains, *others = (torch.stack(steps) for steps in zip(*history, strict=True))
    return (trains, *(others if call.states else ()), *history[-1])


def _neuron(kind: Kind, *constants: Tensor) -> Any:
    """A neuron of this kernel with these constants, and no parameter of its own."""
    owner = KINDS[kind.neuron]
    neuron = owner.__new__(owner)
    nn.Module.__init__(neuron)
    *coefficients, threshold, factor = constants
    neuron.__dict__.update(
        coefficients=partial(tuple, coefficients),
        firing_threshold=lambda: threshold,
        graded_spikes_factor=factor,
        spike_grad=_surrogate(kind),
        _reset_mechanism=kind.mechanism,
        reset_delay=not kind.immediate,
        detach_reset=True,
        fire_at="gt",
        spike_range=(0, 1),
        inhibition=False,
        state_quant=False,
    )
    return neuron


def _surrogate(kind: Kind) -> surrogate.Surrogate:
    owner = next(owner for owner in surrogate.ALL if owner.NAME == kind.surrogate)
    names = config.surrogate_parameters(kind.surrogate)
    return owner(**dict(zip(names, kind.surrogate_parameters, strict=True)))


Layer.specification, Recurrent.specification = layer, recurrent
